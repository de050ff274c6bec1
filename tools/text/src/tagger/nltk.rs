//! NLTK's `pos_tag(word_tokenize(caption))`, word for word and tag for tag, from NLTK's own data files.
//!
//! The words are Punkt's sentences cut by the Treebank's rules; the tags come from Honnibal's averaged perceptron, whose
//! weights NLTK keeps as JSON. Sums are taken in the original's order, so that rounding agrees, and a tie goes to the
//! tag whose name comes last.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clipa_schemas::file::hex;
use clipa_schemas::penn::PennTag;
use flate2::read::MultiGzDecoder;
use rustc_hash::FxHashMap;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::error::TaggerError;
use super::plugin::{TagBuffers, Tagger};
use crate::characters::is_numeric_digit;
use crate::words::{Punkt, Treebank, Words};

/// Places of the tagger's files below the given folder.
const TAGGER_FOLDERS: [&str; 4] = [
    "taggers/averaged_perceptron_tagger_eng",
    "averaged_perceptron_tagger_eng",
    "nltk_averaged_perceptron_tagger_eng",
    ".",
];
/// Places of Punkt's tables below the given folder.
const PUNKT_FOLDERS: [&str; 5] =
    ["tokenizers/punkt_tab/english", "punkt_tab/english", "nltk_punkt_tab_english", "english", "."];
/// Largest file of weights, unpacked, in bytes (NLTK's has 6 MB).
const JSON_BYTES_MAX: u64 = 256 << 20;

/// Where to get the files.
const HINT: &str = "`python3 -m nltk.downloader -d DIR averaged_perceptron_tagger_eng punkt_tab`, unzip both, then \
                    --tagger nltk:DIR";

/// NLTK's English tagger with its word tokenizer.
pub(super) struct NltkTagger {
    punkt: Punkt,
    /// Tags of unambiguous words (NLTK's `tagdict`), which need no weights.
    certain: FxHashMap<String, PennTag>,
    /// Feature to its range of `entries`.
    features: FxHashMap<String, (u32, u32)>,
    entries: Vec<(PennTag, f64)>,
    /// All tags, in the order of their names.
    tags: Vec<PennTag>,
    hash: String,
}

impl NltkTagger {
    /// Reads NLTK's files from a directory: an `nltk_data` folder, or one with the files themselves; JSON as NLTK ships it, or
    /// packed with gzip.
    pub(super) fn open(directory: &Path) -> Result<NltkTagger, TaggerError> {
        let folder = |folders: &[&str], name: &str| {
            let mut all = folders.iter().map(|folder| directory.join(folder));
            all.find(|folder| {
                folder.join(name).is_file() || folder.join(format!("{name}.gz")).is_file()
            })
        };
        let missing =
            |what| TaggerError::Missing { what, directory: directory.to_owned(), hint: HINT };
        const WEIGHTS: &str = "averaged_perceptron_tagger_eng.weights.json";
        let files = folder(&TAGGER_FOLDERS, WEIGHTS).ok_or_else(|| missing(WEIGHTS))?;
        let tables = folder(&PUNKT_FOLDERS, "ortho_context.tab")
            .ok_or_else(|| missing("ortho_context.tab (Punkt's tables)"))?;
        let mut digest = Sha256::new();
        let mut json = |part: &str| {
            let name = format!("averaged_perceptron_tagger_eng.{part}.json");
            read_json(&files, &name, &mut digest)
        };
        let (path, classes) = json("classes")?;
        let mut tags = classes_of(&classes).map_err(|reason| not_of_nltk(&path, &reason))?;
        tags.sort_unstable_by_key(|tag| tag.name());
        let (path, tagdict) = json("tagdict")?;
        let certain = certain_of(&tagdict).map_err(|reason| not_of_nltk(&path, &reason))?;
        let (path, weights) = json("weights")?;
        let (features, entries) =
            features_of(weights).map_err(|reason| not_of_nltk(&path, &reason))?;
        let hash = hex(&digest.finalize());
        Ok(NltkTagger { punkt: Punkt::open(&tables)?, certain, features, entries, tags, hash })
    }

