//! Tars, and what lies in them or beside them.

use clipa_prep::{
    archive::{
        MemberKind, TarEnd, TarIndex,
        sidecar::{Fate, MetadataTable, Sidecar},
    },
    ingest::account::members_of,
};

use crate::in_a_file;

/// A tar: every byte is in a member, in the padding behind it, in the damage, or behind the end; every sample's members
/// can be read or are named as cut.
pub fn walk(bytes: &[u8]) {
    let Ok(index) = in_a_file("walk.tar", bytes, TarIndex::read) else { return };
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
        holds_numbers(&sidecar);
    }
}

/// A Parquet table beside a tar: every key leads to a row, every row can be read.
pub fn table(bytes: &[u8]) {
    let Ok(table) = in_a_file("table.parquet", bytes, MetadataTable::read) else { return };
    for (key, row) in table.keys() {
        assert!(row < table.rows(), "the row of {key:?}");
        assert!(table.row_of(key).is_some_and(|found| found < table.rows()), "{key:?}");
    }
    for row in 0..table.rows().min(ROWS) {
        if let Fate::NotDownloaded { status, .. } = table.fate(row) {
            assert_ne!(status, "success");
        }
        holds_numbers(&table.sidecar(row));
    }
}

/// Rows of a table that are looked at: one page can hold millions of nothing.
const ROWS: usize = 1000;

fn holds_numbers(sidecar: &Sidecar) {
    let found = &sidecar.metadata;
    let numbers = [found.similarity, found.punsafe, found.pwatermark];
    assert!(numbers.iter().flatten().all(|number| number.is_finite()));
}
