//! Members grouped into samples by key, as WebDataset names them.
//!
//! `train/000010005.seg.jpg` has the key `train/000010005` and the suffix `seg.jpg`: the key ends at the first
//! dot of the base name, or at the last one where [`super::cut`] says so. Grouping is by the exact key over the whole
//! tar, not only among neighbours: a tar whose members are interleaved yields the same samples as a sorted one.
//!
//! Where a sample has no plain `KEY.jpg`, the image is found by its last suffix (`KEY.input.jpg`); so are the texts.

use std::collections::{HashMap, HashSet};

use super::{
    cut::keys_cut_at_last,
    names::{Named, Role, base, readable},
    walk::{Member, MemberKind},
};

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
    /// Path up to the first dot of the base name (the last one, see [`SampleEntry::is_cut_at_last`]), a leading `./`
    /// stripped; bytes that are not UTF-8 as `\xNN`.
    pub key: String,
    /// Does the key end at the last dot, because several samples would have one key otherwise?
    pub is_cut_at_last: bool,
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
    /// Members with other suffixes, and further images: they are not read.
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
    /// The base name has no dot, or nothing behind it.
    NoKey,
    /// WebDataset's own `__name__` files.
    Meta,
    /// What macOS keeps beside a file that it copies: `._name`, and all in `__MACOSX`.
    AppleDouble,
    /// The base name begins with a dot, such as `.DS_Store`.
    Hidden,
    /// No member of its key is an image, a caption, a sidecar or a class.
    Suffix,
    /// A link whose target is not a member.
    Link,
    /// A sparse file.
    Sparse,
    /// A device, pipe or unknown type.
    Special,
    /// Its path is longer than [`super::MAX_NAME_BYTES`].
    LongName,
}

impl LooseReason {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            LooseReason::Directory => "directory",
            LooseReason::NoKey => "no_key",
            LooseReason::Meta => "meta",
            LooseReason::AppleDouble => "apple_double",
            LooseReason::Hidden => "hidden",
            LooseReason::Suffix => "suffix",
            LooseReason::Link => "link",
            LooseReason::Sparse => "sparse",
            LooseReason::Special => "special",
            LooseReason::LongName => "long_name",
        }
    }

    /// May a part of a sample have been lost with it?
    pub fn is_a_problem(self) -> bool {
        matches!(
            self,
            LooseReason::Link | LooseReason::Sparse | LooseReason::Special | LooseReason::LongName
        )
    }
}

/// Groups the members; samples are in the order of their first member, loose members in that of the tar.
pub(super) fn group(members: &[Member]) -> (Vec<SampleEntry>, Vec<Loose>) {
    let cut_at_last = keys_cut_at_last(members.iter().filter_map(|member| place(member).ok()));
    let mut samples: Vec<SampleEntry> = Vec::new();
    let mut loose = Vec::new();
    // The latest sample of each key, and which suffixes each sample has.
    let mut latest: HashMap<&[u8], usize> = HashMap::new();
    let mut suffixes: HashSet<(usize, String)> = HashSet::new();
    for (id, member) in members.iter().enumerate() {
        let id = id as MemberId;
        let named = match place(member) {
            Ok(named) => named,
            Err(reason) => {
                loose.push(Loose { member: id, reason });
                continue;
            }
        };
        let is_cut_at_last = cut_at_last.contains(named.first_key());
        let key = if is_cut_at_last { named.last_key() } else { named.first_key() };
        let suffix = named.suffix(is_cut_at_last);
        let next = samples.len();
        let sample = latest.entry(key).or_insert(next);
        let is_repeated = *sample != next && suffixes.contains(&(*sample, suffix.clone()));
        if *sample == next || is_repeated {
            let ordinal = if is_repeated { samples[*sample].ordinal + 1 } else { 0 };
            let key = readable(key);
            samples.push(SampleEntry { key, is_cut_at_last, ordinal, ..SampleEntry::default() });
            *sample = next;
        }
        samples[*sample].take(id, &suffix, member.cut);
        suffixes.insert((*sample, suffix));
    }
    for sample in &mut samples {
        sample.adopt(members);
    }
    let (samples, others) = samples.into_iter().partition(|sample| sample.is_one());
    let stray = |sample: SampleEntry| sample.other.into_iter();
    let reason = LooseReason::Suffix;
    loose.extend(Vec::into_iter(others).flat_map(stray).map(|member| Loose { member, reason }));
    loose.sort_by_key(|loose| loose.member);
    (samples, loose)
}

