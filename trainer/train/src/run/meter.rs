//! Rate and waiting between two records, and when a line for a person is due.

use std::time::{Duration, Instant};

/// Measures since the last record, and since the last line.
#[derive(Debug)]
pub(super) struct Meter {
    began: Instant,
    record: Window,
    line: Window,
    /// Time between two lines at most.
    line_every: Duration,
    is_first_line: bool,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    began: Instant,
    samples: u64,
    waited: Duration,
}

/// What the meter read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) samples_per_s: f64,
    pub(super) data_wait_percent: f64,
    pub(super) elapsed_s: f64,
}

impl Meter {
    pub(super) fn start(line_every: Duration) -> Meter {
        let now = Window::begin();
        Meter { began: now.began, record: now, line: now, line_every, is_first_line: true }
    }

    /// Runs `wait` on the clock of waiting.
    pub(super) fn wait<T>(&mut self, wait: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let value = wait();
        for window in [&mut self.record, &mut self.line] {
            window.waited += began.elapsed();
        }
        value
    }

    /// Runs what is no training, such as an evaluation: its time is in no rate.
    pub(super) fn pause<T>(&mut self, pause: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let value = pause();
        for window in [&mut self.record, &mut self.line] {
            window.began += began.elapsed();
        }
        value
    }

    pub(super) fn count(&mut self, samples: u64) {
        for window in [&mut self.record, &mut self.line] {
            window.samples += samples;
        }
    }

    /// Is a line due? The first step of a process has one, so that a person sees soon whether and how fast it goes.
    pub(super) fn line_is_due(&self) -> bool {
        self.is_first_line || self.line.began.elapsed() >= self.line_every
    }

    /// Reads what was since the last record, and begins anew.
    pub(super) fn read_record(&mut self) -> Reading {
        let reading = self.record.read(self.began);
        (self.record, self.line, self.is_first_line) = (Window::begin(), Window::begin(), false);
        reading
    }

    /// Reads what was since the last line, and begins a new one.
    pub(super) fn read_line(&mut self) -> Reading {
        let reading = self.line.read(self.began);
        (self.line, self.is_first_line) = (Window::begin(), false);
        reading
    }
}

impl Window {
    fn begin() -> Window {
        Window { began: Instant::now(), samples: 0, waited: Duration::ZERO }
    }

    fn read(&self, began: Instant) -> Reading {
        let seconds = self.began.elapsed().as_secs_f64().max(1e-9);
        Reading {
            samples_per_s: self.samples as f64 / seconds,
            data_wait_percent: 100.0 * self.waited.as_secs_f64() / seconds,
            elapsed_s: began.elapsed().as_secs_f64(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_step_has_a_line_and_then_time_decides() {
        let mut meter = Meter::start(Duration::from_secs(3600));
        meter.count(32);
        assert!(meter.line_is_due());
        meter.read_line();
        assert!(!meter.line_is_due());
        let mut meter = Meter::start(Duration::ZERO);
        meter.read_record();
        assert!(meter.line_is_due());
    }

    #[test]
    fn a_line_takes_nothing_from_the_next_record() {
        let mut meter = Meter::start(Duration::ZERO);
        meter.count(32);
        assert!(meter.read_line().samples_per_s > 0.0);
        assert_eq!(meter.read_line().samples_per_s, 0.0);
        meter.count(32);
        assert_eq!((meter.record.samples, meter.line.samples), (64, 32));
        meter.read_record();
        assert_eq!((meter.record.samples, meter.line.samples), (0, 0));
    }
}
