//! How long 3 → 30 replicas take on three real hosts (one over SSH, one over TLS, one over its Unix socket), image
//! present, one published port each, on the engine's own bridge network.
//!
//! Interleaved in every round, each alone on the hosts, the hosts empty but for the three replicas in between:
//!
//! - `floor`: the same 27 creations and starts (same requests, same hosts), all at once from this process, through
//!   the same client; until each host's list shows its ten. Nothing plans, watches, records or repairs.
//! - `wharf`: a `wharf reconcile` process runs, as a service of the system would. From just before the plan is made
//!   here, through its acceptance by the store, until an observer in this process has seen 30 run.
//! - `on demand`: no reconciler runs; from the exec of `wharf scale … --detach`, which looks at the hosts, plans,
//!   accepts and starts one.
//! - `swarm`: the same hosts as one swarm (one manager), the same image by digest from the
//!   local registry, one port in host mode; from the service update until 30 tasks run.
//!
//! Everything, three engines and their 30 containers too, shares this machine's cores: most of the time is the
//! engines' own work. Network delay is next to none, so what is not measured is a far region.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a benchmark fails by panicking"
)]

#[expect(dead_code, reason = "shared by all benchmarks")]
mod common;
#[expect(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../support/pty.rs"]
mod pty;
#[expect(dead_code, reason = "shared with the tests, which use more of it")]
#[path = "../real/support.rs"]
mod support;

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    os::unix::net::UnixStream,
    sync::Arc,
    time::{Duration, Instant},
};

use common::{is_held, median, rounds, row, spread, wait};
use futures::future::{join_all, try_join_all};
use jiff::Timestamp;
use tokio::sync::mpsc;
use wharf::{
    config::{FleetChoice, load_fleet},
    engine::{self, CreateRequest, Handle, ObserveOptions, Observer, Watching},
    model::{ContainerId, ContainerState, Desired, HostName, HostUpdate, Observed, Place, ReplicaKey, ServiceKey},
    plan::{self, ScaleTarget, World},
    store::{ReadStore, Sqlite, Store},
};

const FEW: u32 = 3;
const MANY: u32 = 30;

