//! tch 0.24 under the version that rust-bert 0.23 asks for.
//!
//! rust-bert's last release wants tch `^0.17`. torch-sys links libtorch, so a lock file holds one version of it, and ours is that
//! of libtorch 2.11. rust-bert compiles unchanged on the newer tch; only its number is in the way.

pub use tch_0_24::*;
