//! A fleet made up for tests: three regions, a little of everything that can be right or wrong.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::{Timestamp, ToSpan};
use wharf::{
    app::{Mode, Msg, State, StoreView},
    model::{
        Assignment, Binding, CommandId, Connect, Container, ContainerId, ContainerState, Defaults, Desired, Epoch,
        Fleet, Generation, Health, Host, HostChange, HostFacts, HostUpdate, Intent, JournalEntry, Lease, Link,
        Operation, OperationState, Owner, Place, Progress, Protocol, Region, RegionName, ReplicaKey, ReplicaOf,
        Revision, RevisionNo, ScaleChange, Sensitive, ServiceKey, ServiceSpec, Slot, StackShared, StepProgress,
        StepState, Tool, Usage,
    },
    text::Text,
};

/// The time at which every test plays.
pub fn now() -> Timestamp {
    "2026-11-23T12:04:31Z".parse().unwrap()
}

/// So long before [`now`].
pub fn before(seconds: i64) -> Timestamp {
    now().checked_sub(seconds.seconds()).unwrap()
}

/// A fleet of regions with their hosts.
pub fn fleet(regions: &[(&str, &[&str])]) -> Arc<Fleet> {
    let regions = regions
        .iter()
        .map(|(region, hosts)| Region {
            name: region.parse().unwrap(),
            hosts: hosts
                .iter()
                .enumerate()
                .map(|(at, host)| Host {
                    name: host.parse().unwrap(),
                    connect: Connect::Unix(format!("/run/{host}.sock").into()),
                    address: Some(format!("10.77.{}.{}", region.len(), at + 1)),
                    labels: BTreeMap::from([("zone".to_owned(), ["a", "b", "c"][at % 3].to_owned())]),
                })
                .collect(),
            defaults: Defaults::default(),
        })
        .collect();
    Arc::new(Fleet {
        name: "acme".parse().unwrap(),
        regions,
        store: "/tmp/none.db".into(),
        proxy_image: "haproxy:3.2-alpine".into(),
        subnet_pool: "10.200.0.0/16".into(),
        link_pool: "10.211.0.0/16".into(),
        origin: "fleet.toml".into(),
        access: wharf::model::Access::default(),
    })
}

/// The regions and hosts of the usual fleet.
pub const USUAL: [(&str, &[&str]); 3] =
    [("east", &["e-1", "e-2", "e-3", "e-4"]), ("west", &["w-1", "w-2", "w-3"]), ("ap", &["a-1", "a-2"])];

/// Puts a world together: what shall be, and what is there.
pub struct World {
    pub fleet: Arc<Fleet>,
    pub desired: Desired,
    pub containers: BTreeMap<String, Vec<Container>>,
    pub operations: Vec<Operation>,
    pub journal: Vec<JournalEntry>,
    /// Containers that proxies send nothing new, with what they still have.
    pub draining: BTreeMap<ContainerId, u32>,
    next: u64,
}

impl World {
    pub fn new(regions: &[(&str, &[&str])]) -> Self {
        Self {
            fleet: fleet(regions),
            desired: Desired { generation: Generation(4182), ..Desired::default() },
            containers: BTreeMap::new(),
            operations: Vec::new(),
            journal: Vec::new(),
            draining: BTreeMap::new(),
            next: 0,
        }
    }

    /// The usual fleet with four stacks, one of them run by Compose, and something wrong in two.
    pub fn usual() -> Self {
        let mut world = Self::new(&USUAL);
        world.service("shop/web", "nginx:1.27", 8, &[("east", 4), ("west", 2), ("ap", 2)]);
        world.service("shop/cart", "acme/cart:2.3", 3, &[("east", 2), ("west", 1)]);
        world.service("payments/api", "acme/pay-api:12", 12, &[("east", 6), ("west", 6), ("ap", 6)]);
        world.service("payments/worker", "acme/pay-worker:12", 12, &[("east", 2), ("west", 2), ("ap", 2)]);
        world.service("payments/ledger", "postgres:17", 4, &[("east", 1)]);
        world.service("search/index", "acme/search-index:5", 5, &[("east", 2), ("west", 2), ("ap", 2)]);
        world.fill();
        for container in world.containers.values_mut().flatten() {
            if container.name.as_str().starts_with("search-index") && container.name.as_str().contains("-w") {
                container.state = ContainerState::Exited { code: 137, at: Some(before(480)), oom: true };
                container.health = Health::None;
                container.restarts = 7;
            }
        }
        world.foreign("e-4", Tool::Compose, "legacy", "db");
        world.foreign("e-4", Tool::Compose, "legacy", "app");
        world
    }

