//! Periods.

/// What may be between the final period and the end of the sentence.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Closers {
    /// Closing brackets and quotes of any kind, and spaces; they are split from the period.
    WithQuotesAndSpaces,
    /// Closing brackets and ASCII quotes; they stay with the period.
    Plain,
}

impl Closers {
    fn contains(self, c: char) -> bool {
        match c {
            ']' | ')' | '}' | '>' | '"' | '\'' => true,
            '»' | '”' | '’' | ' ' => self == Closers::WithQuotesAndSpaces,
            _ => false,
        }
    }
}

/// Splits the period that ends the sentence from its word, unless it follows another period or begins the sentence.
pub(super) fn split_final_period(text: &mut String, closers: Closers) {
    let before_spaces = text.trim_end();
    let up_to_period = before_spaces.trim_end_matches(|c| closers.contains(c));
    let Some(word) = up_to_period.strip_suffix('.') else { return };
    if word.is_empty() || word.ends_with('.') {
        return;
    }
    let at = word.len();
    let tail = &text[at + 1..];
    let closing = tail.find(|c| !closers.contains(c)).map_or(tail, |end| &tail[..end]);
    let rest = match closers {
        Closers::WithQuotesAndSpaces => format!(" . {closing} "),
        Closers::Plain => format!(" .{closing} "),
    };
    text.truncate(at);
    text.push_str(&rest);
}

/// Spaces around runs of two periods or more.
pub(super) fn pad_ellipses(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(at) = rest.find("..") {
        let (before, run) = rest.split_at(at);
        let after = run.trim_start_matches('.');
        out.push_str(before);
        out.push(' ');
        out.push_str(&run[..run.len() - after.len()]);
        out.push(' ');
        rest = after;
    }
    out.push_str(rest);
}
