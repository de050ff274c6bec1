//! What writers of tars do: names, links, sparse files.

use super::super::{LooseReason, MemberKind, TarEnd};
use super::*;

#[test]
fn names_of_every_dialect_are_read() {
    let long = "d/".repeat(100) + "x.jpg";
    let mut prefixed = header(b"x.txt", b'0', 1, b"", USTAR);
    prefixed[345..349].copy_from_slice(b"deep");
    seal(&mut prefixed);
    let mut v7 = header(b"old.txt", 0, 1, b"", &[0; 8]);
    seal(&mut v7);
    let tar = [
        file("a.jpg", b"1"),
        entry("././@LongLink", b'L', &[long.as_bytes(), b"\0"].concat()),
        [header(b"cut", b'0', 1, b"", GNU), padded(b"2")].concat(),
        pax(b'x', &[("mtime", b"1.5"), ("path", b"p\xff.jpg")]),
        file("short", b"3"),
        [prefixed, padded(b"4")].concat(),
        [v7, padded(b"5")].concat(),
        mark(),
    ]
    .concat();
    let found = walked(&tar);
    assert_eq!(names(&found), ["a.jpg", &long, "p\\xff.jpg", "deep/x.txt", "old.txt"]);
    for (number, member) in found.members.iter().enumerate() {
        assert_eq!(data(&tar, member), (number + 1).to_string().as_bytes());
    }
    assert_eq!((found.end, found.damage.len()), (Some(TarEnd::Clean), 0));
}

#[test]
fn pax_sizes_and_global_records_count() {
    let tar = [
        pax(b'g', &[("comment", b"by git")]),
        pax(b'x', &[("size", b"600")]),
        [header(b"a.jpg", b'0', 0, b"", USTAR), vec![7; 600], vec![0; 424]].concat(),
        file("b.jpg", b"x"),
        mark(),
    ]
    .concat();
    let found = walked(&tar);
    assert_eq!(names(&found), ["a.jpg", "b.jpg"]);
    assert_eq!(data(&tar, &found.members[0]), [7; 600]);
    assert_eq!(found.members[0].start, 0, "its extended headers belong to it");
}

#[test]
fn links_folders_and_odd_types_carry_no_data_unless_they_do() {
    let link = |name: &str, flag, size| header(name.as_bytes(), flag, size, b"./a.jpg", USTAR);
    let tar = [
        entry("dir/", b'5', b""),
        file("a.jpg", b"1"),
        link("same.jpg", b'1', 0),
        // Old writers repeat the size of the target, without its data.
        link("sized.jpg", b'1', 1),
        // PAX writers may add the data.
        [link("full.jpg", b'1', 2), padded(b"22")].concat(),
        link("soft.jpg", b'2', 5),
        entry("pipe.jpg", b'6', b""),
        entry("label", b'V', b""),
        file("v7dir/", b""),
        mark(),
    ]
    .concat();
    let found = walked(&tar);
    assert_eq!(found.members.len(), 9);
    assert_eq!(found.members[4].kind, MemberKind::File);
    assert_eq!(data(&tar, &found.members[4]), b"22");
    let kinds: Vec<_> = found.members.iter().map(|member| member.kind.clone()).collect();
    assert_eq!(kinds[0], MemberKind::Directory);
    assert_eq!(kinds[5], MemberKind::SymLink);
    assert_eq!(kinds[8], MemberKind::Directory);

    let index = index_of(&tar).unwrap();
    let keys: Vec<_> = index.samples.iter().map(|sample| sample.key.as_str()).collect();
    assert_eq!(keys, ["a", "same", "sized", "full"]);
    for (sample, expected) in index.samples.iter().zip(["1", "1", "1", "22"]) {
        let mut bytes = Vec::new();
        index.read_member(sample.image.unwrap(), 10, &mut bytes).unwrap();
        assert_eq!(bytes, expected.as_bytes(), "{}", sample.key);
    }
    let reasons: Vec<_> = index.loose.iter().map(|loose| loose.reason).collect();
    use LooseReason::{Directory, Link, Special};
    assert_eq!(reasons, [Directory, Link, Special, Special, Directory]);
}

#[test]
fn sparse_files_are_listed_and_passed_over() {
    let mut old = header(b"old.jpg", b'S', 512, b"", GNU);
    old[482] = 1;
    seal(&mut old);
    let mut more = vec![1u8; BLOCK];
    more[504] = 0;
    let tar = [
        old,
        more,
        vec![9; BLOCK],
        pax(b'x', &[("GNU.sparse.major", b"1"), ("GNU.sparse.name", b"new.jpg")]),
        file("GNUSparseFile.0/new.jpg", b"map"),
        file("b.jpg", b"2"),
        mark(),
    ]
    .concat();
    let found = walked(&tar);
    assert_eq!(names(&found), ["old.jpg", "new.jpg", "b.jpg"]);
    let sparse = |place: usize| found.members[place].kind == MemberKind::Sparse;
    assert!(sparse(0) && sparse(1) && !sparse(2));
    assert_eq!(found.end, Some(TarEnd::Clean));
}
