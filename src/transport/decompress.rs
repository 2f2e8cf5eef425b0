//! Undoing `content-encoding`: zstd, gzip, br and deflate, alone or stacked.
//!
//! A few bytes may unfold into all memory, and each of many layers may do so anew. So there are at most
//! three codings, and an answer may unfold to 64 MiB, or to a hundred times what was sent where that is
//! more: numbers shrink to a half or a third, and hardly any text to less than a twentieth.

use super::TransportError;
use crate::headers::Headers;
use std::io::Read;

/// The codings that are asked for in `accept-encoding`.
pub(crate) const ACCEPTED: &str = "zstd, gzip, br, deflate";

/// More codings are on no answer that is meant well.
const MOST_CODINGS: usize = 3;
/// So many bytes any answer may unfold to, within the limit on answers.
const ALWAYS_ALLOWED: usize = 64 << 20;
/// Beyond them it may unfold to so many times what was sent.
const MOST_FOLDS: usize = 100;

/// So many bytes are unpacked before it is asked whether to go on: within a millisecond or two.
const STEP: usize = 256 << 10;

/// The longest name of a registered coding: `pack200-gzip`.
const LONGEST_NAME: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Zstd,
    Brotli,
    Deflate,
}

/// How a body is packed: its codings, the last first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Codings(Vec<Coding>);

impl Codings {
    /// How an answer with these headers is packed; `None` where it is not.
    ///
    /// # Errors
    ///
    /// [`TransportError::Malformed`] for an unknown coding, [`TransportError::Overpacked`] for too many.
    pub(crate) fn of(headers: &Headers) -> Result<Option<Self>, TransportError> {
        if !headers.tell_content_encoding() {
            return Ok(None);
        }
        let mut codings = Vec::new();
        let values = headers.get_all("content-encoding");
        for name in values.flat_map(|value| value.split(',')).map(str::trim) {
            codings.push(match &*name.to_ascii_lowercase() {
                "" | "identity" => continue,
                "gzip" | "x-gzip" => Coding::Gzip,
                "zstd" => Coding::Zstd,
                "br" => Coding::Brotli,
                "deflate" => Coding::Deflate,
                unknown => return Err(is_unknown(unknown)),
            });
            if codings.len() > MOST_CODINGS {
                let cause = format!("content-encoding names more than {MOST_CODINGS} codings");
                return Err(TransportError::Overpacked(cause));
            }
        }
        codings.reverse();
        Ok((!codings.is_empty()).then_some(Self(codings)))
    }

    /// Unpacks a body. `None` means that it unfolds to more than `most` bytes, which it is not unpacked
    /// beyond, or that `goes_on`, which is asked every millisecond or two, said that nobody wants it.
    ///
    /// # Errors
    ///
    /// [`TransportError::Broken`] for a body that is damaged or ends early.
    pub(crate) fn unpack(
        &self,
        body: &[u8],
        most: usize,
        mut goes_on: impl FnMut() -> bool,
    ) -> Result<Option<Vec<u8>>, TransportError> {
        let mut plain: Option<Vec<u8>> = None;
        for coding in &self.0 {
            let mut output = Vec::new();
            let input = plain.as_deref().unwrap_or(body);
            match coding.unfold(input, most, &mut output, &mut goes_on) {
                Ok(()) => plain = Some(output),
                Err(Stop::Here) => return Ok(None),
                Err(Stop::Broken(cause)) => return Err(cause),
            }
        }
        Ok(plain)
    }

    /// The beginning of what a body unpacks to, at most so many bytes, as far as the body goes.
    pub(super) fn unpack_beginning(&self, body: &[u8], most: usize) -> Vec<u8> {
        let mut plain: Option<Vec<u8>> = None;
        for coding in &self.0 {
            let mut output = Vec::new();
            let input = plain.as_deref().unwrap_or(body);
            if let Err(Stop::Broken(cause)) = coding.unfold(input, most, &mut output, &mut || true)
            {
                log::debug!("the body of a refusal is unpacked in part: {cause}");
            }
            output.truncate(most);
            plain = Some(output);
        }
        plain.unwrap_or_default()
    }
}

