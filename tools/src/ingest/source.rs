//! Where raw samples come from: a tar, or a folder with one folder a class.

use std::path::{Path, PathBuf};

use clipa_schemas::ledger::Source;

use super::options::MAX_CAPTION_BYTES;
use crate::archive::{
    ArchiveError, MemberId, TarEnd, TarIndex,
    sidecar::{MAX_SIDECAR_BYTES, Sidecar},
};

/// Longest class label in a `.cls` member, in bytes.
const MAX_CLASS_BYTES: u64 = 64;

/// A sample as found, its image undecoded.
#[derive(Debug, Default)]
pub struct RawSample {
    /// As found.
    pub key: String,
    /// Byte offset of the image's data in the source (of the first member, where there is no image).
    pub offset: Option<u64>,
    /// The image file.
    pub image: Vec<u8>,
    /// The caption, raw.
    pub caption: Option<String>,
    /// What the sidecar says; empty where there is none.
    pub sidecar: Sidecar,
    /// The class, of a classification set.
    pub label: Option<u32>,
    /// What was wrong and could be passed over.
    pub repairs: Vec<&'static str>,
}

/// Why a raw sample cannot be read: reason for the ledger, detail for a person.
#[derive(Debug)]
pub struct Unusable {
    /// Machine-readable.
    pub reason: &'static str,
    /// For a person.
    pub detail: String,
}

/// One unit of input, open.
pub enum UnitSource {
    /// A WebDataset tar.
    Tar(TarIndex),
    /// Files of one folder a class: (path, class), sorted.
    ClassFolders {
        /// The folder that holds the class folders.
        root: PathBuf,
        /// Image files with their class.
        files: Vec<(PathBuf, u32)>,
        /// Bytes of all of them.
        bytes: u64,
    },
}

impl UnitSource {
    /// Number of samples.
    pub fn samples(&self) -> usize {
        match self {
            UnitSource::Tar(tar) => tar.samples.len(),
            UnitSource::ClassFolders { files, .. } => files.len(),
        }
    }

    /// How the entry names it.
    pub fn source(&self) -> Source {
        let (path, bytes) = match self {
            UnitSource::Tar(tar) => (tar.path(), tar.length),
            UnitSource::ClassFolders { root, bytes, .. } => (root.as_path(), *bytes),
        };
        Source { path: path.display().to_string(), bytes }
    }

    /// Reads one sample into `raw`, whose key, offset, url and caption are filled as far as they are known even
    /// where the sample is unusable.
    pub fn read(&self, index: usize, raw: &mut RawSample) -> Result<(), ReadFailure> {
        *raw = RawSample { image: std::mem::take(&mut raw.image), ..RawSample::default() };
        raw.image.clear();
        match self {
            UnitSource::Tar(tar) => read_from_tar(tar, index, raw),
            UnitSource::ClassFolders { root, files, .. } => {
                let (path, label) = &files[index];
                raw.key = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
                raw.label = Some(*label);
                raw.image = std::fs::read(path).map_err(|source| {
                    ReadFailure::Unit(ArchiveError::Open { path: path.clone(), source })
                })?;
                raw.offset = Some(0);
                Ok(())
            }
        }
    }

    /// What is wrong with the input as a whole, one sentence each.
    pub fn problems(&self) -> Vec<String> {
        match self {
            UnitSource::Tar(tar) => tar_problems(tar),
            UnitSource::ClassFolders { .. } => Vec::new(),
        }
    }
}

/// Why [`UnitSource::read`] gave no sample.
#[derive(Debug)]
pub enum ReadFailure {
    /// This sample is bad; the next one may be good.
    Sample(Unusable),
    /// The input cannot be read: the unit fails.
    Unit(ArchiveError),
}

fn unusable(reason: &'static str, detail: impl Into<String>) -> ReadFailure {
    ReadFailure::Sample(Unusable { reason, detail: detail.into() })
}

