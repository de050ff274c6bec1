//! Where things are: the repository root, the folder of fetched things, and cargo itself.

use crate::talk;
use anyhow::{Context, Result};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository that this program was started in.
pub(crate) struct Workspace {
    root: PathBuf,
}

/// Held while `.deps/` changes, so that two commands started together fetch a thing once.
pub(crate) struct DepsLock {
    _file: File,
}

impl Workspace {
    /// The workspace of this crate: cargo names the crate's folder when it starts the program, and
    /// the folder at build time serves a program that was started by hand.
    pub(crate) fn find() -> Result<Self> {
        let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR")
            .map(PathBuf::from)
            .filter(|folder| folder.ends_with("tools/xtask"))
            .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
        let root = crate_folder
            .ancestors()
            .nth(2)
            .filter(|root| root.join("Cargo.lock").is_file())
            .with_context(|| format!("{} is not in a clipa workspace", crate_folder.display()))?;
        Ok(Self { root: root.to_path_buf() })
    }

    /// The repository root.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of everything fetched; git ignores it.
    pub(crate) fn deps(&self) -> PathBuf {
        self.root.join(".deps")
    }

    /// Waits until no other xtask is changing `.deps/`; the lock ends with the value.
    pub(crate) fn lock_deps(&self) -> Result<DepsLock> {
        let deps = self.deps();
        std::fs::create_dir_all(&deps)
            .with_context(|| format!("cannot create {}", deps.display()))?;
        let path = deps.join("lock");
        let file =
            File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            talk::note("xtask", "another xtask is fetching; waiting for it");
        }
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(DepsLock { _file: file })
    }

    /// `cargo` in the repository root, the one that started this program.
    ///
    /// `LIBTORCH_USE_PYTORCH` beats `LIBTORCH` with any value, even 0, and would need the complete
    /// CUDA packages; so it is taken out.
    pub(crate) fn cargo(&self, path: &std::ffi::OsStr) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&self.root).env("PATH", path).env_remove("LIBTORCH_USE_PYTORCH");
        cargo
    }
}
