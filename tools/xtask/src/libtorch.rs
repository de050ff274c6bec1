//! libtorch 2.11.0 in `.deps/libtorch`: the headers and the CPU libraries of the Python wheel.
//!
//! `libtorch_cpu.so` needs `libc10.so`, CUDA's `libcudart.so.13` and `libcupti.so.13` (two small wheels)
//! and the OpenMP library of the wheel. `libtorch.so`, which torch-sys always links, needs the half
//! gigabyte of CUDA code; a stub that only pulls in `libtorch_cpu.so` replaces it.

use crate::wheel::{CheckedWheel, Wheel, preparation_folder};
use crate::workspace::Workspace;
use crate::{child, system, talk};
use anyhow::{Context, Result, anyhow};
use clap::Args;
use clipa_talk::{WithHint, figures};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// The version that tch 0.24 is made for.
const VERSION: &str = "2.11.0";
/// The remedy where `LIBTORCH` names something else.
const UNSET: &str = "unset LIBTORCH, and xtask fetches the right one";
/// Free disk space that the wheels and the unpacked folder take together.
const DISK_BYTES: u64 = 1_100_000_000;

static WHEELS: [Wheel; 3] = [
    Wheel {
        requirement: "torch==2.11.0",
        file: "torch-2.11.0-cp311-cp311-manylinux_2_28_x86_64.whl",
        sha256: "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a",
        bytes: 530_604_548,
        members: &[
            ("torch/include/", "include/"),
            ("torch/lib/libc10.so", "lib/libc10.so"),
            ("torch/lib/libgomp.so.1", "lib/libgomp.so.1"),
            ("torch/lib/libtorch_cpu.so", "lib/libtorch_cpu.so"),
        ],
    },
    Wheel {
        requirement: "nvidia-cuda-runtime==13.0.96",
        file: "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
        bytes: 2_243_632,
        members: &[("nvidia/cu13/lib/libcudart.so.13", "lib/libcudart.so.13")],
    },
    Wheel {
        requirement: "nvidia-cuda-cupti==13.0.85",
        file: "nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl",
        sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
        bytes: 10_715_597,
        members: &[("nvidia/cu13/lib/libcupti.so.13", "lib/libcupti.so.13")],
    },
];

/// What `cargo xtask libtorch` leaves behind besides libtorch.
#[derive(Args, Debug)]
pub(crate) struct LibtorchOptions {
    /// Keep the wheels in .deps/wheels, to copy them to a machine without a network
    #[arg(long = "keep")]
    pub(crate) keep_wheels: bool,
}

/// Makes libtorch available and returns its folder: the one that `LIBTORCH` names, or our own,
/// which is fetched if it is not there.
///
/// # Errors
/// `LIBTORCH` names a folder that is no libtorch 2.11.0; or the download, its check, the disk or the
/// C compiler fails.
pub(crate) fn provide(workspace: &Workspace, keep_wheels: bool) -> Result<PathBuf> {
    let ours = workspace.deps().join("libtorch");
    // `.cargo/config.toml` sets LIBTORCH to our folder where the user has set nothing.
    if let Some(theirs) = std::env::var_os("LIBTORCH").map(PathBuf::from)
        && theirs != ours
    {
        check_foreign(&theirs)?;
        talk::note("libtorch", &format!("LIBTORCH names {}", theirs.display()));
        return Ok(theirs);
    }
    if is_complete(&ours) {
        talk::note("libtorch", &format!("{VERSION} is in {}", ours.display()));
        return Ok(ours);
    }
    let _lock = workspace.lock_deps()?;
    if !is_complete(&ours) {
        system::require_compiler()?;
        fetch(workspace, &ours, keep_wheels)?;
    }
    Ok(ours)
}

/// `build-version` is written last, and the folder gets its name after that.
fn is_complete(folder: &Path) -> bool {
    std::fs::read_to_string(folder.join("build-version")).is_ok_and(|text| text.trim() == VERSION)
}

