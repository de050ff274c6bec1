//! A random order that is computed instead of stored.

use clipa_schemas::random::Random;

/// Rounds of the network; from six on, the order of a few elements is indistinguishable from a fair draw.
const ROUNDS: usize = 8;

/// A permutation of `0..len` picked by a seed; element `i` costs a few nanoseconds and no memory.
///
/// An alternating Feistel network over pairs `(left, right)` with `left < a`, `right < b`, `a·b >= len`
/// (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002); pairs beyond `len` walk on.
#[derive(Clone, Debug)]
pub(super) struct Permutation {
    len: u32,
    left: u32,
    right: u32,
    keys: Option<[u64; ROUNDS]>,
}

impl Permutation {
    /// The order as stored.
    pub(super) fn identity(len: u32) -> Permutation {
        Permutation { len, left: 0, right: 0, keys: None }
    }

    /// The order that `parts` (a seed and whatever names this permutation) picks.
    pub(super) fn random(len: u32, parts: &[u64]) -> Permutation {
        let mut random = Random::from_parts(parts);
        let mut left = f64::from(len).sqrt() as u32;
        while u64::from(left) * u64::from(left) < u64::from(len) {
            left += 1;
        }
        let right = if left == 0 { 0 } else { len.div_ceil(left) };
        Permutation { len, left, right, keys: Some(std::array::from_fn(|_| random.next_u64())) }
    }

    /// How many elements there are.
    pub(super) fn len(&self) -> u32 {
        self.len
    }

    /// The element at `index`.
    ///
    /// # Panics
    /// Where `index >= len`: the walk would never end.
    pub(super) fn at(&self, index: u32) -> u32 {
        assert!(index < self.len, "element {index} of a permutation of {}", self.len);
        let Some(keys) = &self.keys else { return index };
        let mut element = self.network(index, keys);
        // The network permutes 0..a·b, so the walk from inside comes back inside; a·b exceeds len by less
        // than its square root, so there is hardly ever a second step.
        while element >= self.len {
            element = self.network(element, keys);
        }
        element
    }

    fn network(&self, element: u32, keys: &[u64; ROUNDS]) -> u32 {
        let (mut left, mut right) = (element % self.left, element / self.left);
        for pair in keys.chunks_exact(2) {
            left = shifted(left, below(pair[0], right, self.left), self.left);
            right = shifted(right, below(pair[1], left, self.right), self.right);
        }
        right * self.left + left
    }
}

/// `(value + shift) mod modulus` for `value, shift < modulus`.
fn shifted(value: u32, shift: u32, modulus: u32) -> u32 {
    let sum = u64::from(value) + u64::from(shift);
    let modulus = u64::from(modulus);
    (if sum >= modulus { sum - modulus } else { sum }) as u32
}

/// A number in `0..bound` from a key and a value: SplitMix64's finaliser, then a multiplication instead of a
/// division (Lemire, 2019); the bias is below 2^-16 for every bound in use.
fn below(key: u64, value: u32, bound: u32) -> u32 {
    let mut hash = key.wrapping_add(u64::from(value).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    (((hash >> 32) * u64::from(bound)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    #[test]
    fn every_small_length_is_permuted() {
        for len in 0..600 {
            for seed in 0..4 {
                let permutation = Permutation::random(len, &[seed]);
                let mut seen = vec![false; len as usize];
                for index in 0..len {
                    let element = permutation.at(index) as usize;
                    assert!(
                        !std::mem::replace(&mut seen[element], true),
                        "{element} twice of {len}"
                    );
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn every_length_is_permuted(len in 1u32..100_000, seed: u64) {
            let permutation = Permutation::random(len, &[seed, 7]);
            let mut elements: Vec<u32> = (0..len).map(|index| permutation.at(index)).collect();
            elements.sort_unstable();
            prop_assert!(elements.into_iter().eq(0..len));
        }

        #[test]
        fn lengths_up_to_the_limit_stay_inside(len in (u32::MAX - 100_000)..=u32::MAX, seed: u64) {
            let permutation = Permutation::random(len, &[seed]);
            for index in [0, 1, len / 2, len - 1] {
                prop_assert!(permutation.at(index) < len);
            }
        }
    }

    #[test]
    fn seeds_give_each_order_of_four_about_equally_often() {
        let mut orders: HashMap<Vec<u32>, f64> = HashMap::new();
        for seed in 0..24_000 {
            let permutation = Permutation::random(4, &[seed]);
            *orders.entry((0..4).map(|index| permutation.at(index)).collect()).or_default() += 1.0;
        }
        assert_eq!(orders.len(), 24);
        // Chi-square with 23 degrees of freedom: 70 is beyond any chance for a fair draw (p < 1e-6).
        let chi_square: f64 = orders.values().map(|seen| (seen - 1000.0).powi(2) / 1000.0).sum();
        assert!(chi_square < 70.0, "{chi_square}");
    }

    #[test]
    fn elements_of_a_window_end_up_anywhere() {
        let len = 16_384u32;
        let permutation = Permutation::random(len, &[3]);
        let mut cells = [[0f64; 16]; 16];
        for index in 0..len {
            cells[(index / 1024) as usize][(permutation.at(index) / 1024) as usize] += 1.0;
        }
        // 225 degrees of freedom, fair value 225 ± 21.
        let chi_square: f64 = cells.iter().flatten().map(|seen| (seen - 64.0).powi(2) / 64.0).sum();
        assert!((120.0..340.0).contains(&chi_square), "{chi_square}");
    }

    #[test]
    fn the_identity_changes_nothing() {
        let permutation = Permutation::identity(5);
        assert!((0..5).all(|index| permutation.at(index) == index));
    }
}
