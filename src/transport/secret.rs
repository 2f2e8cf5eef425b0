//! Secrets: which headers hold one, and how they are kept out of all that is shown.
//!
//! A header holds one by its name, or by a value that looks like a key: a long one. It is marked as
//! sensitive, and its value is taken out of whatever a server that refuses sends back, text and
//! headers. So are those values of a URL's query that the same rules make secret. All others are
//! ordinary words (`x-mode: fast`), and stay in the texts of errors, where they are found by chance.

use super::Head;
use crate::headers::Headers;
use http::HeaderValue;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

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

/// Whether a header holds a secret: by its name, in lower case, or by what its value looks like.
#[must_use]
pub fn is_secret(name: &str, value: &str) -> bool {
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

/// `text` of an answer to a request with `head`, without what went with it that is secret; `proxy` is
/// the value that a proxy was sent.
pub(crate) fn redacted(text: String, proxy: Option<&HeaderValue>, head: &Head) -> Box<str> {
    Secrets::of(head, proxy).out_of(text)
}

/// What went with a request and no part of its answer may show: a server may send it back.
pub(super) struct Secrets<'a>(Vec<Cow<'a, str>>);

impl<'a> Secrets<'a> {
    /// Those of a request with `head`, and of `proxy`, the value that a proxy was sent.
    pub(super) fn of(head: &'a Head, proxy: Option<&'a HeaderValue>) -> Self {
        let own = head.headers.iter().map(|(_, value)| value);
        let values = own.filter(|value| value.is_sensitive());
        let values = proxy.into_iter().chain(values);
        let mut secrets = Vec::new();
        for value in values.filter_map(|value| value.to_str().ok()) {
            push_parts(&mut secrets, value);
        }
        push_query(&mut secrets, &head.url);
        secrets.retain(|secret| secret.len() >= SHORTEST);
        Self(secrets)
    }

    /// `text` without them, also where it was cut within one.
    pub(super) fn out_of(&self, mut text: String) -> Box<str> {
        for secret in &self.0 {
            redact(&mut text, secret);
        }
        text.into_boxed_str()
    }

    /// `headers` without them.
    pub(super) fn out_of_headers(&self, headers: Headers) -> Headers {
        let shows = |value: &str| self.0.iter().any(|secret| value.contains(&**secret));
        if !headers.iter().any(|(_, value)| shows(value)) {
            return headers;
        }
        let without = |value: &str| {
            let whole = value.to_owned();
            let secrets = self.0.iter();
            secrets.fold(whole, |value, secret| value.replace(&**secret, INSTEAD))
        };
        let pairs: Vec<(&str, String)> = headers
            .iter()
            .map(|(name, value)| (name, without(value)))
            .collect();
        let pairs = pairs.iter().map(|(name, value)| (*name, value.as_str()));
        pairs.collect()
    }
}

/// Shorter ones are no secret, and would be found all over a text.
const SHORTEST: usize = 4;
const INSTEAD: &str = "***";

impl Head {
    /// `text` without the keys that went with a request of this head.
    pub(crate) fn without_key(&self, text: &str) -> Box<str> {
        Secrets::of(self, None).out_of(text.to_owned())
    }
}

/// The value of a header; the same without its scheme, such as "Bearer"; and the parts that it has,
/// such as those of a cookie.
fn push_parts<'a>(secrets: &mut Vec<Cow<'a, str>>, value: &'a str) {
    /// Shorter parts are found all over a text.
    const SHORTEST_PART: usize = 8;
    const SEPARATORS: [char; 3] = [' ', ';', ','];
    let mut push = |secret: &'a str| secrets.push(secret.into());
    push(value);
    let mut secret = value;
    if let Some((first, rest)) = value.split_once(' ') {
        push(rest);
        if !first.contains(['=', ';', ',']) {
            secret = rest;
        }
    }
    for part in secret.split(SEPARATORS) {
        if part.len() < SHORTEST_PART && part != value {
            continue;
        }
        push(part);
        if let Some((_, named)) = part.split_once('=') {
            push(named.trim_matches(['"', '=']));
        }
    }
}

/// The values in the query of a URL that are secret by the rules of headers, as they are sent and as
/// they are meant.
fn push_query<'a>(secrets: &mut Vec<Cow<'a, str>>, url: &'a str) {
    let (_, query) = url.split_once('?').unwrap_or_default();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or(("", pair));
        let meant = percent_decode_str(value).decode_utf8_lossy();
        if is_secret(&name.to_ascii_lowercase(), &meant) {
            secrets.push(value.into());
            secrets.push(meant);
        }
    }
}

/// Takes `key` out of `text`, also where the text was cut within it.
fn redact(text: &mut String, key: &str) {
    if text.contains(key) {
        *text = text.replace(key, INSTEAD);
    }
    let end = text.trim_end_matches('…').len();
    let cut = (SHORTEST..key.len())
        .rev()
        .find(|most| key.is_char_boundary(*most) && text[..end].ends_with(&key[..*most]));
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

    /// The head of a request to `url` with these headers.
    fn head(url: &str, headers: &[(&'static str, &'static str)]) -> Head {
        let header = |(name, value): &(&'static str, &'static str)| {
            let secret = is_secret(name, value);
            let mut value = HeaderValue::from_static(value);
            value.set_sensitive(secret || *name != "x-mode");
            (HeaderName::from_static(name), value)
        };
        let account = Arc::new(Account::new("http://h", &[]));
        let headers = headers.iter().map(header).collect();
        Head::new(Method::POST, url, account, headers)
    }

    #[test]
    fn keys_are_taken_out_of_a_text_whole_or_cut() {
        let head = head(
            "http://h",
            &[
                ("authorization", "bearer sk-12345678"),
                ("x-other", "abcdefgh"),
                ("x-short", "1"),
                ("cookie", "id=0123456789; theme=dark; token=\"zyxwvut\""),
                ("x-one", "sid=qrstuvw"),
                ("x-dense", "a=13579bdf;b=2468ace0,c=1"),
                ("x-mode", "fast"),
            ],
        );
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

    #[test]
    fn keys_in_a_query_are_taken_out_as_they_are_sent_and_as_they_are_meant() {
        let url = "http://h/x?api_key=q-k%2F1&code=0123456789abcdef&mode=quick&sk-fedcba9876543210";
        let head = head(url, &[]);
        for (text, expected) in [
            ("of q-k/1 and q-k%2F1", "of *** and ***"),
            (
                "/x?code=0123456789abcdef&mode=quick",
                "/x?code=***&mode=quick",
            ),
            ("cut in 0123456…", "cut in ***…"),
            ("sk-fedcba9876543210", "***"),
        ] {
            assert_eq!(&*head.without_key(text), expected);
        }
    }

    #[test]
    fn keys_are_taken_out_of_headers() {
        let head = head("http://h", &[("authorization", "Bearer sk-12345678")]);
        let proxy = HeaderValue::from_static("Basic dTpwYXNzd29yZA==");
        let secrets = Secrets::of(&head, Some(&proxy));
        let echoed: Headers = [
            ("x-key", "a sk-12345678, dTpwYXNzd29yZA=="),
            ("www-authenticate", "Bearer"),
            ("x-twice", "1"),
            ("x-twice", "Bearer sk-12345678"),
        ]
        .into_iter()
        .collect();
        let shown = secrets.out_of_headers(echoed);
        let pairs: Vec<_> = shown.iter().collect();
        assert_eq!(
            pairs,
            [
                ("x-key", "a ***, ***"),
                ("www-authenticate", "Bearer"),
                ("x-twice", "1"),
                ("x-twice", "***"),
            ]
        );
    }
}