fn read_from_tar(tar: &TarIndex, index: usize, raw: &mut RawSample) -> Result<(), ReadFailure> {
    let entry = &tar.samples[index];
    raw.key = entry.key.clone();
    let first = entry.image.or_else(|| entry.members().min());
    raw.offset = first.map(|member| tar.member(member).data_offset);
    let mut bytes = Vec::new();
    if let Some(member) = entry.sidecar
        && read_member(tar, member, MAX_SIDECAR_BYTES, &mut bytes, "sidecar_too_large").is_ok()
    {
        match Sidecar::parse(&bytes) {
            Ok(sidecar) => raw.sidecar = sidecar,
            Err(_) => raw.repairs.push("sidecar_ignored"),
        }
    }
    match entry.caption {
        Some(member) => {
            read_member(tar, member, MAX_CAPTION_BYTES, &mut bytes, "caption_too_large")?;
            raw.caption = Some(text_of(&bytes, raw));
        }
        None => raw.caption = raw.sidecar.caption.take(),
    }
    if let Some(member) = entry.class {
        read_member(tar, member, MAX_CLASS_BYTES, &mut bytes, "bad_label")?;
        let text = String::from_utf8_lossy(&bytes);
        let label = text.trim().parse();
        raw.label =
            Some(label.map_err(|_| unusable("bad_label", format!("class `{}`", text.trim())))?);
    } else {
        raw.label = raw.sidecar.label;
    }
    if entry.ordinal > 0 {
        let detail = format!("sample {} of this key in the same tar", entry.ordinal + 1);
        return Err(unusable("duplicate_key", detail));
    }
    if entry.cut {
        return Err(unusable("cut", "the tar ends within this sample"));
    }
    let image = entry.image.ok_or_else(|| unusable("no_image", "no image member for this key"))?;
    let limit = u64::MAX; // the decoder's own limit is checked before anything is allocated
    if tar.member(image).size > super::sample::MAX_IMAGE_BYTES {
        let detail = format!("image of {} bytes", tar.member(image).size);
        return Err(unusable("too_large", detail));
    }
    read_member(tar, image, limit, &mut raw.image, "too_large")
}

/// Reads a member; what is wrong with the member itself is the sample's fault, a failing disk is not.
fn read_member(
    tar: &TarIndex,
    member: MemberId,
    limit_bytes: u64,
    bytes: &mut Vec<u8>,
    too_large: &'static str,
) -> Result<(), ReadFailure> {
    tar.read_member(member, limit_bytes, bytes).map_err(|error| match error {
        ArchiveError::MemberTooLarge { .. } => unusable(too_large, error.to_string()),
        ArchiveError::MemberCut { .. } => unusable("cut", error.to_string()),
        other => ReadFailure::Unit(other),
    })
}

/// A caption's text; bytes that are no UTF-8 become U+FFFD, and that is counted.
fn text_of(bytes: &[u8], raw: &mut RawSample) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            raw.repairs.push("caption_not_utf8");
            String::from_utf8_lossy(bytes).into_owned()
        }
    }
}

fn tar_problems(tar: &TarIndex) -> Vec<String> {
    let mut problems = Vec::new();
    for damage in &tar.damage {
        problems.push(format!(
            "{} bytes at offset {} are no tar member ({:?})",
            damage.bytes, damage.offset, damage.kind
        ));
    }
    match tar.end {
        TarEnd::Clean => {}
        TarEnd::MissingMark { offset } => {
            problems
                .push(format!("no end mark at offset {offset}: the tar may have been cut there"));
        }
        TarEnd::Truncated { offset } => problems.push(format!("cut off at offset {offset}")),
        TarEnd::Garbage { offset } => {
            problems.push(format!("bytes that are no tar member from offset {offset} to the end"));
        }
    }
    for loose in &tar.loose {
        let name = crate::archive::readable(&tar.member(loose.member).name);
        if !matches!(
            loose.reason,
            crate::archive::LooseReason::Directory | crate::archive::LooseReason::Meta
        ) {
            problems
                .push(format!("member `{name}` belongs to no sample ({})", loose.reason.name()));
        }
    }
    problems.extend(statistics_problem(tar.path(), tar.samples.len()));
    problems
}

/// img2dataset writes `00000_stats.json` beside `00000.tar`; its successes must be the samples of the tar.
fn statistics_problem(tar: &Path, samples: usize) -> Option<String> {
    let stem = tar.file_stem()?.to_str()?;
    let path = tar.with_file_name(format!("{stem}_stats.json"));
    let text = std::fs::read(&path).ok()?;
    let statistics: serde_json::Value = match serde_json::from_slice(&text) {
        Ok(value) => value,
        Err(error) => return Some(format!("{} cannot be read: {error}", path.display())),
    };
    let successes = statistics.get("successes")?.as_u64()?;
    (successes != samples as u64).then(|| {
        format!("{} says {successes} successes, the tar holds {samples} samples", path.display())
    })
}
