//! The faults, and their text form, which is the same in the request header
//! `x-mock-fault`, in the JSON of a rule and on command lines.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::spec::{BadSpec, MILLISECONDS, Spec, encode, milliseconds};

/// Informational statuses are none of these: they do not end an exchange.
const STATUS: RangeInclusive<u16> = 200..=599;

/// One thing that goes otherwise than the client hopes. Several can hold for
/// the same request: `status=503,chunked,cut_body=10,reset`.
///
/// Each variant names its text form. In a value, `,` `;` and `%` are written
/// `%2C` `%3B` and `%25`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// Holds the answer back, beside the latency model. `delay=250` (milliseconds).
    Delay(Duration),
    /// Answers with a status. `status=503;retry_after=1;body=text`.
    Status {
        /// The status code, 200 to 599.
        code: u16,
        /// What the `Retry-After` header says, if there is to be one.
        retry_after: Option<String>,
        /// The body; an error in the shape of `OpenAI`'s where it is not given.
        body: Option<String>,
    },
    /// Sends the client elsewhere. `redirect=/echo;code=302` (307 if not given).
    Redirect {
        /// What the `Location` header says.
        to: String,
        /// The status code.
        code: u16,
    },
    /// Never answers, until the client closes. `hang`.
    Hang,
    /// Resets the connection (RST) instead of an answer, or behind the part
    /// that [`Fault::CutBody`] leaves; a reset may overtake that part. `reset`.
    Reset,
    /// Closes in good order (FIN) instead of an answer. `close_before_answer`.
    CloseBeforeAnswer,
    /// Leaves the JSON broken off in the middle, though the HTTP is sound. `bad_json`.
    BadJson,
    /// Leaves out the last row. `short_rows`.
    ShortRows,
    /// Adds a row for which there was no input. `extra_rows`.
    ExtraRows,
    /// Gives the last row the index of the one before; an only row gets index 1.
    /// `repeated_index`.
    RepeatedIndex,
    /// Makes the last embedding a number shorter. `mixed_dimensions`.
    MixedDimensions,
    /// Makes the first number `NaN`, bare in JSON as Python servers write it. `non_finite`.
    NonFinite,
    /// Answers floats though base64 was asked for. `ignore_base64`.
    IgnoreBase64,
    /// Answers 400 when base64 is asked for. `refuse_base64`.
    RefuseBase64,
    /// Compresses the answer, asked for or not; a stream stays plain. `encoding=zstd`.
    Encoding(Encoding),
    /// Sends the answer in chunks, without a length. `chunked`.
    Chunked,
    /// Sends the answer without a length; it ends where the connection does.
    /// `close_delimited`.
    CloseDelimited,
    /// Ends the connection so many bytes into the body. `cut_body=100`, or half of
    /// the body with plain `cut_body`.
    CutBody {
        /// How much of the body is sent; at most all but its end.
        after: Option<usize>,
    },
    /// Sends the head and half of the body, then nothing. `hang_body`.
    HangBody,
    /// Answers as if to keep the connection, then closes it at once.
    /// `close_without_notice`.
    CloseWithoutNotice,
    /// Answers as if to keep the connection, then closes it when the next request
    /// arrives: the race that every pool of idle connections meets. `close_on_reuse`.
    CloseOnReuse,
    /// Adds a header to the answer. `header=name:value`.
    Header {
        /// The header's name.
        name: String,
        /// The header's value.
        value: String,
    },
}

/// How an answer is compressed, by its name in `Content-Encoding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `zstd`.
    Zstd,
    /// `gzip`.
    Gzip,
    /// `br`.
    Brotli,
    /// `deflate`, which HTTP means in zlib's wrapping.
    Deflate,
}

impl Encoding {
    /// The name in `Content-Encoding`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
            Self::Brotli => "br",
            Self::Deflate => "deflate",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let all = [Self::Zstd, Self::Gzip, Self::Brotli, Self::Deflate];
        all.into_iter().find(|encoding| encoding.name() == name)
    }
}