/// The most bytes that a body of so many may unfold to, where no answer may be larger than `limit`.
pub(crate) fn most_unpacked(packed: usize, limit: usize) -> usize {
    let most = packed.saturating_mul(MOST_FOLDS).max(ALWAYS_ALLOWED);
    most.min(limit)
}

/// What it means that a body of so many bytes unfolds to more than [`most_unpacked`].
pub(crate) fn too_large(packed: usize, limit: usize) -> TransportError {
    if most_unpacked(packed, limit) == limit {
        return TransportError::TooLarge { limit };
    }
    TransportError::Overpacked(format!(
        "its {packed} bytes unfold to more than {} MiB and to more than {MOST_FOLDS} times as much",
        ALWAYS_ALLOWED >> 20
    ))
}

/// Why unpacking ended early.
enum Stop {
    /// It is too much, or nobody wants it any more.
    Here,
    Broken(TransportError),
}

type GoesOn<'a> = &'a mut dyn FnMut() -> bool;

impl Coding {
    fn unfold(
        self,
        input: &[u8],
        most: usize,
        output: &mut Vec<u8>,
        goes_on: GoesOn<'_>,
    ) -> Result<(), Stop> {
        match self {
            Self::Gzip => {
                let decoder = flate2::bufread::MultiGzDecoder::new(input);
                unfold(decoder, most, output, goes_on)
            }
            Self::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(input);
                let decoder = decoder.map_err(|cause| broken(&cause))?;
                unfold(decoder, most, output, goes_on)
            }
            Self::Brotli => {
                let decoder = brotli::Decompressor::new(input, 1 << 16);
                unfold(decoder, most, output, goes_on)
            }
            Self::Deflate => {
                let decoder = flate2::bufread::ZlibDecoder::new(input);
                match unfold(decoder, most, output, goes_on) {
                    // RFC 9110 means zlib; some servers send raw deflate all the same.
                    Err(Stop::Broken(_)) if output.is_empty() => {
                        let decoder = flate2::bufread::DeflateDecoder::new(input);
                        unfold(decoder, most, output, goes_on)
                    }
                    other => other,
                }
            }
        }
    }
}

fn unfold(
    mut decoder: impl Read,
    most: usize,
    output: &mut Vec<u8>,
    goes_on: GoesOn<'_>,
) -> Result<(), Stop> {
    loop {
        // A byte too many says that there is more.
        let step = STEP.min(most.saturating_add(1) - output.len());
        let mut step = decoder.by_ref().take(step as u64);
        let read = step.read_to_end(output).map_err(|cause| broken(&cause))?;
        if read == 0 {
            return Ok(());
        }
        if output.len() > most || !goes_on() {
            return Err(Stop::Here);
        }
    }
}

fn is_unknown(coding: &str) -> TransportError {
    // A long one is none that anyone knows, but may be a key that was sent back.
    let shown = if coding.len() <= LONGEST_NAME {
        coding
    } else {
        "of a long name"
    };
    TransportError::Malformed(format!("unknown content-encoding {shown:?}"))
}

