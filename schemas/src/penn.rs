//! Penn Treebank part-of-speech tags as one byte each.
//!
//! The numbers are part of the file format: a tag keeps its number for ever, a new one goes to the end.

use std::fmt;

/// A Penn Treebank tag, as stored in the `pos` column: an index into [`PennTag::NAMES`].
///
/// ```
/// use clipa_schemas::penn::{PennTag, WordClass};
/// let tag = PennTag::from_name("NNS").unwrap();
/// assert_eq!(tag.name(), "NNS");
/// assert_eq!(tag.class(), WordClass::Noun);
/// assert_eq!(PennTag::from_byte(200), PennTag::UNKNOWN);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PennTag(u8);

/// What the syntax mask distinguishes, in its order of preference (`facts` of CLIPA: nouns,
/// adjectives, verbs, everything else).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WordClass {
    /// Tags that start with `NN`.
    Noun = 1,
    /// Tags that start with `JJ`.
    Adjective = 2,
    /// Tags that start with `VB`.
    Verb = 3,
    /// Every other tag, the unknown one included.
    Other = 4,
}

impl PennTag {
    /// Names by number. Entry 0 is "no tag known"; 1..=45 are the tags that NLTK's tagger speaks.
    #[rustfmt::skip]
    pub const NAMES: [&'static str; 46] = [
        "", "#", "$", "''", "(", ")", ",", ".", ":", "CC", "CD", "DT", "EX", "FW", "IN", "JJ",
        "JJR", "JJS", "LS", "MD", "NN", "NNP", "NNPS", "NNS", "PDT", "POS", "PRP", "PRP$", "RB",
        "RBR", "RBS", "RP", "SYM", "TO", "UH", "VB", "VBD", "VBG", "VBN", "VBP", "VBZ", "WDT",
        "WP", "WP$", "WRB", "``",
    ];

    /// The tag of a word about which nothing is known.
    pub const UNKNOWN: PennTag = PennTag(0);

    /// The tag of this name; `None` where Penn has no such tag.
    pub fn from_name(name: &str) -> Option<PennTag> {
        let number = Self::NAMES.iter().skip(1).position(|&known| known == name)? + 1;
        Some(PennTag(number as u8))
    }

    /// The tag of a stored byte; a byte that this version does not know is [`PennTag::UNKNOWN`].
    pub fn from_byte(byte: u8) -> PennTag {
        if usize::from(byte) < Self::NAMES.len() { PennTag(byte) } else { Self::UNKNOWN }
    }

    /// The stored byte.
    pub fn byte(self) -> u8 {
        self.0
    }

    /// The tag's name, `""` for the unknown one.
    pub fn name(self) -> &'static str {
        Self::NAMES[usize::from(self.0)]
    }

    /// The class that the syntax mask sorts by.
    pub fn class(self) -> WordClass {
        match self.name().as_bytes() {
            [b'N', b'N', ..] => WordClass::Noun,
            [b'J', b'J', ..] => WordClass::Adjective,
            [b'V', b'B', ..] => WordClass::Verb,
            _ => WordClass::Other,
        }
    }
}

impl fmt::Debug for PennTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PennTag({})", if self.0 == 0 { "unknown" } else { self.name() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_a_tag_and_every_name_its_own_byte() {
        for byte in 0..=u8::MAX {
            let tag = PennTag::from_byte(byte);
            if tag != PennTag::UNKNOWN {
                assert_eq!(PennTag::from_name(tag.name()), Some(tag));
                assert_eq!(tag.byte(), byte);
            }
        }
        assert_eq!(PennTag::from_name(""), None);
        assert_eq!(PennTag::from_name("NOUN"), None);
    }

    #[test]
    fn classes_follow_the_prefixes_of_the_original() {
        let class = |name| PennTag::from_name(name).unwrap().class();
        assert_eq!(class("NNPS"), WordClass::Noun);
        assert_eq!(class("JJS"), WordClass::Adjective);
        assert_eq!(class("VBZ"), WordClass::Verb);
        for name in ["RB", "MD", "CD", ".", "``"] {
            assert_eq!(class(name), WordClass::Other, "{name}");
        }
    }
}