impl Fault {
    /// Parses several faults, separated by commas.
    ///
    /// # Errors
    ///
    /// When one of them is no fault, or a parameter is unknown or out of range.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, BadSpec> {
        text.split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(str::parse)
            .collect()
    }

    /// A status with neither `Retry-After` nor a body of its own.
    #[must_use]
    pub fn status(code: u16) -> Self {
        Self::Status {
            code,
            retry_after: None,
            body: None,
        }
    }

    /// The faults that take no value, and their names.
    const PLAIN: [(&'static str, Self); 17] = [
        ("hang", Self::Hang),
        ("reset", Self::Reset),
        ("close_before_answer", Self::CloseBeforeAnswer),
        ("bad_json", Self::BadJson),
        ("short_rows", Self::ShortRows),
        ("extra_rows", Self::ExtraRows),
        ("repeated_index", Self::RepeatedIndex),
        ("mixed_dimensions", Self::MixedDimensions),
        ("non_finite", Self::NonFinite),
        ("ignore_base64", Self::IgnoreBase64),
        ("refuse_base64", Self::RefuseBase64),
        ("chunked", Self::Chunked),
        ("close_delimited", Self::CloseDelimited),
        ("cut_body", Self::CutBody { after: None }),
        ("hang_body", Self::HangBody),
        ("close_without_notice", Self::CloseWithoutNotice),
        ("close_on_reuse", Self::CloseOnReuse),
    ];
}

impl FromStr for Fault {
    type Err = BadSpec;

    fn from_str(text: &str) -> Result<Self, BadSpec> {
        let mut spec = Spec::parse(text)?;
        let Some(value) = spec.value.clone() else {
            let plain = Self::PLAIN.into_iter().find(|(name, _)| *name == spec.name);
            let (_, fault) = plain.ok_or_else(|| {
                let names = Self::PLAIN.map(|(name, _)| name).join(", ");
                BadSpec::new(format!(
                    "no fault is called `{}`: there are {names}; and with a value delay, status, \
                     redirect, encoding, cut_body and header",
                    spec.name
                ))
            })?;
            return spec.finish(fault);
        };
        let fault = match spec.name.as_str() {
            "delay" => Self::Delay(milliseconds(spec.number(&MILLISECONDS)?)?),
            "status" => Self::Status {
                code: spec.number(&STATUS)?,
                retry_after: spec.take("retry_after"),
                body: spec.take("body"),
            },
            "redirect" => Self::Redirect {
                to: value,
                code: if spec.has("code") {
                    spec.take_number("code", &STATUS)?
                } else {
                    307
                },
            },
            "encoding" => Self::Encoding(Encoding::named(&value).ok_or_else(|| {
                BadSpec::new(format!("`{value}` is none of zstd, gzip, br and deflate"))
            })?),
            "cut_body" => Self::CutBody {
                after: Some(spec.number(&(0..=usize::MAX))?),
            },
            "header" => match value.split_once(':') {
                Some((name, value)) => Self::Header {
                    name: name.trim().to_owned(),
                    value: value.trim().to_owned(),
                },
                None => return Err(BadSpec::new("`header` is written header=name:value")),
            },
            name => {
                return Err(BadSpec::new(format!(
                    "no fault with a value is called `{name}`"
                )));
            }
        };
        spec.finish(fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delay(delay) => write!(f, "delay={}", delay.as_secs_f64() * 1000.0),
            Self::Status {
                code,
                retry_after,
                body,
            } => {
                write!(f, "status={code}")?;
                if let Some(retry_after) = retry_after {
                    write!(f, ";retry_after={}", encode(retry_after))?;
                }
                match body {
                    Some(body) => write!(f, ";body={}", encode(body)),
                    None => Ok(()),
                }
            }
            Self::Redirect { to, code } => write!(f, "redirect={};code={code}", encode(to)),
            Self::Encoding(encoding) => write!(f, "encoding={}", encoding.name()),
            Self::CutBody { after: Some(after) } => write!(f, "cut_body={after}"),
            Self::Header { name, value } => write!(f, "header={}:{}", encode(name), encode(value)),
            plain => {
                let named = Self::PLAIN.iter().find(|(_, fault)| fault == plain);
                f.write_str(named.map_or("", |(name, _)| name))
            }
        }
    }
}
