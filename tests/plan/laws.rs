//! Laws of planning, tried on random worlds.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proptest::prelude::*;
use wharf::{model::*, plan::*, text::Text};

use crate::{fake::Fake, spec};

const REGION: &str = "east";
const SERVICES: [&str; 3] = ["web", "api", "db"];
/// Kinds of services, from plain to awkward.
const KINDS: [&str; 10] = [
    "",
    "check",
    "spread=zone check",
    "max=2",
    "port=80",
    "volume=data",
    "cpu=700 mem=1G",
    "check order=stop-first parallel=2",
    "check test=app,check",
    "volume=data test=app,check",
];

fn region() -> RegionName {
    REGION.parse().unwrap()
}

fn key(service: usize) -> ServiceKey {
    format!("shop/{}", SERVICES[service]).parse().unwrap()
}

/// The file of the stack: the kind of each service, a version, and who needs whom.
fn file(kinds: &[usize], versions: &[u8]) -> StackSpec {
    let mut services = indexmap::IndexMap::new();
    for (at, kind) in kinds.iter().enumerate() {
        let image = format!("image=app@sha256:{:04}{:02}", at, versions[at]);
        let needs = if at == 0 && kinds.len() > 2 { " needs=db" } else { "" };
        // Ports of different services must not clash, or no plan would fit.
        let kind = KINDS[*kind].replace("port=80", &format!("port={}", 80 + at));
        let line = format!("{image} {kind}{needs}");
        services.insert(ServiceName::new(SERVICES[at]).unwrap(), spec::spec(line.split_whitespace()));
    }
    StackSpec { name: "shop".parse().unwrap(), services, networks: BTreeMap::new(), volumes: BTreeMap::new() }
}

fn fleet(hosts: usize) -> Fake {
    let mut fake = Fake::default();
    for at in 0..hosts {
        let view = fake.add_host(&format!("e-{at}"), REGION);
        view.labels.insert("zone".into(), ["a", "b"][at % 2].into());
    }
    fake
}

fn deploy_of(fake: &Fake, file: &StackSpec) -> Result<Plan, Refusal> {
    let images = file.services.iter().map(|(name, spec)| (name.clone(), spec.image.clone())).collect();
    deploy(&fake.world(), file, &images, "ana")
}

#[derive(Debug, Clone)]
enum Event {
    Scale(usize, u32),
    Deploy(usize),
    Restart(usize),
    Drain(usize),
    Open(usize),
    Migrate(usize, usize, usize),
    Rollback(usize),
    Rebalance,
    Kill(usize),
    Delete(usize),
    Sicken(usize),
    Silence(usize),
    Return(usize),
    Rounds(usize),
    Long,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        (0..3_usize, 0..7_u32).prop_map(|(service, n)| Event::Scale(service, n)),
        (0..3_usize).prop_map(Event::Deploy),
        (0..3_usize).prop_map(Event::Restart),
        (0..5_usize).prop_map(Event::Drain),
        (0..5_usize).prop_map(Event::Open),
        (0..3_usize, 0..5_usize, 0..5_usize).prop_map(|(service, from, to)| Event::Migrate(service, from, to)),
        (0..3_usize).prop_map(Event::Rollback),
        Just(Event::Rebalance),
        (0..20_usize).prop_map(Event::Kill),
        (0..20_usize).prop_map(Event::Delete),
        (0..20_usize).prop_map(Event::Sicken),
        (0..5_usize).prop_map(Event::Silence),
        (0..5_usize).prop_map(Event::Return),
        (1..15_usize).prop_map(Event::Rounds),
        Just(Event::Long),
    ];
    prop::collection::vec(event, 1..14)
}

struct Run {
    fake: Fake,
    kinds: Vec<usize>,
    versions: Vec<u8>,
    /// How many rounds the next actions take, in turn.
    latency: Vec<usize>,
    /// Rounds so far, and what ends in which.
    rounds: usize,
    pending: Vec<(usize, Action)>,
}

