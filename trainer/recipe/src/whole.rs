//! Integer keys accept a float that is whole, as in `samples = 1e6`.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserializer,
    de::{Error, Unexpected, Visitor},
};

/// Floats up to this size stand for one integer each.
const MAX_EXACT: f64 = (1u64 << f64::MANTISSA_DIGITS) as f64;

/// Reads an integer, for `#[serde(deserialize_with)]`.
///
/// # Errors
/// Not a number, not whole, or outside of the integer's range.
pub(super) fn number<'de, D, I>(deserializer: D) -> Result<I, D::Error>
where
    D: Deserializer<'de>,
    I: TryFrom<i64>,
{
    deserializer.deserialize_any(WholeVisitor(PhantomData))
}

/// The same for a key that may be absent.
///
/// # Errors
/// As [`number`].
pub(super) fn optional<'de, D, I>(deserializer: D) -> Result<Option<I>, D::Error>
where
    D: Deserializer<'de>,
    I: TryFrom<i64>,
{
    number(deserializer).map(Some)
}

struct WholeVisitor<I>(PhantomData<I>);

impl<I: TryFrom<i64>> Visitor<'_> for WholeVisitor<I> {
    type Value = I;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if I::try_from(-1).is_err() { ", 0 or above" } else { "" };
        write!(f, "a whole number{sign}")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<I, E> {
        I::try_from(number).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<I, E> {
        let signed = i64::try_from(number).ok().and_then(|number| I::try_from(number).ok());
        signed.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<I, E> {
        if number.fract() == 0.0 && number.abs() <= MAX_EXACT {
            return self.visit_i64(number as i64);
        }
        Err(E::invalid_value(Unexpected::Float(number), &self))
    }
}
