//! Whether losses and gradients are what they should be: a number, and no spike.
//!
//! Asking after each step would make a GPU wait, so that each step's numbers stay on the device until somebody has to wait
//! anyway ([`Pending`]); what they say is then judged step by step, in their order ([`Watch`]). Nothing is judged by
//! when it is read: a continued run finds the same events at the same steps.

use std::collections::VecDeque;

use tch::{Device, Kind, Tensor};

use crate::optimizer::Tower;

/// Steps whose median a loss is compared with.
pub const WINDOW_STEPS: usize = 64;
/// Steps that must have been before a loss can be a spike.
const LEAST_STEPS: usize = 32;
/// A spike is at least so much above the median, in nats.
pub const SPIKE_NATS: f64 = 1.0;
/// And at least so many median absolute deviations.
pub const SPIKE_DEVIATIONS: f64 = 8.0;
/// Steps whose numbers may wait on the device.
const MAX_PENDING: usize = 1024;

/// What is known of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepNumbers {
    /// Steps that were done with it.
    pub step: u64,
    /// Its batch's loss.
    pub loss: f64,
    /// Norm of all gradients together, before clipping.
    pub grad_norm: f64,
    /// The same by tower, in the order of [`Tower::ALL`].
    pub by_tower: [f64; Tower::ALL.len()],
}

/// Numbers of steps that are still on the device.
#[derive(Debug, Default)]
pub struct Pending {
    waiting: Vec<(u64, Tensor)>,
}

/// Something that should not be.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What it is.
    pub kind: EventKind,
    /// The step, and what is known of it.
    pub numbers: StepNumbers,
    /// The median of the losses before it, where there were any.
    pub median_loss: Option<f64>,
    /// The tower whose gradient is no number, or grew most over its median; the first of equals.
    pub tower: Tower,
}

/// Kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A loss or gradient is no number, or infinite.
    NotANumber,
    /// A loss is far above those before it.
    Spike,
}

/// The steps before the one that is judged.
#[derive(Debug, Default)]
pub struct Watch {
    losses: VecDeque<f32>,
    norms: VecDeque<[f64; Tower::ALL.len()]>,
}

impl Pending {
    /// Remembers a step's loss, a scalar, and the norms of [`crate::optimizer::AdamW::step`].
    pub fn push(&mut self, step: u64, loss: &Tensor, norms: &Tensor) {
        let _no_grad = tch::no_grad_guard();
        let loss = loss.detach().to_kind(Kind::Float).reshape([1]);
        self.waiting.push((step, Tensor::cat(&[loss, norms.shallow_clone()], 0)));
    }

    /// Must they be read, lest there be too many?
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_PENDING
    }

    /// Waits for the device and takes the numbers, in the order of the steps.
    pub fn take(&mut self) -> Vec<StepNumbers> {
        if self.waiting.is_empty() {
            return Vec::new();
        }
        let (steps, tensors): (Vec<u64>, Vec<Tensor>) = self.waiting.drain(..).unzip();
        let columns = 2 + Tower::ALL.len();
        let rows = Tensor::stack(&tensors, 0).to_device(Device::Cpu).to_kind(Kind::Double);
        let mut values = vec![0f64; steps.len() * columns];
        rows.contiguous().copy_data(&mut values, steps.len() * columns);
        let row = |(step, row): (u64, &[f64])| StepNumbers {
            step,
            loss: row[0],
            grad_norm: row[1],
            by_tower: std::array::from_fn(|tower| row[2 + tower]),
        };
        steps.into_iter().zip(values.chunks_exact(columns)).map(row).collect()
    }
}

impl Watch {
    /// Goes on after these losses.
    pub fn after(losses: &[f32]) -> Watch {
        Watch { losses: losses.iter().copied().collect(), norms: VecDeque::new() }
    }

    /// The losses that the next one is compared with, at most [`WINDOW_STEPS`]: what a continuation needs.
    pub fn losses(&self) -> Vec<f32> {
        self.losses.iter().copied().collect()
    }

    /// The median of these losses; `None` where there is none.
    pub fn median_loss(&self) -> Option<f64> {
        median(self.losses.iter().map(|&loss| f64::from(loss)).collect())
    }

    /// Judges the next step and remembers it.
    pub fn judge(&mut self, numbers: StepNumbers) -> Option<Event> {
        let median_loss = self.median_loss();
        let all = [numbers.loss, numbers.grad_norm];
        let kind = match all.iter().chain(&numbers.by_tower).all(|number| number.is_finite()) {
            false => Some(EventKind::NotANumber),
            true => self.is_spike(numbers.loss).then_some(EventKind::Spike),
        };
        let event = kind.map(|kind| Event {
            kind,
            numbers,
            median_loss,
            tower: self.tower(&numbers.by_tower),
        });
        if kind != Some(EventKind::NotANumber) {
            push(&mut self.losses, numbers.loss as f32);
            push(&mut self.norms, numbers.by_tower);
        }
        event
    }

