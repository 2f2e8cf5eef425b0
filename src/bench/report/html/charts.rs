//! The charts of a report.

use super::chart::{Frame, Size, area, label, legend, line, px};
use super::scale::{Scale, axis_end};
use crate::bench::figure::{figure, percent, plain, whole};
use crate::bench::measure::{
    IntervalHistogram, Metric, Slot, TimeHistogram, Timeline, highest_quantile, milliseconds,
    number, sample_floor,
};
use crate::bench::report::layout::Report;
use maud::{Markup, html};

/// Spans of time that a chart shows at most.
const SPANS: f64 = 120.0;
/// Spans that it has even where requests are few.
const FEWEST_SPANS: f64 = 24.0;
/// Requests that a span should have.
const REQUESTS_A_SPAN: f64 = 10.0;
/// Bars of a distribution.
const BARS: usize = 48;
/// Points of a percentile curve.
const POINTS: u32 = 160;

/// Both sizes of a chart.
fn both(draw: impl Fn(Frame) -> Markup) -> Markup {
    html! { (draw(Frame::new(Size::Wide))) (draw(Frame::new(Size::Narrow))) }
}

/// The timeline in few enough spans, each long enough for some requests: for each its start, its
/// length, and what happened.
fn spans(report: &Report) -> Vec<(f64, f64, Slot)> {
    let rate = (number(report.requests.total) / report.steady_s().max(0.001)).max(0.001);
    let longest = report.duration_s / FEWEST_SPANS;
    let span_s = (REQUESTS_A_SPAN / rate)
        .min(longest)
        .max(report.duration_s / SPANS);
    let timeline: Timeline = report.timeline.coarser(span_s);
    let length = timeline.slot_s;
    let slots = timeline.slots.into_iter().enumerate();
    slots
        .map(|(index, slot)| {
            let start = number(index as u64) * length;
            (start, length.min(report.duration_s - start), slot)
        })
        // The rest at the end says little about a rate.
        .filter(|(_, lasts, _)| *lasts > length / 4.0)
        .collect()
}

fn time_axis(frame: &Frame, report: &Report) -> (Scale, Markup) {
    let scale = Scale::linear((0.0, report.duration_s), frame.across());
    let ticks = scale.ticks(frame.size.across());
    let ticks: Vec<_> = ticks
        .into_iter()
        .map(|tick| (scale.at(tick), label(tick)))
        .collect();
    let warm = scale.at(report.warmup_s) - frame.left;
    let axis = html! {
        @if report.warmup_s > 0.0 {
            rect class="warmup" x=(px(frame.left)) y=(px(frame.top)) width=(px(warm))
                height=(px(frame.bottom - frame.top)) { title { "warm-up" } }
        }
        (frame.horizontal(&ticks, "seconds since the start"))
    };
    (scale, axis)
}

/// Rectangles over the whole height that tell what was there when pointed at.
fn pointers(frame: &Frame, x: &Scale, told: impl Iterator<Item = (f64, f64, String)>) -> Markup {
    html! {
        @for (start, lasts, text) in told {
            @let left = x.at(start);
            rect class="pointer" x=(px(left)) y=(px(frame.top)) width=(px(x.at(start + lasts) - left))
                height=(px(frame.bottom - frame.top)) { title { (text) } }
        }
    }
}

