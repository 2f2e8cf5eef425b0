//! The report as a table for spreadsheets and data frames: one figure a row.

use super::layout::Report;
use crate::bench::measure::{Distribution, Metric, Slot, number};
use csv::Writer;

/// The columns.
const HEAD: [&str; 5] = ["time_s", "metric", "statistic", "value", "unit"];

impl Report {
    /// The report as CSV, one figure a row, so that columns never change:
    /// `time_s,metric,statistic,value,unit`.
    ///
    /// Figures of the whole steady state come first and have no `time_s`; those of the timeline
    /// follow, with the second at which their slot starts. A figure below its sample floor has an
    /// empty value.
    #[must_use]
    #[allow(clippy::missing_panics_doc, reason = "rows of text go to memory")]
    pub fn to_csv(&self) -> String {
        let mut rows = Rows(Writer::from_writer(Vec::new()));
        rows.0.write_record(HEAD).expect("memory takes all rows");
        whole_run(self, &mut rows);
        for (index, slot) in self.timeline.slots.iter().enumerate() {
            let start = number(index as u64) * self.timeline.slot_s;
            in_slot(&mut rows, start, self.timeline.slot_s, slot);
        }
        let bytes = rows.0.into_inner().expect("memory takes all rows");
        String::from_utf8(bytes).expect("only text was written")
    }
}

fn whole_run(report: &Report, rows: &mut Rows) {
    let requests = &report.requests;
    for (statistic, count) in [
        ("planned", requests.planned),
        ("sent", requests.sent),
        ("dropped", requests.dropped),
        ("total", requests.total),
        ("succeeded", requests.succeeded),
        ("failed", requests.failed),
        ("cancelled", requests.cancelled),
        ("good", requests.good),
        ("attempts", requests.attempts),
    ] {
        rows.add(None, "requests", statistic, Some(number(count)), "count");
    }
    for (kind, count) in &report.errors {
        rows.add(None, "errors", kind, Some(number(*count)), "count");
    }
    let (tokens, rates) = (&report.tokens, &report.rates);
    rows.add(
        None,
        "tokens",
        "prompt",
        Some(number(tokens.prompt)),
        "count",
    );
    rows.add(
        None,
        "tokens",
        "completion",
        Some(number(tokens.completion)),
        "count",
    );
    for (statistic, rate) in [
        ("requests", rates.requests_per_s),
        ("goodput", rates.goodput_per_s),
        ("failed", rates.failed_per_s),
        ("prompt_tokens", rates.prompt_tokens_per_s),
        ("completion_tokens", rates.completion_tokens_per_s),
        ("bytes", rates.bytes_per_s),
    ] {
        rows.add(None, "rates", statistic, Some(rate), "1/s");
    }
    for metric in Metric::ALL {
        let told = report.distribution(metric);
        if told.count > 0 {
            distribution(rows, metric, told);
        }
    }
}

fn distribution(rows: &mut Rows, metric: Metric, told: &Distribution) {
    let name = metric.name();
    rows.add(None, name, "count", Some(number(told.count)), "count");
    for (statistic, value) in [
        ("mean", told.mean),
        ("min", told.min),
        ("p50", told.p50),
        ("p90", told.p90),
        ("p95", told.p95),
        ("p99", told.p99),
        ("p99.9", told.p999),
        ("max", told.max),
    ] {
        rows.add(None, name, statistic, value, "ms");
    }
}

fn in_slot(rows: &mut Rows, start: f64, slot_s: f64, slot: &Slot) {
    let at = Some(start);
    for (statistic, count) in [
        ("sent", slot.sent),
        ("warmup", slot.warmup),
        ("succeeded", slot.succeeded),
        ("failed", slot.failed),
        ("good", slot.good),
    ] {
        rows.add(at, "requests", statistic, Some(number(count)), "count");
    }
    for (statistic, count) in [
        ("requests", slot.succeeded),
        ("prompt_tokens", slot.prompt_tokens),
        ("completion_tokens", slot.completion_tokens),
    ] {
        rows.add(at, "rates", statistic, Some(number(count) / slot_s), "1/s");
    }
    rows.add(at, "latency", "p50", slot.latency_p50_ms, "ms");
    rows.add(at, "latency", "p99", slot.latency_p99_ms, "ms");
}

struct Rows(Writer<Vec<u8>>);

impl Rows {
    fn add(
        &mut self,
        at: Option<f64>,
        metric: &str,
        statistic: &str,
        value: Option<f64>,
        unit: &str,
    ) {
        let text = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let row = [&text(at), metric, statistic, &text(value), unit];
        self.0.write_record(row).expect("memory takes all rows");
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;
    use super::*;

    #[test]
    fn every_figure_is_a_row_and_reads_back() {
        let report = run(1000, &[], |index| f64::from(index % 100));
        let text = report.to_csv();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        assert_eq!(reader.headers().unwrap(), HEAD.as_slice());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        let find = |metric: &str, statistic: &str| {
            let row = rows
                .iter()
                .find(|row| row[0].is_empty() && &row[1] == metric && &row[2] == statistic);
            row.unwrap_or_else(|| panic!("{metric} {statistic}"))[3].to_owned()
        };
        assert_eq!(find("requests", "succeeded"), "1000");
        let p99: f64 = find("latency", "p99").parse().unwrap();
        assert_eq!(Some(p99), report.latency_ms.p99);
        assert_eq!(find("latency", "p99.9"), "", "below the floor");
        let ended: f64 = rows
            .iter()
            .filter(|row| !row[0].is_empty() && &row[2] == "succeeded")
            .map(|row| row[3].parse::<f64>().unwrap())
            .sum();
        assert!((ended - 1000.0).abs() < 1e-9);
    }
}
