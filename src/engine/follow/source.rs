//! One container's output: opened, read to its end, and opened again where it goes on.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Semaphore, watch};

use super::gather::Buffer;
use crate::{
    engine::{
        error::{ErrorKind, Fault},
        http::late,
        logs::{LogOptions, Source as Log},
        reader::{Reader, another, inspected},
        session::Session,
    },
    model::{ContainerId, LogBegin, LogChange, LogEntry, LogLine},
};

/// The pause before a log is opened again …
const RETRY: Duration = Duration::from_millis(500);
/// … which grows to this.
const MOST_RETRY: Duration = Duration::from_secs(10);
/// An answer that does not come is asked for again after this time.
const OPEN: Duration = Duration::from_secs(30);
/// Lines that are read at most of what was printed while nothing was read.
const CAUGHT_UP: u32 = 5_000;

/// Lines after which others get their turn.
const BREATH: u32 = 512;

/// Up to where a source was read: the time of its last line, and how many lines had that time.
#[derive(Debug, Default)]
pub(super) struct Position {
    last: Option<(Timestamp, usize)>,
    tty: Option<bool>,
}

impl Position {
    /// Takes a line in.
    fn take(&mut self, at: Timestamp) {
        self.last = match self.last {
            Some((last, count)) if last == at => Some((last, count + 1)),
            _ => Some((at, 1)),
        };
    }
}

/// How a log ended.
enum End {
    /// There is no more of it for now: the process ended.
    Over,
    /// There is no such container any more.
    Gone,
    /// It could not be read on.
    Lost(Fault),
}

pub(super) struct Source {
    pub number: u32,
    pub id: ContainerId,
    pub reader: Reader,
    pub begin: LogBegin,
    pub runs: watch::Receiver<bool>,
    pub position: Arc<Mutex<Position>>,
    pub gate: Arc<Semaphore>,
    pub buffer: Arc<Buffer>,
}

impl Source {
    pub(super) async fn run(mut self) {
        let mut lost = false;
        let mut pause = RETRY;
        loop {
            let before = self.position().last;
            let end = self.read(&mut lost).await;
            if self.position().last != before {
                pause = RETRY;
            }
            match end {
                End::Gone => return,
                End::Over if !self.begin.goes_on() => return,
                End::Over => {
                    // A process that was seen to end prints nothing until it is seen to run again.
                    let seen = *self.runs.borrow_and_update();
                    if !seen && self.runs.wait_for(|runs| *runs).await.is_err() {
                        return;
                    }
                }
                End::Lost(fault) => {
                    if !std::mem::replace(&mut lost, true) {
                        self.buffer.note(self.number, LogChange::Lost(fault.why));
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = self.runs.changed() => {}
            }
            pause = (pause * 2).min(MOST_RETRY);
        }
    }

    fn position(&self) -> MutexGuard<'_, Position> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the log and reads it to its end, or until the connection is another.
    async fn read(&mut self, lost: &mut bool) -> End {
        let mut current = self.reader.current.clone();
        let session = match current.borrow_and_update().clone() {
            Ok(session) => Some(session),
            Err(fault) if *lost => {
                drop(fault);
                None
            }
            Err(fault) => return End::Lost(fault),
        };
        let Some(session) = session else {
            // Said once; from here on it is waited for.
            let fault = another(&mut current).await;
            return End::Lost(fault.unwrap_or_else(|| Fault::new(ErrorKind::Unreachable, "connected again", "")));
        };
        let (mut log, mut skip, most) = match self.open(&session).await {
            Ok(opened) => opened,
            Err(fault) if matches!(fault.kind, ErrorKind::NotFound) => return End::Gone,
            Err(fault) => return End::Lost(fault),
        };
        if std::mem::take(lost) {
            self.buffer.note(self.number, LogChange::Back);
        }
        let mut read = 0;
        loop {
            let line = tokio::select! {
                biased;
                line = log.next() => line,
                // The observer minds the connection: one beat for all streams of a host.
                fault = another(&mut current) => {
                    return End::Lost(fault.unwrap_or_else(|| Fault::new(ErrorKind::LostAnswer, "connected anew", "")));
                }
            };
            match line {
                Ok(Some(line)) => {
                    self.take(&session, line, &mut skip);
                    read += 1;
                    if read % BREATH == 0 {
                        // A log that always has more must not keep its thread from everybody else.
                        tokio::task::yield_now().await;
                    }
                    if most.is_some_and(|most| read >= most) {
                        return End::Over;
                    }
                }
                Ok(None) => return End::Over,
                Err(fault) => return End::Lost(fault),
            }
        }
    }

    /// Hands a line on, unless it was read before the log was opened again.
    fn take(&self, session: &Session, line: LogLine, skip: &mut Option<(Timestamp, usize)>) {
        let theirs = line.at.unwrap_or_else(|| session.engine_now());
        match skip {
            Some((last, _)) if theirs < *last => return,
            Some((last, left)) if theirs == *last && *left > 0 => {
                *left -= 1;
                return;
            }
            _ => *skip = None,
        }
        self.position().take(theirs);
        let at = session.ours(theirs);
        self.buffer.push(LogEntry { source: self.number, at, stderr: line.stderr, text: line.text });
    }

    /// The log from where it was read, what of it is known already, and how many lines of it are wanted.
    async fn open(&self, session: &Session) -> Result<(Log, Option<(Timestamp, usize)>, Option<u32>), Fault> {
        let _turn = self.gate.acquire().await;
        let (last, tty) = {
            let position = self.position();
            (position.last, position.tty)
        };
        let opening = async {
            let mut options = LogOptions { follow: self.begin.goes_on(), ..LogOptions::default() };
            let tty = match tty {
                Some(tty) if !matches!(self.begin, LogBegin::Previous(_)) => tty,
                _ => {
                    let found = inspected(session, self.id.0.as_str()).await?;
                    if let LogBegin::Previous(_) = self.begin {
                        let started = found.state.started.parse::<Timestamp>().ok();
                        options.until = started.and_then(|at| at.checked_sub(SignedDuration::from_nanos(1)).ok());
                    }
                    found.config.tty
                }
            };
            self.position().tty = Some(tty);
            let most = match (last, self.begin) {
                (Some((at, _)), _) => {
                    options.since = Some(at);
                    options.tail = Some(CAUGHT_UP);
                    None
                }
                (None, LogBegin::Tail(lines) | LogBegin::Previous(lines)) => {
                    options.tail = Some(lines);
                    None
                }
                (None, LogBegin::Since(at, lines)) => {
                    options.since = Some(at);
                    options.tail = Some(lines);
                    None
                }
                (None, LogBegin::Head(lines)) => Some(lines),
            };
            Ok((Log::open(session, &self.id, &options, tty).await?, last, most))
        };
        tokio::time::timeout(OPEN, opening).await.unwrap_or_else(|_| Err(late(OPEN)))
    }
}
