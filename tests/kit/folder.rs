//! A folder's content as a value that can be compared.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Every file of a folder by relative path.
#[derive(PartialEq)]
pub struct Tree {
    files: BTreeMap<String, Vec<u8>>,
}

/// Reads a folder with all that is below it.
pub fn tree(folder: &Path) -> Tree {
    let mut files = BTreeMap::new();
    collect(folder, "", &mut files);
    Tree { files }
}

fn collect(folder: &Path, prefix: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    let entries = std::fs::read_dir(folder).expect("the folder can be listed");
    for entry in entries {
        let entry = entry.expect("the folder can be listed");
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{name}/"), files);
        } else {
            files.insert(name, std::fs::read(entry.path()).expect("the file can be read"));
        }
    }
}

impl Tree {
    /// The relative paths, sorted.
    pub fn names(&self) -> Vec<&str> {
        self.files.keys().map(String::as_str).collect()
    }

    /// The tree without the files for which `left_out` holds.
    pub fn without(mut self, left_out: impl Fn(&str) -> bool) -> Self {
        self.files.retain(|name, _| !left_out(name));
        self
    }

    /// Expects the same names with the same bytes; says which differ.
    pub fn must_equal(&self, other: &Self) {
        let names = |tree: &Self| tree.names().join("\n");
        assert_eq!(names(self), names(other), "other files");
        for (name, content) in &self.files {
            let there = &other.files[name];
            let first = content.iter().zip(there).position(|(here, there)| here != there);
            let (here, there) = (content.len(), there.len());
            assert!(
                first.is_none() && here == there,
                "{name} differs: {here} and {there} bytes, first at {first:?}"
            );
        }
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = self.files.iter().map(|(name, content)| (name, content.len()));
        formatter.debug_map().entries(sizes).finish()
    }
}
