//! Which row comes when: the order of a stage as a function of seed, epoch and manifest.
//!
//! ```text
//!  epoch     row groups in shuffled order, cut into windows of at least `window_rows` rows
//!  window    its rows, permuted                          <- what must be in memory at one time
//!  sample s  = row permutation(s - first sample of the window) of its window
//! ```
//! Cold storage is read a row group at a time and never row by row; rows of one row group are spread over
//! a window, and the windows' neighbours change from epoch to epoch.

use super::permutation::Permutation;

/// Rows of a window, at least: 16 thousand samples are 600 MB at 112 pixels, and eight row groups of 2,048 mix.
pub const WINDOW_ROWS: u32 = 16_384;

/// Most rows of one row group; more is a damaged manifest, and a window must stay countable in 32 bits.
pub(super) const MAX_GROUP_ROWS: u32 = 1 << 24;

/// Tells the draws of this module from others of the same seed.
const GROUPS_TAG: u64 = u64::from_be_bytes(*b"grporder");
const ROWS_TAG: u64 = u64::from_be_bytes(*b"roworder");

/// A row group of the data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct GroupRef {
    /// Place of its shard in the manifest.
    pub(super) shard: u32,
    /// Its number in the shard.
    pub(super) group: u32,
    /// Rows in it, at least 1.
    pub(super) rows: u32,
}

/// How rows follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sequence {
    /// Epoch after epoch, each in an order of its own.
    Shuffled {
        /// Picks the orders.
        seed: u64,
    },
    /// Once, as stored.
    Stored,
}

/// The order of all samples. Memory: 12 bytes a row group and 16 a window.
#[derive(Debug)]
pub(super) struct Order {
    groups: Vec<GroupRef>,
    sequence: Sequence,
    window_rows: u32,
    samples_per_epoch: u64,
}

/// A run of samples whose rows lie in a few row groups.
#[derive(Clone, Debug)]
pub(super) struct WindowPlan {
    /// The pass over the data set that it belongs to.
    pub(super) epoch: u64,
    /// Place of its first sample in the whole stage.
    pub(super) first_sample: u64,
    /// Its row groups; rows are numbered through them.
    pub(super) groups: Vec<GroupRef>,
    /// Row of each sample.
    pub(super) rows: Permutation,
}

impl Order {
    /// The order over `groups`, which are as stored; at least one of them, none empty.
    pub(super) fn new(groups: Vec<GroupRef>, sequence: Sequence, window_rows: u32) -> Order {
        let samples_per_epoch = groups.iter().map(|group| u64::from(group.rows)).sum();
        Order { groups, sequence, window_rows: window_rows.max(1), samples_per_epoch }
    }

    /// Does it end with the last row?
    pub(super) fn is_finite(&self) -> bool {
        self.sequence == Sequence::Stored
    }

    /// The windows from the one on that holds sample `start`: without end where shuffled, to the last row where
    /// stored.
    pub(super) fn windows(self, start: u64) -> Windows {
        let mut windows = Windows {
            epoch: start / self.samples_per_epoch.max(1),
            order: self,
            at: 0,
            first_sample: 0,
        };
        windows.first_sample = windows.epoch * windows.order.samples_per_epoch;
        windows.skip_to(start);
        windows
    }

    fn group_order(&self, epoch: u64) -> Permutation {
        let count = self.groups.len() as u32;
        match self.sequence {
            Sequence::Shuffled { seed } => Permutation::random(count, &[seed, GROUPS_TAG, epoch]),
            Sequence::Stored => Permutation::identity(count),
        }
    }

    fn row_order(&self, rows: u32, first_sample: u64) -> Permutation {
        match self.sequence {
            Sequence::Shuffled { seed } => {
                Permutation::random(rows, &[seed, ROWS_TAG, first_sample])
            }
            Sequence::Stored => Permutation::identity(rows),
        }
    }
}

/// Iterator over the windows of a stage.
#[derive(Debug)]
pub(super) struct Windows {
    order: Order,
    epoch: u64,
    /// Place of the next row group in the epoch's order.
    at: u32,
    first_sample: u64,
}

impl Windows {
    /// The next window's row groups and rows; stays where it is.
    fn peek(&self) -> (Vec<GroupRef>, u32) {
        let order = self.order.group_order(self.epoch);
        let (mut groups, mut rows) = (Vec::new(), 0);
        while rows < self.order.window_rows && self.at + (groups.len() as u32) < order.len() {
            let group = self.order.groups[order.at(self.at + groups.len() as u32) as usize];
            groups.push(group);
            rows += group.rows;
        }
        (groups, rows)
    }

