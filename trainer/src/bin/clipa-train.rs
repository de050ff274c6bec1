//! clipa-train
fn main() {}
