//! Ctrl-C: the first one lets the program finish what it has in hand, the second one ends it at once.
//!
//! SIGTERM and SIGHUP count as Ctrl-C. What is on the disk is safe either way: files get their names only when
//! they are whole.

use std::{
    process,
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::Context;

use crate::{EXIT_INTERRUPTED, Printer};

/// Set by the first Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);
/// Set once Ctrl-C is caught.
static CAUGHT: AtomicBool = AtomicBool::new(false);

/// Catches Ctrl-C from now on. Returns the flag that the first one sets; it also says what happens then, such as
/// `stopping after this step`. The second one ends the process with [`EXIT_INTERRUPTED`].
///
/// A program that runs several jobs one after the other may ask again: it is told the same flag, and the first words stay.
///
/// # Errors
/// The system refuses, or something else in the process catches it.
pub fn catch(printer: &Printer, what_happens: &'static str) -> anyhow::Result<&'static AtomicBool> {
    catch_ending_by(printer, what_happens, process::exit)
}

/// As [`catch`], for a program that needs its own way to end at once: `end` takes the exit code.
///
/// [`process::exit`] runs what C and C++ libraries have registered for the end of a program, while other threads still
/// use these libraries.
///
/// # Errors
/// As for [`catch`].
pub fn catch_ending_by(
    printer: &Printer,
    what_happens: &'static str,
    end: fn(i32) -> !,
) -> anyhow::Result<&'static AtomicBool> {
    if CAUGHT.swap(true, Ordering::Relaxed) {
        return Ok(&STOP);
    }
    let printer = printer.clone();
    ctrlc::set_handler(move || {
        if STOP.swap(true, Ordering::Relaxed) {
            end(i32::from(EXIT_INTERRUPTED));
        }
        printer.say(format_args!("{what_happens}; press Ctrl-C again to stop at once"));
    })
    .context("Ctrl-C cannot be caught")?;
    Ok(&STOP)
}

#[cfg(test)]
mod tests {
    use std::{
        env,
        io::{BufRead, BufReader},
        process::{Child, Command, Stdio},
        thread,
    };

    use super::*;

    const NAME: &str = "interrupt::tests::the_first_one_is_polite_and_the_second_ends_the_program";
    const IS_CHILD: &str = "CLIPA_TALK_INTERRUPTED_CHILD";

    /// The program that is interrupted: it reports the flag, and then does not end by itself.
    fn child() -> ! {
        let printer = Printer::new();
        let stop = catch(&printer, "stopping soon").unwrap();
        assert!(std::ptr::eq(stop, catch(&printer, "asked again").unwrap()));
        printer.say("ready");
        while !stop.load(Ordering::Relaxed) {
            thread::yield_now();
        }
        printer.say("saw the flag");
        loop {
            thread::park();
        }
    }

    fn interrupt(child: &Child) {
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }

    #[test]
    fn the_first_one_is_polite_and_the_second_ends_the_program() {
        if env::var_os(IS_CHILD).is_some() {
            child();
        }
        let mut program = Command::new(env::current_exe().unwrap());
        program.args(["--exact", NAME, "--nocapture"]).env(IS_CHILD, "1");
        let mut child = program.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert_eq!(lines.next().as_deref(), Some("ready"));
        interrupt(&child);
        let mut said = [lines.next().unwrap(), lines.next().unwrap()];
        said.sort();
        let polite = "stopping soon; press Ctrl-C again to stop at once";
        assert_eq!(said, ["saw the flag", polite]);
        interrupt(&child);
        assert_eq!(child.wait().unwrap().code(), Some(i32::from(EXIT_INTERRUPTED)));
        assert_eq!(lines.next(), None);
    }
}
