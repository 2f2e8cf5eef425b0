//! The parts of a chart as SVG: frame, axes, grid, lines, legend.

use super::scale::Scale;
use maud::{Markup, html};
use std::fmt::Write as _;

/// How large a chart is drawn. Each is drawn twice, and the page shows the one that fits: text that
/// shrinks with its picture cannot be read on a phone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Wide,
    Narrow,
}

impl Size {
    fn class(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
        }
    }

    /// Width and height of the drawing.
    fn extent(self) -> (f64, f64) {
        match self {
            Self::Wide => (920.0, 280.0),
            Self::Narrow => (340.0, 220.0),
        }
    }

    /// Ticks along the horizontal axis.
    pub(super) fn across(self) -> usize {
        match self {
            Self::Wide => 10,
            Self::Narrow => 4,
        }
    }
}

/// The drawing and the rectangle in which values are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) size: Size,
    pub(super) left: f64,
    pub(super) right: f64,
    pub(super) top: f64,
    pub(super) bottom: f64,
    width: f64,
    height: f64,
}

impl Frame {
    pub(super) fn new(size: Size) -> Self {
        let (width, height) = size.extent();
        Self {
            size,
            left: 52.0,
            right: width - 12.0,
            top: 26.0,
            bottom: height - 40.0,
            width,
            height,
        }
    }

    pub(super) fn across(&self) -> (f64, f64) {
        (self.left, self.right)
    }

    /// Upwards: small values are at the bottom.
    pub(super) fn up(&self) -> (f64, f64) {
        (self.bottom, self.top)
    }

    /// The drawing around `content`. `says` is what a screen reader reads.
    pub(super) fn draw(&self, says: &str, content: &Markup) -> Markup {
        let view = format!("0 0 {} {}", self.width, self.height);
        html! {
            svg class={ "chart " (self.size.class()) } viewBox=(view) role="img" aria-label=(says) {
                (content)
            }
        }
    }

    /// The vertical axis: grid lines, labels, and the unit above.
    pub(super) fn vertical(&self, scale: &Scale, unit: &str) -> Markup {
        html! {
            @for tick in scale.ticks(5) {
                @let y = px(scale.at(tick));
                line class="grid" x1=(px(self.left)) x2=(px(self.right)) y1=(y) y2=(y) {}
                text class="tick" x=(px(self.left - 8.0)) y=(y) text-anchor="end" dy="0.35em" {
                    (label(tick))
                }
            }
            text class="unit" x=(px(self.left - 8.0)) y="12" text-anchor="end" { (unit) }
        }
    }

    /// The horizontal axis: ticks with their labels, and what it is below.
    pub(super) fn horizontal(&self, ticks: &[(f64, String)], title: &str) -> Markup {
        let (bottom, middle) = (self.bottom, f64::midpoint(self.left, self.right));
        html! {
            line class="axis" x1=(px(self.left)) x2=(px(self.right)) y1=(px(bottom)) y2=(px(bottom)) {}
            @for (x, text) in ticks {
                line class="axis" x1=(px(*x)) x2=(px(*x)) y1=(px(bottom)) y2=(px(bottom + 4.0)) {}
                text class="tick" x=(px(*x)) y=(px(bottom + 17.0)) text-anchor=(self.anchor(*x)) {
                    (text)
                }
            }
            text class="unit" x=(px(middle)) y=(px(self.height - 5.0)) text-anchor="middle" { (title) }
        }
    }

    /// A label at the drawing's edge must not leave it.
    fn anchor(&self, x: f64) -> &'static str {
        if x > self.right - 14.0 {
            "end"
        } else {
            "middle"
        }
    }
}

/// A line through points; a gap where there is none.
pub(super) fn line(class: &str, points: &[Option<(f64, f64)>]) -> Markup {
    let mut path = String::new();
    let mut drawing = false;
    for point in points {
        if let Some((x, y)) = point {
            path.push_str(if drawing { "L" } else { "M" });
            let _ = write!(path, "{} {}", px(*x), px(*y));
            // A point between two gaps is a dot.
            if !drawing {
                path.push_str("h0.01");
            }
        }
        drawing = point.is_some();
    }
    html! { path class={ "line " (class) } d=(path) {} }
}

/// The area between points and a base line.
pub(super) fn area(class: &str, points: &[(f64, f64)], base: f64) -> Markup {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return html! {};
    };
    let mut path = format!("M{} {}", px(first.0), px(base));
    for (x, y) in points {
        let _ = write!(path, "L{} {}", px(*x), px(*y));
    }
    let _ = write!(path, "L{} {}Z", px(last.0), px(base));
    html! { path class={ "area " (class) } d=(path) {} }
}

/// What the lines are: their classes and names.
pub(super) fn legend(entries: &[(&str, String)]) -> Markup {
    html! {
        ul class="legend" {
            @for (class, name) in entries {
                li { span class={ "key " (class) } {} (name) }
            }
        }
    }
}

/// A coordinate: a tenth of a pixel is enough.
pub(super) fn px(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A tick's label: as short as the value allows.
pub(super) fn label(value: f64) -> String {
    let size = value.abs();
    let trimmed = |text: String| {
        let text = if text.contains('.') {
            text.trim_end_matches('0')
        } else {
            &text
        };
        text.trim_end_matches('.').to_owned()
    };
    if size >= 1e6 {
        trimmed(format!("{:.2}", value / 1e6)) + "M"
    } else if size >= 1e4 {
        trimmed(format!("{:.1}", value / 1e3)) + "k"
    } else {
        trimmed(format!("{value:.3}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (0.05, "0.05"),
            (2.5, "2.5"),
            (100.0, "100"),
            (2000.0, "2000"),
            (20_000.0, "20k"),
            (2_500_000.0, "2.5M"),
        ] {
            assert_eq!(label(value), text);
        }
    }

    #[test]
    fn a_gap_breaks_a_line() {
        let line = line(
            "a",
            &[Some((0.0, 1.0)), None, Some((2.0, 3.0)), Some((4.0, 5.0))],
        );
        assert!(line.into_string().contains("M0 1h0.01M2 3h0.01L4 5"));
    }
}