/// On the engine's own bridge, where Swarm puts the tasks of a service without a network of its own, so that each
/// engine has the same to do for each row. A network per stack adds name service to every container.
const WEB: &str = "\
services:
  web:
    image: IMAGE:1
    network_mode: bridge
    expose: [\"8080\"]
    deploy:
      replicas: 3
";

fn main() {
    let fleet = support::Fleet::new("bench");
    let file = fleet.compose("bench.yaml", WEB);
    fleet.ok(&["deploy", "-f", &file, "--stack", "bench", "--yes"]);
    wait("the reconciler of the deployment leaves", || !is_held(&fleet.store()));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let swarm = Swarm::start(&fleet.world);
    let mut times: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for round in 0..rounds(7) {
        for (name, seconds) in [
            ("floor", runtime.block_on(floor(&fleet))),
            ("wharf", runtime.block_on(with_reconciler(&fleet))),
            ("swarm", swarm.round()),
            ("on demand", runtime.block_on(on_demand(&fleet))),
        ] {
            eprintln!("scale: round {round}: {name} {seconds:.2} s");
            times.entry(name).or_default().push(seconds);
        }
    }
    let middle = |name: &str| median(&times[name]);
    let line = |name: &str, what: &str, wanted: &str, ratio: Option<f64>| {
        row(&format!("3 → 30 on three real hosts, {what}"), spread(&times[name], 2, "s"), wanted, ratio);
    };
    line("floor", "floor: 27 × create + start at once, no control", "", None);
    line("wharf", "`wharf reconcile` running", "≤ 1.15 × floor", Some(middle("wharf") / middle("floor")));
    line("swarm", "Docker Swarm, same hosts", "≥ wharf", Some(middle("wharf") / middle("swarm")));
    line("on demand", "`wharf scale` alone, from exec", "", Some(middle("on demand") / middle("floor")));
}

/// This process's own eyes on the fleet.
struct Eyes {
    observed: Observed,
    updates: mpsc::Receiver<HostUpdate>,
    fleet: wharf::model::Fleet,
    _observer: Observer<Watching>,
}

impl Eyes {
    async fn open(fleet: &support::Fleet) -> Self {
        let fleet = load_fleet(&FleetChoice::new(Some(fleet.file.clone()))).unwrap();
        let (tx, updates) = mpsc::channel(1024);
        let observer = Observer::<Watching>::start(&fleet, tx, ObserveOptions::default());
        let observed = Observed::unseen(&fleet, Timestamp::now());
        let mut eyes = Self { observed, updates, fleet, _observer: observer };
        eyes.until("all hosts are listed", |observed| {
            observed.hosts.values().all(|host| host.is_seen() && host.listed_at.is_some() && host.facts.is_some())
        })
        .await;
        eyes
    }

    async fn until(&mut self, about: &str, what: impl Fn(&Observed) -> bool) {
        let until = tokio::time::Instant::now() + Duration::from_secs(60);
        while !what(&self.observed) {
            let update = tokio::time::timeout_at(until, self.updates.recv()).await;
            let update = update.unwrap_or_else(|_| panic!("{about}: not within a minute"));
            self.observed.apply(update.unwrap());
        }
    }

    async fn until_running(&mut self, count: u32) {
        self.until(&format!("{count} replicas run"), |observed| {
            let running = |state: &ContainerState| matches!(state, ContainerState::Running);
            let replicas: Vec<_> = observed.replicas().map(|(_, container, _)| &container.state).collect();
            replicas.len() == count as usize && replicas.into_iter().all(running)
        })
        .await;
    }

    fn plan(&self, desired: &Desired, to: u32) -> plan::Plan {
        let world = World { fleet: &self.fleet, desired, observed: &self.observed, now: Timestamp::now() };
        let region = self.fleet.regions[0].name.clone();
        plan::scale(&world, &[ScaleTarget { service: service(), region, to }]).unwrap()
    }

    async fn scale(&self, store: &Sqlite, to: u32) {
        let desired = store.desired().await.unwrap();
        store.accept(self.plan(&desired, to).proposal, "bench".into(), Timestamp::now()).await.unwrap();
    }
}

fn service() -> ServiceKey {
    "bench/web".parse().unwrap()
}

async fn floor(fleet: &support::Fleet) -> f64 {
    let store = Sqlite::open(fleet.store()).unwrap();
    let desired = store.desired().await.unwrap();
    let eyes = Eyes::open(fleet).await;
    let proposal = eyes.plan(&desired, MANY).proposal;
    let model = Arc::new(eyes.fleet.clone());
    // Nobody watches while it is measured.
    drop(eyes);
    let mut handles: BTreeMap<HostName, Handle> = BTreeMap::new();
    for (_, host) in model.hosts() {
        handles.insert(host.name.clone(), engine::open(&model.name, host).await.unwrap());
    }
    let ((_, region), assignment) = proposal.assignments.iter().next().unwrap();
    let there = &desired.assignment(&service(), region).unwrap().slots;
    let new: Vec<(ReplicaKey, &Place)> = assignment
        .as_ref()
        .unwrap()
        .slots
        .iter()
        .filter(|(slot, _)| !there.contains_key(*slot))
        .map(|(slot, place)| (ReplicaKey { service: service(), region: region.clone(), slot: *slot }, place))
        .collect();
    assert_eq!(new.len(), (MANY - FEW) as usize);

    let begun = Instant::now();
    let made: Vec<(HostName, ContainerId)> = try_join_all(new.iter().map(async |(replica, place)| {
        let handle = &handles[&place.host];
        let wanted = desired.revision(&replica.service, place.revision).unwrap();
        let request = CreateRequest {
            fleet: &model.name,
            replica,
            revision: place.revision,
            image: &wanted.image,
            spec: &wanted.spec,
            shared: &desired.stacks[&replica.service.stack],
            host_address: model.host(&place.host).and_then(|(_, host)| host.address.as_deref()),
            subnet_pool: &model.subnet_pool,
            round: 0,
            is_test: false,
            defaults: &model.regions[0].defaults,
            record: "",
        };
        let id = handle.create(&request).await?;
        handle.start(&id).await?;
        Ok::<_, engine::EngineError>((place.host.clone(), id))
    }))
    .await
    .unwrap();
    let running: usize = join_all(handles.values().map(async |handle| {
        let found = handle.list_labelled("wharf.fleet=bench").await.unwrap();
        found.iter().filter(|container| container.state == ContainerState::Running).count()
    }))
    .await
    .iter()
    .sum();
    let took = begun.elapsed();
    assert_eq!(running, MANY as usize);

    try_join_all(made.iter().map(|(host, id)| handles[host].remove(id, true))).await.unwrap();
    took.as_secs_f64()
}

async fn with_reconciler(fleet: &support::Fleet) -> f64 {
    let reconciler = fleet.spawn(&["reconcile"]);
    wait("the reconciler takes the lease", || is_held(&fleet.store()));
    let store = Sqlite::open(fleet.store()).unwrap();
    let mut eyes = Eyes::open(fleet).await;
    eyes.until_running(FEW).await;
    // It has connected and looked by then.
    tokio::time::sleep(Duration::from_secs(1)).await;

    let begun = Instant::now();
    eyes.scale(&store, MANY).await;
    eyes.until_running(MANY).await;
    let took = begun.elapsed();

    back(&mut eyes, &store).await;
    reconciler.signal("TERM");
    assert_eq!(reconciler.ended().0, Some(0));
    took.as_secs_f64()
}

async fn on_demand(fleet: &support::Fleet) -> f64 {
    wait("no reconciler is left", || !is_held(&fleet.store()));
    let store = Sqlite::open(fleet.store()).unwrap();
    let mut eyes = Eyes::open(fleet).await;
    eyes.until_running(FEW).await;

    let begun = Instant::now();
    fleet.ok(&["scale", "--yes", "--detach", &format!("bench/web={MANY}")]);
    eyes.until_running(MANY).await;
    let took = begun.elapsed();

    back(&mut eyes, &store).await;
    wait("the reconciler on demand leaves", || !is_held(&fleet.store()));
    took.as_secs_f64()
}

/// Back to three, and all that was asked for is done.
async fn back(eyes: &mut Eyes, store: &Sqlite) {
    eyes.scale(store, FEW).await;
    eyes.until_running(FEW).await;
    let query = || wharf::store::OperationQuery { open_only: true, ..Default::default() };
    while !store.operations(query()).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A swarm of the world's hosts with one service, spoken to through its manager's socket.
struct Swarm<'a> {
    world: &'a support::World,
    manager: String,
    others: Vec<String>,
}

impl<'a> Swarm<'a> {
    fn start(world: &'a support::World) -> Self {
        let mut hosts: Vec<String> = world.var("WORLD_HOSTS").split(',').map(str::to_owned).collect();
        let manager = hosts.pop().unwrap();
        let swarm = Self { world, manager, others: hosts };
        let address = |host: &str| world.var(&format!("{}_ADDRESS", host.to_uppercase())).to_owned();
        let run = |host: &str, args: &[&str]| world.docker(host, args);
        let manager = swarm.manager.as_str();
        run(manager, &["swarm", "init", "--advertise-addr", &address(manager), "--task-history-limit", "0"]);
        let token = run(manager, &["swarm", "join-token", "-q", "worker"]);
        for host in &swarm.others {
            let at = format!("{}:2377", address(manager));
            run(host, &["swarm", "join", "--advertise-addr", &address(host), "--token", &token, &at]);
        }
        let image = run(manager, &["inspect", "--format", "{{index .RepoDigests 0}}", &world.image("1")]);
        let port = "mode=host,target=8080";
        let few = FEW.to_string();
        run(manager, &["service", "create", "--name", "web", "--replicas", &few, "--publish", port, &image]);
        swarm
    }

    fn round(&self) -> f64 {
        // The three are there only now: in the other rows they would be in the way.
        self.scale(FEW);
        std::thread::sleep(Duration::from_secs(1));
        let begun = Instant::now();
        self.scale(MANY);
        let took = begun.elapsed();
        self.scale(0);
        took.as_secs_f64()
    }

    fn scale(&self, count: u32) {
        self.world.docker(&self.manager, &["service", "scale", "--detach", &format!("web={count}")]);
        wait("swarm's tasks", || self.running() == (count as usize, count as usize));
    }

    /// Tasks that run, and all.
    fn running(&self) -> (usize, usize) {
        let socket = self.world.var(&format!("{}_SOCKET", self.manager.to_uppercase()));
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.write_all(b"GET /v1.41/tasks HTTP/1.0\r\nHost: engine\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let tasks: serde_json::Value = serde_json::from_str(body).unwrap();
        let tasks = tasks.as_array().unwrap();
        (tasks.iter().filter(|task| task["Status"]["State"] == "running").count(), tasks.len())
    }
}

impl Drop for Swarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        self.world.docker(&self.manager, &["service", "rm", "web"]);
        for host in self.others.iter().chain([&self.manager]) {
            self.world.docker(host, &["swarm", "leave", "--force"]);
        }
    }
}
