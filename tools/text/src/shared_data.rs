//! The folder of the shared data for tests: real captions and the originals' tables, which are not part of this repository.

use std::path::{Path, PathBuf};

/// The folder `shared/data`, from `CLIPA_SHARED` or beside the workspace; prints a line and returns `None` where it is missing.
pub(crate) fn shared_data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let data = std::env::var_os("CLIPA_SHARED").map_or_else(beside, PathBuf::from).join("data");
    if data.is_dir() {
        return Some(data);
    }
    println!("skipped: no shared data; put it beside the workspace or set CLIPA_SHARED");
    None
}
