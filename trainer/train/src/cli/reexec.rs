//! The program executes itself again, with the environment that libtorch reads before `main`.

use std::{env, os::unix::process::CommandExt, process::Command};

/// How long a thread of libtorch's OpenMP spins for the others, in rounds, before it sleeps: tens of microseconds.
const SPINS: &str = "10000";

/// Restarts the program in its own process with a short OpenMP spin, unless the environment says how to wait.
///
/// libgomp spins for milliseconds by default, which is best on a machine that does nothing else. Where another program
/// wants the cores, a thread spins while the one that it waits for is not running: a training step was then 10 to 20
/// times slower (2 cores, load 13). libgomp reads the setting when it is loaded, before `main`, so that only a new
/// program image sees it; process id and arguments stay.
pub fn reexec_with_short_spin() {
    let settings = ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"];
    if settings.iter().any(|setting| env::var_os(setting).is_some()) {
        return;
    }
    if let Ok(program) = env::current_exe() {
        let mut words = env::args_os();
        let name = words.next().unwrap_or_else(|| program.clone().into_os_string());
        // Returns only where it failed; the program then goes on as it is.
        let _ = Command::new(&program).arg0(name).args(words).env("GOMP_SPINCOUNT", SPINS).exec();
    }
}
