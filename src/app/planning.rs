//! The draft worked out: what would be accepted, part by part, and what it means in words.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::draft::Changes;
use crate::{
    model::{Desired, Fleet, Generation, HostName, Observed, Proposal, RegionName},
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

impl Planned {
    /// Works a draft out. Hosts come first, so that nothing is placed on a host that the same draft closes.
    pub fn new(changes: &Changes, fleet: &Fleet, desired: &Desired, observed: &Observed, now: Timestamp) -> Self {
        let mut parts = Vec::new();
        let world = World { fleet, desired, observed, now };
        for (host, intent) in &changes.hosts {
            let part = Changes { hosts: BTreeMap::from([(host.clone(), *intent)]), ..Changes::default() };
            parts.push(Part { changes: part, result: plan::host(&world, host, *intent) });
        }
        let mut closed = None;
        if !changes.hosts.is_empty() {
            let mut after = desired.clone();
            for (host, intent) in &changes.hosts {
                match intent {
                    Some(intent) => after.hosts.insert(host.clone(), *intent),
                    None => after.hosts.remove(host),
                };
            }
            closed = Some(after);
        }
        let world = World { desired: closed.as_ref().unwrap_or(desired), ..world };
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
            parts.push(Part { changes: part, result: plan::scale(&world, &targets) });
        }
        for service in &changes.restarts {
            let part = Changes { restarts: [service.clone()].into(), ..Changes::default() };
            parts.push(Part { changes: part, result: plan::restart(&world, service, None) });
        }
        for (stack, service) in &changes.removes {
            let part = Changes { removes: [(stack.clone(), service.clone())].into(), ..Changes::default() };
            parts.push(Part {
                changes: part,
                result: plan::remove(&world, stack, service.as_ref().map(|key| &key.service)),
            });
        }
        Self { parts }
    }

    /// The plans that can be applied.
    pub fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.parts.iter().filter_map(|part| part.result.as_ref().ok())
    }

    /// Why parts of it cannot be.
    pub fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.parts.iter().filter_map(|part| part.result.as_ref().err())
    }

    /// True when both would ask for the same, whatever generation they start from. Reasons and warnings do not count:
    /// they name ages, and those change with every second.
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
