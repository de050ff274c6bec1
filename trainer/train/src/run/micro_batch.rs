//! The micro-batch of a run: asked for, remembered, or found by trying.
//!
//! ```text
//! RUN/micro_batch.json    pairs of a micro-batch and the device that they were found on
//! ```
//! It changes no number but by rounding, so that a run may go on with another one; remembered, it changes none at all.

use std::{fmt, path::Path, str::FromStr};

use clipa_schemas::file;
use clipa_talk::figures;
use serde::{Deserialize, Serialize};

use super::{RunError, Training};
use crate::step::{self, Step};

/// Where a run remembers it.
pub const MICRO_BATCH: &str = "micro_batch.json";

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MicroBatch {
    /// The largest that fits.
    #[default]
    Auto,
    /// So many pairs, or the whole batch where that is smaller.
    Pairs(u64),
}

/// What was settled, and why, for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Pairs of a micro-batch.
    pub pairs: u64,
    batch: u64,
    why: &'static str,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remembered {
    micro_batch: u64,
    device: String,
}

impl FromStr for MicroBatch {
    type Err = String;

    fn from_str(text: &str) -> Result<MicroBatch, String> {
        match (text, text.parse()) {
            ("auto", _) => Ok(MicroBatch::Auto),
            (_, Ok(pairs)) if pairs > 0 => Ok(MicroBatch::Pairs(pairs)),
            _ => Err("a number of pairs, at least 1, or `auto`".to_owned()),
        }
    }
}

impl fmt::Display for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settled { pairs, batch, why } = self;
        if pairs >= batch {
            return write!(f, "the whole batch in one pass ({why})");
        }
        let (parts, pairs) = (figures::count(batch.div_ceil(*pairs)), figures::count(*pairs));
        write!(f, "{parts} micro-batches of at most {pairs} pairs ({why}), two passes")
    }
}

/// Settles the micro-batch of a training that is about to begin or to go on in the folder `run`, and remembers it there.
///
/// # Errors
/// [`RunError::Memory`] where nothing fits; the disk.
pub fn settle(asked: MicroBatch, training: &Training, run: &Path) -> Result<Settled, RunError> {
    let (batch, path) = (training.stage.batch, run.join(MICRO_BATCH));
    let device = format!("{:?}", training.device);
    let remembered = match path.is_file() {
        true => Some(file::read_json::<Remembered>(&path)?),
        false => None,
    };
    let (pairs, why) = match (asked, &remembered) {
        (MicroBatch::Pairs(pairs), _) => (pairs, "as asked for"),
        (MicroBatch::Auto, Some(there)) if there.device == device && there.micro_batch > 0 => {
            (there.micro_batch, "as the run had it")
        }
        (MicroBatch::Auto, _) => {
            let Training { model, stage, .. } = training;
            let step = Step::new(model, stage.precision, stage.recompute);
            let pairs = step::largest(step, stage).map_err(|why| RunError::Memory { why })?;
            (pairs, "the largest that fits")
        }
    };
    let pairs = pairs.min(batch);
    let now = Remembered { micro_batch: pairs, device };
    if (pairs < batch || remembered.is_some()) && remembered.as_ref() != Some(&now) {
        file::write_json(&path, &now)?;
    }
    Ok(Settled { pairs, batch, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_people() {
        let said = |pairs, batch| Settled { pairs, batch, why: "as asked for" }.to_string();
        assert_eq!(said(64, 64), "the whole batch in one pass (as asked for)");
        let many = "128 micro-batches of at most 512 pairs (as asked for), two passes";
        assert_eq!(said(512, 65_536), many);
    }

    #[test]
    fn a_number_or_auto() {
        assert_eq!("auto".parse(), Ok(MicroBatch::Auto));
        assert_eq!("17".parse(), Ok(MicroBatch::Pairs(17)));
        for wrong in ["0", "-3", "all", ""] {
            assert!(wrong.parse::<MicroBatch>().unwrap_err().contains("auto"), "{wrong}");
        }
    }
}