    /// Wants replicas of a service, spread over the hosts of each region.
    pub fn service(&mut self, key: &str, image: &str, revision: u32, regions: &[(&str, u32)]) {
        let key: ServiceKey = key.parse().unwrap();
        let spec = ServiceSpec {
            image: image.to_owned(),
            environment: BTreeMap::from([("DATABASE_URL".to_owned(), Sensitive("postgres://secret".into()))]),
            ..ServiceSpec::default()
        };
        let revision = Revision {
            service: key.clone(),
            no: RevisionNo(revision),
            spec,
            image: image.to_owned(),
            at: before(2 * 86_400 + i64::from(revision) * 3600),
            by: "ana@bastion".into(),
            note: "deploy".into(),
            version: 1,
            restores: None,
        };
        self.desired.stacks.insert(key.stack.clone(), StackShared::default());
        for (region, count) in regions {
            let region: RegionName = region.parse().unwrap();
            let hosts = self.fleet.region(&region).unwrap().hosts.clone();
            let slots = (1..=*count)
                .map(|slot| {
                    let host = hosts[(slot as usize - 1) % hosts.len()].name.clone();
                    (Slot(slot), Place { host, revision: revision.no })
                })
                .collect();
            let assignment = Assignment { generation: Generation(4000), slots, round: 0 };
            self.desired.services.entry(key.clone()).or_default().insert(region, assignment);
        }
        self.desired.revisions.entry(key).or_default().insert(revision.no, Arc::new(revision));
    }

    /// Makes every wanted replica run.
    pub fn fill(&mut self) {
        let wanted: Vec<_> = self.desired.replicas().map(|(key, place)| (key, place.clone())).collect();
        for (key, place) in wanted {
            self.replica(&key, &place);
        }
    }

    /// Makes one replica run.
    pub fn replica(&mut self, key: &ReplicaKey, place: &Place) {
        let name = format!("{}-{}-{}-r{}", key.service.stack, key.service.service, key.slot, place.revision);
        let image = self.desired.revision(&key.service, place.revision).unwrap().spec.image.clone();
        let mut container = self.container(&name, &image);
        if place.host.as_str().starts_with('w') {
            container.name = Text::new(&format!("{}-w", container.name));
        }
        container.health = Health::Healthy;
        container.owner = Owner::Replica(ReplicaOf { key: key.clone(), revision: place.revision, round: 0 });
        container.ports = vec![Binding {
            target: 8080,
            published: Some(32_768 + u16::try_from(self.next).unwrap()),
            address: Text::new("10.77.4.1"),
            protocol: Protocol::Tcp,
        }];
        self.containers.entry(place.host.to_string()).or_default().push(container);
    }

    /// A container of another tool.
    pub fn foreign(&mut self, host: &str, tool: Tool, stack: &str, service: &str) {
        let mut container = self.container(&format!("{stack}-{service}-1"), "mysql:8");
        container.owner = Owner::Foreign { tool, stack: Text::new(stack), service: Text::new(service) };
        self.containers.entry(host.to_owned()).or_default().push(container);
    }

    fn container(&mut self, name: &str, image: &str) -> Container {
        self.next += 1;
        let n = self.next;
        Container {
            id: ContainerId(Text::new(&format!("{n:012x}{n:052x}"))),
            name: Text::new(name),
            image: Text::new(image),
            image_id: Text::new(&format!("sha256:{n:064x}")),
            state: ContainerState::Running,
            health: Health::None,
            owner: Owner::Loose,
            created: Some(before(7_300)),
            started: Some(before(7_200)),
            restarts: 0,
            ports: Vec::new(),
            networks: vec![Text::new("shop_default")],
            usage: Some(Usage {
                cpu_percent: (n * 37 % 900) as f64 / 10.0,
                memory: (n * 53 % 700) << 20,
                net_rx: (n * 1000) as f64,
                net_tx: (n * 500) as f64,
                disk_read: 0.0,
                disk_write: 4096.0,
                at: now(),
            }),
        }
    }

