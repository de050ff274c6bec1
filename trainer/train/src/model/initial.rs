//! First values of parameters, as a pure function of seed, name and place in the tensor.

use clipa_schemas::random::Random;
use tch::Tensor;

use clipa_recipe::model::config::VisionPositions;

use super::positions;
use crate::seed;

/// What a parameter holds before training.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Initial {
    /// The same number everywhere.
    Constant(f32),
    /// Normal, mean 0.
    Normal {
        /// Standard deviation.
        std: f64,
    },
    /// Uniform in `[-bound, bound)`.
    Uniform {
        /// Half the width of the interval.
        bound: f64,
    },
    /// A table of sin-cos positions.
    SinCos {
        /// Which variant.
        positions: VisionPositions,
        /// Patches along one side.
        grid_side: i64,
    },
}

impl Initial {
    /// The f32 tensor on the CPU.
    ///
    /// The values depend on seed and name, not on the other parameters or on torch's generator, so that a
    /// tower keeps its weights when the other one changes.
    pub fn tensor(self, seed: u64, name: &str, shape: &[i64]) -> Tensor {
        let count = shape.iter().product::<i64>() as usize;
        let mut random = seed::random(seed, name, 0);
        let values: Vec<f32> = match self {
            Initial::Constant(value) => vec![value; count],
            Initial::Normal { std } => normals(&mut random, std, count),
            Initial::Uniform { bound } => {
                (0..count).map(|_| random.range(-bound, bound) as f32).collect()
            }
            Initial::SinCos { positions, grid_side } => {
                let width = shape.last().copied().unwrap_or_default();
                positions::sin_cos_2d(positions, width, grid_side)
            }
        };
        Tensor::from_slice(&values).reshape(shape)
    }
}

/// Normal numbers, both of each pair that Box and Muller's transform makes.
fn normals(random: &mut Random, std: f64, count: usize) -> Vec<f32> {
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        let radius = std * (-2.0 * (1.0 - random.unit()).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * random.unit()).sin_cos();
        values.extend([(radius * cosine) as f32, (radius * sine) as f32]);
    }
    values.truncate(count);
    values
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;

    fn moments(initial: Initial) -> (f64, f64) {
        let tensor = initial.tensor(1, "some.weight", &[400, 500]);
        (tensor.mean(Kind::Double).double_value(&[]), tensor.std(true).double_value(&[]))
    }

    #[test]
    fn moments_are_those_asked_for() {
        let (mean, std) = moments(Initial::Normal { std: 0.02 });
        assert!(mean.abs() < 2e-4 && (std - 0.02).abs() < 2e-4, "{mean} {std}");
        let (mean, std) = moments(Initial::Uniform { bound: 0.3 });
        assert!(mean.abs() < 2e-3 && (std - 0.3 / 3f64.sqrt()).abs() < 2e-3, "{mean} {std}");
    }

    #[test]
    fn values_depend_on_seed_and_name_only() {
        let first =
            |seed, name| Initial::Normal { std: 1.0 }.tensor(seed, name, &[3]).double_value(&[0]);
        assert_eq!(first(1, "a"), first(1, "a"));
        assert_ne!(first(1, "a"), first(1, "b"));
        assert_ne!(first(1, "a"), first(2, "a"));
    }
}
