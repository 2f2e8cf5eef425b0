//! From values to places on an axis, and the ticks of the axis.

/// Steps of an upward axis.
const STEPS: f64 = 5.0;

/// An axis: from values to pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
    log: bool,
}

impl Scale {
    /// Values from `from` to `to` between the pixels `start` and `end`.
    pub(super) fn linear((from, to): (f64, f64), (start, end): (f64, f64)) -> Self {
        let to = if to > from { to } else { from + 1.0 };
        Self {
            from,
            to,
            start,
            end,
            log: false,
        }
    }

    /// The same with equal ratios at equal distances. Values must be positive.
    pub(super) fn log((from, to): (f64, f64), (start, end): (f64, f64)) -> Self {
        let from = from.max(1e-9);
        let to = if to > from { to } else { from * 2.0 };
        Self {
            from,
            to,
            start,
            end,
            log: true,
        }
    }

    /// The pixel of a value; values outside are put at the axis's end.
    pub(super) fn at(&self, value: f64) -> f64 {
        let value = value.clamp(self.from, self.to);
        let share = if self.log {
            (value / self.from).ln() / (self.to / self.from).ln()
        } else {
            (value - self.from) / (self.to - self.from)
        };
        self.start + share * (self.end - self.start)
    }

    /// Round values along the axis, about `wanted` of them.
    pub(super) fn ticks(&self, wanted: usize) -> Vec<f64> {
        if self.log {
            log_ticks(self.from, self.to, wanted)
        } else {
            ticks(self.from, self.to, wanted)
        }
    }
}

/// The end of an axis from 0 that holds `highest`: a whole number of the steps that its ticks take.
pub(super) fn axis_end(highest: f64) -> f64 {
    let step = round_up(highest / STEPS);
    (highest / step - 1e-9).ceil().max(1.0) * step
}

/// The smallest round value, 1, 2 or 5 times a power of ten, that is not below `value`.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0];
    let step = steps
        .into_iter()
        .find(|step| step * power >= value * (1.0 - 1e-9));
    step.unwrap_or(10.0) * power
}

fn ticks(from: f64, to: f64, wanted: usize) -> Vec<f64> {
    #[allow(clippy::cast_precision_loss, reason = "a handful of ticks")]
    let step = round_up((to - from) / wanted.max(1) as f64);
    let first = (from / step - 1e-9).ceil();
    (0..100)
        .map(|index| (first + f64::from(index)) * step)
        .take_while(|tick| *tick <= to + step * 1e-6)
        .collect()
}

/// 1, 2 and 5 in each power of ten, or fewer where that is too many.
fn log_ticks(from: f64, to: f64, wanted: usize) -> Vec<f64> {
    #[allow(clippy::cast_possible_truncation, reason = "powers of ten of times")]
    let powers = (from.log10().floor() as i32)..=(to.log10().ceil() as i32);
    let inside = |tick: &f64| *tick >= from * (1.0 - 1e-9) && *tick <= to * (1.0 + 1e-9);
    let with = |steps: &[f64]| -> Vec<f64> {
        powers
            .clone()
            .flat_map(|power| steps.iter().map(move |step| step * 10f64.powi(power)))
            .filter(inside)
            .collect()
    };
    let all = with(&[1.0, 2.0, 5.0]);
    if all.len() <= wanted {
        return if all.len() < 2 {
            ticks(from, to, wanted.min(6))
        } else {
            all
        };
    }
    let tens = with(&[1.0]);
    if tens.len() >= 2 {
        tens
    } else {
        with(&[1.0, 5.0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(0.0, 10.0, 5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(
            log_ticks(1.0, 100.0, 9),
            [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
        );
        assert_eq!(
            log_ticks(1.0, 1e5, 6),
            [1.0, 10.0, 100.0, 1000.0, 10_000.0, 100_000.0]
        );
        for (value, round) in [
            (0.0, 1.0),
            (0.3, 0.5),
            (1.0, 1.0),
            (120.0, 200.0),
            (2100.0, 2500.0),
        ] {
            assert!((round_up(value) - round).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn an_axis_ends_little_above_its_highest_value() {
        for (highest, end) in [
            (1030.0, 1250.0),
            (6.7, 8.0),
            (0.0, 1.0),
            (500.0, 500.0),
            (501.0, 600.0),
        ] {
            assert!(
                (axis_end(highest) - end).abs() < 1e-9,
                "{highest}: {}",
                axis_end(highest)
            );
        }
    }

    proptest! {
        #[test]
        fn every_value_is_on_the_axis(
            from in 0.001f64..1e3, span in 0.0f64..1e6, value in -1e9f64..1e9, log in any::<bool>()
        ) {
            let make = if log { Scale::log } else { Scale::linear };
            let scale = make((from, from + span), (300.0, 20.0));
            let at = scale.at(value);
            prop_assert!((20.0 - 1e-6..=300.0 + 1e-6).contains(&at), "{at}");
            let ticks = scale.ticks(6);
            prop_assert!(ticks.is_sorted() && ticks.len() < 40, "{ticks:?}");
        }
    }
}
