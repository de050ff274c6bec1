//! Progress: a bar on a terminal, elsewhere a line every half minute.

use std::{
    fmt,
    sync::Mutex,
    time::{Duration, Instant},
};

use clipa_pool::lock;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::{Printer, figures};

/// Time between two lines where stderr is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Things, named in the plural.
    Things(&'static str),
    /// Bytes, shown as sizes.
    Bytes,
}

impl From<&'static str> for Counted {
    fn from(things: &'static str) -> Counted {
        Counted::Things(things)
    }
}

/// How far a job has come; shared by the threads that do it. Dropping it removes the bar.
pub struct Progress<'p> {
    printer: &'p Printer,
    doing: String,
    unit: Counted,
    started: Instant,
    bar: Option<ProgressBar>,
    lines: Mutex<Lines>,
}

struct Lines {
    done: u64,
    total: u64,
    last: Instant,
}

impl Printer {
    /// Starts to show progress through `total` things of a kind (`"images"`), or bytes.
    pub fn progress(&self, doing: &str, unit: impl Into<Counted>, total: u64) -> Progress<'_> {
        Progress::start(self, doing, unit.into(), total)
    }
}

impl<'p> Progress<'p> {
    pub(crate) fn start(printer: &'p Printer, doing: &str, unit: Counted, total: u64) -> Self {
        let bar = printer.talk_is_terminal().then(|| {
            let template = match unit {
                Counted::Things(things) => {
                    format!(
                        "{{msg}} {{wide_bar}} {{human_pos}}/{{human_len}} {things}, {{speed}}, {{eta}}"
                    )
                }
                Counted::Bytes => {
                    "{msg} {wide_bar} {decimal_bytes}/{decimal_total_bytes}, {speed}, {eta}".to_owned()
                }
            };
            let speed = move |state: &ProgressState, out: &mut dyn fmt::Write| {
                let speed = match unit {
                    Counted::Things(_) => figures::significant(state.per_sec()),
                    Counted::Bytes => figures::bytes(state.per_sec() as u64),
                };
                // writing to a line in memory does not fail
                let _ = write!(out, "{speed}/s");
            };
            // A template that does not parse is no reason to lose the run: the default bar shows.
            let style = ProgressStyle::with_template(&template)
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .with_key("speed", speed);
            let bar = printer.add_bar(ProgressBar::new(total).with_style(style));
            bar.set_message(doing.to_owned());
            bar
        });
        let started = Instant::now();
        let lines = Mutex::new(Lines { done: 0, total, last: started });
        Progress { printer, doing: doing.to_owned(), unit, started, bar, lines }
    }

    /// Counts `number` more as done.
    pub fn advance(&self, number: u64) {
        let mut lines = lock(&self.lines);
        lines.done += number;
        if let Some(bar) = &self.bar {
            bar.set_position(lines.done);
        } else if lines.last.elapsed() >= LINE_EVERY {
            lines.last = Instant::now();
            self.printer.say(self.line(lines.done, lines.total));
        }
    }

    /// Says that there are `total` to do, as far as is known now.
    pub fn expect(&self, total: u64) {
        lock(&self.lines).total = total;
        if let Some(bar) = &self.bar {
            bar.set_length(total);
        }
    }

    fn line(&self, done: u64, total: u64) -> String {
        let doing = &self.doing;
        let share = figures::percent(done, total);
        let elapsed = self.started.elapsed();
        match self.unit {
            Counted::Things(things) => {
                let speed = figures::rate(done, things, elapsed);
                let (done, total) = (figures::count(done), figures::count(total));
                format!("{doing}: {done} of {total} {things} ({share}), {speed}")
            }
            Counted::Bytes => {
                let speed = done as f64 / elapsed.as_secs_f64().max(1e-9);
                let speed = figures::bytes(speed as u64);
                let (done, total) = (figures::bytes(done), figures::bytes(total));
                format!("{doing}: {done} of {total} ({share}), {speed}/s")
            }
        }
    }
}

impl Drop for Progress<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            self.printer.remove_bar(bar);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_job_leaves_no_line_and_a_long_one_does() {
        let (printer, captured) = Printer::captured();
        let progress = printer.progress("drawing", "images", 200);
        progress.advance(50);
        assert_eq!(captured.talk(), "");
        let before = Instant::now().checked_sub(LINE_EVERY).expect("the machine is up for 30 s");
        lock(&progress.lines).last = before;
        progress.advance(50);
        assert!(
            captured.talk().starts_with("drawing: 100 of 200 images (50.0 %), "),
            "{}",
            captured.talk()
        );
    }
}
