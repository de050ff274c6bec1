//! Which device and how many threads a command uses.

use anyhow::{Result, anyhow};
use clipa_talk::WithHint;
use tch::{Cuda, Device};

use super::arguments::{DeviceChoice, MachineArguments};
use crate::run::Resources;

/// Settles device and threads, and tells libtorch.
///
/// # Errors
/// A GPU was asked for and there is none.
pub(super) fn settle(machine: &MachineArguments) -> Result<Resources> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cuda = machine.device != DeviceChoice::Cpu && Cuda::is_available();
    if machine.device == DeviceChoice::Cuda && !cuda {
        return Err(anyhow!("no GPU: libtorch finds no CUDA device here")).hint(
            "put the folder of a CUDA libtorch 2.11 into LD_LIBRARY_PATH, or use --device cpu",
        );
    }
    let threads = machine.threads.map_or(cores, usize::from);
    tch::set_num_threads(threads as i32);
    let workers = if cuda { cores.saturating_sub(2).max(1) } else { 1 };
    Ok(Resources {
        device: if cuda { Device::Cuda(0) } else { Device::Cpu },
        workers: machine.workers.map_or(workers, usize::from),
    })
}
