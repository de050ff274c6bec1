//! A program that a test watches while it runs.

use crate::program::{Finished, Program};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

/// A program under way.
pub struct Running {
    child: Child,
    /// What it writes to stderr from here on.
    stderr: BufReader<ChildStderr>,
    line: String,
}

impl Program {
    /// Starts the program and waits for a line of its stderr that begins so.
    ///
    /// # Panics
    /// The program ended without such a line.
    pub fn runs_until_it_says(mut self, beginning: &str) -> Running {
        let line = self.shell_line();
        let command = self.command_mut().stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("stderr is a pipe"));
        let mut said = String::new();
        while !said.starts_with(beginning) {
            said.clear();
            let length = stderr.read_line(&mut said).expect("stderr can be read");
            assert_ne!(length, 0, "ended before it said `{beginning}`: {line}");
        }
        Running { child, stderr, line }
    }
}

impl Program {
    /// Starts the program, interrupts it as Ctrl-C does as soon as `reached` says so, and waits for its end.
    ///
    /// # Panics
    /// The program ended before that: the input is too small for this test.
    pub fn interrupted_when(mut self, mut reached: impl FnMut() -> bool) -> Finished {
        let line = self.shell_line();
        let command = self.command_mut().stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        while !reached() {
            let ended = child.try_wait().expect("a child can be asked");
            assert!(ended.is_none(), "ended before it could be interrupted: {line}");
            std::thread::yield_now();
        }
        let stderr = BufReader::new(child.stderr.take().expect("stderr is a pipe"));
        Running { child, stderr, line }.interrupted()
    }
}

impl Running {
    /// Kills it with SIGKILL.
    pub fn killed(mut self) {
        self.child.kill().expect("a running program can be killed");
        self.child.wait().expect("a killed program ends");
    }

    /// Interrupts it, as Ctrl-C does, and waits for its end; returns what it said after the interrupt.
    pub fn interrupted(self) -> Finished {
        self.send("-INT");
        self.ended()
    }

    /// Interrupts it twice at once. The second one is a SIGTERM, because two of a kind that wait together are one.
    pub fn interrupted_twice(self) -> Finished {
        self.send("-INT");
        self.send("-TERM");
        self.ended()
    }

    fn send(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &id]).status().expect("kill(1) is there");
        assert!(sent.success(), "no signal could be sent: {}", self.line);
    }

    fn ended(mut self) -> Finished {
        let mut stderr = Vec::new();
        self.stderr.read_to_end(&mut stderr).expect("stderr can be read");
        let status = self.child.wait().expect("an interrupted program ends");
        Finished::new(self.line, Output { status, stdout: Vec::new(), stderr })
    }
}
