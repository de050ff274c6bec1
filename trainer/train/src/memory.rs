//! How much memory there is, and how much was used.

use std::fs;

use tch::Device;

/// Bytes that a device may still use: what the driver of a GPU says, or what the system and the control group say.
/// `None` where nobody says.
pub fn available(device: Device) -> Option<u64> {
    match device {
        Device::Cuda(index) => torch_ext::gpu_memory(index).ok().map(|memory| memory.free),
        _ => [system(), control_group()].into_iter().flatten().min(),
    }
}

/// Bytes of main memory that this process has now.
pub fn resident() -> Option<u64> {
    kilobytes("/proc/self/status", "VmRSS:")
}

/// Most bytes of main memory that this process had since [`restart_peak`] (or its beginning).
pub fn peak() -> Option<u64> {
    kilobytes("/proc/self/status", "VmHWM:")
}

/// Begins to count the peak anew; whether that worked.
pub fn restart_peak() -> bool {
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

fn system() -> Option<u64> {
    kilobytes("/proc/meminfo", "MemAvailable:")
}

/// What the process's control group (version 2) leaves, as containers and batch systems limit it.
fn control_group() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let folder = format!("/sys/fs/cgroup{path}");
    let number = |file: &str| -> Option<u64> {
        fs::read_to_string(format!("{folder}/{file}")).ok()?.trim().parse().ok()
    };
    Some(number("memory.max")?.saturating_sub(number("memory.current")?))
}

/// The bytes that a line `NAME   NUMBER kB` of a file says.
fn kilobytes(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_less_than_there_is() {
        let (now, most) = (resident().unwrap(), peak().unwrap());
        assert!(now > 1 << 20 && most >= now / 2, "{now} {most}");
        assert!(available(Device::Cpu).unwrap() > 1 << 20);
    }
}
