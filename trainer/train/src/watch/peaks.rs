//! What devices can do at most, for MFU: the part of the peak that a model's own operations use (Chowdhery et al. 2022,
//! PaLM, appendix B). Operations that are done twice, by recomputing or in a second pass, do not count.

use clipa_recipe::Precision;
use tch::Device;

/// Peak rates of a device, in operations a second, a multiplication and an addition counting as two.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// Words that the driver's name of the device has, all of them.
    words: &'static [&'static str],
    /// Dense products in bf16 on tensor cores.
    pub bf16: f64,
    /// Work in f32 without TF32.
    pub f32: f64,
}

/// NVIDIA's data sheets and, for the RTX cards, its architecture white papers; dense figures, half of what is said with
/// sparsity. The first that matches counts, so that a card comes before its family.
const PEAKS: [Peak; 16] = [
    Peak { words: &["B200"], bf16: 2250e12, f32: 75e12 },
    Peak { words: &["H200", "NVL"], bf16: 835e12, f32: 60e12 },
    Peak { words: &["H200"], bf16: 989e12, f32: 67e12 },
    Peak { words: &["GH200"], bf16: 989e12, f32: 67e12 },
    Peak { words: &["H100", "PCIe"], bf16: 756e12, f32: 51e12 },
    Peak { words: &["H100", "NVL"], bf16: 835e12, f32: 60e12 },
    Peak { words: &["H100"], bf16: 989e12, f32: 67e12 },
    Peak { words: &["A100"], bf16: 312e12, f32: 19.5e12 },
    Peak { words: &["A40"], bf16: 149.7e12, f32: 37.4e12 },
    Peak { words: &["A30"], bf16: 165e12, f32: 10.3e12 },
    Peak { words: &["A10"], bf16: 125e12, f32: 31.2e12 },
    Peak { words: &["L40S"], bf16: 362e12, f32: 91.6e12 },
    Peak { words: &["L4"], bf16: 121e12, f32: 30.3e12 },
    Peak { words: &["RTX", "4090"], bf16: 165.2e12, f32: 82.6e12 },
    Peak { words: &["RTX", "3090"], bf16: 71e12, f32: 35.6e12 },
    Peak { words: &["A6000"], bf16: 154.8e12, f32: 38.7e12 },
];

impl Peak {
    /// The rate that a stage of this precision is measured against.
    pub fn at(&self, precision: Precision) -> f64 {
        match precision {
            Precision::Bf16 => self.bf16,
            Precision::F32 => self.f32,
        }
    }
}

/// The peak of the device that its driver calls so (`NVIDIA A100-SXM4-80GB`); `None` where it is not in the table.
pub fn peak_of(name: &str) -> Option<&'static Peak> {
    let words: Vec<&str> = name.split([' ', '-']).collect();
    // A part of a GPU, or another chip of the same name.
    if words.contains(&"MIG") || words.contains(&"Laptop") {
        return None;
    }
    PEAKS.iter().find(|peak| peak.words.iter().all(|word| words.contains(word)))
}

/// The peak rate of a device; `None` for a CPU, whose rate no table knows, and for GPUs that are not in ours.
pub fn peak_of_device(device: Device, precision: Precision) -> Option<f64> {
    let Device::Cuda(index) = device else { return None };
    let name = torch_ext::gpu_name(index).ok()?;
    peak_of(&name).map(|peak| peak.at(precision))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_drivers_say_them() {
        let bf16 = |name| peak_of(name).map(|peak| peak.bf16);
        assert_eq!(bf16("NVIDIA A100-SXM4-80GB"), Some(312e12));
        assert_eq!(bf16("NVIDIA A100-PCIE-40GB"), Some(312e12));
        assert_eq!(bf16("NVIDIA H100 80GB HBM3"), Some(989e12));
        assert_eq!(bf16("NVIDIA H100 PCIe"), Some(756e12));
        assert_eq!(bf16("NVIDIA H200"), Some(989e12));
        assert_eq!(bf16("NVIDIA A10"), Some(125e12));
        assert_eq!(bf16("NVIDIA A10G"), None);
        assert_eq!(bf16("NVIDIA GeForce RTX 4090"), Some(165.2e12));
        assert_eq!(bf16("NVIDIA GeForce RTX 4090 Laptop GPU"), None);
        assert_eq!(bf16("NVIDIA A100-SXM4-40GB MIG 1g.5gb"), None);
        assert_eq!(bf16("Tesla V100-SXM2-16GB"), None);
        assert_eq!(peak_of("NVIDIA L4").unwrap().at(Precision::F32), 30.3e12);
        assert_eq!(peak_of_device(Device::Cpu, Precision::F32), None);
    }
}