    fn step(&mut self, groups: usize, rows: u32) {
        self.at += groups as u32;
        self.first_sample += u64::from(rows);
    }

    fn skip_to(&mut self, start: u64) {
        loop {
            let (groups, rows) = self.peek();
            if groups.is_empty() || self.first_sample + u64::from(rows) > start {
                return;
            }
            self.step(groups.len(), rows);
        }
    }
}

impl Iterator for Windows {
    type Item = WindowPlan;

    fn next(&mut self) -> Option<WindowPlan> {
        if self.at as usize == self.order.groups.len() {
            if self.order.sequence == Sequence::Stored || self.order.groups.is_empty() {
                return None;
            }
            (self.epoch, self.at) = (self.epoch + 1, 0);
        }
        let (groups, rows) = self.peek();
        let first_sample = self.first_sample;
        self.step(groups.len(), rows);
        let rows = self.order.row_order(rows, first_sample);
        Some(WindowPlan { epoch: self.epoch, first_sample, groups, rows })
    }
}

impl WindowPlan {
    /// The sample after the window's last one.
    pub(super) fn end_sample(&self) -> u64 {
        self.first_sample + u64::from(self.rows.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn groups(rows: &[u32]) -> Vec<GroupRef> {
        let place = |(index, &rows): (usize, &u32)| GroupRef {
            shard: index as u32 / 3,
            group: index as u32 % 3,
            rows,
        };
        rows.iter().enumerate().map(place).collect()
    }

    /// Samples as (shard, group, row), from `start` on.
    fn samples(
        rows: &[u32],
        sequence: Sequence,
        window: u32,
        start: u64,
        count: usize,
    ) -> Vec<(u32, u32, u32)> {
        let order = Order::new(groups(rows), sequence, window);
        let mut out = Vec::new();
        for plan in order.windows(start) {
            assert!(out.len() >= count || plan.end_sample() > start);
            for index in 0..plan.rows.len() {
                if plan.first_sample + u64::from(index) < start {
                    continue;
                }
                let mut row = plan.rows.at(index);
                let group = plan.groups.iter().find(|group| match row.checked_sub(group.rows) {
                    Some(rest) => {
                        row = rest;
                        false
                    }
                    None => true,
                });
                let group = group.unwrap();
                out.push((group.shard, group.group, row));
            }
            if out.len() >= count {
                break;
            }
        }
        out.truncate(count);
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_epoch_has_every_row_once_and_any_start_gives_the_same_tail(
            rows in prop::collection::vec(1u32..50, 1..20), window in 1u32..200, seed: u64, start in 0u64..3000,
        ) {
            let total: u32 = rows.iter().sum();
            let shuffled = Sequence::Shuffled { seed };
            let all = samples(&rows, shuffled, window, 0, 3 * total as usize);
            for epoch in all.chunks(total as usize) {
                let mut seen = epoch.to_vec();
                seen.sort_unstable();
                seen.dedup();
                prop_assert_eq!(seen.len(), total as usize);
            }
            let start = start % (2 * u64::from(total));
            let tail = samples(&rows, shuffled, window, start, total as usize);
            prop_assert_eq!(&all[start as usize..][..total as usize], &tail[..]);
        }

        #[test]
        fn the_stored_order_is_the_stored_order(
            rows in prop::collection::vec(1u32..50, 1..20), window in 1u32..200,
        ) {
            let seen = samples(&rows, Sequence::Stored, window, 0, usize::MAX);
            prop_assert_eq!(seen.len() as u32, rows.iter().sum::<u32>());
            prop_assert!(seen.is_sorted());
        }
    }

    #[test]
    fn epochs_and_seeds_differ() {
        let rows = [40, 40, 40, 7];
        let epochs = samples(&rows, Sequence::Shuffled { seed: 1 }, 64, 0, 2 * 127);
        assert_ne!(epochs[..127], epochs[127..]);
        let other = samples(&rows, Sequence::Shuffled { seed: 2 }, 64, 0, 127);
        assert_ne!(epochs[..127], other[..]);
    }

    #[test]
    fn windows_mix_row_groups() {
        let order = Order::new(groups(&[100; 30]), Sequence::Shuffled { seed: 3 }, 500);
        let windows: Vec<WindowPlan> = order.windows(0).take(6).collect();
        assert!(windows.iter().all(|window| window.rows.len() == 500 && window.groups.len() == 5));
        let row_group_of_first_samples: std::collections::BTreeSet<u32> =
            (0..20).map(|index| windows[0].rows.at(index) / 100).collect();
        assert!(row_group_of_first_samples.len() >= 4);
    }
}
