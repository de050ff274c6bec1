//! When two spellings are one URL.

use super::host;

/// Ports that a scheme has anyway.
const OWN_PORTS: [(&str, &str); 3] = [("http", "80"), ("https", "443"), ("ftp", "21")];

/// The spelling under which URLs are compared.
///
/// What RFC 3986 (6.2.2, 6.2.3) calls equivalent, and what every client sends alike, is one: scheme and host have no
/// case, a host of other letters is its Punycode; the scheme's own port, an empty path and `/`, and `.` and `..` in a
/// path are resolved; the fragment behind `#` is left out. Letters, digits and `-._~` stand for themselves; every
/// other sign that a URL cannot hold as it is (`é`, a space, a lone `%`) is its UTF-8 in percent signs, with capital
/// digits. `http` and `https` are the same, and so is neither.
///
/// Everything else is compared as it is: path and query with their case and order, `%2F` and `/`, `%26` and `&`,
/// the same letter composed in another way, user names. So a list never hits an image that it does not name.
///
/// ```
/// use clipa_prep::lists::url::normalised;
/// assert_eq!(normalised("HTTPS://Example.ORG:443/%7ea/%c3%A9?x=A#top"), "example.org/~a/%C3%A9?x=A");
/// assert_eq!(normalised("http://bücher.example/./é"), "xn--bcher-kva.example/%C3%A9");
/// ```
pub fn normalised(url: &str) -> String {
    let url = url.trim();
    let url = url.split_once('#').map_or(url, |(before, _)| before);
    let (scheme, authority, path) = parts(url);
    let scheme = scheme.to_ascii_lowercase();
    let is_web = matches!(scheme.as_str(), "" | "http" | "https");
    let mut normal = if is_web { String::new() } else { format!("{scheme}://") };
    push_authority(&scheme, authority, &mut normal);
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let mut plain = String::with_capacity(path.len() + 1);
    push_resolved(path, b"/:@!$&'()*+,;=", &mut plain);
    push_without_dots(&plain, &mut normal);
    if let Some(query) = query {
        normal.push('?');
        push_resolved(query, b"/?:@!$&'()*+,;=", &mut normal);
    }
    normal
}

/// Does it name a host? What does not can be no sample's URL.
pub(super) fn has_host(url: &str) -> bool {
    let (_, authority, _) = parts(url.trim());
    let (_, host, _) = user_host_port(authority);
    !host.is_empty() && !host.contains(char::is_whitespace)
}

/// Does it begin with a scheme and a host, and is it one word?
pub(super) fn is_absolute(text: &str) -> bool {
    let Some((scheme, _)) = text.split_once("://") else { return false };
    let mut letters = scheme.bytes();
    letters.next().is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|sign| sign.is_ascii_alphanumeric() || b"+-.".contains(&sign))
        && !text.contains(|sign: char| sign.is_whitespace() || sign.is_control())
        && !text.contains(['"', '<', '>'])
        && has_host(text)
}

/// Scheme, authority, and path with query.
fn parts(url: &str) -> (&str, &str, &str) {
    let (scheme, rest) = match url.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?']) => (scheme, rest),
        _ => ("", url.strip_prefix("//").unwrap_or(url)),
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    (scheme, authority, path)
}

/// User with its `@`, host, and the port's digits.
fn user_host_port(authority: &str) -> (&str, &str, &str) {
    let (user, rest) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
    match rest.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => {
            (user, host, port)
        }
        _ => (user, rest, ""),
    }
}

fn push_authority(scheme: &str, authority: &str, normal: &mut String) {
    let (user, host, port) = user_host_port(authority);
    push_resolved(user, b":@!$&'()*+,;=", normal);
    host::push(host, normal);
    let port = port.trim_start_matches('0');
    let is_own = |&(of, own): &(&str, &str)| port == own && (of == scheme || scheme.is_empty());
    if !port.is_empty() && !OWN_PORTS.iter().any(is_own) {
        normal.push(':');
        normal.push_str(port);
    }
}

