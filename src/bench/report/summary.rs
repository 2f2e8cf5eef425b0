//! The report as people read it in a terminal: plain text, no colour.

use super::layout::Report;
use super::slo_result::SloResult;
use crate::bench::figure::{counted, figure, percent, plain, whole};
use crate::bench::measure::Metric;
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use std::fmt::Write as _;

/// The narrowest width that is laid out for.
const NARROWEST: u16 = 40;
/// Below this width the table of times has fewer columns.
const FULL_TABLE: u16 = 76;

impl Report {
    /// The report as text of at most `width` columns (at least 40). Its first line says whether the
    /// report is valid; a long one is broken. Tails with too few samples read `n/a`.
    #[must_use]
    pub fn summary(&self, width: usize) -> String {
        let width = u16::try_from(width).unwrap_or(u16::MAX).max(NARROWEST);
        let mut parts = vec![wrapped(&self.verdict, width), facts(self, width)];
        if self.requests.total > 0 {
            parts.push(times(self, width));
        }
        if !self.errors.is_empty() {
            parts.push(errors(self, width));
        }
        if !self.slo.is_empty() {
            parts.push(slos(&self.slo, width));
        }
        if !self.notes.is_empty() {
            let notes = self
                .notes
                .iter()
                .map(|note| vec!["note".into(), note.clone()]);
            parts.push(table(notes, width));
        }
        parts.join("\n\n") + "\n"
    }
}

fn facts(report: &Report, width: u16) -> String {
    let requests = &report.requests;
    let rates = &report.rates;
    let mut rows = vec![vec!["load".to_owned(), load(report)]];
    let mut requests_told = format!("{} succeeded", whole(requests.succeeded));
    if requests.failed > 0 {
        let share = report.error_rate().unwrap_or_default();
        let failed = whole(requests.failed);
        let _ = write!(requests_told, ", {failed} failed ({})", percent(share));
    }
    if requests.cancelled > 0 {
        let _ = write!(
            requests_told,
            ", {} cut off by the end",
            whole(requests.cancelled)
        );
    }
    let _ = write!(requests_told, "; {}", counted(requests.attempts, "attempt"));
    rows.push(vec!["requests".to_owned(), requests_told]);
    if requests.dropped > 0 || report.warmup.sent > 0 {
        let planned = format!(
            "{} = {} sent (warm-up: {}) + {} dropped",
            whole(requests.planned),
            whole(requests.sent),
            whole(report.warmup.sent),
            whole(requests.dropped)
        );
        rows.push(vec!["planned".to_owned(), planned]);
    }
    let mut rate = format!("{} requests/s", plain(rates.requests_per_s));
    if !report.slo.is_empty() {
        let good = format!(", goodput {}/s", plain(rates.goodput_per_s));
        rate.push_str(&good);
    }
    rows.push(vec!["rate".to_owned(), rate]);
    let tokens = &report.tokens;
    if tokens.prompt + tokens.completion > 0 {
        let mut told = format!(
            "{} in ({}/s), {} out ({}/s)",
            whole(tokens.prompt),
            plain(rates.prompt_tokens_per_s),
            whole(tokens.completion),
            plain(rates.completion_tokens_per_s)
        );
        if tokens.estimated_requests > 0 {
            let estimated = counted(tokens.estimated_requests, "request");
            let _ = write!(
                told,
                "; estimated for {estimated}: the server told no usage"
            );
        }
        rows.push(vec!["tokens".to_owned(), told]);
    }
    table(rows, width)
}

fn load(report: &Report) -> String {
    let mut load = format!("{}, {} s", report.load_model, plain(report.duration_s));
    if !report.merged.is_empty() {
        load.insert_str(0, &format!("{} runs, each ", report.merged.len()));
    }
    if report.warmup_s > 0.0 {
        let _ = write!(load, " (warm-up {} s)", plain(report.warmup_s));
    }
    if report.interrupted {
        load.push_str(", interrupted");
    }
    let _ = write!(load, ", seed {}", report.seed);
    load
}

