//! clipa-inspect
fn main() {}
