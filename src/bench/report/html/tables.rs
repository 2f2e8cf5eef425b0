//! The tables of the page.

use crate::bench::figure::{figure, percent, plain, whole};
use crate::bench::measure::{Metric, number};
use crate::bench::report::layout::Report;
use crate::bench::report::summary::measured;
use maud::{Markup, html};
use serde_json::Value;

/// A table that scrolls by itself where the page is too narrow for it.
fn scrolling(name: &str, table: &Markup) -> Markup {
    html! { div class="scroll" tabindex="0" role="region" aria-label=(name) { (table) } }
}

/// Names and values, one a row.
fn pairs(rows: &[(String, String)]) -> Markup {
    html! {
        table class="pairs" {
            tbody {
                @for (name, value) in rows {
                    tr { th scope="row" { (name) } td { (value) } }
                }
            }
        }
    }
}

pub(super) fn slos(report: &Report) -> Markup {
    let table = html! {
        table {
            thead { tr { th scope="col" { "Term" } th scope="col" class="number" { "Measured" } th scope="col" { "" } } }
            tbody {
                @for result in &report.slo {
                    tr {
                        th scope="row" { code { (result.term) } }
                        td class="number" { (measured(result)) }
                        td {
                            span class=(if result.met { "met" } else { "broken" }) {
                                (if result.met { "✓ met" } else { "✗ broken" })
                            }
                            @if let Some(note) = &result.note { " " small { (note) } }
                        }
                    }
                }
            }
        }
    };
    scrolling("Thresholds", &table)
}

pub(super) fn times(report: &Report) -> Markup {
    let table = html! {
        table {
            thead {
                tr {
                    th scope="col" { "ms" }
                    @for head in ["mean", "p50", "p90", "p95", "p99", "p99.9", "max", "samples"] {
                        th scope="col" class="number" { (head) }
                    }
                }
            }
            tbody {
                @for metric in Metric::ALL {
                    @let told = report.distribution(metric);
                    @if told.count > 0 {
                        tr {
                            th scope="row" { (metric.title()) }
                            @for value in [told.mean, told.p50, told.p90, told.p95, told.p99, told.p999, told.max] {
                                td class="number" { (figure(value)) }
                            }
                            td class="number" { (whole(told.count)) }
                        }
                    }
                }
            }
        }
    };
    scrolling("Times in milliseconds", &table)
}

pub(super) fn errors(report: &Report) -> Markup {
    let most = report.errors.values().copied().max().unwrap_or(1);
    let total = report.requests.total.max(1);
    let who = if report.load_model.starts_with("partly open") {
        "session"
    } else {
        "user"
    };
    html! {
        table class="errors" {
            thead {
                tr {
                    th scope="col" { "Kind" }
                    th scope="col" class="number" { "Requests" }
                    th scope="col" class="number" { "Share" }
                    td {}
                }
            }
            tbody {
                @for (kind, count) in &report.errors {
                    @let width = format!("width:{:.1}%", number(*count) / number(most) * 100.0);
                    tr {
                        th scope="row" { code { (kind) } }
                        td class="number" { (whole(*count)) }
                        td class="number" { (percent(number(*count) / number(total))) }
                        td class="meter" { span style=(width) {} }
                    }
                }
            }
        }
        @if !report.failures.is_empty() {
            details {
                summary { "The first " (whole(report.failures.len() as u64)) " in words" }
                ol {
                    @for failure in &report.failures {
                        li { (who) " " (failure.user_id) ": " (failure.error) }
                    }
                }
            }
        }
    }
}

pub(super) fn requests(report: &Report) -> Markup {
    let requests = &report.requests;
    let tokens = &report.tokens;
    let mut rows = vec![
        ("planned", requests.planned),
        ("sent", requests.sent),
        ("dropped from the schedule", requests.dropped),
        ("succeeded", requests.succeeded),
        ("failed", requests.failed),
        ("cut off by the end", requests.cancelled),
        ("in the warm-up", report.warmup.sent),
        ("attempts", requests.attempts),
    ];
    if tokens.prompt + tokens.completion > 0 {
        rows.push(("prompt tokens", tokens.prompt));
        rows.push(("completion tokens", tokens.completion));
    }
    if tokens.estimated_requests > 0 {
        rows.push((
            "requests whose tokens are estimated",
            tokens.estimated_requests,
        ));
    }
    let rows = rows
        .into_iter()
        .map(|(name, count)| (name.to_owned(), whole(count)));
    pairs(&rows.collect::<Vec<_>>())
}

pub(super) fn client(report: &Report) -> Markup {
    let client = &report.client;
    let mut rows = vec![(
        "client CPU".to_owned(),
        format!(
            "{} s, {} of {:.0} cores",
            plain(client.cpu_s),
            client.cpu_share.map_or("n/a".to_owned(), percent),
            client.cores
        ),
    )];
    if let Some(ceiling) = client.ceiling_per_s {
        let share = client.ceiling_share.map_or("n/a".to_owned(), percent);
        rows.push((
            "client's ceiling".to_owned(),
            format!("{} requests/s; the run was at {share}", plain(ceiling)),
        ));
    }
    let facts = report.host.iter().chain(&report.versions);
    rows.extend(facts.map(|(name, value)| (name.clone(), value.clone())));
    html! {
        (pairs(&rows))
        @if !report.merged.is_empty() {
            h3 { "Merged from " (whole(report.merged.len() as u64)) " runs" }
            ol { @for run in &report.merged { li { (run.started_at) ", seed " (run.seed) ": " (run.verdict) } } }
        }
    }
}

pub(super) fn configuration(report: &Report) -> Markup {
    let mut rows = vec![("seed".to_owned(), report.seed.to_string())];
    if let Some(hash) = &report.data_set {
        rows.push(("data set".to_owned(), hash.clone()));
    }
    flat("", &report.config, &mut rows);
    pairs(&rows)
}

/// The leaves of a configuration by their paths.
fn flat(path: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let path = if path.is_empty() {
                    key.clone()
                } else {
                    format!("{path}.{key}")
                };
                flat(&path, value, rows);
            }
        }
        Value::Null => {}
        Value::String(text) => rows.push((path.to_owned(), text.clone())),
        other => rows.push((path.to_owned(), other.to_string())),
    }
}
