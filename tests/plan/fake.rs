//! A fleet without engines: desired, observed and memory, where an action has its effect at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use wharf::{
    model::*,
    plan::{Action, Memory, Next, Plan, World},
    text::Text,
};

/// Replicas with a health check become healthy so long after they start.
pub const HEALTH_DELAY: SignedDuration = SignedDuration::from_secs(3);

#[derive(Debug, Clone)]
pub struct Fake {
    pub fleet: Fleet,
    pub desired: Desired,
    pub observed: Observed,
    pub memory: Memory,
    pub operations: Vec<Operation>,
    pub now: Timestamp,
    /// What each host's proxy shall be, as it was last told.
    proxies: BTreeMap<HostName, ProxySpec>,
    made: u32,
}

impl Default for Fake {
    fn default() -> Self {
        let fleet = Fleet {
            name: FleetName::new("acme").unwrap(),
            regions: Vec::new(),
            store: "/nowhere".into(),
            proxy_image: String::new(),
            subnet_pool: String::new(),
            link_pool: "10.211.0.0/16".into(),
            origin: "test".into(),
            access: wharf::model::Access::default(),
        };
        Self {
            fleet,
            desired: Desired { generation: Generation(7), ..Desired::default() },
            observed: Observed::default(),
            memory: Memory::default(),
            operations: Vec::new(),
            now: "2026-01-02T03:04:05Z".parse().unwrap(),
            proxies: BTreeMap::new(),
            made: 0,
        }
    }
}

