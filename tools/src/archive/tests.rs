//! The walk and the index on tars of every kind, whole and damaged.

use std::{collections::BTreeMap, io::Write};

use proptest::prelude::*;

use super::{
    ArchiveError, Damage, DamageKind, LooseReason, Member, MemberKind, TarEnd, TarIndex,
    walk::{Walk, walk},
};

const BLOCK: usize = 512;

/// Header blocks of one member; `size` is what the header says.
fn header(name: &[u8], flag: u8, size: u64, link: &[u8], magic: &[u8; 8]) -> Vec<u8> {
    let mut block = vec![0u8; BLOCK];
    block[..name.len()].copy_from_slice(name);
    block[100..107].copy_from_slice(b"0000644");
    block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    block[156] = flag;
    block[157..157 + link.len()].copy_from_slice(link);
    block[257..265].copy_from_slice(magic);
    seal(&mut block);
    block
}

/// Writes the checksum.
fn seal(block: &mut [u8]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
}

fn padded(data: &[u8]) -> Vec<u8> {
    let mut data = data.to_vec();
    data.resize(data.len().next_multiple_of(BLOCK), 0);
    data
}

const USTAR: &[u8; 8] = b"ustar\x0000";
const GNU: &[u8; 8] = b"ustar  \0";

fn entry(name: &str, flag: u8, data: &[u8]) -> Vec<u8> {
    [header(name.as_bytes(), flag, data.len() as u64, b"", USTAR), padded(data)].concat()
}

fn file(name: &str, data: &[u8]) -> Vec<u8> {
    entry(name, b'0', data)
}

fn pax(flag: u8, records: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (key, value) in records {
        let rest = key.len() + value.len() + 3;
        let length = (rest..).find(|&length| length == rest + length.to_string().len()).unwrap();
        bytes.extend_from_slice(format!("{length} {key}=").as_bytes());
        bytes.extend_from_slice(value);
        bytes.push(b'\n');
    }
    entry("pax", flag, &bytes)
}

fn mark() -> Vec<u8> {
    vec![0; 2 * BLOCK]
}

fn walked(tar: &[u8]) -> Walk {
    let found = walk(tar, tar.len() as u64).unwrap();
    assert_every_byte_is_accounted_for(tar, &found);
    found
}

/// Members, damage and the end tile the file, in order, without gaps or overlaps.
fn assert_every_byte_is_accounted_for(tar: &[u8], found: &Walk) {
    let mut spans: BTreeMap<u64, u64> = BTreeMap::new();
    let members = found.members.iter().map(|member| (member.start, member.end));
    let damage = found.damage.iter().filter(|damage| damage.bytes > 0);
    for (start, end) in
        members.chain(damage.map(|found| (found.offset, found.offset + found.bytes)))
    {
        assert_eq!(spans.insert(start, end), None, "two spans at {start}");
    }
    let mut at = 0;
    for (start, end) in spans {
        assert_eq!(start, at, "a gap or an overlap");
        assert!(end > start);
        at = end;
    }
    let length = tar.len() as u64;
    let tail = &tar[at as usize..];
    match found.end.unwrap() {
        TarEnd::Clean => assert!(tail.len() >= 2 * BLOCK && tail.iter().all(|&byte| byte == 0)),
        TarEnd::MissingMark { offset } => {
            assert_eq!(offset, at);
            assert!(tail.len() < 2 * BLOCK && tail.iter().all(|&byte| byte == 0));
        }
        TarEnd::Truncated { offset } => {
            let cut = found.members.last().filter(|member| member.cut);
            assert_eq!(offset, cut.map_or(at, |member| member.start));
            assert_eq!(cut.map_or(length, |member| member.end), length);
        }
        TarEnd::Garbage { offset } => {
            assert!(tail[..(offset - at) as usize].iter().all(|&byte| byte == 0));
            assert!(tail.iter().any(|&byte| byte != 0));
        }
    }
}

fn names(found: &Walk) -> Vec<String> {
    found.members.iter().map(|member| super::readable(&member.name)).collect()
}

fn data<'a>(tar: &'a [u8], member: &Member) -> &'a [u8] {
    &tar[member.data_offset as usize..(member.data_offset + member.size) as usize]
}

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
fn zeros_do_not_end_the_walk_and_concatenated_tars_are_one() {
    let one = [file("a.jpg", b"1"), vec![0; BLOCK], file("b.jpg", b"2")].concat();
    let found = walked(&[one.clone(), mark()].concat());
    assert_eq!(names(&found), ["a.jpg", "b.jpg"]);
    let zeros = |offset, bytes| Damage { offset, bytes, kind: DamageKind::Zeros };
    assert_eq!(found.damage, [zeros(1024, 512)]);
    let two = [file("a.jpg", b"1"), vec![0; 9 * BLOCK], file("b.jpg", b"2"), mark()].concat();
    let found = walked(&two);
    assert_eq!((names(&found).len(), found.end), (2, Some(TarEnd::Clean)));
    assert_eq!(found.damage, [zeros(1024, 9 * 512)]);
}

