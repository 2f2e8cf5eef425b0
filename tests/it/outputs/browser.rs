//! The page as a real browser shows it: wide and on a phone, light and dark.
//!
//! The page runs no script, so another page holds it in two frames, of 1100 and 390 pixels, and
//! measures them. A screenshot of each is left under the build's folder, for people.

use super::report;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Measures the frames once they are laid out, and leaves the figures as the page's only text.
const MEASURE: &str = r#"
const measure = (frame) => {
  const page = frame.contentDocument, view = frame.contentWindow;
  const style = (name) => view.getComputedStyle(page.querySelector(name));
  const charts = [...page.querySelectorAll("svg")].filter((svg) => svg.getBoundingClientRect().width > 0);
  const texts = charts.flatMap((svg) => [...svg.querySelectorAll("text")]);
  const outside = charts.flatMap((svg) => {
    const room = svg.getBoundingClientRect();
    return [...svg.querySelectorAll("text, path, rect, circle")].filter((part) => {
      const at = part.getBoundingClientRect();
      return at.left < room.left - 1 || at.right > room.right + 1
        || at.top < room.top - 1 || at.bottom > room.bottom + 1;
    });
  });
  return {
    width: view.innerWidth,
    needed: page.documentElement.scrollWidth,
    height: page.documentElement.scrollHeight,
    charts: charts.length,
    all_charts: page.querySelectorAll("svg").length,
    smallest_text: Math.min(...texts.map((text) => text.getBoundingClientRect().height)),
    outside: outside.map((part) => part.outerHTML.slice(0, 200)),
    back: style("body").backgroundColor,
    ink: style("body").color,
    requests: view.performance.getEntriesByType("resource").map((entry) => entry.name),
    nameless: [...page.querySelectorAll("svg")].filter((svg) => !svg.getAttribute("aria-label")).length,
    headings: [...page.querySelectorAll("h2")].map((heading) => heading.firstChild.textContent.trim()),
    first: page.querySelector(".verdict").textContent,
  };
};
addEventListener("load", () => {
  const told = [...document.querySelectorAll("iframe")].map(measure);
  document.body.textContent = "MEASURED" + JSON.stringify(told) + "END";
});
"#;

fn chromium() -> PathBuf {
    if let Some(path) = std::env::var_os("CHROMIUM") {
        return path.into();
    }
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|program| program.exists())
        .expect("this test needs Chromium: apt-get install chromium, or set CHROMIUM to its path")
}

/// Runs the browser on a page. `dark`: the reader's setting.
fn browse(page: &Path, dark: bool, more: &[String]) -> String {
    let profile = page.with_extension("profile");
    let scheme = u8::from(!dark);
    let output = Command::new(chromium())
        .args([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
        ])
        .args([
            "--disable-background-networking",
            "--no-first-run",
            "--disable-dev-shm-usage",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .args(more)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let _ = std::fs::remove_dir_all(profile);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Both frames, wide and narrow, as the browser measured them.
fn measured(dark: bool) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let name = if dark { "dark" } else { "light" };
    let html = report().to_html();
    let page = folder.join(format!("report-{name}.html"));
    std::fs::write(&page, &html).unwrap();
    for width in [1100, 390] {
        let picture = folder.join(format!("report-{name}-{width}.png"));
        browse(
            &page,
            dark,
            &[
                format!("--screenshot={}", picture.display()),
                format!("--window-size={width},3000"),
            ],
        );
        let size = std::fs::metadata(&picture).unwrap().len();
        assert!(size > 20_000, "{}: {size} bytes", picture.display());
    }
    let quoted = html.replace('&', "&amp;").replace('"', "&quot;");
    let frames: String = [1100, 390]
        .map(|width| format!("<iframe width={width} height=900 srcdoc=\"{quoted}\"></iframe>"))
        .concat();
    let holder = folder.join(format!("holder-{name}.html"));
    let scheme = "<meta name=color-scheme content=\"light dark\">";
    let text = format!("<!doctype html>{scheme}<body>{frames}<script>{MEASURE}</script>");
    std::fs::write(&holder, text).unwrap();
    let dom = browse(
        &holder,
        dark,
        &[
            "--dump-dom".to_owned(),
            "--window-size=1200,1000".to_owned(),
        ],
    );
    let told = dom
        .split_once("MEASURED")
        .and_then(|(_, rest)| rest.split_once("END"));
    let (told, _) = told.unwrap_or_else(|| panic!("nothing was measured: {dom:.2000}"));
    let told = told
        .replace("&amp;", "&")
        .replace("&lt;", "<")
        .replace("&gt;", ">");
    serde_json::from_str(&told).unwrap()
}

/// How light a CSS colour is, 0 to 255.
fn lightness(colour: &Value) -> f64 {
    let text = colour.as_str().unwrap();
    let parts: Vec<f64> = text
        .trim_start_matches(|char: char| !char.is_ascii_digit())
        .split(|char: char| !char.is_ascii_digit() && char != '.')
        .filter_map(|part| part.parse().ok())
        .collect();
    0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
}

#[test]
fn the_page_fits_wide_screens_and_phones_in_light_and_dark() {
    for dark in [false, true] {
        let frames = measured(dark);
        for (frame, width) in frames.iter().zip([1100, 390]) {
            assert_eq!(frame["width"], width);
            assert!(
                frame["needed"].as_u64().unwrap() <= width,
                "scrolls sideways: {frame}"
            );
            assert!(frame["height"].as_u64().unwrap() > 1500, "{frame}");
            // Each chart is drawn twice, and the one that fits is shown.
            let shown = frame["charts"].as_u64().unwrap();
            assert!(shown >= 5 && frame["all_charts"] == 2 * shown, "{frame}");
            assert!(frame["smallest_text"].as_f64().unwrap() >= 11.0, "{frame}");
            assert_eq!(frame["outside"], serde_json::json!([]));
            assert_eq!(
                frame["requests"],
                serde_json::json!([]),
                "asks for something else"
            );
            assert_eq!(frame["nameless"], 0, "a chart without words");
            assert!(
                frame["first"].as_str().unwrap().contains("VALID"),
                "{frame}"
            );
            let headings = frame["headings"].to_string();
            for part in [
                "Throughput over time",
                "Latency distribution",
                "Percentiles",
                "Errors",
                "Configuration",
            ] {
                assert!(headings.contains(part), "{part}: {headings}");
            }
            let (back, ink) = (lightness(&frame["back"]), lightness(&frame["ink"]));
            let contrast = if dark { ink - back } else { back - ink };
            assert!(contrast > 150.0, "dark: {dark}, {back} behind {ink}");
        }
    }
}
