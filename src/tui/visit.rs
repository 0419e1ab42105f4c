//! Someone else has the terminal for a while: keys go there byte by byte, what comes from there goes out as it is.

use std::{io, time::Duration};

use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot, watch},
};

use super::{ready::Ready, run::Outcome, signals::Signals, term, writer::Writer};
use crate::app::Msg;

/// Bytes of keys that are taken at once.
const KEYS: usize = 4096;
/// How it ended is said within this time.
const SAID: Duration = Duration::from_secs(5);
/// Leaves what one is attached to: ctrl-p ctrl-q.
const DETACH: [u8; 2] = [0x10, 0x11];
/// Between two looks at a terminal that is gone.
const GONE: Duration = Duration::from_millis(20);
/// The frame under way may hold up leaving so long.
const SETTLE: Duration = Duration::from_millis(500);

/// Someone who gets the terminal.
#[derive(Debug)]
pub struct Visit {
    /// Who, and how to leave: the line above.
    pub title: String,
    /// Keys go there.
    pub input: mpsc::Sender<Vec<u8>>,
    /// What comes from there; closed when it is over.
    pub output: mpsc::Receiver<Vec<u8>>,
    /// The terminal's columns and rows.
    pub size: watch::Sender<(u16, u16)>,
    /// How it ended.
    pub said: oneshot::Receiver<Msg>,
    /// It is left by ctrl-p ctrl-q.
    pub detaches: bool,
}

impl Visit {
    /// What is printed first.
    pub(super) fn banner(&self) -> &str {
        &self.title
    }
}

/// How a visit ended.
pub(super) enum End {
    /// It is over, and what is said of it.
    Over(Option<Msg>),
    /// The program shall end.
    Outcome(Outcome),
}

/// Finds the keys that leave, also where they come one by one.
#[derive(Default)]
struct Leaving {
    first: bool,
}

impl Leaving {
    fn see(&mut self, keys: &[u8]) -> bool {
        keys.iter().any(|key| {
            let left = self.first && *key == DETACH[1];
            self.first = *key == DETACH[0];
            left
        })
    }
}

/// Carries bytes both ways until the other side ends, the keys for leaving come, or a signal does.
pub(super) async fn stay(mut visit: Visit, writer: &Writer, signals: &mut Signals) -> io::Result<End> {
    let keys = rustix::io::dup(io::stdin())?;
    let mut ready = Ready::new(keys.try_clone()?)?;
    let mut resized = signal(SignalKind::window_change())?;
    // It may have become another since the visit was opened.
    if let Ok(size) = crossterm::terminal::size() {
        visit.size.send_if_modified(|known| std::mem::replace(known, size) != size);
    }
    let mut leaving = Leaving::default();
    loop {
        if writer.is_lost() {
            return Ok(End::Outcome(Outcome::HungUp));
        }
        tokio::select! {
            biased;
            _ = signals.hangup.recv() => return Ok(End::Outcome(Outcome::HungUp)),
            _ = signals.terminate.recv() => return Ok(End::Outcome(Outcome::Signal)),
            _ = signals.interrupt.recv() => return Ok(End::Outcome(Outcome::Signal)),
            _ = resized.recv() => {
                if let Ok(size) = crossterm::terminal::size() {
                    visit.size.send_replace(size);
                }
            }
            // Keys are left where they are while the other side takes none.
            there = ready.keys(), if visit.input.capacity() > 0 => {
                there?;
                // A read of what is not there would hold everything up.
                let there = usize::try_from(rustix::io::ioctl_fionread(&keys)?).unwrap_or(KEYS);
                if there == 0 {
                    // Told of and not there: a terminal that is gone. That comes as a signal, too.
                    tokio::time::sleep(GONE).await;
                    continue;
                }
                let mut typed = vec![0; there.min(KEYS)];
                let read = rustix::io::read(&keys, &mut typed)?;
                typed.truncate(read);
                let leaves = visit.detaches && leaving.see(&typed);
                // One that takes nothing any more is about to end.
                drop(visit.input.try_send(typed));
                if leaves {
                    break;
                }
            }
            piece = visit.output.recv(), if writer.is_idle() => match piece {
                Some(bytes) => drop(writer.write(bytes)),
                None => break,
            },
            () = writer.done() => {}
        }
    }
    drop(visit.input);
    drop(visit.output);
    let said = tokio::time::timeout(SAID, visit.said).await;
    Ok(End::Over(said.ok().and_then(Result::ok)))
}

/// Gives the terminal to a visit, outside of the dashboard. False when a signal ended it.
pub async fn visit(visit: Visit) -> Result<Option<Msg>, term::TermError> {
    term::check()?;
    let writer = Writer::start(term::output()?)?;
    let mut signals = Signals::new()?;
    enable_raw_mode()?;
    let end = stay(visit, &writer, &mut signals).await;
    writer.settle(SETTLE);
    if !matches!(end, Ok(End::Over(Some(Msg::Say(_))))) {
        term::quiet();
    }
    disable_raw_mode()?;
    Ok(match end? {
        End::Over(said) => said,
        End::Outcome(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_for_leaving_are_found_however_they_come() {
        for (keys, leaves) in [
            (vec![&b"\x10\x11"[..]], true),
            (vec![&b"ab\x10"[..], b"\x11"], true),
            (vec![&b"\x10\x10\x11"[..]], true),
            (vec![&b"\x10a\x11"[..]], false),
            (vec![&b"\x11\x10"[..]], false),
        ] {
            let mut leaving = Leaving::default();
            assert_eq!(keys.iter().any(|keys| leaving.see(keys)), leaves, "{keys:?}");
        }
    }
}
