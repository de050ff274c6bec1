//! Time a caption for each step of the text side, on one core.
//!
//! ```text
//! cargo bench -p clipa-text --bench text [FILE]
//! ```
//!
//! FILE has one caption a line, gzip or plain (`caption TAB url` is read too); without it, the LAION captions of the shared data.
//! Times are processor times, so that other programs on the machine matter little.

mod adversarial;

use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use clipa_text::clean::{CleanMode, clean_into};
use clipa_text::clip_bpe::{ClipBpe, Merges};
use clipa_text::tagger::{TagBuffers, TaggerError};
use clipa_text::words::Words;
use clipa_text::{TaggerChoice, TextConfig, TextParts};
use flate2::read::MultiGzDecoder;

/// Every step runs over all captions at least this often, and for this long in seconds.
const ROUNDS_MIN: u32 = 3;
const SECONDS_MIN: f64 = 1.0;

fn main() -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout().lock();
    let file = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let Some(file) = file.map(PathBuf::from).or_else(laion) else {
        writeln!(out, "no captions: give a file, or put the shared data beside the workspace")?;
        return Ok(());
    };
    let captions = read_captions(&file)?;
    let characters: usize = captions.iter().map(|caption| caption.chars().count()).sum();
    writeln!(out, "{} captions, {characters} characters", captions.len())?;
    let report = |out: &mut dyn Write, step: &str, seconds: f64| {
        let each = seconds / captions.len() as f64;
        writeln!(out, "{step:<34} {:>7.2} µs a caption {:>9.0} captions/s", each * 1e6, 1.0 / each)
    };

    let mut cleaned = String::new();
    let clean = time(|| {
        for caption in &captions {
            cleaned.clear();
            clean_into(caption, CleanMode::Lower, &mut cleaned);
        }
    });
    report(&mut out, "clean", clean)?;

    let mut bpe = ClipBpe::new(std::sync::Arc::new(Merges::of_clip()?));
    let mut ids = Vec::new();
    let both = time(|| {
        for caption in &captions {
            cleaned.clear();
            ids.clear();
            clean_into(caption, CleanMode::Lower, &mut cleaned);
            bpe.encode(&cleaned, &mut ids);
        }
    });
    report(&mut out, "clean + BPE", both)?;

    let (bpe_alone, mut words_and_tags) = (both, f64::NAN);
    for choice in taggers()? {
        let name = choice.name();
        let Some(tagger) = choice.open()? else { continue };
        let config = TextConfig { tagger: choice, ..TextConfig::default() };
        let (mut buffers, mut words, mut tags) =
            (TagBuffers::default(), Words::default(), Vec::new());
        let mut count = 0;
        let cutting = time(|| {
            count = 0;
            for caption in &captions {
                words.clear();
                tagger.words(caption, &mut buffers, &mut words);
                count += words.len();
            }
        });
        report(&mut out, &format!("words ({name})"), cutting)?;
        let tagging = time(|| {
            for caption in &captions {
                words.clear();
                tags.clear();
                tagger.words(caption, &mut buffers, &mut words);
                tagger.tag(&words, &mut buffers, &mut tags);
            }
        });
        report(&mut out, &format!("words + tags ({name})"), tagging)?;
        words_and_tags = words_and_tags.min(tagging);
        writeln!(
            out,
            "{:<34} {:.2} million words/s",
            format!("  tags alone ({name})"),
            count as f64 / (tagging - cutting) / 1e6
        )?;
        let mut encoder = config.open()?.encoder();
        let all = time(|| captions.iter().for_each(|caption| drop(encoder.encode(caption))));
        report(&mut out, &format!("clean + BPE + words + tags ({name})"), all)?;
    }
    compare_with_originals(&mut out, captions.len(), bpe_alone, words_and_tags)?;
    worst_cases(&mut out)
}

/// The embedded tagger, and NLTK's where the shared data has its files.
fn taggers() -> Result<Vec<TaggerChoice>, TaggerError> {
    let nltk = shared().map(|shared| format!("nltk:{}", shared.join("metadata").display()));
    let nltk = nltk.map(|name| name.parse()).transpose()?;
    Ok([Some(TaggerChoice::default()), nltk].into_iter().flatten().collect())
}