impl Fake {
    pub fn world(&self) -> World<'_> {
        World { fleet: &self.fleet, desired: &self.desired, observed: &self.observed, now: self.now }
    }

    pub fn ago(&self, seconds: i64) -> Timestamp {
        self.now - SignedDuration::from_secs(seconds)
    }

    pub fn region_mut(&mut self, name: &str) -> &mut Region {
        let name = RegionName::new(name).unwrap();
        if self.fleet.region(&name).is_none() {
            // Releases are watched where a table says so.
            let defaults = Defaults { observe: Duration::ZERO, ..Defaults::default() };
            self.fleet.regions.push(Region { name: name.clone(), hosts: Vec::new(), defaults });
        }
        self.fleet.regions.iter_mut().find(|region| region.name == name).unwrap()
    }

    pub fn add_host(&mut self, name: &str, region: &str) -> &mut HostView {
        let host = HostName::new(name).unwrap();
        let connect = Connect::Unix(format!("/{name}").into());
        self.region_mut(region).hosts.push(Host {
            name: host.clone(),
            connect,
            address: None,
            labels: BTreeMap::new(),
        });
        let mut view =
            HostView::unseen(host.clone(), RegionName::new(region).unwrap(), format!("unix:///{name}"), self.now);
        view.link = Link::Ready { since: self.ago(3600) };
        view.listed_at = Some(self.now);
        view.facts = Some(HostFacts {
            engine: Text::new("28.0"),
            api: Text::new("1.44"),
            os: Text::new("linux"),
            arch: Text::new("x86_64"),
            os_name: Text::new("Test"),
            cpus: 4,
            memory: 8 << 30,
            clock_skew_ms: 0,
        });
        self.observed.hosts.entry(host).or_insert(view)
    }

    pub fn container(&mut self, replica: ReplicaKey, revision: RevisionNo, round: u32, image: &str) -> Container {
        self.made += 1;
        Container {
            id: ContainerId(Text::new(&format!("{:012}", self.made))),
            name: Text::new(&replica.container_name(revision, round)),
            image: Text::new(image),
            image_id: Text::new("sha256:0"),
            state: ContainerState::Running,
            health: Health::None,
            owner: Owner::Replica(ReplicaOf { key: replica, revision, round }),
            created: Some(self.now),
            started: Some(self.now),
            restarts: 0,
            ports: Vec::new(),
            networks: Vec::new(),
            usage: None,
        }
    }

    /// A container that runs the test of a revision.
    pub fn test(&mut self, region: RegionName, service: ServiceKey, revision: RevisionNo) -> Container {
        let key = ReplicaKey { region: region.clone(), service: service.clone(), slot: Slot(1) };
        let mut container = self.container(key, revision, 0, "app");
        container.name = Text::new(&service.test_name(revision));
        container.owner = Owner::Test(TestOf { region, service, revision });
        container
    }

    /// Takes a plan into desired state, as the store would, with the operation for it.
    pub fn accept(&mut self, plan: &Plan) {
        let proposal = &plan.proposal;
        self.desired.generation = Generation(self.desired.generation.0 + 1);
        let mut before: BTreeMap<ServiceKey, BTreeMap<RegionName, Option<Assignment>>> = BTreeMap::new();
        let mut after = before.clone();
        for revision in &proposal.revisions {
            let kept = self.desired.revisions.entry(revision.service.clone()).or_default();
            assert!(kept.insert(revision.no, Arc::new(revision.clone())).is_none(), "revisions are only appended");
        }
        for ((service, region), assignment) in &proposal.assignments {
            let known = self.desired.assignment(service, region).cloned();
            before.entry(service.clone()).or_default().insert(region.clone(), known);
            after.entry(service.clone()).or_default().insert(region.clone(), assignment.clone());
            let regions = self.desired.services.entry(service.clone()).or_default();
            match assignment {
                Some(assignment) => drop(regions.insert(region.clone(), assignment.clone())),
                None => drop(regions.remove(region)),
            }
        }
        self.desired.services.retain(|_, regions| !regions.is_empty());
        for (stack, shared) in &proposal.stacks {
            match shared {
                Some(shared) => drop(self.desired.stacks.insert(stack.clone(), shared.clone())),
                None => drop(self.desired.stacks.remove(stack)),
            }
        }
        for (host, intent) in &proposal.hosts {
            match intent {
                Some(intent) => drop(self.desired.hosts.insert(host.clone(), *intent)),
                None => drop(self.desired.hosts.remove(host)),
            }
        }
        self.operations.push(Operation {
            id: CommandId(uuid::Uuid::from_u128(u128::from(self.desired.generation.0))),
            intent: proposal.intent.clone(),
            equivalent: proposal.equivalent.clone(),
            by: "ana@bastion".into(),
            at: self.now,
            generation: self.desired.generation,
            before,
            after,
            state: OperationState::Running,
            progress: BTreeMap::new(),
            paused: None,
            resumed: None,
        });
    }

    pub fn next(&self, region: &RegionName) -> Next {
        wharf::plan::next(&self.world(), region, &self.memory, &self.operations)
    }

    /// Gives an action its effect.
    pub fn apply(&mut self, action: &Action) {
        let host_name = action.host().clone();
        assert!(self.observed.hosts[&host_name].is_seen(), "acted on a host that is not seen: {action:?}");
        match action {
            Action::Pull { image, .. } => {
                let image = Text::new(image);
                let pinned = image.as_str().contains("@sha256:");
                let (tags, digests) = if pinned { (vec![], vec![image]) } else { (vec![image], vec![]) };
                let image = Image { id: Text::new("sha256:1"), tags, digests, size: 1 };
                self.observed.hosts.get_mut(&host_name).unwrap().images.push(image);
            }
            Action::Learn { service, revision, .. } => {
                let at = (service.clone(), *revision);
                assert!(self.memory.learned.insert(at, BTreeSet::new()).is_none(), "asked twice");
            }
            Action::Test { service, revision, .. } => {
                let region = self.observed.hosts[&host_name].region.clone();
                let new = self.test(region, service.clone(), *revision);
                let host = self.observed.hosts.get_mut(&host_name).unwrap();
                assert!(host.containers.values().all(|other| other.name != new.name), "a test was begun twice");
                host.containers.insert(new.id.clone(), new);
            }
            Action::Clear { container, .. } => {
                let gone = self.observed.hosts.get_mut(&host_name).unwrap().containers.remove(container);
                assert!(gone.is_none_or(|gone| matches!(gone.owner, Owner::Test(_))), "cleared what is no test");
            }
            Action::Create { replica, revision, .. } => {
                let spec = Arc::clone(self.desired.revision(&replica.service, *revision).unwrap());
                let assignment = self.desired.assignment(&replica.service, &replica.region);
                // A command may have taken the service away meanwhile.
                let round = assignment.map_or(0, |assignment| assignment.round);
                let mut new = self.container(replica.clone(), *revision, round, &spec.image);
                if spec.spec.healthcheck.is_some() {
                    new.health = Health::Starting;
                }
                for (port, protocol) in spec.spec.fixed_ports() {
                    new.ports.push(Binding {
                        target: port,
                        published: Some(port),
                        address: Text::new("0.0.0.0"),
                        protocol,
                    });
                }
                for (port, _) in wharf::plan::links(&spec.spec) {
                    let published = Some(30_000 + u16::try_from(self.made).unwrap());
                    let address = Text::new("0.0.0.0");
                    if !new.ports.iter().any(|binding| binding.target == port) {
                        new.ports.push(Binding { target: port, published, address, protocol: Protocol::Tcp });
                    }
                }
                self.memory.tidied.remove(&(host_name.clone(), replica.service.stack.clone()));
                let host = self.observed.hosts.get_mut(&host_name).unwrap();
                for other in host.containers.values() {
                    assert_ne!(other.name, new.name, "a name was given twice on {host_name}");
                    for port in &new.ports {
                        let taken = other
                            .ports
                            .iter()
                            .any(|held| held.published == port.published && other.state == ContainerState::Running);
                        assert!(!taken, "port {:?} was given twice on {host_name}", port.published);
                    }
                }
                host.containers.insert(new.id.clone(), new);
            }
            Action::Start { container, .. } => {
                let now = self.now;
                let host = self.observed.hosts.get_mut(&host_name).unwrap();
                // Somebody may have removed it meanwhile.
                if let Some(container) = host.containers.get_mut(container) {
                    assert!(container.replica().is_some(), "started what is not ours");
                    container.state = ContainerState::Running;
                    container.started = Some(now);
                }
            }
            Action::Stop { container, .. } => {
                let host = self.observed.hosts.get_mut(&host_name).unwrap();
                if let Some(gone) = host.containers.remove(container) {
                    assert!(gone.replica().is_some(), "stopped what is not ours");
                }
            }
            Action::Tidy { stack, .. } => {
                self.memory.tidied.insert((host_name, stack.clone()));
            }
            Action::Prune { .. } => {
                self.memory.removed.insert(action.clone(), Text::new("gone"));
            }
        }
    }

    /// Takes in what concerns the whole: moves, as the reconciler would through the store, and what the proxies shall
    /// be, which they are a second later.
    pub fn take(&mut self, next: &Next) {
        self.proxies = next.proxies.clone();
        self.memory.draining.retain(|place, _| next.drains.contains(place));
        for place in &next.drains {
            self.memory.draining.entry(place.clone()).or_insert(self.now);
        }
        for (replica, place, _) in &next.moves {
            let regions = self.desired.services.get_mut(&replica.service).unwrap();
            let assignment = regions.get_mut(&replica.region).unwrap();
            assert!(assignment.slots.insert(replica.slot, place.clone()).is_some());
        }
    }

    /// The proxies of hosts that are seen are as they shall be, and have nothing going on.
    fn obey(&mut self) {
        for host in self.observed.hosts.values_mut().filter(|host| host.is_seen()) {
            host.proxy = self.proxies.get(&host.name).map(|wanted| ProxyView {
                container: ContainerId("p".into()),
                image: Text::new(&wanted.image),
                structure: Text::new(&wanted.structure.digest()),
                leaving: 0,
                at: self.now,
                backends: wanted.members.iter().map(|(name, members)| (name.clone(), seen(members))).collect(),
                problem: Text::default(),
            });
        }
    }

    /// Lets time pass: health checks that have run long enough pass.
    pub fn pass(&mut self, time: Duration) {
        self.now += SignedDuration::try_from(time).unwrap();
        self.obey();
        for host in self.observed.hosts.values_mut() {
            if !host.is_seen() {
                continue;
            }
            host.listed_at = Some(self.now);
            for container in host.containers.values_mut() {
                if matches!(container.owner, Owner::Test(_))
                    && container.started.is_some_and(|at| at + HEALTH_DELAY <= self.now)
                {
                    container.state = ContainerState::Exited { code: 0, at: Some(self.now), oom: false };
                }
                let ripe = container.started.is_some_and(|at| at + HEALTH_DELAY <= self.now);
                if container.health == Health::Starting && ripe {
                    container.health = Health::Healthy;
                }
            }
        }
    }

    /// Copies of a service in a region that do their work, by slot.
    pub fn healthy(&self, service: &ServiceKey, region: &RegionName) -> usize {
        let replicas = self.observed.replicas().filter(|(host, container, of)| {
            let old_enough = container.started.is_some_and(|at| at + SignedDuration::from_secs(10) <= self.now);
            let well = match container.health {
                Health::Healthy => true,
                Health::None => old_enough,
                _ => false,
            };
            let here = of.key.service == *service && of.key.region == *region && host.is_seen();
            here && well && container.state == ContainerState::Running
        });
        replicas.map(|(_, _, of)| of.key.slot).collect::<std::collections::BTreeSet<_>>().len()
    }
}

fn seen(members: &Members) -> BackendView {
    let server = |server: &Server| ServerView {
        address: Text::new(&format!("{}:{}", server.address, server.port)),
        is_ready: server.is_serving(),
        is_up: true,
        ..ServerView::default()
    };
    let servers = members.servers.iter().map(|(name, wanted)| (name.clone(), server(wanted))).collect();
    BackendView { servers, ..BackendView::default() }
}
