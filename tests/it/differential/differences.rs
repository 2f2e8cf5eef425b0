//! Where ours is meant to differ, and why. A difference that is not here fails the test.

use super::case::{Case, End};
use super::outcome::Outcome;

/// What the three made of one case.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) ours: Outcome,
    pub(super) hyper: Outcome,
    pub(super) awc: Outcome,
}

/// A difference that is meant.
pub(super) struct Difference {
    pub(super) reason: &'static str,
    applies: fn(&Case, &Seen) -> bool,
}

/// The first of the list that explains how ours and hyper differ.
pub(super) fn explained(case: &Case, seen: &Seen) -> Option<&'static Difference> {
    DIFFERENCES
        .iter()
        .chain([&OF_PIECES])
        .find(|difference| (difference.applies)(case, seen))
}

/// The list, but for the last.
pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        reason: "a change of protocol that nobody asked for is no answer (RFC 9110, 7.8)",
        applies: |_, seen| seen.ours == Outcome::Refused && seen.hyper.status() == Some(101),
    },
    Difference {
        reason: "a coding over HTTP/1.0 is read as it says, and the connection not used again \
                 (RFC 9112, 6.1); hyper refuses it",
        applies: |case, seen| {
            says_coding(case)
                && case.text().contains("http/1.0")
                && seen.hyper == Outcome::Refused
                && seen.ours != Outcome::Refused
        },
    },
    Difference {
        reason: "`identity` is no coding (RFC 2616, 3.6); to hyper it is an unknown one",
        applies: |case, seen| {
            says_coding(case)
                && case.text().contains("identity")
                && seen.ours != Outcome::Refused
                && seen.hyper != Outcome::Refused
        },
    },
    Difference {
        reason: "empty elements of a list count for nothing (RFC 9110, 5.6.1); to hyper they are \
                 unknown codings",
        applies: |case, seen| {
            says_coding(case)
                && names_an_empty_coding(case)
                && seen.ours != Outcome::Refused
                && seen.hyper != Outcome::Refused
        },
    },
    Difference {
        reason: "trailers are passed over, whatever they are (RFC 9110, 6.5.1); hyper reads them",
        applies: |case, seen| {
            matches!(seen.hyper, Outcome::BrokeOff { .. } | Outcome::Waits)
                && ours_came_to_the_trailers(case, &seen.ours)
        },
    },
    Difference {
        reason: "a length up to the largest is believed until the body ends before it (RFC 9110, \
                 8.6); hyper has other uses for the last two",
        applies: |case, seen| {
            case.text().contains("1844674407370955161")
                && seen.hyper == Outcome::Refused
                && matches!(seen.ours, Outcome::BrokeOff { .. } | Outcome::Waits)
        },
    },
    Difference {
        reason: "a length that is none spoils a head also where there is no body (RFC 9112, 6.3); \
                 hyper does not look at it there",
        applies: |case, seen| {
            let text = case.text();
            let has_no_body = case.is_head
                || matches!(seen.hyper.status(), Some(204 | 304))
                || text.contains("http/1.1 1");
            text.contains("content-length") && seen.ours == Outcome::Refused && has_no_body
        },
    },
    Difference {
        reason: "a length that is none, or a second one, is refused also beside a coding, which goes \
                 before it: so answers are smuggled (RFC 9112, 6.3); hyper does not look at it there",
        applies: |case, seen| {
            says_coding(case)
                && case.text().contains("content-length")
                && seen.ours == Outcome::Refused
        },
    },
];

/// This one is seen only where hyper reads the pieces one by one, which a busy machine may prevent.
const OF_PIECES: Difference = Difference {
    reason: "a head that can be none is refused as soon as that is seen; hyper looks at one that comes \
             in pieces when it is whole",
    applies: |case, seen| {
        case.end == End::Keep && seen.ours == Outcome::Refused && seen.hyper == Outcome::Waits
    },
};

/// Whether awc bears `ours` out, or is no witness: it takes a body that broke off for whole, an
/// informational answer for the answer, one without a length for empty, and one of a status that
/// has no body for one with a body; over HTTP/1.0 it knows no codings and no length of nought; and
/// it refuses much that is odd. But where both give a whole answer otherwise, they give the same.
pub(super) fn awc_agrees(case: &Case, seen: &Seen) -> bool {
    let (
        Outcome::Answer { headers, .. },
        Outcome::Answer {
            status,
            body: awc_body,
            ..
        },
    ) = (&seen.ours, &seen.awc)
    else {
        return true;
    };
    let says = |name, part: &str| {
        let mut headers = headers.iter();
        headers.any(|(other, value)| other == name && value.to_ascii_lowercase().contains(part))
    };
    let without_length = !says("content-length", "") && !says("transfer-encoding", "chunked");
    let known = matches!(status, 100..=199 | 204 | 304)
        || case.text().contains("http/1.0")
        || (awc_body.is_empty() && without_length);
    known || seen.ours == seen.awc
}

fn says_coding(case: &Case) -> bool {
    case.text().contains("transfer-encoding")
}

fn names_an_empty_coding(case: &Case) -> bool {
    let text = case.text();
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let values = lines.filter(|(name, _)| name.trim() == "transfer-encoding");
    let mut codings = values.flat_map(|(_, value)| value.split(','));
    codings.any(|coding| coding.trim().is_empty())
}

/// Whether the chunks of an answer are right up to its trailers, and ours took them as they are.
fn ours_came_to_the_trailers(case: &Case, ours: &Outcome) -> bool {
    let answer = &case.answer;
    // One of the blank lines ends the head; informational heads may be before it.
    let is_blank_line = |bytes: &[u8]| bytes.ends_with(b"\n\r\n") || bytes.ends_with(b"\n\n");
    let blank_lines = (0..=answer.len()).filter(|end| is_blank_line(&answer[..*end]));
    let mut found = blank_lines.filter_map(|end| data_of_chunks(&answer[end..]));
    match ours {
        Outcome::Answer { body, .. } => found.any(|data| data == *body),
        Outcome::BrokeOff { .. } | Outcome::Waits => found.next().is_some(),
        Outcome::Refused => false,
    }
}

/// The data of a body in chunks, up to the trailers, if it is right so far.
fn data_of_chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let number = rest[..end]
            .split(|byte| matches!(byte, b';' | b' ' | b'\t'))
            .next()?;
        let number = std::str::from_utf8(number).ok()?;
        let size = usize::from_str_radix(number, 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(data);
        }
        data.extend_from_slice(rest.get(..size)?);
        rest = rest[size..].strip_prefix(b"\r\n")?;
    }
}
