//! What a region's reconciler does now: planned anew from what is wanted and what is seen, every time.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{
    Action, Memory, Next, Wait, World,
    depends::Order,
    eligible::silence,
    index::{Index, Sight},
    moves, observe, operation, prune, pulls, replace,
    routes::Routes,
    tidy, traffic, trial,
    view::ServiceView,
};
use crate::{
    model::{Defaults, HostName, Operation, RegionName, ReplicaKey, ServiceKey, Slot, StackName, since},
    text::short_image,
};

/// What to do now in a region. `operations` are the open ones, oldest first. Level-triggered: the same world and
/// memory give the same answer, and an action that is in flight is not given again.
pub fn next(world: &World<'_>, region: &RegionName, memory: &Memory, operations: &[Operation]) -> Next {
    let index = Index::new(world, region, Some(memory));
    let views = index.services();
    let order = Order::new(&views);
    let routes = Routes::new(&index, &views);
    let mut work = Work::new(&index, &views, &order, &routes, memory, operations);
    let gates = pulls::pull(&mut work);
    for key in order.services.iter().copied() {
        work.paused_of(key);
        if let Some(view) = views.get(key) {
            work.hosts_of(view);
            replace::service(&mut work, view, &gates);
        }
    }
    for closed in &routes.closed {
        let what =
            format!("{}: port {} is held by {}; the proxy opens it then", closed.host, closed.port, closed.holder);
        work.wait(closed.service, None, what, None);
    }
    trial::clear(&mut work);
    moves::find(&mut work);
    tidy::tidy(&mut work);
    prune::next(&mut work);
    observe::watch(&mut work);
    work.next.proxies = traffic::proxies(&work);
    work.next
}

/// What one call of [`next`] works with.
pub(crate) struct Work<'w, 'a> {
    pub index: &'w Index<'a>,
    pub views: &'w BTreeMap<&'a ServiceKey, ServiceView<'a>>,
    pub order: &'w Order<'a>,
    pub routes: &'w Routes<'a>,
    pub memory: &'w Memory,
    pub operations: &'w [Operation],
    pub next: Next,
    /// What is in flight, by the replica that it is about.
    busy: BTreeMap<&'w ReplicaKey, &'w Action>,
    /// When the open operation of a service is given up unless something new happens.
    given_up: BTreeMap<ServiceKey, Timestamp>,
    /// Slots that a paused operation changes.
    paused: BTreeMap<ServiceKey, operation::Frozen>,
    /// Networks being removed.
    tidying: BTreeSet<(&'w HostName, &'w StackName)>,
}

impl<'w, 'a> Work<'w, 'a> {
    fn new(
        index: &'w Index<'a>,
        views: &'w BTreeMap<&'a ServiceKey, ServiceView<'a>>,
        order: &'w Order<'a>,
        routes: &'w Routes<'a>,
        memory: &'w Memory,
        operations: &'w [Operation],
    ) -> Self {
        let mut busy = BTreeMap::new();
        let mut tidying = BTreeSet::new();
        for action in &memory.in_flight {
            match action {
                Action::Create { replica, .. } | Action::Start { replica, .. } | Action::Stop { replica, .. } => {
                    busy.insert(replica, action);
                }
                Action::Tidy { host, stack } => {
                    tidying.insert((host, stack));
                }
                Action::Pull { .. }
                | Action::Learn { .. }
                | Action::Test { .. }
                | Action::Clear { .. }
                | Action::Prune { .. } => {}
            }
        }
        let mut given_up = BTreeMap::new();
        for operation in operations.iter().filter(|operation| operation.paused.is_none()) {
            let deadline = operation::progress_deadline(index, views, memory, operation);
            for key in operation::services(operation, index.region) {
                given_up.extend(deadline.map(|deadline| (key.clone(), deadline)));
            }
        }
        let next = Next::default();
        let paused = operation::paused(index, views, operations);
        let mut work = Self { index, views, order, routes, memory, operations, next, busy, given_up, paused, tidying };
        let deadlines: Vec<Timestamp> = work.given_up.values().copied().collect();
        for at in deadlines {
            work.alarm(at);
        }
        work
    }

    pub fn now(&self) -> Timestamp {
        self.index.world.now
    }

