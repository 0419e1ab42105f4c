//! How well services and stacks are, as numbers and one state: for screens.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{
    World,
    index::{Index, Sight},
    standing::Standing,
    view::{ServiceView, SlotView},
};
use crate::{
    model::{ContainerState, Health, Owner, RegionName, ServiceKey, StackName, Tool},
    text::Text,
};

/// One state for a row. Ordered from good to bad, so that the worst of many is their maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As wanted.
    #[default]
    Ok,
    /// Nothing is wanted and nothing runs.
    Stopped,
    /// On its way to what is wanted.
    Changing,
    /// Its hosts cannot be seen now.
    Unknown,
    /// Something does not do its work.
    Failed,
}

impl State {
    /// One word: `ok`, `stopped`, `changing`, `unknown`, `failed`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Stopped => "stopped",
            Self::Changing => "changing",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
        }
    }
}

/// How well a service is, in one region or summed over several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ServiceHealth {
    /// Replicas wanted. For services of other tools: containers that exist.
    pub wanted: u32,
    /// Containers that run, on hosts that are seen.
    pub running: u32,
    /// Replicas that do their work: healthy, or ended with 0 as they should.
    pub healthy: u32,
    /// Replicas that are being made or started.
    pub starting: u32,
    /// Replicas that are unhealthy, died, or keep dying.
    pub failed: u32,
    /// Replicas on hosts that are not seen now.
    pub unknown: u32,
    /// The worst of all.
    pub worst: State,
}

impl ServiceHealth {
    /// The sum of two.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        // Nothing wanted in one place is not bad news for the sum.
        let worst = match (self.worst, other.worst) {
            (State::Stopped, known) | (known, State::Stopped) => known,
            (one, another) => one.max(another),
        };
        Self {
            wanted: self.wanted + other.wanted,
            running: self.running + other.running,
            healthy: self.healthy + other.healthy,
            starting: self.starting + other.starting,
            failed: self.failed + other.failed,
            unknown: self.unknown + other.unknown,
            worst,
        }
    }
}

/// A service or stack of another tool.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ForeignService {
    /// Which tool.
    pub tool: Tool,
    /// What it calls the stack.
    pub stack: Text,
    /// What it calls the service.
    pub service: Text,
}

/// The health of everything, worked out in one pass.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Healths {
    /// Services of this fleet, by region.
    pub services: BTreeMap<ServiceKey, BTreeMap<RegionName, ServiceHealth>>,
    /// Stacks of this fleet, by region.
    pub stacks: BTreeMap<StackName, BTreeMap<RegionName, ServiceHealth>>,
    /// Services of other tools, by region.
    pub foreign: BTreeMap<ForeignService, BTreeMap<RegionName, ServiceHealth>>,
}

/// How well one service is in one region.
pub fn health(world: &World<'_>, service: &ServiceKey, region: &RegionName) -> ServiceHealth {
    let index = Index::new(world, region, None);
    let known = world.desired.services.get_key_value(service).map(|(key, _)| key);
    match known.or_else(|| index.containers.get_key_value(service).map(|(key, _)| *key)) {
        Some(key) => of_view(&index.service(key)),
        None => ServiceHealth { worst: State::Stopped, ..ServiceHealth::default() },
    }
}

/// The health of all services and stacks. One pass over all containers: for a screen, call it once per change.
pub fn healths(world: &World<'_>) -> Healths {
    let mut healths = Healths::default();
    let regions: BTreeSet<&RegionName> = world.observed.hosts.values().map(|view| &view.region).collect();
    let wanted = world.desired.services.values().flat_map(BTreeMap::keys);
    for region in regions.into_iter().chain(wanted).collect::<BTreeSet<_>>() {
        let index = Index::new(world, region, None);
        for (key, view) in index.services() {
            let health = of_view(&view);
            healths.services.entry(key.clone()).or_default().insert(region.clone(), health);
            healths
                .stacks
                .entry(key.stack.clone())
                .or_default()
                .entry(region.clone())
                .and_modify(|known| *known = known.plus(health))
                .or_insert(health);
        }
    }
    for (host, container) in world.observed.containers() {
        let Owner::Foreign { tool, stack, service } = &container.owner else { continue };
        let key = ForeignService { tool: *tool, stack: stack.clone(), service: service.clone() };
        let health = foreign(host.is_seen(), &container.state, container.health);
        healths
            .foreign
            .entry(key)
            .or_default()
            .entry(host.region.clone())
            .and_modify(|known| *known = known.plus(health))
            .or_insert(health);
    }
    healths
}

/// A container of another tool: it exists, so it counts as wanted; one that somebody ended cleanly is just stopped.
fn foreign(seen: bool, state: &ContainerState, health: Health) -> ServiceHealth {
    let one = ServiceHealth { wanted: 1, ..ServiceHealth::default() };
    if !seen {
        return ServiceHealth { unknown: 1, worst: State::Unknown, ..one };
    }
    match (state, health) {
        (ContainerState::Running, Health::Unhealthy) => {
            ServiceHealth { running: 1, failed: 1, worst: State::Failed, ..one }
        }
        (ContainerState::Running, Health::Starting) => {
            ServiceHealth { running: 1, starting: 1, worst: State::Changing, ..one }
        }
        (ContainerState::Running, _) => ServiceHealth { running: 1, healthy: 1, ..one },
        (ContainerState::Restarting | ContainerState::Dead, _) => {
            ServiceHealth { failed: 1, worst: State::Failed, ..one }
        }
        // 137 and 143 are what a stop gives.
        (ContainerState::Exited { code, oom, .. }, _) if *oom || !matches!(code, 0 | 137 | 143) => {
            ServiceHealth { failed: 1, worst: State::Failed, ..one }
        }
        _ => ServiceHealth { worst: State::Stopped, ..one },
    }
}

fn of_view(view: &ServiceView<'_>) -> ServiceHealth {
    let mut health = view.slots.iter().map(of_slot).reduce(ServiceHealth::plus).unwrap_or_default();
    let mut leaving = 0;
    for (seen, standing) in &view.unwanted {
        if seen.live && standing.is_alive() {
            leaving += 1;
        }
    }
    health.running += leaving;
    if view.slots.is_empty() {
        health.worst = if leaving > 0 { State::Changing } else { State::Stopped };
    } else if leaving > 0 {
        health.worst = health.worst.max(State::Changing);
    }
    health
}

fn of_slot(slot: &SlotView<'_>) -> ServiceHealth {
    let mut one = ServiceHealth { wanted: 1, ..ServiceHealth::default() };
    if !matches!(slot.sight, Sight::Seen(_)) {
        return ServiceHealth { unknown: 1, worst: State::Unknown, ..one };
    }
    let alive = slot.wanted.iter().chain(slot.old_live()).filter(|(_, standing)| standing.is_alive()).count();
    one.running = u32::try_from(alive).unwrap_or(u32::MAX);
    let old_serves = slot.is_served() && !slot.is_up();
    match slot.wanted.as_ref().map(|(_, standing)| *standing) {
        Some(standing) if standing.is_up() => {
            one.healthy = 1;
            one.worst = if slot.old_live().next().is_some() { State::Changing } else { State::Ok };
        }
        Some(Standing::Unhealthy | Standing::Restarting | Standing::Ended { .. } | Standing::Dead) => {
            one.healthy = u32::from(old_serves);
            one.failed = 1;
            one.worst = State::Failed;
        }
        _ => {
            one.healthy = u32::from(old_serves);
            one.starting = 1;
            one.worst = State::Changing;
        }
    }
    one
}
