//! Pages for people: heads, and entries with their names in a column.

use clipa_talk::printable;

/// Width of the column of names.
const NAME_COLUMNS: usize = 16;

/// A page under construction. Texts may come from data; each is made fit for one line.
#[derive(Default)]
pub(super) struct Page {
    lines: Vec<String>,
}

impl Page {
    /// A line of its own.
    pub(super) fn head(&mut self, text: &str) {
        self.lines.push(printable(text).into_owned());
    }

    /// A name with what belongs to it.
    pub(super) fn entry(&mut self, name: &str, text: &str) {
        let line = format!("  {:<NAME_COLUMNS$}  {}", printable(name), printable(text));
        self.lines.push(line.trim_end().to_owned());
    }

    /// An empty line.
    pub(super) fn space(&mut self) {
        self.lines.push(String::new());
    }

    /// The page, without an end of line at its end.
    pub(super) fn finish(self) -> String {
        self.lines.join("\n")
    }
}
