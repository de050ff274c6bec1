//! The only place that writes to the terminal.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is the Printer")]

use std::io::IsTerminal;
use std::time::Duration;

/// One line or block of data on stdout.
pub(crate) fn data(text: &str) {
    println!("{}", text.trim_end());
}

/// One line of talk on stderr: what is being done, and to what.
pub(crate) fn note(topic: &str, message: &str) {
    eprintln!("{topic}: {message}");
}

/// A command about to run, as a user would type it.
pub(crate) fn command(line: &str) {
    eprintln!("$ {line}");
}

/// The one message of a failed command.
pub(crate) fn error(message: &str) {
    eprintln!("error: {message}");
}

/// Whether a person sees progress bars; without one, long steps print a line now and then.
pub(crate) fn is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// `4.21 s`, `3 min 05 s`: three significant figures below a minute.
pub(crate) fn seconds(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    match seconds {
        ..9.995 => format!("{seconds:.2} s"),
        ..59.95 => format!("{seconds:.1} s"),
        _ => {
            let whole = seconds.round() as u64;
            format!("{} min {:02} s", whole / 60, whole % 60)
        }
    }
}

/// `531 MB`, `2.24 MB`: decimal megabytes with three significant figures.
pub(crate) fn megabytes(bytes: u64) -> String {
    let megabytes = bytes as f64 / 1e6;
    match megabytes {
        ..9.995 => format!("{megabytes:.2} MB"),
        ..99.95 => format!("{megabytes:.1} MB"),
        _ => format!("{megabytes:.0} MB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_figures_and_a_unit() {
        let cases = [(0.004, "0.00 s"), (9.99, "9.99 s"), (9.996, "10.0 s"), (59.96, "1 min 00 s")];
        for (value, text) in cases {
            assert_eq!(seconds(Duration::from_secs_f64(value)), text);
        }
        assert_eq!(seconds(Duration::from_secs(185)), "3 min 05 s");
        assert_eq!(megabytes(530_604_548), "531 MB");
        assert_eq!(megabytes(10_715_597), "10.7 MB");
        assert_eq!(megabytes(2_243_632), "2.24 MB");
    }
}
