//! What the reconciler holds of one region.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{keepers::Keepers, tally::Tally};
use crate::{
    model::{CommandId, Container, ContainerId, ContainerState, HostName, Observed, Operation, Progress, ServiceKey},
    plan::{Action, Failure, Memory, Next},
    store::Fence,
    text::Text,
};

/// How long an action that ended stays in the books until its effect is seen.
const SEEN_WITHIN: jiff::SignedDuration = jiff::SignedDuration::from_secs(10);

/// An effect that is not seen so long after it: the host's events are late or lost, so it is listed anew.
const LATE: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);

/// A region under our lease.
pub(super) struct Region {
    /// Proof of the lease.
    pub fence: Fence,
    /// What cannot be seen on the hosts.
    pub memory: Memory,
    /// Who keeps its proxies.
    pub keepers: Keepers,
    /// What came through its proxies.
    pub tally: Tally,
    /// What was last told of each open operation, and since when it went on in this direction.
    pub reported: BTreeMap<CommandId, (Timestamp, Progress)>,
    /// Ended actions whose effect is not seen yet: they stay in flight, so that they are not given again.
    settling: BTreeMap<Action, Settling>,
    /// Something changed since it was last planned.
    pub is_dirty: bool,
    /// When to plan it again even if nothing changes.
    pub look_again: Option<Timestamp>,
    /// The last plan had something to do, or to wait for.
    pub is_unsettled: bool,
    /// There is something to tell the store.
    pub report_due: bool,
    /// When the store was last told.
    pub last_report: Instant,
    /// Cancelled when the region is let go: what has not begun by then must not begin.
    pub held: CancellationToken,
    _let_go: DropGuard,
}

struct Settling {
    host: HostName,
    container: ContainerId,
    ended: Timestamp,
    /// The host was asked for a new list.
    asked: bool,
}

/// True when the effect of an action that succeeded is seen.
fn is_seen(action: &Action, container: Option<&Container>) -> bool {
    let state = container.map(|container| &container.state);
    match action {
        Action::Stop { .. } | Action::Clear { .. } => state.is_none(),
        // An end is later than the start, so only what was before it hides it.
        Action::Create { .. } | Action::Test { .. } => state.is_some_and(|state| *state != ContainerState::Created),
        // One that was started and has ended again at once looks as before: that is sorted out by time.
        Action::Start { .. } => !matches!(state, Some(ContainerState::Created | ContainerState::Exited { .. })),
        Action::Pull { .. } | Action::Learn { .. } | Action::Tidy { .. } | Action::Prune { .. } => true,
    }
}

/// How long the effect of an action is waited for.
fn limit(action: &Action) -> jiff::SignedDuration {
    if matches!(action, Action::Start { .. }) { LATE * 2 } else { SEEN_WITHIN }
}

/// How an action ended.
pub(super) struct Ended {
    pub fence: Fence,
    pub action: Action,
    /// None: it was never begun.
    pub result: Option<Result<Done, Failed>>,
}

/// What came of an action.
pub(super) enum Done {
    /// Nothing that could be pointed at.
    Nothing,
    /// The container that was made or ended.
    Container(ContainerId),
    /// TCP ports that an image exposes.
    Ports(BTreeSet<u16>),
    /// What came of removing something.
    Removed(Text),
}

/// Why an action failed.
pub(super) struct Failed {
    pub error: Text,
    pub is_final: bool,
    /// Another host may do it.
    pub is_hosts: bool,
    /// The host has not the image.
    pub lacks_image: bool,
}

impl Region {
    pub(super) fn new(fence: Fence, now: Timestamp) -> Self {
        let held = CancellationToken::new();
        Self {
            fence,
            memory: Memory { since: Some(now), ..Memory::default() },
            keepers: Keepers::default(),
            tally: Tally::default(),
            reported: BTreeMap::new(),
            settling: BTreeMap::new(),
            is_dirty: true,
            look_again: None,
            is_unsettled: true,
            report_due: false,
            last_report: Instant::now(),
            held: held.clone(),
            _let_go: held.drop_guard(),
        }
    }

    /// A command was accepted: whoever gave it knows of the failures so far and wants it tried now.
    pub(super) fn begin(&mut self, operation: &Operation) {
        let concerns = |service: &ServiceKey| operation.after.contains_key(service);
        self.memory.failures.retain(|action, _| match action {
            // One pull serves all services that need the image, whoever asked for it first.
            Action::Pull { .. } => false,
            Action::Create { replica, .. } | Action::Start { replica, .. } | Action::Stop { replica, .. } => {
                !concerns(&replica.service)
            }
            Action::Learn { service, .. } | Action::Test { service, .. } | Action::Clear { service, .. } => {
                !concerns(service)
            }
            Action::Tidy { stack, .. } => !operation.after.keys().any(|service| service.stack == *stack),
            Action::Prune { .. } => true,
        });
    }