fn times(report: &Report, width: u16) -> String {
    let wide = width >= FULL_TABLE;
    let head: &[&str] = if wide {
        &[
            "ms", "mean", "p50", "p90", "p95", "p99", "p99.9", "max", "samples",
        ]
    } else {
        &["ms", "p50", "p99", "max"]
    };
    let mut table = bare(width);
    table.set_header(head.iter().copied());
    for metric in Metric::ALL {
        let told = report.distribution(metric);
        if told.count == 0 {
            continue;
        }
        let figures = if wide {
            vec![
                told.mean, told.p50, told.p90, told.p95, told.p99, told.p999, told.max,
            ]
        } else {
            vec![told.p50, told.p99, told.max]
        };
        let mut row = vec![metric.title().to_owned()];
        row.extend(figures.into_iter().map(figure));
        if wide {
            row.push(whole(told.count));
        }
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    flush_left(table)
}

fn errors(report: &Report, width: u16) -> String {
    let kinds = report.errors.iter();
    let rows =
        kinds.map(|(kind, count)| vec!["failed".to_owned(), format!("{kind}: {}", whole(*count))]);
    let mut rows: Vec<_> = rows.collect();
    if let Some(first) = report.failures.first() {
        rows.push(vec!["first error".to_owned(), first.error.clone()]);
    }
    table(rows, width)
}

fn slos(results: &[SloResult], width: u16) -> String {
    let rows = results.iter().map(|result| {
        let met = if result.met { "SLO met" } else { "SLO BROKEN" };
        let mut told = format!("{}: {}", result.term, measured(result));
        if let Some(note) = &result.note {
            let _ = write!(told, " ({note})");
        }
        vec![met.to_owned(), told]
    });
    table(rows, width)
}

/// What was measured of a term, with its unit.
pub(in crate::bench) fn measured(result: &SloResult) -> String {
    match (result.measured, result.unit.as_str()) {
        (None, _) => "n/a".to_owned(),
        (Some(share), "share") => percent(share),
        (Some(rate), "/s") => format!("{}/s", plain(rate)),
        (Some(value), unit) => format!("{} {unit}", plain(value)),
    }
}

fn wrapped(text: &str, width: u16) -> String {
    table([vec![text.to_owned()]], width)
}

/// Rows of names and what is told of them, broken to the width.
fn table(rows: impl IntoIterator<Item = Vec<String>>, width: u16) -> String {
    let mut table = bare(width);
    table.add_rows(rows);
    flush_left(table)
}

/// The text of a table whose first column starts at the margin.
pub(super) fn flush_left(mut table: Table) -> String {
    if let Some(column) = table.column_mut(0) {
        column.set_padding((0, 1));
    }
    table.trim_fmt()
}

/// A table without lines.
pub(super) fn bare(width: u16) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    table
}

#[cfg(test)]
mod tests {
    use super::super::tests::run;

    #[test]
    fn the_first_line_says_whether_it_is_valid_and_lines_keep_the_width() {
        let report = run(1000, &["ttft_p99<500ms", "rate>1000"], |_| 100.0);
        for width in [40, 60, 80, 120] {
            let text = report.summary(width);
            assert!(text.starts_with("VALID"), "{text}");
            for line in text.lines() {
                assert!(line.chars().count() <= width, "{width}: {line:?}");
            }
            assert!(!text.contains('\u{1b}'), "colour");
        }
        let text = report.summary(100);
        println!("{text}");
        for says in [
            "1,000 succeeded",
            "100 requests/s",
            "goodput",
            "BROKEN",
            "seed 7",
            "n/a",
            "p99.9",
        ] {
            assert!(text.contains(says), "{says}: {text}");
        }
    }

    #[test]
    fn a_run_of_nothing_is_told_too() {
        let text = run(0, &[], |_| 1.0).summary(80);
        assert!(text.contains("0 succeeded"), "{text}");
    }
}
