//! The page: whole, alone, and honest.

use super::super::tests::run;
use super::*;

fn page(report: &Report) -> String {
    report.to_html()
}

#[test]
fn the_page_asks_for_nothing_from_elsewhere() {
    let page = page(&run(2000, &["ttft_p99<1s"], |index| {
        f64::from(20 + index % 300)
    }));
    for outside in [
        "src=", "href=", "url(", "@import", "<script", "<link", "<img", "http://", "https://",
    ] {
        // The configuration names the host that was measured, as text.
        let told = page.replace("<td>http://127.0.0.1:8000</td>", "");
        assert!(!told.contains(outside), "{outside}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn the_page_has_its_parts() {
    let mut report = run(2000, &["ttft_p99<1ms", "rate>1"], |index| {
        f64::from(20 + index % 300)
    });
    report.errors.insert("http_503".to_owned(), 12);
    let page = page(&report);
    for part in [
        "VALID: ",
        "Throughput over time",
        "Latency over time",
        "Time to first token over time",
        "Latency distribution",
        "Percentiles",
        "Times",
        "Errors",
        "http_503",
        "Configuration",
        "users",
        "closed loop, 8 users",
        "✗ broken",
        "✓ met",
        "prefers-color-scheme: dark",
        "role=\"img\"",
        "lang=\"en\"",
        "name=\"viewport\"",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf"));
}

#[test]
fn what_servers_and_users_wrote_is_text() {
    let mut report = run(10, &[], |_| 5.0);
    report.load_model = "<script>alert(1)</script>".to_owned();
    report.config["model"] = "<b>\"x\"".into();
    report.errors.insert("</style><script>".to_owned(), 1);
    let page = page(&report);
    assert!(!page.contains("<script") && !page.contains("<b>"));
}

#[test]
fn few_or_no_requests_make_a_page_too() {
    for count in [0, 1, 2, 20] {
        for latency in [0.0, 5.0] {
            let page = page(&run(count, &["itl_p99<1s"], |_| latency));
            assert!(page.ends_with("</html>"), "{count}");
            assert!(!page.contains("NaN"), "{count}, {latency}");
        }
    }
}
