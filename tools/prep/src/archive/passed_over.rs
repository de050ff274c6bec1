//! What a folder holds beside the tars that are read from it: counted and said.

use std::{collections::BTreeMap, fs, path::Path};

use super::inputs::{beside, is_tar_name};

/// Sub-folders that are looked into for tars.
const FOLDERS_LOOKED_INTO: usize = 1000;

/// Kinds of files that are named.
const NAMED_KINDS: usize = 8;

/// One sentence about what the folder holds that is not read: sub-folders and the tars in them, files by suffix; `None`
/// where there is nothing. Files that img2dataset writes beside a tar are read with it.
pub fn passed_over(folder: &Path) -> Option<String> {
    let names: Vec<_> = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path()).collect();
    let read = |path: &&std::path::PathBuf| is_tar_name(path) && !path.is_dir();
    let side_files: std::collections::HashSet<_> = names
        .iter()
        .filter(read)
        .flat_map(|tar| [beside(tar, ".parquet"), beside(tar, "_stats.json")])
        .collect();
    let (mut kinds, mut folders, mut tars_below) = (BTreeMap::new(), 0u64, 0u64);
    for path in names.iter().filter(|path| !read(path) && !side_files.contains(*path)) {
        if path.is_dir() {
            folders += 1;
            if folders <= FOLDERS_LOOKED_INTO as u64 {
                tars_below += tars_in(path);
            }
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        *kinds.entry(kind(&name)).or_insert(0u64) += 1;
    }
    let mut parts = Vec::new();
    if folders > 0 {
        parts.push(match tars_below {
            0 => format!("{folders} sub-folders"),
            tars => {
                format!("{folders} sub-folders with {tars} tars in them (name them as inputs too)")
            }
        });
    }
    let more = kinds.len().saturating_sub(NAMED_KINDS);
    parts
        .extend(kinds.into_iter().take(NAMED_KINDS).map(|(kind, count)| format!("{count} {kind}")));
    if more > 0 {
        parts.push(format!("{more} more kinds of files"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn tars_in(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| is_tar_name(&entry.path())).count() as u64
}

/// A file's suffix, and what to do with it where that is known.
fn kind(name: &str) -> String {
    for (endings, remedy) in [
        (&[".tar.zst", ".tzst"][..], "unpack first: unzstd"),
        (&[".tar.bz2", ".tbz2"], "unpack first: bunzip2"),
        (&[".tar.xz", ".txz"], "unpack first: unxz"),
    ] {
        if let Some(ending) = endings.iter().find(|ending| name.ends_with(**ending)) {
            return format!("{ending} ({remedy})");
        }
    }
    match name.rsplit_once('.') {
        Some((_, suffix)) => format!(".{}", suffix.chars().take(20).collect::<String>()),
        None => "without suffix".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_is_counted_and_what_belongs_to_a_tar_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        for name in ["0.tar", "0.parquet", "0_stats.json", "1.tgz", "1.parquet"] {
            fs::write(path.join(name), b"x").unwrap();
        }
        assert_eq!(passed_over(path), None);
        for name in ["2.tar.part", "3.tar.zst", "x.parquet", "README"] {
            fs::write(path.join(name), b"x").unwrap();
        }
        fs::create_dir(path.join("more")).unwrap();
        fs::write(path.join("more/4.tar"), b"x").unwrap();
        let expected = "1 sub-folders with 1 tars in them (name them as inputs too), 1 .parquet, 1 .part, \
                        1 .tar.zst (unpack first: unzstd), 1 without suffix";
        assert_eq!(passed_over(path).as_deref(), Some(expected));
    }
}
