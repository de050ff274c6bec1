//! Lists of URLs, hashes and keys.

use clipa_prep::lists::{Identity, List};

use crate::in_a_file;

/// A list, as text and as CSV, or as Parquet: what was read can be looked for, and it has as many entries as it says.
pub fn list(bytes: &[u8]) {
    for name in ["list.txt", "list.csv"] {
        let Ok(list) = in_a_file(name, bytes, |path| List::read(&[path.to_owned()])) else {
            continue;
        };
        let url = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]);
        let sample = Identity {
            url: Some(&url),
            sha256: Some(&[1; 32]),
            md5: Some(&[2; 16]),
            image_hash: Some(&[3; 32]),
            key: Some("000000001"),
        };
        let found = list.finds(&sample).is_some();
        let [part] = &list.matched()[..] else { panic!("one file is one part") };
        assert_eq!(part.entries, list.len());
        assert_eq!(part.matched > 0, found);
        assert_eq!(list.files_sha256().len(), 1);
    }
}
