//! `clipa-prep tagger show`: what captions become.

use std::io::BufRead;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use clipa_schemas::reduction::text::{MAX_CONTEXT_LENGTH, Specials, TextReduction, reduce};
use clipa_schemas::text::{StoredText, TokenizedText};
use clipa_schemas::vocabulary::Vocabulary;
use serde_json::{Map, Value, json};

use clipa_talk::Printer;
use clipa_text::clean::{CleanMode, clean_into};
use clipa_text::tagger::TagBuffers;
use clipa_text::words::Words;
use clipa_text::{EncodedCaption, TaggerChoice, TextConfig, TextParts};

/// Show what captions become: cleaned text, words with their tags, token ids.
///
/// Reads one caption a line, as it is or as a JSON string (for captions of several lines), and prints a JSON object for each.
///
/// Examples:
///   echo 'A small brown dog.' | clipa-prep tagger show
///   clipa-prep tagger show --captions captions.txt --tagger nltk:nltk_data --bert-vocab vocab.txt
#[derive(Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct ShowArgs {
    /// File of captions; standard input without it
    #[arg(long, value_name = "FILE")]
    captions: Option<PathBuf>,
    /// Which tagger cuts and tags: perceptron (inside this binary), nltk:DIR (NLTK's JSON files), bert:DIR or none
    #[arg(long, default_value_t, value_name = "TAGGER")]
    tagger: TaggerChoice,
    /// BERT's vocab.txt, to show WordPiece ids, too
    #[arg(long, value_name = "FILE")]
    bert_vocab: Option<PathBuf>,
    /// Show also what every text reduction leaves for a model that reads N tokens; may be given several times
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(3..=i64::from(MAX_CONTEXT_LENGTH)))]
    context_length: Vec<u16>,
    /// Seed of the random reductions; the number of the caption, from 0, is added
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Runs the command; the rows go to standard output.
pub(super) fn run(args: &ShowArgs, printer: &Printer) -> anyhow::Result<()> {
    match &args.captions {
        Some(path) => {
            let file = std::fs::File::open(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            show(args, &mut std::io::BufReader::new(file), printer)
        }
        None => show(args, &mut std::io::stdin().lock(), printer),
    }
}

fn show(args: &ShowArgs, captions: &mut dyn BufRead, printer: &Printer) -> anyhow::Result<()> {
    let config = TextConfig { tagger: args.tagger.clone(), bert_vocab: args.bert_vocab.clone() };
    let (mut buffers, mut words, mut tags) = (TagBuffers::default(), Words::default(), Vec::new());
    let parts = config.open()?;
    let reductions = Reductions::new(&parts, args);
    let (mut encoder, tagger) = (parts.encoder(), args.tagger.open()?);
    for (number, line) in captions.lines().enumerate() {
        let line = line.context("cannot read the captions")?;
        let caption = serde_json::from_str::<String>(&line).unwrap_or(line);
        words.clear();
        tags.clear();
        if let Some(tagger) = &tagger {
            tagger.words(&caption, &mut buffers, &mut words);
            tagger.tag(&words, &mut buffers, &mut tags);
        }
        let mut cleaned = String::new();
        clean_into(&caption, CleanMode::Whitespace, &mut cleaned);
        let encoded = encoder.encode(&caption);
        let names = tags.iter().map(|tag| tag.name());
        let mut row = json!({
            "cleaned": cleaned,
            "words": words.iter().zip(names).collect::<Vec<_>>(),
            "clip_bpe": encoded.clip_bpe.tokens,
            "bert_wordpiece": encoded.bert_wordpiece.as_ref().map(|pieces| &pieces.tokens),
        });
        if !args.context_length.is_empty() {
            row["reductions"] = reductions.of(&encoded, args.seed.wrapping_add(number as u64));
        }
        printer.json_line(&row)?;
    }
    Ok(())
}

/// The rows that models of some context lengths read.
struct Reductions<'a> {
    context_lengths: &'a [u16],
    vocabularies: Vec<Vocabulary>,
}

