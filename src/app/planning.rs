//! The draft worked out: what would be accepted, part by part, and what it means in words.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::draft::Changes;
use crate::{
    model::{Desired, Generation, HostIntent, HostName, Proposal, RegionName, ServiceKey, StackName},
    plan::{self, Plan, Refusal, ScaleTarget, World},
};

/// One part of the draft: what is accepted or refused as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The part of the draft that it is made of.
    pub changes: Changes,
    /// The plan, or why there is none.
    pub result: Result<Plan, Refusal>,
}

/// The whole draft, worked out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Planned {
    /// Its parts, in the order in which they are asked for.
    pub parts: Vec<Part>,
}

/// Parts while they are put together: none may touch what an earlier one touches, as each is accepted on its own and
/// starts from the state that is shown.
#[derive(Default)]
struct Parts {
    done: Vec<Part>,
    places: BTreeSet<(ServiceKey, RegionName)>,
    stacks: BTreeSet<StackName>,
}

impl Parts {
    fn push(&mut self, changes: Changes, result: Result<Plan, Refusal>) {
        let result = result.and_then(|plan| match self.clash(&plan.proposal) {
            Some(what) => Err(Refusal::Invalid(format!(
                "{}: another line of this draft changes {what} too; apply that first, or take one out (`x`)",
                plan.proposal.intent.summary()
            ))),
            None => Ok(plan),
        });
        if let Ok(plan) = &result {
            self.places.extend(plan.proposal.assignments.keys().cloned());
            self.stacks.extend(shared(&plan.proposal).cloned());
        }
        self.done.push(Part { changes, result });
    }

    fn clash(&self, proposal: &Proposal) -> Option<String> {
        let place = proposal.assignments.keys().find(|place| self.places.contains(place));
        let stack = || shared(proposal).find(|stack| self.stacks.contains(*stack));
        place.map(|(service, region)| format!("{service} in {region}")).or_else(|| stack().map(ToString::to_string))
    }
}

/// Stacks of which a proposal changes what their services share, or counts a new version.
fn shared(proposal: &Proposal) -> impl Iterator<Item = &StackName> {
    proposal.stacks.keys().chain(proposal.revisions.iter().map(|revision| &revision.service.stack))
}

/// Desired state with what a draft makes of hosts; none when it changes no other than `but`.
fn with_hosts(
    desired: &Desired,
    hosts: &BTreeMap<HostName, Option<HostIntent>>,
    but: Option<&HostName>,
) -> Option<Desired> {
    let mut hosts = hosts.iter().filter(|(host, _)| Some(*host) != but).peekable();
    hosts.peek()?;
    let mut after = desired.clone();
    for (host, intent) in hosts {
        match intent {
            Some(intent) => after.hosts.insert(host.clone(), *intent),
            None => after.hosts.remove(host),
        };
    }
    Some(after)
}

