//! What happened when: counters and small histograms of short, equal spans of the run.
//!
//! A slot starts as an eighth of a second. When a run would need more slots than are kept, each two
//! become one: memory does not grow with a run's length, and slots always divide whole seconds or
//! are made of them.

use super::histogram::TimeHistogram;
use super::interval::IntervalHistogram;
use super::sample::{FailureKind, Sample};
use super::statistics::{milliseconds, sample_floor};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The shortest slot.
const SHORTEST: Duration = Duration::from_millis(125);
/// Slots kept while a run lasts.
const MOST: usize = 480;
/// Slots that a report has at most.
const MOST_REPORTED: usize = 240;

/// The run in equal spans, from its start.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Timeline {
    /// The length of a slot in seconds.
    pub slot_s: f64,
    /// The slots, each from its index times `slot_s`.
    pub slots: Vec<Slot>,
}

/// One span of the run. A request counts in the slot in which it ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Slot {
    /// Requests sent in this slot, those of the warm-up included.
    pub sent: u64,
    /// Requests that ended in this slot and belong to the warm-up; they count nowhere else.
    pub warmup: u64,
    /// Requests that succeeded.
    pub succeeded: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Successes that met every SLO.
    pub good: u64,
    /// Prompt tokens of the successes.
    pub prompt_tokens: u64,
    /// Completion tokens of the successes.
    pub completion_tokens: u64,
    /// Their median latency in milliseconds.
    pub latency_p50_ms: Option<f64>,
    /// Their 99th percentile; below 662 samples `None`.
    pub latency_p99_ms: Option<f64>,
    /// Their latencies.
    pub latency: IntervalHistogram,
    /// Their times to first token.
    pub ttft: IntervalHistogram,
    /// Their times between tokens.
    pub itl: IntervalHistogram,
}

impl Slot {
    fn merge(&mut self, other: &Self) {
        self.sent += other.sent;
        self.warmup += other.warmup;
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.good += other.good;
        self.prompt_tokens += other.prompt_tokens;
        self.completion_tokens += other.completion_tokens;
        self.latency.merge(&other.latency);
        self.ttft.merge(&other.ttft);
        self.itl.merge(&other.itl);
    }

    /// Percentiles are taken from the histogram, never from other percentiles.
    fn tell(mut self) -> Self {
        let quantile = |q| {
            let enough = self.latency.count() >= sample_floor(q);
            enough.then(|| self.latency.quantile(q).map(milliseconds))?
        };
        (self.latency_p50_ms, self.latency_p99_ms) = (quantile(0.5), quantile(0.99));
        self
    }
}

impl Timeline {
    /// The timelines of runs that started together, added slot by slot.
    pub(crate) fn merged(timelines: &[Self]) -> Self {
        let longest = timelines.iter().map(|one| one.slot_s).fold(0.0, f64::max);
        let mut slots = Vec::new();
        for timeline in timelines {
            let mut coarse = timeline.clone();
            while coarse.slot_s > 0.0 && coarse.slot_s < longest {
                coarse.slots = in_pairs(&coarse.slots);
                coarse.slot_s *= 2.0;
            }
            add(&mut slots, &coarse.slots);
        }
        Self::new(longest, slots)
    }

    /// The same with slots of `span_s` or longer.
    pub(crate) fn coarser(&self, span_s: f64) -> Self {
        let mut timeline = self.clone();
        while timeline.slot_s > 0.0 && timeline.slot_s < span_s {
            timeline.slots = in_pairs(&timeline.slots);
            timeline.slot_s *= 2.0;
        }
        timeline
    }

    fn new(length_s: f64, slots: Vec<Slot>) -> Self {
        Self {
            slot_s: length_s,
            slots: slots.into_iter().map(Slot::tell).collect(),
        }
    }
}

pub(in crate::bench) fn in_pairs(slots: &[Slot]) -> Vec<Slot> {
    let pair = |pair: &[Slot]| {
        let mut slot = pair[0].clone();
        if let Some(second) = pair.get(1) {
            slot.merge(second);
        }
        slot
    };
    slots.chunks(2).map(pair).collect()
}

fn add(slots: &mut Vec<Slot>, others: &[Slot]) {
    if slots.len() < others.len() {
        slots.resize_with(others.len(), Slot::default);
    }
    for (slot, other) in slots.iter_mut().zip(others) {
        slot.merge(other);
    }
}

