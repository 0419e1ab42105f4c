//! Following what many containers print: one stream for each, merged in the order of time, let go when it comes faster
//! than it can be taken.

mod gather;
mod source;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinHandle,
};

use self::{
    gather::Gather,
    source::{Position, Source},
};
use super::reader::Reader;
use crate::model::{HostName, LogBatch, LogBegin, LogQuery};

/// Logs of one host that are opened at the same time.
const OPENED_AT_ONCE: usize = 8;

/// Gives what can be asked of a host.
type Readers = Box<dyn Fn(&HostName) -> Option<Reader> + Send>;

/// Follows what the last query names. Dropped, it ends.
pub struct Follower {
    readers: Readers,
    tell: mpsc::Sender<LogBatch>,
    running: Option<Running>,
}

/// One generation of queries.
struct Running {
    generation: u64,
    begin: LogBegin,
    gather: Gather,
    sources: BTreeMap<u32, Followed>,
    gates: BTreeMap<HostName, Arc<Semaphore>>,
}

struct Followed {
    position: Arc<Mutex<Position>>,
    /// Tells the task whether the container's process runs.
    runs: watch::Sender<bool>,
    task: Option<Task>,
}

/// A task that ends with its owner.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Follower {
    /// `readers` gives what can be asked of a host; batches go to `tell`. When that is full, lines are held, and then
    /// let go and counted.
    pub fn new(readers: impl Fn(&HostName) -> Option<Reader> + Send + 'static, tell: mpsc::Sender<LogBatch>) -> Self {
        Self { readers: Box::new(readers), tell, running: None }
    }

    /// Follows this from now on. Must be called in a runtime.
    pub fn follow(&mut self, query: LogQuery) {
        let fits = |running: &Running| running.generation == query.generation;
        let running = match self.running.take().filter(fits) {
            Some(running) => self.running.insert(running),
            None => self.running.insert(Running {
                generation: query.generation,
                begin: query.begin,
                gather: Gather::start(query.generation, self.tell.clone()),
                sources: BTreeMap::new(),
                gates: BTreeMap::new(),
            }),
        };
        for source in query.sources {
            let followed = running.sources.entry(source.number).or_insert_with(|| Followed {
                position: Arc::default(),
                runs: watch::channel(source.runs).0,
                task: None,
            });
            followed.runs.send_if_modified(|runs| std::mem::replace(runs, source.runs) != source.runs);
            if query.paused {
                followed.task = None;
                continue;
            }
            let Some(reader) = (self.readers)(&source.host).filter(|_| followed.task.is_none()) else { continue };
            let gate = running.gates.entry(source.host).or_insert_with(|| Arc::new(Semaphore::new(OPENED_AT_ONCE)));
            let task = Source {
                number: source.number,
                id: source.container,
                reader,
                begin: running.begin,
                runs: followed.runs.subscribe(),
                position: followed.position.clone(),
                gate: gate.clone(),
                buffer: running.gather.buffer(),
            };
            followed.task = Some(Task(tokio::spawn(task.run())));
        }
    }

    /// Follows nothing any more.
    pub fn stop(&mut self) {
        self.running = None;
    }
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Follower")
    }
}
