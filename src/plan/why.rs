//! Why a service is not healthy: a chain of causes in words, each with its evidence.

use serde::Serialize;

use super::{
    Books, Memory, State, Wait, World,
    eligible::{grouped, silence},
    index::{Index, Seen, Sight},
    next::next,
    standing::Standing,
    view::{ServiceView, SlotView},
};
use crate::model::{
    ContainerId, ContainerState, HostIntent, HostName, JournalEntry, Operation, RegionName, ServiceKey, ServiceSpec,
    StepState, since,
};

/// What is known beside what is wanted and seen.
#[derive(Debug, Clone, Copy)]
pub struct Records<'a> {
    /// The operations, newest first.
    pub operations: &'a [Operation],
    /// The journal, any order.
    pub journal: &'a [JournalEntry],
}

/// Why a service is as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The service.
    pub service: ServiceKey,
    /// The worst of its causes.
    pub state: State,
    /// In one line.
    pub summary: String,
    /// What is the matter, the worst first; empty when all is well.
    pub causes: Vec<Cause>,
}

/// One thing that is the matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cause {
    /// How bad.
    pub state: State,
    /// Where.
    pub region: RegionName,
    /// What, in a sentence.
    pub what: String,
    /// What shows it, and what follows.
    pub evidence: Vec<String>,
    /// Whom to ask for more: the container that is not well.
    pub ask: Option<(HostName, ContainerId)>,
}

/// Lines of the journal that are told at most.
const LINES: usize = 3;

/// Why services are not healthy, in all their regions, in the order in which they are named. A region is planned once,
/// however many of them run there.
pub fn why(world: &World<'_>, services: &[ServiceKey], records: Records<'_>) -> Vec<Explanation> {
    let mut found: Vec<Found> = services.iter().map(|_| Found::default()).collect();
    for region in &world.fleet.regions {
        let index = Index::new(world, &region.name, None);
        let waits = next(world, &region.name, &Memory::default(), &[]).waits;
        for (service, found) in services.iter().zip(&mut found) {
            let known = world.desired.services.get_key_value(service).map(|(key, _)| key);
            let Some(key) = known.or_else(|| index.containers.get_key_value(service).map(|(key, _)| *key)) else {
                continue;
            };
            let view = index.service(key);
            found.wanted += view.slots.len();
            found.up += view.slots.iter().filter(|slot| slot.is_up()).count();
            let causes = &mut found.causes;
            Region { world, index: &index, name: &region.name, view: &view, causes }.tell(records, &waits);
        }
    }
    services.iter().zip(found).map(|(service, found)| found.explained(service)).collect()
}

/// What was found of one service.
#[derive(Default)]
struct Found {
    wanted: usize,
    up: usize,
    causes: Vec<Cause>,
}

impl Found {
    fn explained(mut self, service: &ServiceKey) -> Explanation {
        let Self { wanted, up, .. } = self;
        self.causes.sort_by_key(|cause| std::cmp::Reverse(cause.state));
        let state = self.causes.iter().map(|cause| cause.state).max().unwrap_or_default();
        let summary = match (self.causes.is_empty(), wanted) {
            (true, 0) => format!("{service}: nothing is wanted and nothing runs"),
            (true, _) => format!("{service} is healthy: {up} of {wanted} replicas are as wanted"),
            (false, 0) => format!("{service}: nothing is wanted, and something is left"),
            (false, _) if up == wanted => format!("{service}: all {wanted} replicas are as wanted, and it waits"),
            (false, _) => format!("{service} is not as wanted: {up} of {wanted} replicas are well"),
        };
        Explanation { service: service.clone(), state, summary, causes: self.causes }
    }
}

/// One region, while it is looked at.
struct Region<'w, 'a> {
    world: &'w World<'a>,
    index: &'w Index<'a>,
    name: &'w RegionName,
    view: &'w ServiceView<'a>,
    causes: &'w mut Vec<Cause>,
}

