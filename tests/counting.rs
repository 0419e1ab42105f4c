//! What is counted piece by piece is what counting everything gives, whatever happens in whichever order.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "support/mod.rs"]
mod support;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use fastrand::Rng;
use jiff::Timestamp;
use support::{
    fleet::{World, facts, unseen},
    screen::type_keys,
};
use wharf::{
    app::{
        Mode, Msg, State, StoreView,
        index::{Basis, Index},
        update,
    },
    model::{
        Container, ContainerId, ContainerState, Generation, Health, HostChange, HostName, HostUpdate, Link,
        OperationState, Owner, Place, ReplicaKey, ReplicaOf, RevisionNo, Slot, TestOf, Tool, Usage,
    },
};

/// What counting everything gives now.
fn counted(state: &State) -> Index {
    Index::build(Basis {
        fleet: &state.fleet,
        desired: &state.store.desired,
        observed: state.observed(),
        operations: state.operations(),
        pace: state.pace,
        now: state.now,
    })
}

fn check(state: &State, about: &str) {
    let whole = counted(state);
    assert_eq!(state.index.replicas, whole.replicas, "{about}: replicas");
    assert_eq!(state.index.hosts, whole.hosts, "{about}: hosts");
    assert_eq!(state.index.services, whole.services, "{about}: services");
    assert_eq!(state.index.stacks, whole.stacks, "{about}: stacks");
    assert!(state.index == whole, "{about}: what is wrong, the sum, or when to look again");
    for host in &whole.hosts {
        assert!(state.index.replicas_on(&host.name).eq(whole.replicas.iter().filter(|row| row.host == host.name)));
    }
}

/// Things that happen, one after the other.
struct Life {
    state: State,
    world: World,
    rng: Rng,
    now: Timestamp,
    next: u64,
}

impl Life {
    fn new(seed: u64) -> Self {
        let world = World::usual().with_operation(OperationState::Running);
        let state = world.state(Mode::Normal, (120, 40));
        let now = state.now;
        Self { state, world, rng: Rng::with_seed(seed), now, next: 0 }
    }

    fn host(&mut self) -> HostName {
        let hosts: Vec<_> = self.world.fleet.hosts().map(|(_, host)| host.name.clone()).collect();
        hosts[self.rng.usize(..hosts.len())].clone()
    }

    fn container(&mut self) -> Option<(HostName, Container)> {
        let all: Vec<_> =
            self.state.observed().containers().map(|(host, it)| (host.name.clone(), it.clone())).collect();
        (!all.is_empty()).then(|| all[self.rng.usize(..all.len())].clone())
    }

    fn tell(&mut self, host: HostName, change: HostChange) {
        update(&mut self.state, Msg::Hosts(vec![HostUpdate { host, change }]));
    }

    fn usage(&mut self) -> Usage {
        let age = Duration::from_secs(self.rng.u64(..100));
        let at = self.now.checked_sub(age).unwrap();
        Usage {
            cpu_percent: self.rng.f64() * 100.0,
            memory: self.rng.u64(..1 << 30),
            net_rx: 0.1,
            at,
            ..Usage::default()
        }
    }

    /// A container that was not there, of anybody.
    fn stranger(&mut self) -> Container {
        let (_, mut new) = self.container().unwrap_or_else(|| {
            let (host, all) = self.world.containers.iter().next().unwrap();
            (host.parse().unwrap(), all[0].clone())
        });
        self.next += 1;
        new.id = ContainerId(format!("new-{}", self.next).as_str().into());
        let key = |region: &str, service: &str, slot| ReplicaKey {
            region: region.parse().unwrap(),
            service: service.parse().unwrap(),
            slot: Slot(slot),
        };
        let replica = |key, revision| Owner::Replica(ReplicaOf { key, revision: RevisionNo(revision), round: 0 });
        new.owner = match self.rng.u8(..9) {
            0 => Owner::Loose,
            1 => Owner::Proxy,
            2 => Owner::OtherFleet("other".into()),
            3 => Owner::Foreign { tool: Tool::Swarm, stack: "theirs".into(), service: "x".into() },
            4 => replica(key("nowhere", "shop/web", self.rng.u32(1..4)), 8),
            5 => replica(key("east", "shop/gone", 1), 1),
            6 => Owner::Test(TestOf {
                region: "east".parse().unwrap(),
                service: "shop/web".parse().unwrap(),
                revision: RevisionNo(8),
            }),
            _ => replica(key("east", "shop/web", self.rng.u32(1..7)), self.rng.u32(7..10)),
        };
        new
    }