impl Planned {
    /// Works a draft out for who would ask for it. Hosts come first, so that nothing is placed on a host that the same
    /// draft closes.
    pub fn new(changes: &Changes, world: &World<'_>, who: &str) -> Self {
        let mut parts = Parts::default();
        for (host, intent) in &changes.hosts {
            let part = Changes { hosts: BTreeMap::from([(host.clone(), *intent)]), ..Changes::default() };
            let others = with_hosts(world.desired, &changes.hosts, Some(host));
            let world = World { desired: others.as_ref().unwrap_or(world.desired), ..*world };
            parts.push(part, plan::host(&world, host, *intent));
        }
        let closed = with_hosts(world.desired, &changes.hosts, None);
        let world = &World { desired: closed.as_ref().unwrap_or(world.desired), ..*world };
        for region in &changes.balances {
            let part = Changes { balances: [region.clone()].into(), ..Changes::default() };
            parts.push(part, plan::rebalance(world, region.as_ref()));
        }
        for ((what, from), to) in &changes.moves {
            let part = Changes { moves: [((what.clone(), from.clone()), to.clone())].into(), ..Changes::default() };
            parts.push(part, plan::migrate(world, what, from, to));
        }
        if !changes.targets.is_empty() {
            let targets: Vec<ScaleTarget> = changes
                .targets
                .iter()
                .map(|((service, region), to)| ScaleTarget {
                    service: service.clone(),
                    region: region.clone(),
                    to: *to,
                })
                .collect();
            let part = Changes { targets: changes.targets.clone(), ..Changes::default() };
            parts.push(part, plan::scale(world, &targets));
        }
        for service in &changes.restarts {
            let part = Changes { restarts: [service.clone()].into(), ..Changes::default() };
            parts.push(part, plan::restart(world, service, None));
        }
        for (what, to) in &changes.rollbacks {
            let part = Changes { rollbacks: [(what.clone(), *to)].into(), ..Changes::default() };
            parts.push(part, plan::rollback(world, what, Some(*to), who));
        }
        for (stack, service) in &changes.removes {
            let part = Changes { removes: [(stack.clone(), service.clone())].into(), ..Changes::default() };
            parts.push(part, plan::remove(world, stack, service.as_ref().map(|key| &key.service)));
        }
        if !changes.spares.is_empty() {
            let part = Changes { spares: changes.spares.clone(), ..Changes::default() };
            let things: Vec<_> =
                changes.spares.iter().map(|((host, ..), thing)| (host.clone(), thing.clone())).collect();
            parts.push(part, plan::prune(world, &things));
        }
        Self { parts: parts.done }
    }

    /// The plans that can be applied.
    pub fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.parts.iter().filter_map(|part| part.result.as_ref().ok())
    }

    /// Why parts of it cannot be.
    pub fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.parts.iter().filter_map(|part| part.result.as_ref().err())
    }

    /// True when both would ask for the same, whatever generation they start from and whenever they were made. Reasons
    /// and warnings do not count: they name ages, and those change with every second.
    pub fn same_as(&self, other: &Self) -> bool {
        let asked = |planned: &Self| -> Vec<(Changes, Option<Proposal>)> {
            planned
                .parts
                .iter()
                .map(|part| {
                    let mut proposal = part.result.as_ref().ok().map(|plan| plan.proposal.clone());
                    if let Some(proposal) = &mut proposal {
                        proposal.base = Generation(0);
                        for assignment in proposal.assignments.values_mut().flatten() {
                            assignment.generation = Generation(0);
                        }
                        for revision in &mut proposal.revisions {
                            revision.at = Timestamp::UNIX_EPOCH;
                        }
                    }
                    (part.changes.clone(), proposal)
                })
                .collect()
        };
        asked(self) == asked(other)
    }

    /// The change in the number of wanted replicas.
    pub fn delta(&self) -> i64 {
        self.plans().map(|plan| i64::from(plan.replicas.1) - i64::from(plan.replicas.0)).sum()
    }

    /// The change per region and host.
    pub fn per_host(&self, desired: &Desired) -> BTreeMap<RegionName, BTreeMap<HostName, i64>> {
        let mut out: BTreeMap<RegionName, BTreeMap<HostName, i64>> = BTreeMap::new();
        for ((service, region), after) in self.plans().flat_map(|plan| &plan.proposal.assignments) {
            let hosts = out.entry(region.clone()).or_default();
            for place in desired.assignment(service, region).iter().flat_map(|before| before.slots.values()) {
                *hosts.entry(place.host.clone()).or_default() -= 1;
            }
            for place in after.iter().flat_map(|after| after.slots.values()) {
                *hosts.entry(place.host.clone()).or_default() += 1;
            }
        }
        for hosts in out.values_mut() {
            hosts.retain(|_, delta| *delta != 0);
        }
        out.retain(|_, hosts| !hosts.is_empty());
        out
    }

    /// The same as command lines, one per part.
    pub fn commands(&self) -> Vec<String> {
        self.plans().map(|plan| plan.proposal.equivalent.clone()).collect()
    }
}
