//! One of the built programs, started with arguments, and what became of it.

use serde_json::Value;
use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A program that should have done something by then hangs.
const PATIENCE: Duration = Duration::from_secs(240);
/// Between two looks at a running program.
const POLL: Duration = Duration::from_millis(1);
/// `SIGKILL`, as a status reports it.
const SIGKILL: i32 = 9;

/// A program and its arguments, not yet started.
pub struct Program {
    command: Command,
}

/// A program that has ended.
pub struct Finished {
    line: String,
    output: Output,
}

/// `clipa-prep`.
pub fn prep<const N: usize>(arguments: [&str; N]) -> Program {
    Program::new("clipa-prep", arguments)
}

/// `clipa-inspect`.
pub fn inspect<const N: usize>(arguments: [&str; N]) -> Program {
    Program::new("clipa-inspect", arguments)
}

/// `clipa-train`.
pub fn train<const N: usize>(arguments: [&str; N]) -> Program {
    Program::new("clipa-train", arguments)
}

/// The folder of the built programs: that of this test program's `deps/`.
fn folder() -> PathBuf {
    test_program().ancestors().nth(2).expect("target/PROFILE/deps/TEST").to_path_buf()
}

fn test_program() -> PathBuf {
    std::env::current_exe().expect("a test program has a path")
}

/// A new empty folder beside the built programs for data that all tests of this program share. It stays
/// until the program runs again: a static is never dropped, and the system's folder would fill up.
pub fn lasting(name: &str) -> PathBuf {
    let program = test_program();
    let test = program.file_stem().expect("a test program has a name");
    let place = folder().join("clipa-tests").join(test).join(name);
    if place.exists() {
        std::fs::remove_dir_all(&place).expect("the last run's data can be removed");
    }
    std::fs::create_dir_all(&place).expect("a folder can be made beside the programs");
    place
}

impl Program {
    /// The program of that name with these arguments.
    ///
    /// # Panics
    /// The program has not been built.
    pub fn new<const N: usize>(name: &str, arguments: [&str; N]) -> Self {
        let path = folder().join(name);
        assert!(path.is_file(), "{} is missing: cargo build --release first", path.display());
        let mut command = Command::new(path);
        command.args(arguments).stdin(Stdio::null());
        Self { command }
    }

    /// Adds an argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Adds arguments.
    pub fn args<I: IntoIterator<Item: AsRef<OsStr>>>(mut self, arguments: I) -> Self {
        self.command.args(arguments);
        self
    }

    /// Sets the folder in which the program runs.
    pub fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs it with a fault of `tests/faults`: the variable that names it, and its value.
    ///
    /// # Panics
    /// The library has not been built.
    pub fn with_fault(mut self, variable: &str, value: &str) -> Self {
        let library = folder().join("libclipa_faults.so");
        let missing = || format!("{} is missing: cargo build --release first", library.display());
        assert!(library.is_file(), "{}", missing());
        self.command.env("LD_PRELOAD", library).env(variable, value);
        self
    }

    /// Sets a variable of its environment.
    pub fn with_variable(mut self, variable: &str, value: &str) -> Self {
        self.command.env(variable, value);
        self
    }

