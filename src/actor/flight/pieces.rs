//! Requests that are cut after they were planned: because their server takes fewer inputs at a time,
//! or to find the input that it refuses.

use super::Flight;
use crate::actor::failure::Failure;
use crate::actor::hedger::Settlement;
use crate::actor::messages::AttemptId;
use crate::actor::request::{ActiveRequest, Base64};
use crate::actor::turn::{Surroundings, limits_of};
use crate::config::OnError;
use crate::decode::DecodeError;
use crate::job::{End, RequestError};
use crate::policy::encoding::may_refuse_base64;
use crate::policy::pieces::{Piece, fitting, parts};
use crate::policy::retry::Advice;
use crate::policy::shape::{Complaint, Load, ShapeLimit};
use crate::policy::split::{Limits, Weight};
use crate::policy::suspicion::{Blame, PARTS, Suspicion};
use std::collections::VecDeque;
use std::ops::Range;

/// What an operation keeps of the requests that were cut.
#[derive(Default)]
pub(super) struct Pieces {
    suspicion: Suspicion,
    /// The shapes that were known when its requests were planned.
    pub(super) shapes: u32,
    /// An answer came in base64: the server takes it.
    takes_base64: bool,
    /// What most operations never have.
    apart: Option<Box<Apart>>,
}

#[derive(Default)]
struct Apart {
    /// Pieces that were never started, and may go.
    ready: VecDeque<u32>,
    /// Failures that may turn out to be no input's.
    untold: Vec<(RequestError, u32)>,
}

impl Pieces {
    fn release(&mut self, pieces: impl IntoIterator<Item = u32>) {
        self.apart.get_or_insert_default().ready.extend(pieces);
    }

    /// The piece that is started next, if there is one.
    pub(super) fn first_ready(&self) -> Option<&u32> {
        self.apart.as_ref()?.ready.front()
    }
}

/// Why a request is cut.
enum Reason {
    /// It is larger than its server takes.
    Shape(ShapeLimit),
    /// One of its inputs may be bad.
    Input(Blame),
}

impl Flight {
    /// Whether there is a request that was never started and may go now.
    pub(super) fn has_unstarted(&self) -> bool {
        let apart = self.pieces.apart.as_ref();
        apart.is_some_and(|apart| !apart.ready.is_empty())
            || ((self.next as usize) < self.planned_requests()
                && !self.pieces.suspicion.holds_back())
    }

    /// The request that is to be started next, of those that never were. One that its server is
    /// known not to take is cut first.
    pub(super) fn next_unstarted(&mut self, around: &mut Surroundings<'_>) -> u32 {
        loop {
            let apart = self.pieces.apart.as_mut();
            let piece = apart.and_then(|apart| apart.ready.pop_front());
            let request = piece.unwrap_or_else(|| {
                self.next += 1;
                self.next - 1
            });
            if self.pieces.shapes == around.shapes.version() {
                return request;
            }
            let Some(pieces) = self.too_large(request, around) else {
                return request;
            };
            self.replace(request, pieces, None);
        }
    }

    /// The pieces of a request that was planned before its server's limits were known.
    fn too_large(&self, request: u32, around: &Surroundings<'_>) -> Option<Vec<Range<usize>>> {
        let operation = &self.job.operation;
        if !operation.can_be_cut() {
            return None;
        }
        let inputs = self.plan.as_ref()?.range(request as usize);
        let limits = limits_of(&self.job, around.shapes);
        let pieces = fitting(inputs, limits, |input| operation.weigh(input, &limits));
        (pieces.len() > 1).then_some(pieces)
    }

    /// Puts pieces in a request's place; they go before all others that were never started. `whole` is
    /// what was made of it.
    fn replace(&mut self, request: u32, pieces: Vec<Range<usize>>, whole: Option<&ActiveRequest>) {
        let released = self.pieces.suspicion.reshaped(request);
        let numbers = self.cut(request, pieces, whole, false);
        let apart = self.pieces.apart.get_or_insert_default();
        apart.ready.extend(released);
        for piece in numbers.rev() {
            apart.ready.push_front(piece);
        }
    }