#[test]
fn each_end_has_its_name() {
    let whole = file("a.jpg", b"1");
    let end = |tail: &[u8]| walked(&[&whole[..], tail].concat()).end.unwrap();
    assert_eq!(end(&[0; 1024]), TarEnd::Clean);
    assert_eq!(end(&[0; 10240]), TarEnd::Clean);
    assert_eq!(end(&[]), TarEnd::MissingMark { offset: 1024 });
    assert_eq!(end(&[0; 512]), TarEnd::MissingMark { offset: 1024 });
    assert_eq!(end(&[0; 100]), TarEnd::MissingMark { offset: 1024 });
    assert_eq!(end(&[7; 100]), TarEnd::Truncated { offset: 1024 });
    assert_eq!(end(&[7; 5000]), TarEnd::Garbage { offset: 1024 });
    assert_eq!(end(&[&[0; 1024][..], &[7; 700]].concat()), TarEnd::Garbage { offset: 2048 });
    assert_eq!(walked(&mark()).end, Some(TarEnd::Clean), "an empty tar");
}

#[test]
fn a_tar_cut_anywhere_keeps_the_members_before_the_cut() {
    let members: Vec<Vec<u8>> = (0..4u8)
        .map(|number| {
            let name = [b"long/".repeat(30), format!("{number}.jpg").into_bytes()].concat();
            let data = vec![number + 1; 300 * usize::from(number)];
            [pax(b'x', &[("path", &name)]), file("short", &data)].concat()
        })
        .collect();
    let tar = [members.concat(), mark()].concat();
    let ends: Vec<usize> = members
        .iter()
        .scan(0, |at, member| {
            *at += member.len();
            Some(*at)
        })
        .collect();
    for cut in 0..tar.len() {
        let found = walked(&tar[..cut]);
        let data_end = |place: usize| {
            let padding = (300 * place).next_multiple_of(BLOCK) - 300 * place;
            ends[place] - padding
        };
        let whole = (0..4).filter(|&place| data_end(place) <= cut).count();
        let good = found.members.iter().filter(|member| !member.cut).count();
        assert_eq!(good, whole, "cut at {cut}");
        assert!(found.damage.is_empty());
        let at_boundary =
            cut == 0 || (0..4).any(|place| (data_end(place)..=ends[place]).contains(&cut));
        match found.end.unwrap() {
            TarEnd::Clean => assert_eq!(cut, tar.len()),
            TarEnd::MissingMark { .. } => assert!(at_boundary || cut > ends[3], "cut at {cut}"),
            TarEnd::Truncated { offset } => {
                assert!(!at_boundary && cut < ends[3], "cut at {cut}");
                let start = if whole == 0 { 0 } else { ends[whole - 1] };
                assert_eq!(offset, start as u64, "cut at {cut}");
            }
            TarEnd::Garbage { .. } => panic!("cut at {cut}"),
        }
    }
}

#[test]
fn a_damaged_header_costs_its_member_only() {
    let mut tar =
        [file("a.jpg", b"1"), file("b.jpg", &[2; 900]), file("c.jpg", b"3"), mark()].concat();
    tar[1024] ^= 1;
    let found = walked(&tar);
    assert_eq!(names(&found), ["a.jpg", "c.jpg"]);
    let damage = Damage { offset: 1024, bytes: 1536, kind: DamageKind::Unreadable };
    assert_eq!(found.damage, [damage]);
    assert_eq!(found.end, Some(TarEnd::Clean));
}

