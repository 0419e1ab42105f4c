//! Frames to the terminal, from a thread of its own: a reader that stalls never blocks the program, and there is
//! never more than one frame under way.

use std::{
    io::Write,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        mpsc::{SyncSender, sync_channel},
    },
    time::Duration,
};

use tokio::sync::Notify;

/// How the writer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Idle,
    Writing,
    /// The terminal is gone.
    Lost,
}

struct Shared {
    status: Mutex<Status>,
    changed: Condvar,
    done: Notify,
}

impl Shared {
    fn set(&self, status: Status) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
        self.changed.notify_all();
        self.done.notify_one();
    }

    fn get(&self) -> Status {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes one frame at a time.
pub struct Writer {
    frames: SyncSender<Vec<u8>>,
    shared: Arc<Shared>,
}

impl Writer {
    /// Starts the thread that writes to `out`.
    pub fn start(mut out: impl Write + Send + 'static) -> std::io::Result<Self> {
        let (frames, inbox) = sync_channel::<Vec<u8>>(1);
        let shared =
            Arc::new(Shared { status: Mutex::new(Status::Idle), changed: Condvar::new(), done: Notify::new() });
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new().name("terminal-writer".into()).spawn(move || {
            for frame in inbox {
                // One write where the terminal takes it: multiplexers show what one read brought them.
                let written = out.write_all(&frame).and_then(|()| out.flush());
                theirs.set(if written.is_ok() { Status::Idle } else { Status::Lost });
                if written.is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { frames, shared })
    }

    /// True when a frame can be handed over.
    pub fn is_idle(&self) -> bool {
        self.shared.get() == Status::Idle
    }

    /// True when the terminal is gone.
    pub fn is_lost(&self) -> bool {
        self.shared.get() == Status::Lost
    }

    /// Hands a frame over. Only when idle; otherwise nothing happens and the answer is false.
    pub fn write(&self, frame: Vec<u8>) -> bool {
        if !self.is_idle() {
            return false;
        }
        *self.shared.status.lock().unwrap_or_else(PoisonError::into_inner) = Status::Writing;
        if self.frames.try_send(frame).is_err() {
            self.shared.set(Status::Lost);
            return false;
        }
        true
    }

    /// Waits for the end of the frame that is under way.
    pub async fn done(&self) {
        self.shared.done.notified().await;
    }

    /// Waits, blocking, until nothing is under way, at most `limit`.
    pub fn settle(&self, limit: Duration) {
        let status = self.shared.status.lock().unwrap_or_else(PoisonError::into_inner);
        // Whether it was in time does not matter: what follows is written either way.
        drop(self.shared.changed.wait_timeout_while(status, limit, |status| *status == Status::Writing));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Passes each write on, and waits for leave to return from it.
    struct Gate(Sender<Vec<u8>>, Receiver<()>);

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(std::io::Error::other)?;
            self.1.recv().map_err(std::io::Error::other)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn one_frame_is_under_way_and_no_more() {
        let (seen, frames) = channel();
        let (pass, gate) = channel();
        let writer = Writer::start(Gate(seen, gate)).unwrap();
        assert!(writer.write(b"one".to_vec()));
        assert_eq!(frames.recv().unwrap(), b"one");
        assert!(!writer.is_idle());
        assert!(!writer.write(b"two".to_vec()), "the first is still under way");
        pass.send(()).unwrap();
        writer.settle(Duration::from_secs(30));
        assert!(writer.write(b"three".to_vec()));
        assert_eq!(frames.recv().unwrap(), b"three");
    }

    #[test]
    fn a_lost_terminal_is_noticed() {
        let (seen, frames) = channel();
        let (pass, gate) = channel();
        drop((frames, pass));
        let writer = Writer::start(Gate(seen, gate)).unwrap();
        assert!(writer.write(b"one".to_vec()));
        writer.settle(Duration::from_secs(30));
        assert!(writer.is_lost());
        assert!(!writer.write(b"two".to_vec()));
    }
}
