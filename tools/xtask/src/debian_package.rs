//! A program out of a Debian or Ubuntu package, unpacked into `.deps/` without root.
//!
//! apt's own lists may be missing or old and only root may renew them, so apt gets a list folder of
//! ours; signatures are checked as for an installation.

use crate::wheel::preparation_folder;
use crate::{child, talk};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::Command;

/// The programs that this takes, all of dpkg's own system.
const NEEDED: [&str; 2] = ["apt-get", "dpkg"];

/// Unpacks the package so that `place` holds its `usr/` tree.
///
/// # Errors
/// Not a Debian system, no network, or no such package.
pub(crate) fn unpack(package: &str, place: &Path) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    for program in NEEDED {
        ensure!(child::find(program, &path).is_some(), "{program} is not there");
    }
    talk::note("tools", &format!("unpacking Debian's package {package}"));
    let folder = preparation_folder(place)?;
    for list in ["lists/partial", "cache/archives/partial", "tree"] {
        std::fs::create_dir_all(folder.join(list))?;
    }
    child::capture(apt_get(&folder).arg("update"))?;
    child::capture(apt_get(&folder).args(["download", package]))?;
    let archive = std::fs::read_dir(&folder)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .with_context(|| format!("apt-get downloaded no {package}"))?;
    child::capture(Command::new("dpkg").arg("-x").arg(archive).arg(folder.join("tree")))?;
    if place.exists() {
        std::fs::remove_dir_all(place)?;
    }
    std::fs::rename(folder.join("tree"), place)?;
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

fn apt_get(folder: &Path) -> Command {
    let mut apt_get = Command::new("apt-get");
    for (option, place) in [("Dir::State::Lists", "lists"), ("Dir::Cache", "cache")] {
        apt_get.arg("-o").arg(format!("{option}={}", folder.join(place).display()));
    }
    apt_get.args(["-o", "APT::Sandbox::User="]).current_dir(folder).env("LC_ALL", "C");
    apt_get
}
