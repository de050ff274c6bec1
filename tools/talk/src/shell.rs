//! Commands as a person can paste them into a shell.

use std::ffi::OsStr;

/// A word as a POSIX shell reads it back: as it is where that is safe, else in single quotes.
///
/// A word that is no UTF-8 keeps a mark in the place of each byte that is none.
pub fn quoted(word: impl AsRef<OsStr>) -> String {
    let word = word.as_ref().to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A command line of these words, each [`quoted`].
pub fn command_line<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> String {
    words.into_iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn words_come_back_from_a_shell() {
        assert_eq!(quoted("stage.lr=1e-4"), "stage.lr=1e-4");
        assert_eq!(quoted("my data"), "'my data'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
        let words =
            ["/a b/it's:$HOME", "", "~", "*.tar", "{0..9}", "`id`", "a;b&c|d", "größe", "x\ny"];
        let script = format!("printf '%s\\0' {}", command_line(words));
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let read_back = String::from_utf8(output.stdout).unwrap();
        assert!(read_back.split_terminator('\0').eq(words), "{read_back:?}");
    }
}
