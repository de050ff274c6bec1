//! Which names are cut at their last dot.
//!
//! WebDataset cuts every name at the first dot of its base name. Where `shot.1.jpg`, `shot.1.txt`, `shot.2.jpg` and
//! `shot.2.txt` are four members, that is one sample with two images, of which one, or both, would be lost. The rule,
//! for each key at the first dot:
//!
//! - a *stem* is what stands between the first and the last dot; it is *whole* where it has an image and a caption of
//!   its own (`.txt`; where no member is `KEY.jpg`, `.json` and `.cls` count too);
//! - two whole stems, or one and further images without text, are samples of their own: cut at the last dot;
//! - several images of which none has text are cut at the last dot too, unless the text is the key's own (`KEY.txt`):
//!   each is then rejected by itself, and none is paired with another's words;
//! - where keys of a tar are cut at the last dot, so are those with one whole stem and no `KEY.jpg`;
//! - all others stay as WebDataset cuts them.
//!
//! The cut is a function of the names in the tar, not of their order.

use std::collections::{HashMap, HashSet};

use super::names::{Named, Role};

/// Which members a stem has.
#[derive(Clone, Copy, Default)]
struct Stem {
    has_image: bool,
    has_caption: bool,
    has_text: bool,
}

/// What the stems of one key have together.
#[derive(Clone, Copy, Default)]
struct Key {
    has_plain_image: bool,
    has_plain_text: bool,
    images: usize,
    /// Stems with an image and a `.txt`.
    captioned: usize,
    /// Stems with an image and a `.txt`, `.json` or `.cls`.
    whole: usize,
}

/// The keys (at the first dot) whose members are cut at the last dot.
pub(super) fn keys_cut_at_last<'m>(
    names: impl Iterator<Item = Named<'m>> + Clone,
) -> HashSet<&'m [u8]> {
    let is_dotted_image =
        |named: &Named<'_>| !named.is_plain() && named.role() == Some(Role::Image);
    let dotted: HashSet<&[u8]> =
        names.clone().filter(is_dotted_image).map(|named| named.first_key()).collect();
    if dotted.is_empty() {
        return dotted;
    }
    let keys = keys(names.filter(|named| dotted.contains(named.first_key())));
    let mut cut: HashSet<&[u8]> =
        keys.iter().filter(|(_, key)| key.is_several()).map(|(&name, _)| name).collect();
    if !cut.is_empty() {
        let alike = keys.iter().filter(|(_, key)| key.whole == 1 && !key.has_plain_image);
        cut.extend(alike.map(|(&name, _)| name));
    }
    cut
}

fn keys<'m>(names: impl Iterator<Item = Named<'m>>) -> HashMap<&'m [u8], Key> {
    let mut stems: HashMap<(&[u8], &[u8]), Stem> = HashMap::new();
    for named in names {
        let stem = stems.entry((named.first_key(), named.stem())).or_default();
        match named.role() {
            Some(Role::Image) => stem.has_image = true,
            Some(Role::Caption) => (stem.has_caption, stem.has_text) = (true, true),
            Some(Role::Sidecar | Role::Class) => stem.has_text = true,
            None => {}
        }
    }
    let mut keys: HashMap<&[u8], Key> = HashMap::new();
    for ((name, stem_name), stem) in stems {
        let key = keys.entry(name).or_default();
        if stem_name.is_empty() {
            key.has_plain_image |= stem.has_image;
            key.has_plain_text |= stem.has_text;
        }
        key.images += usize::from(stem.has_image);
        key.captioned += usize::from(stem.has_image && stem.has_caption);
        key.whole += usize::from(stem.has_image && stem.has_text);
    }
    keys
}

impl Key {
    /// Are its stems samples of their own?
    fn is_several(&self) -> bool {
        if self.has_plain_image {
            return self.captioned >= 2;
        }
        match self.whole {
            0 => self.images >= 2 && !self.has_plain_text,
            1 => self.images >= 2,
            _ => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(names: &[&'static str]) -> Vec<String> {
        let named = names.iter().filter_map(|name| Named::of(name.as_bytes()));
        let mut keys: Vec<String> = keys_cut_at_last(named)
            .into_iter()
            .map(|key| String::from_utf8_lossy(key).into_owned())
            .collect();
        keys.sort();
        keys
    }

    #[test]
    fn several_whole_stems_are_samples_of_their_own() {
        assert_eq!(cut(&["v1.8.jpg", "v1.8.txt", "v1.9.jpg", "v1.9.txt"]), ["v1"]);
        assert_eq!(cut(&["v1.9.json", "v1.8.jpg", "v1.9.png", "v1.8.cls"]), ["v1"]);
        assert_eq!(cut(&["a.jpg", "a.txt", "a.2.jpg", "a.2.txt"]), ["a"], "each has its caption");
    }

    #[test]
    fn what_webdataset_calls_fields_stays_together() {
        for names in [
            &["a.jpg", "a.txt", "a.seg.png"][..],
            &["a.jpg", "a.json", "a.seg.png", "a.seg.json"],
            &["a.input.jpg", "a.outputs.txt"],
            &["a.0.jpg", "a.0.txt"],
            &["a.0.jpg", "a.1.jpg", "a.txt"],
            &["a.tar.gz", "a.min.js"],
        ] {
            assert_eq!(cut(names), Vec::<String>::new(), "{names:?}");
        }
    }

    #[test]
    fn images_without_text_are_never_paired_with_another_ones() {
        assert_eq!(cut(&["dog.1.jpg", "dog.2.jpg", "dog.3.txt"]), ["dog"]);
        assert_eq!(cut(&["dog.1.jpg", "dog.2.jpg", "dog.2.txt"]), ["dog"]);
    }

    #[test]
    fn keys_of_one_tar_are_cut_alike() {
        let names = ["v1.8.jpg", "v1.8.txt", "v1.9.jpg", "v1.9.txt", "v2.0.jpg", "v2.0.txt"];
        assert_eq!(cut(&names), ["v1", "v2"]);
        assert_eq!(cut(&names[4..]), Vec::<String>::new());
        let field = ["v1.8.jpg", "v1.8.txt", "v1.9.jpg", "v1.9.txt", "b.jpg", "b.txt", "b.seg.png"];
        assert_eq!(cut(&field), ["v1"]);
    }
}
