//! Members grouped into samples by key, as WebDataset names them.
//!
//! `train/000010005.seg.jpg` has the key `train/000010005` and the suffix `seg.jpg`: the key ends at the first
//! dot of the base name. Grouping is by the exact key over the whole tar, not only among neighbours: a tar whose
//! members are interleaved yields the same samples as a sorted one.

use std::collections::HashMap;

use super::walk::{Member, MemberKind};

/// Suffixes of image members. The bytes decide the format; the suffix only finds the member.
pub const IMAGE_SUFFIXES: [&str; 12] =
    ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "image"];

/// Suffixes, besides `.txt`, of members that hold captions, one a line: kohya-ss, WebDataset's decoders (`.text`,
/// `.transcript`), people's own.
const CAPTION_SUFFIXES: [&str; 7] =
    ["caption", "captions", "text", "cap", "transcript", "caption.txt", "captions.txt"];

/// Suffixes of members that hold a list of captions as JSON.
const CAPTION_JSON_SUFFIXES: [&str; 2] = ["captions.json", "caption.json"];

/// A member with captions that is no `.txt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaptionMember {
    /// Which.
    pub member: MemberId,
    /// Its suffix.
    pub suffix: &'static str,
    /// Is it JSON, and not text?
    pub is_json: bool,
}

/// Index of a member in [`super::TarIndex::members`].
pub type MemberId = u32;

/// The members that share a key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SampleEntry {
    /// Path up to the first dot of the base name, a leading `./` stripped; bytes that are not UTF-8 as `\xNN`.
    pub key: String,
    /// 0 for the first sample of this key; a suffix that comes again starts the next one.
    pub ordinal: u32,
    /// The first image member.
    pub image: Option<MemberId>,
    /// `.txt`
    pub caption: Option<MemberId>,
    /// Members with captions under other suffixes.
    pub captions: Vec<CaptionMember>,
    /// `.json`
    pub sidecar: Option<MemberId>,
    /// `.cls`
    pub class: Option<MemberId>,
    /// Members with other suffixes, and further images.
    pub other: Vec<MemberId>,
    /// The file ends within one of its members, or behind it while the sample has less than its neighbour: the rest
    /// of it was cut off.
    pub cut: bool,
}

/// A member that belongs to no sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loose {
    /// Which.
    pub member: MemberId,
    /// Why.
    pub reason: LooseReason,
}

/// Why a member belongs to no sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LooseReason {
    /// A folder.
    Directory,
    /// The base name has no dot, or nothing before or behind it.
    NoKey,
    /// WebDataset's own `__name__` files.
    Meta,
    /// A link whose target is not a member.
    Link,
    /// A sparse file.
    Sparse,
    /// A device, pipe or unknown type.
    Special,
}

impl LooseReason {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            LooseReason::Directory => "directory",
            LooseReason::NoKey => "no_key",
            LooseReason::Meta => "meta",
            LooseReason::Link => "link",
            LooseReason::Sparse => "sparse",
            LooseReason::Special => "special",
        }
    }
}

/// Key and lower-cased suffix of a path; `None` where WebDataset sees none.
pub(super) fn split_name(name: &[u8]) -> Option<(&[u8], String)> {
    let mut name = name;
    while let Some(rest) = name.strip_prefix(b"./") {
        name = rest;
    }
    let base_at = name.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    let dot = base_at + name[base_at..].iter().position(|&byte| byte == b'.')?;
    let suffix = &name[dot + 1..];
    if dot == base_at || suffix.is_empty() {
        return None;
    }
    Some((&name[..dot], String::from_utf8_lossy(suffix).to_ascii_lowercase()))
}

