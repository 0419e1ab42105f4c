//! What must be true all the while: looked at every few milliseconds, past links and faults.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use jiff::Timestamp;
use wharf::sim::{Engine, Glimpse, Standing};

use super::truth::is_healthy;
pub use super::truth::{FLEET, is_of_fleet, is_ours, service_of};

/// Time between two looks.
const BEAT: Duration = Duration::from_millis(3);

#[derive(Default)]
struct Book {
    /// The fewest healthy replicas there may be, by service.
    floors: BTreeMap<String, usize>,
    /// Containers of others, as they were first seen, by host and id.
    foreign: BTreeMap<(String, String), Glimpse>,
    /// The fewest and the most running replicas seen since they were asked for, by service.
    seen: BTreeMap<String, (usize, usize)>,
    trouble: Vec<String>,
    looks: u64,
}

/// Watches engines until it is dropped.
pub struct Guard {
    book: Arc<Mutex<Book>>,
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Guard {
    pub fn start(engines: Vec<(String, Arc<Engine>)>, min_healthy: Duration) -> Self {
        let (book, stop) = (Arc::<Mutex<Book>>::default(), Arc::<AtomicBool>::default());
        let (theirs, end) = (book.clone(), stop.clone());
        let beat = if engines.len() > 20 { BEAT * 30 } else { BEAT };
        let thread = thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                look(&engines, min_healthy, &mut theirs.lock().unwrap());
                thread::sleep(beat);
            }
        });
        Self { book, stop, thread: Some(thread) }
    }

    /// From now on, never fewer healthy replicas of the service than this; none takes the demand away.
    pub fn floor(&self, service: &str, floor: Option<usize>) {
        let mut book = self.book.lock().unwrap();
        match floor {
            Some(floor) => book.floors.insert(service.to_owned(), floor),
            None => book.floors.remove(service),
        };
    }

    /// Containers of others that must stay exactly as they are.
    pub fn protect(&self, host: &str, glimpses: impl IntoIterator<Item = Glimpse>) {
        let mut book = self.book.lock().unwrap();
        book.foreign.extend(glimpses.into_iter().map(|it| ((host.to_owned(), it.id.clone()), it)));
    }

    /// What was protected on a host may change from now on.
    pub fn forget(&self, host: &str) {
        self.book.lock().unwrap().foreign.retain(|(name, _), _| name != host);
    }

    /// The fewest and the most running replicas of a service since the last call.
    pub fn range(&self, service: &str) -> (usize, usize) {
        self.book.lock().unwrap().seen.remove(service).unwrap_or_default()
    }

    /// What went wrong so far.
    pub fn trouble(&self) -> Vec<String> {
        let book = self.book.lock().unwrap();
        assert!(book.looks > 0, "the guard never looked");
        book.trouble.clone()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn look(engines: &[(String, Arc<Engine>)], min_healthy: Duration, book: &mut Book) {
    let peek =
        || -> Vec<(&String, Vec<Glimpse>)> { engines.iter().map(|(name, engine)| (name, engine.peek())).collect() };
    let first = peek();
    book.looks += 1;
    for (service, (running, _)) in counts(&first, min_healthy) {
        let range = book.seen.entry(service).or_insert((running, running));
        *range = (range.0.min(running), range.1.max(running));
    }
    for ((host, id), before) in &book.foreign {
        let now = first.iter().find(|(name, _)| *name == host).and_then(|(_, all)| all.iter().find(|it| it.id == *id));
        if now != Some(before) && book.trouble.len() < 10 {
            book.trouble.push(format!("on {host}, {} of others was touched: {now:?}", before.name));
        }
    }
    let low = |all: &[(&String, Vec<Glimpse>)]| -> Vec<String> {
        let counts = counts(all, min_healthy);
        let healthy = |service: &String| counts.get(service).map_or(0, |count| count.1);
        let short = book.floors.iter().filter(|(service, floor)| healthy(service) < **floor);
        short.map(|(service, floor)| format!("{service} has {} healthy of {floor}", healthy(service))).collect()
    };
    // Hosts are looked at one after the other, so a move between two looks can hide a replica. It does not twice.
    if !low(&first).is_empty() {
        let again = low(&peek());
        if book.trouble.len() < 10 {
            book.trouble.extend(again);
        }
    }
}

/// Running and healthy replicas by service.
fn counts(all: &[(&String, Vec<Glimpse>)], min_healthy: Duration) -> BTreeMap<String, (usize, usize)> {
    let mut counts: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for glimpse in all.iter().flat_map(|(_, all)| all).filter(|glimpse| is_ours(glimpse)) {
        let count = counts.entry(service_of(glimpse)).or_default();
        count.0 += usize::from(matches!(glimpse.standing, Standing::Running(_)));
        count.1 += usize::from(is_healthy(glimpse, min_healthy, Timestamp::now()));
    }
    counts
}
