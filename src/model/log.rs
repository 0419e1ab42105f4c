//! What containers print, on its way from the hosts to who follows it.

use jiff::Timestamp;

use super::{ContainerId, HostName};
use crate::text::{Painted, Text};

/// One line of a container's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When, by the engine's clock.
    pub at: Option<Timestamp>,
    /// It was printed to stderr. With a terminal everything is stdout.
    pub stderr: bool,
    /// The line.
    pub text: Painted,
}

/// Where following begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogBegin {
    /// With so many lines of each source; then as they come.
    Tail(u32),
    /// With what was printed since then, at most so many lines of each source; then as they come.
    Since(Timestamp, u32),
    /// The first so many lines of each source, and no more.
    Head(u32),
    /// The last so many lines of each source before its process last started, and no more.
    Previous(u32),
}

impl LogBegin {
    /// True when lines come as they are printed.
    pub fn goes_on(self) -> bool {
        matches!(self, Self::Tail(_) | Self::Since(..))
    }
}

/// A container whose output is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSource {
    /// Who asks calls it so.
    pub number: u32,
    /// On which host.
    pub host: HostName,
    /// Which.
    pub container: ContainerId,
    /// Its process runs, as far as is seen: what it printed has no end yet.
    pub runs: bool,
}

/// What to follow. A later query of the same generation goes on where the one before was: sources that are in both
/// are not read twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQuery {
    /// Comes back with every batch, so that late ones can be told from those of the present question.
    pub generation: u64,
    /// Where to begin.
    pub begin: LogBegin,
    /// What.
    pub sources: Vec<LogSource>,
    /// Nothing is read; every source keeps its place.
    pub paused: bool,
}

/// One line of a followed source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The source's number in the query.
    pub source: u32,
    /// When, by our clock: the clocks of hosts that are far off are set right.
    pub at: Timestamp,
    /// It was printed to stderr.
    pub stderr: bool,
    /// The line.
    pub text: Painted,
}

/// What became of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogNote {
    /// The source's number in the query.
    pub source: u32,
    /// What.
    pub what: LogChange,
}

/// What can become of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogChange {
    /// It cannot be read now, and why. It is tried again.
    Lost(Text),
    /// It is read again, from where it was.
    Back,
}

/// Lines of all followed sources, in the order of their times as far as they came in time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogBatch {
    /// Of which query.
    pub generation: u64,
    /// The lines.
    pub lines: Vec<LogEntry>,
    /// Lines that came faster than they could be taken and were let go.
    pub dropped: u64,
    /// What became of sources.
    pub notes: Vec<LogNote>,
}
