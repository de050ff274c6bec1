//! Cleans captions as open_clip does: repair (`repair`, what Python's ftfy does), HTML entities twice, white space,
//! then what the mode adds.

mod html;
mod mojibake;
mod repair;

use crate::characters::is_space;

/// What to do with a repaired caption; the names are open_clip's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CleanMode {
    /// White space collapsed, Unicode lower case: what CLIP's byte pair encoding reads.
    Lower,
    /// White space collapsed, case kept: what BERT's tokenizer reads.
    Whitespace,
    /// `_` to a space, ASCII punctuation dropped, lower case, white space collapsed (SigLIP).
    Canonicalize,
}

/// Appends the cleaned `text` to `out`.
///
/// ```
/// use clipa_text::clean::{CleanMode, clean_into};
/// let mut out = String::new();
/// clean_into(" “Tom &amp;amp; Jerry”\u{200a} — CAFÉ ", CleanMode::Lower, &mut out);
/// assert_eq!(out, "\"tom & jerry\" — café");
/// ```
pub fn clean_into(text: &str, mode: CleanMode, out: &mut String) {
    if is_plain(text) {
        finish(text, mode, out);
    } else {
        let repaired = repair::fix_text(text);
        let once = html::unescape(&repaired);
        finish(&html::unescape(&once), mode, out);
    }
}

/// Whether repair and entities leave the text as it is: ASCII without `&` and without control characters that are not
/// white space.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\x0c') && byte != b'&')
}

fn finish(text: &str, mode: CleanMode, out: &mut String) {
    match mode {
        CleanMode::Whitespace => collapse(text, out),
        CleanMode::Lower if text.is_ascii() => {
            let start = out.len();
            collapse(text, out);
            out[start..].make_ascii_lowercase();
        }
        CleanMode::Lower => {
            let mut collapsed = String::with_capacity(text.len());
            collapse(text, &mut collapsed);
            out.push_str(&collapsed.to_lowercase());
        }
        CleanMode::Canonicalize => {
            let mut words = text.replace('_', " ");
            words.retain(|c| !c.is_ascii_punctuation());
            collapse(&words.to_lowercase(), out);
        }
    }
}

/// Words separated by single spaces, none at the ends.
fn collapse(text: &str, out: &mut String) {
    let start = out.len();
    for word in text.split(is_space).filter(|word| !word.is_empty()) {
        if out.len() > start {
            out.push(' ');
        }
        out.push_str(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(text: &str, mode: CleanMode) -> String {
        let mut out = String::new();
        clean_into(text, mode, &mut out);
        out
    }

    #[test]
    fn each_mode_cleans_as_documented() {
        let text = "\t Hello_World!  It's  &lt;b&gt; ÉCOLE\u{3000}ΟΔΟΣ\n";
        assert_eq!(clean(text, CleanMode::Lower), "hello_world! it's <b> école οδος");
        assert_eq!(clean(text, CleanMode::Whitespace), "Hello_World! It's <b> ÉCOLE ΟΔΟΣ");
        assert_eq!(clean(text, CleanMode::Canonicalize), "hello world its b école οδος");
        assert_eq!(clean(" \u{feff}\0 ", CleanMode::Lower), "");
    }

    #[test]
    fn entities_are_unescaped_up_to_three_times() {
        // Once by the repair until nothing changes, then twice more.
        assert_eq!(clean("a &amp;amp;amp;amp;lt; b", CleanMode::Lower), "a < b");
        // With a literal `<` the repair leaves entities alone, and only two rounds remain.
        assert_eq!(clean("< &amp;amp;amp;lt;", CleanMode::Lower), "< &amp;lt;");
    }
}