    fn changed(&mut self, mut container: Container) -> Container {
        container.state = match self.rng.u8(..5) {
            0 => ContainerState::Exited { code: self.rng.i64(0..2), at: Some(self.now), oom: false },
            1 => ContainerState::Restarting,
            2 => ContainerState::Created,
            _ => ContainerState::Running,
        };
        container.health = [Health::None, Health::Healthy, Health::Unhealthy][self.rng.usize(..3)];
        container.started = Some(self.now.checked_sub(Duration::from_secs(self.rng.u64(..60))).unwrap());
        container
    }

    /// Something else is wanted.
    fn want(&mut self) {
        let services: Vec<_> = self.world.desired.services.keys().cloned().collect();
        let desired = &mut self.world.desired;
        desired.generation = Generation(desired.generation.0 + 1);
        let service = services[self.rng.usize(..services.len())].clone();
        match self.rng.u8(..7) {
            0 if services.len() > 2 => drop(desired.services.remove(&service)),
            1 => {
                let (no, newest) = desired.revisions[&service].iter().next_back().unwrap();
                let (no, newest) = (RevisionNo(no.0 + 1), Arc::clone(newest));
                desired.revisions.get_mut(&service).unwrap().insert(no, newest);
            }
            2 => {
                let regions = desired.services.get_mut(&service).unwrap();
                regions.entry("nowhere".parse().unwrap()).or_default();
            }
            3 => self.world.operations.clear(),
            _ => {
                let host = self.host();
                let regions = self.world.desired.services.get_mut(&service).unwrap();
                let at = self.rng.usize(..regions.len());
                let assignment = regions.values_mut().nth(at).unwrap();
                let slot = Slot(self.rng.u32(1..9));
                if self.rng.bool() {
                    assignment.slots.remove(&slot);
                } else {
                    assignment.slots.insert(slot, Place { host, revision: RevisionNo(self.rng.u32(2..14)) });
                }
                assignment.round += u32::from(self.rng.u8(..4) == 0);
            }
        }
        if self.rng.u8(..4) == 0
            && let Some((host, container)) = self.container()
        {
            let of = ReplicaOf {
                key: ReplicaKey { region: "east".parse().unwrap(), service, slot: Slot(3) },
                revision: RevisionNo(3),
                round: 0,
            };
            self.world.desired.adopted = BTreeMap::from([(host, BTreeMap::from([(container.id, of)]))]);
        }
        let store: Arc<StoreView> = self.world.store();
        update(&mut self.state, Msg::Store(store));
    }

    fn step(&mut self) {
        let host = self.host();
        match self.rng.u8(..20) {
            0..4 => {
                let Some((host, container)) = self.container() else { return };
                let change = HostChange::Container(Box::new(self.changed(container)));
                self.tell(host, change);
            }
            4..6 => {
                let new = self.stranger();
                self.tell(host, HostChange::Container(Box::new(new)));
            }
            6 => {
                let Some((host, container)) = self.container() else { return };
                self.tell(host, HostChange::Gone(container.id));
            }
            7..9 => {
                let Some((host, container)) = self.container() else { return };
                let usage = self.usage();
                self.tell(host, HostChange::Usage(vec![(container.id, usage)]));
            }
            9 => drop(update(&mut self.state, unseen(host.as_str(), 20, "no route"))),
            10 => self.tell(host, HostChange::Link(Link::Ready { since: self.now })),
            11 => {
                let skew = self.rng.i64(-40_000..40_000);
                self.tell(host, HostChange::Facts(wharf::model::HostFacts { clock_skew_ms: skew, ..facts() }));
            }
            12..14 => {
                let there = self.state.observed().hosts[&host].containers.values().cloned();
                let mut containers: Vec<Container> = there.collect();
                containers.retain(|_| self.rng.u8(..8) > 0);
                let new = self.stranger();
                containers.push(new);
                self.tell(host, HostChange::Listed { at: self.now, containers });
            }
            14..17 => self.want(),
            17 => drop(type_keys(&mut self.state, "P")),
            _ => {
                self.now = self.now.checked_add(Duration::from_secs(self.rng.u64(1..70))).unwrap();
                update(&mut self.state, Msg::Tick(self.now));
            }
        }
    }
}

#[test]
fn counting_what_changed_is_counting_everything() {
    for seed in 0..60 {
        let mut life = Life::new(seed);
        check(&life.state, "at first");
        for step in 0..150 {
            life.step();
            if life.rng.u8(..3) > 0 {
                continue;
            }
            let dirty = life.state.is_stale();
            life.state.settle();
            // What time alone changes is counted with the next news.
            if dirty && life.state.frozen.is_none() {
                check(&life.state, &format!("seed {seed}, step {step}"));
            }
        }
        // Let go of, the picture is counted to the moment.
        let keys = if life.state.frozen.is_some() { "P" } else { "PP" };
        type_keys(&mut life.state, keys);
        check(&life.state, &format!("seed {seed}, at the end"));
    }
}
