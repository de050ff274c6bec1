//! Opening a tar, and reading members.

use super::*;

#[test]
fn samples_next_to_a_cut_are_flagged() {
    let whole =
        [file("a.jpg", b"1"), file("a.txt", b"t"), file("b.jpg", b"2"), file("b.txt", b"t")]
            .concat();
    let cuts = |length: usize| {
        let index = index_of(&whole[..length]).unwrap();
        index.samples.iter().map(|sample| (sample.key.clone(), sample.cut)).collect::<Vec<_>>()
    };
    let sample = |key: &str, cut| (key.to_owned(), cut);
    assert_eq!(cuts(4 * 1024), [sample("a", false), sample("b", false)], "no end mark");
    assert_eq!(cuts(3 * 1024 + 512), [sample("a", false), sample("b", true)], "no data");
    assert_eq!(cuts(3 * 1024 + 100), [sample("a", false), sample("b", true)], "half a header");
    assert_eq!(cuts(3 * 1024), [sample("a", false), sample("b", true)], "at a boundary");
    assert_eq!(cuts(2 * 1024 + 100), [sample("a", false)], "the next one's header");
    assert_eq!(cuts(2 * 1024), [sample("a", false)], "between samples");
}

#[test]
fn what_is_no_tar_is_an_error_with_a_guess() {
    let text = |tar: &[u8]| index_of(tar).unwrap_err().to_string();
    assert!(text(b"").contains("0 bytes"));
    assert!(text(&[&[0x1f, 0x8b, 8][..], &[7; 2000]].concat()).contains("it is gzip"));
    assert!(text(&[&[0x28, 0xb5, 0x2f, 0xfd][..], &[7; 2000]].concat()).contains("unzstd"));
    assert!(text(&[&b"PAR1"[..], &[7; 2000]].concat()).contains("--output_format webdataset"));
    assert!(text(b"<html>not found</html>").contains("text"));
    assert!(text(&[7; 3000]).contains("no tar header"));
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(TarIndex::read(folder.path()), Err(ArchiveError::NotAFile { .. })));
    let missing = folder.path().join("missing.tar");
    assert!(matches!(TarIndex::read(&missing), Err(ArchiveError::Open { .. })));
}

#[test]
fn members_over_the_limit_or_cut_off_are_not_read() {
    let tar = [file("a.jpg", &[1; 100]), file("b.jpg", &[2; 600])].concat();
    let index = index_of(&tar[..tar.len() - 512]).unwrap();
    let mut bytes = vec![9; 3];
    index.read_member(0, 100, &mut bytes).unwrap();
    assert_eq!(bytes, [1; 100]);
    let error = index.read_member(0, 99, &mut bytes).unwrap_err();
    assert!(matches!(error, ArchiveError::MemberTooLarge { size: 100, limit: 99, .. }), "{error}");
    let error = index.read_member(1, 1000, &mut bytes).unwrap_err();
    assert!(matches!(error, ArchiveError::MemberCut { offset: 1536, .. }), "{error}");
    assert!(bytes.is_empty(), "nothing half-read stays behind");
}