/// A path or key as text: UTF-8 as it is, other bytes as `\xNN`.
pub fn readable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Groups the members; samples are in the order of their first member.
pub(super) fn group(members: &[Member]) -> (Vec<SampleEntry>, Vec<Loose>) {
    let mut samples: Vec<SampleEntry> = Vec::new();
    let mut loose = Vec::new();
    // The latest sample of each key, with the suffixes that it has.
    let mut latest: HashMap<&[u8], (usize, Vec<String>)> = HashMap::new();
    for (id, member) in members.iter().enumerate() {
        let id = id as MemberId;
        let (key, suffix) = match place(member) {
            Ok(placed) => placed,
            Err(reason) => {
                loose.push(Loose { member: id, reason });
                continue;
            }
        };
        let next = samples.len();
        let (sample, suffixes) = latest.entry(key).or_insert_with(|| (next, Vec::new()));
        let is_repeated = suffixes.contains(&suffix);
        if *sample == next || is_repeated {
            let ordinal = if is_repeated { samples[*sample].ordinal + 1 } else { 0 };
            samples.push(SampleEntry { key: readable(key), ordinal, ..SampleEntry::default() });
            *sample = next;
            suffixes.clear();
        }
        samples[*sample].take(id, &suffix, member.cut);
        suffixes.push(suffix);
    }
    (samples, loose)
}

/// Key and suffix of a member that can be read.
fn place(member: &Member) -> Result<(&[u8], String), LooseReason> {
    match &member.kind {
        MemberKind::Directory => return Err(LooseReason::Directory),
        MemberKind::HardLink { .. } | MemberKind::SymLink => return Err(LooseReason::Link),
        MemberKind::Sparse => return Err(LooseReason::Sparse),
        MemberKind::Other(_) => return Err(LooseReason::Special),
        MemberKind::File => {}
    }
    let base = member.name.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    if base.len() > 4 && base.starts_with(b"__") && base.ends_with(b"__") {
        return Err(LooseReason::Meta);
    }
    split_name(&member.name).ok_or(LooseReason::NoKey)
}

fn caption_member(member: MemberId, suffix: &str) -> Option<CaptionMember> {
    let of = |suffixes: &[&'static str], is_json| {
        let suffix = suffixes.iter().find(|&&known| known == suffix)?;
        Some(CaptionMember { member, suffix, is_json })
    };
    of(&CAPTION_SUFFIXES, false).or_else(|| of(&CAPTION_JSON_SUFFIXES, true))
}

impl SampleEntry {
    fn take(&mut self, id: MemberId, suffix: &str, cut: bool) {
        if let Some(found) = caption_member(id, suffix) {
            self.captions.push(found);
            self.cut |= cut;
            return;
        }
        let slot = match suffix {
            "txt" => &mut self.caption,
            "json" => &mut self.sidecar,
            "cls" => &mut self.class,
            _ if IMAGE_SUFFIXES.contains(&suffix) => &mut self.image,
            _ => {
                self.other.push(id);
                self.cut |= cut;
                return;
            }
        };
        match slot {
            // Two images of different formats: the first one counts.
            Some(_) => self.other.push(id),
            None => *slot = Some(id),
        }
        self.cut |= cut;
    }

    /// True where `other` has a kind of member that this one has not.
    pub(super) fn lacks_what(&self, other: &SampleEntry) -> bool {
        let lacks =
            |mine: Option<MemberId>, theirs: Option<MemberId>| mine.is_none() && theirs.is_some();
        lacks(self.image, other.image)
            || lacks(self.caption, other.caption)
            || lacks(self.sidecar, other.sidecar)
            || lacks(self.class, other.class)
            || self.captions.len() < other.captions.len()
            || self.other.len() < other.other.len()
    }

