//! What is written to the store, against the laws.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use wharf::{
    clock::Clock,
    model::{
        CommandId, Defaults, Desired, Epoch, Generation, HostIntent, Intent, Operation, Place as Slotted, Progress,
        Proposal, RegionName, ReplicaKey, StepState, since,
    },
};

use super::{Away, Books, Broken, Law, Laws, Place};

/// What was wanted is remembered for so long.
const REMEMBERED: Duration = Duration::from_secs(60);
/// Who waits says what for within this time.
const SILENCE: Duration = Duration::from_secs(5);

impl Laws {
    pub fn new(clock: Clock, defaults: Defaults, hosts: Vec<Place>) -> Self {
        let books = Books {
            truth: vec![Vec::new(); hosts.len()],
            asked: vec![0; hosts.len()],
            foreign: vec![Vec::new(); hosts.len()],
            away: vec![Away::default(); hosts.len()],
            ..Books::default()
        };
        let tells = std::env::var_os("WHARF_TELL").is_some();
        Self { clock, defaults, hosts, tells, books: books.into() }
    }

    /// Prints what is asked of the hosts.
    pub fn tells(&self) -> bool {
        self.tells
    }

    pub fn hosts(&self) -> &[Place] {
        &self.hosts
    }

    /// The first law that was broken.
    pub fn broken(&self) -> Option<Broken> {
        self.books.lock().unwrap().broken.clone()
    }

    /// Says that a law was broken.
    pub fn say(&self, law: Law, words: String) {
        self.broke(&mut self.books.lock().unwrap(), law, words);
    }

    /// A number for all that was asked of the hosts, and how much that was.
    pub fn trace(&self) -> (u64, u64) {
        let books = self.books.lock().unwrap();
        (books.trace, books.requests)
    }

    /// What is wanted from now on.
    pub fn desired(&self, desired: Arc<Desired>) {
        let now = self.clock.now();
        let mut books = self.books.lock().unwrap();
        if books.desired.back().is_none_or(|(_, last)| last.generation != desired.generation) {
            books.desired.push_back((now, desired));
        }
        while books.desired.get(1).is_some_and(|(at, _)| since(*at, now) > REMEMBERED) {
            books.desired.pop_front();
        }
    }

    /// Law 3: what has ended does not change.
    pub fn operations(&self, all: &[Operation]) {
        let now = self.clock.now();
        let mut books = self.books.lock().unwrap();
        let open = || all.iter().filter(|operation| !operation.state.is_final());
        books.decided = open().flat_map(|operation| operation.after.keys().map(ToString::to_string)).collect();
        for operation in all {
            let before = books.operations.insert(operation.id, operation.state.clone());
            let is_news = before.as_ref() != Some(&operation.state);
            if is_news
                && operation.state.is_final()
                && let Intent::Restart { service } = &operation.intent
            {
                books.restarts.insert(service.to_string(), Some(now));
            }
            if let Some(before) = before.filter(|before| before.is_final() && *before != operation.state) {
                let words = format!("{} was {before:?}, and is {:?}", operation.intent.summary(), operation.state);
                self.broke(&mut books, Law::Commands, words);
            }
        }
        for operation in open() {
            if let Intent::Restart { service } = &operation.intent {
                books.restarts.insert(service.to_string(), None);
            }
        }
    }

    /// All operations that were ever accepted.
    pub fn known(&self) -> Vec<CommandId> {
        self.books.lock().unwrap().operations.keys().copied().collect()
    }

    /// Law 11: what a later plan did not see is not overwritten by it.
    pub fn accepted(&self, operation: &Operation, proposal: &Proposal) {
        let mut books = self.books.lock().unwrap();
        if let Intent::Restart { service } = &operation.intent {
            books.restarts.insert(service.to_string(), None);
        }
        let unseen = |(generation, earlier): &&(u64, Proposal)| {
            *generation > proposal.base.0
                && (earlier.assignments.keys().any(|key| proposal.assignments.contains_key(key))
                    || earlier.hosts.keys().any(|host| proposal.hosts.contains_key(host)))
        };
        if let Some((_, earlier)) = books.proposals.iter().find(unseen) {
            let words = format!("`{}` was accepted and never saw `{}`", proposal.equivalent, earlier.equivalent);
            self.broke(&mut books, Law::Operators, words);
        }
        books.proposals.push((operation.generation.0, proposal.clone()));
    }

    /// All that was accepted, in order, as it was when it was accepted.
    pub fn proposals(&self) -> Vec<(Generation, Proposal)> {
        let books = self.books.lock().unwrap();
        books.proposals.iter().map(|(generation, proposal)| (Generation(*generation), proposal.clone())).collect()
    }