    /// Runs it with this umask, as in `027`.
    pub fn with_umask(self, mask: &str) -> Self {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("umask {mask}; exec {}", self.shell_line()));
        if let Some(folder) = self.command.get_current_dir() {
            command.current_dir(folder);
        }
        command.stdin(Stdio::null());
        Self { command }
    }

    /// Runs to the end, whatever that is.
    ///
    /// # Panics
    /// It hangs.
    pub fn within_time(mut self) -> Finished {
        self.command.stdout(Stdio::null()).stderr(Stdio::piped());
        let line = self.shell_line();
        let mut child = self.command.spawn().expect("the program starts");
        let start = Instant::now();
        while still_runs(&mut child) {
            if start.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("not ended after {PATIENCE:?}: {line}");
            }
            std::thread::sleep(POLL);
        }
        let output = child.wait_with_output().expect("a child that has ended");
        Finished { line, output }
    }

    /// The command for a POSIX shell.
    pub fn shell_line(&self) -> String {
        let words = std::iter::once(self.command.get_program()).chain(self.command.get_args());
        let quoted =
            words.map(|word| format!("'{}'", word.to_string_lossy().replace('\'', r"'\''")));
        quoted.collect::<Vec<_>>().join(" ")
    }

    /// Runs to the end.
    pub fn run(mut self) -> Finished {
        let output = self.command.output().expect("the program starts");
        Finished { line: self.shell_line(), output }
    }

    /// Runs to the end and expects exit code 0.
    pub fn succeeds(self) -> Finished {
        self.exits_with(0)
    }

    /// Runs to the end and expects this exit code, and no panic.
    pub fn exits_with(self, code: i32) -> Finished {
        self.run().has_code(code)
    }

    /// The command itself, for what starts the program in another way.
    pub(crate) fn command_mut(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Starts the program and kills it with SIGKILL as soon as `reached` says so.
    ///
    /// # Panics
    /// The program ended before that: the input is too small for this test.
    pub fn killed_when(mut self, mut reached: impl FnMut() -> bool) {
        self.command.stdout(Stdio::null()).stderr(Stdio::null());
        let line = self.shell_line();
        let mut child = self.command.spawn().expect("the program starts");
        let start = Instant::now();
        while !reached() {
            assert!(still_runs(&mut child), "ended before it could be killed: {line}");
            if start.elapsed() > PATIENCE {
                let _ = child.kill();
                panic!("not reached in {PATIENCE:?}: {line}");
            }
            std::thread::sleep(POLL);
        }
        child.kill().expect("a running program can be killed");
        let status = child.wait().expect("a killed program ends");
        assert_eq!(status.signal(), Some(SIGKILL), "ended before it was killed: {line}");
    }

    /// Starts the program, waits, and kills it with SIGKILL. False where it had ended before.
    pub fn killed_after(mut self, wait: Duration) -> bool {
        self.command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = self.command.spawn().expect("the program starts");
        std::thread::sleep(wait);
        child.kill().expect("a program can be killed, even one that has ended");
        child.wait().expect("a killed program ends").signal() == Some(SIGKILL)
    }
}

fn still_runs(child: &mut Child) -> bool {
    child.try_wait().expect("a child can be asked").is_none()
}

impl Finished {
    /// What became of the command of this shell line.
    pub(crate) fn new(line: String, output: Output) -> Self {
        Self { line, output }
    }

    /// Expects this exit code, and no panic.
    pub fn has_code(self, code: i32) -> Self {
        assert_eq!(self.output.status.code(), Some(code), "{}", self.account());
        assert!(!self.stderr().contains("panicked at"), "{}", self.account());
        self
    }

    /// Its exit code; `None` where a signal ended it.
    pub fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    /// Was it ended by SIGKILL?
    pub fn was_killed(&self) -> bool {
        self.output.status.signal() == Some(SIGKILL)
    }

    /// What it wrote to stdout.
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// What it wrote to stderr.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Its stdout as one JSON value.
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.output.stdout) {
            Ok(value) => value,
            Err(error) => panic!("stdout is not JSON ({error})\n{}", self.account()),
        }
    }

    /// Expects every one of these in stderr.
    pub fn says<const N: usize>(self, parts: [&str; N]) -> Self {
        for part in parts {
            assert!(self.stderr().contains(part), "stderr lacks {part:?}\n{}", self.account());
        }
        self
    }

    /// Command, status and output, for a failed assertion.
    pub fn account(&self) -> String {
        let Self { line, output } = self;
        format!(
            "$ {line}\n{}\n--- stdout\n{}\n--- stderr\n{}",
            output.status,
            self.stdout(),
            self.stderr()
        )
    }
}
