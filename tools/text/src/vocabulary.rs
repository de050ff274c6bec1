//! The tag of every entry of a tokenizer's vocabulary, as in CLIPA's JAX code.
//!
//! There each entry is tokenized and tagged alone, and has the tag of its last word; the syntax mask uses only these tags.

use std::convert::Infallible;

use clipa_pool::in_order;
use clipa_schemas::penn::PennTag;
use clipa_schemas::vocabulary::{Piece, Vocabulary};

use crate::clip_bpe::END_OF_TEXT;
use crate::parts::TextParts;
use crate::tagger::{TagBuffers, Tagger};
use crate::words::Words;

/// Entries that are tagged at once.
const BATCH: usize = 256;

impl TextParts {
    /// The vocabularies of the token columns with their tags, in the order of the columns; none without a tagger.
    /// The number of `threads` changes only the time.
    pub fn vocabularies(&self, threads: usize) -> Vec<Vocabulary> {
        let Some(tagger) = &self.tagger else { return Vec::new() };
        let of = |column: &str,
                  texts: &[String],
                  starts: &dyn Fn(u16) -> bool,
                  ends: &dyn Fn(u16) -> bool| {
            let tags = tags_alone(tagger.as_ref(), texts, threads);
            let piece = |(id, tag)| Piece { tag, starts_word: starts(id), ends_word: ends(id) };
            let pieces = (0..).zip(tags).map(piece).collect();
            Vocabulary { column: column.to_owned(), pieces }
        };
        let merges = &self.merges;
        let clip: Vec<String> = (0..=END_OF_TEXT).map(|id| merges.piece(id)).collect();
        let mut vocabularies = vec![of("clip_bpe", &clip, &|_| true, &|id| merges.ends_word(id))];
        if let Some(wordpiece) = &self.wordpiece {
            let bert = wordpiece.pieces();
            let starts = |id: u16| !bert[usize::from(id)].starts_with("##");
            vocabularies.push(of("bert_wordpiece", &bert, &starts, &|_| true));
        }
        vocabularies
    }
}

/// The tag of the last word of each text; unknown where it has no word.
fn tags_alone(tagger: &dyn Tagger, texts: &[String], threads: usize) -> Vec<PennTag> {
    // whole batches for each thread, so that the batches are the same ones for any number of threads
    let share = texts.len().div_ceil(BATCH).div_ceil(threads.max(1)).max(1) * BATCH;
    let shares: Vec<&[String]> = texts.chunks(share).collect();
    let Ok(tags) =
        in_order(&shares, threads, |texts| Ok::<_, Infallible>(tags_of_last_words(tagger, texts)));
    tags.concat()
}

fn tags_of_last_words(tagger: &dyn Tagger, texts: &[String]) -> Vec<PennTag> {
    let mut buffers = TagBuffers::default();
    let mut last = Vec::with_capacity(texts.len());
    for texts in texts.chunks(BATCH) {
        let mut words = vec![Words::default(); texts.len()];
        for (text, words) in texts.iter().zip(&mut words) {
            tagger.words(text, &mut buffers, words);
        }
        let tags = tagger.tag_all(&words, &mut buffers);
        last.extend(tags.iter().map(|tags| tags.last().copied().unwrap_or(PennTag::UNKNOWN)));
    }
    last
}

#[cfg(test)]
mod tests {
    use crate::config::TextConfig;
    use crate::tagger::TaggerChoice;

    #[test]
    fn pieces_have_their_tags_and_their_positions_in_a_word() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, b"[UNK]\ndog\n##s\nrunning\n").unwrap();
        let bert_vocab = Some(file.path().to_owned());
        let parts = TextConfig { bert_vocab, ..TextConfig::default() }.open().unwrap();
        let vocabularies = parts.vocabularies(1);
        assert_eq!(parts.vocabularies(3), vocabularies, "threads change nothing");
        let [clip, bert] = &vocabularies[..] else { panic!("two token columns") };
        assert_eq!((clip.column.as_str(), clip.pieces.len()), ("clip_bpe", 49_408));
        // dog</w>, and do without an end: the first half of a word
        assert_eq!((clip.piece(1929).tag.name(), clip.piece(1929).ends_word), ("NN", true));
        assert!(!clip.piece(256 - 1).ends_word && clip.piece(256).ends_word);
        assert_eq!((bert.column.as_str(), bert.pieces.len()), ("bert_wordpiece", 4));
        assert_eq!((bert.piece(1).tag.name(), bert.piece(1).starts_word), ("NN", true));
        assert!(!bert.piece(2).starts_word && bert.piece(2).ends_word);
        let none = TextConfig { tagger: TaggerChoice::none(), ..TextConfig::default() };
        assert_eq!(none.open().unwrap().vocabularies(1), []);
    }
}
