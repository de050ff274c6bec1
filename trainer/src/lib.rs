//! clipa-train.
