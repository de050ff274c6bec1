//! Which of an image's captions a sample shows.

use clipa_recipe::Captions as Wanted;
use clipa_schemas::{random::Random, shard::Captions, text::StoredText};

/// Tells the draws of this module from others of the same seed.
const CAPTION_TAG: u64 = u64::from_be_bytes(*b"captions");

/// What a stage wants, and the seed of its draws.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    wanted: Wanted,
    seed: u64,
}

/// A caption that was chosen.
pub(super) struct Chosen<'a> {
    pub(super) text: StoredText<'a>,
    /// The image has several captions, and none of the sources that are named: this is the first.
    pub(super) is_fallback: bool,
}

impl Choice {
    pub(super) fn new(wanted: &Wanted, seed: u64) -> Choice {
        Choice { wanted: wanted.clone(), seed }
    }

    /// The caption of a row of the data set in an epoch: a function of these two and the seed, so that neither order nor
    /// interruption changes it.
    pub(super) fn of<'a>(&self, captions: &Captions<'a>, epoch: u64, row: u64) -> Chosen<'a> {
        let count = captions.len();
        let mut random = Random::from_parts(&[self.seed, CAPTION_TAG, epoch, row]);
        let place = match &self.wanted {
            _ if count == 1 => Some(0),
            Wanted::First => Some(0),
            Wanted::Random => Some(random.below(count as u64) as usize),
            Wanted::BySource(weights) => {
                let weight = |source: &str| weights.get(source).copied().unwrap_or_default();
                by_source(captions, weight, &mut random)
            }
        };
        Chosen { text: captions.get(place.unwrap_or(0)), is_fallback: place.is_none() }
    }
}

/// Draws a source by its weight, then one of its captions. A caption's share is its source's weight divided by the
/// captions of that source, so one draw does both.
fn by_source(
    captions: &Captions<'_>,
    weight: impl Fn(&str) -> f64,
    random: &mut Random,
) -> Option<usize> {
    let of_source = |wanted| {
        (0..captions.len()).filter(|&caption| captions.source(caption) == Some(wanted)).count()
    };
    let share = |caption: usize| {
        let source = captions.source(caption)?;
        Some(weight(source) / of_source(source) as f64)
    };
    let shares: Vec<f64> =
        (0..captions.len()).map(|caption| share(caption).unwrap_or_default()).collect();
    let mut left = random.unit() * shares.iter().sum::<f64>();
    let mut last = None;
    for (caption, &share) in shares.iter().enumerate().filter(|&(_, &share)| share > 0.0) {
        if left < share {
            return Some(caption);
        }
        left -= share;
        // what rounding leaves over belongs to the last one
        last = Some(caption);
    }
    last
}