/// Letters, digits and `-._~` plainly, signs of `legal` as they are (plain or hidden), all others hidden.
fn push_resolved(text: &str, legal: &[u8], normal: &mut String) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        let digits = text.get(at..at + 2).filter(|two| byte == b'%' && is_hex(two));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(hidden) => {
                at += 2;
                push_byte(hidden, false, normal);
            }
            None => push_byte(byte, legal.contains(&byte), normal),
        }
    }
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn push_byte(byte: u8, is_legal: bool, normal: &mut String) {
    if is_legal || byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        normal.push(char::from(byte));
    } else {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        normal.push('%');
        normal.push(char::from(DIGITS[usize::from(byte >> 4)]));
        normal.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// RFC 3986, 5.2.4: what `.` and `..` in a path mean. An empty path is `/`.
fn push_without_dots(path: &str, normal: &mut String) {
    if !path.contains("/.") {
        normal.push_str(if path.is_empty() { "/" } else { path });
        return;
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut ends_in_folder = false;
    for segment in path.split('/').skip(1) {
        ends_in_folder = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    for segment in &kept {
        normal.push('/');
        normal.push_str(segment);
    }
    if ends_in_folder || kept.is_empty() {
        normal.push('/');
    }
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
            ("http://a.b/caf\u{e9}?\u{e9}", "http://a.b/caf%c3%a9?%C3%A9"),
            ("http://a.b/a b|c[1].jpg", "http://a.b/a%20b%7Cc%5B1%5D.jpg"),
            ("http://a.b/100%", "http://a.b/100%25"),
            ("http://a.b/x/./y/../z", "http://a.b/x/%2e/z"),
            ("http://a.b/../x/..", "http://a.b/"),
            ("http://a.b:80/c", "http://a.b:/c"),
            ("http://a.b:0080/c", "http://a.b/c"),
            ("http://a.b:08080/c", "http://a.b:8080/c"),
            ("http://B\u{dc}CHER.example/c", "https://xn--bcher-kva.EXAMPLE/c"),
            ("http://b%C3%BCcher.example/c", "http://b\u{fc}cher.example/c"),
            ("http://\u{4f8b}\u{3002}jp/", "http://xn--fsq.jp/"),
            ("ftp://a.b:21/c", "FTP://a.b/c"),
            ("http://User@a.b/c", "http://User@A.B/c"),
        ] {
            assert_eq!(normalised(one), normalised(other));
        }
    }

    #[test]
    fn two_urls_stay_two() {
        for (one, other) in [
            ("http://a.b/c", "http://a.b/C"),
            ("http://a.b/c", "http://a.b/c/"),
            ("http://a.b/c", "http://a.b/c?"),
            ("http://a.b/c?x=1&y=2", "http://a.b/c?y=2&x=1"),
            ("http://a.b/a%2Fb", "http://a.b/a/b"),
            ("http://a.b/a%3Fb", "http://a.b/a?b"),
            ("http://a.b/?a%26b", "http://a.b/?a&b"),
            ("http://a.b/a%25%32%35", "http://a.b/a%"),
            ("http://a.b/a+b", "http://a.b/a%20b"),
            ("http://a.b/\u{e9}", "http://a.b/e\u{301}"),
            ("http://a.b/\u{e9}", "http://a.b/%E9"),
            ("http://a.b/x..", "http://a.b/x"),
            ("http://a.b//c", "http://a.b/c"),
            ("http://a.b/c", "ftp://a.b/c"),
            ("http://a.b:8080/c", "http://a.b/c"),
            ("http://a.b:443/c", "http://a.b/c"),
            ("https://a.b:80/c", "https://a.b/c"),
            ("http://www.a.b/c", "http://a.b/c"),
            ("http://User@a.b/c", "http://user@a.b/c"),
            ("http://a.b/?u=http://c.d/..", "http://a.b/?u=http://c.d/"),
        ] {
            assert_ne!(normalised(one), normalised(other), "{one} {other}");
        }
    }

    #[test]
    fn a_url_has_a_scheme_and_a_host_and_is_one_word() {
        for url in ["http://a.b/c", "s3://bucket/x", "https://a.b/(x)_'y'*,z", "http://[::1]:8/x"] {
            assert!(is_absolute(url), "{url}");
        }
        for text in
            ["a.b/c", "http://", "http:///x", "://a.b", "1x://a.b", "http://a.b/\"", "x http://a.b"]
        {
            assert!(!is_absolute(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_a_spelling(text in "\\PC*", url in "https?://[a-zA-Z.0-9]{0,9}[/?%#a-f0-9~.é ]{0,20}") {
            let _ = normalised(&text);
            let normal = normalised(&url);
            prop_assert_eq!(&normal, &normalised(&url.replacen("http://", "https://", 1)));
            // what is normal already stays
            prop_assert_eq!(&normal, &normalised(&format!("http://{normal}")));
        }
    }
}