/// A timeline in the making. Only the slot that samples fall into now has full histograms.
#[derive(Debug, Clone)]
pub(crate) struct TimelineRecorder {
    width: Duration,
    slots: Vec<Slot>,
    open: usize,
    latency: TimeHistogram,
    ttft: TimeHistogram,
    itl: TimeHistogram,
}

impl TimelineRecorder {
    pub(crate) fn new() -> Self {
        Self {
            width: SHORTEST,
            slots: Vec::new(),
            open: 0,
            latency: TimeHistogram::new(),
            ttft: TimeHistogram::new(),
            itl: TimeHistogram::new(),
        }
    }

    /// Counts a request. `good`: it succeeded and met every SLO.
    pub(crate) fn record(&mut self, sample: &Sample, good: bool) {
        let ended = self.index(sample.ended);
        let sent = self.index(sample.sent.min(sample.ended));
        self.slots[sent].sent += 1;
        let slot = &mut self.slots[ended];
        if sample.warmup {
            slot.warmup += 1;
            return;
        }
        match sample.outcome {
            Ok(()) => {}
            Err(FailureKind::Cancelled) => return,
            Err(_) => {
                slot.failed += 1;
                return;
            }
        }
        slot.succeeded += 1;
        slot.good += u64::from(good);
        slot.prompt_tokens += sample.prompt_tokens.unwrap_or(0);
        slot.completion_tokens += sample.completion_tokens.unwrap_or(0);
        if ended > self.open {
            self.seal();
            self.open = ended;
        }
        let (latency, first_token) = (sample.latency(), sample.time_to_first_token());
        if ended < self.open {
            // Told after its slot was sealed: rare, since requests are told when they end.
            let slot = &mut self.slots[ended];
            let bucket = |time: &Duration| self.latency.bucket_of(*time);
            let buckets = |times: &[Duration]| times.iter().map(bucket).collect();
            slot.latency.add_all(buckets(&[latency]));
            slot.ttft.add_all(first_token.iter().map(bucket).collect());
            slot.itl.add_all(buckets(&sample.token_gaps));
            return;
        }
        self.latency.record(latency);
        if let Some(time) = first_token {
            self.ttft.record(time);
        }
        sample
            .token_gaps
            .iter()
            .for_each(|gap| self.itl.record(*gap));
    }

    /// The slot of an instant, made if it is not there yet.
    fn index(&mut self, at: Duration) -> usize {
        loop {
            let index =
                usize::try_from(at.as_nanos() / self.width.as_nanos()).unwrap_or(usize::MAX);
            if index < self.slots.len() {
                return index;
            }
            if index < MOST {
                self.slots.resize_with(index + 1, Slot::default);
                return index;
            }
            self.seal();
            self.slots = in_pairs(&self.slots);
            self.width *= 2;
            self.open /= 2;
        }
    }

    /// Empties the full histograms into the slot that they are of.
    fn seal(&mut self) {
        let Some(slot) = self.slots.get_mut(self.open) else {
            return;
        };
        for (full, interval) in [
            (&mut self.latency, &mut slot.latency),
            (&mut self.ttft, &mut slot.ttft),
            (&mut self.itl, &mut slot.itl),
        ] {
            if full.count() > 0 {
                interval.merge(&IntervalHistogram::from_buckets(full.buckets()));
                full.clear();
            }
        }
    }

    /// The last whole slots before `now`, at most `span` of them: their length, and their sum.
    pub(crate) fn latest(&self, now: Duration, span: Duration) -> (Duration, Slot) {
        let end = usize::try_from(now.as_nanos() / self.width.as_nanos()).unwrap_or(usize::MAX);
        let wanted = usize::try_from(span.as_nanos() / self.width.as_nanos()).unwrap_or(1);
        let from = end.saturating_sub(wanted.max(1));
        let mut sum = Slot::default();
        for slot in self.slots.iter().take(end).skip(from) {
            sum.succeeded += slot.succeeded;
            sum.failed += slot.failed;
            sum.completion_tokens += slot.completion_tokens;
            sum.warmup += slot.warmup;
        }
        let slots = u32::try_from(end - from).unwrap_or(u32::MAX);
        (self.width.saturating_mul(slots), sum)
    }