impl Region<'_, '_> {
    fn tell(&mut self, records: Records<'_>, waits: &[Wait]) {
        let earlier = self.causes.len();
        for slot in &self.view.slots {
            self.slot(slot);
        }
        let found = self.causes.len() > earlier;
        self.operations(records.operations);
        for wait in waits.iter().filter(|wait| wait.service == *self.view.key) {
            let what = format!("it waits for {}", wait.what);
            // The health of single replicas is told with them; what several wait for is told once.
            let is_told = self.causes.iter().skip(earlier).any(|cause| cause.what == what);
            let is_of_replica = wait.what.starts_with("health of");
            if !is_of_replica && !is_told {
                self.add(State::Changing, what, Vec::new(), None);
            }
        }
        if found && let Some(first) = self.causes.get_mut(earlier) {
            first.evidence.extend(journal(records.journal, self.view.key, self.name));
        }
    }

    fn add(&mut self, state: State, what: String, evidence: Vec<String>, ask: Option<(HostName, ContainerId)>) {
        self.causes.push(Cause { state, region: self.name.clone(), what, evidence, ask });
    }

    fn slot(&mut self, slot: &SlotView<'_>) {
        let (replica, host) = (&slot.key, &slot.place.host);
        let closed = match self.world.desired.hosts.get(host) {
            Some(HostIntent::Draining) => Some(format!("{host} is draining: the replica moves away")),
            Some(HostIntent::Cordoned) => Some(format!("{host} is cordoned: it takes nothing new")),
            None => None,
        };
        match (slot.sight, &slot.wanted) {
            (Sight::Silent { view, since: at } | Sight::Down { view, since: at }, _) => {
                let silent = silence(since(at, self.world.now));
                let mut evidence = vec![view.link.reason().to_owned()];
                evidence.retain(|line| !line.is_empty());
                evidence.push(match slot.sight {
                    Sight::Down { .. } => "it counts as down: the replica is replaced on another host".to_owned(),
                    _ => format!(
                        "unknown is not down: it is replaced elsewhere after {}",
                        crate::text::duration(self.index.defaults.down_after)
                    ),
                });
                self.add(
                    State::Unknown,
                    format!("{replica} cannot be seen: {host} is silent for {silent}"),
                    evidence,
                    None,
                );
            }
            (Sight::Gone, _) => {
                let what =
                    format!("{replica} is placed on {host}, which the fleet file does not name in {}", self.name);
                self.add(State::Failed, what, Vec::new(), None);
            }
            (Sight::Seen(_), None) => {
                let mut evidence: Vec<String> = closed.into_iter().collect();
                let (state, what) = match slot.old.first() {
                    Some((old, _)) => (
                        State::Changing,
                        format!("{replica} is to be replaced: r{} on {}", old.of.revision, old.host.name),
                    ),
                    None => (State::Failed, format!("{replica} has no container on {host}")),
                };
                evidence.extend(self.refusals());
                self.add(state, what, evidence, None);
            }
            (Sight::Seen(_), Some((seen, standing))) => {
                if let Some((state, what, mut evidence)) = self.standing(replica, seen, *standing) {
                    evidence.extend(closed);
                    evidence.extend(self.proxies(seen));
                    let ask = Some((seen.host.name.clone(), seen.container.id.clone()));
                    self.add(state, what, evidence, ask);
                }
            }
        }
    }

    /// What is wrong with a container; none when it is well.
    fn standing(
        &self,
        replica: &crate::model::ReplicaKey,
        seen: &Seen<'_>,
        standing: Standing,
    ) -> Option<(State, String, Vec<String>)> {
        let host = &seen.host.name;
        let mut evidence = Vec::new();
        if seen.container.restarts > 0 {
            evidence.push(format!("the engine started it again {} times", seen.container.restarts));
        }
        let (state, what) = match standing {
            Standing::Healthy | Standing::Completed => return None,
            Standing::Starting { healthy_at } => {
                if let Some(at) = healthy_at {
                    let left = silence(since(self.world.now, at));
                    evidence.push(format!("it has no check and counts as healthy in {left}"));
                }
                (State::Changing, format!("{replica} on {host} is starting"))
            }
            Standing::Unhealthy => {
                evidence.extend(check_words(self.view.spec()));
                (State::Failed, format!("{replica} on {host} fails its health check"))
            }
            Standing::Restarting => (State::Failed, format!("{replica} on {host} dies again and again")),
            Standing::Ended { again, at, .. } => {
                if let Some(at) = at {
                    evidence.push(format!("{} ago", silence(since(at, self.world.now))));
                }
                evidence.push(if again {
                    format!(
                        "it is started again, after a pause that doubles from {} to {}",
                        crate::text::duration(self.index.defaults.restart_backoff),
                        crate::text::duration(self.index.defaults.restart_backoff_max)
                    )
                } else {
                    "its restart policy does not start it again".to_owned()
                });
                (State::Failed, format!("{replica} on {host} {}", standing.words()))
            }
            other => (State::Failed, format!("{replica} on {host} is {}", other.words())),
        };
        if let ContainerState::Other(word) = &seen.container.state {
            evidence.push(format!("its engine calls its state `{word}`"));
        }
        Some((state, what, evidence))
    }

