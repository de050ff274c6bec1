//! The tagger: splits captions into rows for the network, and assigns its labels to the words.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use clipa_schemas::penn::PennTag;

use super::config::Config;
use super::files::missing;
use super::labels::Labels;
use super::network::{Network, Weights};
use clipa_text::tagger::TaggerError;
use clipa_text::tagger::{TagBuffers, Tagger};
use clipa_text::wordpiece::{WordPiece, WordPieceBuffers};
use clipa_text::words::{Treebank, Words};

/// Most pieces of one word that the network reads; only the first one's label counts.
const WORD_PIECES_MAX: usize = 32;
/// Most rows of the embedding table without a piece: some models pad it to a round number. More means that the vocabulary
/// is another model's, or truncated.
const SPARE_PIECES_MAX: i64 = 511;
/// Pieces of all rows of a batch, padding included: what bounds the memory of a forward pass.
const BATCH_PIECES_MAX: usize = 8192;

/// A tagger around a network for token classification.
pub(super) struct BertTagger {
    config: Config,
    wordpiece: WordPiece,
    /// Ids of `[CLS]`, `[SEP]` and `[PAD]`.
    start: i64,
    end: i64,
    pad: i64,
    /// Pieces of a row between start and end.
    row_pieces: usize,
    labels: Labels,
    weights: Mutex<Weights>,
    /// Networks that no thread is using; they share the weights.
    idle: Mutex<Vec<Network>>,
    identity: String,
}

/// Some words of a caption that go through the network together.
#[derive(Default)]
struct Row {
    caption: usize,
    ids: Vec<i64>,
    /// Each word's place in the caption, and that of its first piece in `ids`.
    words: Vec<(usize, usize)>,
}

impl BertTagger {
    /// Reads `config.json`, `vocab.txt` and the weights (`model.safetensors` or `rust_model.ot`) of a folder.
    ///
    /// # Errors
    /// [`TaggerError`], with the file: missing, too large, damaged, of another architecture, or contradicting another one.
    pub(super) fn open(directory: &Path) -> Result<BertTagger, TaggerError> {
        let config = Config::read(directory)?;
        let vocabulary = directory.join("vocab.txt");
        if !vocabulary.is_file() {
            return Err(missing("vocab.txt", directory));
        }
        let wordpiece = WordPiece::open(&vocabulary)?;
        let wrong = |reason: String| TaggerError::format(&vocabulary, reason);
        let (pieces, rows) = (wordpiece.pieces().len() as i64, config.vocabulary());
        if !(0..=SPARE_PIECES_MAX).contains(&(rows - pieces)) {
            return Err(wrong(format!("{pieces} pieces, and config.json says {rows}")));
        }
        let special = |name: &str| {
            let id = wordpiece.id(name).ok_or_else(|| wrong(format!("it has no {name}")))?;
            Ok::<i64, TaggerError>(i64::from(id))
        };
        let (start, end, pad) = (special("[CLS]")?, special("[SEP]")?, special("[PAD]")?);
        let weights = Weights::read(directory)?;
        let network = weights.network(&config)?;
        let identity = format!(
            "bert {} config sha256:{} vocabulary sha256:{} weights sha256:{}",
            config.model_type(),
            config.hash(),
            wordpiece.hash(),
            weights.hash()
        );
        Ok(BertTagger {
            start,
            end,
            pad,
            row_pieces: config.row_pieces(),
            labels: Labels::new(config.labels())
                .map_err(|reason| TaggerError::format(config.path(), reason))?,
            config,
            wordpiece,
            weights: Mutex::new(weights),
            idle: Mutex::new(vec![network]),
            identity,
        })
    }

    /// Splits the captions' words into rows of at most [`BertTagger::row_pieces`]; words without a piece are in none.
    fn rows(&self, captions: &[Words]) -> Vec<Row> {
        let (mut buffers, mut pieces) = (WordPieceBuffers::default(), Vec::new());
        let mut rows = Vec::new();
        for (caption, words) in captions.iter().enumerate() {
            let mut row = Row { caption, ..Row::default() };
            for (place, word) in words.iter().enumerate() {
                pieces.clear();
                self.wordpiece.encode(word, &mut buffers, &mut pieces);
                pieces.truncate(WORD_PIECES_MAX.min(self.row_pieces));
                if row.ids.len() + pieces.len() > self.row_pieces {
                    rows.push(std::mem::replace(&mut row, Row { caption, ..Row::default() }));
                }
                if !pieces.is_empty() {
                    row.words.push((place, row.ids.len()));
                    row.ids.extend(pieces.iter().map(|&id| i64::from(id)));
                }
            }
            if !row.words.is_empty() {
                rows.push(row);
            }
        }
        // Rows of like length waste little padding; the sort is stable, so the batches are a function of the captions.
        rows.sort_by_key(|row| row.ids.len());
        rows
    }

    /// Labels of the rows' pieces, `[rows, longest + 2]`, start and end included.
    fn classify(&self, network: &Network, rows: &[Row]) -> Vec<i64> {
        let width = 2 + rows.iter().map(|row| row.ids.len()).max().unwrap_or(0);
        let mut ids = Vec::with_capacity(rows.len() * width);
        let mut mask = Vec::with_capacity(rows.len() * width);
        for row in rows {
            let filled = ids.len() + row.ids.len() + 2;
            let row_end = ids.len() + width;
            ids.push(self.start);
            ids.extend(&row.ids);
            ids.push(self.end);
            mask.resize(filled, 1);
            ids.resize(row_end, self.pad);
            mask.resize(row_end, 0);
        }
        network.classify(&ids, &mask, rows.len())
    }

    /// An idle network, or a new one where all are in use.
    fn take_network(&self) -> Network {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.unwrap_or_else(|| {
            let weights = self.weights.lock().unwrap_or_else(PoisonError::into_inner);
            weights.network(&self.config).expect("these weights made the first network")
        })
    }
}

impl Tagger for BertTagger {
    fn identity(&self) -> String {
        self.identity.clone()
    }

    fn words(&self, caption: &str, buffers: &mut TagBuffers, words: &mut Words) {
        buffers.get::<Treebank>().caption_words(caption, words);
    }

    fn tag(&self, words: &Words, buffers: &mut TagBuffers, tags: &mut Vec<PennTag>) {
        tags.extend(self.tag_all(std::slice::from_ref(words), buffers).into_iter().flatten());
    }

    fn tag_all(&self, captions: &[Words], _: &mut TagBuffers) -> Vec<Vec<PennTag>> {
        let mut tags: Vec<Vec<PennTag>> =
            captions.iter().map(|words| vec![PennTag::UNKNOWN; words.len()]).collect();
        let network = self.take_network();
        let rows = self.rows(captions);
        let mut rest = rows.as_slice();
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(batch_rows(rest));
            let labels = self.classify(&network, batch);
            let width = labels.len() / batch.len();
            for (row, labels) in batch.iter().zip(labels.chunks(width)) {
                for &(word, piece) in &row.words {
                    tags[row.caption][word] = self.labels.tag(labels[1 + piece]);
                }
            }
            rest = after;
        }
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(network);
        tags
    }
}

/// How many of the rows, which grow in length, make one batch.
fn batch_rows(rows: &[Row]) -> usize {
    let fits =
        |&(place, row): &(usize, &Row)| (place + 1) * (row.ids.len() + 2) <= BATCH_PIECES_MAX;
    rows.iter().enumerate().take_while(fits).count().max(1)
}
