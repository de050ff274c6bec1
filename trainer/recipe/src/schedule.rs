//! The learning rate of every step.

/// Linear warm-up, then half a cosine to zero (open_clip's `cosine_lr`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Learning rate at the end of the warm-up.
    pub peak: f64,
    /// Steps of warm-up; less than `total_steps`.
    pub warmup_steps: u64,
    /// Steps of the stage.
    pub total_steps: u64,
}

impl Schedule {
    /// The learning rate of a step, counted from 0: the first step has `peak / warmup_steps`, not zero.
    pub fn lr(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return self.peak * (step + 1) as f64 / self.warmup_steps as f64;
        }
        let decay_steps = self.total_steps.saturating_sub(self.warmup_steps).max(1);
        let part = (step - self.warmup_steps) as f64 / decay_steps as f64;
        self.peak * 0.5 * (1.0 + (std::f64::consts::PI * part.min(1.0)).cos())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_warms_up_peaks_and_falls_to_zero() {
        let schedule = Schedule { peak: 2.0, warmup_steps: 4, total_steps: 14 };
        let rates: Vec<f64> = (0..15).map(|step| schedule.lr(step)).collect();
        assert_eq!(rates[..5], [0.5, 1.0, 1.5, 2.0, 2.0]);
        assert!((rates[9] - 1.0).abs() < 1e-12);
        assert!(rates[14].abs() < 1e-12);
        assert!(rates[4..].is_sorted_by(|a, b| a > b));
    }

    #[test]
    fn no_warm_up_starts_at_the_peak() {
        assert_eq!(Schedule { peak: 1.0, warmup_steps: 0, total_steps: 10 }.lr(0), 1.0);
    }
}