impl Run {
    fn command(&mut self, plan: Result<Plan, Refusal>) {
        // A refusal changes nothing; what it refuses is the business of the tables.
        let Ok(plan) = plan else { return };
        if plan.is_empty() {
            return;
        }
        let touched: BTreeSet<&ServiceKey> = plan.proposal.assignments.keys().map(|(service, _)| service).collect();
        self.fake.operations.retain(|operation| !operation.after.keys().any(|key| touched.contains(key)));
        self.fake.accept(&plan);
    }

    fn event(&mut self, event: &Event) {
        match event {
            Event::Scale(service, to) => {
                let service = key(service % self.kinds.len());
                let plan = scale(&self.fake.world(), &[ScaleTarget { service, region: region(), to: *to }]);
                self.command(plan);
            }
            Event::Deploy(service) => {
                let at = service % self.kinds.len();
                self.versions[at] += 1;
                let plan = deploy_of(&self.fake, &file(&self.kinds, &self.versions));
                self.command(plan);
            }
            Event::Restart(service) => {
                let plan = restart(&self.fake.world(), &key(service % self.kinds.len()), None);
                self.command(plan);
            }
            Event::Drain(at) => {
                let plan = host(&self.fake.world(), &self.host(*at), Some(HostIntent::Draining));
                self.command(plan);
            }
            Event::Open(at) => {
                let plan = host(&self.fake.world(), &self.host(*at), None);
                self.command(plan);
            }
            Event::Migrate(service, from, to) => {
                let what = Scope::Service(key(service % self.kinds.len()));
                let (from, to) = (Site::Host(self.host(*from)), Site::Host(self.host(*to)));
                let plan = migrate(&self.fake.world(), &what, &from, &to);
                self.command(plan);
            }
            Event::Rollback(service) => {
                let what = Scope::Service(key(service % self.kinds.len()));
                let plan = rollback(&self.fake.world(), &what, None, "ana");
                self.command(plan);
            }
            Event::Rebalance => {
                let plan = rebalance(&self.fake.world(), None);
                self.command(plan);
            }
            Event::Kill(at) => self.on_container(*at, |container, now| {
                container.state = ContainerState::Exited { code: 137, at: Some(now), oom: false };
            }),
            Event::Sicken(at) => self.on_container(*at, |container, _| {
                if container.health != Health::None {
                    container.health = Health::Unhealthy;
                }
            }),
            Event::Delete(at) => {
                let pick = self.pick(*at);
                if let Some((host, id)) = pick {
                    self.fake.observed.hosts.get_mut(&host).unwrap().containers.remove(&id);
                }
            }
            Event::Silence(at) => {
                let now = self.fake.now;
                let count = self.fake.observed.hosts.len();
                let view = self.fake.observed.hosts.values_mut().nth(at % count).unwrap();
                if view.is_seen() {
                    view.link = Link::Unknown { since: now, reason: Text::new("no answer") };
                }
            }
            Event::Return(at) => {
                let count = self.fake.observed.hosts.len();
                let view = self.fake.observed.hosts.values_mut().nth(at % count).unwrap();
                view.link = Link::Ready { since: self.fake.now };
            }
            Event::Rounds(rounds) => (0..*rounds).for_each(|_| self.quiet_round()),
            Event::Long => (0..90).for_each(|_| self.quiet_round()),
        }
    }

    fn host(&self, at: usize) -> HostName {
        self.fake.observed.hosts.keys().nth(at % self.fake.observed.hosts.len()).unwrap().clone()
    }

    /// How uneven a service is, over zones and then over hosts: the sums of squares.
    fn unevenness(&self, service: &ServiceKey) -> (u32, u32) {
        let (mut zones, mut hosts): (BTreeMap<&str, u32>, BTreeMap<&HostName, u32>) = Default::default();
        let Some(assignment) = self.fake.desired.assignment(service, &region()) else { return (0, 0) };
        let spreads = self.fake.desired.latest(service).is_some_and(|latest| !latest.spec.deploy.spread.is_empty());
        for place in assignment.slots.values() {
            let zone = self.fake.observed.hosts[&place.host].labels["zone"].as_str();
            *zones.entry(if spreads { zone } else { "" }).or_default() += 1;
            *hosts.entry(&place.host).or_default() += 1;
        }
        let squares = |counts: Vec<u32>| counts.iter().map(|count| count * count).sum();
        (squares(zones.into_values().collect()), squares(hosts.into_values().collect()))
    }

