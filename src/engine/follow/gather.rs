//! Brings the lines of all sources together, in the order of their times.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc};

use super::Task;
use crate::model::{LogBatch, LogChange, LogEntry, LogNote};

/// Lines are handed on so often. One that is late by less still finds its place.
const WINDOW: Duration = Duration::from_millis(80);
/// Lines that wait at most; older ones are let go and counted.
const MOST_LINES: usize = 10_000;
/// Their bytes at most.
const MOST_BYTES: usize = 8 << 20;

/// Lines that wait to be handed on.
#[derive(Default)]
pub(super) struct Buffer {
    waiting: Mutex<Waiting>,
    come: Notify,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<LogEntry>,
    bytes: usize,
    dropped: u64,
    notes: Vec<LogNote>,
}

impl Buffer {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a line in. When too many wait, the oldest goes: who looks wants to see what is printed now.
    pub(super) fn push(&self, entry: LogEntry) {
        let mut waiting = self.lock();
        waiting.bytes += entry.text.size();
        waiting.lines.push_back(entry);
        while waiting.lines.len() > MOST_LINES || waiting.bytes > MOST_BYTES {
            let Some(oldest) = waiting.lines.pop_front() else { break };
            waiting.bytes -= oldest.text.size();
            waiting.dropped += 1;
        }
        drop(waiting);
        self.come.notify_one();
    }

    /// Takes news of a source in.
    pub(super) fn note(&self, source: u32, what: LogChange) {
        self.lock().notes.push(LogNote { source, what });
        self.come.notify_one();
    }

    fn take(&self) -> Waiting {
        std::mem::take(&mut *self.lock())
    }
}

/// The task that hands lines on.
pub(super) struct Gather {
    buffer: Arc<Buffer>,
    _task: Task,
}

impl Gather {
    pub(super) fn start(generation: u64, tell: mpsc::Sender<LogBatch>) -> Self {
        let buffer = Arc::<Buffer>::default();
        let task = Task(tokio::spawn(gather(generation, buffer.clone(), tell)));
        Self { buffer, _task: task }
    }

    pub(super) fn buffer(&self) -> Arc<Buffer> {
        self.buffer.clone()
    }
}

async fn gather(generation: u64, buffer: Arc<Buffer>, tell: mpsc::Sender<LogBatch>) {
    let mut window = Window::default();
    loop {
        if window.is_empty() {
            buffer.come.notified().await;
        }
        tokio::time::sleep(WINDOW).await;
        let waiting = buffer.take();
        let lines = window.turn(waiting.lines);
        if lines.is_empty() && waiting.dropped == 0 && waiting.notes.is_empty() {
            continue;
        }
        let batch = LogBatch { generation, lines, dropped: waiting.dropped, notes: waiting.notes };
        if tell.send(batch).await.is_err() {
            return;
        }
    }
}

/// Holds lines back for one turn, so that those of slower hosts get in between.
#[derive(Default)]
pub(super) struct Window {
    held: Vec<LogEntry>,
}

impl Window {
    fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The lines that have waited long enough, in order. Lines of the same time keep the order in which they came.
    pub(super) fn turn(&mut self, fresh: impl IntoIterator<Item = LogEntry>) -> Vec<LogEntry> {
        let upto: Option<Timestamp> = self.held.iter().map(|entry| entry.at).max();
        let before = self.held.len();
        self.held.extend(fresh);
        let is_fresh = self.held.len() > before;
        self.held.sort_by_key(|entry| entry.at);
        let ready = match upto {
            None => 0,
            Some(_) if !is_fresh => self.held.len(),
            Some(upto) => self.held.partition_point(|entry| entry.at <= upto),
        };
        let rest = self.held.split_off(ready);
        std::mem::replace(&mut self.held, rest)
    }
}
