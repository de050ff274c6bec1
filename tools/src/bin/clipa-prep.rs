//! clipa-prep
fn main() {}
