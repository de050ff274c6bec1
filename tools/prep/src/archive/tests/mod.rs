//! The walk and the index on tars of every kind, whole and damaged. Here: how the tars are built, and the one promise
//! that every walk keeps.

mod damage;
mod dialects;
mod index;
mod peers;

use std::{collections::BTreeMap, io::Write};

use proptest::prelude::*;

use super::{
    ArchiveError, Member, TarEnd, TarIndex,
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

fn index_of(tar: &[u8]) -> Result<TarIndex, ArchiveError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(tar).unwrap();
    TarIndex::read(file.path())
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
