//! The scalars of one JSON object, read the way Python writes it.
//!
//! Why not serde_json: Python writes bare `NaN` and `Infinity` for missing floats and lone surrogates for broken
//! text, and both must not cost a sample; and a sidecar comes from the web, so that nothing here may recurse as deep as
//! it is nested. Containers are checked and passed over; [`elements`] and [`read_object`] open one where it is wanted.

use std::borrow::Cow;

/// Most fields of the object, and most elements that are read of a list.
pub(super) const MAX_FIELDS: usize = 4096;

/// A value of a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar<'a> {
    /// `null`, `NaN`, `Infinity`, `-Infinity`.
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number, as it is written.
    Number(Cow<'a, str>),
    /// A string, escapes resolved; lone surrogates are U+FFFD.
    Text(Cow<'a, str>),
    /// A list or an object, as it is written; it is whole.
    Container(&'a str),
}

/// Why a text is no JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JsonError {
    /// Where, in bytes.
    pub(super) offset: usize,
    /// What is wrong.
    pub(super) what: &'static str,
}

/// A field's name and value.
pub(super) type Field<'a> = (Cow<'a, str>, Scalar<'a>);

/// The fields of the object in `text`, or of the only object in a list, in order.
pub(super) fn read_object(text: &str) -> Result<Vec<Field<'_>>, JsonError> {
    let mut reader = Reader { text, at: 0 };
    reader.skip_space();
    if reader.at == text.len() {
        return Err(reader.syntax("nothing in it"));
    }
    let is_listed = reader.take(b'[');
    reader.skip_space();
    if reader.peek() != Some(b'{') {
        return Err(reader.syntax("not what begins an object"));
    }
    let fields = reader.object()?;
    reader.skip_space();
    if is_listed {
        if !reader.take(b']') {
            return Err(reader.syntax("a list of more than one object"));
        }
        reader.skip_space();
    }
    match reader.peek() {
        None => Ok(fields),
        Some(b'{') => Err(reader.syntax("a second object (JSON lines?)")),
        Some(_) => Err(reader.syntax("text behind the object")),
    }
}

/// The text, where the whole of `text` is one string: JSON that was written as JSON again.
pub(super) fn read_string(text: &str) -> Option<String> {
    let mut reader = Reader { text, at: 0 };
    reader.skip_space();
    let value = reader.string().ok()?;
    reader.skip_space();
    (reader.at == text.len()).then(|| value.into_owned())
}

