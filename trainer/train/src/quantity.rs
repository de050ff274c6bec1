//! Numbers for people: three significant figures and a unit.

use std::time::Duration;

/// A number with three significant figures and no exponent up to a million.
pub fn three_figures(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    // of the number as it will be shown: 0.9999 is 1.00
    let magnitude = format!("{:.2e}", value.abs())
        .split_once('e')
        .and_then(|(_, exponent)| exponent.parse::<i32>().ok())
        .unwrap_or_default();
    match magnitude {
        6.. => format!("{value:.2e}"),
        2..6 => format!("{value:.0}"),
        -3..2 => format!("{value:.*}", (2 - magnitude) as usize),
        _ => format!("{value:.2e}"),
    }
}

/// A number with a prefix of the International System: `428 M`, `39.5 G`.
pub fn scaled(value: f64) -> String {
    const PREFIXES: [&str; 7] = ["", " k", " M", " G", " T", " P", " E"];
    let mut rest = value;
    let mut place = 0;
    while rest.abs() >= 999.5 && place + 1 < PREFIXES.len() {
        rest /= 1000.0;
        place += 1;
    }
    format!("{}{}", three_figures(rest), PREFIXES[place])
}

/// Bytes in powers of 1024.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut rest = count as f64;
    let mut place = 0;
    while rest >= 1023.5 && place + 1 < UNITS.len() {
        rest /= 1024.0;
        place += 1;
    }
    let figures = if place == 0 { count.to_string() } else { three_figures(rest) };
    format!("{figures} {}", UNITS[place])
}

/// All digits, in groups of three.
pub fn grouped(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0 { format!("-{text}") } else { text }
}

/// A duration in its two greatest units.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_figures_whatever_the_size() {
        for (value, text) in [
            (0.0, "0"),
            (812.4, "812"),
            (10_841.0, "10841"),
            (1.0, "1.00"),
            (0.0123, "0.0123"),
            (2.5e7, "2.50e7"),
            (1e-5, "1.00e-5"),
        ] {
            assert_eq!(three_figures(value), text);
        }
    }

    #[test]
    fn units_fit_the_number() {
        assert_eq!(scaled(427_692_545.0), "428 M");
        assert_eq!(scaled(999.9), "1.00 k");
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(5_132_310_540), "4.78 GiB");
        assert_eq!(grouped(149_589_505), "149,589,505");
        assert_eq!(grouped(-1000), "-1,000");
        assert_eq!(duration(Duration::from_secs(59)), "59 s");
        assert_eq!(duration(Duration::from_secs(3661)), "1 h 1 min");
        assert_eq!(duration(Duration::from_secs(200_000)), "2 d 7 h");
    }
}