/// Requests per second over time.
pub(super) fn throughput(report: &Report) -> Markup {
    let spans = spans(report);
    let rate = |count: u64, lasts: f64| {
        if lasts > 0.0 {
            number(count) / lasts
        } else {
            0.0
        }
    };
    let highest = spans
        .iter()
        .map(|(_, lasts, slot)| rate(slot.succeeded.max(slot.failed).max(slot.warmup), *lasts))
        .fold(0.0, f64::max);
    let warm = spans.iter().any(|(_, _, slot)| slot.warmup > 0);
    let failed = spans.iter().any(|(_, _, slot)| slot.failed > 0);
    let mut names = vec![("succeeded", "succeeded".to_owned())];
    if failed {
        names.push(("failed", "failed".to_owned()));
    }
    if warm {
        names.push(("warm", "warm-up".to_owned()));
    }
    let says = format!(
        "Requests per second over {} seconds; on average {} succeeded per second.",
        plain(report.duration_s),
        plain(report.rates.requests_per_s)
    );
    let draw = |frame: Frame| {
        let (x, time) = time_axis(&frame, report);
        let y = Scale::linear((0.0, axis_end(highest)), frame.up());
        let points = |count: fn(&Slot) -> u64| -> Vec<(f64, f64)> {
            let point = |(start, lasts, slot): &(f64, f64, Slot)| {
                (x.at(start + lasts / 2.0), y.at(rate(count(slot), *lasts)))
            };
            spans.iter().map(point).collect()
        };
        // Where nothing happened for a while there is no line, so that the base line stays clear.
        let some = |count: fn(&Slot) -> u64| -> Vec<Option<(f64, f64)>> {
            let near = |index: usize| {
                let around = index.saturating_sub(1)..(index + 2).min(spans.len());
                spans[around].iter().any(|(_, _, slot)| count(slot) > 0)
            };
            let points = points(count).into_iter().enumerate();
            points
                .map(|(index, point)| near(index).then_some(point))
                .collect()
        };
        let steady: Vec<_> = points(|slot| slot.succeeded);
        let told = spans.iter().map(|(start, lasts, slot)| {
            let text = format!(
                "{} s: {}/s succeeded, {}/s failed",
                label(*start),
                plain(rate(slot.succeeded, *lasts)),
                plain(rate(slot.failed, *lasts))
            );
            (*start, *lasts, text)
        });
        frame.draw(
            &says,
            &html! {
                (time)
                (frame.vertical(&y, "1/s"))
                (area("succeeded", &steady, frame.bottom))
                @if warm { (line("warm", &some(|slot| slot.warmup))) }
                (line("succeeded", &some(|slot| slot.succeeded)))
                @if failed { (line("failed", &some(|slot| slot.failed))) }
                (pointers(&frame, &x, told))
            },
        )
    };
    html! { (legend(&names)) (both(draw)) }
}

/// A time over time: its median, and the highest tail that most spans have samples for.
pub(super) fn over_time(report: &Report, metric: Metric) -> Markup {
    let spans = spans(report);
    let times = |slot: &Slot| match metric {
        Metric::Ttft => slot.ttft.clone(),
        Metric::Itl => slot.itl.clone(),
        _ => slot.latency.clone(),
    };
    let times: Vec<_> = spans
        .iter()
        .map(|(start, lasts, slot)| (*start, *lasts, times(slot)))
        .collect();
    let busy = times.iter().filter(|(.., times)| times.count() > 0).count();
    let enough = |q: f64| {
        let told = times
            .iter()
            .filter(|(.., times)| times.count() >= sample_floor(q));
        2 * told.count() > busy
    };
    let tails = [("p99", 0.99), ("p95", 0.95), ("p90", 0.9)];
    let tail = tails.into_iter().find(|(_, q)| enough(*q));
    let (tail_name, tail_q) = tail.unwrap_or(("slowest", 1.0));
    let quantile = |of: &IntervalHistogram, q: f64| {
        let told = of.count() > 0 && (q >= 1.0 || of.count() >= sample_floor(q));
        told.then(|| of.quantile(q).map(milliseconds)).flatten()
    };
    let highest = times
        .iter()
        .flat_map(|(.., times)| [quantile(times, tail_q), quantile(times, 0.5)])
        .flatten()
        .fold(0.0, f64::max);
    let says = format!(
        "{} over time: median {} ms overall; the chart has the median and the {tail_name}.",
        metric.title(),
        figure(report.distribution(metric).p50)
    );
    let draw = |frame: Frame| {
        let (x, time) = time_axis(&frame, report);
        let y = Scale::linear((0.0, axis_end(highest)), frame.up());
        let points = |q: f64| -> Vec<Option<(f64, f64)>> {
            let point = |(start, lasts, of): &(f64, f64, _)| {
                Some((x.at(start + lasts / 2.0), y.at(quantile(of, q)?)))
            };
            times.iter().map(point).collect()
        };
        let told = times.iter().map(|(start, lasts, of)| {
            let figure = |q| figure(quantile(of, q));
            let text = format!(
                "{} s: p50 {} ms, {tail_name} {} ms, {} samples",
                label(*start),
                figure(0.5),
                figure(tail_q),
                whole(of.count())
            );
            (*start, *lasts, text)
        });
        frame.draw(
            &says,
            &html! {
                (time)
                (frame.vertical(&y, "ms"))
                (line("tail", &points(tail_q)))
                (line("median", &points(0.5)))
                (pointers(&frame, &x, told))
            },
        )
    };
    let names = [("median", "p50".to_owned()), ("tail", tail_name.to_owned())];
    html! { (legend(&names)) (both(draw)) }
}

