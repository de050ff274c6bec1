//! Names of members: where the key ends, and what the suffix says.

/// Suffixes of image members. The bytes decide the format; the suffix only finds the member.
pub const IMAGE_SUFFIXES: [&str; 12] =
    ["jpg", "jpeg", "jpe", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "image"];

/// What a member is to its sample, as its suffix says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The image.
    Image,
    /// `.txt`
    Caption,
    /// `.json`
    Sidecar,
    /// `.cls`
    Class,
}

impl Role {
    /// The role of a suffix in lower case, without its dot.
    pub(super) fn of(suffix: &str) -> Option<Role> {
        match suffix {
            "txt" => Some(Role::Caption),
            "json" => Some(Role::Sidecar),
            "cls" => Some(Role::Class),
            _ => IMAGE_SUFFIXES.contains(&suffix).then_some(Role::Image),
        }
    }
}

/// A name whose base has a dot, with something before the first one and something behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named<'m> {
    /// The path, without leading `./`.
    name: &'m [u8],
    /// Places of the first and of the last dot in the base name.
    first: usize,
    last: usize,
}

impl<'m> Named<'m> {
    /// `None` where WebDataset sees no key.
    pub(super) fn of(name: &'m [u8]) -> Option<Named<'m>> {
        let mut name = name;
        while let Some(rest) = name.strip_prefix(b"./") {
            name = rest;
        }
        let base_at = base_at(name);
        let base = &name[base_at..];
        let first = base_at + base.iter().position(|&byte| byte == b'.')?;
        let last = base_at + base.iter().rposition(|&byte| byte == b'.')?;
        (first > base_at && first + 1 < name.len()).then_some(Named { name, first, last })
    }

    /// The key where the name is cut at its first dot, as WebDataset does.
    pub(super) fn first_key(&self) -> &'m [u8] {
        &self.name[..self.first]
    }

    /// The key where the name is cut at its last dot.
    pub(super) fn last_key(&self) -> &'m [u8] {
        &self.name[..self.last]
    }

    /// What stands between the first and the last dot; empty where there is only one.
    pub(super) fn stem(&self) -> &'m [u8] {
        self.name.get(self.first + 1..self.last).unwrap_or_default()
    }

    /// Is there only one dot?
    pub(super) fn is_plain(&self) -> bool {
        self.first == self.last
    }

    /// All behind the first dot, or behind the last one, in lower case.
    pub(super) fn suffix(&self, is_cut_at_last: bool) -> String {
        let dot = if is_cut_at_last { self.last } else { self.first };
        String::from_utf8_lossy(&self.name[dot + 1..]).to_ascii_lowercase()
    }

    /// What the last suffix says.
    pub(super) fn role(&self) -> Option<Role> {
        Role::of(&self.suffix(true))
    }
}

/// Longest suffix that is shown, in characters.
const SHOWN_SUFFIX_CHARS: usize = 32;

/// The suffix of a member's path for a person, with its dot: all behind the first dot of the base name, or behind the last
/// one. Empty where there is none.
pub fn shown_suffix(name: &[u8], is_cut_at_last: bool) -> String {
    let Some(named) = Named::of(name) else { return String::new() };
    let suffix = named.suffix(is_cut_at_last);
    let plain = suffix.chars().map(|sign| if sign.is_control() { '\u{fffd}' } else { sign });
    std::iter::once('.').chain(plain.take(SHOWN_SUFFIX_CHARS)).collect()
}

/// Does the last suffix of a member's path say that it is an image?
pub fn is_named_as_image(name: &[u8]) -> bool {
    Named::of(name).is_some_and(|named| named.role() == Some(Role::Image))
}

/// The base name of a path.
pub(super) fn base(name: &[u8]) -> &[u8] {
    &name[base_at(name)..]
}

fn base_at(name: &[u8]) -> usize {
    name.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_ends_at_the_first_dot_of_the_base_name() {
        let split = |name: &'static str| {
            let named = Named::of(name.as_bytes())?;
            Some((readable(named.first_key()), named.suffix(false)))
        };
        let some = |key: &str, suffix: &str| Some((key.to_owned(), suffix.to_owned()));
        assert_eq!(split("000010005.jpg"), some("000010005", "jpg"));
        assert_eq!(split("././a.b/c.Seg.JPG"), some("a.b/c", "seg.jpg"));
        for name in ["README", ".hidden", "dir.d/.hidden.jpg", "a.", "dir.d/plain", ""] {
            assert_eq!(split(name), None, "{name}");
        }
    }

    #[test]
    fn the_last_dot_cuts_later() {
        let named = Named::of(b"d.d/shot.2023.cam.JPG").unwrap();
        assert_eq!((named.last_key(), named.stem()), (&b"d.d/shot.2023.cam"[..], &b"2023.cam"[..]));
        assert_eq!((named.suffix(true).as_str(), named.role()), ("jpg", Some(Role::Image)));
        let plain = Named::of(b"a.txt").unwrap();
        assert!(plain.is_plain() && plain.stem().is_empty());
        assert_eq!((plain.last_key(), plain.role()), (plain.first_key(), Some(Role::Caption)));
        let nothing_behind = Named::of(b"a.b.").unwrap();
        assert_eq!((nothing_behind.stem(), nothing_behind.role()), (&b"b"[..], None));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_escaped() {
        assert_eq!(readable(b"a\xff/\xc3\xa9"), "a\\xff/\u{e9}");
    }
}
