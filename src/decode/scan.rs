//! The fast reader: one pass over the bytes of an answer as servers write it.
//!
//! Every function returns `None` where it meets what it does not expect, and the body then goes to
//! the typed reader; there are no errors here. Single tokens out of the ordinary (a string with
//! escapes, a nested value nobody asked for) are handed to `serde_json` in place, so that both
//! readers treat them alike.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::draft::Draft;
use super::{Usage, base64, number, usage};

/// Reads a whole answer.
pub(super) fn scan(body: &[u8], expected_rows: usize) -> Option<Draft> {
    let mut scanner = Scanner {
        body,
        at: 0,
        scratch: Vec::new(),
    };
    let draft = scanner.answer(Draft::new(body.len(), expected_rows))?;
    scanner.skip_blanks();
    (scanner.at == body.len()).then_some(draft)
}

struct Scanner<'a> {
    body: &'a [u8],
    /// The next byte to read.
    at: usize,
    /// The bytes of a base64 row.
    scratch: Vec<u8>,
}

impl<'a> Scanner<'a> {
    fn answer(&mut self, mut draft: Draft) -> Option<Draft> {
        let (mut data, mut model, mut usage) = (None, None, None);
        self.object(|scanner, key| match key {
            b"data" => once(&mut data, scanner.array(|scanner| scanner.row(&mut draft))?),
            b"model" => once(&mut model, scanner.text()?),
            b"usage" => once(&mut usage, scanner.usage()?),
            _ => scanner.skip(),
        })?;
        data?;
        // Only base64 needs the scratch, and a row of it is never empty where the answer is good.
        draft.base64 = !self.scratch.is_empty();
        draft.model = model.flatten();
        draft.usage = usage.unwrap_or_default();
        Some(draft)
    }

    fn usage(&mut self) -> Option<Usage> {
        if self.peek() != Some(b'{') {
            return self.token();
        }
        let mut usage = Usage::default();
        self.object(|scanner, key| {
            match key {
                b"prompt_tokens" => usage.prompt_tokens = scanner.tokens()?,
                b"total_tokens" => usage.total_tokens = scanner.tokens()?,
                _ => scanner.skip()?,
            }
            Some(())
        })?;
        Some(usage)
    }

    /// Reads a number of tokens, however it is written.
    fn tokens(&mut self) -> Option<u64> {
        match self.digits() {
            Some(count) => Some(count),
            None => self.token::<usage::Value>().map(|value| value.count),
        }
    }

    fn row(&mut self, draft: &mut Draft) -> Option<()> {
        let (mut index, mut embedding) = (None, None);
        self.object(|scanner, key| match key {
            // A second vector must not be read: it would run into the first.
            b"embedding" if embedding.is_none() => {
                once(&mut embedding, scanner.vector(&mut draft.values)?)
            }
            b"embedding" => None,
            b"index" => once(&mut index, scanner.count()?),
            _ => scanner.skip(),
        })?;
        embedding?;
        draft.close_row(index.flatten());
        Some(())
    }

