//! Watching over one connection: list, events from the list's moment on, a closer look at what they name, a
//! heartbeat when they are silent, and samples for who asks.

mod due;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::debug;

use super::{actor::Actor, sampler::Sampler};
use crate::{
    engine::{
        convert::settle,
        error::{EngineError, ErrorKind, Fault},
        events::{open_events, parse_event},
        http::Lines,
        reader::Reader,
        session::Session,
        stats::Counters,
    },
    model::{Container, ContainerId, ContainerState, EngineEvent, HostChange, HostFacts, Image},
};

/// Events of one container within this time are one look at it: a start alone makes three.
const GATHER: Duration = Duration::from_millis(20);
/// A look that failed is repeated after this.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Images are listed so long after the first event about one: a pull makes several.
const IMAGE_GATHER: Duration = Duration::from_millis(300);
/// An engine that did not tell its images is asked again after this.
const IMAGES_AGAIN: Duration = Duration::from_secs(3);
/// Containers that started so lately are looked at for the exact moment: their health is counted from it.
const YOUNG: Duration = Duration::from_secs(90);

/// Events that are so much older than the last one told come from a clock that was set back, and are new.
const AGAIN: Duration = Duration::from_secs(10);

/// Something that was asked has its answer.
enum Done {
    Events(Result<Lines, Fault>),
    Facts(Result<HostFacts, EngineError>),
    Listed(Result<Vec<Container>, EngineError>),
    Images(Result<Vec<Image>, EngineError>),
    Looked(ContainerId, u64, Box<Result<Container, EngineError>>),
    Ping(Result<Duration, Fault>),
    Sampled(ContainerId, Option<Box<Counters>>),
}

/// A list that is under way.
struct Listing {
    since: Instant,
    /// Containers that events named meanwhile: the list may be older than those.
    touched: BTreeSet<ContainerId>,
}

/// All that one connection's watch remembers.
struct Watch<'a> {
    actor: &'a mut Actor,
    reader: &'a Reader,
    session: &'a Session,
    work: FuturesUnordered<BoxFuture<'static, Done>>,
    heard: Instant,
    ping: Option<Instant>,
    listing: Option<Listing>,
    list_due: Instant,
    /// The last list was asked for then.
    list_begun: Option<Instant>,
    images_due: Option<Instant>,
    /// Containers to look at, and when.
    dirty: BTreeMap<ContainerId, Instant>,
    /// Containers to look at when there is nothing better to do.
    later: VecDeque<ContainerId>,
    /// Looks under way, each with its number: an event makes an older look worthless.
    looks: BTreeMap<ContainerId, u64>,
    number: u64,
    sampler: Sampler,
    listed_once: bool,
    /// The last event of the connection before.
    told_before: Timestamp,
}

impl Actor {
    /// Watches until the connection breaks; says why it did.
    pub(super) async fn watch(&mut self, session: &Arc<Session>, reader: &Reader) -> Fault {
        let now = Instant::now();
        let asked = self.sampling.borrow_and_update().clone();
        let mut sampler = Sampler::default();
        sampler.ask(&self.host, &asked);
        let told_before = self.told;
        let mut watch = Watch {
            actor: self,
            reader,
            session,
            work: FuturesUnordered::new(),
            heard: now,
            ping: None,
            listing: None,
            list_due: now,
            list_begun: None,
            images_due: None,
            dirty: BTreeMap::new(),
            later: VecDeque::new(),
            looks: BTreeMap::new(),
            number: 0,
            sampler,
            listed_once: false,
            told_before,
        };
        watch.run(session).await
    }
}

