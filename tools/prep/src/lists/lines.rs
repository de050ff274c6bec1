//! The lines of a text list: UTF-8 or UTF-16, ended as Unix or as Windows ends them.

use std::io::{self, BufRead, Read};

/// Longest line of a text list, in bytes.
const MAX_LINE_BYTES: u64 = 1 << 16;

/// The lines of a list, one after the other; memory for one.
pub(super) struct Lines<R> {
    reader: R,
    encoding: Encoding,
    bytes: Vec<u8>,
    text: String,
}

/// How its letters are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Also ASCII.
    Utf8,
    /// As Excel writes "Unicode text".
    Utf16Little,
    /// The same, with the greater byte first.
    Utf16Big,
}

impl Encoding {
    /// What the first bytes of a file say.
    pub(super) fn of(start: &[u8]) -> Encoding {
        match start {
            [0xff, 0xfe, ..] => Encoding::Utf16Little,
            [0xfe, 0xff, ..] => Encoding::Utf16Big,
            _ => Encoding::Utf8,
        }
    }
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R, encoding: Encoding) -> Lines<R> {
        Lines { reader, encoding, bytes: Vec::new(), text: String::new() }
    }

    /// The next line without its end and the white space around it; `Err` with what is wrong with it.
    pub(super) fn next(&mut self) -> io::Result<Option<Result<&str, &'static str>>> {
        self.bytes.clear();
        if self.encoding == Encoding::Utf8 {
            self.reader.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut self.bytes)?;
        } else {
            self.read_units()?;
        }
        if self.bytes.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.decoded()))
    }

    /// UTF-16 up to the end of the line.
    fn read_units(&mut self) -> io::Result<()> {
        let end = if self.encoding == Encoding::Utf16Little { b"\n\0" } else { b"\0\n" };
        while (self.bytes.len() as u64) < MAX_LINE_BYTES {
            let before = self.bytes.len();
            self.reader.by_ref().take(2).read_to_end(&mut self.bytes)?;
            let unit = &self.bytes[before..];
            if unit.len() < 2 || unit == end {
                break;
            }
        }
        Ok(())
    }

    fn decoded(&mut self) -> Result<&str, &'static str> {
        let text = match self.encoding {
            Encoding::Utf8 => std::str::from_utf8(&self.bytes).map_err(|_| "it is not UTF-8")?,
            encoding => {
                let units = self.bytes.chunks(2).map(|unit| match (encoding, unit) {
                    (Encoding::Utf16Little, &[low, high]) => u16::from_le_bytes([low, high]),
                    (_, &[high, low]) => u16::from_be_bytes([high, low]),
                    // half a unit is no letter, and no surrogate stands alone
                    _ => 0xd800,
                });
                let decoded: Result<String, _> = char::decode_utf16(units).collect();
                self.text = decoded.map_err(|_| "it is not UTF-16")?;
                &self.text
            }
        };
        if self.bytes.len() as u64 >= MAX_LINE_BYTES && !text.ends_with('\n') {
            return Err("it is longer than 65,536 bytes");
        }
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.contains(|sign: char| sign.is_control() && sign != '\t') {
            return Err("it holds control characters: write the list as UTF-8, one entry a line");
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<Result<String, &'static str>> {
        let mut lines = Lines::new(bytes, Encoding::of(bytes));
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push(line.map(str::to_owned));
        }
        all
    }

    #[test]
    fn both_encodings_and_both_line_ends_are_read() {
        let text = "\u{feff}http://a.b/\u{e9}\u{1f600}\r\n\n x \nlast";
        let expected = ["http://a.b/\u{e9}\u{1f600}", "", "x", "last"];
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [text.as_bytes(), &little, &big] {
            let lines: Vec<_> = read(bytes).into_iter().map(Result::unwrap).collect();
            assert_eq!(lines, expected);
        }
    }

    #[test]
    fn what_is_no_text_is_told() {
        assert!(read(b"a\xff\n")[0].clone().is_err_and(|what| what.contains("UTF-8")));
        assert!(read(b"\xff\xfea")[0].clone().is_err_and(|what| what.contains("UTF-16")));
        assert!(read(b"a\rb\n")[0].clone().is_err_and(|what| what.contains("control")));
        assert!(read(b"a\0\n")[0].is_err());
        let long = vec![b'a'; 1 << 17];
        assert!(read(&long)[0].clone().is_err_and(|what| what.contains("longer")));
    }
}
