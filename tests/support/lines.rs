//! Lines of containers, as hosts would tell them.

use jiff::ToSpan;
use wharf::{
    app::{Msg, State, update},
    model::{LogBatch, LogEntry},
    text::Painted,
};

use super::fleet::before;

/// A batch for what is followed now: source, seconds after a minute ago, text. Text in `!` is of stderr.
pub fn batch<T: AsRef<str>>(state: &State, lines: &[(u32, i64, T)]) -> LogBatch {
    let line = |(source, second, text): &(u32, i64, T)| {
        let text = text.as_ref();
        LogEntry {
            source: *source,
            at: before(60).checked_add(second.seconds()).unwrap(),
            stderr: text.starts_with('!'),
            text: Painted::new(text.trim_start_matches('!')),
        }
    };
    let mut lines: Vec<LogEntry> = lines.iter().map(line).collect();
    lines.sort_by_key(|line| line.at);
    let generation = state.logs.as_ref().map_or(0, |logs| logs.generation);
    LogBatch { generation, lines, ..LogBatch::default() }
}

/// Tells lines.
pub fn tell<T: AsRef<str>>(state: &mut State, lines: &[(u32, i64, T)]) {
    let batch = batch(state, lines);
    update(state, Msg::Logs(Box::new(batch)));
    state.settle();
}
