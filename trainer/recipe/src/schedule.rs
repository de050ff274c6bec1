//! The learning rate of every step.

use serde::{Deserialize, Serialize};

/// How a stage's learning rate goes on after the warm-up, as recipes say it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// Half a cosine from the peak to zero (open_clip's `cosine`).
    #[default]
    Cosine,
    /// The peak to the end (open_clip's `const`): a stage of unknown length.
    Constant,
    /// The peak, then a decay at the end (open_clip's `const-cooldown`).
    ConstantCooldown,
}

impl ScheduleKind {
    pub(crate) fn is_cosine(&self) -> bool {
        *self == ScheduleKind::Cosine
    }
}

/// Linear warm-up, then what [`Course`] says; open_clip's `cosine_lr`, `const_lr` and `const_lr_cooldown`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Learning rate at the end of the warm-up.
    pub peak: f64,
    /// Steps of warm-up; less than `total_steps`.
    pub warmup_steps: u64,
    /// Steps of the stage.
    pub total_steps: u64,
    /// What follows the warm-up.
    pub course: Course,
}

/// The learning rate after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Course {
    /// Half a cosine to zero.
    Cosine,
    /// None.
    Constant,
    /// None, until the last steps: there `end + (peak − end) · (1 − done)^power`.
    Cooldown {
        /// The last steps.
        steps: u64,
        /// 1 is a straight line.
        power: f64,
        /// Learning rate after the last step.
        end: f64,
    },
}

impl Schedule {
    /// The learning rate of a step, counted from 0: the first step has `peak / warmup_steps`, not zero.
    pub fn lr(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return self.peak * (step + 1) as f64 / self.warmup_steps as f64;
        }
        match self.course {
            Course::Cosine => {
                let part = part_done(step, self.warmup_steps, self.total_steps);
                self.peak * 0.5 * (1.0 + (std::f64::consts::PI * part).cos())
            }
            Course::Constant => self.peak,
            Course::Cooldown { steps, power, end } => {
                let begins = self.total_steps.saturating_sub(steps);
                if step < begins {
                    return self.peak;
                }
                let left = 1.0 - part_done(step, begins, self.total_steps);
                end + (self.peak - end) * left.powf(power)
            }
        }
    }
}

/// How much of the steps between two is done, from 0 to 1.
fn part_done(step: u64, begins: u64, ends: u64) -> f64 {
    let steps = ends.saturating_sub(begins).max(1);
    ((step - begins) as f64 / steps as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(course: Course) -> Schedule {
        Schedule { peak: 2.0, warmup_steps: 4, total_steps: 14, course }
    }

    #[test]
    fn it_warms_up_peaks_and_falls_to_zero() {
        let schedule = schedule(Course::Cosine);
        let rates: Vec<f64> = (0..15).map(|step| schedule.lr(step)).collect();
        assert_eq!(rates[..5], [0.5, 1.0, 1.5, 2.0, 2.0]);
        assert!((rates[9] - 1.0).abs() < 1e-12);
        assert!(rates[14].abs() < 1e-12);
        assert!(rates[4..].is_sorted_by(|a, b| a > b));
    }

    #[test]
    fn no_warm_up_starts_at_the_peak() {
        for course in [Course::Cosine, Course::Constant] {
            let schedule = Schedule { warmup_steps: 0, ..schedule(course) };
            assert_eq!(schedule.lr(0), 2.0);
        }
    }

    /// open_clip 3.3.0, `open_clip_train/scheduler.py`: base 1, 3 steps of warm-up, 12 steps; cooldown of 5 steps,
    /// straight to 0 and squared to 0.1 (`cargo xtask peers model` makes them anew).
    #[test]
    fn the_learning_rates_of_open_clip() {
        let cosine = [
            0.3333333333,
            0.6666666667,
            1.0000000000,
            1.0000000000,
            0.9698463104,
            0.8830222216,
            0.7500000000,
            0.5868240888,
            0.4131759112,
            0.2500000000,
            0.1169777784,
            0.0301536896,
        ];
        let constant = [
            0.3333333333,
            0.6666666667,
            1.0000000000,
            1.0000000000,
            1.0000000000,
            1.0000000000,
            1.0000000000,
            1.0000000000,
            1.0000000000,
            1.0000000000,
            1.0000000000,
            1.0000000000,
        ];
        let straight = [
            0.3333333333,
            0.6666666667,
            1.0000000000,
            1.0000000000,
            1.0000000000,
            1.0000000000,
            1.0000000000,
            1.0000000000,
            0.8000000000,
            0.6000000000,
            0.4000000000,
            0.2000000000,
        ];
        let squared = [
            0.3333333333,
            0.6666666667,
            1.0000000000,
            1.0000000000,
            1.0000000000,
            1.0000000000,
            1.0000000000,
            1.0000000000,
            0.6760000000,
            0.4240000000,
            0.2440000000,
            0.1360000000,
        ];
        let cooldown = |power, end| Course::Cooldown { steps: 5, power, end };
        for (course, rates) in [
            (Course::Cosine, cosine),
            (Course::Constant, constant),
            (cooldown(1.0, 0.0), straight),
            (cooldown(2.0, 0.1), squared),
        ] {
            let schedule = Schedule { peak: 1.0, warmup_steps: 3, total_steps: 12, course };
            for (step, rate) in rates.into_iter().enumerate() {
                let ours = schedule.lr(step as u64);
                assert!((ours - rate).abs() < 1e-9, "{course:?}, step {step}: {ours}");
            }
        }
    }
}
