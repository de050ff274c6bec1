//! Seeds for the different things that are random in a run, so that none shares its numbers with another.

use clipa_schemas::random::Random;

/// A generator for one named use of a run's seed, and a place in it.
///
/// Everything random in training is a function of these three: a continued run draws what an undisturbed one would
/// have drawn.
pub(crate) fn random(seed: u64, name: &str, place: u64) -> Random {
    Random::from_parts(&[seed, name_hash(name), place])
}

/// FNV-1a, 64 bits: short, and fixed for ever.
fn name_hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_places_have_their_own_numbers() {
        let first = |name, place| random(7, name, place).next_u64();
        assert_eq!(first("mask", 3), first("mask", 3));
        assert_ne!(first("mask", 3), first("mask", 4));
        assert_ne!(first("mask", 3), first("order", 3));
        assert_eq!(name_hash("a"), 0xaf63_dc4c_8601_ec8c, "FNV's published value");
    }
}