    /// The timeline as a report has it.
    pub(crate) fn finish(mut self) -> Timeline {
        self.seal();
        while self.slots.len() > MOST_REPORTED {
            self.slots = in_pairs(&self.slots);
            self.width *= 2;
        }
        Timeline::new(self.width.as_secs_f64(), self.slots)
    }

    /// The bytes that it takes beside its fixed part.
    #[cfg(test)]
    pub(crate) fn size(&self) -> usize {
        let bytes = |slot: &Slot| slot.latency.size() + slot.ttft.size() + slot.itl.size();
        self.slots.capacity() * size_of::<Slot>() + self.slots.iter().map(bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: Duration = Duration::from_millis(1);

    fn sample(ended: u32, latency: u32) -> Sample {
        Sample::success((ended - latency) * MS, latency * MS)
    }

    /// What every slot holds, without the percentiles that are told of it.
    fn counts(timeline: &Timeline) -> Vec<(u64, u64, IntervalHistogram)> {
        let counts = |slot: &Slot| (slot.sent, slot.succeeded, slot.latency.clone());
        let mut slots: Vec<_> = timeline.slots.iter().map(counts).collect();
        while slots.last().is_some_and(|slot| slot.0 + slot.1 == 0) {
            slots.pop();
        }
        slots
    }

    fn recorder(ends: &[(u32, u32)]) -> TimelineRecorder {
        let mut recorder = TimelineRecorder::new();
        for (ended, latency) in ends {
            recorder.record(&sample(ended + latency, *latency), true);
        }
        recorder
    }

    #[test]
    fn a_request_counts_where_it_ended_and_its_sending_where_it_was_sent() {
        let timeline = recorder(&[(0, 100), (0, 300), (125, 100)]).finish();
        let ended: Vec<u64> = timeline.slots.iter().map(|slot| slot.succeeded).collect();
        let sent: Vec<u64> = timeline.slots.iter().map(|slot| slot.sent).collect();
        assert_eq!((ended, sent), (vec![1, 1, 1], vec![2, 1, 0]));
    }

    #[test]
    fn a_long_run_keeps_no_more_slots_and_loses_nothing() {
        let mut recorder = TimelineRecorder::new();
        for second in 0..100_000 {
            recorder.record(&sample(second * 1000 + 50, 50), true);
        }
        assert!(recorder.slots.len() <= MOST);
        let timeline = recorder.finish();
        assert!(timeline.slots.len() <= MOST_REPORTED);
        assert!(
            (timeline.slot_s - 512.0).abs() < 1e-9,
            "{}",
            timeline.slot_s
        );
        let all: u64 = timeline.slots.iter().map(|slot| slot.latency.count()).sum();
        assert_eq!(all, 100_000);
    }

    #[test]
    fn the_latest_rate_is_of_whole_slots() {
        let recorder = recorder(&[(0, 10), (200, 10), (300, 10), (900, 10), (1010, 10)]);
        let (span, sum) = recorder.latest(1030 * MS, 1000 * MS);
        assert_eq!((span, sum.succeeded), (1000 * MS, 4));
        let (span, sum) = recorder.latest(130 * MS, 1000 * MS);
        assert_eq!((span, sum.succeeded), (125 * MS, 1));
    }

    proptest! {
        /// In whatever order samples come and on however many recorders they fall.
        #[test]
        fn merged_is_pooled(
            ends in prop::collection::vec((0u32..200_000, 1u32..5000, any::<bool>()), 0..60)
        ) {
            let part = |which: Option<bool>| -> TimelineRecorder {
                let ends: Vec<(u32, u32)> = ends.iter()
                    .filter(|end| which.is_none_or(|which| end.2 == which))
                    .map(|end| (end.0, end.1)).collect();
                recorder(&ends)
            };
            let pooled = part(None).finish();
            let parts = [part(Some(true)).finish(), part(Some(false)).finish()];
            let merged = Timeline::merged(&parts);
            // Parts may have had finer slots; none is coarser than the pooled one's.
            let merged = merged.coarser(pooled.slot_s);
            prop_assert_eq!(counts(&merged), counts(&pooled));
            let mut sum = TimeHistogram::new();
            for slot in &pooled.slots {
                sum.merge(&slot.latency.to_histogram());
            }
            let mut whole = TimeHistogram::new();
            for end in &ends {
                whole.record(end.1 * MS);
            }
            prop_assert_eq!(sum, whole);
        }
    }
}
