//! Augmentation: sentences as captions write them, in other cases, with joined compounds and curly apostrophes, without a final period.
//!
//! A treebank of edited English teaches that nouns are in lower case and sentences end. Captions are lists of nouns in any
//! case, so most rounds train on a changed sentence; its tags stay.

use clipa_schemas::penn::{PennTag, WordClass};
use clipa_schemas::random::Random;

use crate::tagger::sentence::Sentence;

/// The sentence with random changes; most often none or one.
pub(super) fn vary(sentence: &Sentence, random: &mut Random) -> Sentence {
    let mut varied = sentence.clone();
    if random.below(2) == 0 {
        varied = join_compounds(&varied);
    }
    if random.below(6) == 0 {
        varied = curl_apostrophes(&varied);
    }
    if random.below(5) == 0 {
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

/// `well`, `-`, `known` becomes `well-known`, which the Treebank's word rules do not split. Before a noun such a compound is an
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
}
