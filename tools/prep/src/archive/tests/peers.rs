//! The same tars through the crates `tar` and `webdataset`.

use std::path::PathBuf;

use super::super::{inputs, sidecar::Sidecar};
use super::*;

/// The tars that img2dataset wrote, where the checkout has them beside it.
fn img2dataset_tars() -> Option<Vec<PathBuf>> {
    let beside = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared").into();
    let shared = std::env::var_os("CLIPA_SHARED").map_or_else(beside, PathBuf::from);
    let folder = shared.join("data/pairs");
    if !folder.is_dir() {
        println!("skipped: {} is not there (set CLIPA_SHARED)", folder.display());
        return None;
    }
    Some(inputs::expand(&[folder]).unwrap())
}

#[test]
fn img2dataset_tars_read_as_the_webdataset_crate_reads_them() {
    let Some(tars) = img2dataset_tars() else { return };
    let mut samples = 0;
    for tar in tars {
        let index = TarIndex::read(&tar).unwrap();
        assert!(index.is_intact() && index.loose.is_empty(), "{}", tar.display());
        let theirs = webdataset::WebDataset::open(tar.to_str().unwrap()).unwrap();
        let mut ours = index.samples.iter();
        for theirs in theirs.iter() {
            let (ours, theirs) = (ours.next().unwrap(), theirs.unwrap());
            assert_eq!(theirs.key(), Some(ours.key.as_str()));
            let mut bytes = Vec::new();
            let suffixes = [(ours.image, "jpg"), (ours.sidecar, "json"), (ours.caption, "txt")];
            for (member, suffix) in suffixes {
                index.read_member(member.unwrap(), 1 << 20, &mut bytes).unwrap();
                let theirs =
                    theirs.get(suffix).and_then(|value| value.as_bytes()).map(|it| &it[..]);
                assert_eq!(theirs, Some(bytes.as_slice()), "{} {suffix}", ours.key);
            }
            samples += 1;
        }
        assert_eq!(ours.next(), None);
    }
    assert_eq!(samples, 689);
}

#[test]
fn every_sidecar_of_img2dataset_is_understood() {
    let Some(tars) = img2dataset_tars() else { return };
    for tar in tars {
        let index = TarIndex::read(&tar).unwrap();
        let (mut json, mut text) = (Vec::new(), Vec::new());
        for sample in &index.samples {
            index.read_member(sample.sidecar.unwrap(), 1 << 20, &mut json).unwrap();
            index.read_member(sample.caption.unwrap(), 1 << 20, &mut text).unwrap();
            let sidecar = Sidecar::parse(&json).unwrap();
            let caption = sidecar.captions.first().map(|caption| &*caption.text);
            assert_eq!(caption, std::str::from_utf8(&text).ok());
            assert_eq!(sidecar.key.as_deref(), Some(sample.key.as_str()));
            assert_eq!(sidecar.status.as_deref(), Some("success"));
            assert!(sidecar.metadata.sha256.is_some() && sidecar.metadata.url.is_some());
            assert!(sidecar.metadata.original_width.is_some() && sidecar.height.is_some());
        }
    }
}

proptest! {
    #[test]
    fn intact_tars_read_as_the_tar_crate_reads_them(contents in contents()) {
        let tar = written(&contents);
        let found = walked(&tar);
        prop_assert_eq!(found.end, Some(TarEnd::Clean));
        let mut reader = tar::Archive::new(tar.as_slice());
        let theirs: Vec<_> = reader
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.path_bytes().into_owned(), entry.raw_file_position(), entry.size())
            })
            .collect();
        let ours: Vec<_> = found
            .members
            .iter()
            .map(|member| (member.name.clone(), member.data_offset, member.size))
            .collect();
        prop_assert_eq!(ours, theirs);
        for (member, (name, bytes)) in found.members.iter().zip(&contents) {
            prop_assert_eq!(&member.name, name.as_bytes());
            prop_assert_eq!(data(&tar, member), bytes.as_slice());
        }
    }
}