    /// Reservations, ports and numbers per host are kept to.
    fn within_rules(&self) -> Result<(), String> {
        let mut cpu: BTreeMap<&HostName, u64> = BTreeMap::new();
        let mut ports: BTreeSet<(&HostName, u16)> = BTreeSet::new();
        let mut count: BTreeMap<(&HostName, ServiceKey), u32> = BTreeMap::new();
        for (replica, place) in self.fake.desired.replicas() {
            let spec = &self.fake.desired.revision(&replica.service, place.revision).unwrap().spec;
            *cpu.entry(&place.host).or_default() += spec.deploy.resources.cpu_reserved.unwrap_or_default();
            for (port, _) in spec.fixed_ports() {
                if !ports.insert((&place.host, port)) {
                    return Err(format!("port {port} twice on {}", place.host));
                }
            }
            let here = count.entry((&place.host, replica.service.clone())).or_default();
            *here += 1;
            if spec.deploy.max_per_host.is_some_and(|most| *here > most) {
                return Err(format!("{here} of {} on {}", replica.service, place.host));
            }
        }
        if cpu.values().all(|cpu| *cpu <= 4_000) { Ok(()) } else { Err(format!("{cpu:?}")) }
    }

    fn pick(&self, at: usize) -> Option<(HostName, ContainerId)> {
        let live: Vec<_> = self.fake.observed.replicas().filter(|(host, ..)| host.is_seen()).collect();
        let (host, container, _) = live.get(at.checked_rem(live.len())?)?;
        Some((host.name.clone(), container.id.clone()))
    }

    fn on_container(&mut self, at: usize, change: impl Fn(&mut Container, jiff::Timestamp)) {
        let Some((host, id)) = self.pick(at) else { return };
        let now = self.fake.now;
        change(self.fake.observed.hosts.get_mut(&host).unwrap().containers.get_mut(&id).unwrap(), now);
    }

    /// All hosts are seen and all health checks pass again.
    fn mend(&mut self) {
        for host in self.fake.observed.hosts.values_mut() {
            host.link = Link::Ready { since: self.fake.now };
            for container in host.containers.values_mut().filter(|container| container.health == Health::Unhealthy) {
                container.health = Health::Healthy;
            }
        }
    }

    fn quiet_round(&mut self) {
        self.round();
    }

    /// One round of the reconciler. True when there was something to do.
    fn round(&mut self) -> bool {
        let next = self.fake.next(&region());
        assert_eq!(next, self.fake.next(&region()), "the same world gives the same");
        for action in &next.actions {
            assert!(!self.fake.memory.in_flight.contains(action), "given twice: {action:?}");
            self.check(action);
            let latency = self.latency[(self.rounds + self.pending.len()) % self.latency.len()];
            self.fake.memory.in_flight.insert(action.clone());
            self.pending.push((self.rounds + latency, action.clone()));
        }
        let due: Vec<Action> =
            self.pending.extract_if(.., |(at, _)| *at <= self.rounds).map(|(_, action)| action).collect();
        for action in &due {
            self.fake.memory.in_flight.remove(action);
            // An engine that went silent meanwhile did not do it.
            if self.fake.observed.hosts[action.host()].is_seen() {
                self.fake.apply(action);
            }
        }
        self.rounds += 1;
        self.fake.take(&next);
        let fake = &self.fake;
        let done = |operation: &Operation| progress(&fake.world(), &region(), operation, &fake.memory).finished;
        let open: Vec<Operation> = fake.operations.iter().filter(|operation| !done(operation)).cloned().collect();
        self.fake.operations = open;
        self.fake.pass(Duration::from_secs(1));
        !next.actions.is_empty() || !next.moves.is_empty() || !self.pending.is_empty()
    }

