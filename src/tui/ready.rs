//! Tells when keys are there to be read, without reading them: what is not asked for stays where it is, for whoever has
//! the terminal next.

use std::{
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::mpsc as blocking,
    thread,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use tokio::sync::mpsc;

/// Waits for keys in a thread of its own, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Ready {
    questions: blocking::Sender<()>,
    answers: mpsc::Receiver<io::Result<()>>,
    is_asked: bool,
    /// Its other end is what the thread waits for beside the keys.
    _end: UnixStream,
}

impl Ready {
    /// For a terminal, or whatever keys come from.
    pub(super) fn new(keys: OwnedFd) -> io::Result<Self> {
        let (end, ended) = UnixStream::pair()?;
        let (questions, asked) = blocking::channel();
        let (answer, answers) = mpsc::channel(1);
        thread::Builder::new().name("keys".to_owned()).spawn(move || {
            while asked.recv().is_ok() {
                let answered = match wait(&keys, &ended) {
                    Ok(true) => Ok(()),
                    Ok(false) => return,
                    Err(error) => Err(error),
                };
                if answer.blocking_send(answered).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { questions, answers, is_asked: false, _end: end })
    }

    /// Waits until there are keys, or the terminal is gone. Dropping the future loses nothing.
    pub(super) async fn keys(&mut self) -> io::Result<()> {
        let gone = || io::Error::other("nobody waits for keys any more");
        if !self.is_asked {
            self.questions.send(()).map_err(|_| gone())?;
            self.is_asked = true;
        }
        let answer = self.answers.recv().await;
        self.is_asked = false;
        answer.unwrap_or_else(|| Err(gone()))
    }
}

/// True when there are keys; false when nobody wants them any more.
fn wait(keys: &impl AsFd, ended: &impl AsFd) -> io::Result<bool> {
    loop {
        let mut both = [PollFd::new(keys, PollFlags::IN), PollFd::new(ended, PollFlags::IN)];
        match poll(&mut both, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let [keys, ended] = both;
        if !ended.revents().is_empty() {
            return Ok(false);
        }
        if !keys.revents().is_empty() {
            return Ok(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[tokio::test]
    async fn keys_are_told_of_and_stay_where_they_are() {
        let (mut typed, mut keys) = UnixStream::pair().unwrap();
        let mut ready = Ready::new(keys.try_clone().unwrap().into()).unwrap();
        typed.write_all(b"ab").unwrap();
        ready.keys().await.unwrap();
        ready.keys().await.unwrap();
        let mut read = [0; 2];
        keys.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"ab");
        // Who stops waiting loses nothing.
        let waiting = tokio::time::timeout(std::time::Duration::from_millis(1), ready.keys()).await;
        assert!(waiting.is_err());
        typed.write_all(b"c").unwrap();
        ready.keys().await.unwrap();
        // Dropped, its thread lets go of the terminal: the other end sees that nobody has it any more.
        drop(ready);
        drop(keys);
        let mut rest = Vec::new();
        let ended = typed.read_to_end(&mut rest);
        assert!(ended.is_ok() || ended.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset));
    }

    #[tokio::test]
    async fn a_terminal_that_is_gone_is_told_of() {
        let (typed, keys) = UnixStream::pair().unwrap();
        let mut ready = Ready::new(keys.into()).unwrap();
        drop(typed);
        ready.keys().await.unwrap();
    }
}