fn check_foreign(folder: &Path) -> Result<()> {
    let library = folder.join("lib/libtorch_cpu.so");
    let header = folder.join("include/torch/csrc/api/include/torch/torch.h");
    for file in [&library, &header] {
        if !file.is_file() {
            let (folder, file) = (folder.display(), file.display());
            return Err(anyhow!("LIBTORCH names {folder}, but {file} is missing")).hint(UNSET);
        }
    }
    if let Ok(version) = std::fs::read_to_string(folder.join("build-version")) {
        let release = version.trim().split('+').next().unwrap_or_default();
        if release != VERSION {
            let folder = folder.display();
            let error = anyhow!(
                "LIBTORCH names {folder} of version {release}, but tch 0.24 needs {VERSION}"
            );
            return Err(error).hint(UNSET);
        }
    }
    Ok(())
}

fn fetch(workspace: &Workspace, place: &Path, keep_wheels: bool) -> Result<()> {
    let size = figures::bytes(DISK_BYTES);
    talk::note("libtorch", &format!("fetching {VERSION}, once; needs {size} of disk meanwhile"));
    let start = Instant::now();
    let wheels = WHEELS
        .iter()
        .map(|wheel| wheel.provide(workspace))
        .collect::<Result<Vec<CheckedWheel>>>()?;
    let folder = preparation_folder(place)?;
    for wheel in &wheels {
        wheel.unpack(&folder)?;
    }
    link_stub(&folder.join("lib"))?;
    std::fs::write(folder.join("build-version"), VERSION)?;
    if place.exists() {
        std::fs::remove_dir_all(place)?;
    }
    std::fs::rename(&folder, place)
        .with_context(|| format!("cannot move libtorch to {}", place.display()))?;
    if !keep_wheels {
        wheels.into_iter().try_for_each(CheckedWheel::discard)?;
    }
    let took = figures::time(start.elapsed());
    talk::note("libtorch", &format!("{VERSION} is in {} ({took})", place.display()));
    Ok(())
}

fn link_stub(lib: &Path) -> Result<()> {
    let mut compiler = Command::new(system::c_compiler());
    compiler
        .args(["-shared", "-x", "c", "/dev/null", "-Wl,-soname,libtorch.so", "-Wl,--no-as-needed"])
        .args(["-Wl,-rpath,$ORIGIN", "-ltorch_cpu"])
        .arg("-L")
        .arg(lib)
        .arg(format!("-Wl,-rpath-link,{}", lib.display()))
        .arg("-o")
        .arg(lib.join("libtorch.so"));
    child::capture(&mut compiler).context("cannot link the stub of libtorch.so").map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder =
            std::env::temp_dir().join(format!("xtask-torch-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn an_interrupted_or_other_folder_is_not_complete() {
        let folder = folder("complete");
        assert!(!is_complete(&folder));
        std::fs::write(folder.join("build-version"), "2.10.0").unwrap();
        assert!(!is_complete(&folder));
        std::fs::write(folder.join("build-version"), "2.11.0\n").unwrap();
        assert!(is_complete(&folder));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_foreign_libtorch_is_checked_before_minutes_are_spent() {
        let folder = folder("foreign");
        let message = check_foreign(&folder).unwrap_err().to_string();
        assert!(message.contains("libtorch_cpu.so is missing"), "{message}");
        for file in ["lib/libtorch_cpu.so", "include/torch/csrc/api/include/torch/torch.h"] {
            std::fs::create_dir_all(folder.join(file).parent().unwrap()).unwrap();
            std::fs::write(folder.join(file), "").unwrap();
        }
        check_foreign(&folder).unwrap();
        std::fs::write(folder.join("build-version"), "2.12.0+cpu").unwrap();
        let message = check_foreign(&folder).unwrap_err().to_string();
        assert!(message.contains("2.12.0") && message.contains("2.11.0"), "{message}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
