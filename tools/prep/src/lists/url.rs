//! When two spellings are one URL.

/// The spelling under which URLs are compared.
///
/// Scheme and host have no case; `http` and `https` are the same, and so are the schemes' own ports, an empty path
/// and `/`; the fragment behind `#` is left out; percent signs that hide a letter, digit, `-`, `.`, `_` or `~` are
/// resolved, and the digits of the others are capitals. Path and query are otherwise compared as they are, so that a
/// list never hits an image that it does not name.
///
/// ```
/// use clipa_prep::lists::url::normalised;
/// assert_eq!(normalised("HTTPS://Example.ORG:443/%7ea/%c3?x=A#top"), "example.org/~a/%C3?x=A");
/// assert_eq!(normalised("http://example.org"), "example.org/");
/// ```
pub fn normalised(url: &str) -> String {
    let url = url.trim();
    let url = url.split_once('#').map_or(url, |(before, _)| before);
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => (String::new(), url.strip_prefix("//").unwrap_or(url)),
    };
    let path_at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(path_at);
    let mut authority = authority.to_ascii_lowercase();
    for port in [":80", ":443"] {
        if let Some(host) = authority.strip_suffix(port) {
            authority.truncate(host.len());
        }
    }
    let is_web = matches!(scheme.as_str(), "" | "http" | "https");
    let mut normal = if is_web { authority } else { format!("{scheme}://{authority}") };
    if !path.starts_with('/') {
        normal.push('/');
    }
    push_resolved(path, &mut normal);
    normal
}

/// Resolves percent signs that hide nothing.
fn push_resolved(path: &str, normal: &mut String) {
    let mut rest = path;
    while let Some(at) = rest.find('%') {
        normal.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let digits = rest.get(..2).filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let Some(code) = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) else {
            normal.push('%');
            continue;
        };
        rest = &rest[2..];
        if code.is_ascii_alphanumeric() || b"-._~".contains(&code) {
            normal.push(char::from(code));
        } else {
            normal.push_str(&format!("%{code:02X}"));
        }
    }
    normal.push_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_the_same_for_a_server_is_the_same() {
        for (one, other) in [
            ("http://a.b/c", "https://A.B:443/c"),
            ("http://a.b", "//a.b/"),
            ("http://a.b?q", "a.b/?q"),
            ("http://a.b/%61%2f%e9", " http://a.b/a%2F%E9#f "),
        ] {
            assert_eq!(normalised(one), normalised(other));
        }
        for (one, other) in [
            ("http://a.b/c", "http://a.b/C"),
            ("http://a.b/c", "http://a.b/c/"),
            ("http://a.b/c?x=1&y=2", "http://a.b/c?y=2&x=1"),
            ("http://a.b/a%2Fb", "http://a.b/a/b"),
            ("http://a.b/c", "ftp://a.b/c"),
            ("http://a.b:8080/c", "http://a.b/c"),
            ("http://www.a.b/c", "http://a.b/c"),
        ] {
            assert_ne!(normalised(one), normalised(other));
        }
    }

    proptest! {
        #[test]
        fn any_text_has_a_spelling(text in "\\PC*", url in "https?://[a-zA-Z.:0-9]{0,9}[/?%#a-f0-9~é]{0,20}") {
            let _ = normalised(&text);
            prop_assert_eq!(normalised(&url), normalised(&url.replacen("http://", "https://", 1)));
        }
    }
}
