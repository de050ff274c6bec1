//! Starting other programs, and saying which one failed.

use crate::talk;
use anyhow::{Context, Result, bail};
use clipa_talk::{figures, shell};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Between two signs of life of a long step where no terminal shows a progress bar.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);
/// Between two looks at whether a child has ended.
const POLL: Duration = Duration::from_millis(50);
/// The end of a failed program's output that its error message repeats.
const SHOWN_LINES_MAX: usize = 20;

/// Runs a program that may be silent for minutes, its stdout to our stderr (it is talk). Where no
/// terminal shows its progress bar, a line now and then says that it still runs.
///
/// # Errors
/// The program could not be started, or ended with anything but success.
pub(crate) fn run_silent(topic: &str, command: &mut Command) -> Result<()> {
    command.stdout(std::io::stderr());
    let mut child = spawn(command)?;
    let status = wait(topic, &mut child)?;
    check(command, status, "")
}

/// Runs a program that shows its own progress; stdout goes where the caller pointed it, or where ours goes.
///
/// # Errors
/// The program could not be started, or ended with anything but success.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = spawn(command)?.wait()?;
    check(command, status, "")
}

/// Runs to the end and returns stdout; stderr appears only in the error.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    command.stdin(Stdio::null());
    let output = command.output().with_context(|| format!("cannot start `{}`", line(command)))?;
    check(command, output.status, &String::from_utf8_lossy(&output.stderr))?;
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` printed something that is not UTF-8", line(command)))
}

fn spawn(command: &mut Command) -> Result<Child> {
    command.stdin(Stdio::null());
    command.spawn().with_context(|| format!("cannot start `{}`", line(command)))
}

fn wait(topic: &str, child: &mut Child) -> Result<ExitStatus> {
    if talk::printer().talk_is_terminal() {
        return Ok(child.wait()?);
    }
    let start = Instant::now();
    let mut next_sign = SIGN_OF_LIFE;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if start.elapsed() >= next_sign {
            talk::note(topic, &format!("still running, {}", figures::time(start.elapsed())));
            next_sign += SIGN_OF_LIFE;
        }
        std::thread::sleep(POLL);
    }
}

fn check(command: &Command, status: ExitStatus, talk: &str) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let lines: Vec<&str> = talk.lines().collect();
    let shown = lines[lines.len().saturating_sub(SHOWN_LINES_MAX)..].join("\n");
    let separator = if shown.is_empty() { "" } else { ":\n" };
    bail!("`{}` failed ({status}){separator}{shown}", line(command))
}

/// The command as a user would type it: programs that were found for us appear by name.
pub(crate) fn line(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().filter(|_| program.is_absolute());
    let first = name.unwrap_or(command.get_program());
    shell::command_line(std::iter::once(first).chain(command.get_args()))
}

/// The first executable file of that name in the folders of a PATH.
pub(crate) fn find(program: &str, path: &OsStr) -> Option<PathBuf> {
    std::env::split_paths(path).map(|folder| folder.join(program)).find(|file| is_executable(file))
}

fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|entry| entry.is_file() && entry.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_can_be_pasted_into_a_shell() {
        let mut command = Command::new("clipa-prep");
        command.args(["--output", "my data", "it's", "", "a/b-1.tar"]);
        assert_eq!(line(&command), r"clipa-prep --output 'my data' 'it'\''s' '' a/b-1.tar");
        assert_eq!(line(&Command::new("/toolchains/1.95/bin/cargo")), "cargo");
        assert_eq!(line(&Command::new("target/release/clipa-prep")), "target/release/clipa-prep");
    }

    #[test]
    fn a_failure_names_the_command_and_its_last_words() {
        let error = capture(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("exit 3") && message.ends_with("why"), "{message}");
    }

    #[test]
    fn a_program_is_found_in_path_order_and_only_if_executable() {
        let folder = std::env::temp_dir().join(format!("xtask-find-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("sh"), "not executable").unwrap();
        let path = std::env::join_paths([folder.as_path(), Path::new("/bin")]).unwrap();
        assert_eq!(find("sh", &path), Some(PathBuf::from("/bin/sh")));
        assert_eq!(find("no-such-program", &path), None);
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