    /// Forgets what belonged to operations that are over.
    pub(super) fn forget(&mut self, open: &[Operation]) {
        let is_open = |id: &CommandId| open.iter().any(|operation| operation.id == *id);
        self.tally.forget(open);
        self.reported.retain(|id, _| is_open(id));
        let is_wanted = |action: &Action| match action {
            Action::Prune { operation, .. } => is_open(operation),
            _ => true,
        };
        self.memory.removed.retain(|action, _| is_wanted(action));
        self.memory.failures.retain(|action, _| is_wanted(action));
    }

    /// Takes an action into the books.
    pub(super) fn start(&mut self, action: &Action) {
        let makes = match action {
            Action::Create { host, replica, .. } => Some((host, &replica.service)),
            Action::Test { host, service, .. } => Some((host, service)),
            _ => None,
        };
        if let Some((host, service)) = makes {
            self.memory.tidied.remove(&(host.clone(), service.stack.clone()));
        }
        self.memory.in_flight.insert(action.clone());
    }

    /// True while something has been started and its effect is not seen.
    pub(super) fn is_busy(&self) -> bool {
        !self.memory.in_flight.is_empty()
    }

    /// Takes in how an action ended.
    pub(super) fn ended(&mut self, ended: Ended, now: Timestamp) {
        let Ended { action, result, .. } = ended;
        self.is_dirty = true;
        match result {
            None => drop(self.memory.in_flight.remove(&action)),
            Some(Ok(done)) => {
                self.memory.failures.remove(&action);
                if let Action::Stop { host, container, .. } | Action::Start { host, container, .. } = &action {
                    self.memory.asked_to_stop.remove(&(host.clone(), container.clone()));
                }
                if let Action::Pull { host, image, .. } = &action {
                    self.memory.pulling.remove(&(host.clone(), image.clone()));
                    self.memory.pulled.insert((host.clone(), image.clone()));
                }
                if let Action::Tidy { host, stack } = &action {
                    self.memory.tidied.insert((host.clone(), stack.clone()));
                }
                if let Done::Container(container) = done {
                    let host = action.host().clone();
                    self.settling.insert(action, Settling { host, container, ended: now, asked: false });
                    return;
                }
                self.memory.in_flight.remove(&action);
                match (action, done) {
                    (Action::Learn { service, revision, .. }, Done::Ports(ports)) => {
                        self.memory.learned.insert((service, revision), ports);
                    }
                    (action @ Action::Prune { .. }, Done::Removed(told)) => {
                        self.memory.removed.insert(action, told);
                    }
                    _ => {}
                }
            }
            Some(Err(failed)) => {
                let times = self.memory.failures.get(&action).map_or(0, |failure| failure.times) + 1;
                self.memory.in_flight.remove(&action);
                let Failed { error, is_final, is_hosts, lacks_image } = failed;
                if lacks_image {
                    self.memory.bare.insert(action.host().clone());
                }
                if let Action::Stop { host, container, .. } = &action {
                    self.memory.asked_to_stop.insert((host.clone(), container.clone()), now);
                }
                if let Action::Create { host, .. } | Action::Test { host, .. } | Action::Learn { host, .. } = &action {
                    // Somebody may have removed the image since it was pulled: the host's list says so.
                    self.memory.pulled.retain(|(at, _)| at != host);
                }
                self.memory.failures.insert(action, Failure { times, at: now, error, is_final, is_hosts });
            }
        }
    }

    /// Lets go of the actions whose effect is seen, or was not seen in time. Gives the hosts that are late to show one.
    pub(super) fn settle(&mut self, observed: &Observed, now: Timestamp) -> BTreeSet<HostName> {
        let memory = &mut self.memory;
        let is_there = |(host, id): &(HostName, ContainerId)| {
            observed.hosts.get(host).is_some_and(|view| view.containers.contains_key(id))
        };
        memory.asked_to_stop.retain(|place, _| is_there(place));
        let mut late = BTreeSet::new();
        self.settling.retain(|action, settling| {
            let host = observed.hosts.get(&settling.host);
            let seen = is_seen(action, host.and_then(|host| host.containers.get(&settling.container)));
            let age = now.duration_since(settling.ended);
            if !seen && age >= LATE && !settling.asked {
                settling.asked = true;
                late.insert(settling.host.clone());
            }
            let keep = !seen && age < limit(action);
            if !keep {
                memory.in_flight.remove(action);
            }
            keep
        });
        late
    }

    /// Notes since when what the last plan named goes on: copies that drain, and new ones that are watched. The proxies
    /// must have been told by then: what they said before counts for nothing.
    pub(super) fn note(&mut self, next: &Next, now: Timestamp) {
        let memory = &mut self.memory;
        let known = [
            (&mut memory.draining, &next.drains),
            (&mut memory.released, &next.released),
            (&mut memory.watched, &next.watched),
        ];
        for (since, named) in known {
            since.retain(|place, _| named.contains(place));
            for place in named {
                since.entry(place.clone()).or_insert(now);
            }
        }
    }

    /// When to settle again, whatever happens.
    pub(super) fn settle_at(&self) -> Option<Timestamp> {
        let due = |(action, settling): (&Action, &Settling)| {
            let wait = if settling.asked { limit(action) } else { LATE };
            settling.ended.checked_add(wait).ok()
        };
        self.settling.iter().filter_map(due).min()
    }
}
