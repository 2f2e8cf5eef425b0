//! Server-sent events, out of a body that is there as a whole.
//!
//! What splits the body on its way moves nothing here: the bytes are read after all of them came,
//! and where an event ends among them says when it did, by the stamps of the pieces.

use tokio::time::Instant;

/// An event's data, and how much of the body there is with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Event<'a> {
    /// The lines of its data, with the line breaks between them, each after its `data:`.
    lines: &'a [u8],
    /// The length of the body up to and with the event.
    pub(crate) end: usize,
}

impl<'a> Event<'a> {
    /// The data: of most events one line, which is borrowed from the body.
    pub(crate) fn data(&self) -> std::borrow::Cow<'a, [u8]> {
        let mut values = Lines::new(self.lines).filter_map(|line| data_of(line.text));
        let first = values.next().unwrap_or_default();
        let mut whole = std::borrow::Cow::Borrowed(first);
        for value in values {
            let whole = whole.to_mut();
            whole.push(b'\n');
            whole.extend_from_slice(value);
        }
        whole
    }
}

/// The events of a body that have data, in order. One that the body ends within is given too, if
/// its last line of data is whole or it is the `[DONE]` that many servers end with.
pub(crate) fn events(body: &[u8]) -> impl Iterator<Item = Event<'_>> {
    let mut body_lines = Lines::new(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body));
    let skipped = body.len() - body_lines.rest.len();
    let text = body_lines.rest;
    std::iter::from_fn(move || {
        let mut begins = body_lines.at;
        let mut has_data = false;
        loop {
            let before = body_lines.at;
            match body_lines.next() {
                Some(line) if line.text.is_empty() && line.ended => {
                    if has_data {
                        return Some(Event {
                            lines: &text[begins..before],
                            end: skipped + body_lines.at,
                        });
                    }
                    begins = body_lines.at;
                }
                Some(line) => {
                    if let Some(data) = data_of(line.text) {
                        if !line.ended && data != b"[DONE]" {
                            // The lines before it are not all that the event was to say.
                            return None;
                        }
                        has_data = true;
                    }
                }
                None if has_data => {
                    return Some(Event {
                        lines: &text[begins..],
                        end: skipped + body_lines.at,
                    });
                }
                None => return None,
            }
        }
    })
}

/// What stands after `data:`, less one space. Comments and other fields have none.
fn data_of(line: &[u8]) -> Option<&[u8]> {
    let value = line.strip_prefix(b"data")?;
    if value.is_empty() {
        return Some(value);
    }
    let value = value.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

/// Lines, which LF, CR LF or CR end.
struct Lines<'a> {
    rest: &'a [u8],
    at: usize,
}

struct Line<'a> {
    text: &'a [u8],
    /// The body did not end within it.
    ended: bool,
}

impl<'a> Lines<'a> {
    fn new(rest: &'a [u8]) -> Self {
        Self { rest, at: 0 }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let length = self.rest.iter().position(is_break);
        let end = length.unwrap_or(self.rest.len());
        let (text, after) = self.rest.split_at(end);
        let breaks = match after {
            [b'\r', b'\n', ..] => 2,
            [] => 0,
            _ => 1,
        };
        self.rest = &after[breaks..];
        self.at += end + breaks;
        Some(Line {
            text,
            ended: breaks > 0,
        })
    }
}

/// Finds when a length of the body was there. Asked for growing lengths.
#[derive(Debug)]
pub(super) struct Stamps<'a> {
    pieces: &'a [(usize, Instant)],
}

impl<'a> Stamps<'a> {
    pub(super) fn new(pieces: &'a [(usize, Instant)]) -> Self {
        Self { pieces }
    }