    fn cut(
        &mut self,
        request: u32,
        ranges: impl IntoIterator<Item = Range<usize>>,
        whole: Option<&ActiveRequest>,
        suspect: bool,
    ) -> Range<u32> {
        let Some(plan) = &mut self.plan else {
            return 0..0;
        };
        let mut first = plan.piece(request).cloned().unwrap_or_default();
        first.suspect |= suspect;
        if let Some(whole) = whole {
            // What is inherited is counted as sent again.
            first.attempts = whole.made + whole.inherited;
            first.without_base64 |= whole.base64 != Base64::Tried;
        }
        let mut attempts = first.attempts;
        let pieces = ranges.into_iter().map(|inputs| Piece {
            inputs,
            attempts: std::mem::take(&mut attempts),
            ..first
        });
        plan.cut(request, pieces)
    }

    /// A request as it is when it is started. `try_base64` says whether its endpoint is asked for
    /// that.
    pub(super) fn begin(
        &self,
        request: u32,
        try_base64: bool,
        around: &Surroundings<'_>,
    ) -> ActiveRequest {
        let piece = self.plan.as_ref().and_then(|plan| plan.piece(request));
        let without_base64 = piece.is_some_and(|piece| piece.without_base64);
        let mut active = ActiveRequest::new(around.now, try_base64 && !without_base64);
        active.inherited = piece.map_or(0, |piece| piece.attempts);
        active
    }

    /// Cuts a request whose failure says that it is too large, or that an input may be bad. Gives the
    /// failure back where it is none of these, or where there is another way first.
    pub(super) fn cut_up(
        &mut self,
        id: AttemptId,
        failure: Failure,
        around: &mut Surroundings<'_>,
    ) -> Result<Option<End>, Failure> {
        let request = id.key.request;
        let Some(reason) = self.reason_to_cut(request, &failure) else {
            return Err(failure);
        };
        match reason {
            Reason::Shape(limit) => {
                if self.cut_to_fit(request, limit, around) {
                    let request_id = id.request_id(&self.trace);
                    log::debug!("{request_id}: {failure}; sent again in smaller requests");
                    Ok(None)
                } else {
                    Err(failure)
                }
            }
            Reason::Input(blame) => Ok(self.suspect(id, failure, blame, around)),
        }
    }

    fn reason_to_cut(&self, request: u32, failure: &Failure) -> Option<Reason> {
        if !self.job.operation.can_be_cut() {
            return None;
        }
        let plan = self.plan.as_ref()?;
        let inputs = plan.range(request as usize);
        let is_one = inputs.len() == 1;
        let splits = self.job.settings.split_refused;
        let is_suspect = plan.piece(request).is_some_and(|piece| piece.suspect);
        let may_be_input = splits && (!is_one || is_suspect);
        match failure {
            Failure::Refused(refusal) => {
                let input = Reason::Input(Blame::Status(refusal.code));
                match refusal.complaint {
                    Complaint::None => None,
                    Complaint::Shape(limit) if self.is_of_one(limit, inputs) => {
                        may_be_input.then_some(input)
                    }
                    Complaint::Shape(limit) => (!is_one).then_some(Reason::Shape(limit)),
                    // Alone it is not sent again: it would be refused again.
                    Complaint::Input => splits.then_some(input),
                    Complaint::Perhaps
                        if refusal.advice == Advice::Retry
                            || self.may_be_base64(request, refusal.code) =>
                    {
                        None
                    }
                    Complaint::Perhaps => may_be_input.then_some(input),
                }
            }
            Failure::Decode(DecodeError::NonFinite { .. } | DecodeError::Empty { .. }) => {
                may_be_input.then_some(Reason::Input(Blame::Row))
            }
            _ => None,
        }
    }

    /// Whether a limit on tokens can be that of a single input: one of them may have so many.
    fn is_of_one(&self, limit: ShapeLimit, inputs: Range<usize>) -> bool {
        let ShapeLimit::Tokens {
            asked,
            of_one: true,
            ..
        } = limit
        else {
            return false;
        };
        let mut weights = inputs.map(|input| self.job.operation.weigh(input, &EVERYTHING));
        asked.is_none_or(|asked| weights.any(|weight| weight.tokens >= asked))
    }

    /// Whether a refusal may be of base64, which is left out then before anything else is tried.
    fn may_be_base64(&self, request: u32, status: u16) -> bool {
        let tried = |active: &ActiveRequest| active.base64 == Base64::Tried;
        let is_suspect = |piece: &Piece| piece.suspect;
        let plan = self.plan.as_ref();
        may_refuse_base64(status)
            && !self.pieces.takes_base64
            && self.active.get(&request).is_some_and(tried)
            && !plan
                .and_then(|plan| plan.piece(request))
                .is_some_and(is_suspect)
    }