#[test]
fn a_tar_behind_a_cut_one_is_found_off_the_grid() {
    let first = file("a.jpg", &[1; 900]);
    let lost = &first[..700];
    // What is missing of a.jpg is taken from the next tar: one header is lost, the second is not.
    let second =
        [file("b.jpg", &[2; 600]), file("c.jpg", &[3; 600]), file("d.jpg", b"4"), mark()].concat();
    let tar = [lost, &second].concat();
    let found = walked(&tar);
    assert_eq!(names(&found), ["a.jpg", "c.jpg", "d.jpg"]);
    assert_eq!(data(&tar, &found.members[1]), [3; 600]);
    assert_eq!(found.damage.len(), 1);
    assert_eq!(found.end, Some(TarEnd::Clean));
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

#[test]
fn absurd_sizes_neither_allocate_nor_wrap() {
    let mut huge = header(b"huge.jpg", b'0', 0, b"", USTAR);
    huge[124..128].copy_from_slice(&[0x80, 0, 0, 0]);
    huge[128..136].copy_from_slice(&(u64::MAX - 600).to_be_bytes());
    seal(&mut huge);
    for tar in [
        [file("a.jpg", b"1"), huge.clone(), vec![1; 4000]].concat(),
        [file("a.jpg", b"1"), pax(b'x', &[("size", b"18446744073709551615")]), file("b", b"")]
            .concat(),
        [file("a.jpg", b"1"), header(b"l", b'L', 1 << 32, b"", GNU), vec![1; 4000]].concat(),
    ] {
        let found = walked(&tar);
        assert_eq!(found.members.iter().filter(|member| !member.cut).count(), 1);
        assert_eq!(found.end, Some(TarEnd::Truncated { offset: 1024 }));
    }
    let long = vec![b'x'; super::MAX_EXTENSION_BYTES as usize + 1];
    let tar = [entry("long", b'L', &long), file("b.jpg", b"2"), mark()].concat();
    let found = walked(&tar);
    assert_eq!((names(&found), found.end), (vec!["b.jpg".to_owned()], Some(TarEnd::Clean)));
    assert_eq!(found.damage[0].kind, DamageKind::BadExtension);
}

#[test]
fn extensions_without_a_member_are_damage() {
    let tar =
        [pax(b'x', &[("path", b"lost.jpg")]), vec![0; BLOCK], file("b.jpg", b"2"), mark()].concat();
    let found = walked(&tar);
    assert_eq!(names(&found), ["b.jpg"]);
    let kinds: Vec<_> = found.damage.iter().map(|damage| damage.kind).collect();
    assert_eq!(kinds, [DamageKind::StrayExtension, DamageKind::Zeros]);
}

fn index_of(tar: &[u8]) -> Result<TarIndex, ArchiveError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(tar).unwrap();
    TarIndex::read(file.path())
}

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
    assert!(text(&[&[0x1f, 0x8b, 8][..], &[7; 2000]].concat()).contains("gunzip"));
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

/// The tars that img2dataset wrote, where the checkout has them beside it.
fn img2dataset_tars() -> Option<Vec<std::path::PathBuf>> {
    let beside = || concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared").into();
    let shared = std::env::var_os("CLIPA_SHARED").map_or_else(beside, std::path::PathBuf::from);
    let folder = shared.join("data/pairs");
    if !folder.is_dir() {
        println!("skipped: {} is not there (set CLIPA_SHARED)", folder.display());
        return None;
    }
    Some(super::inputs::expand(&[folder]).unwrap())
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
            let sidecar = super::sidecar::Sidecar::parse(&json).unwrap();
            assert_eq!(sidecar.caption.as_deref(), std::str::from_utf8(&text).ok());
            assert_eq!(sidecar.key.as_deref(), Some(sample.key.as_str()));
            assert_eq!(sidecar.status.as_deref(), Some("success"));
            assert!(sidecar.sha256.is_some() && sidecar.url.is_some());
            assert!(sidecar.original_width.is_some() && sidecar.height.is_some());
        }
    }
}

/// Names and data of a small tar.
fn contents() -> impl Strategy<Value = Vec<(String, Vec<u8>)>> {
    let name = "[a-c]{1,2}(/[a-z]{1,120}){0,2}\\.(jpg|txt|json)";
    prop::collection::vec((name, prop::collection::vec(any::<u8>(), 0..1500)), 1..6)
}

/// Written by the `tar` crate: GNU headers, long names where needed.
fn written(contents: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, data) in contents {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, data.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
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

    #[test]
    fn damage_is_survived_and_what_lies_before_it_is_kept(
        contents in contents(),
        cut in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 0..4),
        inserted in prop::option::of((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..1200))),
    ) {
        let whole = written(&contents);
        let mut tar = whole.clone();
        let mut first = tar.len();
        for (place, flip) in &flips {
            let at = place.index(tar.len());
            tar[at] ^= flip;
            first = first.min(at);
        }
        if let Some((place, bytes)) = &inserted {
            let at = place.index(tar.len());
            tar.splice(at..at, bytes.iter().copied());
            first = first.min(at);
        }
        let cut = cut.index(tar.len() + 1);
        tar.truncate(cut);
        first = first.min(cut);
        let found = walked(&tar);
        for (place, member) in walked(&whole).members.iter().enumerate() {
            if member.end <= first as u64 {
                prop_assert_eq!(&found.members[place], member);
            }
        }
    }

    #[test]
    fn arbitrary_blocks_are_walked_to_the_end(
        blocks in prop::collection::vec(
            prop_oneof![
                Just(vec![0u8; BLOCK]),
                prop::collection::vec(any::<u8>(), 0..600),
                ("[a-c.]{0,4}", any::<u8>(), prop_oneof![0u64..3000, any::<u32>().prop_map(u64::from)])
                    .prop_map(|(name, flag, size)| header(name.as_bytes(), flag, size, b"b.c", USTAR)),
            ],
            0..20,
        )
    ) {
        walked(&blocks.concat());
    }
}
