//! Random numbers that are a pure function of the seed: the same on every machine and for ever.

/// A stream of random numbers (SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", OOPSLA 2014).
///
/// Each sample has a stream of its own, so that a picture does not depend on which thread drew its
/// neighbours. Only integer arithmetic and exactly rounded float operations are used.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
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

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

impl Random {
    /// The stream of one sample.
    pub fn stream(seed: u64, purpose: Purpose, index: u64) -> Random {
        let state = mix(seed ^ mix((purpose as u64).wrapping_mul(GOLDEN)));
        Random { state: mix(state.wrapping_add(index.wrapping_mul(GOLDEN))) }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// A whole number from `0..bound`; 0 for a bound of 0.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.bits()) * bound as u128) >> 64) as usize
    }

    /// A number from `low..high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        let unit = (self.bits() >> 40) as f32 / (1u32 << 24) as f32;
        low + (high - low) * unit
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f32) -> bool {
        self.between(0.0, 1.0) < probability
    }

    /// One of the choices.
    ///
    /// # Panics
    /// Where there is nothing to choose from.
    pub fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
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
        let bits = self.bits();
        let sum: u64 = (0..4).map(|part| (bits >> (16 * part)) & 0xFFFF).sum();
        // Four uniforms on [0, 1] have mean 2 and variance 1/3.
        (sum as f32 / 65_535.0 - 2.0) * 1.732_050_8
    }

    /// Puts the values into a random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, values: &mut [T]) {
        for last in (1..values.len()).rev() {
            values.swap(last, self.below(last + 1));
        }
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // First outputs of the published generator for the state 1234567.
        let mut random = Random { state: 1_234_567 };
        let first: Vec<u64> = (0..3).map(|_| random.bits()).collect();
        assert_eq!(first, [6457827717110365317, 3203168211198807973, 9817491932198370423]);
    }

    #[test]
    fn ranges_and_moments_hold() {
        let mut random = Random::stream(7, Purpose::Training, 0);
        let mut seen = [0u32; 5];
        let (mut sum, mut squares) = (0.0f64, 0.0f64);
        for _ in 0..20_000 {
            seen[random.below(5)] += 1;
            let between = random.between(-2.0, 3.0);
            assert!((-2.0..3.0).contains(&between));
            let normal = f64::from(random.normal());
            sum += normal;
            squares += normal * normal;
        }
        assert!(seen.iter().all(|&n| (3_700..4_300).contains(&n)), "{seen:?}");
        assert!((sum / 20_000.0).abs() < 0.03);
        assert!((squares / 20_000.0 - 1.0).abs() < 0.03);
    }

    #[test]
    fn streams_differ_by_seed_purpose_and_index() {
        let first = |seed, purpose, index| Random::stream(seed, purpose, index).bits();
        let base = first(1, Purpose::Training, 5);
        assert_eq!(base, first(1, Purpose::Training, 5));
        assert_ne!(base, first(2, Purpose::Training, 5));
        assert_ne!(base, first(1, Purpose::ZeroShot, 5));
        assert_ne!(base, first(1, Purpose::Training, 6));
    }
}