    /// Invariants 1, 2 and 5, when an action is given. What is already being stopped counts as gone.
    fn check(&self, action: &Action) {
        if let Action::Clear { host, container, .. } = action {
            let test = &self.fake.observed.hosts[host].containers[container];
            assert!(matches!(test.owner, Owner::Test(_)), "only tests are cleared: {action:?}");
        }
        let Action::Stop { host, replica, container, why } = action else { return };
        let seen = &self.fake.observed.hosts[host].containers[container];
        assert!(seen.replica().is_some_and(|of| of.key == *replica), "only our own are stopped");
        let service = &replica.service;
        let mut world = self.fake.clone();
        for (_, pending) in &self.pending {
            if let Action::Stop { host, container, .. } = pending {
                world.observed.hosts.get_mut(host).unwrap().containers.remove(container);
            }
        }
        let before = world.healthy(service, &region());
        world.observed.hosts.get_mut(host).unwrap().containers.remove(container);
        let after = world.healthy(service, &region());
        let assignment = self.fake.desired.assignment(service, &region());
        let wanted = assignment.map_or(0, |assignment| assignment.slots.len());
        let may_dip = why.starts_with("makes room");
        let batch = if may_dip { (wanted.div_ceil(4)).max(2) } else { 0 };
        assert!(
            after >= before.min(wanted.saturating_sub(batch)),
            "{service} falls from {before} to {after} of {wanted} healthy: {action:?}"
        );
    }

    /// Everything is as wanted: one container per slot, in its place, and no other.
    fn converged(&self) -> Result<(), String> {
        let mut left: Vec<&ReplicaOf> = self.fake.observed.replicas().map(|(_, _, of)| of).collect();
        for (replica, place) in self.fake.desired.replicas() {
            let here = self.fake.observed.hosts[&place.host].containers.values().find(|container| {
                container.replica().is_some_and(|of| of.key == replica) && container.state == ContainerState::Running
            });
            let of = here.and_then(Container::replica).ok_or_else(|| format!("{replica} is not on {}", place.host))?;
            let image = |no| &self.fake.desired.revision(&replica.service, no).unwrap().image;
            if image(of.revision) != image(place.revision) {
                return Err(format!("{replica} runs r{}", of.revision));
            }
            left.retain(|other| *other != of);
        }
        let mut all = self.fake.observed.containers();
        if let Some((host, test)) = all.find(|(_, container)| matches!(container.owner, Owner::Test(_))) {
            return Err(format!("left over: {} on {}", test.name, host.name));
        }
        if left.is_empty() { Ok(()) } else { Err(format!("left over: {left:?}")) }
    }
}

fn start(hosts: usize, kinds: Vec<usize>) -> Run {
    let mut run = Run {
        fake: fleet(hosts),
        versions: vec![0; kinds.len()],
        kinds,
        latency: vec![0],
        rounds: 0,
        pending: Vec::new(),
    };
    let plan = deploy_of(&run.fake, &file(&run.kinds, &run.versions));
    run.command(plan);
    run
}