    /// The best tag by the features of one word.
    fn best(&self, context: &Context<'_>, key: &mut String) -> PennTag {
        let mut scores = [0f64; PennTag::NAMES.len()];
        context.for_each_feature(key, |feature| {
            if let Some(&(start, end)) = self.features.get(feature) {
                for &(tag, weight) in &self.entries[start as usize..end as usize] {
                    scores[usize::from(tag.byte())] += weight;
                }
            }
        });
        let score = |tag: &PennTag| scores[usize::from(tag.byte())];
        // Of equals `max_by` takes the last, and the tags are sorted by name.
        let best = self.tags.iter().max_by(|a, b| score(a).total_cmp(&score(b)));
        best.copied().unwrap_or(PennTag::UNKNOWN)
    }
}

impl Tagger for NltkTagger {
    fn identity(&self) -> String {
        format!("nltk weights sha256:{} punkt sha256:{}", self.hash, self.punkt.hash())
    }

    fn words(&self, caption: &str, buffers: &mut TagBuffers, words: &mut Words) {
        let treebank = &mut buffers.get::<Buffers>().treebank;
        self.punkt.sentences(caption).for_each(|sentence| treebank.words(sentence, words));
    }

    fn tag(&self, words: &Words, buffers: &mut TagBuffers, tags: &mut Vec<PennTag>) {
        let Buffers { normalized, key, .. } = buffers.get();
        normalized.clear();
        words.iter().for_each(|word| normalize(word, normalized));
        let (mut previous, mut previous2) = ("-START-", "-START2-");
        for (index, word) in words.iter().enumerate() {
            let tag = self.certain.get(word).copied().unwrap_or_else(|| {
                self.best(&Context { word, index, words: normalized, previous, previous2 }, key)
            });
            tags.push(tag);
            (previous2, previous) = (previous, tag.name());
        }
    }
}

/// What a worker keeps for this tagger between captions.
#[derive(Default)]
struct Buffers {
    treebank: Treebank,
    normalized: Words,
    key: String,
}

/// One word among its neighbours.
struct Context<'a> {
    word: &'a str,
    index: usize,
    words: &'a Words,
    previous: &'a str,
    previous2: &'a str,
}

impl Context<'_> {
    fn at(&self, offset: isize) -> &str {
        let index = self.index as isize + offset;
        match usize::try_from(index) {
            Ok(index) if index < self.words.len() => self.words.get(index),
            Ok(index) if index == self.words.len() => "-END-",
            Ok(_) => "-END2-",
            Err(_) if index == -1 => "-START2-",
            Err(_) => "-START-",
        }
    }

    /// Calls back with each feature's name, built in `key`, in NLTK's order.
    fn for_each_feature(&self, key: &mut String, mut each: impl FnMut(&str)) {
        let first = self.word.chars().next().map_or(0, char::len_utf8);
        let (word, left, right) = (self.at(0), self.at(-1), self.at(1));
        let features: [(&str, &[&str]); 14] = [
            ("bias", &[]),
            ("i suffix", &[suffix(self.word)]),
            ("i pref1", &[&self.word[..first]]),
            ("i-1 tag", &[self.previous]),
            ("i-2 tag", &[self.previous2]),
            ("i tag+i-2 tag", &[self.previous, self.previous2]),
            ("i word", &[word]),
            ("i-1 tag+i word", &[self.previous, word]),
            ("i-1 word", &[left]),
            ("i-1 suffix", &[suffix(left)]),
            ("i-2 word", &[self.at(-2)]),
            ("i+1 word", &[right]),
            ("i+1 suffix", &[suffix(right)]),
            ("i+2 word", &[self.at(2)]),
        ];
        for (name, parts) in features {
            key.clear();
            key.push_str(name);
            for part in parts {
                key.push(' ');
                key.push_str(part);
            }
            each(key);
        }
    }
}

/// The last three characters.
fn suffix(word: &str) -> &str {
    let start = word.char_indices().rev().nth(2).map_or(0, |(start, _)| start);
    &word[start..]
}

/// Adds the word as the features of its neighbours use it.
fn normalize(word: &str, out: &mut Words) {
    let digits = |word: &str| word.chars().all(is_numeric_digit);
    if word.contains('-') && !word.starts_with('-') {
        out.push("!HYPHEN");
    } else if word.chars().count() == 4 && digits(word) {
        out.push("!YEAR");
    } else if word.starts_with(is_numeric_digit) {
        out.push("!DIGITS");
    } else if word.is_ascii() && !word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        out.push(word);
    } else {
        out.push(&word.to_lowercase());
    }
}

