//! Secrets: which headers hold one, and how they are kept out of all that is shown.
//!
//! A header holds one by its name, or by a value that looks like a key: a long one. It is marked as
//! sensitive, and its value is taken out of whatever text a server sends back. All others are
//! ordinary words (`x-mode: fast`), and stay in the texts of errors, where they are found by chance.

use super::Head;
use http::HeaderValue;

/// A header whose name contains one of these holds a secret.
const IN_NAMES: [&str; 13] = [
    "auth",
    "bearer",
    "cookie",
    "credential",
    "jwt",
    "key",
    "pass",
    "private",
    "pwd",
    "secret",
    "session",
    "signature",
    "token",
];

/// A value that begins with one of these names how it proves who is asking.
const SCHEMES: [&str; 4] = ["basic ", "bearer ", "digest ", "token "];

/// A value of this length may be a key: shorter ones are guessed.
const LIKE_A_KEY: usize = 16;

/// These have long values that anyone may know.
const KNOWN: [&str; 7] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "content-type",
    "host",
    "te",
    "user-agent",
];

/// Whether the header holds a secret. `name` is in lower case.
pub(crate) fn is_secret(name: &str, value: &str) -> bool {
    let by_name = IN_NAMES.iter().any(|part| name.contains(part));
    let by_scheme = SCHEMES.iter().any(|scheme| {
        let start = value.as_bytes().get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes()))
    });
    let by_length = value.len() >= LIKE_A_KEY && !KNOWN.contains(&name);
    by_name || by_scheme || by_length
}

/// A header's value that no log and no Debug output shows; `None` where no header may hold it.
pub(crate) fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// `text` of an answer to a request with `head`, without the keys that went with it: those of the
/// head, and `proxy`, the value that a proxy was sent.
pub(super) fn redacted(mut text: String, proxy: Option<&HeaderValue>, head: &Head) -> Box<str> {
    if let Some(Ok(value)) = proxy.map(HeaderValue::to_str) {
        redact_value(&mut text, value);
    }
    head.without_key(&text)
}

impl Head {
    /// `text` without the keys that these headers carry: a server may send them back in an error.
    pub(crate) fn without_key(&self, text: &str) -> Box<str> {
        let keys = self
            .headers
            .iter()
            .filter(|(_, value)| value.is_sensitive())
            .filter_map(|(_, value)| value.to_str().ok());
        let mut text = text.to_owned();
        for value in keys {
            redact_value(&mut text, value);
        }
        text.into_boxed_str()
    }
}

/// Takes the value of a header out of `text`, also without its scheme, such as "Bearer", and the
/// parts that it has, such as those of a cookie.
fn redact_value(text: &mut String, value: &str) {
    /// Shorter parts are found all over a text.
    const SHORTEST_PART: usize = 8;
    const SEPARATORS: [char; 3] = [' ', ';', ','];
    redact(text, value);
    let mut secret = value;
    if let Some((first, rest)) = value.split_once(' ') {
        redact(text, rest);
        if !first.contains(['=', ';', ',']) {
            secret = rest;
        }
    }
    for part in secret.split(SEPARATORS) {
        if part.len() < SHORTEST_PART && part != value {
            continue;
        }
        redact(text, part);
        if let Some((_, named)) = part.split_once('=') {
            redact(text, named.trim_matches(['"', '=']));
        }
    }
}

/// Takes `key` out of `text`, also where the text was cut within it.
fn redact(text: &mut String, key: &str) {
    /// Shorter ones are no secret, and would be found all over a text.
    const SHORTEST: usize = 4;
    const INSTEAD: &str = "***";
    if key.len() < SHORTEST {
        return;
    }
    if text.contains(key) {
        *text = text.replace(key, INSTEAD);
    }
    let end = text.trim_end_matches('…').len();
    let cut = (SHORTEST..key.len())
        .rev()
        .find(|most| text[..end].ends_with(&key[..*most]));
    if let Some(length) = cut {
        text.replace_range(end - length..end, INSTEAD);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Account;
    use super::*;
    use http::{HeaderName, Method};
    use std::sync::Arc;

    #[test]
    fn names_and_long_values_make_a_secret() {
        for (name, value) in [
            ("authorization", "x"),
            ("proxy-authorization", "x"),
            ("cookie", "a=b"),
            ("x-api-key", "1"),
            ("api-key", "1"),
            ("ocp-apim-subscription-key", "1"),
            ("x-goog-iam-authority-selector", "1"),
            ("x-amz-security-token", "1"),
            ("x-client-secret", "1"),
            ("x-password", "1"),
            ("x-tenant", "6f9619ff8b86d011"),
            ("x-upstream", "bearer abc"),
            ("x-upstream", "Basic eDp5"),
            ("accept", "Bearer abc"),
        ] {
            assert!(is_secret(name, value), "{name}: {value}");
        }
        for (name, value) in [
            ("x-mode", "fast"),
            ("x-region", "us-east-1"),
            ("x-priority", "7"),
            ("x-empty", ""),
            ("x-letters", "\u{e4}\u{f6}\u{fc}"),
            ("content-type", "application/vnd.custom+json"),
            ("user-agent", "a program of mine/1.0"),
        ] {
            assert!(!is_secret(name, value), "{name}: {value}");
        }
    }

    #[test]
    fn keys_are_taken_out_of_a_text_whole_or_cut() {
        let header = |name, value| {
            let mut value = HeaderValue::from_static(value);
            value.set_sensitive(true);
            (HeaderName::from_static(name), value)
        };
        let head = Head {
            method: Method::POST,
            url: "http://h".into(),
            account: Arc::new(Account::new("http://h", &[])),
            headers: vec![
                header("authorization", "bearer sk-12345678"),
                header("x-other", "abcdefgh"),
                header("x-short", "1"),
                header("cookie", "id=0123456789; theme=dark; token=\"zyxwvut\""),
                header("x-one", "sid=qrstuvw"),
                header("x-dense", "a=13579bdf;b=2468ace0,c=1"),
                (
                    HeaderName::from_static("x-mode"),
                    HeaderValue::from_static("fast"),
                ),
            ],
        };
        for (text, expected) in [
            ("no key 1", "no key 1"),
            ("bad sk-12345678, bearer sk-12345678", "bad ***, ***"),
            ("abcdefgh: 1 abcdefgh", "***: 1 ***"),
            ("cut in sk-1234…", "cut in ***…"),
            ("cut in bearer sk", "cut in ***"),
            ("cut in abcdefg", "cut in ***"),
            ("0123456789, zyxwvut, qrstuvw", "***, ***, ***"),
            ("13579bdf and 2468ace0", "*** and ***"),
            ("not so fast", "not so fast"),
        ] {
            assert_eq!(&*head.without_key(text), expected);
        }
    }
}
