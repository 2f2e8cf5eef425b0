//! Undoing `content-encoding`: zstd, gzip, br and deflate, alone or stacked.

use super::TransportError;
use crate::headers::Headers;
use std::io::Read;

/// The codings that are asked for in `accept-encoding`.
pub(crate) const ACCEPTED: &str = "zstd, gzip, br, deflate";

/// The longest name of a registered coding: `pack200-gzip`.
const LONGEST_NAME: usize = 12;

/// Decompresses a body in place, as the answer's headers say.
///
/// # Errors
///
/// As [`decompress`].
pub(crate) fn unpack(
    headers: &Headers,
    body: &mut Vec<u8>,
    limit: usize,
) -> Result<(), TransportError> {
    // An answer to HEAD, or a 204, names a coding and has no body.
    if !headers.tell_content_encoding() || body.is_empty() {
        return Ok(());
    }
    let codings: Vec<&str> = headers.get_all("content-encoding").collect();
    if let Some(plain) = decompress(&codings.join(","), body, limit)? {
        *body = plain;
    }
    Ok(())
}

/// Decompresses `body` as `coding` (the value of `content-encoding`) says. `None` means that it
/// is not compressed.
///
/// # Errors
///
/// [`TransportError::Malformed`] for an unknown coding, [`TransportError::Broken`] for a body that
/// is damaged or ends early, and [`TransportError::TooLarge`] as soon as `limit` is passed, so
/// that a small body cannot unfold into all memory.
fn decompress(coding: &str, body: &[u8], limit: usize) -> Result<Option<Vec<u8>>, TransportError> {
    let mut plain: Option<Vec<u8>> = None;
    // Codings are listed in the order in which they were applied.
    for name in coding.split(',').rev().map(str::trim) {
        let input = plain.as_deref().unwrap_or(body);
        let output = match name.to_ascii_lowercase().as_str() {
            "" | "identity" => continue,
            "gzip" | "x-gzip" => unfold(flate2::read::MultiGzDecoder::new(input), limit),
            "zstd" => zstd::stream::read::Decoder::with_buffer(input)
                .map_err(|cause| broken(&cause))
                .and_then(|decoder| unfold(decoder, limit)),
            "br" => unfold(brotli::Decompressor::new(input, 1 << 16), limit),
            // RFC 9110 means zlib; some servers send raw deflate all the same.
            "deflate" => match unfold(flate2::read::ZlibDecoder::new(input), limit) {
                Err(TransportError::Broken(_)) => {
                    unfold(flate2::read::DeflateDecoder::new(input), limit)
                }
                other => other,
            },
            unknown => {
                // A long one is none that anyone knows, but may be a key that was sent back.
                let shown = if unknown.len() <= LONGEST_NAME {
                    unknown
                } else {
                    "of a long name"
                };
                let cause = format!("unknown content-encoding {shown:?}");
                return Err(TransportError::Malformed(cause));
            }
        }?;
        plain = Some(output);
    }
    Ok(plain)
}

fn unfold(decoder: impl Read, limit: usize) -> Result<Vec<u8>, TransportError> {
    let mut output = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    decoder
        .take(most)
        .read_to_end(&mut output)
        .map_err(|cause| broken(&cause))?;
    if output.len() > limit {
        return Err(TransportError::TooLarge { limit });
    }
    Ok(output)
}

fn broken(cause: &std::io::Error) -> TransportError {
    TransportError::Broken(format!("the compressed body is damaged or cut: {cause}"))
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

    fn compressed(coding: &str) -> Vec<u8> {
        let level = flate2::Compression::fast();
        match coding {
            "gzip" => gzip(TEXT),
            "zstd" => zstd::encode_all(TEXT, 1).unwrap(),
            "deflate" => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
                encoder.write_all(TEXT).unwrap();
                encoder.finish().unwrap()
            }
            "raw" => {
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
                encoder.write_all(TEXT).unwrap();
                encoder.finish().unwrap()
            }
            _ => {
                let mut out = Vec::new();
                let params = brotli::enc::BrotliEncoderParams::default();
                brotli::BrotliCompress(&mut &TEXT[..], &mut out, &params).unwrap();
                out
            }
        }
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
            let plain = decompress(name, &compressed(made), 1 << 20).unwrap();
            assert_eq!(plain.as_deref(), Some(TEXT), "{name}");
        }
        assert_eq!(decompress("identity", TEXT, 10).unwrap(), None);
        let twice = gzip(&compressed("zstd"));
        let plain = decompress("zstd, gzip", &twice, 1 << 20).unwrap();
        assert_eq!(plain.as_deref(), Some(TEXT));
    }

    #[test]
    fn a_cut_or_unknown_body_is_an_error() {
        for coding in ["gzip", "zstd", "br", "deflate"] {
            let whole = compressed(coding);
            let cut = &whole[..whole.len() / 2];
            assert!(decompress(coding, cut, 1 << 20).is_err(), "{coding}");
        }
        let unknown = decompress("snappy", TEXT, 10);
        assert!(matches!(unknown, Err(TransportError::Malformed(_))));
    }

    #[test]
    fn a_small_body_cannot_unfold_past_the_limit() {
        let limit = TEXT.len() - 1;
        for coding in ["gzip", "zstd", "br", "deflate"] {
            let result = decompress(coding, &compressed(coding), limit);
            assert_eq!(result, Err(TransportError::TooLarge { limit }), "{coding}");
        }
    }
}