fn kinds() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..KINDS.len(), 1..=SERVICES.len())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever happens, capacity is kept, nothing oscillates, and in the end what is wanted is there.
    #[test]
    fn it_converges_and_never_dips(
        hosts in 1..5_usize,
        kinds in kinds(),
        latency in prop::collection::vec(0..6_usize, 1..5),
        events in events(),
    ) {
        let mut run = start(hosts, kinds);
        run.latency = latency;
        for event in &events {
            run.event(event);
        }
        run.mend();
        let mut quiet = 0;
        for _ in 0..3_000 {
            quiet = if run.round() { 0 } else { quiet + 1 };
            // Longer than any pause: a loop that acts once a minute would show.
            if quiet > 120 && run.fake.operations.is_empty() {
                break;
            }
        }
        prop_assert!(quiet > 120, "never quiet");
        prop_assert_eq!(run.converged(), Ok(()));
        prop_assert!(run.fake.operations.is_empty(), "open: {:?}", run.fake.operations);
    }

    /// Placing gives the same twice and keeps to the rules.
    #[test]
    fn placing_keeps_to_the_rules(hosts in 1..6_usize, kinds in kinds(), sizes in prop::collection::vec(0..9_u32, 3), closed in 0..6_usize) {
        let mut run = start(hosts, kinds);
        if closed < hosts {
            run.fake.desired.hosts.insert(format!("e-{closed}").parse().unwrap(), HostIntent::Cordoned);
        }
        let before = run.fake.desired.clone();
        for (at, to) in sizes.iter().enumerate().take(run.kinds.len()) {
            let target = [ScaleTarget { service: key(at), region: region(), to: *to }];
            let plan = scale(&run.fake.world(), &target);
            prop_assert_eq!(&plan, &scale(&run.fake.world(), &target));
            run.command(plan);
        }
        prop_assert_eq!(run.within_rules(), Ok(()));
        for (replica, place) in run.fake.desired.replicas() {
            let known = before.assignment(&replica.service, &region()).and_then(|a| a.slots.get(&replica.slot));
            prop_assert!(known == Some(place) || run.fake.desired.is_open(&place.host), "new on a closed host");
        }
    }

    /// A rebalance never makes a service's spread worse, keeps to the rules, moves nothing onto or off a closed host,
    /// and leaves nothing for a second one.
    #[test]
    fn rebalancing_once_is_enough(
        hosts in 2..6_usize,
        kinds in kinds(),
        sizes in prop::collection::vec(0..9_u32, 3),
        closed in prop::collection::vec(any::<bool>(), 6),
        still in 0..8_usize,
    ) {
        let mut run = start(hosts, kinds);
        // Grown while some hosts are closed, so that it is uneven.
        for at in (0..hosts).filter(|at| closed[*at]) {
            run.fake.desired.hosts.insert(run.host(at), HostIntent::Cordoned);
        }
        for (at, to) in sizes.iter().enumerate().take(run.kinds.len()) {
            let plan = scale(&run.fake.world(), &[ScaleTarget { service: key(at), region: region(), to: *to }]);
            run.command(plan);
        }
        for at in (0..hosts).filter(|at| *at != still) {
            let open = run.host(at);
            run.fake.desired.hosts.remove(&open);
        }
        let before = run.fake.desired.clone();
        let uneven: Vec<(u32, u32)> = (0..run.kinds.len()).map(|at| run.unevenness(&key(at))).collect();
        let plan = rebalance(&run.fake.world(), None).unwrap();
        prop_assert_eq!(&plan, &rebalance(&run.fake.world(), None).unwrap());
        run.command(Ok(plan));
        let again = rebalance(&run.fake.world(), None).unwrap();
        prop_assert!(again.is_empty(), "{:?}", again.steps);
        prop_assert!(rebalance_hint(&run.fake.world(), &region()).is_none());
        for (at, uneven) in uneven.into_iter().enumerate() {
            prop_assert!(run.unevenness(&key(at)) <= uneven, "{} is more uneven", key(at));
        }
        prop_assert_eq!(run.within_rules(), Ok(()));
        for (replica, place) in run.fake.desired.replicas() {
            let old = &before.assignment(&replica.service, &region()).unwrap().slots[&replica.slot];
            let pinned = KINDS[run.kinds[SERVICES.iter().position(|name| *name == replica.service.service.as_str()).unwrap()]].contains("volume");
            prop_assert_eq!(old.revision, place.revision);
            prop_assert!(old == place || !pinned, "{} has a volume", replica);
            prop_assert!(old == place || (before.is_open(&old.host) && before.is_open(&place.host)), "{}", replica);
        }
    }

    /// A drain leaves nothing on the host but what it names, keeps every slot and its number, and touches no other.
    #[test]
    fn draining_empties_the_host(
        hosts in 1..6_usize,
        kinds in kinds(),
        sizes in prop::collection::vec(0..9_u32, 3),
        drained in 0..6_usize,
    ) {
        let mut run = start(hosts, kinds);
        for (at, to) in sizes.iter().enumerate().take(run.kinds.len()) {
            let plan = scale(&run.fake.world(), &[ScaleTarget { service: key(at), region: region(), to: *to }]);
            run.command(plan);
        }
        let name = run.host(drained);
        let before = run.fake.desired.clone();
        let plan = host(&run.fake.world(), &name, Some(HostIntent::Draining)).unwrap();
        prop_assert_eq!(&plan, &host(&run.fake.world(), &name, Some(HostIntent::Draining)).unwrap());
        let stays = plan.warnings.iter().filter(|warning| warning.contains(" stays: ")).count();
        run.command(Ok(plan));
        prop_assert_eq!(run.fake.desired.count_on(&name), stays);
        prop_assert_eq!(run.within_rules(), Ok(()));
        prop_assert_eq!(before.replicas().count(), run.fake.desired.replicas().count());
        for (replica, place) in before.replicas() {
            let now = &run.fake.desired.assignment(&replica.service, &region()).unwrap().slots[&replica.slot];
            prop_assert!(now == place || place.host == name, "{} was not on the host", replica);
        }
        let again = host(&run.fake.world(), &name, Some(HostIntent::Draining)).unwrap();
        prop_assert!(again.is_empty());
    }

    /// Rolling back without a number never comes back to what it left, and ends.
    #[test]
    fn rolling_back_never_toggles(deploys in prop::collection::vec(0..3_u8, 1..8), again in 1..10_usize) {
        let mut run = start(2, vec![0]);
        for version in deploys {
            run.versions[0] = version;
            let plan = deploy_of(&run.fake, &file(&run.kinds, &run.versions));
            run.command(plan);
        }
        let what = Scope::Service(key(0));
        let mut oldest = None;
        for _ in 0..again {
            let world = run.fake.world();
            let now = current(&world, &key(0)).unwrap().clone();
            let Ok(plan) = rollback(&world, &what, None, "ana") else { break };
            let Intent::Rollback { to, .. } = &plan.proposal.intent else { panic!() };
            let (target, new) = to[&key(0)];
            let fresh = &plan.proposal.revisions[0];
            let old = &run.fake.desired.revisions[&key(0)][&target];
            prop_assert_eq!((fresh.no, &fresh.image, &fresh.spec), (new, &old.image, &old.spec));
            prop_assert!(fresh.image != now.image, "it differs from what ran");
            // Through all roll-backs, to what was once deployed.
            let mut stands_for = target;
            while let Some(older) = run.fake.desired.revisions[&key(0)][&stands_for].restores {
                stands_for = older;
            }
            prop_assert!(oldest.is_none_or(|oldest| stands_for < oldest), "{stands_for:?} after {oldest:?}");
            oldest = Some(stands_for);
            run.command(Ok(plan));
        }
    }

    /// Out and in again moves no replica that survives.
    #[test]
    fn out_and_in_moves_nobody(hosts in 1..6_usize, kind in 0..KINDS.len(), up in 1..9_u32, down in 0..9_u32) {
        let mut run = start(hosts, vec![kind]);
        let to = |run: &mut Run, to| {
            let target = ScaleTarget { service: key(0), region: region(), to };
            let before = run.fake.desired.assignment(&key(0), &region()).unwrap().slots.clone();
            let plan = scale(&run.fake.world(), &[target]);
            run.command(plan);
            let after = run.fake.desired.assignment(&key(0), &region()).unwrap().slots.clone();
            for (slot, place) in &after {
                if let Some(known) = before.get(slot) {
                    assert_eq!(known, place);
                }
            }
            after.len()
        };
        let most = to(&mut run, up);
        let least = to(&mut run, down);
        prop_assert!(least <= most.max(usize::try_from(down).unwrap()));
    }
}
