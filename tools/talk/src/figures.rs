//! Numbers for people, written the same way by every program: a unit each, and three significant figures
//! where they are measured. Sizes are in powers of 1,000, as disks and networks are sold.

use std::time::Duration;

/// A count, exact: `8,192`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A count with its noun: `1 shard`, `8,192 shards`.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// A measured number with three significant figures: `0.0123`, `1.23`, `123`, `12,300`.
pub fn significant(number: f64) -> String {
    if !number.is_finite() {
        return "not a number".to_owned();
    }
    if number == 0.0 {
        return "0".to_owned();
    }
    let sign = if number < 0.0 { "-" } else { "" };
    let size = number.abs();
    // The exponent after rounding: 999.6 has four digits before the point, as 1,000.
    let mut exponent = size.log10().floor() as i32;
    if rounded(size, exponent) >= 10f64.powi(exponent + 1) {
        exponent += 1;
    }
    let size = rounded(size, exponent);
    if exponent >= 2 {
        format!("{sign}{}", count(size.round() as u64))
    } else {
        format!("{sign}{size:.*}", (2 - exponent) as usize)
    }
}

fn rounded(size: f64, exponent: i32) -> f64 {
    let scale = 10f64.powi(2 - exponent);
    (size * scale).round() / scale
}

/// A large number of a unit with a prefix of the International System: `428 MFLOP`, `39.5 GFLOP`.
pub fn scaled(number: f64, unit: &str) -> String {
    const PREFIXES: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
    let mut scaled = number;
    let mut prefix = 0;
    while scaled.abs() >= 999.5 && prefix + 1 < PREFIXES.len() {
        scaled /= 1e3;
        prefix += 1;
    }
    format!("{} {}{unit}", significant(scaled), PREFIXES[prefix])
}

/// A learning rate: `1.50e-3`.
pub fn learning_rate(rate: f64) -> String {
    format!("{rate:.2e}")
}

/// A size in bytes, in powers of 1,000: `512 B`, `12.3 MB`.
pub fn bytes(size: u64) -> String {
    if size < 1000 { format!("{size} B") } else { scaled(size as f64, "B") }
}

/// A length of time in its one or two greatest units: `350 ms`, `12.3 s`, `3 min 20 s`, `2 h 5 min`, `4 d 3 h`.
pub fn time(elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64();
    let whole = seconds.round() as u64;
    match whole {
        _ if elapsed.is_zero() => "0 s".to_owned(),
        _ if seconds < 0.999_5 => format!("{} ms", significant(seconds * 1e3)),
        0..60 => format!("{} s", significant(seconds)),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        3600..86_400 => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3600),
    }
}

/// A share of a whole: `36.6 %`; `0 %` of nothing; what is smaller than `0.01 %` says just that.
pub fn percent(part: u64, whole: u64) -> String {
    fraction(if whole == 0 { 0.0 } else { part as f64 / whole as f64 })
}

/// A share between 0 and 1, as [`percent`] writes it.
pub fn fraction(share: f64) -> String {
    match share * 100.0 {
        0.0 => "0 %".to_owned(),
        percent if percent > 0.0 && percent < 0.01 => "<0.01 %".to_owned(),
        percent => format!("{} %", significant(percent)),
    }
}

/// How fast: `812 images/s`.
pub fn rate(number: u64, unit: &str, elapsed: Duration) -> String {
    let seconds = elapsed.as_secs_f64().max(1e-9);
    format!("{} {unit}/s", significant(number as f64 / seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_exact_and_grouped() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(1_234_567), "1,234,567");
    }

    #[test]
    fn measured_numbers_have_three_figures() {
        let expected = [
            (0.0, "0"),
            (0.012_345, "0.0123"),
            (0.999_6, "1.00"),
            (1.234, "1.23"),
            (9.996, "10.0"),
            (99.96, "100"),
            (123.4, "123"),
            (999.6, "1,000"),
            (12_345.0, "12,300"),
            (-1.5, "-1.50"),
            (f64::NAN, "not a number"),
        ];
        for (number, text) in expected {
            assert_eq!(significant(number), text, "{number}");
        }
    }

    #[test]
    fn units_follow_the_size() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(12_288), "12.3 kB");
        assert_eq!(bytes(999_600), "1.00 MB");
        assert_eq!(bytes(60_200_000_000_000), "60.2 TB");
        assert_eq!(bytes(5_132_310_540), "5.13 GB");
        assert_eq!(scaled(427_692_545.0, "FLOP"), "428 MFLOP");
        assert_eq!(scaled(999.9, "m"), "1.00 km");
        assert_eq!(scaled(812.4, "m"), "812 m");
        assert_eq!(learning_rate(1.5e-3), "1.50e-3");
        assert_eq!(time(Duration::ZERO), "0 s");
        assert_eq!(time(Duration::from_millis(350)), "350 ms");
        assert_eq!(time(Duration::from_micros(999_900)), "1.00 s");
        assert_eq!(time(Duration::from_millis(12_340)), "12.3 s");
        assert_eq!(time(Duration::from_millis(59_700)), "1 min 0 s");
        assert_eq!(time(Duration::from_secs(7_500)), "2 h 5 min");
        assert_eq!(time(Duration::from_secs(200_000)), "2 d 7 h");
        assert_eq!(percent(1, 3), "33.3 %");
        assert_eq!(percent(3, 0), "0 %");
        assert_eq!(percent(1, 1_000_000), "<0.01 %");
        assert_eq!(counted(1, "shard") + &counted(2_000, "shard"), "1 shard2,000 shards");
        assert_eq!(percent(3, 3), "100 %");
        assert_eq!(fraction(1.0 / 48.0), "2.08 %");
        assert_eq!(fraction(f64::NAN), "not a number %");
        assert_eq!(rate(1_624, "images", Duration::from_secs(2)), "812 images/s");
    }
}