impl<'a> Reductions<'a> {
    fn new(parts: &TextParts, args: &'a ShowArgs) -> Self {
        let context_lengths = args.context_length.as_slice();
        let wanted = !context_lengths.is_empty();
        let vocabularies = if wanted { parts.vocabularies(1) } else { Vec::new() };
        Reductions { context_lengths, vocabularies }
    }

    /// By dialect, context length and reduction: the row, or why there is none.
    fn of(&self, caption: &EncodedCaption, seed: u64) -> Value {
        let (clip, bert) = (Some(&caption.clip_bpe), caption.bert_wordpiece.as_ref());
        let dialects = [
            ("clip_bpe", "clip_bpe", clip, Specials::CLIP_BPE),
            ("bert_wordpiece", "bert_wordpiece", bert, Specials::BERT_CLIPA),
            ("bert_wordpiece, strip_sep_token", "bert_wordpiece", bert, Specials::BERT_OPEN_CLIP),
        ];
        let rows = |(dialect, column, tokens, specials): (
            &str,
            &str,
            Option<&TokenizedText>,
            Specials,
        )| {
            let rows = self.rows(column, tokens?, &caption.pos, specials, seed);
            Some((dialect.to_owned(), rows))
        };
        dialects.into_iter().filter_map(rows).collect::<Map<String, Value>>().into()
    }

    fn rows(
        &self,
        column: &str,
        tokens: &TokenizedText,
        pos: &[u8],
        specials: Specials,
        seed: u64,
    ) -> Value {
        let vocabulary = self.vocabularies.iter().find(|vocabulary| vocabulary.column == column);
        let stored = StoredText { vocabulary, ..tokens.stored(pos) };
        let by_reduction = |&context_length: &u16| {
            let row = |reduction: TextReduction| {
                let mut row = vec![0; usize::from(context_length)];
                let reduced = reduce(reduction, stored, specials, seed, &mut row);
                let shown =
                    reduced.map_or_else(|reason| json!(reason.to_string()), |()| json!(row));
                (reduction.name().to_owned(), shown)
            };
            let rows: Map<String, Value> = TextReduction::ALL.into_iter().map(row).collect();
            (context_length.to_string(), rows.into())
        };
        self.context_lengths.iter().map(by_reduction).collect::<Map<String, Value>>().into()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_golden_caption_in_every_reduction_and_dialect() {
        let mut vocabulary = tempfile::NamedTempFile::new().unwrap();
        vocabulary.write_all(b"[PAD]\n[UNK]\na\ndog\n[SEP]\n").unwrap();
        let args = ShowArgs {
            captions: None,
            tagger: TaggerChoice::default(),
            bert_vocab: Some(vocabulary.path().to_owned()),
            context_length: vec![4, 8],
            seed: 0,
        };
        let (printer, captured) = Printer::captured();
        let captions = "a dog [SEP] a dog\n\"\"\n";
        show(&args, &mut captions.as_bytes(), &printer).unwrap();
        let rows: Vec<Value> =
            captured.data().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let reductions = &rows[0]["reductions"];
        assert_eq!(reductions["clip_bpe"]["4"]["truncate"], json!([49406, 320, 1929, 49407]));
        assert_eq!(reductions["bert_wordpiece"]["4"]["truncate"], json!([101, 2, 3, 4]));
        let stripped = &reductions["bert_wordpiece, strip_sep_token"];
        assert_eq!(stripped["4"]["truncate"], json!([101, 2, 3, 0]));
        for dialect in reductions.as_object().unwrap().values() {
            let names: Vec<&String> = dialect["8"].as_object().unwrap().keys().collect();
            assert_eq!(names, TextReduction::ALL.map(TextReduction::name));
            assert!(dialect["8"]["syntax-vocab"].is_array(), "{dialect}");
        }
        assert_eq!(rows[1]["reductions"]["clip_bpe"]["4"]["block"], json!([49406, 49407, 0, 0]));
    }
}
