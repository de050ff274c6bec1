//! Where the time of an ingest goes, stage by stage.

use std::time::{Duration, Instant};

/// The stages of a sample's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the tar into memory.
    Read,
    /// Cleaning, tokens, tags.
    Text,
    /// Image file to pixels.
    Decode,
    /// Pixels to every stored size.
    Resize,
    /// SHA-256 of the image file.
    Hash,
    /// Rows to the shard on disk.
    Write,
}

/// Processor time of each stage, summed over threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct StageTimes([Duration; 6]);

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Stage; 6] =
        [Stage::Read, Stage::Text, Stage::Decode, Stage::Resize, Stage::Hash, Stage::Write];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Read => "read",
            Stage::Text => "text",
            Stage::Decode => "decode",
            Stage::Resize => "resize",
            Stage::Hash => "hash",
            Stage::Write => "write",
        }
    }
}

impl StageTimes {
    /// Adds the time since `started`; returns the present, where the next stage starts.
    pub fn add(&mut self, stage: Stage, started: Instant) -> Instant {
        let now = Instant::now();
        self.0[stage as usize] += now - started;
        now
    }

    /// Adds another thread's times.
    pub fn merge(&mut self, other: &StageTimes) {
        self.0.iter_mut().zip(other.0).for_each(|(mine, theirs)| *mine += theirs);
    }

    /// Time of one stage.
    pub fn of(&self, stage: Stage) -> Duration {
        self.0[stage as usize]
    }

    /// The stage that took most.
    pub fn bottleneck(&self) -> Stage {
        Stage::ALL.into_iter().max_by_key(|&stage| self.of(stage)).unwrap_or(Stage::Read)
    }
}