    pub fn defaults(&self) -> &'w Defaults {
        &self.index.defaults
    }

    /// What is in flight for a replica.
    pub fn busy(&self, replica: &ReplicaKey) -> Option<&'w Action> {
        self.busy.get(replica).copied()
    }

    /// True while the operation that changes the replica is paused: nothing is made for it, and nothing stopped.
    pub fn is_paused(&self, replica: &ReplicaKey) -> bool {
        self.paused.get(&replica.service).is_some_and(|frozen| frozen.slots.contains(&replica.slot))
    }

    /// True while an operation that concerns the service is paused: none of its replicas is taken away.
    pub fn holds(&self, service: &ServiceKey) -> bool {
        self.paused.contains_key(service)
    }

    /// Tells that a service's operation is paused.
    fn paused_of(&mut self, service: &ServiceKey) {
        if let Some(frozen) = self.paused.get(service) {
            let replica =
                |slot: &Slot| ReplicaKey { region: self.index.region.clone(), service: service.clone(), slot: *slot };
            self.next.frozen.extend(frozen.slots.iter().map(replica));
            let what = format!("paused by {}", frozen.by);
            self.wait(service, None, what, None);
        }
    }

    /// True while a stack's networks are being removed from a host.
    pub fn is_tidying(&self, host: &HostName, stack: &StackName) -> bool {
        self.tidying.contains(&(host, stack))
    }

    /// Something cannot go on yet. Without a deadline of its own it has that of the service's open operation; what no
    /// operation asked for is never given up.
    pub fn wait(
        &mut self,
        service: &ServiceKey,
        replica: Option<&ReplicaKey>,
        what: String,
        deadline: Option<Timestamp>,
    ) {
        let deadline = deadline.or_else(|| self.given_up.get(service).copied());
        self.next.waits.push(Wait { service: service.clone(), replica: replica.cloned(), what, deadline });
        if let Some(deadline) = deadline {
            self.alarm(deadline);
        }
    }

    /// Looks again at this moment, if it is to come.
    pub fn alarm(&mut self, at: Timestamp) {
        if at > self.now() {
            self.next.look_again = Some(self.next.look_again.map_or(at, |known| known.min(at)));
        }
    }

    /// Gives an action, unless it failed so lately that it has to pause. False when it does.
    pub fn act(&mut self, action: Action, service: &ServiceKey, replica: Option<&ReplicaKey>) -> bool {
        if let Some(failure) = self.memory.failures.get(&action) {
            // What cannot succeed is tried again too, for an image may be pushed late, but slowly.
            let pause = if failure.is_final {
                self.defaults().restart_backoff_max
            } else {
                backoff(self.defaults(), failure.times)
            };
            let due = failure.at.checked_add(pause).unwrap_or(Timestamp::MAX);
            if due > self.now() {
                let times = if failure.times > 1 { format!(" {} times", failure.times) } else { String::new() };
                let what = format!("{}: {} failed{times}: {}", action.host(), verb(&action), failure.error);
                self.wait(service, replica, what, None);
                self.alarm(due);
                return false;
            }
        }
        self.next.actions.push(action);
        true
    }

    /// Tells which hosts of a service cannot be seen: their replicas stay in the books.
    fn hosts_of(&mut self, view: &ServiceView<'_>) {
        let mut silent: BTreeMap<&HostName, (u32, Sight<'_>)> = BTreeMap::new();
        for slot in &view.slots {
            if !matches!(slot.sight, Sight::Seen(_)) {
                silent.entry(&slot.place.host).or_insert((0, slot.sight)).0 += 1;
            }
        }
        for (host, (count, sight)) in silent {
            let replicas = if count == 1 { "1 replica".to_owned() } else { format!("{count} replicas") };
            match sight {
                Sight::Silent { view: seen, since: at } => {
                    let down_at =
                        at.checked_add(self.defaults().down_after).ok().filter(|down_at| *down_at > self.now());
                    let what = format!("{host}, not seen now{}, has {replicas}", reason(seen.link.reason()));
                    self.wait(view.key, None, what, down_at);
                }
                Sight::Down { view: seen, since: at } => {
                    let words = silence(since(at, self.now()));
                    let why = reason(seen.link.reason());
                    self.wait(view.key, None, format!("{host}, not seen for {words}{why}, has {replicas}"), None);
                }
                Sight::Gone => {
                    let region = self.index.region;
                    self.wait(view.key, None, format!("{host} is not in {region} any more and has {replicas}"), None);
                }
                Sight::Seen(_) => {}
            }
        }
    }
}

fn reason(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

fn verb(action: &Action) -> String {
    match action {
        Action::Pull { image, .. } => format!("pull of {}", short_image(image)),
        Action::Learn { service, revision, .. } => format!("reading what the image of {service} r{revision} exposes"),
        Action::Test { service, revision, .. } => format!("test of {service} r{revision}"),
        Action::Clear { service, .. } => format!("removing the test of {service}"),
        Action::Create { .. } => "create".into(),
        Action::Start { .. } => "start".into(),
        Action::Stop { .. } => "stop".into(),
        Action::Tidy { stack, .. } => format!("removing networks of {stack}"),
        Action::Prune { what, id, .. } => format!("removing {} {id}", what.word()),
    }
}

/// The pause after so many failures in a row.
pub(crate) fn backoff(defaults: &Defaults, times: u32) -> std::time::Duration {
    let doubled =
        defaults.restart_backoff.saturating_mul(1_u32.checked_shl(times.saturating_sub(1)).unwrap_or(u32::MAX));
    doubled.min(defaults.restart_backoff_max)
}
