//! What was: loads and what came through, of the fleet, its regions, hosts, stacks, services, and of some replicas.
//!
//! Every five seconds one reading is taken of what is counted anyway: no pass over all containers of its own. What is
//! not known in a step is a gap, never zero. A sum that lacks a part (a host that cannot be seen, a container that was
//! not sampled yet) is kept as what it is at least, and marked: a gap would hide a region for as long as one of its
//! hosts is away, and a bare sum would look as if its load had gone.
//!
//! One series takes 1.4 kB. A host takes at most nine of them, and as much a stack, a service or a replica. Of stacks and
//! services the first [`MOST`] are kept (those of wharf come first), of services that are in several regions also each of
//! these, the first [`MOST_PARTS`], and of replicas those that were on the screen last, at most [`MOST_REPLICAS`]. With
//! 1,000 hosts, 500 services and 50,000 replicas that is about 20 MB, also after weeks, and at most 12 MB more where the
//! services are in several regions. What goes takes its series along.

mod record;
mod watched;

use std::collections::HashMap;

use jiff::Timestamp;

use self::watched::Watched;
use super::{
    flow::Flow,
    rows::Load,
    screen::Within,
    series::{FINE, Point, Series, step_of},
};

/// The minutes of an hour.
pub const HOUR: usize = 60;
/// The minutes of the short columns.
pub const SHORT: usize = 10;
/// Stacks that are kept, and services.
pub const MOST: usize = 2_000;
/// Services that are kept in each of their regions, counted by region.
pub const MOST_PARTS: usize = 1_000;
/// Replicas that are kept.
pub const MOST_REPLICAS: usize = 512;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Measure {
    /// Percent of one core.
    #[default]
    Cpu,
    /// Bytes, without the page cache.
    Memory,
    /// Bytes received per second.
    NetIn,
    /// Bytes sent per second.
    NetOut,
    /// Bytes read from disks per second.
    DiskRead,
    /// Bytes written to disks per second.
    DiskWrite,
    /// Requests per second; connections, for TCP.
    Requests,
    /// Percent of them that failed.
    Failed,
    /// Mean time to an answer in milliseconds.
    Answer,
}

impl Measure {
    /// All of them, in the order of charts.
    pub const ALL: [Self; 9] = [
        Self::Cpu,
        Self::Memory,
        Self::NetIn,
        Self::NetOut,
        Self::DiskRead,
        Self::DiskWrite,
        Self::Requests,
        Self::Failed,
        Self::Answer,
    ];

    /// True for what comes through the proxies.
    pub fn is_traffic(self) -> bool {
        matches!(self, Self::Requests | Self::Failed | Self::Answer)
    }
}

/// One reading of one thing: a value for each measure that is known, in the order of [`Measure::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Reading([Option<Point>; Measure::ALL.len()]);

impl Reading {
    /// From what containers use and what comes through.
    pub fn new(load: &Load, flow: Option<&Flow>) -> Self {
        let used = |value: fn(&crate::model::Usage) -> f64| {
            load.usage.as_ref().map(|usage| Point::new(value(usage), load.missing > 0))
        };
        let came = |value: fn(&Flow) -> Option<f64>| {
            flow.and_then(|flow| value(flow).map(|value| Point::new(value, flow.is_partial)))
        };
        Self([
            used(|usage| usage.cpu_percent),
            used(|usage| usage.memory as f64),
            used(|usage| usage.net_rx),
            used(|usage| usage.net_tx),
            used(|usage| usage.disk_read),
            used(|usage| usage.disk_write),
            came(|flow| flow.requests),
            came(Flow::failed_percent),
            came(|flow| flow.answer().map(|ms| ms as f64)),
        ])
    }
}

/// Everything that is kept of one thing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tracks {
    series: [Option<Box<Series>>; Measure::ALL.len()],
    /// The fine step of the first value.
    begun: Option<i64>,
    /// The step of the last reading, known or not.
    read: i64,
}

impl Tracks {
    /// One measure; none where there was never a value.
    pub fn series(&self, measure: Measure) -> Option<&Series> {
        self.series.get(measure as usize)?.as_deref()
    }

    /// When the first value was read, in seconds; none where there is none.
    pub fn begun(&self) -> Option<i64> {
        self.begun.map(|step| step * FINE)
    }

    fn read(&mut self, now: Timestamp, step: i64, reading: &Reading) {
        self.read = step;
        for (series, point) in self.series.iter_mut().zip(&reading.0) {
            if let Some(point) = point {
                self.begun.get_or_insert(step);
                series.get_or_insert_default().push(now, *point);
            }
        }
    }
}

/// What was.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    tracks: HashMap<Within, Tracks>,
    watched: Watched,
    /// The step of the last reading.
    read: Option<i64>,
}

impl History {
    /// True when a step has passed since the last reading.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.read.is_none_or(|read| read < step_of(now, FINE))
    }

    /// The step of the last reading.
    pub fn newest(&self) -> Option<i64> {
        self.read
    }

    /// What is kept of a thing.
    pub fn tracks(&self, of: &Within) -> Option<&Tracks> {
        self.tracks.get(of)
    }

    /// The last minutes of a measure, the oldest first; a minute is the mean of what was known of it.
    pub fn minutes(&self, of: &Within, measure: Measure, count: usize, now: Timestamp) -> Vec<Option<Point>> {
        let series = self.tracks(of).and_then(|tracks| tracks.series(measure));
        series.map_or_else(|| vec![None; count], |series| series.minutes(count, now))
    }

    /// Takes readings of everything in; what is not among them any more is forgotten.
    fn take(&mut self, now: Timestamp, readings: impl Iterator<Item = (Within, Reading)>) {
        let step = step_of(now, FINE);
        for (of, reading) in readings {
            self.tracks.entry(of).or_default().read(now, step, &reading);
        }
        self.tracks.retain(|_, tracks| tracks.read == step);
        self.read = Some(step);
    }

    /// Series that are kept.
    #[cfg(test)]
    fn series(&self) -> usize {
        self.tracks.values().flat_map(|tracks| tracks.series.iter().flatten()).count()
    }
}
