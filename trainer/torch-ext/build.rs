//! Compiles the shim.
fn main() {}
