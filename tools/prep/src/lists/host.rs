//! Hosts: one spelling for each, that of the domain name system.

use unicode_normalization::UnicodeNormalization;

/// Appends the host in lower case; of labels with other letters the Punycode, as it is looked up (RFC 3492, 5890).
pub(super) fn push(host: &str, normal: &mut String) {
    if host.is_ascii() && !host.contains('%') {
        normal.extend(host.chars().map(|letter| letter.to_ascii_lowercase()));
        return;
    }
    let plain = unhidden(host);
    // as UTS 46 maps them: case, width and compatibility; the dots of Chinese and Japanese are dots
    let mapped: String = plain.nfkc().flat_map(char::to_lowercase).nfc().collect();
    for (place, label) in mapped.split(['.', '\u{3002}']).enumerate() {
        if place > 0 {
            normal.push('.');
        }
        match punycode(label).filter(|_| !label.is_ascii()) {
            Some(code) => {
                normal.push_str("xn--");
                normal.push_str(&code);
            }
            None => normal.push_str(label),
        }
    }
}

/// Percent signs resolved, where that is UTF-8.
fn unhidden(host: &str) -> String {
    let bytes = host.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let code = host.get(at + 1..at + 3).and_then(|two| u8::from_str_radix(two, 16).ok());
        match code.filter(|_| byte == b'%') {
            Some(code) => {
                plain.push(code);
                at += 3;
            }
            None => {
                plain.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(plain).unwrap_or_else(|_| host.to_owned())
}

/// Punycode of a label, without its prefix (RFC 3492, 6.3); `None` where a number would not fit.
fn punycode(label: &str) -> Option<String> {
    const BASE: u32 = 36;
    const FIRST: u32 = 0x80;
    let mut code: String = label.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(code.len()).ok()?;
    if basic > 0 {
        code.push('-');
    }
    let all = u32::try_from(label.chars().count()).ok()?;
    let (mut next, mut delta, mut bias, mut done) = (FIRST, 0u32, 72u32, basic);
    while done < all {
        let least = label.chars().map(u32::from).filter(|&sign| sign >= next).min()?;
        delta = delta.checked_add((least - next).checked_mul(done + 1)?)?;
        next = least;
        for sign in label.chars().map(u32::from) {
            if sign < next {
                delta = delta.checked_add(1)?;
            }
            if sign != next {
                continue;
            }
            let mut rest = delta;
            for step in 1.. {
                let threshold = (BASE * step).saturating_sub(bias).clamp(1, 26);
                if rest < threshold {
                    break;
                }
                code.push(digit(threshold + (rest - threshold) % (BASE - threshold))?);
                rest = (rest - threshold) / (BASE - threshold);
            }
            code.push(digit(rest)?);
            bias = adapted(delta, done + 1, done == basic);
            delta = 0;
            done += 1;
        }
        delta = delta.checked_add(1)?;
        next += 1;
    }
    Some(code)
}

fn digit(value: u32) -> Option<char> {
    char::from_digit(value.checked_sub(26).unwrap_or(value + 10), 36)
}

/// RFC 3492, 6.1.
fn adapted(delta: u32, done: u32, is_first: bool) -> u32 {
    let mut delta = if is_first { delta / 700 } else { delta / 2 };
    delta += delta / done;
    let mut steps = 0;
    while delta > 455 {
        delta /= 35;
        steps += 36;
    }
    steps + 36 * delta / (delta + 38)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples of RFC 3492, 7.1, and names that are in use.
    #[test]
    fn punycode_is_that_of_the_rfc() {
        for (label, code) in [
            ("b\u{fc}cher", "bcher-kva"),
            ("\u{4f8b}\u{3048}", "r8jz45g"),
            (
                "\u{4ed6}\u{4eec}\u{4e3a}\u{4ec0}\u{4e48}\u{4e0d}\u{8bf4}\u{4e2d}\u{6587}",
                "ihqwcrb4cv8a8dqg056pqjye",
            ),
            ("pro\u{10d}prost\u{11b}nemluv\u{ed}\u{10d}esky", "proprostnemluvesky-uyb24dma41a"),
            ("\u{43f}\u{440}\u{438}\u{43c}\u{435}\u{440}", "e1afmkfd"),
            ("stra\u{df}e", "strae-oqa"),
        ] {
            assert_eq!(punycode(label).as_deref(), Some(code), "{label}");
        }
    }

    #[test]
    fn a_host_has_one_spelling() {
        let spelled = |host: &str| {
            let mut normal = String::new();
            push(host, &mut normal);
            normal
        };
        assert_eq!(spelled("WWW.B\u{dc}CHER.Example"), "www.xn--bcher-kva.example");
        assert_eq!(spelled("www.bu\u{308}cher.example"), "www.xn--bcher-kva.example");
        assert_eq!(spelled("\u{ff45}xample.org"), "example.org");
        assert_eq!(spelled("ex%61mple.org"), "example.org");
        assert_eq!(spelled("a%ff.org"), "a%ff.org");
        assert_eq!(spelled(""), "");
    }
}
