//! Load over time without any ticking: rates are a base times smooth waves, and counters are their exact integral.

use super::num;
use std::f64::consts::TAU;

/// Length of a day in seconds.
const DAY: f64 = 86_400.0;

/// A rate that is always positive and varies smoothly: by time of day, and by several incommensurate waves that look like noise.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wave {
    base: f64,
    parts: [Part; 5],
}

#[derive(Debug, Clone, Copy)]
struct Part {
    share: f64,
    period: f64,
    phase: f64,
}

impl Wave {
    /// `base` is the mean; `daily` the share that follows the time of day (peak at 15:00 UTC); the rest follows from the seed.
    pub(super) fn new(base: f64, daily: f64, seed: u64) -> Self {
        let phase = |n: u64| num::unit(seed.wrapping_add(n)) * TAU;
        let part =
            |share, period, n| Part { share, period: period * (0.8 + 0.4 * num::unit(seed ^ n)), phase: phase(n) };
        let day = Part { share: daily, period: DAY, phase: -TAU * (15.0 - 6.0) / 24.0 };
        let scale = 0.75 + 0.5 * num::unit(seed.wrapping_add(99));
        Self {
            base: base * scale,
            parts: [day, part(0.16, 1_900.0, 1), part(0.1, 210.0, 2), part(0.08, 37.0, 3), part(0.05, 7.3, 4)],
        }
    }

    /// The rate at `time` (Unix seconds).
    pub(super) fn rate(&self, time: f64) -> f64 {
        let swing: f64 = self.parts.iter().map(|p| p.share * (TAU * time / p.period + p.phase).sin()).sum();
        self.base * (1.0 + swing)
    }

    /// The integral of the rate from `from` to `to`: what a counter grew by.
    pub(super) fn total(&self, from: f64, to: f64) -> f64 {
        let area = |part: &Part| {
            let omega = TAU / part.period;
            part.share * ((omega * from + part.phase).cos() - (omega * to + part.phase).cos()) / omega
        };
        self.base * ((to - from) + self.parts.iter().map(area).sum::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_the_sum_of_the_rate() {
        let wave = Wave::new(10.0, 0.45, 7);
        let (from, to) = (1_700_000_000.0, 1_700_000_600.0);
        let sum: f64 = (0..60_000).map(|n| wave.rate(from + (f64::from(n) + 0.5) * 0.01) * 0.01).sum();
        assert!((wave.total(from, to) / sum - 1.0).abs() < 1e-4);
    }

    #[test]
    fn rates_stay_positive_and_differ_by_seed() {
        let (one, two) = (Wave::new(1.0, 0.45, 1), Wave::new(1.0, 0.45, 2));
        let times = (0..5_000).map(|n| f64::from(n) * 61.0);
        assert!(times.clone().all(|t| one.rate(t) > 0.0));
        assert!(times.into_iter().any(|t| (one.rate(t) - two.rate(t)).abs() > 0.2));
    }
}
