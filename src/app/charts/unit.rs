//! Units of charts: figures, and round ones for the scale.

use crate::{
    app::{history::Measure, screen::Within, state::State},
    text::{bytes, count, percent},
};

/// In what a measure is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Unit {
    /// Percent of one core.
    OfCore,
    /// Percent of so many cores.
    OfCores(u32),
    /// Cores.
    Cores,
    /// Bytes.
    Bytes,
    /// Bytes per second.
    Rate,
    /// Per second.
    PerSecond,
    /// Percent of requests.
    OfRequests,
    /// Milliseconds.
    Millis,
}

impl Unit {
    /// The unit of a measure of a thing: what many hosts use is told in cores, what one uses in percent of its own.
    pub fn new(state: &State, of: &Within, measure: Measure) -> Self {
        match (measure, of) {
            (Measure::Cpu, Within::All | Within::Region(_)) => Self::Cores,
            (Measure::Cpu, Within::Host(name)) => {
                let facts = state.observed().hosts.get(name).and_then(|host| host.facts.as_ref());
                facts.map_or(Self::OfCore, |facts| Self::OfCores(facts.cpus.max(1)))
            }
            (Measure::Cpu, _) => Self::OfCore,
            (Measure::Memory, _) => Self::Bytes,
            (Measure::NetIn | Measure::NetOut | Measure::DiskRead | Measure::DiskWrite, _) => Self::Rate,
            (Measure::Requests, _) => Self::PerSecond,
            (Measure::Failed, _) => Self::OfRequests,
            (Measure::Answer, _) => Self::Millis,
        }
    }

    /// Its words, for the title of a chart.
    pub fn words(self) -> String {
        match self {
            Self::OfCore => "% of one core".to_owned(),
            Self::OfCores(1) => "% of its core".to_owned(),
            Self::OfCores(cores) => format!("% of its {cores} cores"),
            Self::Cores => "cores".to_owned(),
            Self::Bytes => "in use".to_owned(),
            Self::Rate | Self::PerSecond => "/s".to_owned(),
            Self::OfRequests => "% of requests".to_owned(),
            Self::Millis => "ms, mean".to_owned(),
        }
    }

    /// What is kept, in this unit.
    pub fn scaled(self, value: f32) -> f64 {
        let value = f64::from(value);
        match self {
            Self::OfCores(cores) => value / f64::from(cores),
            Self::Cores => value / 100.0,
            _ => value,
        }
    }

    /// The end of a scale for what is kept, as it is kept.
    #[expect(clippy::cast_possible_truncation, reason = "a round figure")]
    pub fn top_kept(self, largest: f32) -> f32 {
        let one = self.scaled(1.0);
        (self.top(self.scaled(largest)) / one) as f32
    }

    /// A figure, already in this unit.
    pub fn figure(self, value: f64) -> String {
        match self {
            Self::Bytes | Self::Rate => bytes(whole(value)),
            Self::OfRequests if value < 9.95 => format!("{value:.2}"),
            Self::OfCore | Self::OfCores(_) | Self::Cores | Self::OfRequests => percent(value),
            Self::PerSecond if value < 9.95 => format!("{value:.1}"),
            Self::PerSecond | Self::Millis => short(value),
        }
    }

    /// The round figure that a scale ends at, for what is at most so large.
    pub fn top(self, largest: f64) -> f64 {
        match self {
            Self::Bytes | Self::Rate => {
                let mut unit = 1024.0_f64;
                while largest > 800.0 * unit {
                    unit *= 1024.0;
                }
                unit * round_up(largest / unit).max(1.0)
            }
            _ => round_up(largest).max(1.0),
        }
    }
}

/// A figure that is round, and has a round half.
fn round_up(value: f64) -> f64 {
    let mut power = 1.0;
    // Far more than anything measured.
    for _ in 0..18 {
        for step in [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0] {
            if value <= step * power {
                return step * power;
            }
        }
        power *= 10.0;
    }
    value
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is measured is not negative")]
fn whole(value: f64) -> u64 {
    value.max(0.0).round() as u64
}

/// A count that fits beside a chart.
fn short(value: f64) -> String {
    match value {
        ..100_000.0 => count(whole(value)),
        ..10_000_000.0 => format!("{} k", count(whole(value / 1e3))),
        _ => format!("{} M", count(whole(value / 1e6))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_at_round_figures() {
        for (unit, largest, label) in [
            (Unit::OfCore, 0.0, "1.0"),
            (Unit::OfCore, 0.3, "1.0"),
            (Unit::OfCore, 61.0, "80"),
            (Unit::OfCore, 81.0, "100"),
            (Unit::OfCore, 100.0, "100"),
            (Unit::OfCore, 101.0, "200"),
            (Unit::Cores, 23.0, "30"),
            (Unit::Bytes, 0.0, "1.0 KiB"),
            (Unit::Bytes, 1500.0, "2.0 KiB"),
            (Unit::Bytes, 700.0 * 1024.0, "800 KiB"),
            (Unit::Bytes, 801.0 * 1024.0, "1.0 MiB"),
            (Unit::Rate, 300.0 * 1024.0, "300 KiB"),
            (Unit::Bytes, 3.1 * 1024.0 * 1024.0 * 1024.0, "4.0 GiB"),
            (Unit::PerSecond, 388.0, "400"),
            (Unit::PerSecond, 123_456.0, "200 k"),
            (Unit::OfRequests, 0.2, "1.00"),
            (Unit::OfRequests, 3.2, "4.00"),
            (Unit::Millis, 1_234.0, "2,000"),
        ] {
            let top = unit.top(largest);
            assert_eq!(unit.figure(top), label, "{unit:?} {largest}");
            assert!(top >= largest && unit.figure(top).chars().count() <= 7 && unit.figure(top / 2.0).len() <= 7);
        }
    }

    #[test]
    fn figures_are_in_their_unit() {
        assert_eq!(Unit::OfCores(8).figure(Unit::OfCores(8).scaled(400.0)), "50");
        assert_eq!(Unit::Cores.figure(Unit::Cores.scaled(1_240.0)), "12");
        assert_eq!(Unit::OfCores(8).words(), "% of its 8 cores");
        assert_eq!(Unit::Millis.figure(12_345_678.0), "12 M");
    }
}