    /// Every member of the sample, in no particular order.
    pub fn members(&self) -> impl Iterator<Item = MemberId> {
        [self.image, self.caption, self.sidecar, self.class]
            .into_iter()
            .flatten()
            .chain(self.captions.iter().map(|caption| caption.member))
            .chain(self.other.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Member {
        let name = name.as_bytes().to_vec();
        let kind = MemberKind::File;
        Member {
            name,
            kind,
            start: 0,
            header_offset: 0,
            data_offset: 0,
            size: 0,
            end: 0,
            cut: false,
        }
    }

    fn group_names(names: &[&str]) -> (Vec<SampleEntry>, Vec<Loose>) {
        group(&names.iter().map(|name| file(name)).collect::<Vec<_>>())
    }

    #[test]
    fn the_key_ends_at_the_first_dot_of_the_base_name() {
        let split = |name: &'static str| split_name(name.as_bytes());
        assert_eq!(split("000010005.jpg"), Some((&b"000010005"[..], "jpg".to_string())));
        assert_eq!(split("././a.b/c.Seg.JPG"), Some((&b"a.b/c"[..], "seg.jpg".to_string())));
        for name in ["README", ".hidden", "dir.d/.hidden.jpg", "a.", "dir.d/plain", ""] {
            assert_eq!(split(name), None, "{name}");
        }
    }

    #[test]
    fn interleaved_members_give_the_samples_of_a_sorted_tar() {
        let (samples, loose) =
            group_names(&["b.jpg", "a.jpg", "b.json", "./a.txt", "a.json", "b.txt", "x/a.jpg"]);
        assert!(loose.is_empty());
        let keys: Vec<_> = samples.iter().map(|sample| sample.key.as_str()).collect();
        assert_eq!(keys, ["b", "a", "x/a"]);
        let b = &samples[0];
        assert_eq!((b.image, b.sidecar, b.caption), (Some(0), Some(2), Some(5)));
        let a = &samples[1];
        assert_eq!((a.image, a.caption, a.sidecar), (Some(1), Some(3), Some(4)));
    }

    #[test]
    fn a_repeated_suffix_starts_the_next_sample_of_the_key() {
        let (samples, _) = group_names(&["a.jpg", "a.txt", "a.JPG", "a.txt", "a.txt"]);
        let found: Vec<_> =
            samples.iter().map(|sample| (sample.ordinal, sample.image, sample.caption)).collect();
        assert_eq!(found, [(0, Some(0), Some(1)), (1, Some(2), Some(3)), (2, None, Some(4))]);
    }

    #[test]
    fn a_second_image_format_is_kept_aside() {
        let (samples, _) = group_names(&["a.png", "a.jpg", "a.seg.png", "a.cls"]);
        assert_eq!(samples.len(), 1);
        assert_eq!((samples[0].image, samples[0].class), (Some(0), Some(3)));
        assert_eq!(samples[0].other, [1, 2]);
        assert_eq!(samples[0].members().count(), 4);
    }

    #[test]
    fn captions_under_other_suffixes_are_found() {
        let names = ["a.jpg", "a.caption", "a.CAP", "a.captions.json", "a.txt", "a.md", "b.jpg"];
        let (samples, _) = group_names(&names);
        let found: Vec<_> = samples[0]
            .captions
            .iter()
            .map(|caption| (caption.member, caption.suffix, caption.is_json))
            .collect();
        let expected = [(1, "caption", false), (2, "cap", false), (3, "captions.json", true)];
        assert_eq!((found, samples[0].caption), (expected.to_vec(), Some(4)));
        assert_eq!((&samples[0].other[..], samples[0].members().count()), (&[5][..], 6));
        assert!(samples[1].lacks_what(&samples[0]) && !samples[0].lacks_what(&samples[1]));
    }

    #[test]
    fn what_is_no_sample_is_listed_with_the_reason() {
        let mut members =
            vec![file("README"), file("__info__"), file("d/.DS_Store"), file("a.jpg")];
        members[3].kind = MemberKind::SymLink;
        let (samples, loose) = group(&members);
        assert!(samples.is_empty());
        let reasons: Vec<_> = loose.iter().map(|loose| loose.reason.name()).collect();
        assert_eq!(reasons, ["no_key", "meta", "no_key", "link"]);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_escaped() {
        assert_eq!(readable(b"a\xff/\xc3\xa9"), "a\\xff/\u{e9}");
    }
}