/// The originals on the same captions, where `cargo xtask peers text` has installed their Python environment.
fn compare_with_originals(
    out: &mut dyn Write,
    captions: usize,
    bpe: f64,
    words_and_tags: f64,
) -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join(".deps/peers/text/bin/python");
    let (true, Some(_)) = (python.is_file(), shared()) else {
        writeln!(out, "no originals to compare with: `cargo xtask peers text` fetches them")?;
        return Ok(());
    };
    let run = Command::new(python).arg(root.join("tests/peers/text/speed.py")).output()?;
    if !run.status.success() {
        return Err(String::from_utf8_lossy(&run.stderr).into_owned().into());
    }
    let figures: serde_json::Value = serde_json::from_slice(&run.stdout)?;
    for (key, step, ours) in [
        ("open_clip", "open_clip's tokenizer", bpe),
        ("nltk", "NLTK's words + tags, model loaded", words_and_tags),
    ] {
        let theirs = figures[key].as_f64().ok_or("speed.py printed no number")?;
        let ratio = theirs * 1e-6 / (ours / captions as f64);
        writeln!(out, "{step:<34} {theirs:>7.2} µs a caption, {ratio:.1} times ours")?;
    }
    Ok(())
}

/// Time for 1,000 characters of captions that are meant to be slow: the worst ones, and how time grows with length.
fn worst_cases(out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    const SHOWN: usize = 5;
    let bert_vocab = shared().map(|shared| shared.join("metadata/bert-base-uncased-vocab.txt"));
    for tagger in taggers()? {
        let name = tagger.name();
        let parts = TextConfig { tagger, bert_vocab: bert_vocab.clone() }.open()?;
        let mut all = Vec::new();
        let quarter = adversarial::LONGEST / 4;
        for ((name, long), (_, short)) in
            adversarial::captions(adversarial::LONGEST).zip(adversarial::captions(quarter))
        {
            let long = for_thousand_characters(&parts, &long);
            all.push((long, long / for_thousand_characters(&parts, &short), name));
        }
        all.sort_by(|left, right| right.0.total_cmp(&left.0));
        writeln!(
            out,
            "worst of {} captions of {} characters ({name}):",
            all.len(),
            adversarial::LONGEST
        )?;
        for (micros, growth, name) in all.iter().take(SHOWN) {
            writeln!(
                out,
                "  {micros:>8.0} µs for 1,000 characters, {growth:.1} times those of a quarter  {name}"
            )?;
        }
    }
    Ok(())
}

/// Processor time in µs, the least of three; each with a new encoder, whose caches are empty.
fn for_thousand_characters(parts: &TextParts, caption: &str) -> f64 {
    let characters = caption.chars().count() as f64;
    let once = || {
        let mut encoder = parts.encoder();
        let before = processor_seconds();
        let started = Instant::now();
        drop(encoder.encode(caption));
        match (before, processor_seconds()) {
            (Some(before), Some(after)) => after - before,
            _ => started.elapsed().as_secs_f64(),
        }
    };
    (0..3).map(|_| once()).fold(f64::INFINITY, f64::min) * 1e9 / characters
}

/// Processor seconds of one round, the mean of several.
fn time(mut round: impl FnMut()) -> f64 {
    round();
    let (start, before, mut rounds) = (Instant::now(), processor_seconds(), 0);
    while rounds < ROUNDS_MIN || start.elapsed().as_secs_f64() < SECONDS_MIN {
        round();
        rounds += 1;
    }
    let seconds = match (before, processor_seconds()) {
        (Some(before), Some(after)) => after - before,
        _ => start.elapsed().as_secs_f64(),
    };
    seconds / f64::from(rounds)
}

/// Processor seconds of this process, where Linux reports them.
fn processor_seconds() -> Option<f64> {
    let schedule = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    let nanoseconds: u64 = schedule.split_whitespace().next()?.parse().ok()?;
    Some(nanoseconds as f64 / 1e9)
}

fn shared() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("CLIPA_SHARED").map_or_else(beside, PathBuf::from).join("data");
    shared.is_dir().then_some(shared)
}

fn laion() -> Option<PathBuf> {
    Some(shared()?.join("text/laion400m_1000_nltk_pos.jsonl.gz"))
}

fn read_captions(path: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let file = File::open(path)?;
    let gzip = path.extension().is_some_and(|extension| extension == "gz");
    let reader: Box<dyn Read> =
        if gzip { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    let caption = |line: String| match serde_json::from_str::<serde_json::Value>(&line) {
        Ok(serde_json::Value::Object(row)) => {
            row["caption"].as_str().unwrap_or_default().to_owned()
        }
        Ok(serde_json::Value::String(caption)) => caption,
        _ => line.split('\t').next().unwrap_or_default().to_owned(),
    };
    BufReader::new(reader).lines().map(|line| Ok(caption(line?))).collect()
}
