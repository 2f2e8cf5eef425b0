//! The report as one page: a single file without scripts, fonts, pictures or links from elsewhere.
//!
//! The charts are SVG, drawn here; the browser's tooltips tell their values. Light and dark follow
//! the reader's setting. The page forbids itself every request by a policy of its own.

mod chart;

mod charts;

mod scale;

mod tables;

use super::layout::Report;
use crate::bench::figure::{counted, figure, percent, plain};
use crate::bench::measure::Metric;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("html/style.css");
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

impl Report {
    /// The report as one self-contained HTML page.
    #[must_use]
    pub fn to_html(&self) -> String {
        let title = format!("Benchmark: {}", self.load_model);
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    main { (page(self)) }
                    footer { (footer(self)) }
                }
            }
        }
        .into_string()
    }
}

fn page(report: &Report) -> Markup {
    let some = |metric| report.distribution(metric).count > 0;
    html! {
        header {
            h1 { "Benchmark report" }
            p class="sub" {
                (report.load_model) " · " (plain(report.duration_s)) " s"
                @if report.warmup_s > 0.0 { " (warm-up " (plain(report.warmup_s)) " s)" }
                " · " (report.started_at)
                @if report.interrupted { " · interrupted" }
            }
            p class=(if report.valid { "verdict valid" } else { "verdict invalid" }) { (report.verdict) }
        }
        (tiles(report))
        @if !report.notes.is_empty() {
            ul class="notes" { @for note in &report.notes { li { (note) } } }
        }
        @if !report.slo.is_empty() {
            (section("Thresholds", "", &tables::slos(report)))
        }
        (section("Throughput over time", "requests that ended, per second", &charts::throughput(report)))
        @if some(Metric::Latency) {
            (section("Latency over time", "from the scheduled start", &charts::over_time(report, Metric::Latency)))
        }
        @if some(Metric::Ttft) {
            (section("Time to first token over time", "from the scheduled start", &charts::over_time(report, Metric::Ttft)))
        }
        @if some(Metric::Latency) {
            (section("Latency distribution", "share of requests by how long they took", &charts::distribution(report, Metric::Latency)))
            (section("Percentiles", "each 9 more is a tenth of the requests; a curve ends where its samples do", &charts::percentiles(report)))
            (section("Times", "milliseconds; n/a: too few samples for that percentile", &tables::times(report)))
        }
        @if !report.errors.is_empty() {
            (section("Errors", "requests that failed for good, by kind", &tables::errors(report)))
        }
        (section("Requests", "", &tables::requests(report)))
        (section("Client and host", "", &tables::client(report)))
        (section("Configuration", "", &tables::configuration(report)))
    }
}

fn section(title: &str, sub: &str, content: &Markup) -> Markup {
    html! {
        section {
            h2 { (title) @if !sub.is_empty() { " " small { (sub) } } }
            (content)
        }
    }
}

fn tiles(report: &Report) -> Markup {
    let rates = &report.rates;
    let tile = |name: &str, value: String, unit: &str| {
        html! { div class="tile" { dt { (name) } dd { (value) @if !unit.is_empty() { " " small { (unit) } } } } }
    };
    let failed = report.error_rate();
    html! {
        dl class="tiles" {
            (tile("Requests", plain(rates.requests_per_s), "/s"))
            @if !report.slo.is_empty() { (tile("Goodput", plain(rates.goodput_per_s), "/s")) }
            div class=(if report.requests.failed > 0 { "tile bad" } else { "tile" }) {
                dt { "Failed" }
                dd { (failed.map_or("n/a".to_owned(), percent)) }
            }
            (tile("Latency p50", figure(report.latency_ms.p50), "ms"))
            (tile("Latency p99", figure(report.latency_ms.p99), "ms"))
            @if report.ttft_ms.count > 0 {
                (tile("TTFT p50", figure(report.ttft_ms.p50), "ms"))
                (tile("TTFT p99", figure(report.ttft_ms.p99), "ms"))
            }
            @if report.itl_ms.count > 0 { (tile("ITL p50", figure(report.itl_ms.p50), "ms")) }
            @if report.tokens.completion > 0 {
                (tile("Tokens out", plain(rates.completion_tokens_per_s), "/s"))
            }
        }
    }
}

fn footer(report: &Report) -> Markup {
    let version = report.versions.get("hedgerow").map_or("", String::as_str);
    html! {
        p {
            "hedgerow " (version) " · seed " (report.seed) " · "
            (counted(report.requests.sent, "request")) " sent. Percentiles are the highest value of "
            "their histogram bucket (3 significant digits), and are left out below the samples that "
            "they need at 99 % confidence."
        }
    }
}

#[cfg(test)]
mod tests;
