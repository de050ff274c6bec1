//! Zeros, cuts, broken headers, absurd sizes, and any of them at random.

use super::super::{Damage, DamageKind, MAX_EXTENSION_BYTES, MAX_NAME_BYTES, MemberKind};
use super::*;

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
    let long = vec![b'x'; MAX_EXTENSION_BYTES as usize + 1];
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

proptest! {
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

/// A global path of a megabyte, said once, was copied for each member.
#[test]
fn paths_are_capped_however_they_are_said() {
    let long = [vec![b'n'; 900_000], b".jpg".to_vec()].concat();
    let globals = pax(b'g', &[("path", &long)]);
    let members: Vec<u8> = (0..2000).flat_map(|_| file("x.jpg", b"")).collect();
    let found = walked(&[globals, members, mark()].concat());
    assert_eq!(found.members.len(), 2000);
    let bytes: usize = found.members.iter().map(|member| member.name.capacity()).sum();
    assert!(bytes <= 2000 * 2 * MAX_NAME_BYTES, "{bytes} bytes of names");
    let gnu =
        [entry("././@LongLink", b'L', &long), file("short", b"1"), file("b.jpg", b"2"), mark()];
    let index = index_of(&gnu.concat()).unwrap();
    assert_eq!((index.members[0].kind.clone(), index.samples.len()), (MemberKind::LongName, 1));
    assert_eq!(index.loose[0].reason.name(), "long_name");
    let fits = [vec![b'n'; MAX_NAME_BYTES - 4], b".jpg".to_vec()].concat();
    let index =
        index_of(&[pax(b'x', &[("path", &fits)]), file("s", b"1"), mark()].concat()).unwrap();
    assert_eq!((index.samples.len(), index.loose.len()), (1, 0));
}
