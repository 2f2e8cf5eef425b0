//! Recordings: what counts where, merging, memory.

use super::*;
use crate::bench::measure::histogram::microseconds;
use proptest::prelude::*;

const MS: Duration = Duration::from_millis(1);

pub(in crate::bench) fn record_all(samples: &[Sample]) -> Recording {
    let mut recording = Recording::new(vec![Slo::parse("latency_p99<1s").unwrap()]);
    for sample in samples {
        recording.record(sample);
    }
    recording
}

/// METHOD 1: a server that stalls for a second under 100 requests a second gives 100 latencies on
/// a straight ramp, although only one service time is long.
#[test]
fn a_stall_is_seen_by_every_request_that_it_delayed() {
    let mut recording = Recording::new(Vec::new());
    for index in 0..1000 {
        let scheduled = index * 10 * MS;
        // The server does one request at a time, in a millisecond, but stands from 3 s to 4 s.
        let mut sample = Sample::success(scheduled, MS);
        if (300..400).contains(&index) {
            sample.ended = 4000 * MS;
            sample.sent = 3999 * MS;
        }
        recording.record(&sample);
    }
    let latency = recording.histograms.get(Metric::Latency).unwrap();
    let stalled: Vec<u64> = latency
        .buckets()
        .filter(|(value, _)| *value > 5_000)
        .flat_map(|(value, count)| std::iter::repeat_n(value, usize::try_from(count).unwrap()))
        .collect();
    assert_eq!(stalled.len(), 100);
    for (index, value) in (1u64..).zip(stalled) {
        let ramp = index * 10_000;
        assert!(
            value.abs_diff(ramp) <= ramp / 1000 + 1,
            "{value} for {ramp}"
        );
    }
    let service = recording.histograms.get(Metric::Service).unwrap();
    assert!(service.max().unwrap() < 2 * MS);
    let queue = recording.histograms.get(Metric::Queue).unwrap();
    assert!(queue.max().unwrap() > 980 * MS);
}

#[test]
fn warm_up_and_the_cut_off_stay_out_of_the_steady_state() {
    let mut warm = Sample::success(Duration::ZERO, 900 * MS);
    warm.warmup = true;
    let mut cut = Sample::failure(2000 * MS, 10 * MS, FailureKind::Cancelled);
    cut.attempts = 3;
    let recording = record_all(&[
        warm,
        Sample::success(1000 * MS, 20 * MS),
        Sample::failure(1500 * MS, 5 * MS, FailureKind::Status(503)),
        cut,
    ]);
    let steady = &recording.steady;
    assert_eq!(
        (steady.succeeded, steady.failed, steady.cancelled),
        (1, 1, 1)
    );
    assert_eq!(steady.attempts, 5, "attempts are never hidden");
    assert_eq!(steady.errors, [(FailureKind::Status(503), 1)].into());
    assert_eq!(recording.warmup.succeeded, 1);
    let latency = recording.histograms.get(Metric::Latency).unwrap();
    assert_eq!(latency.count(), 1);
    assert_eq!(
        recording
            .histograms
            .get(Metric::FailedLatency)
            .unwrap()
            .count(),
        1
    );
    assert_eq!(recording.failures.len(), 1);
    let slots = recording.timeline.finish().slots;
    let sum = |count: fn(&crate::bench::measure::timeline::Slot) -> u64| {
        slots.iter().map(count).sum::<u64>()
    };
    assert_eq!((sum(|slot| slot.sent), sum(|slot| slot.warmup)), (4, 1));
    assert_eq!(
        (sum(|slot| slot.succeeded), sum(|slot| slot.failed)),
        (1, 1)
    );
}

/// METHOD 15.
#[test]
fn the_size_does_not_grow_with_the_requests() {
    let size_after = |requests: u32| {
        let mut recording = Recording::new(Vec::new());
        let mut sample = Sample::failure(Duration::ZERO, MS, FailureKind::Timeout);
        sample.error = Some("x".repeat(10_000));
        for index in 0..requests {
            // An hour, whatever the number of requests.
            let at = Duration::from_hours(1) / requests * index;
            if index % 10 == 0 {
                (sample.scheduled, sample.sent, sample.ended) = (at, at, at);
                recording.record(&sample);
            } else {
                let latency = Duration::from_micros(1000 + u64::from(index % 499));
                recording.record(&Sample::success(at, latency));
            }
        }
        let texts: usize = recording
            .failures
            .iter()
            .map(|one| one.error.capacity())
            .sum();
        recording.timeline.size() + texts
    };
    assert!(size_after(10) < 1 << 20);
    // A slot's histogram has at most the buckets that there are; they are there by then.
    let (many, more) = (size_after(250_000), size_after(1_000_000));
    assert!(many < 1 << 20 && more < many + many / 10, "{many}, {more}");
}

#[test]
fn a_long_error_is_cut_between_characters() {
    let text = shortened(&"é".repeat(1000));
    assert!(text.len() < 510 && text.ends_with('…'));
}

#[test]
fn a_display_sees_the_last_second() {
    let mut recording = Recording::new(Vec::new());
    for index in 0..200u32 {
        recording.record(&Sample::success(index * 10 * MS, 5 * MS));
    }
    let live = recording.live(2010 * MS);
    assert_eq!((live.ended, live.succeeded), (200, 200));
    assert!((live.ended_per_s - 100.0).abs() < 2.0, "{live:?}");
    assert!(live.latency_p50.unwrap().abs_diff(5 * MS) < MS / 100);
    assert_eq!(
        Recording::new(Vec::new()).live(Duration::ZERO),
        Live::default()
    );
}

/// Samples, and whether each is of the first of two runs.
pub(in crate::bench) fn samples() -> impl Strategy<Value = Vec<(Sample, bool)>> {
    let one = (
        0u32..100_000,
        0u32..3000,
        0u8..8,
        prop::collection::vec(1u32..50, 0..4),
    );
    let sample = (one, any::<bool>()).prop_map(|((at, latency, kind, gaps), first)| {
        let mut sample = match kind {
            0 => Sample::failure(at * MS, latency * MS, FailureKind::Timeout),
            1 => Sample::failure(at * MS, latency * MS, FailureKind::Cancelled),
            _ => Sample::success(at * MS, latency * MS),
        };
        sample.first_token = (kind > 3).then_some(at * MS);
        sample.token_gaps = gaps.into_iter().map(|gap| gap * MS).collect();
        sample.warmup = kind == 7;
        (sample, first)
    });
    prop::collection::vec(sample, 0..80)
}

proptest! {
    /// METHOD 11: every request is a success, a failure or cut off, and goodput is never more than
    /// the successes.
    #[test]
    fn every_request_counts_once(samples in samples()) {
        let recording = record_all(&samples.iter().map(|one| one.0.clone()).collect::<Vec<_>>());
        let sent = recording.steady.sent() + recording.warmup.sent();
        prop_assert_eq!(sent, samples.len() as u64);
        let good = samples.iter().filter(|(sample, _)| {
            !sample.warmup && sample.outcome.is_ok() && microseconds(sample.latency()) < 1_000_000
        });
        prop_assert_eq!(recording.steady.good, good.count() as u64);
    }
}