    /// Scales payments/api in west from 6 to 8: seven of eight are there.
    pub fn with_operation(mut self, state: OperationState) -> Self {
        let service: ServiceKey = "payments/api".parse().unwrap();
        let region: RegionName = "west".parse().unwrap();
        let before_it = self.desired.assignment(&service, &region).cloned().unwrap();
        let after = self.desired.services.get_mut(&service).unwrap().get_mut(&region).unwrap();
        for slot in [7, 8] {
            after.slots.insert(Slot(slot), Place { host: "w-2".parse().unwrap(), revision: RevisionNo(12) });
        }
        let after = after.clone();
        let step = |what: &str, state, detail: &str| StepProgress {
            what: Text::new(what),
            replica: None,
            state,
            detail: Text::new(detail),
            since: (state != StepState::Waiting).then(|| before(if state == StepState::Running { 12 } else { 60 })),
        };
        let failed = matches!(state, OperationState::Failed { .. });
        self.operations.push(Operation {
            id: CommandId("01935f2c-7a10-7000-8000-0000000000a1".parse().unwrap()),
            intent: Intent::Scale {
                changes: vec![ScaleChange { service: service.clone(), region: region.clone(), from: 6, to: 8 }],
            },
            equivalent: "wharf scale payments/api=8@west".into(),
            by: "ana@bastion".into(),
            at: before(72),
            generation: Generation(4182),
            before: BTreeMap::from([(service.clone(), BTreeMap::from([(region.clone(), Some(before_it))]))]),
            after: BTreeMap::from([(service.clone(), BTreeMap::from([(region.clone(), Some(after))]))]),
            state,
            progress: BTreeMap::from([(
                region.clone(),
                Progress {
                    done: 7,
                    total: 8,
                    steps: vec![
                        step("pull acme/pay-api:12 on w-2", StepState::Done, "here already"),
                        step("start payments/api.7 on w-2", StepState::Done, "started 1.1 s, healthy 4.0 s"),
                        step(
                            "start payments/api.8 on w-2",
                            if failed { StepState::Failed } else { StepState::Running },
                            if failed { "port 8080 is taken on w-2" } else { "healthy 2 of 3" },
                        ),
                        step("finish", StepState::Waiting, ""),
                    ],
                    waits_for: Text::new(if failed { "" } else { "health of api.8 (2 of 3 checks)" }),
                    finished: false,
                    traffic: None,
                },
            )]),
            paused: None,
            resumed: None,
        });
        let key = ReplicaKey { region: region.clone(), service: service.clone(), slot: Slot(7) };
        let place = Place { host: "w-2".parse().unwrap(), revision: RevisionNo(12) };
        self.replica(&key, &place);
        let key = ReplicaKey { slot: Slot(8), ..key };
        self.replica(&key, &place);
        let last = self.containers.get_mut("w-2").unwrap().last_mut().unwrap();
        last.health = Health::Starting;
        last.started = Some(before(12));
        self.journal.push(JournalEntry {
            at: before(70),
            command: Some(self.operations[0].id),
            region: Some(region),
            service: Some(service),
            host: None,
            what: Text::new("accepted: scale payments/api west 6 → 8"),
            is_error: false,
        });
        self
    }

    /// What the store says.
    pub fn store(&self) -> Arc<StoreView> {
        let lease = |region: &Region| Lease {
            region: region.name.clone(),
            holder: Text::new("ops@bastion:4711"),
            epoch: Epoch(3),
            alive: true,
        };
        Arc::new(StoreView {
            desired: Arc::new(self.desired.clone()),
            operations: self.operations.clone(),
            leases: self.fleet.regions.iter().map(lease).collect(),
            journal: self.journal.clone(),
        })
    }

    /// What observers tell when all hosts answer.
    pub fn updates(&self) -> Vec<HostUpdate> {
        self.fleet
            .hosts()
            .flat_map(|(_, host)| {
                let containers = self.containers.get(host.name.as_str()).cloned().unwrap_or_default();
                let usage = containers.iter().filter_map(|c| Some((c.id.clone(), c.usage?))).collect();
                [
                    HostChange::Link(Link::Ready { since: before(9_000) }),
                    HostChange::Facts(facts()),
                    HostChange::Listed { at: before(3), containers },
                    HostChange::Usage(usage),
                ]
                .map(|change| HostUpdate { host: host.name.clone(), change })
            })
            .collect()
    }

    /// The state after everything was told.
    pub fn state(&self, mode: Mode, size: (u16, u16)) -> State {
        let mut state = State::new(Arc::clone(&self.fleet), "ops@bastion".into(), mode, now());
        for msg in [Msg::Resize(size.0, size.1), Msg::Store(self.store()), Msg::Hosts(self.updates())] {
            wharf::app::update(&mut state, msg);
        }
        state.settle();
        state
    }
}

/// What every engine says of itself.
pub fn facts() -> HostFacts {
    HostFacts {
        engine: Text::new("29.1.3"),
        api: Text::new("1.52"),
        os: Text::new("linux"),
        arch: Text::new("x86_64"),
        os_name: Text::new("Debian GNU/Linux 13"),
        cpus: 8,
        memory: 32 << 30,
        clock_skew_ms: 12,
    }
}

/// A host that cannot be seen.
pub fn unseen(host: &str, seconds: i64, why: &str) -> Msg {
    let link = Link::Unknown { since: before(seconds), reason: Text::new(why) };
    Msg::Hosts(vec![HostUpdate { host: host.parse().unwrap(), change: HostChange::Link(link) }])
}

/// So much later than [`now`].
pub fn later(seconds: u64) -> Timestamp {
    now().checked_add(Duration::from_secs(seconds)).unwrap()
}
