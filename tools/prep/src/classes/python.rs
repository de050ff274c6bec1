//! Lists of strings in Python source: read as text, nothing is run.
//!
//! An entry is a string, strings side by side, or a `lambda` over one name that returns one: an f-string, a sum, `.format(c)` or `% c`. The place of
//! the name becomes `{}`.

use anyhow::{Context, Result, anyhow, bail};
use clipa_talk::printable;

/// A list or tuple that is assigned to a name; without a name where the source is the list itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct List {
    pub(super) name: String,
    pub(super) texts: Vec<String>,
}

/// Does the source begin with `NAME = [` or `NAME = (`, as a list that was copied from a program?
pub(super) fn begins_with_assignment(text: &str) -> bool {
    let mut source = Source::new(text);
    source.space();
    !source.word().is_empty() && source.assigned_bracket().is_some()
}

/// Is the line one string literal, a comma after it or not?
pub(super) fn is_literal(line: &str) -> bool {
    let mut source = Source::new(line.trim().trim_end_matches(','));
    matches!(source.literal(), Ok(Some(_))) && source.at_end()
}

/// Is the line an entry of a list, and nothing else?
pub(super) fn is_entry(line: &str) -> bool {
    line.starts_with("lambda ") || is_literal(line)
}

/// The text of a line that is an entry.
pub(super) fn entry(line: &str) -> Result<String> {
    let mut source = Source::new(line.trim().trim_end_matches(','));
    let text = source.entry()?;
    source.space();
    if source.at_end() { Ok(text) } else { Err(source.unexpected("behind the entry")) }
}

/// The lists of strings whose names are wanted.
///
/// # Errors
/// An entry of a wanted list is no string, or one whose value depends on more than the class name.
pub(super) fn lists(text: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<List>> {
    let mut source = Source::new(text);
    let mut lists = Vec::new();
    source.space();
    if wanted("") && matches!(source.peek(), Some('[' | '(')) {
        return Ok(vec![List { name: String::new(), texts: source.list()? }]);
    }
    while !source.at_end() {
        source.space();
        let name = source.word().to_owned();
        if name.is_empty() {
            if !matches!(source.literal(), Ok(Some(_))) {
                source.next();
            }
            continue;
        }
        let before = source.rest;
        match source.assigned_bracket() {
            Some(at) if wanted(&name) => {
                source.rest = at;
                lists.push(List { texts: source.list()?, name });
            }
            _ => source.rest = before,
        }
    }
    Ok(lists)
}

struct Source<'t> {
    whole: &'t str,
    rest: &'t str,
}

/// A string literal's content, with the name's places where it is an f-string.
struct Literal {
    text: String,
    is_formatted: bool,
}

impl<'t> Source<'t> {
    fn new(text: &'t str) -> Source<'t> {
        Source { whole: text, rest: text }
    }

    fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.rest = &self.rest[next.len_utf8()..];
        Some(next)
    }

    fn takes(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Passes over white space, comments and joined lines.
    fn space(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            if self.rest.starts_with('#') {
                self.rest = self.rest.find('\n').map_or("", |end| &self.rest[end..]);
            } else if !self.takes("\\\n") {
                return;
            }
        }
    }