    /// Learns of a limit, and cuts the request that was above it.
    fn cut_to_fit(
        &mut self,
        request: u32,
        limit: ShapeLimit,
        around: &mut Surroundings<'_>,
    ) -> bool {
        let Some(plan) = &self.plan else {
            return false;
        };
        let operation = &self.job.operation;
        let inputs = plan.range(request as usize);
        let weights = inputs
            .clone()
            .map(|input| operation.weigh(input, &EVERYTHING));
        let mut weight = weights.fold(Weight::default(), Weight::with);
        weight.bytes += operation.frame_bytes();
        let load = Load {
            inputs: inputs.len(),
            weight,
        };
        let url = &operation.head().url;
        if around.shapes.learn(url, limit, load) {
            let account = &operation.head().account;
            log::warn!("{account} takes no more in one request: {limit}; others are cut to fit");
        }
        let limits = limits_of(&self.job, around.shapes);
        let mut pieces = fitting(inputs.clone(), limits, |input| {
            operation.weigh(input, &limits)
        });
        if pieces.len() == 1 {
            pieces = parts(inputs, 2).collect();
        }
        let whole = self.leave(request, around);
        self.replace(request, pieces, whole.as_ref());
        true
    }

    /// A request that is cut has no attempt in flight, and ends without a word.
    fn leave(&mut self, request: u32, around: &mut Surroundings<'_>) -> Option<ActiveRequest> {
        if self.job.settings.hedge.is_some() {
            around.turn.settled.push(Settlement::Request {
                hedge: self.as_hedge(request),
                time: None,
            });
        }
        self.active.remove(&request)
    }

    /// One of a request's inputs may be bad: it is cut to find it, or is that input's alone.
    fn suspect(
        &mut self,
        id: AttemptId,
        failure: Failure,
        blame: Blame,
        around: &mut Surroundings<'_>,
    ) -> Option<End> {
        let request = id.key.request;
        let inputs = self.plan.as_ref()?.range(request as usize);
        let base64 = self.active.get(&request)?.base64;
        // It was refused with base64, and without.
        let times = 1 + u32::from(base64 == Base64::Refused);
        let is_over = self.pieces.suspicion.refused(blame, inputs.len(), times);
        if is_over || inputs.len() == 1 {
            let settings = &self.job.settings;
            let error = failure.into_error(self.job.operation.head(), settings);
            let end = self.fail(id, error.clone(), around);
            if is_over && end.is_none() {
                return Some(self.blame_no_input(End::CutShort(error)));
            }
            return end;
        }
        let request_id = id.request_id(&self.trace);
        log::debug!("{request_id}: {failure}; cut to find the input");
        let whole = self.leave(request, around);
        let pieces = self.cut(request, parts(inputs, PARTS), whole.as_ref(), true);
        let released = self.pieces.suspicion.cut(request, pieces);
        self.pieces.release(released);
        None
    }

    /// No input is to blame: what was cut in search of one is whole again, and fails as it is.
    fn blame_no_input(&mut self, end: End) -> End {
        self.pieces.apart = None;
        if let Some(plan) = &mut self.plan {
            plan.forget_pieces();
        }
        end
    }

    /// A request succeeded, and in base64 perhaps.
    pub(super) fn note_success(&mut self, in_base64: bool) {
        self.pieces.takes_base64 |= in_base64;
        if let Some(released) = self.pieces.suspicion.succeeded() {
            self.pieces.release(released);
            self.tell_the_untold();
        }
    }

    /// Tells of a request that failed for good, now or when it is known that its inputs were to
    /// blame.
    pub(super) fn note_failure(&mut self, request: u32, failed: RequestError, attempts: u32) {
        let suspicion = &mut self.pieces.suspicion;
        if !suspicion.holds_back() {
            self.job.gather.failed(failed, attempts);
            return;
        }
        let apart = self.pieces.apart.get_or_insert_default();
        apart.untold.push((failed, attempts));
        apart.ready.extend(suspicion.failed(request));
        if !suspicion.holds_back() || self.job.settings.on_error == OnError::Raise {
            self.tell_the_untold();
        }
    }

    pub(super) fn tell_the_untold(&mut self) {
        let Some(apart) = &mut self.pieces.apart else {
            return;
        };
        for (failed, attempts) in apart.untold.drain(..) {
            self.job.gather.failed(failed, attempts);
        }
    }
}

/// Limits that ask for all that can be weighed.
const EVERYTHING: Limits = Limits {
    batch_size: usize::MAX,
    max_chars: Some(usize::MAX),
    max_tokens: Some(usize::MAX),
    max_bytes: Some(usize::MAX),
};
