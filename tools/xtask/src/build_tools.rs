//! What the build needs besides Rust: a C++ compiler, and for libjpeg-turbo cmake, make and nasm.
//!
//! The three are taken from PATH, else from `.deps/tools/`, where they are fetched to once: cmake from
//! its Python wheel, make and nasm from Debian's packages. (The package index's `nasm` is another
//! program.) What cannot be fetched is named with the one command that installs it.

use crate::wheel::{Wheel, preparation_folder};
use crate::workspace::Workspace;
use crate::{child, debian_package, libtorch, system, talk};
use anyhow::{Result, anyhow};
use clipa_talk::{WithHint, shell};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

static CMAKE: Wheel = Wheel {
    requirement: "cmake==4.4.4",
    file: "cmake-4.4.4-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
    sha256: "f773a0544c66370408f451acd487c2c643b0dfebb48c5d64f3638bc1bb820238",
    bytes: 30_245_729,
    members: &[
        ("cmake/data/bin/cmake", "bin/cmake"),
        ("cmake/data/share/cmake-4.4/Modules/", "share/cmake-4.4/Modules/"),
        ("cmake/data/share/cmake-4.4/Templates/", "share/cmake-4.4/Templates/"),
    ],
};

/// Where a missing program comes from.
enum Source {
    Wheel(&'static Wheel),
    DebianPackage,
}

struct BuildTool {
    /// The program, which Debian's package is named after too.
    name: &'static str,
    source: Source,
    /// The folder of the program under `.deps/tools/NAME`.
    folder: &'static str,
}

static BUILD_TOOLS: [BuildTool; 3] = [
    BuildTool { name: "cmake", source: Source::Wheel(&CMAKE), folder: "bin" },
    BuildTool { name: "make", source: Source::DebianPackage, folder: "usr/bin" },
    BuildTool { name: "nasm", source: Source::DebianPackage, folder: "usr/bin" },
];

/// Makes all that a build needs available, fetched where it is missing, and returns its PATH.
///
/// # Errors
/// No C++ compiler, or something that is neither there nor could be fetched.
pub(crate) fn prepare(workspace: &Workspace) -> Result<OsString> {
    // The small things first: what cannot be had is said before half a gigabyte is fetched.
    let path = build_path(workspace)?;
    libtorch::provide(workspace, false)?;
    Ok(path)
}

/// The PATH with the build tools.
fn build_path(workspace: &Workspace) -> Result<OsString> {
    system::require_compiler()?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = Vec::new();
    let mut missing = Vec::new();
    for tool in &BUILD_TOOLS {
        if child::find(tool.name, &path).is_some() {
            continue;
        }
        match tool.provide(workspace) {
            Ok(folder) => folders.push(folder),
            Err(error) => {
                talk::note("tools", &format!("{} could not be fetched: {error:#}", tool.name));
                missing.push(tool.name);
            }
        }
    }
    if !missing.is_empty() {
        return Err(anyhow!("not there: {}", missing.join(", ")))
            .hint(format!("sudo apt-get install {}", missing.join(" ")));
    }
    // Behind the user's own folders: only what they lack is taken from here.
    Ok(std::env::join_paths(std::env::split_paths(&path).chain(folders))?)
}

impl BuildTool {
    fn provide(&self, workspace: &Workspace) -> Result<PathBuf> {
        let place = workspace.deps().join("tools").join(self.name);
        let folder = place.join(self.folder);
        if self.is_in(&folder) {
            return Ok(folder);
        }
        let _lock = workspace.lock_deps()?;
        if self.is_in(&folder) {
            return Ok(folder);
        }
        talk::note("tools", &format!("{} is not on PATH; fetching it, once", self.name));
        match self.source {
            Source::Wheel(wheel) => {
                let checked = wheel.provide(workspace)?;
                let prepared = preparation_folder(&place)?;
                checked.unpack(&prepared)?;
                std::fs::rename(&prepared, &place)?;
                checked.discard()?;
            }
            Source::DebianPackage => debian_package::unpack(self.name, &place)?,
        }
        child::capture(Command::new(folder.join(self.name)).arg("--version"))?;
        talk::note("tools", &format!("{} is in {}", self.name, folder.display()));
        Ok(folder)
    }

    fn is_in(&self, folder: &Path) -> bool {
        child::find(self.name, folder.as_os_str()).is_some()
    }
}

/// The lines that a shell evaluates so that a plain `cargo build` works: `eval "$(cargo xtask env)"`.
pub(crate) fn print_environment(workspace: &Workspace) -> Result<()> {
    let path = build_path(workspace)?;
    let libtorch = libtorch::provide(workspace, false)?;
    let (libtorch, path) = (shell::quoted(libtorch), shell::quoted(path));
    talk::printer().data(format_args!("export LIBTORCH={libtorch}\nexport PATH={path}"));
    Ok(())
}
