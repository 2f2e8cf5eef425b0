//! The headers of an answer, in one allocation, which answers with the same ones share.

use std::fmt;
use std::sync::Arc;

/// The headers of an answer: names in lower case, values as text, in the order in which they came.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// `name NUL value LF` for each; neither can hold a NUL or an LF.
    text: Arc<str>,
    rare: Rare,
    /// Where the first value of `content-type` is, which every answer is asked for; (0, 0) where there
    /// is none, or where it is too far behind.
    content_type: (u16, u16),
}

/// Which headers are there that every answer is asked for and hardly any has: so none is searched for
/// them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Rare {
    /// One says something of the server's rates.
    rates: bool,
    content_encoding: bool,
}

impl Rare {
    fn note(&mut self, name: &[u8]) {
        self.rates |= names_a_rate(name);
        self.content_encoding |= name == b"content-encoding";
    }
}

impl Headers {
    /// Collects names and values, which are gone through twice. A value that is not UTF-8 is read
    /// as Latin-1, as HTTP once had it.
    pub(crate) fn from_pairs<'a, I>(pairs: impl Fn() -> I) -> Self
    where
        I: Iterator<Item = (&'a str, &'a [u8])>,
    {
        let lengths = pairs().map(|(name, value)| name.len() + value.len() + 2);
        let mut text = String::with_capacity(lengths.sum());
        let mut rare = Rare::default();
        let mut content_type = (0, 0);
        for (name, value) in pairs() {
            let start = text.len();
            text.push_str(name);
            text[start..].make_ascii_lowercase();
            rare.note(&text.as_bytes()[start..]);
            let is_type = content_type == (0, 0) && text[start..] == *"content-type";
            text.push('\0');
            let start = text.len();
            match std::str::from_utf8(value) {
                Ok(value) => text.push_str(value),
                Err(_) => text.extend(value.iter().map(|byte| char::from(*byte))),
            }
            if let (true, Ok(start), Ok(end)) =
                (is_type, u16::try_from(start), u16::try_from(text.len()))
            {
                content_type = (start, end);
            }
            text.push('\n');
        }
        Self {
            text: text.into(),
            rare,
            content_type,
        }
    }

    /// All names and values. A name that came twice is here twice.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines().filter_map(|line| line.split_once('\0'))
    }

    /// The first value of a name, which is given in lower case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.lines().find_map(|line| value_of(line, name))
    }

    /// The first value of `content-type`, if there is one.
    pub(crate) fn content_type(&self) -> Option<&str> {
        match self.content_type {
            (0, 0) => self.get("content-type"),
            (start, end) => Some(&self.text[start.into()..end.into()]),
        }
    }

    /// All values of a name, which is given in lower case: a list may be sent as one value or
    /// several.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines().filter_map(move |line| value_of(line, name))
    }

    /// Whether one of them says something of the server's rates.
    pub(crate) fn tell_rates(&self) -> bool {
        self.rare.rates
    }

    /// Whether one of them is `content-encoding`.
    pub(crate) fn tell_content_encoding(&self) -> bool {
        self.rare.content_encoding
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        let mut start = 0;
        memchr::memchr_iter(b'\n', self.text.as_bytes()).map(move |end| {
            let line = &self.text[start..end];
            start = end + 1;
            line
        })
    }
}

/// Whether a header of this name says something of its server's rates (`transport/rate.rs`). Most
/// are told by their first letter.
fn names_a_rate(name: &[u8]) -> bool {
    match name.first() {
        Some(b'x') => name.starts_with(b"x-ratelimit-"),
        Some(b'r') => name.starts_with(b"ratelimit"),
        Some(b'a') => name.starts_with(b"anthropic-ratelimit-"),
        _ => false,
    }
}

/// Names are put into lower case.
fn value_of<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.strip_prefix(name)?.strip_prefix('\0')
}

impl<'a> FromIterator<(&'a str, &'a str)> for Headers {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str)>>(pairs: I) -> Self {
        let pairs: Vec<(&str, &str)> = pairs.into_iter().collect();
        Self::from_pairs(|| pairs.iter().map(|(name, value)| (*name, value.as_bytes())))
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only names: a hostile server may send a key back.
        f.debug_list()
            .entries(self.iter().map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        pairs.iter().copied().collect()
    }

    #[test]
    fn names_and_values_come_back_in_order() {
        let pairs = [("a", "1"), ("empty", ""), ("a", "2")];
        let headers = headers(&pairs);
        assert_eq!(headers.iter().collect::<Vec<_>>(), pairs);
        assert_eq!(headers.get("a"), Some("1"));
        assert_eq!(headers.get("empty"), Some(""));
        assert_eq!(headers.get("b"), None);
        assert_eq!(headers.content_type(), None);
        assert!(!headers.tell_rates() && !headers.tell_content_encoding());
    }

    #[test]
    fn the_first_content_type_is_known_by_its_place() {
        let several = [("a", "1"), ("Content-Type", "x/y"), ("content-type", "z")];
        for pairs in [&several[..], &several[1..]] {
            let headers = headers(pairs);
            assert_eq!(headers.content_type(), Some("x/y"));
            assert_eq!(headers.content_type(), headers.get("content-type"));
        }
        assert_eq!(headers(&[("content-type", "")]).content_type(), Some(""));
        let long = "x".repeat(1 << 16);
        let far = headers(&[("a", long.as_str()), ("content-type", "x/y")]);
        assert_eq!(far.content_type(), Some("x/y"));
    }

    #[test]
    fn a_content_encoding_is_known_by_its_name() {
        assert!(headers(&[("a", ""), ("Content-Encoding", "br")]).tell_content_encoding());
        assert!(!headers(&[("content-encodings", "content-encoding")]).tell_content_encoding());
    }

    #[test]
    fn what_tells_of_rates_is_known_by_its_name() {
        for name in [
            "X-RateLimit-Remaining-Requests",
            "ratelimit",
            "RateLimit-Reset",
            "anthropic-ratelimit-tokens-limit",
        ] {
            assert!(headers(&[("a", ""), (name, "1")]).tell_rates(), "{name}");
        }
        assert!(!headers(&[("x-rate", "x-ratelimit-limit")]).tell_rates());
    }
}
