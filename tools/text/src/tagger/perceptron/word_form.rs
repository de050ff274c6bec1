//! Two forms of a word that many words share: folded (case and digits ignored) and its shape.

use crate::characters::{is_letter, is_number};

/// The folded word ([`fold`]).
pub(super) fn folded(word: &str) -> String {
    let mut out = String::new();
    fold(word, &mut out);
    out
}

/// Lower case, every digit 0, quotes straight.
#[inline]
pub(super) fn fold(word: &str, out: &mut String) {
    out.clear();
    for c in word.chars() {
        match c {
            '’' | '‘' => out.push('\''),
            '“' | '”' => out.push('"'),
            '–' | '—' => out.push('-'),
            _ if c.is_ascii_digit() => out.push('0'),
            _ if c.is_ascii() => out.push(c.to_ascii_lowercase()),
            _ => out.extend(c.to_lowercase()),
        }
    }
}

/// `X` for capitals, `x` for other letters, `d` for numbers, other characters themselves; runs count once, but a lone
/// capital differs from several.
#[inline]
pub(super) fn shape(word: &str, out: &mut String) {
    out.clear();
    let mut last = None;
    let mut run = 0;
    for c in word.chars() {
        let kind = match c {
            _ if c.is_uppercase() => 'X',
            _ if is_letter(c) => 'x',
            _ if is_number(c) => 'd',
            '’' | '‘' => '\'',
            '–' | '—' => '-',
            _ => c,
        };
        run = if last == Some(kind) { run + 1 } else { 0 };
        last = Some(kind);
        if run == 0 || (run == 1 && kind == 'X') {
            out.push(kind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_folded_and_shaped() {
        let (mut folded, mut shaped) = (String::new(), String::new());
        for (word, expected_fold, expected_shape) in [
            ("McDonald’s", "mcdonald's", "XxXx'x"),
            ("USA", "usa", "XX"),
            ("10.5cm", "00.0cm", "d.dx"),
            ("ÉCOLE–x", "école-x", "XX-x"),
        ] {
            fold(word, &mut folded);
            shape(word, &mut shaped);
            assert_eq!((folded.as_str(), shaped.as_str()), (expected_fold, expected_shape));
        }
    }
}