/// The name of a member that can be read.
fn place(member: &Member) -> Result<Named<'_>, LooseReason> {
    match &member.kind {
        MemberKind::Directory => return Err(LooseReason::Directory),
        MemberKind::LongName => return Err(LooseReason::LongName),
        _ => {}
    }
    let base = base(&member.name);
    if base.starts_with(b"._")
        || member.name.split(|&byte| byte == b'/').any(|part| part == b"__MACOSX")
    {
        return Err(LooseReason::AppleDouble);
    }
    match &member.kind {
        MemberKind::HardLink { .. } | MemberKind::SymLink => return Err(LooseReason::Link),
        MemberKind::Sparse => return Err(LooseReason::Sparse),
        MemberKind::Other(_) => return Err(LooseReason::Special),
        _ => {}
    }
    if base.starts_with(b".") {
        return Err(LooseReason::Hidden);
    }
    if base.len() > 4 && base.starts_with(b"__") && base.ends_with(b"__") {
        return Err(LooseReason::Meta);
    }
    Named::of(&member.name).ok_or(LooseReason::NoKey)
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
        self.cut |= cut;
        if let Some(found) = caption_member(id, suffix) {
            self.captions.push(found);
            return;
        }
        match Role::of(suffix) {
            // Two images of different formats: the first one counts.
            Some(role) if self.slot(role).is_none() => *self.slot(role) = Some(id),
            _ => self.other.push(id),
        }
    }

    fn slot(&mut self, role: Role) -> &mut Option<MemberId> {
        match role {
            Role::Image => &mut self.image,
            Role::Caption => &mut self.caption,
            Role::Sidecar => &mut self.sidecar,
            Role::Class => &mut self.class,
        }
    }

    /// Has it anything that a sample is made of?
    fn is_one(&self) -> bool {
        self.members().count() > self.other.len()
    }

    /// Finds by its last suffix what is not there by its whole suffix: the image where there is one, or where the text
    /// is that of the whole key; of texts that which is named like the image, or the only one.
    fn adopt(&mut self, members: &[Member]) {
        let has_text =
            self.caption.is_some() || self.sidecar.is_some() || !self.captions.is_empty();
        if self.other.is_empty() || self.is_cut_at_last || (self.image.is_some() && has_text) {
            return;
        }
        let stem_of = |id: MemberId| {
            Named::of(&members[id as usize].name).map(|named| named.stem()).unwrap_or_default()
        };
        let of_role = |others: &[MemberId], role: Role| -> Vec<MemberId> {
            let is_it = |id: &&MemberId| {
                let named = Named::of(&members[**id as usize].name);
                named.is_some_and(|named| !named.is_plain() && named.role() == Some(role))
            };
            others.iter().filter(is_it).copied().collect()
        };
        let mut roles = vec![Role::Caption];
        if self.image.is_none() {
            let found = of_role(&self.other, Role::Image);
            let Some(&first) = found.first() else { return };
            if found.len() > 1 && !has_text && self.class.is_none() {
                return;
            }
            self.adopt_one(Role::Image, first);
            roles.extend([Role::Sidecar, Role::Class]);
        }
        let stem = self.image.map(stem_of).unwrap_or_default();
        for role in roles {
            let is_there = match role {
                Role::Caption => has_text,
                role => self.slot(role).is_some(),
            };
            let found = of_role(&self.other, role);
            let own = found.iter().find(|&&id| stem_of(id) == stem);
            let only = if found.len() == 1 { found.first() } else { None };
            if let (false, Some(&id)) = (is_there, own.or(only)) {
                self.adopt_one(role, id);
            }
        }
    }

    fn adopt_one(&mut self, role: Role, id: MemberId) {
        self.other.retain(|&other| other != id);
        *self.slot(role) = Some(id);
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
        members.extend(["._a.jpg", "__MACOSX/a.jpg", "LICENSE.md", "b.npy", "b."].map(file));
        let (samples, loose) = group(&members);
        assert!(samples.is_empty());
        let reasons: Vec<_> = loose.iter().map(|loose| loose.reason.name()).collect();
        let apple = "apple_double";
        let expected =
            ["no_key", "meta", "hidden", "link", apple, apple, "suffix", "suffix", "no_key"];
        assert_eq!(reasons, expected);
    }

    #[test]
    fn keys_with_dots_are_cut_where_each_image_keeps_its_caption() {
        let (samples, loose) = group_names(&[
            "d/shot.1.a.jpg",
            "d/shot.1.a.txt",
            "d/shot.2.a.txt",
            "d/shot.2.a.jpg",
            "plain.jpg",
            "plain.txt",
        ]);
        let found: Vec<_> = samples
            .iter()
            .map(|sample| {
                (sample.key.as_str(), sample.image, sample.caption, sample.is_cut_at_last)
            })
            .collect();
        let expected = [
            ("d/shot.1.a", Some(0), Some(1), true),
            ("d/shot.2.a", Some(3), Some(2), true),
            ("plain", Some(4), Some(5), false),
        ];
        assert_eq!((found, loose.len()), (expected.to_vec(), 0));
    }

    #[test]
    fn members_of_compound_suffixes_are_found_by_the_last_one() {
        let (samples, _) = group_names(&["a.meta.json", "a.outputs.txt", "a.input.JPG", "a.x.npy"]);
        let [a] = &samples[..] else { panic!("one sample") };
        assert_eq!(
            (a.image, a.caption, a.sidecar, &a.other[..]),
            (Some(2), Some(1), Some(0), &[3][..])
        );
        let (samples, _) = group_names(&["a.note.txt", "a.1.jpg", "a.1.txt"]);
        assert_eq!(
            (samples[0].image, samples[0].caption),
            (Some(1), Some(2)),
            "the image's own text"
        );
        let (samples, _) = group_names(&["a.1.jpg", "a.2.jpg", "a.txt"]);
        assert_eq!(
            (samples[0].image, samples[0].caption, &samples[0].other[..]),
            (Some(0), Some(2), &[1][..])
        );
        // which of two texts is the caption cannot be told
        let (samples, _) = group_names(&["a.jpg", "a.en.txt", "a.fr.txt"]);
        assert_eq!((samples[0].caption, &samples[0].other[..]), (None, &[1, 2][..]));
        // what is there by its whole suffix is never replaced
        let (samples, _) = group_names(&["a.seg.png", "a.jpg", "a.seg.json", "a.txt"]);
        assert_eq!(
            (samples[0].image, samples[0].sidecar, samples[0].caption),
            (Some(1), None, Some(3))
        );
    }

    #[test]
    fn members_of_one_key_are_as_many_as_the_tar_has() {
        let names: Vec<String> = (0..200_000).map(|suffix| format!("a.{suffix}")).collect();
        let members: Vec<Member> =
            names.iter().map(|name| file(name)).chain([file("a.jpg")]).collect();
        let (samples, loose) = group(&members);
        assert_eq!((samples.len(), samples[0].other.len(), loose.len()), (1, 200_000, 0));
    }
}
