//! Bodies in chunks, beside a reader of single bytes written from RFC 9112, section 7.1.

use crate::{ends, number_and_rest};

/// The first byte says in pieces of which size the others come.
///
/// # Panics
///
/// When other data is read, or other data when they come in pieces.
pub fn chunks(data: &[u8]) {
    let (size, bytes) = number_and_rest(data);
    let whole = hedgerow::internals::fuzz::chunks(bytes, [bytes.len()]);
    let pieces = hedgerow::internals::fuzz::chunks(bytes, ends(bytes.len(), size.max(1)));
    match (&whole, &pieces) {
        (Err(_), Err(_)) => {}
        _ => assert_eq!(whole, pieces, "in pieces of {size}"),
    }
    assert_eq!(whole.ok(), by_single_bytes(bytes).ok());
}

#[derive(Clone, Copy, PartialEq)]
enum At {
    /// The first digit of a size.
    Start,
    Digits,
    Blanks,
    Extension,
    SizeLf,
    Data(u64),
    DataCr,
    DataLf,
    /// The beginning of a line behind the last chunk; whether a CR came.
    LineStart(bool),
    Line,
    End,
}

fn by_single_bytes(bytes: &[u8]) -> Result<(Vec<u8>, Option<usize>), ()> {
    let (mut at, mut data) = (At::Start, Vec::new());
    let mut number = String::new();
    for (place, byte) in bytes.iter().enumerate() {
        at = match (at, byte) {
            (At::End, _) => return Ok((data, Some(place))),
            (At::Start | At::Digits, digit) if digit.is_ascii_hexdigit() => {
                number.push(char::from(*digit));
                At::Digits
            }
            (At::Digits | At::Blanks, b' ' | b'\t') => At::Blanks,
            (At::Digits | At::Blanks, b';') => At::Extension,
            (At::Digits | At::Blanks | At::Extension, b'\r') => At::SizeLf,
            (At::Start | At::Digits | At::Blanks, _) | (At::Extension, b'\n') => return Err(()),
            (At::Extension, _) => At::Extension,
            (At::SizeLf, b'\n') => match size(&number)? {
                0 => At::LineStart(false),
                size => {
                    number.clear();
                    At::Data(size)
                }
            },
            (At::Data(left), byte) => {
                data.push(*byte);
                if left == 1 {
                    At::DataCr
                } else {
                    At::Data(left - 1)
                }
            }
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => At::Start,
            (At::SizeLf | At::DataCr | At::DataLf, _) => return Err(()),
            (At::LineStart(_), b'\n') => At::End,
            (At::LineStart(false), b'\r') => At::LineStart(true),
            (At::Line, b'\n') => At::LineStart(false),
            (At::LineStart(_) | At::Line, _) => At::Line,
        };
        if at != At::Digits && !number.is_empty() {
            size(&number)?;
        }
    }
    Ok((data, (at == At::End).then_some(bytes.len())))
}

fn size(number: &str) -> Result<u64, ()> {
    let mut size: u64 = 0;
    for digit in number.chars() {
        let digit = digit.to_digit(16).ok_or(())?;
        size = size.checked_mul(16).ok_or(())? + u64::from(digit);
    }
    Ok(size)
}
