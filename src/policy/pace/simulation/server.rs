//! Servers that count what comes to them, in every way.

use std::collections::VecDeque;

/// How a server counts. Times are seconds from the beginning.
#[derive(Debug, Clone)]
pub(super) enum Server {
    /// A bucket that holds `capacity` and is refilled evenly.
    Bucket {
        rate: f64,
        capacity: f64,
        level: f64,
        at: f64,
    },
    /// So many a window; windows begin at its multiples.
    Fixed {
        limit: f64,
        window: f64,
        used: f64,
        number: f64,
    },
    /// So many in any span of a window's length.
    Sliding {
        limit: f64,
        window: f64,
        taken: VecDeque<(f64, f64)>,
        used: f64,
    },
}

impl Server {
    pub(super) fn bucket(rate: f64, seconds: f64) -> Self {
        let capacity = (rate * seconds).max(1.0);
        Self::Bucket {
            rate,
            capacity,
            level: capacity,
            at: 0.0,
        }
    }

    pub(super) fn fixed(rate: f64, window: f64) -> Self {
        Self::Fixed {
            limit: rate * window,
            window,
            used: 0.0,
            number: 0.0,
        }
    }

    pub(super) fn sliding(rate: f64, window: f64) -> Self {
        Self::Sliding {
            limit: rate * window,
            window,
            taken: VecDeque::new(),
            used: 0.0,
        }
    }

    /// Whether it serves a request that weighs so much; what remains then, and when all is whole.
    pub(super) fn arrives(&mut self, now: f64, weight: f64) -> (bool, f64, f64) {
        match self {
            Self::Bucket {
                rate,
                capacity,
                level,
                at,
            } => {
                *level = (*level + (now - *at) * *rate).min(*capacity);
                *at = now;
                let served = *level >= weight.min(*capacity);
                *level -= if served { weight } else { 0.0 };
                (served, level.max(0.0), (*capacity - *level) / *rate)
            }
            Self::Fixed {
                limit,
                window,
                used,
                number,
            } => {
                if (now / *window).floor() > *number {
                    (*number, *used) = ((now / *window).floor(), 0.0);
                }
                let served = *used + weight <= *limit;
                *used += if served { weight } else { 0.0 };
                (served, *limit - *used, (*number + 1.0) * *window - now)
            }
            Self::Sliding {
                limit,
                window,
                taken,
                used,
            } => {
                while let Some((_, old)) = taken.pop_front_if(|(at, _)| *at + *window <= now) {
                    *used -= old;
                }
                let served = *used + weight <= *limit;
                if served {
                    taken.push_back((now, weight));
                    *used += weight;
                }
                let next = taken.front().map_or(0.0, |(at, _)| at + *window - now);
                (served, *limit - *used, next)
            }
        }
    }
}
