//! What each fuzz target does with its bytes, and what must hold whatever they are.
//!
//! `tests/e2e/fuzz_corpus.rs` runs the committed corpus through the same functions in every `cargo xtask test`.

use std::{
    cell::RefCell,
    fs::File,
    io::{Seek, Write},
    path::PathBuf,
};

use clipa_prep::{
    archive::{MemberKind, TarEnd, TarIndex, sidecar::Sidecar},
    image::{DecodeLimits, RenderOptions, RenderPlan, Scratch, decode, render, unpad},
    ingest::account::members_of,
};

/// Largest image that a fuzzer may have decoded: keeps a run fast, and finds missing checks as well as a large one.
const LIMITS: DecodeLimits = DecodeLimits {
    max_bytes: 1 << 20,
    max_pixels: 1 << 20,
    max_side_px: 1 << 14,
    largest_side_px: Some(64),
};

/// A tar: every byte is in a member, in the padding behind it, in the damage, or behind the end; every sample's members
/// can be read or are named as cut.
pub fn walk(bytes: &[u8]) {
    let Ok(index) = in_a_file(bytes, TarIndex::read) else { return };
    let mut content = Vec::new();
    let mut named = vec![0u32; index.members.len()];
    for member in index.samples.iter().flat_map(|sample| sample.members()) {
        named[member as usize] += 1;
        let about = index.member(member);
        match index.read_member(member, index.tar_bytes, &mut content) {
            Ok(()) => assert_eq!(content.len() as u64, about.size),
            Err(_) => assert!(about.cut || about.size > index.tar_bytes, "{about:?}"),
        }
    }
    for loose in &index.loose {
        named[loose.member as usize] += 1;
    }
    assert!(named.iter().all(|&times| times == 1), "members in samples or loose: {named:?}");
    let members = members_of(&index);
    assert_eq!(members.walked, index.members.len() as u64);
    assert!(members.is_balanced(), "{members:?}");
    for damage in &index.damage {
        assert!(damage.offset + damage.bytes <= index.tar_bytes, "{damage:?}");
    }
    if let TarEnd::Truncated { offset } | TarEnd::Garbage { offset } = index.end {
        assert!(offset <= index.tar_bytes);
    }
    let files = index.members.iter().filter(|member| matches!(member.kind, MemberKind::File));
    for member in files.filter(|member| !member.cut) {
        assert!(member.data_offset + member.size <= index.tar_bytes, "{member:?}");
    }
}

/// A `.json` sidecar.
pub fn sidecar(bytes: &[u8]) {
    if let Ok(sidecar) = Sidecar::parse(bytes) {
        let found = sidecar.metadata;
        let numbers = [found.similarity, found.punsafe, found.pwatermark];
        assert!(numbers.iter().flatten().all(|number| number.is_finite()));
    }
}

/// An Exif block, in a JPEG that is otherwise fine; it may say how the image lies, and nothing it says may lose it.
pub fn exif(bytes: &[u8]) {
    let block = &bytes[..bytes.len().min(60_000)];
    let mut jpeg = vec![0xff, 0xd8, 0xff, 0xe1];
    jpeg.extend_from_slice(&(block.len() as u16 + 8).to_be_bytes());
    jpeg.extend_from_slice(b"Exif\0\0");
    jpeg.extend_from_slice(block);
    jpeg.extend_from_slice(&PLAIN_JPEG[2..]);
    let decoded = decode(&jpeg, &LIMITS, None).expect("the image itself is whole");
    assert_eq!(decoded.rgb.len(), 16 * 8 * 3);
}

/// An image file of any format, all the way to the stored columns.
pub fn image(bytes: &[u8]) {
    let Ok(mut decoded) = decode(bytes, &LIMITS, None) else { return };
    assert_eq!(decoded.rgb.len() as u64, u64::from(decoded.width) * u64::from(decoded.height) * 3);
    unpad(&mut decoded, (640, 480));
    let columns =
        ["32:rgb8-square", "24:rgb8", "48:jpeg"].map(|column| column.parse().expect("a column"));
    let plan = RenderPlan::new(&columns, RenderOptions::default()).expect("a plan");
    let stored = render(&decoded, bytes, &plan, &mut Scratch::new())
        .expect("what is decoded can be rendered");
    assert_eq!(stored.len(), columns.len());
    assert_eq!(stored[0].bytes.len(), 32 * 32 * 3);
}

/// Calls `read` with the path of a file that holds `bytes`.
fn in_a_file<T>(bytes: &[u8], read: impl FnOnce(&std::path::Path) -> T) -> T {
    thread_local! {
        static FILE: RefCell<Option<(PathBuf, File)>> = const { RefCell::new(None) };
    }
    FILE.with_borrow_mut(|slot| {
        let (path, file) = slot.get_or_insert_with(|| {
            let name =
                format!("clipa-fuzz-{}-{:?}", std::process::id(), std::thread::current().id());
            let path = std::env::temp_dir().join(name);
            let file = File::create(&path).expect("a temporary file");
            (path, file)
        });
        file.set_len(0).expect("an empty file");
        file.rewind().expect("a file has a start");
        file.write_all(bytes).expect("room for a file");
        read(path)
    })
}

/// A grey JPEG of 16 by 8 pixels.
const PLAIN_JPEG: &[u8] = include_bytes!("../corpus/image/grey-16x8.jpg");
