//! Something that works for async callers, one job after the other: on a thread of its own, or in the caller's turn.

use std::sync::{Mutex, PoisonError, mpsc};

use futures::channel::oneshot;

use super::StoreError;

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// The calling end. Its thread, where it has one, ends when this is dropped.
#[derive(Debug)]
pub(super) enum Worker<S> {
    Thread(mpsc::Sender<Job<S>>),
    /// Without a thread nothing depends on which of two is faster.
    InTurn(Mutex<S>),
}

impl<S: Send + 'static> Worker<S> {
    /// Starts the thread, unless all shall be done in the caller's turn.
    pub(super) fn start(name: &str, mut state: S, in_turn: bool) -> std::io::Result<Self> {
        if in_turn {
            return Ok(Self::InTurn(Mutex::new(state)));
        }
        let (jobs, queue) = mpsc::channel::<Job<S>>();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Ok(job) = queue.recv() {
                job(&mut state);
            }
        })?;
        Ok(Self::Thread(jobs))
    }

    /// Does `job` and gives its result.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut S) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let jobs = match self {
            Self::Thread(jobs) => jobs,
            Self::InTurn(state) => return job(&mut state.lock().unwrap_or_else(PoisonError::into_inner)),
        };
        let (reply, answer) = oneshot::channel();
        // A caller that went away needs no answer; the work is done all the same.
        let job: Job<S> = Box::new(move |state| drop(reply.send(job(state))));
        jobs.send(job).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}
