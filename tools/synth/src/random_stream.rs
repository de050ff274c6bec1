//! Everything random, as a function of the seed.

use clipa_schemas::random::Random;

/// A stream of random numbers.
///
/// Each sample has a stream of its own, so that a picture does not depend on which thread drew its
/// neighbours. Besides integers only exactly rounded float operations are used, so that a picture is
/// the same on every machine.
#[derive(Clone, Debug)]
pub struct RandomStream {
    random: Random,
}

/// What a stream is for; streams of different purposes are unrelated.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub enum Purpose {
    /// Which compositions are held out.
    HeldOut = 1,
    /// A training sample.
    Training = 2,
    /// A zero-shot sample.
    ZeroShot = 3,
}

impl RandomStream {
    /// The stream of one sample.
    pub fn new(seed: u64, purpose: Purpose, index: u64) -> RandomStream {
        RandomStream { random: Random::from_parts(&[seed, purpose as u64, index]) }
    }

    /// A whole number from `0..bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.random.below(bound as u64) as usize
    }

    /// A number from `low` to `high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        self.random.range(low.into(), high.into()) as f32
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        self.random.unit() < probability
    }

    /// One of the values.
    ///
    /// # Panics
    /// Where there is nothing to choose from.
    pub fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    /// A number with mean 0 and standard deviation 1, nearly normal: the sum of four uniform ones.
    pub fn normal(&mut self) -> f32 {
        let bits = self.random.next_u64();
        let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xFFFF).sum();
        // Four uniforms on [0, 1] have mean 2 and variance 1/3.
        (sum as f32 / 65_535.0 - 2.0) * 1.732_050_8
    }

    /// Puts the values into a random order.
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        self.random.shuffle(values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn noise_has_mean_zero_and_variance_one() {
        let mut random = RandomStream::new(7, Purpose::Training, 0);
        let draws: Vec<f64> = (0..20_000).map(|_| random.normal().into()).collect();
        let mean = draws.iter().sum::<f64>() / 20_000.0;
        let square = draws.iter().map(|draw| draw * draw).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (square - 1.0).abs() < 0.03, "{mean} {square}");
    }

    #[test]
    fn streams_differ_by_seed_purpose_and_index() {
        let first = |seed, purpose, index| RandomStream::new(seed, purpose, index).normal();
        let base = first(1, Purpose::Training, 5);
        assert_eq!(base, first(1, Purpose::Training, 5));
        assert_ne!(base, first(2, Purpose::Training, 5));
        assert_ne!(base, first(1, Purpose::ZeroShot, 5));
        assert_ne!(base, first(1, Purpose::Training, 6));
    }
}
