//! Which checkpoints stay when a new one is complete.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{CheckpointError, STATE, State, list, results};

/// The metric that every run has: the median of the last steps' losses, the lower the better.
pub const LOSS: &str = "loss";

/// The rules; what one of them keeps stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// So many of the newest ones, at least 1.
    pub last: u64,
    /// The first one at or after every so many samples, for ever.
    pub every_samples: Option<u64>,
    /// The best one by this metric: [`LOSS`], or words that name a number of `results.jsonl`, as in `imagenet acc1`.
    pub best: Option<String>,
    /// Pairs of a step.
    pub batch: u64,
}

impl Keep {
    /// The newest ones alone.
    pub fn last(last: u64) -> Keep {
        Keep { last, every_samples: None, best: None, batch: 1 }
    }

    /// The checkpoints of a run that no rule keeps.
    ///
    /// # Errors
    /// [`CheckpointError::Io`]; states or results that can't be read.
    pub(super) fn superfluous(&self, run: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
        let there = list(run)?;
        let steps: Vec<u64> = there.iter().map(|(step, _)| *step).collect();
        let values = match &self.best {
            Some(metric) if there.len() as u64 > self.last => values(run, metric, &there)?,
            _ => BTreeMap::new(),
        };
        let lower_is_better = self.best.as_deref().is_some_and(is_loss);
        let kept = self.kept(&steps, &values, lower_is_better);
        let superfluous = there.into_iter().filter(|(step, _)| !kept.contains(step));
        Ok(superfluous.map(|(_, folder)| folder).collect())
    }

    /// Of these steps, in order, those that stay.
    fn kept(&self, steps: &[u64], values: &BTreeMap<u64, f64>, lower_is_better: bool) -> Vec<u64> {
        let mut kept: Vec<u64> =
            steps.iter().rev().take(self.last.max(1) as usize).copied().collect();
        if let Some(every) = self.every_samples {
            let mut reached = 0;
            for &step in steps {
                let multiple = step * self.batch / every.max(1);
                if multiple > reached {
                    kept.push(step);
                }
                reached = reached.max(multiple);
            }
        }
        let sign = if lower_is_better { -1.0 } else { 1.0 };
        let rated = steps.iter().filter_map(|step| Some((*step, sign * values.get(step)?)));
        // The earlier one of equals.
        let best = rated.fold(None, |best: Option<(u64, f64)>, (step, value)| match best {
            Some((_, most)) if most >= value || value.is_nan() => best,
            _ => Some((step, value)),
        });
        kept.extend(best.map(|(step, _)| step));
        kept
    }
}

/// Is less better by this metric? Its last word says so.
fn is_loss(metric: &str) -> bool {
    metric.split_whitespace().next_back().is_some_and(|word| word.ends_with(LOSS))
}

/// The metric at each checkpoint that has it.
fn values(
    run: &Path,
    metric: &str,
    there: &[(u64, PathBuf)],
) -> Result<BTreeMap<u64, f64>, CheckpointError> {
    if metric != LOSS {
        return results::by_step(run, metric);
    }
    let mut values = BTreeMap::new();
    for (step, folder) in there {
        let losses = State::read(&folder.join(STATE))?.recent_losses;
        if let Some(median) = crate::watch::Watch::after(&losses).median_loss() {
            values.insert(*step, median);
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(keep: &Keep, steps: &[u64], values: &[(u64, f64)], lower: bool) -> Vec<u64> {
        let mut kept = keep.kept(steps, &values.iter().copied().collect(), lower);
        kept.sort_unstable();
        kept.dedup();
        kept
    }

    #[test]
    fn each_rule_keeps_its_own() {
        let steps = [10, 20, 30, 40, 50, 60];
        assert_eq!(kept(&Keep::last(2), &steps, &[], false), [50, 60]);
        assert_eq!(kept(&Keep::last(0), &steps, &[], false), [60]);
        // 4 pairs a step: 40, 80, 120, ... samples; every 100 are first reached at 30 and 50.
        let every = Keep { every_samples: Some(100), batch: 4, ..Keep::last(1) };
        assert_eq!(kept(&every, &steps, &[], false), [30, 50, 60]);
        let best = Keep { best: Some("top1".to_owned()), ..Keep::last(1) };
        let values = [(10, 0.1), (20, 0.3), (30, 0.3), (40, f64::NAN)];
        assert_eq!(kept(&best, &steps, &values, false), [20, 60]);
        assert_eq!(kept(&best, &steps, &values, true), [10, 60]);
    }

    /// What was kept once is kept at every later checkpoint, too.
    #[test]
    fn every_so_many_samples_is_for_ever() {
        let every = Keep { every_samples: Some(100), batch: 4, ..Keep::last(1) };
        let mut there = Vec::new();
        for step in (10..=200).step_by(10) {
            there.push(step);
            there = kept(&every, &there, &[], false);
        }
        let first_of_each: Vec<u64> = vec![30, 50, 80, 100, 130, 150, 180, 200];
        assert_eq!(there, first_of_each);
    }

    #[test]
    fn losses_are_better_when_lower() {
        assert!(is_loss("loss") && is_loss("shapes val_loss") && !is_loss("imagenet acc1"));
    }
}