    /// The identifier here; empty where there is none, or where it is the prefix of a string.
    fn word(&mut self) -> &'t str {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let length = self.rest.find(|c| !is_part(c)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(length);
        let is_prefix = is_prefix(word) && rest.starts_with(['"', '\'']);
        if is_prefix || word.starts_with(|c: char| c.is_ascii_digit()) {
            return "";
        }
        self.rest = rest;
        word
    }

    /// What follows `=` and begins with a bracket.
    fn assigned_bracket(&mut self) -> Option<&'t str> {
        self.space();
        if self.rest.starts_with("==") || !self.takes("=") {
            return None;
        }
        self.space();
        self.rest.starts_with(['[', '(']).then_some(self.rest)
    }

    fn list(&mut self) -> Result<Vec<String>> {
        self.next();
        let mut texts = Vec::new();
        loop {
            self.space();
            match self.peek() {
                Some(']' | ')') => {
                    self.next();
                    return Ok(texts);
                }
                None => bail!("the list has no end"),
                _ => {}
            }
            texts.push(self.entry()?);
            self.space();
            if !self.takes(",") && !matches!(self.peek(), Some(']' | ')')) {
                return Err(self.unexpected("where a comma is expected"));
            }
        }
    }

    fn entry(&mut self) -> Result<String> {
        let parameter = match self.rest.strip_prefix("lambda ") {
            Some(rest) => {
                self.rest = rest.trim_start();
                let name = self.word();
                self.space();
                if name.is_empty() || !self.takes(":") {
                    return Err(self.unexpected("in a lambda, which must have one parameter"));
                }
                Some(name)
            }
            None => None,
        };
        self.space();
        let in_brackets = parameter.is_some() && self.takes("(");
        let text = self.sum(parameter)?;
        self.space();
        if in_brackets && !self.takes(")") {
            return Err(self.unexpected("where `)` is expected"));
        }
        if parameter.is_some() && !text.contains("{}") {
            bail!("line {}: the lambda does not use its parameter", self.line());
        }
        Ok(text)
    }

    /// Strings and, in a lambda, its parameter, joined by `+` or side by side.
    fn sum(&mut self, parameter: Option<&str>) -> Result<String> {
        let mut sum = String::new();
        loop {
            self.space();
            match self.literals(parameter)? {
                Some(text) => sum.push_str(&text),
                None => {
                    let before = self.rest;
                    let word = self.word();
                    if word.is_empty() || Some(word) != parameter {
                        self.rest = before;
                        return Err(self.unexpected("where a string is expected"));
                    }
                    sum.push_str("{}");
                }
            }
            self.space();
            if !self.takes("+") {
                return Ok(sum);
            }
        }
    }

    /// Strings side by side, with the parameter in its places; `None` where no string is.
    fn literals(&mut self, parameter: Option<&str>) -> Result<Option<String>> {
        let mut parts = Vec::new();
        while let Some(part) = self.literal()? {
            parts.push(part);
            self.space();
        }
        if parts.is_empty() {
            return Ok(None);
        }
        let Some(parameter) = parameter else {
            if parts.iter().any(|part| part.is_formatted) {
                bail!("line {}: an f-string outside of a lambda has no class name", self.line());
            }
            return Ok(Some(parts.into_iter().map(|part| part.text).collect()));
        };
        let place = if self.takes(".format(") {
            self.argument(parameter)?;
            Some(["{}", "{0}"].as_slice())
        } else if self.takes("%") {
            let in_brackets = {
                self.space();
                self.takes("(")
            };
            self.space();
            if self.word() != parameter {
                return Err(self.unexpected("where the lambda's parameter is expected"));
            }
            self.space();
            if in_brackets && !(self.takes(",)") || self.takes(")")) {
                return Err(self.unexpected("where `)` is expected"));
            }
            Some(["%s"].as_slice())
        } else {
            None
        };
        let mut text = String::new();
        for part in parts {
            text.push_str(&match (part.is_formatted, place) {
                (true, _) => interpolated(&part.text, parameter)
                    .with_context(|| format!("line {}", self.line()))?,
                (false, Some(places)) => {
                    places.iter().fold(part.text, |text, place| text.replace(place, "{}"))
                }
                (false, None) if part.text.contains(['{', '}']) => {
                    bail!("line {}: braces in a string that is no f-string", self.line())
                }
                (false, None) => part.text,
            });
        }
        Ok(Some(text))
    }

    fn argument(&mut self, parameter: &str) -> Result<()> {
        self.space();
        let word = self.word();
        self.space();
        match word == parameter && self.takes(")") {
            true => Ok(()),
            false => Err(self.unexpected("where the lambda's parameter is expected")),
        }
    }

    /// A string literal, whatever its quotes and prefix.
    fn literal(&mut self) -> Result<Option<Literal>> {
        // No further than a prefix is long: a large file must not be searched again and again.
        let start = &self.rest.as_bytes()[..self.rest.len().min(3)];
        let quote_at = start.iter().position(|byte| matches!(byte, b'"' | b'\''));
        let quote_at = quote_at.filter(|&at| is_prefix(&self.rest[..at]));
        let Some(at) = quote_at else { return Ok(None) };
        let prefix = self.rest[..at].to_lowercase();
        self.rest = &self.rest[at..];
        let quote = self.peek().unwrap_or_default();
        let triple: String = [quote; 3].iter().collect();
        let is_long = self.takes(&triple);
        if !is_long {
            self.next();
        }
        let mut text = String::new();
        loop {
            if is_long && self.takes(&triple) {
                break;
            }
            match self.next() {
                Some(c) if c == quote && !is_long => break,
                Some('\\') if !prefix.contains('r') => self.escape(&mut text)?,
                Some('\n') if !is_long => bail!("line {}: the string has no end", self.line()),
                Some(c) => text.push(c),
                None => bail!("line {}: the string has no end", self.line()),
            }
        }
        Ok(Some(Literal { text, is_formatted: prefix.contains('f') }))
    }

    fn escape(&mut self, text: &mut String) -> Result<()> {
        let digits = match self.next() {
            Some('\n') => return Ok(()),
            Some('n') => {
                text.push('\n');
                return Ok(());
            }
            Some('t') => {
                text.push('\t');
                return Ok(());
            }
            Some(c @ ('\\' | '\'' | '"')) => {
                text.push(c);
                return Ok(());
            }
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            _ => bail!("line {}: an escape that is not understood", self.line()),
        };
        let code = self.rest.get(..digits).and_then(|code| u32::from_str_radix(code, 16).ok());
        let c = code.and_then(char::from_u32);
        let unknown = || anyhow!("line {}: an escape that is not understood", self.line());
        text.push(c.ok_or_else(unknown)?);
        self.rest = &self.rest[digits..];
        Ok(())
    }

    fn line(&self) -> usize {
        let read = self.whole.len() - self.rest.len();
        self.whole.as_bytes()[..read].iter().filter(|&&byte| byte == b'\n').count() + 1
    }

    fn unexpected(&self, place: &str) -> anyhow::Error {
        let shown: String = self.rest.chars().take(20).take_while(|&c| c != '\n').collect();
        anyhow!("line {}: `{}` {place}", self.line(), printable(&shown))
    }
}