    fn is_spike(&self, loss: f64) -> bool {
        let Some(median_loss) = self.median_loss() else { return false };
        let deviations = self.losses.iter().map(|&loss| (f64::from(loss) - median_loss).abs());
        let deviation = median(deviations.collect()).unwrap_or_default();
        let threshold = median_loss + SPIKE_NATS.max(SPIKE_DEVIATIONS * deviation);
        self.losses.len() >= LEAST_STEPS && loss > threshold
    }

    fn tower(&self, norms: &[f64; Tower::ALL.len()]) -> Tower {
        let growth = |tower: usize| {
            let before = median(self.norms.iter().map(|norms| norms[tower]).collect());
            norms[tower] / before.unwrap_or(1.0).max(f64::MIN_POSITIVE)
        };
        let mut most = (0, f64::NEG_INFINITY);
        for tower in 0..norms.len() {
            let grown = if norms[tower].is_finite() { growth(tower) } else { f64::INFINITY };
            if grown > most.1 {
                most = (tower, grown);
            }
        }
        Tower::ALL[most.0]
    }
}

fn push<T>(window: &mut VecDeque<T>, value: T) {
    if window.len() == WINDOW_STEPS {
        window.pop_front();
    }
    window.push_back(value);
}

/// The middle one, the upper of two.
fn median(mut numbers: Vec<f64>) -> Option<f64> {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(step: u64, loss: f64) -> StepNumbers {
        StepNumbers { step, loss, grad_norm: 2.0, by_tower: [1.0, 1.5, 0.1] }
    }

    /// A watch over `steps` steps whose losses swing by a twentieth around 3.
    fn watched(steps: u64) -> Watch {
        let mut watch = Watch::default();
        for step in 1..=steps {
            let loss = 3.0 + 0.05 * if step % 2 == 0 { 1.0 } else { -1.0 };
            assert_eq!(watch.judge(numbers(step, loss)), None);
        }
        watch
    }

    #[test]
    fn a_spike_is_far_above_the_median_and_needs_steps_before_it() {
        let event = watched(40).judge(numbers(41, 4.2)).unwrap();
        assert_eq!((event.kind, event.numbers.step), (EventKind::Spike, 41));
        assert!((event.median_loss.unwrap() - 3.05).abs() < 1e-6);
        assert_eq!(watched(40).judge(numbers(41, 4.0)), None);
        assert_eq!(watched(31).judge(numbers(32, 9.0)), None);
    }

    #[test]
    fn noisy_losses_have_a_higher_threshold() {
        let mut watch = Watch::default();
        for step in 1..=50 {
            let _ = watch.judge(numbers(step, 3.0 + 0.5 * (step % 3) as f64));
        }
        assert_eq!(watch.judge(numbers(51, 6.5)), None);
        assert!(watch.judge(numbers(52, 8.0)).is_some());
    }

    #[test]
    fn what_is_no_number_is_an_event_at_once_and_names_its_tower() {
        let poisoned = StepNumbers { by_tower: [1.0, f64::NAN, 0.1], ..numbers(1, 3.0) };
        let event = Watch::default().judge(poisoned).unwrap();
        assert_eq!((event.kind, event.tower), (EventKind::NotANumber, Tower::Text));
        let infinite = StepNumbers { loss: f64::INFINITY, ..numbers(1, 3.0) };
        assert_eq!(Watch::default().judge(infinite).unwrap().kind, EventKind::NotANumber);
        let grown = StepNumbers { by_tower: [5.0, 2.0, 0.2], ..numbers(41, 9.0) };
        assert_eq!(watched(40).judge(grown).unwrap().tower, Tower::Vision);
    }

    #[test]
    fn a_continued_watch_judges_as_an_undisturbed_one() {
        let mut watch = Watch::after(&watched(100).losses());
        assert_eq!(watch.losses().len(), WINDOW_STEPS);
        assert_eq!(watch.judge(numbers(101, 3.05)), None);
        assert_eq!(watch.judge(numbers(102, 4.2)).unwrap().kind, EventKind::Spike);
    }

    #[test]
    fn numbers_come_back_from_the_device_in_order() {
        let mut pending = Pending::default();
        assert_eq!(pending.take(), []);
        for step in [4u64, 5] {
            let loss = Tensor::from(step as f32 / 2.0);
            pending.push(step, &loss, &Tensor::from_slice(&[2f32, 1.0, 1.5, 0.5]));
        }
        let taken = pending.take();
        let by_tower = [1.0, 1.5, 0.5];
        let expected = |step, loss| StepNumbers { step, loss, grad_norm: 2.0, by_tower };
        assert_eq!(taken, [expected(4, 2.0), expected(5, 2.5)]);
        assert_eq!(pending.take(), []);
    }
}
