//! Histograms as Python's `hdrhistogram` reads them.

use super::report;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Sums the intervals of a log by tag, and decodes the histograms of a JSON report.
const READER: &str = r#"
import json, sys
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader

def empty():
    return HdrHistogram(1, 24 * 3600 * 1000 * 1000, 3)

def told(histogram):
    return [histogram.get_total_count()] + [
        histogram.get_value_at_percentile(percentile) for percentile in (0, 50, 90, 99, 100)
    ]

reader = HistogramLogReader(sys.argv[1], empty())
log = {}
while (interval := reader.get_next_interval_histogram()) is not None:
    log.setdefault(interval.get_tag(), empty()).add(interval)
with open(sys.argv[2]) as file:
    texts = json.load(file)["histograms"]
report = {name: HdrHistogram.decode(text) for name, text in texts.items()}
print(json.dumps({
    "log": {name: told(histogram) for name, histogram in log.items()},
    "report": {name: told(histogram) for name, histogram in report.items()},
}))
"#;

fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|cause| panic!("{command:?}: {cause}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A Python that has the package, made once under the build's folder.
fn python() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hdrhistogram");
    let python = folder.join("bin").join("python");
    let ready = folder.join("ready");
    if !ready.exists() {
        run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder));
        run(Command::new(&python).args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "hdrhistogram==0.10.8",
        ]));
        std::fs::write(ready, "").unwrap();
    }
    python
}

#[test]
fn another_implementation_reads_the_same_histograms() {
    let report = report();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (log, json) = (folder.join("outputs.hlog"), folder.join("outputs.json"));
    report
        .write_hdr_log(std::fs::File::create(&log).unwrap())
        .unwrap();
    std::fs::write(&json, report.to_json()).unwrap();
    let told = run(Command::new(python())
        .args(["-c", READER])
        .args([&log, &json]));
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    let mut read = 0;
    for (metric, histogram) in report.histograms.iter() {
        for file in ["log", "report"] {
            let theirs = &told[file][metric.name()];
            assert_eq!(theirs[0], histogram.count(), "{file} {metric:?}");
            for (place, q) in [(1, 0.0), (2, 0.5), (3, 0.9), (4, 0.99), (5, 1.0)] {
                let ours = histogram.quantile(q).unwrap().as_secs_f64() * 1e6;
                let theirs = theirs[place].as_f64().unwrap();
                // Ranks are rounded there: the neighbouring sample may be meant.
                let near = histogram.count() < 1000 || (ours - theirs).abs() <= ours * 0.01 + 1.0;
                assert!(near, "{file} {metric:?} {q}: {ours}, {theirs}");
            }
        }
        read += 1;
    }
    assert!(read >= 8, "{told}");
}
