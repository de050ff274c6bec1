//! Tars with given members, as img2dataset lays them out.

use serde_json::{Value, json};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// One file in a tar.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Its name, such as `000000000.jpg`.
    pub name: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

impl Member {
    /// A member of that name and content.
    pub fn new(name: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), content: content.into() }
    }

    /// The members of one sample: image, caption, and the sidecar with both named.
    pub fn sample(key: &str, image: Self, caption: &str) -> [Self; 3] {
        let extension = image.name.rsplit('.').next().expect("an image has an extension");
        let sidecar: Value = json!({
            "key": key, "caption": caption, "url": format!("https://images.invalid/{key}"),
            "status": "success", "width": 64, "height": 64,
            "original_width": 64, "original_height": 64, "exif": "{}",
        });
        [
            Self::new(format!("{key}.{extension}"), image.content),
            Self::new(format!("{key}.txt"), caption),
            Self::new(format!("{key}.json"), sidecar.to_string()),
        ]
    }
}

/// Writes a tar with these members in this order.
pub fn write_tar(path: &Path, members: impl IntoIterator<Item = Member>) {
    let file = File::create(path).expect("the tar can be created");
    let mut builder = tar::Builder::new(file);
    for member in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(member.content.len() as u64);
        header.set_mode(0o644);
        builder
            .append_data(&mut header, &member.name, member.content.as_slice())
            .expect("a member can be written");
    }
    builder.finish().expect("the tar can be finished");
}

/// Reads every member of a tar.
pub fn members(path: &Path) -> Vec<Member> {
    let file = File::open(path).expect("the tar can be opened");
    let mut archive = tar::Archive::new(file);
    let entries = archive.entries().expect("a tar");
    entries
        .map(|entry| {
            let mut entry = entry.expect("a whole tar");
            let name = entry.path().expect("a name").to_string_lossy().into_owned();
            let mut content = Vec::new();
            entry.read_to_end(&mut content).expect("a whole member");
            Member { name, content }
        })
        .collect()
}

/// The byte in the middle of the content of the `nth` JPEG (from 0) of a tar.
pub fn middle_of_jpeg(path: &Path, nth: usize) -> usize {
    let file = File::open(path).expect("the tar can be opened");
    let mut archive = tar::Archive::new(file);
    let entries = archive.entries().expect("a tar").map(|entry| entry.expect("a whole tar"));
    let entry = entries
        .filter(|entry| entry.path().is_ok_and(|name| name.extension().is_some_and(|e| e == "jpg")))
        .nth(nth)
        .expect("so many JPEGs");
    usize::try_from(entry.raw_file_position() + entry.size() / 2).expect("a small tar")
}
