//! The report as an `HdrHistogram` interval log.

use super::layout::Report;
use crate::bench::measure::{Metric, number};
use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{
    IntervalLogWriter, IntervalLogWriterBuilder, IntervalLogWriterError, Tag,
};
use std::io::{self, Write};
use std::time::{Duration, SystemTime};

/// The shortest interval in seconds.
const SHORTEST_S: f64 = 1.0;

type LogWriter<'a, 'b, W> = IntervalLogWriter<'a, 'b, W, V2DeflateSerializer>;

impl Report {
    /// Writes the report as an `HdrHistogram` interval log (V2, compressed), which the tools of
    /// that family read and plot.
    ///
    /// Values are microseconds; the column of maxima, for people, is milliseconds. The tag of an
    /// interval is the [`Metric`]'s name. `latency`, `ttft` and `itl` come in intervals of at least
    /// a second, which add up to the report's histograms bucket for bucket; every other metric
    /// comes as one interval over the steady state.
    ///
    /// # Errors
    ///
    /// When `writer` fails.
    pub fn write_hdr_log(&self, mut writer: impl Write) -> io::Result<()> {
        let mut builder = IntervalLogWriterBuilder::new();
        builder
            .add_comment("[Logged with hedgerow, values in microseconds, maxima in milliseconds]")
            .add_comment("[Histogram log format version 1.3]")
            .with_max_value_divisor(1000.0);
        if let Ok(started) = self.started_at.parse::<jiff::Timestamp>() {
            let started = SystemTime::from(started);
            builder.with_start_time(started).with_base_time(started);
        }
        let mut serializer = V2DeflateSerializer::new();
        let mut log = builder.begin_log_with(&mut writer, &mut serializer)?;
        let steady = (self.warmup_s, self.steady_s());
        for (metric, histogram) in self.histograms.iter() {
            if !matches!(metric, Metric::Latency | Metric::Ttft | Metric::Itl) {
                interval(&mut log, metric, histogram.inner(), steady)?;
            }
        }
        let timeline = self.timeline.coarser(SHORTEST_S);
        for (index, slot) in timeline.slots.iter().enumerate() {
            let span = (number(index as u64) * timeline.slot_s, timeline.slot_s);
            for (metric, times) in [
                (Metric::Latency, &slot.latency),
                (Metric::Ttft, &slot.ttft),
                (Metric::Itl, &slot.itl),
            ] {
                if times.count() > 0 {
                    interval(&mut log, metric, times.to_histogram().inner(), span)?;
                }
            }
        }
        writer.flush()
    }
}

fn interval<W: Write>(
    log: &mut LogWriter<'_, '_, W>,
    metric: Metric,
    histogram: &Histogram<u64>,
    (start_s, length_s): (f64, f64),
) -> io::Result<()> {
    let span = |seconds| Duration::try_from_secs_f64(seconds).unwrap_or_default();
    log.write_histogram(
        histogram,
        span(start_s),
        span(length_s),
        Tag::new(metric.name()),
    )
    .map_err(|error| match error {
        IntervalLogWriterError::IoError(error) => error,
        IntervalLogWriterError::SerializeError(error) => io::Error::other(error),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;
    use crate::bench::measure::TimeHistogram;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

    #[test]
    fn the_intervals_add_up_to_the_report() {
        let report = run(1000, &[], |index| f64::from(1 + index % 100));
        let mut log = Vec::new();
        report.write_hdr_log(&mut log).unwrap();
        let mut sum = TimeHistogram::new();
        let (mut intervals, mut others) = (0, 0);
        for entry in IntervalLogIterator::new(&log) {
            if let LogEntry::Interval(interval) = entry.unwrap() {
                if interval.tag().unwrap().as_str() == "latency" {
                    intervals += 1;
                    assert_eq!(interval.duration(), Duration::from_secs(1));
                    sum.merge(&TimeHistogram::from_base64(interval.encoded_histogram()).unwrap());
                } else {
                    others += 1;
                }
            }
        }
        assert_eq!(Some(&sum), report.histograms.get(Metric::Latency));
        assert!(intervals >= 9 && others > 9, "{intervals}, {others}");
    }
}