/// The first [`MAX_FIELDS`] elements of a list; none where `text` is no list.
pub(super) fn elements(text: &str) -> Vec<Scalar<'_>> {
    let mut reader = Reader { text, at: 0 };
    let mut found = Vec::new();
    reader.skip_space();
    if !reader.take(b'[') {
        return found;
    }
    while found.len() < MAX_FIELDS
        && let Ok(value) = reader.value()
    {
        found.push(value);
        if !reader.goes_on(b']').unwrap_or(false) {
            break;
        }
    }
    found
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn object(&mut self) -> Result<Vec<Field<'a>>, JsonError> {
        let mut fields: Vec<Field<'a>> = Vec::new();
        self.expect(b'{')?;
        self.skip_space();
        if self.take(b'}') {
            return Ok(fields);
        }
        loop {
            if fields.len() >= MAX_FIELDS {
                return Err(self.syntax("too many fields"));
            }
            let name = self.name()?;
            let value = self.value()?;
            fields.push((name, value));
            if !self.goes_on(b'}')? {
                return Ok(fields);
            }
        }
    }

    /// A field's name and the colon behind it.
    fn name(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.skip_space();
        if self.peek() != Some(b'"') {
            return Err(self.syntax("no name in double quotes"));
        }
        let name = self.string()?;
        self.skip_space();
        if !self.take(b':') {
            return Err(self.syntax("no colon behind a name"));
        }
        Ok(name)
    }

    /// True at a comma, false at the closing byte.
    fn goes_on(&mut self, close: u8) -> Result<bool, JsonError> {
        self.skip_space();
        match self.peek() {
            Some(b',') => self.at += 1,
            Some(byte) if byte == close => {
                self.at += 1;
                return Ok(false);
            }
            _ => return Err(self.syntax("neither a comma nor an end behind a value")),
        }
        Ok(true)
    }

    fn value(&mut self) -> Result<Scalar<'a>, JsonError> {
        self.skip_space();
        match self.peek() {
            Some(b'"') => self.string().map(Scalar::Text),
            Some(b'{' | b'[') => self.container().map(Scalar::Container),
            _ => self.word(),
        }
    }

    /// Checks a list or object and passes over it. What is open is remembered in one byte each, not by recursion.
    fn container(&mut self) -> Result<&'a str, JsonError> {
        let start = self.at;
        let mut open: Vec<u8> = Vec::new();
        loop {
            self.skip_space();
            match self.peek() {
                Some(opening @ (b'{' | b'[')) => {
                    self.at += 1;
                    let close = if opening == b'{' { b'}' } else { b']' };
                    self.skip_space();
                    if !self.take(close) {
                        open.push(close);
                        if close == b'}' {
                            self.name()?;
                        }
                        continue;
                    }
                }
                Some(b'"') => drop(self.string()?),
                _ => drop(self.word()?),
            }
            loop {
                let Some(&close) = open.last() else { return Ok(&self.text[start..self.at]) };
                if self.goes_on(close)? {
                    if close == b'}' {
                        self.name()?;
                    }
                    break;
                }
                open.pop();
            }
        }
    }

    /// A number or one of the bare words.
    fn word(&mut self) -> Result<Scalar<'a>, JsonError> {
        let rest = &self.text[self.at..];
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        let word = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        let value = match word {
            "null" | "NaN" | "Infinity" | "-Infinity" => Scalar::Null,
            "true" => Scalar::Bool(true),
            "false" => Scalar::Bool(false),
            _ => {
                let starts = word.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
                if !starts || word.parse::<f64>().is_err() {
                    return Err(self.syntax("no value"));
                }
                Scalar::Number(Cow::Borrowed(word))
            }
        };
        self.at += word.len();
        Ok(value)
    }

    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.expect(b'"')?;
        let start = self.at;
        let rest = &self.text[start..];
        let stop = rest.find(['"', '\\']).ok_or_else(|| self.syntax("unfinished string"))?;
        self.at += stop;
        if self.take(b'"') {
            return Ok(Cow::Borrowed(&rest[..stop]));
        }
        let mut value = String::from(&rest[..stop]);
        loop {
            let rest = &self.text[self.at..];
            let stop = rest.find(['"', '\\']).ok_or_else(|| self.syntax("unfinished string"))?;
            value.push_str(&rest[..stop]);
            self.at += stop;
            if self.take(b'"') {
                return Ok(Cow::Owned(value));
            }
            value.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        self.expect(b'\\')?;
        let sign = self.peek().ok_or_else(|| self.syntax("unfinished escape"))?;
        let plain = match sign {
            b'"' | b'\\' | b'/' => char::from(sign),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return Err(self.syntax("unknown escape")),
        };
        self.at += 1;
        Ok(plain)
    }

    /// The four digits behind `\u`, and the second half of a surrogate pair.
    fn unicode_escape(&mut self) -> Result<char, JsonError> {
        let first = self.hex4()?;
        let is_high = (0xd800..0xdc00).contains(&first);
        if is_high && self.text[self.at..].starts_with("\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.hex4()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let digits = self.text.get(self.at..self.at + 4);
        let code = digits
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| self.syntax("broken \\u escape"))?;
        self.at += 4;
        Ok(code)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.take(byte) { Ok(()) } else { Err(self.syntax("not what JSON expects")) }
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn syntax(&self, what: &'static str) -> JsonError {
        JsonError { offset: self.at, what }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(value: &str) -> Scalar<'static> {
        let json = format!("{{\"a\": {value}}}");
        match read_object(&json).unwrap().remove(0).1 {
            Scalar::Text(text) => Scalar::Text(Cow::Owned(text.into_owned())),
            Scalar::Number(text) => Scalar::Text(Cow::Owned(format!("number {text}"))),
            Scalar::Null => Scalar::Null,
            Scalar::Bool(value) => Scalar::Bool(value),
            Scalar::Container(_) => text("container"),
        }
    }

    fn text(value: &str) -> Scalar<'static> {
        Scalar::Text(Cow::Owned(value.to_owned()))
    }

    #[test]
    fn what_python_writes_is_read() {
        for null in ["null", "NaN", "Infinity", "-Infinity"] {
            assert_eq!(one(null), Scalar::Null, "{null}");
        }
        for container in ["[1, {\"b\": []}]", "{}", "[]", "[[], {\"a\": {}, \"b\": [NaN, \"]\"]}]"]
        {
            assert_eq!(one(container), text("container"), "{container}");
        }
        assert_eq!(one("-12.5e-3"), text("number -12.5e-3"));
        assert_eq!(one("true"), Scalar::Bool(true));
        assert_eq!(one(r#""a\"\\\/\n\u00e9\ud83d\ude00b""#), text("a\"\\/\n\u{e9}\u{1f600}b"));
    }

    #[test]
    fn lone_surrogates_become_replacement_characters() {
        assert_eq!(one(r#""\ud83dx""#), text("\u{fffd}x"));
        assert_eq!(one(r#""\ud83d\u0041""#), text("\u{fffd}A"));
        assert_eq!(one(r#""\ude00""#), text("\u{fffd}"));
    }

    #[test]
    fn what_is_no_object_is_an_error() {
        for broken in [
            "",
            "[]",
            "1",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,}",
            "{\"a\":1} x",
            "{a:1}",
            "{\"a\":nan}",
            "{\"a\":inf}",
            "{\"a\":+1}",
            "{\"a\":1x}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12\"}",
            "{\"a\":\"\\u+123\"}",
            "{\"a\":[1,2}",
            "{\"a\":\"x",
            "{\"a\":-}",
        ] {
            assert!(read_object(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn depth_is_no_limit() {
        for depth in [31, 33, 1_000, 200_000] {
            let (open, close) = ("[".repeat(depth), "]".repeat(depth));
            let text = format!("{{\"a\":{open}{close},\"b\":1}}");
            assert_eq!(read_object(&text).unwrap().len(), 2, "{depth}");
            let error = read_object(&text[..text.len() - 9]).unwrap_err();
            assert_eq!(error.offset, text.len() - 9, "{error:?}");
        }
    }

    #[test]
    fn an_object_alone_in_a_list_is_that_object() {
        assert_eq!(read_object(" [ {\"a\": 1} ] ").unwrap().len(), 1);
        for (text, offset, what) in [
            ("[{\"a\": 1}, {}]", 9, "more than one"),
            ("[{}] {}", 5, "second object"),
            ("{}\n{}", 3, "JSON lines"),
            ("[]", 1, "begins an object"),
            ("  ", 2, "nothing in it"),
        ] {
            let error = read_object(text).unwrap_err();
            assert!(error.offset == offset && error.what.contains(what), "{text}: {error:?}");
        }
    }

    #[test]
    fn elements_are_those_of_a_list() {
        let found = elements("[ \"a\", 7, [1], null]");
        assert!(matches!(
            found[..],
            [Scalar::Text(_), Scalar::Number(_), Scalar::Container("[1]"), Scalar::Null]
        ));
        assert!(elements("{}").is_empty() && elements("[]").is_empty());
        assert_eq!(elements(&format!("[{}0]", "0,".repeat(10_000))).len(), MAX_FIELDS);
        assert_eq!(read_string(" \"{\\\"a\\\": 1}\" ").as_deref(), Some("{\"a\": 1}"));
        assert_eq!(read_string("\"a\" b"), None);
    }

    /// What serde_json makes of a scalar.
    fn scalar_of(value: &serde_json::Value) -> Scalar<'static> {
        match value {
            serde_json::Value::Bool(value) => Scalar::Bool(*value),
            serde_json::Value::String(value) => text(value),
            serde_json::Value::Number(value) => text(&format!("number {value}")),
            serde_json::Value::Null => Scalar::Null,
            _ => text("container"),
        }
    }

    fn any_value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            ".*".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                prop::collection::btree_map(".*", inner, 0..4).prop_map(|fields| fields
                    .into_iter()
                    .collect::<serde_json::Map<_, _>>()
                    .into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn strict_json_is_read_as_serde_json_reads_it(value in any_value(), pretty: bool) {
            let written =
                if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            prop_assert_eq!(one(&written.unwrap()), scalar_of(&value));
        }

        #[test]
        fn damaged_json_is_an_error_or_an_object(
            value in any_value(), at in any::<prop::sample::Index>(), with in "[\\[\\]{}\",:a0\\\\\u{e9}]?", cut: bool,
        ) {
            let mut written = format!("{{\"a\": {value}, \"b\": \"\\ud83d\\ude00\"}}");
            let mut at = at.index(written.len());
            while !written.is_char_boundary(at) {
                at -= 1;
            }
            written.insert_str(at, &with);
            if cut {
                written.truncate(at);
            }
            if let Ok(fields) = read_object(&written) {
                prop_assert!(fields.len() <= 1 + written.len() / 4);
            }
        }
    }
}