fn broken(cause: &std::io::Error) -> Stop {
    let cause = format!("the compressed body is damaged or cut: {cause}");
    Stop::Broken(TransportError::Broken(cause))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    const TEXT: &[u8] = b"hedgerow hedgerow hedgerow hedgerow hedgerow hedgerow";

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn deflated(data: &[u8], in_zlib: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let level = flate2::Compression::fast();
        if in_zlib {
            let mut encoder = flate2::write::ZlibEncoder::new(&mut out, level);
            encoder.write_all(data).unwrap();
        } else {
            let mut encoder = flate2::write::DeflateEncoder::new(&mut out, level);
            encoder.write_all(data).unwrap();
        }
        out
    }

    fn brotlied(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let params = brotli::enc::BrotliEncoderParams {
            quality: 1,
            ..Default::default()
        };
        brotli::BrotliCompress(&mut &*data, &mut out, &params).unwrap();
        out
    }

    fn compressed(coding: &str) -> Vec<u8> {
        match coding {
            "gzip" => gzip(TEXT),
            "zstd" => zstd::encode_all(TEXT, 1).unwrap(),
            "deflate" => deflated(TEXT, true),
            "raw" => deflated(TEXT, false),
            _ => brotlied(TEXT),
        }
    }

    fn codings(value: &str) -> Result<Option<Codings>, TransportError> {
        let headers: Headers = [("content-encoding", value)].into_iter().collect();
        Codings::of(&headers)
    }

    fn unpack(value: &str, body: &[u8], most: usize) -> Result<Option<Vec<u8>>, TransportError> {
        let codings = codings(value)?.expect("a coding");
        codings.unpack(body, most, || true)
    }

    #[test]
    fn every_accepted_coding_is_undone() {
        for (name, made) in [
            ("gzip", "gzip"),
            ("ZSTD", "zstd"),
            ("br", "br"),
            ("deflate", "deflate"),
            ("deflate", "raw"),
        ] {
            let plain = unpack(name, &compressed(made), TEXT.len()).unwrap();
            assert_eq!(plain.as_deref(), Some(TEXT), "{name}");
        }
        for none in ["", "identity", " , identity,"] {
            assert_eq!(codings(none), Ok(None));
        }
        assert_eq!(Codings::of(&Headers::default()), Ok(None));
        let twice = gzip(&compressed("zstd"));
        let plain = unpack("zstd, gzip", &twice, 1 << 20).unwrap();
        assert_eq!(plain.as_deref(), Some(TEXT));
    }

    #[test]
    fn a_cut_or_unknown_body_is_an_error_and_its_beginning_is_there_all_the_same() {
        for coding in ["gzip", "zstd", "br", "deflate", "raw"] {
            let text: Vec<u8> = (0..100_000_u32)
                .flat_map(|n| n.wrapping_mul(n).to_le_bytes())
                .collect();
            let whole = match coding {
                "gzip" => gzip(&text),
                "zstd" => zstd::encode_all(&*text, 1).unwrap(),
                "br" => brotlied(&text),
                "deflate" => deflated(&text, true),
                _ => deflated(&text, false),
            };
            let name = coding.replace("raw", "deflate");
            let cut = &whole[..whole.len() / 2];
            assert!(unpack(&name, cut, 1 << 20).is_err(), "{coding}");
            let codings = codings(&name).unwrap().unwrap();
            let beginning = codings.unpack_beginning(cut, 50_000);
            assert_eq!(beginning, text[..50_000], "{coding}");
        }
        let unknown = codings("snappy");
        assert!(matches!(unknown, Err(TransportError::Malformed(_))));
    }

    #[test]
    fn a_small_body_cannot_unfold_past_the_limit() {
        let most = TEXT.len() - 1;
        for coding in ["gzip", "zstd", "br", "deflate"] {
            assert_eq!(
                unpack(coding, &compressed(coding), most),
                Ok(None),
                "{coding}"
            );
        }
    }

    #[test]
    fn four_codings_are_too_many_and_nothing_is_unpacked() {
        assert!(codings("gzip, gzip, identity, gzip").unwrap().is_some());
        for many in ["gzip, gzip, gzip, gzip", &"br,".repeat(40)] {
            let refused = codings(many);
            assert!(
                matches!(refused, Err(TransportError::Overpacked(_))),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn how_far_a_body_may_unfold_follows_its_size() {
        const GIB: usize = 1 << 30;
        for (packed, most) in [
            (0, 64 << 20),
            (300_000, 64 << 20),
            (1 << 20, 100 << 20),
            (GIB, GIB),
            (usize::MAX, GIB),
        ] {
            assert_eq!(most_unpacked(packed, GIB), most, "{packed}");
        }
        assert_eq!(most_unpacked(10, 1000), 1000);
        assert_eq!(
            too_large(10, 1000),
            TransportError::TooLarge { limit: 1000 }
        );
        assert!(matches!(too_large(10, GIB), TransportError::Overpacked(_)));
    }

    #[test]
    fn a_body_that_nobody_wants_is_not_unpacked_further() {
        let zeros = zstd::encode_all(&*vec![0; 8 << 20], 1).unwrap();
        let mut asked = 0;
        let ended = codings("zstd")
            .unwrap()
            .unwrap()
            .unpack(&zeros, 1 << 30, || {
                asked += 1;
                asked < 3
            });
        assert_eq!((ended, asked), (Ok(None), 3));
    }
}