    /// When the first `length` bytes of the body were there; `None` where there were never so many.
    pub(super) fn at(&mut self, length: usize) -> Option<Instant> {
        while let Some(((end, came), later)) = self.pieces.split_first() {
            if *end >= length {
                return Some(*came);
            }
            self.pieces = later;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    fn read(body: &[u8]) -> Vec<(String, usize)> {
        let text = |event: Event<'_>| String::from_utf8(event.data().into_owned()).unwrap();
        events(body).map(|event| (text(event), event.end)).collect()
    }

    fn texts(body: &str) -> Vec<String> {
        read(body.as_bytes())
            .into_iter()
            .map(|(text, _)| text)
            .collect()
    }

    #[test]
    fn events_end_with_an_empty_line_whatever_ends_lines() {
        for body in [
            "data: a\n\ndata: b\n\n",
            "data: a\r\n\r\ndata: b\r\n\r\n",
            "data:a\r\rdata:b\r\r",
        ] {
            assert_eq!(texts(body), ["a", "b"], "{body:?}");
        }
        let ends: Vec<usize> = read(b"data: a\n\ndata: bc\n\n")
            .iter()
            .map(|found| found.1)
            .collect();
        assert_eq!(ends, [9, 19]);
    }

    #[test]
    fn comments_and_other_fields_are_passed_over_and_data_lines_join() {
        let body =
            ": ping\n\nevent: x\nid: 7\ndata: one\ndata: two\ndata\nretry: 5\n\n\n\ndatas: no\n\n";
        assert_eq!(texts(body), ["one\ntwo\n"]);
        assert_eq!(texts("\u{feff}data: a\n\n"), ["a"]);
    }

    #[test]
    fn an_event_that_the_body_ends_within_counts_if_its_line_is_whole_or_it_is_the_end() {
        assert_eq!(texts("data: a\n\ndata: b\n"), ["a", "b"]);
        assert_eq!(texts("data: a\n\ndata: [DONE]"), ["a", "[DONE]"]);
        assert_eq!(texts("data: a\n\ndata: {\"cut"), ["a"]);
        assert!(texts("data: whole\ndata: cu").is_empty());
        assert_eq!(texts("data: whole\nid: cu"), ["whole"]);
        assert!(texts("").is_empty() && texts("\n\n\n").is_empty());
    }

    #[test]
    fn one_line_of_data_is_borrowed() {
        let event = events(b"data: a\n\n").next().unwrap();
        assert!(matches!(event.data(), std::borrow::Cow::Borrowed(b"a")));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let found: Vec<_> = events(&body).map(|event| (event.data().len(), event.end)).collect();
            prop_assert!(found.iter().all(|(_, end)| *end <= body.len()));
            prop_assert!(found.iter().map(|found| found.1).is_sorted());
        }

        #[test]
        fn an_event_is_stamped_by_the_piece_that_ends_it_whatever_the_split(
            words in prop::collection::vec("[a-z]{0,12}", 1..12),
            cuts in prop::collection::vec(0usize..200, 0..12),
        ) {
            let body = words.iter().fold(String::new(), |body, word| body + "data: " + word + "\r\n\r\n");
            let mut ends: Vec<usize> = cuts.into_iter().filter(|cut| *cut < body.len()).collect();
            ends.push(body.len());
            ends.sort_unstable();
            let began = Instant::now();
            let at = |piece: usize| began + Duration::from_millis(piece as u64);
            let pieces: Vec<_> = ends.iter().enumerate().map(|(piece, end)| (*end, at(piece))).collect();
            let mut stamps = Stamps::new(&pieces);
            let mut written = 0;
            let found = read(body.as_bytes());
            prop_assert_eq!(found.len(), words.len());
            for (word, (text, end)) in words.iter().zip(found) {
                written += word.len() + 10;
                prop_assert_eq!(word, &text);
                prop_assert_eq!(end, written);
                let piece = ends.iter().position(|cut| *cut >= written).unwrap();
                prop_assert_eq!(stamps.at(end), Some(at(piece)));
            }
            prop_assert_eq!(stamps.at(body.len() + 1), None);
        }
    }
}