fn is_prefix(text: &str) -> bool {
    text.len() <= 2 && text.chars().all(|c| "rRbBuUfF".contains(c))
}

/// An f-string's text with the parameter's places as `{}`; doubled braces are refused, because they would pass for
/// a place.
fn interpolated(text: &str, parameter: &str) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let end = rest[at..].find('}').map(|end| at + end);
        let name = end.and_then(|end| rest.get(at + 1..end)).unwrap_or_default();
        let Some(end) = end.filter(|_| name.trim() == parameter) else {
            bail!("`{}` holds more than the class name", printable(text));
        };
        out.push_str("{}");
        rest = &rest[end + 1..];
    }
    Ok(out + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_lambda_is_understood() {
        for line in [
            "lambda c: f'a {c}.'",
            "lambda c: f\"a {c}.\",",
            "lambda name: 'a {}.'.format(name)",
            "lambda c: 'a ' + c + '.'",
            "lambda c: 'a %s.' % c",
            "lambda c: (f'a ' f'{c}.')",
            "'a {}.'",
            r#""a \x7b}.","#,
            "u'a {}.'",
            "'''a {}.'''",
        ] {
            assert_eq!(entry(line).unwrap(), "a {}.", "{line}");
        }
    }

    #[test]
    fn what_is_more_than_a_string_is_refused_and_named() {
        for (line, said) in [
            ("lambda c: f'a {c.lower()}.'", "more than the class name"),
            ("lambda c: f'a {d}.'", "more than the class name"),
            ("lambda c: 'a dog'", "does not use its parameter"),
            ("lambda c: name(c)", "where a string is expected"),
            ("lambda: 'a'", "where a string is expected"),
            ("f'a {c}'", "no class name"),
            ("'a {}", "no end"),
        ] {
            let error = format!("{:#}", entry(line).unwrap_err());
            assert!(error.contains(said), "{line}: {error}");
        }
    }

    #[test]
    fn lists_are_found_among_other_source() {
        let text = "\"\"\"A docstring with x_templates = ['no']\"\"\"\nimport os\n\
                    n = len(['a'])\nx_templates = (\n 'a {}',  # it's one\n 'b {}'\n)\n\
                    if x_templates == ['c']: pass\n";
        let lists = lists(text, |name| name.contains("template")).unwrap();
        let texts = vec!["a {}".to_owned(), "b {}".to_owned()];
        assert_eq!(lists, [List { name: "x_templates".to_owned(), texts }]);
    }

    #[test]
    fn no_source_makes_it_panic() {
        for text in [
            "",
            "x_t = [",
            "x = ['a'",
            "lambda",
            "'",
            "\"\"\"",
            "x = ['\\",
            "é = ['\\u12",
            "['\\xé1']",
        ] {
            let _ = lists(text, |_| true);
            let _ = entry(text);
        }
    }
}
