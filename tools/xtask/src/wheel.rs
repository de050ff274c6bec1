//! Pinned Python wheels as the source of prebuilt programs and libraries: fetched by `pip download`,
//! believed only with the right SHA-256, unpacked in part.

use crate::workspace::Workspace;
use crate::{child, system, talk};
use anyhow::{Context, Result, anyhow, bail};
use clipa_talk::{WithHint, figures};
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// A folder of wheels that were fetched elsewhere, for a machine without a network.
pub(crate) const WHEELS_VARIABLE: &str = "XTASK_WHEELS";

/// Platform tags of the wheels below, newest first: pip takes exactly what is named.
const PLATFORMS: [&str; 4] = [
    "manylinux_2_28_x86_64",
    "manylinux_2_25_x86_64",
    "manylinux_2_17_x86_64",
    "manylinux2014_x86_64",
];
/// Read buffer of the checksum.
const HASH_BUFFER_BYTES: usize = 1 << 20;
/// The script that unpacks; Python is there because pip is.
const UNPACK: &str = include_str!("unpack_wheel.py");

/// One file of the package index, by name, version and content.
pub(crate) struct Wheel {
    /// The package and its exact version, as pip takes it.
    pub(crate) requirement: &'static str,
    /// The file's name.
    pub(crate) file: &'static str,
    /// The file's SHA-256 in hexadecimal.
    pub(crate) sha256: &'static str,
    /// The file's size.
    pub(crate) bytes: u64,
    /// What is taken out: a member or folder of the wheel, and where it goes.
    pub(crate) members: &'static [(&'static str, &'static str)],
}

/// A wheel on this machine with the right content.
pub(crate) struct CheckedWheel {
    wheel: &'static Wheel,
    path: PathBuf,
    fetched: bool,
}

impl Wheel {
    /// Finds the wheel in `XTASK_WHEELS` or `.deps/wheels`, or downloads it there, and checks it.
    ///
    /// # Errors
    /// No Python or pip, no network and no such file, or a file with other content.
    pub(crate) fn provide(&'static self, workspace: &Workspace) -> Result<CheckedWheel> {
        if let Some(folder) = std::env::var_os(WHEELS_VARIABLE) {
            let path = Path::new(&folder).join(self.file);
            if path.is_file() {
                self.check(&path)?;
                return Ok(CheckedWheel { wheel: self, path, fetched: false });
            }
        }
        let folder = workspace.deps().join("wheels");
        let path = folder.join(self.file);
        if !path.is_file() {
            self.download(&folder)?;
        } else if self.check(&path).is_err() {
            talk::note("wheel", &format!("{} is damaged; fetching it again", self.file));
            std::fs::remove_file(&path)?;
            self.download(&folder)?;
        }
        self.check(&path)?;
        Ok(CheckedWheel { wheel: self, path, fetched: true })
    }

    fn download(&self, folder: &Path) -> Result<()> {
        let python = system::python_with_pip()?;
        std::fs::create_dir_all(folder)?;
        let size = figures::bytes(self.bytes);
        talk::note("wheel", &format!("downloading {} ({size})", self.requirement));
        let start = Instant::now();
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "download", "--no-deps", "--only-binary=:all:"])
            .args(["--disable-pip-version-check", "--python-version=3.11"])
            .args(["--implementation=cp", "--abi=cp311"])
            .args(PLATFORMS.map(|platform| format!("--platform={platform}")))
            .arg("--dest")
            .arg(folder)
            .arg(self.requirement);
        child::run_silent("wheel", &mut pip)
            .with_context(|| format!("{} could not be fetched", self.requirement))
            .hint(format_args!(
                "without a network, put {} into a folder and name that in {WHEELS_VARIABLE}",
                self.file
            ))?;
        let took = figures::time(start.elapsed());
        talk::note("wheel", &format!("downloaded {} in {took}", self.requirement));
        Ok(())
    }

    fn check(&self, path: &Path) -> Result<()> {
        let found = sha256_of(path)?;
        if found == self.sha256 {
            return Ok(());
        }
        let (path, name, wanted) = (path.display(), self.requirement, self.sha256);
        Err(anyhow!("{path} has SHA-256 {found}, but {name} has {wanted}"))
            .hint("delete it and try again")
    }
}

impl CheckedWheel {
    /// Writes the wanted members under `folder`.
    pub(crate) fn unpack(&self, folder: &Path) -> Result<()> {
        talk::note("wheel", &format!("unpacking {}", self.wheel.requirement));
        let mut python = Command::new(system::python()?);
        python.arg("-c").arg(UNPACK).arg(&self.path).arg(folder);
        python.args(self.wheel.members.iter().map(|(from, to)| format!("{from}={to}")));
        let written = child::capture(&mut python)?;
        if written.trim() == "0" {
            bail!("{} holds nothing that was asked for", self.path.display());
        }
        Ok(())
    }

    /// Deletes the wheel if this program downloaded it; a folder of the user's stays as it is.
    pub(crate) fn discard(self) -> Result<()> {
        if self.fetched {
            std::fs::remove_file(&self.path)
                .with_context(|| format!("cannot remove {}", self.path.display()))?;
        }
        Ok(())
    }
}

fn sha256_of(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; HASH_BUFFER_BYTES];
    loop {
        match file.read(&mut buffer).with_context(|| format!("cannot read {}", path.display()))? {
            0 => return Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// An empty folder beside `place` in which it is prepared; what an interrupted run left is removed.
///
/// The caller holds the lock of `.deps/`.
pub(crate) fn preparation_folder(place: &Path) -> Result<PathBuf> {
    let mut name: OsString = place.as_os_str().to_owned();
    name.push(".partial");
    let folder = PathBuf::from(name);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    static WHEEL: Wheel = Wheel {
        requirement: "small==1",
        file: "small-1.whl",
        sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        bytes: 3,
        members: &[("pkg/lib/", "lib/"), ("pkg/tool", "bin/tool")],
    };

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn other_content_is_refused_with_both_sums() {
        let folder = folder("sum");
        let path = folder.join(WHEEL.file);
        std::fs::write(&path, "abc").unwrap();
        WHEEL.check(&path).unwrap();
        std::fs::write(&path, "abd").unwrap();
        let message = WHEEL.check(&path).unwrap_err().to_string();
        assert!(message.contains("a52d159f") && message.contains("ba7816bf"), "{message}");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn only_named_members_are_unpacked_and_modes_kept() {
        use std::os::unix::fs::PermissionsExt;
        let folder = folder("unpack");
        let path = folder.join("small.whl");
        let script = "import sys, zipfile\n\
            z = zipfile.ZipFile(sys.argv[1], 'w')\n\
            z.writestr('pkg/lib/a/b.txt', 'b')\n\
            z.writestr('pkg/other', 'o')\n\
            i = zipfile.ZipInfo('pkg/tool'); i.external_attr = 0o755 << 16\n\
            z.writestr(i, 't')\n";
        let python = system::python().unwrap();
        child::capture(Command::new(python).args(["-c", script]).arg(&path)).unwrap();
        let wheel = CheckedWheel { wheel: &WHEEL, path, fetched: false };
        let target = folder.join("out");
        wheel.unpack(&target).unwrap();
        assert_eq!(std::fs::read_to_string(target.join("lib/a/b.txt")).unwrap(), "b");
        let tool = target.join("bin/tool");
        assert_eq!(tool.metadata().unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(std::fs::read_dir(&target).unwrap().count(), 2);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