    /// Why hosts of the region would not take a new replica.
    fn refusals(&self) -> Vec<String> {
        let Some(spec) = self.view.spec() else { return Vec::new() };
        let books = Books::new(self.world, self.name, &[self.view.key.clone()].into());
        let reasons =
            books.hosts.iter().filter_map(|book| Some((book.view.name.clone(), book.refuses(self.view.key, spec)?)));
        grouped(reasons).into_iter().map(|clause| format!("cannot run it: {clause}")).collect()
    }

    /// What proxies make of a container.
    fn proxies(&self, seen: &Seen<'_>) -> Vec<String> {
        let head = seen.container.id.to_string();
        let mut down = Vec::new();
        let mut idle = Vec::new();
        for host in self.world.observed.hosts.values().filter(|host| host.region == *self.name) {
            let backends = host.proxy.iter().flat_map(|proxy| &proxy.backends);
            let ours = backends.filter(|(name, _)| name.service == *self.view.key);
            for (name, server) in ours.flat_map(|(_, backend)| &backend.servers) {
                if name.container != head {
                    continue;
                }
                if !server.is_up {
                    down.push(host.name.to_string());
                } else if !server.is_ready {
                    idle.push(host.name.to_string());
                }
            }
        }
        let mut lines = Vec::new();
        for (hosts, what) in [(&mut down, "cannot reach it"), (&mut idle, "send it nothing new")] {
            hosts.dedup();
            if !hosts.is_empty() {
                lines.push(format!("proxies on {} {what}", hosts.join(", ")));
            }
        }
        lines
    }

    /// Operations that are at work on it, or failed last.
    fn operations(&mut self, operations: &[Operation]) {
        let key = self.view.key;
        for op in operations.iter().filter(|op| op.after.contains_key(key)).take(1) {
            let is_open = !op.state.is_final();
            let Some(progress) = op.progress.get(self.name).filter(|progress| is_open && !progress.finished) else {
                continue;
            };
            let mut evidence = Vec::new();
            if let Some(paused) = &op.paused {
                evidence.push(format!("paused by {}: {}", paused.by, paused.why));
            }
            if !progress.waits_for.is_empty() {
                evidence.push(format!("it waits for {}", progress.waits_for));
            }
            let mut state = State::Changing;
            for step in progress.steps.iter().filter(|step| step.state == StepState::Failed) {
                state = State::Failed;
                evidence.push(format!("{}: {}", step.what, step.detail));
            }
            self.add(state, format!("an operation is at work: {}", op.intent.summary()), evidence, None);
        }
    }
}

fn check_words(spec: Option<&ServiceSpec>) -> Option<String> {
    let check = spec?.healthcheck.as_ref().filter(|check| !check.test.is_empty())?;
    Some(format!("the check: {}", check.test.join(" ")))
}

/// The last bad news of a service in a region.
fn journal(journal: &[JournalEntry], service: &ServiceKey, region: &RegionName) -> Vec<String> {
    let is_of = |entry: &&JournalEntry| {
        entry.is_error
            && entry.service.as_ref() == Some(service)
            && entry.region.as_ref().is_none_or(|there| there == region)
    };
    let mut lines: Vec<&JournalEntry> = journal.iter().filter(is_of).collect();
    lines.sort_by_key(|entry| std::cmp::Reverse(entry.at));
    lines.iter().take(LINES).map(|entry| format!("journal: {}", entry.what)).collect()
}
