//! How one request is treated: its faults and latency folded into the few
//! decisions that the stages behind it look at.

use std::time::Duration;

use super::fault::{Encoding, Fault};
use super::request::Request;
use super::shared::Shared;
use super::spec::{BadSpec, LONGEST, milliseconds};

/// What to do with one request. `Default` is to answer it well and at once.
#[derive(Debug, Default)]
pub(super) struct Treatment {
    pub(super) delay: Duration,
    pub(super) instead: Option<Instead>,
    /// Resets instead of closing, where the treatment closes early.
    pub(super) reset: bool,
    pub(super) rows: Option<BadRows>,
    pub(super) base64: Option<Base64Wish>,
    pub(super) bad_json: bool,
    pub(super) encoding: Option<Encoding>,
    pub(super) framing: Framing,
    pub(super) breaks: Option<Break>,
    pub(super) afterwards: Option<Afterwards>,
    pub(super) headers: Vec<(String, String)>,
}

/// What takes the place of the endpoint's answer.
#[derive(Debug)]
pub(super) enum Instead {
    Status {
        code: u16,
        retry_after: Option<String>,
        body: Option<String>,
    },
    Redirect {
        to: String,
        code: u16,
    },
    Hang,
    Close,
}

/// What is wrong with the rows of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadRows {
    Short,
    Extra,
    RepeatedIndex,
    MixedDimensions,
    NonFinite,
}

/// How a wish for base64 is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base64Wish {
    Ignored,
    Refused,
}

/// How the client learns where the body ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Framing {
    #[default]
    Length,
    Chunked,
    UntilClose,
}

/// Where the body breaks off.
#[derive(Debug, Clone, Copy)]
pub(super) enum Break {
    /// Behind so many bytes, or half of the body, the connection ends.
    Cut(Option<usize>),
    /// Behind half of the body nothing more comes.
    Hang,
}

/// What becomes of the connection behind a whole answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Afterwards {
    Close,
    CloseOnReuse,
}

impl Treatment {
    /// That of the `n`th request. Its own `x-mock-fault` and
    /// `x-mock-latency-ms` headers go before rules and the latency model.
    pub(super) fn of(
        request: &Request<'_>,
        shared: &Shared,
        in_flight: u64,
        n: u64,
    ) -> Result<Self, BadSpec> {
        let config = &shared.config;
        let faults = match request.mock_header("x-mock-fault") {
            Some(spec) => Fault::parse_list(spec)?,
            None => shared.rules.faults_for(request, in_flight, config.seed, n),
        };
        let delay = match request.mock_header("x-mock-latency-ms") {
            Some(text) => milliseconds(text.trim().parse().unwrap_or(f64::NAN))?,
            None if request.path() == "/health" => Duration::ZERO,
            None => config.latency.draw(config.seed, n),
        };
        let mut treatment = Self {
            delay,
            ..Self::default()
        };
        for fault in faults {
            treatment.add(fault);
        }
        treatment.delay = treatment.delay.min(LONGEST);
        Ok(treatment)
    }

    fn add(&mut self, fault: Fault) {
        match fault {
            Fault::Delay(delay) => self.delay = self.delay.saturating_add(delay),
            Fault::Status {
                code,
                retry_after,
                body,
            } => {
                self.instead = Some(Instead::Status {
                    code,
                    retry_after,
                    body,
                });
            }
            Fault::Redirect { to, code } => self.instead = Some(Instead::Redirect { to, code }),
            Fault::Hang => self.instead = Some(Instead::Hang),
            Fault::CloseBeforeAnswer => self.instead = Some(Instead::Close),
            Fault::Reset => self.reset = true,
            Fault::BadJson => self.bad_json = true,
            Fault::ShortRows => self.rows = Some(BadRows::Short),
            Fault::ExtraRows => self.rows = Some(BadRows::Extra),
            Fault::RepeatedIndex => self.rows = Some(BadRows::RepeatedIndex),
            Fault::MixedDimensions => self.rows = Some(BadRows::MixedDimensions),
            Fault::NonFinite => self.rows = Some(BadRows::NonFinite),
            Fault::IgnoreBase64 => self.base64 = Some(Base64Wish::Ignored),
            Fault::RefuseBase64 => self.base64 = Some(Base64Wish::Refused),
            Fault::Encoding(encoding) => self.encoding = Some(encoding),
            Fault::Chunked => self.framing = Framing::Chunked,
            Fault::CloseDelimited => self.framing = Framing::UntilClose,
            Fault::CutBody { after } => self.breaks = Some(Break::Cut(after)),
            Fault::HangBody => self.breaks = Some(Break::Hang),
            Fault::CloseWithoutNotice => self.afterwards = Some(Afterwards::Close),
            Fault::CloseOnReuse => self.afterwards = Some(Afterwards::CloseOnReuse),
            Fault::Header { name, value } => self.headers.push((name, value)),
        }
    }

    /// Whether the connection ends before any of the answer is sent.
    pub(super) fn closes_unanswered(&self) -> bool {
        matches!(self.instead, Some(Instead::Close)) || (self.reset && self.breaks.is_none())
    }
}