    fn vector(&mut self, values: &mut Vec<f32>) -> Option<()> {
        if self.peek()? == b'"' {
            let text = self.string()?;
            return base64::append(text, &mut self.scratch, values).ok();
        }
        self.array(|scanner| {
            // The loops here are where the time goes, so they see only numbers that another follows
            // at once.
            let mut text = scanner.body.get(scanner.at..)?;
            let plain = |text: &'a [u8], values: &mut Vec<f32>| {
                let (value, length) = number::plain(text)?;
                let ([b',', b' ', rest @ ..] | [b',', rest @ ..]) = text.get(length..)? else {
                    return None;
                };
                values.push(value);
                Some(rest)
            };
            #[cfg(target_arch = "x86_64")]
            if let Some(rest) = plain(text, values) {
                let at = scanner.body.len() - rest.len();
                text = &scanner.body[super::wide::numbers(scanner.body, at, values)..];
            }
            while let Some(rest) = plain(text, values) {
                text = rest;
            }
            scanner.at = scanner.body.len() - text.len();
            scanner.skip_blanks();
            let (value, length) = number::any(&scanner.body[scanner.at..])?;
            values.push(value);
            scanner.at += length;
            Some(())
        })
    }

    /// Reads an object, with `member` called on each key to read the value.
    fn object(&mut self, mut member: impl FnMut(&mut Self, &[u8]) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        if self.eat(b'}') {
            return Some(());
        }
        loop {
            self.skip_blanks();
            // Keys are compared as bytes; one that is not plain ASCII may be no UTF-8, which is not
            // ours to judge.
            let key = self.string().filter(|key| key.is_ascii())?;
            self.expect(b':')?;
            self.skip_blanks();
            member(self, key)?;
            if !self.eat(b',') {
                return self.expect(b'}');
            }
        }
    }

    /// Reads an array, with `element` called to read each value.
    #[inline]
    fn array(&mut self, mut element: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.expect(b'[')?;
        if self.eat(b']') {
            return Some(());
        }
        loop {
            self.skip_blanks();
            element(self)?;
            if !self.eat(b',') {
                return self.expect(b']');
            }
        }
    }

    /// Passes over a value.
    fn skip(&mut self) -> Option<()> {
        if self.peek() == Some(b'"') && self.string().is_some() {
            return Some(());
        }
        self.token::<IgnoredAny>().map(drop)
    }

    /// Reads a string without escapes, or does not move.
    fn string(&mut self) -> Option<&'a [u8]> {
        let text = self.body.get(self.at..)?.strip_prefix(b"\"")?;
        let end = end_of_plain(text);
        if text.get(end) != Some(&b'"') {
            return None;
        }
        self.at += end + 2;
        Some(&text[..end])
    }

    /// Reads a string, or null.
    #[expect(clippy::option_option, reason = "the inner one is a null")]
    fn text(&mut self) -> Option<Option<String>> {
        match self.string() {
            Some(text) => String::from_utf8(text.to_vec()).ok().map(Some),
            None => self.token(),
        }
    }

    /// Reads a number that counts something, or null.
    #[expect(clippy::option_option, reason = "the inner one is a null")]
    fn count(&mut self) -> Option<Option<u64>> {
        match self.digits() {
            Some(count) => Some(Some(count)),
            None => self.token(),
        }
    }

    /// Reads a number that is digits alone, or does not move.
    fn digits(&mut self) -> Option<u64> {
        let digits = self.body.get(self.at..)?;
        let length = digits.iter().take_while(|byte| byte.is_ascii_digit());
        let length = length.count();
        let is_plain = matches!(length, 1..=19) && (length == 1 || digits[0] != b'0');
        let is_whole = !matches!(digits.get(length), Some(b'.' | b'e' | b'E'));
        (is_plain && is_whole).then(|| {
            let add = |sum: u64, digit: &u8| sum * 10 + u64::from(digit - b'0');
            self.at += length;
            digits[..length].iter().fold(0, add)
        })
    }

    /// Has `serde_json` read one value from here on.
    fn token<T: Deserialize<'a>>(&mut self) -> Option<T> {
        let rest = self.body.get(self.at..)?;
        let mut values = serde_json::Deserializer::from_slice(rest).into_iter();
        let value = values.next()?.ok()?;
        self.at += values.byte_offset();
        Some(value)
    }

    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    #[inline]
    fn skip_blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    /// Passes over `byte` and the blanks before it, if it is next.
    #[inline]
    fn eat(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }
}

/// Keeps the value of a member; `None` if it is the second of its name, which the typed reader
/// refuses.
fn once<T>(slot: &mut Option<T>, value: T) -> Option<()> {
    slot.replace(value).is_none().then_some(())
}

/// Where the first quote, backslash or control character is, or the length of `text`.
fn end_of_plain(text: &[u8]) -> usize {
    // Keys and names are short; base64 is long, and whole blocks of it are looked at without an
    // early exit, so that the loop becomes vector instructions.
    let (first, rest) = text.split_at(text.len().min(32));
    if let Some(end) = special(first) {
        return end;
    }
    let blocks = rest.as_chunks::<64>().0;
    let clear = blocks
        .iter()
        .take_while(|block| {
            !block
                .iter()
                .fold(false, |any, byte| any | is_special(*byte))
        })
        .count();
    let start = clear * 64;
    let end = special(&rest[start..]).unwrap_or(rest.len() - start);
    first.len() + start + end
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
}

/// The first of them, eight bytes at a time.
fn special(text: &[u8]) -> Option<usize> {
    let (words, rest) = text.as_chunks::<8>();
    for (start, word) in (0..).step_by(8).zip(words) {
        let marks = marks(u64::from_le_bytes(*word));
        if marks != 0 {
            return Some(start + (marks.trailing_zeros() / 8) as usize);
        }
    }
    let end = rest.iter().position(|byte| is_special(*byte))?;
    Some(text.len() - rest.len() + end)
}

/// Marks the first quote, backslash or control character of eight bytes, and perhaps some of those
/// behind it.
fn marks(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Subtracting borrows from the top bit of a byte that is below; a borrow that goes on reaches
    // only the bytes behind.
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word;
    let quote = word ^ (ONES * u64::from(b'"'));
    let backslash = word ^ (ONES * u64::from(b'\\'));
    (below(word, 0x20) | below(quote, 1) | below(backslash, 1)) & (ONES * 0x80)
}
