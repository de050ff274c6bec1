//! What each fuzz target does with its bytes, and what must hold whatever they are.
//!
//! `tests/e2e/fuzz_corpus.rs` runs the committed corpus through the same functions in every `cargo xtask test`.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs::File,
    io::{Seek, Write},
    path::{Path, PathBuf},
};

mod archive;
mod checkpoint;
mod image;
mod lists;
mod shard;

pub use self::{
    archive::{sidecar, table, walk},
    checkpoint::checkpoint,
    image::{exif, image},
    lists::list,
    shard::shard,
};

/// Calls `read` with the path of a file of this name that holds `bytes`.
fn in_a_file<T>(name: &str, bytes: &[u8], read: impl FnOnce(&Path) -> T) -> T {
    thread_local! {
        static FILES: RefCell<BTreeMap<String, (PathBuf, File)>> = const { RefCell::new(BTreeMap::new()) };
    }
    FILES.with_borrow_mut(|files| {
        let (path, file) = files.entry(name.to_owned()).or_insert_with(|| {
            let (process, thread) = (std::process::id(), std::thread::current().id());
            let folder = std::env::temp_dir().join(format!("clipa-fuzz-{process}-{thread:?}"));
            std::fs::create_dir_all(&folder).expect("a temporary folder");
            let path = folder.join(name);
            let file = File::create(&path).expect("a temporary file");
            (path, file)
        });
        file.set_len(0).expect("an empty file");
        file.rewind().expect("a file has a start");
        file.write_all(bytes).expect("room for a file");
        read(path)
    })
}
