//! A thread that owns a value and works for async callers, one job after the other.

use std::sync::mpsc;

use futures::channel::oneshot;

use super::StoreError;

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// The calling end. The thread ends when this is dropped.
#[derive(Debug)]
pub(super) struct Worker<S> {
    jobs: mpsc::Sender<Job<S>>,
}

impl<S: Send + 'static> Worker<S> {
    /// Starts the thread.
    pub(super) fn start(name: &str, mut state: S) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job<S>>();
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Ok(job) = queue.recv() {
                job(&mut state);
            }
        })?;
        Ok(Self { jobs })
    }

    /// Runs `job` on the thread and gives its result.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut S) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        // A caller that went away needs no answer; the work is done all the same.
        let job: Job<S> = Box::new(move |state| drop(reply.send(job(state))));
        self.jobs.send(job).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}
