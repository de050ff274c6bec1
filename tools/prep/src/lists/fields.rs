//! The fields of a line of CSV or TSV (RFC 4180).

use std::borrow::Cow;

/// Splits a line; a field may stand in quotes, in which the delimiter is a sign as any other and `""` is a quote.
///
/// # Errors
/// What is wrong with the quotes.
pub(super) fn split(line: &str, delimiter: char) -> Result<Vec<Cow<'_, str>>, &'static str> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let space = |sign: char| sign.is_whitespace() && sign != delimiter;
        let start = rest.trim_start_matches(space);
        let (field, behind) = match start.strip_prefix('"') {
            Some(inner) => {
                let (field, behind) = quoted(inner)?;
                (field, behind.trim_start_matches(space))
            }
            None => {
                let end = start.find(delimiter).unwrap_or(start.len());
                (Cow::Borrowed(start[..end].trim()), &start[end..])
            }
        };
        fields.push(field);
        rest = match behind.strip_prefix(delimiter) {
            Some(next) => next,
            None if behind.is_empty() => return Ok(fields),
            None => return Err("text stands behind a closing quote"),
        };
    }
}

/// The text up to the closing quote, and what stands behind that.
fn quoted(inner: &str) -> Result<(Cow<'_, str>, &str), &'static str> {
    let mut from = 0;
    loop {
        let end = inner[from..].find('"').ok_or("a quote does not end on its line")? + from;
        let behind = &inner[end + 1..];
        if !behind.starts_with('"') {
            let text = &inner[..end];
            let text = if text.contains('"') {
                Cow::Owned(text.replace("\"\"", "\""))
            } else {
                Cow::Borrowed(text)
            };
            return Ok((text, behind));
        }
        from = end + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hide_delimiters_and_quotes() {
        assert_eq!(split("a, b ,,c", ',').unwrap(), ["a", "b", "", "c"]);
        assert_eq!(split("\"a,\"\"b\"\"\" , c", ',').unwrap(), ["a,\"b\"", "c"]);
        assert_eq!(split("a\tb c\t", '\t').unwrap(), ["a", "b c", ""]);
        assert_eq!(split("a\"b;c", ';').unwrap(), ["a\"b", "c"]);
        assert!(split("\"a", ',').is_err());
        assert!(split("\"a\"b,c", ',').is_err());
    }
}