    /// Law 7: what was rolled back to is there again, under a number of its own.
    pub fn restored(&self, proposal: &Proposal, desired: &Desired) {
        let Intent::Rollback { to, .. } = &proposal.intent else { return };
        for (service, (old, new)) in to {
            let content = |no| desired.revision(service, no).map(|it| (&it.image, &it.spec));
            let is_newest = desired.latest(service).is_some_and(|latest| latest.no == *new);
            let is_wanted = desired
                .services
                .get(service)
                .into_iter()
                .flatten()
                .all(|(_, assignment)| assignment.slots.values().all(|place| place.revision == *new));
            if content(*old) != content(*new) || content(*new).is_none() || !is_newest || !is_wanted {
                let words = format!("`{}`: r{new} is not what r{old} was", proposal.equivalent);
                self.broke(&mut self.books.lock().unwrap(), Law::Rollback, words);
            }
        }
    }

    pub fn leased(&self, region: &RegionName, who: &str, epoch: Option<Epoch>) {
        let Some(epoch) = epoch else { return };
        let now = self.clock.now();
        let mut books = self.books.lock().unwrap();
        let held = books.leases.entry(region.clone()).or_default();
        if held.last().is_none_or(|(_, last, at)| last != who || *at != epoch) {
            held.push((now, who.to_owned(), epoch));
        }
    }

    /// Law 6: somebody was told that a region is theirs, or that it is not.
    pub fn holds(&self, region: &RegionName, who: &str, is_theirs: bool) {
        let now = self.clock.now();
        let mut books = self.books.lock().unwrap();
        let key = (region.clone(), who.to_owned());
        if !is_theirs {
            books.holds.remove(&key);
            return;
        }
        let believes = |((of, by), at): &(&(RegionName, String), &Timestamp)| {
            of == region && by != who && since(**at, now) < super::super::people::LEASE / 2
        };
        if let Some((_, other)) = books.holds.iter().find(believes).map(|(key, _)| key.clone()) {
            self.broke(&mut books, Law::Lease, format!("{who} and {other} both hold {region}"));
        }
        books.holds.insert(key, now);
    }

    /// Nobody of that name believes anything any more; or nobody at all, when the machine slept.
    pub fn gone(&self, who: Option<&str>) {
        let mut books = self.books.lock().unwrap();
        books.holds.retain(|(_, by), _| who.is_some_and(|who| by != who));
    }

    /// The epoch of a region's lease, whoever has it.
    pub fn epoch(&self, region: &RegionName) -> Option<Epoch> {
        let books = self.books.lock().unwrap();
        books.leases.get(region)?.last().map(|(.., epoch)| *epoch)
    }

    /// Law 9: who waits says what for.
    pub fn reported(&self, region: &RegionName, progress: &[(CommandId, Progress)]) {
        let now = self.clock.now();
        let mut books = self.books.lock().unwrap();
        for (id, part) in progress {
            let goes_on = part.finished || part.steps.iter().any(|step| step.state == StepState::Running);
            let key = (*id, region.clone());
            if goes_on || !part.waits_for.as_str().is_empty() {
                books.silent.remove(&key);
                continue;
            }
            let since_when = *books.silent.entry(key).or_insert(now);
            if since(since_when, now) > SILENCE {
                let words = format!("{} waits in {region} and does not say what for: {part:?}", id.short());
                self.broke(&mut books, Law::Waits, words);
            }
        }
    }

    /// Law 4: a host that is silent keeps its replicas until it is down.
    pub fn replacing(&self, replica: &ReplicaKey, place: &Slotted, why: &str) {
        let now = self.clock.now();
        let mut books = self.books.lock().unwrap();
        let Some((_, desired)) = books.desired.back() else { return };
        let assignment = desired.assignment(&replica.service, &replica.region);
        let Some(before) = assignment.and_then(|it| it.slots.get(&replica.slot)) else { return };
        if before.host == place.host || desired.hosts.get(&before.host) == Some(&HostIntent::Draining) {
            return;
        }
        let Some(at) = self.hosts.iter().position(|host| host.name == before.host.as_str()) else { return };
        let away = books.away[at];
        let away = away.since.and(away.unseen).map(|since_when| since(since_when, now));
        // It counts from when it was last heard of, which was a heartbeat ago at most.
        let soon = self.defaults.down_after.saturating_sub(Duration::from_secs(3));
        if let Some(away) = away.filter(|away| *away < soon) {
            let words =
                format!("{replica} goes from {} to {} after {away:?} of silence: {why}", before.host, place.host);
            self.broke(&mut books, Law::Unknown, words);
        }
    }

    /// Who waits, and since when.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}