/// The error of a file that NLTK did not write.
fn not_of_nltk(path: &Path, reason: &str) -> TaggerError {
    TaggerError::format(path, format!("not one of NLTK's tagger files: {reason}"))
}

fn read_json(
    folder: &Path,
    name: &str,
    digest: &mut Sha256,
) -> Result<(PathBuf, Value), TaggerError> {
    let plain = folder.join(name);
    let packed = folder.join(format!("{name}.gz"));
    let path = if plain.is_file() { plain } else { packed };
    let cannot_read = |source| TaggerError::read(&path, source);
    let file = File::open(&path).map_err(cannot_read)?;
    let reader: Box<dyn Read> = match path.extension() {
        Some(extension) if extension == "gz" => Box::new(MultiGzDecoder::new(file)),
        _ => Box::new(file),
    };
    let mut bytes = Vec::new();
    reader.take(JSON_BYTES_MAX).read_to_end(&mut bytes).map_err(cannot_read)?;
    digest.update(&bytes);
    let value =
        serde_json::from_slice(&bytes).map_err(|error| not_of_nltk(&path, &error.to_string()))?;
    Ok((path, value))
}

fn tag_of(name: &str) -> Result<PennTag, String> {
    PennTag::from_name(name).ok_or_else(|| format!("unknown tag {name:?}"))
}

fn classes_of(value: &Value) -> Result<Vec<PennTag>, String> {
    let names = value.as_array().ok_or("expected a list of tags")?;
    names.iter().map(|name| tag_of(name.as_str().unwrap_or_default())).collect()
}

fn certain_of(value: &Value) -> Result<FxHashMap<String, PennTag>, String> {
    let words = value.as_object().ok_or("expected words with their tags")?;
    let pair = |(word, tag): (&String, &Value)| {
        Ok((word.clone(), tag_of(tag.as_str().unwrap_or_default())?))
    };
    words.iter().map(pair).collect()
}

type Features = (FxHashMap<String, (u32, u32)>, Vec<(PennTag, f64)>);

fn features_of(value: Value) -> Result<Features, String> {
    let Value::Object(rows) = value else {
        return Err("expected features with their weights".into());
    };
    let (mut features, mut entries) = (FxHashMap::default(), Vec::new());
    for (feature, weights) in rows {
        let start = entries.len() as u32;
        for (tag, weight) in weights.as_object().ok_or("expected weights by tag")? {
            let weight = weight.as_f64().ok_or_else(|| format!("no number in {feature:?}"))?;
            entries.push((tag_of(tag)?, weight));
        }
        features.insert(feature, (start, entries.len() as u32));
    }
    Ok((features, entries))
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};

    use serde_json::json;

    use super::*;
    use crate::shared_data::shared_data;

    #[test]
    fn words_are_normalized_as_context() {
        let mut words = Words::default();
        for word in ["Dog", "well-known", "-x", "2019", "²019", "12a", "½", "ÉA", ""] {
            normalize(word, &mut words);
        }
        let words: Vec<&str> = words.iter().collect();
        assert_eq!(words, ["dog", "!HYPHEN", "-x", "!YEAR", "!YEAR", "!DIGITS", "½", "éa", ""]);
        assert_eq!([suffix("dogs"), suffix("né"), suffix("日本語だ")], ["ogs", "né", "本語だ"]);
    }

    #[test]
    fn every_caption_of_laion_has_nltks_words_and_tags() {
        let Some(data) = shared_data() else { return };
        let tagger = NltkTagger::open(&data.join("metadata")).unwrap();
        let file = File::open(data.join("text/laion400m_1000_nltk_pos.jsonl.gz")).unwrap();
        let (mut buffers, mut words, mut tags) =
            (TagBuffers::default(), Words::default(), Vec::new());
        let mut captions = 0;
        for line in BufReader::new(MultiGzDecoder::new(file)).lines() {
            let row: Value = serde_json::from_str(&line.unwrap()).unwrap();
            let caption = row["caption"].as_str().unwrap();
            words.clear();
            tags.clear();
            tagger.words(caption, &mut buffers, &mut words);
            tagger.tag(&words, &mut buffers, &mut tags);
            let ours: Vec<Value> =
                words.iter().zip(&tags).map(|(word, tag)| json!([word, tag.name()])).collect();
            assert_eq!(Value::Array(ours), row["tags"], "{caption}");
            captions += 1;
        }
        assert_eq!(captions, 1000);
    }
}
