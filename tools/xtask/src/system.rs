//! What the system has to bring: a C++ compiler and a Python with pip.

use crate::child;
use anyhow::{Result, anyhow};
use clipa_talk::WithHint;
use std::ffi::OsString;
use std::process::Command;

/// What brings Python with its pip.
const INSTALL_PYTHON: &str = "sudo apt-get install python3-pip";

/// The C compiler: `CC`, or `cc`.
pub(crate) fn c_compiler() -> OsString {
    std::env::var_os("CC").unwrap_or_else(|| "cc".into())
}

/// # Errors
/// Names the package where the C or the C++ compiler is missing.
pub(crate) fn require_compiler() -> Result<()> {
    let cxx = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    for compiler in [c_compiler(), cxx] {
        if child::capture(Command::new(&compiler).arg("--version")).is_err() {
            return Err(anyhow!("the compiler {} does not run", compiler.display()))
                .hint("sudo apt-get install g++");
        }
    }
    Ok(())
}

/// # Errors
/// Names the package where Python 3 is missing.
pub(crate) fn python() -> Result<&'static str> {
    match child::capture(Command::new("python3").arg("--version")) {
        Ok(_) => Ok("python3"),
        Err(_) => Err(anyhow!("python3 does not run")).hint(INSTALL_PYTHON),
    }
}

/// # Errors
/// Names the package where Python 3 or its pip is missing.
pub(crate) fn python_with_pip() -> Result<&'static str> {
    let python = python()?;
    match child::capture(Command::new(python).args(["-m", "pip", "--version"])) {
        Ok(_) => Ok(python),
        Err(_) => Err(anyhow!("python3 has no pip")).hint(INSTALL_PYTHON),
    }
}