impl Watch<'_> {
    async fn run(&mut self, session: &Arc<Session>) -> Fault {
        let mut lines: Option<Lines> = None;
        match session.date {
            // By its own clock the engine gives all events from its first answer on, so the list may be asked for at
            // the same time.
            Some(date) => {
                let session = session.clone();
                self.work.push(async move { Done::Events(open_events(&session, Some(date)).await) }.boxed());
            }
            // Without its clock, the subscription must stand first.
            None => match open_events(session, None).await {
                Ok(opened) => lines = Some(opened),
                Err(fault) => return fault,
            },
        }
        self.ask(|reader| async move { Done::Facts(reader.facts().await) }.boxed());
        let nudge = self.actor.nudge.clone();
        let mut sampling = self.actor.sampling.clone();
        loop {
            self.begin_what_is_due();
            let due = self.next_due();
            let result = tokio::select! {
                biased;
                Some(done) = self.work.next() => match done {
                    Done::Events(Ok(opened)) => {
                        lines = Some(opened);
                        Ok(())
                    }
                    Done::Events(Err(fault)) => Err(fault),
                    done => self.done(done),
                },
                () = tokio::time::sleep_until(due) => self.late(),
                () = nudge.resync.notified() => {
                    self.list_due = Instant::now();
                    self.list_begun = None;
                    Ok(())
                }
                Ok(()) = sampling.changed() => {
                    let asked = sampling.borrow_and_update().clone();
                    if self.sampler.ask(&self.actor.host, &asked) {
                        self.plan_samples();
                    }
                    Ok(())
                }
                // Last: of these alone there may be more than can be taken in.
                line = next_line(&mut lines) => self.line(line),
            };
            if let Err(fault) = result {
                return fault;
            }
        }
    }

    fn heard(&mut self) {
        self.heard = Instant::now();
        self.actor.seen = Some(self.actor.options.clock.now());
    }

    fn line(&mut self, line: Result<Option<Vec<u8>>, Fault>) -> Result<(), Fault> {
        match line {
            Ok(Some(line)) => {
                self.heard();
                if let Some(event) = parse_event(&self.actor.host, &line) {
                    self.event(event);
                }
                Ok(())
            }
            Ok(None) => Err(closed()),
            // Nothing is lost by it: what happened meanwhile is listed anew.
            Err(fault) if fault.kind == ErrorKind::LostAnswer => Err(closed()),
            Err(fault) => Err(fault),
        }
    }

    fn event(&mut self, event: EngineEvent) {
        let id = ContainerId(event.id.clone());
        match event.kind.as_str() {
            "container" if event.action == "destroy" => {
                self.touch(&id);
                self.gone(&id);
            }
            "container" => {
                self.touch(&id);
                self.dirty.entry(id).or_insert_with(|| Instant::now() + GATHER);
            }
            "image" => {
                self.images_due.get_or_insert_with(|| Instant::now() + IMAGE_GATHER);
            }
            _ => {}
        }
        // A connection begins with the events of the second in which it was made: some were told by the one before.
        let again = event.at <= self.told_before && crate::model::since(event.at, self.told_before) < AGAIN;
        if !again {
            self.actor.told = event.at;
            self.actor.outbox.put(HostChange::Event(event));
        }
    }

    /// Whatever is under way about this container is older than the event.
    fn touch(&mut self, id: &ContainerId) {
        if let Some(listing) = &mut self.listing {
            listing.touched.insert(id.clone());
        }
    }

    fn gone(&mut self, id: &ContainerId) {
        self.dirty.remove(id);
        self.looks.remove(id);
        if self.actor.known.remove(id).is_some() {
            self.actor.outbox.put(HostChange::Gone(id.clone()));
            self.plan_samples();
        }
    }

    fn done(&mut self, done: Done) -> Result<(), Fault> {
        match done {
            Done::Events(_) => {}
            Done::Facts(Ok(facts)) => {
                self.heard();
                self.actor.outbox.put(HostChange::Facts(facts));
            }
            Done::Images(Ok(images)) => {
                self.heard();
                self.actor.outbox.put(HostChange::Images(images));
            }
            // They are asked for again with the next list.
            Done::Facts(Err(error)) => debug!(%error, "no answer"),
            // What is not there any more would be taken for present until the next list.
            Done::Images(Err(error)) => {
                debug!(%error, "images");
                self.images_due.get_or_insert_with(|| Instant::now() + IMAGES_AGAIN);
            }
            Done::Listed(Ok(list)) => self.listed(list),
            Done::Listed(Err(error)) => {
                return Err(Fault { kind: error.kind, why: error.why, next: error.next });
            }
            Done::Looked(id, number, found) => self.looked(id, number, *found),
            Done::Ping(Err(fault)) => return Err(fault),
            Done::Ping(Ok(took)) => {
                self.ping = None;
                self.heard();
                if took > self.actor.options.slow_after {
                    let took = crate::text::duration(took);
                    self.actor.set_slow(&format!("the engine takes {took} to answer"));
                } else if self.listed_once {
                    self.actor.set_ready();
                }
            }
            Done::Sampled(id, counters) => {
                if counters.is_some() {
                    self.heard();
                }
                if let Some(usage) = self.sampler.end(&id, counters.map(|counters| *counters), Instant::now()) {
                    self.actor.outbox.put(HostChange::Usage(vec![(id, usage)]));
                }
            }
        }
        Ok(())
    }

    fn looked(&mut self, id: ContainerId, number: u64, found: Result<Container, EngineError>) {
        if self.looks.get(&id) != Some(&number) {
            // It was removed meanwhile.
            return;
        }
        self.looks.remove(&id);
        match found {
            Ok(container) => {
                self.heard();
                // What was told of it goes by the engine's id; an event could name it by something else.
                let id = container.id.clone();
                let before = self.actor.known.insert(id, container.clone());
                if before.as_ref() != Some(&container) {
                    let runs = |container: &Container| container.state == ContainerState::Running;
                    let replan = before.as_ref().is_some_and(runs) != runs(&container);
                    self.actor.outbox.put(HostChange::Container(Box::new(container)));
                    if replan {
                        self.plan_samples();
                    }
                }
            }
            Err(error) if error.is_not_found() => self.gone(&id),
            Err(error) => {
                debug!(%error, "look");
                if error.kind == ErrorKind::Late {
                    self.actor.set_slow("the engine is late to describe a container");
                }
                self.dirty.entry(id).or_insert_with(|| Instant::now() + LOOK_AGAIN);
            }
        }
    }

    fn listed(&mut self, list: Vec<Container>) {
        self.heard();
        let (at, now) = (self.actor.options.clock.now(), self.session.engine_now());
        let Some(listing) = self.listing.take() else { return };
        self.later.clear();
        // In place: next to nothing of a list is new.
        let known = &mut self.actor.known;
        let mut there: HashSet<ContainerId> = HashSet::with_capacity(list.len());
        for mut container in list {
            let id = container.id.clone();
            let before = known.get(&id);
            if listing.touched.contains(&id) {
                let is_gone = !self.dirty.contains_key(&id) && !self.looks.contains_key(&id);
                // A look meanwhile is newer than the list, and so is what the engine told of its end.
                if before.is_some() || is_gone {
                    continue;
                }
            } else {
                if let Some(before) = before {
                    settle(&mut container, before, now);
                }
                if wants_a_look(&container, before, now) {
                    self.later.push_back(id.clone());
                }
            }
            if before != Some(&container) {
                known.insert(id.clone(), container);
            }
            there.insert(id);
        }
        // What was touched was made, or looked at, after the list was taken.
        known.retain(|id, _| there.contains(id) || listing.touched.contains(id));
        let containers = self.actor.known.values().cloned().collect();
        self.actor.outbox.put(HostChange::Listed { at, containers });
        let took = listing.since.elapsed();
        if took > self.actor.options.slow_after * 5 {
            self.actor.set_slow(&format!("the engine takes {} to list its containers", crate::text::duration(took)));
        } else {
            self.actor.set_ready();
        }
        if self.listed_once {
            self.ask(|reader| async move { Done::Facts(reader.facts().await) }.boxed());
        }
        self.listed_once = true;
        self.images_due = Some(Instant::now());
        self.actor.settle();
        self.plan_samples();
    }

    fn plan_samples(&mut self) {
        let running = self.actor.known.values().filter(|container| container.state == ContainerState::Running);
        self.sampler.plan(running.map(|container| &container.id), Instant::now());
    }
}

/// A replica whose exact start or end matters and is not known from before.
fn wants_a_look(container: &Container, before: Option<&Container>, now: Timestamp) -> bool {
    let exact = before.is_some_and(|before| before.started == container.started && before.state == container.state);
    if exact || container.replica().is_none() {
        return false;
    }
    match &container.state {
        ContainerState::Running => container.started.is_none_or(|started| crate::model::since(started, now) < YOUNG),
        ContainerState::Exited { .. } | ContainerState::Restarting => true,
        _ => false,
    }
}

fn closed() -> Fault {
    Fault::new(
        ErrorKind::Unreachable,
        "the engine closed the connection",
        "if it does not come back, look at the engine there (systemctl status docker)",
    )
}

async fn next_line(lines: &mut Option<Lines>) -> Result<Option<Vec<u8>>, Fault> {
    match lines {
        Some(lines) => lines.next().await,
        None => std::future::pending().await,
    }
}