/// How many requests took how long, with the told percentiles marked.
pub(super) fn distribution(report: &Report, metric: Metric) -> Markup {
    let Some(histogram) = report.histograms.get(metric) else {
        return html! {};
    };
    let bars = bars(histogram);
    let highest = bars.iter().map(|bar| bar.count).max().unwrap_or(1);
    let all = histogram.count();
    let ends = bars
        .first()
        .zip(bars.last())
        .map_or((1.0, 2.0), |(first, last)| (first.from, last.to));
    let told = report.distribution(metric);
    let marks = [
        ("p50", told.p50),
        ("p90", told.p90),
        ("p99", told.p99),
        ("p99.9", told.p999),
    ];
    let says = format!(
        "Distribution of {} samples of {}: {} to {} ms, median {} ms.",
        whole(all),
        metric.title(),
        plain(ends.0),
        plain(ends.1),
        figure(told.p50)
    );
    both(|frame| {
        let x = Scale::log(ends, frame.across());
        let ticks = x.ticks(frame.size.across().max(6));
        let ticks: Vec<_> = ticks
            .into_iter()
            .map(|tick| (x.at(tick), label(tick)))
            .collect();
        let share = |count: u64| number(count) / number(all) * 100.0;
        let y = Scale::linear((0.0, axis_end(share(highest))), frame.up());
        // Labels that would cover each other alternate between two rows.
        let mut last = (f64::NEG_INFINITY, false);
        let marks: Vec<_> = marks
            .iter()
            .filter_map(|(name, value)| {
                let at = x.at((*value)?);
                let low = at - last.0 < 34.0 && !last.1;
                last = (at, low);
                Some((
                    *name,
                    value.unwrap_or_default(),
                    at,
                    if low {
                        frame.top + 9.0
                    } else {
                        frame.top - 3.0
                    },
                ))
            })
            .collect();
        frame.draw(&says, &html! {
            (frame.vertical(&y, "%"))
            @for bar in bars.iter().filter(|bar| bar.count > 0) {
                @let (left, right, top) = (x.at(bar.from), x.at(bar.to), y.at(share(bar.count)));
                rect class="bar" x=(px(left)) y=(px(top.min(frame.bottom - 1.0)))
                    width=(px((right - left - 1.0).max(1.0))) height=(px((frame.bottom - top).max(1.0))) {
                    title {
                        (plain(bar.from)) " to " (plain(bar.to)) " ms: " (whole(bar.count)) " ("
                        (percent(number(bar.count) / number(all))) ")"
                    }
                }
            }
            @for (name, value, at, top) in &marks {
                line class="mark" x1=(px(*at)) x2=(px(*at)) y1=(px(top + 2.0)) y2=(px(frame.bottom)) {
                    title { (name) ": " (plain(*value)) " ms" }
                }
                text class="mark" x=(px(*at)) y=(px(*top)) text-anchor=(if *at > frame.right - 20.0 { "end" } else { "middle" }) { (name) }
            }
            (frame.horizontal(&ticks, "ms, in equal ratios"))
        })
    })
}

struct Bar {
    from: f64,
    to: f64,
    count: u64,
}

