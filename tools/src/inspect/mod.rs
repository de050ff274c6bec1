//! Looking at a data set.
