//! Ctrl-C: the first one lets the program finish what it has in hand, the second one ends it at once.
//!
//! SIGTERM and SIGHUP count as Ctrl-C. What is on the disk is safe either way: files get their names only when
//! they are whole.

use std::{
    process,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use anyhow::Context;

use crate::{EXIT_INTERRUPTED, Printer};

/// How long the last words may take: at once means at once, also where stderr is a pipe that nobody reads, or a disk does
/// not answer.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Set by the first Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);
/// Set once Ctrl-C is caught.
static CAUGHT: AtomicBool = AtomicBool::new(false);
/// Returns what the second Ctrl-C says, for the job that is under way.
type LastWords = Arc<dyn Fn() -> Option<String> + Send + Sync>;
static LAST_WORDS_OF_JOB: Mutex<Option<LastWords>> = Mutex::new(None);

/// Catches Ctrl-C from now on. Returns the flag that the first one sets; it also says what happens then, such as
/// `stopping after this step`. The second one ends the process with [`EXIT_INTERRUPTED`].
///
/// A program that runs several jobs one after the other may ask again: it is told the same flag, and only the last words of
/// [`catch_ending_by`] change.
///
/// # Errors
/// The system refuses, or something else in the process catches it.
pub fn catch(printer: &Printer, what_happens: &'static str) -> anyhow::Result<&'static AtomicBool> {
    catch_ending_by(printer, what_happens, || None, process::exit)
}

/// As [`catch`], for a program that needs its own way to end at once: `end` takes the exit code, after what `last_words`
/// returns was said.
///
/// [`process::exit`] runs what C and C++ libraries have registered for the end of a program, while other threads still
/// use these libraries.
///
/// # Errors
/// As for [`catch`].
pub fn catch_ending_by(
    printer: &Printer,
    what_happens: &'static str,
    last_words: impl Fn() -> Option<String> + Send + Sync + 'static,
    end: fn(i32) -> !,
) -> anyhow::Result<&'static AtomicBool> {
    *LAST_WORDS_OF_JOB.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(last_words));
    if CAUGHT.swap(true, Ordering::Relaxed) {
        return Ok(&STOP);
    }
    let printer = printer.clone();
    ctrlc::set_handler(move || {
        let printer = printer.clone();
        if !STOP.swap(true, Ordering::Relaxed) {
            let words = format!("{what_happens}; press Ctrl-C again to stop at once");
            // On a thread of its own: where it cannot be said, the second one has to be heard all the same.
            let _ = thread::Builder::new().spawn(move || printer.say(words));
            return;
        }
        let (said, is_said) = mpsc::channel();
        let _ = thread::Builder::new().spawn(move || {
            let job = LAST_WORDS_OF_JOB.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(words) = job.and_then(|last_words| last_words()) {
                printer.say(words);
            }
            let _ = said.send(()); // too late where nobody waits any more
        });
        let _ = is_said.recv_timeout(LAST_WORDS);
        end(i32::from(EXIT_INTERRUPTED));
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