/// Bars of equal ratios, in milliseconds.
fn bars(histogram: &TimeHistogram) -> Vec<Bar> {
    let buckets: Vec<(f64, u64)> = histogram
        .buckets()
        .map(|(value, count)| (number(value.max(1)) / 1e3, count))
        .collect();
    let (Some(first), Some(last)) = (buckets.first(), buckets.last()) else {
        return Vec::new();
    };
    // Room at both ends, and some width where all took the same time.
    let (from, to) = (first.0 * 0.97, last.0 * 1.03);
    let (from, to) = if to / from < 1.5 {
        (from / 1.2, to * 1.2)
    } else {
        (from, to)
    };
    let edge = |index: usize| from * (to / from).powf(number(index as u64) / number(BARS as u64));
    let mut bars: Vec<Bar> = (0..BARS)
        .map(|index| Bar {
            from: edge(index),
            to: edge(index + 1),
            count: 0,
        })
        .collect();
    for (value, count) in buckets {
        let index = bars.partition_point(|bar| bar.to <= value).min(BARS - 1);
        bars[index].count += count;
    }
    bars
}

/// Times by percentile, the tail stretched: each step to the right is a tenth of the requests
/// before it. A curve ends where its samples do.
pub(super) fn percentiles(report: &Report) -> Markup {
    let series: Vec<(Metric, &TimeHistogram)> =
        [Metric::Latency, Metric::Service, Metric::Ttft, Metric::Itl]
            .into_iter()
            .filter_map(|metric| Some((metric, report.histograms.get(metric)?)))
            .collect();
    let ends: Vec<f64> = series
        .iter()
        .map(|(_, histogram)| highest_quantile(histogram.count()))
        .collect();
    let furthest = ends.iter().copied().fold(0.5, f64::max);
    let ms = |histogram: &TimeHistogram, q: f64| {
        histogram.quantile(q).map_or(0.0, milliseconds).max(0.001)
    };
    // Gaps of a few microseconds, as between tokens that came in one packet, would take most of the
    // axis: it starts no lower than a tenth of the smallest median.
    let least = |q: f64| {
        let values = series.iter().map(|(_, histogram)| ms(histogram, q));
        values.fold(f64::MAX, f64::min)
    };
    let lowest = least(0.0).max(least(0.5) / 10.0);
    let highest = series
        .iter()
        .zip(&ends)
        .map(|((_, histogram), end)| ms(histogram, *end))
        .fold(0.0, f64::max);
    let stretched = |q: f64| -(1.0 - q).log10();
    let marked = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999_999];
    let says = format!(
        "Times by percentile up to the {}th: latency, service time and token times, in milliseconds.",
        label(furthest * 100.0)
    );
    let draw = |frame: Frame| {
        let x = Scale::linear((0.0, stretched(furthest)), frame.across());
        let y = Scale::log((lowest * 0.8, highest * 1.15), frame.up());
        let ticks: Vec<_> = marked
            .iter()
            .filter(|q| **q <= furthest && (**q > 0.0 || frame.size == Size::Wide))
            .map(|q| (x.at(stretched(*q)), format!("{}%", (q * 1e6).round() / 1e4)))
            .collect();
        frame.draw(&says, &html! {
            (frame.vertical(&y, "ms"))
            (frame.horizontal(&ticks, "percentile"))
            @for ((metric, histogram), end) in series.iter().zip(&ends) {
                @let points: Vec<_> = (0..=POINTS).map(|index| {
                    let along = stretched(*end) * f64::from(index) / f64::from(POINTS);
                    let q = 1.0 - 10f64.powf(-along);
                    Some((x.at(along), y.at(ms(histogram, q))))
                }).collect();
                (line(metric.name(), &points))
                @for q in marked.iter().filter(|q| **q > 0.0 && **q <= *end) {
                    circle class={ "dot " (metric.name()) } cx=(px(x.at(stretched(*q))))
                        cy=(px(y.at(ms(histogram, *q)))) r="3.5" {
                        title { (metric.title()) ", p" (label(q * 100.0)) ": " (plain(ms(histogram, *q))) " ms" }
                    }
                }
            }
        })
    };
    let names: Vec<_> = series
        .iter()
        .map(|(metric, _)| (metric.name(), metric.title().to_owned()))
        .collect();
    html! { (legend(&names)) (both(draw)) }
}
