//! Sentences as captions write them: in other cases, with joined compounds and curly apostrophes, without a final period.
//!
//! A treebank of edited English teaches that nouns are in lower case and sentences end. Captions are piles of nouns in any
//! case, so most rounds see a sentence in another form; its tags stay.

use clipa_schemas::penn::{PennTag, WordClass};

use super::training::Sentence;

/// The generator "SplitMix64": a few integer operations, the same everywhere.
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Random { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.state ^ self.state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.next()) * end as u128) >> 64) as usize
    }

    /// True once in `n` times.
    pub(super) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// A form of the sentence, as it stands most of the time.
pub(super) fn vary(sentence: &Sentence, random: &mut Random) -> Sentence {
    let mut varied = sentence.clone();
    if random.one_in(2) {
        varied = join_compounds(&varied);
    }
    if random.one_in(6) {
        varied = curl_apostrophes(&varied);
    }
    if random.one_in(5) {
        drop_last_period(&mut varied);
    }
    match random.below(20) {
        0 | 1 => varied.words.iter_mut().for_each(|word| *word = word.to_lowercase()),
        2 | 3 => varied.words.iter_mut().for_each(|word| *word = title(word)),
        4 => varied.words.iter_mut().for_each(|word| *word = word.to_uppercase()),
        _ => {}
    }
    varied
}

fn title(word: &str) -> String {
    let mut characters = word.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

fn drop_last_period(sentence: &mut Sentence) {
    if sentence.words.len() > 1 && sentence.words.last().is_some_and(|word| word == ".") {
        sentence.words.pop();
        sentence.tags.pop();
    }
}

/// `well`, `-`, `known` becomes `well-known`, as the Treebank's word rules leave it. Before a noun such a compound is an
/// adjective (Penn's guidelines) unless it is a name; elsewhere it has the tag of its last part.
fn join_compounds(sentence: &Sentence) -> Sentence {
    let mut joined = Sentence::default();
    let words: Vec<(&str, PennTag)> = sentence.iter().collect();
    let mut at = 0;
    while at < words.len() {
        let (mut compound, mut tag) = (words[at].0.to_owned(), words[at].1);
        let first = at;
        while let [(hyphen, _), (next, next_tag), ..] = words[at + 1..]
            && hyphen == "-"
            && is_worded(words[at].0)
            && is_worded(next)
        {
            compound.push('-');
            compound.push_str(next);
            tag = next_tag;
            at += 2;
        }
        let noun_follows = words.get(at + 1).is_some_and(|(_, tag)| tag.class() == WordClass::Noun);
        let name = matches!(tag.name(), "NNP" | "NNPS" | "CD");
        if at > first && noun_follows && !name {
            tag = PennTag::from_name("JJ").unwrap_or(tag);
        }
        joined.push(compound, tag);
        at += 1;
    }
    joined
}

fn is_worded(word: &str) -> bool {
    word.chars().all(char::is_alphanumeric)
}

/// `'s` becomes `’` and `s`, `n't` becomes `n` on the word before, `’` and `t`: a curly apostrophe always is a word to the
/// Treebank's rules.
fn curl_apostrophes(sentence: &Sentence) -> Sentence {
    let mut curled = Sentence::default();
    let quote = PennTag::from_name("''").unwrap_or(PennTag::UNKNOWN);
    for (word, tag) in sentence.iter() {
        if word.eq_ignore_ascii_case("n't")
            && let Some(before) = curled.words.last_mut()
        {
            before.push_str(&word[..1]);
            curled.push("’", quote);
            curled.push(&word[2..], tag);
        } else if word.len() > 1 && word.starts_with('\'') && is_worded(&word[1..]) {
            curled.push("’", quote);
            curled.push(&word[1..], tag);
        } else {
            curled.push(word, tag);
        }
    }
    curled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(words: &[(&str, &str)]) -> Sentence {
        let mut sentence = Sentence::default();
        words.iter().for_each(|&(word, tag)| sentence.push(word, PennTag::from_name(tag).unwrap()));
        sentence
    }

    #[test]
    fn compounds_join_and_become_adjectives_before_nouns() {
        let apart =
            sentence(&[("a", "DT"), ("well", "RB"), ("-", ":"), ("known", "VBN"), ("dog", "NN")]);
        assert_eq!(
            join_compounds(&apart),
            sentence(&[("a", "DT"), ("well-known", "JJ"), ("dog", "NN")])
        );
        let name = sentence(&[
            ("Al", "NNP"),
            ("-", ":"),
            ("Ani", "NNP"),
            (",", ","),
            ("-", ":"),
            ("x", "NN"),
        ]);
        let joined = sentence(&[("Al-Ani", "NNP"), (",", ","), ("-", ":"), ("x", "NN")]);
        assert_eq!(join_compounds(&name), joined);
    }

    #[test]
    fn apostrophes_become_words() {
        let straight =
            sentence(&[("do", "VBP"), ("n't", "RB"), ("dog", "NN"), ("'s", "POS"), ("''", "''")]);
        let curled = sentence(&[
            ("don", "VBP"),
            ("’", "''"),
            ("t", "RB"),
            ("dog", "NN"),
            ("’", "''"),
            ("s", "POS"),
            ("''", "''"),
        ]);
        assert_eq!(curl_apostrophes(&straight), curled);
    }

    #[test]
    fn the_generator_never_changes() {
        let mut random = Random::new(1);
        assert_eq!([random.next(), random.next()], [0x910A_2DEC_8902_5CC1, 0xBEEB_8DA1_658E_EC67]);
        let mut items: Vec<u8> = (0..8).collect();
        random.shuffle(&mut items);
        let shuffled = items.clone();
        items.sort_unstable();
        assert_eq!(items, (0..8).collect::<Vec<u8>>());
        assert_ne!(shuffled, items);
    }
}
