//! Many simulated engines on unix sockets, in a private directory that goes when the fleet goes.

use super::engine::Engine;
use super::net::Net;
use super::num;
use super::proxy::Ledger;
use super::registry::Registry;
use super::script::{Behaviour, Link, Script, Span};
use super::world::{Texts, World};
use super::{demo, world};
use crate::clock::Clock;
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::task::AbortHandle;

/// Longest socket path: the kernel takes 107 bytes, other systems less.
const LONGEST_PATH: usize = 99;

/// One simulated host and how to reach it.
#[derive(Debug, Clone)]
pub struct SimHost {
    /// Name, unique in the fleet.
    pub name: String,
    /// Region.
    pub region: String,
    /// Unix socket that speaks the Docker API; empty where none does.
    pub socket: PathBuf,
    /// Address where other hosts would reach its published ports.
    pub address: String,
    /// Labels such as `zone` and `role`.
    pub labels: BTreeMap<String, String>,
    /// The engine itself, for scripting.
    pub engine: Arc<Engine>,
}

impl SimHost {
    fn new(host: &world::HostSeed, socket: PathBuf, engine: Arc<Engine>) -> Self {
        Self {
            name: host.name.clone(),
            region: host.region.clone(),
            socket,
            address: host.address.clone(),
            labels: host.labels.clone(),
            engine,
        }
    }
}

/// A fleet of simulated engines. Dropping it closes all connections and removes its directory.
#[derive(Debug)]
pub struct Fleet {
    dir: PathBuf,
    hosts: Vec<SimHost>,
    world: World,
    registry: Arc<Registry>,
    seed: u64,
    tasks: Vec<AbortHandle>,
}

impl Fleet {
    /// The demo: 3 regions, 12 hosts, 6 stacks, and a few things wrong on purpose. `search/index` runs out of memory in west
    /// (its version before does not), one `assets/thumb` in ap is unhealthy, `payments/api` answers some requests with
    /// an error, and host `w-3` stops answering from time to time. Call it inside a tokio runtime.
    pub fn demo(seed: u64) -> io::Result<Self> {
        let registry = Arc::<Registry>::default();
        let mut fleet = Self::serve(demo::company(&registry), registry, &Script::lifelike(), seed)?;
        let far = BTreeMap::from([("west", Span::ms(22).plus(6)), ("ap", Span::ms(58).plus(15))]);
        for host in &fleet.hosts {
            host.engine.script(|script| {
                if let Some(span) = far.get(host.region.as_str()) {
                    script.latency = *span;
                }
                script.missing.insert("acme/ghost".to_owned());
                // Something always fails a little.
                for (image, share) in [("acme/payments-api:12.0.3", 0.004), ("acme/shop-cart:1.4.0", 0.0006)] {
                    script.errors.insert(image.to_owned(), share);
                }
                if host.region == "west" {
                    let leaks = Behaviour::Exits { after: Duration::from_secs(4), code: 137, oom: true };
                    script.behaviours.insert("acme/search-index:3.2.0".to_owned(), leaks);
                }
            });
        }
        fleet.populate();
        fleet.leave_behind();
        if let Some(replica) = fleet.world.replicas.iter().find(|r| r.region == "ap" && r.service == "thumb")
            && let Some(host) = fleet.host(&replica.host)
        {
            host.engine.mark_sick(&replica.container, true);
        }
        fleet.flaky("w-3", Duration::from_secs(20), Duration::from_secs(45), Duration::from_secs(360));
        Ok(fleet)
    }

    /// What months of releases leave on hosts: the image before, older ones that nobody needs, volumes of containers that
    /// are gone.
    fn leave_behind(&self) {
        for (number, host) in self.hosts.iter().enumerate() {
            let here = self.world.on_host(&host.name).filter_map(|at| self.world.service(&at.stack, &at.service));
            here.filter(|seed| seed.managed).for_each(|seed| host.engine.load_image(&seed.previous));
            for old in ["acme/shop-web:2.6.4", "acme/payments-api:11.9.2"].iter().take(number % 3) {
                host.engine.load_image(old);
            }
            if number % 4 == 1 {
                host.engine.leave_volume(&num::sha256(&host.name));
            }
        }
    }

    /// `hosts` hosts with `containers` running containers each, over up to eight regions. Nothing is wrong with them and
    /// nothing takes time until scripts say so. Call it inside a tokio runtime.
    pub fn new(hosts: usize, containers: usize, seed: u64) -> io::Result<Self> {
        let registry = Arc::<Registry>::default();
        let fleet = Self::serve(demo::sized(hosts, containers, &registry), registry, &Script::default(), seed)?;
        fleet.populate();
        Ok(fleet)
    }

    /// Empty hosts that nobody serves: they are reached by [`Engine::connect`] alone, and their times run with `clock`. With
    /// a paused runtime and one thread, everything that happens there follows from `seed`.
    pub fn in_memory(hosts: usize, clock: Clock, seed: u64) -> Self {
        let registry = Arc::<Registry>::default();
        let world = demo::sized(hosts, 0, &registry);
        let mut fleet = Self { dir: PathBuf::new(), hosts: Vec::new(), world, registry, seed, tasks: Vec::new() };
        for (host, engine) in fleet.engines(&Script::default(), clock) {
            fleet.hosts.push(SimHost::new(&host, PathBuf::new(), engine));
        }
        fleet
    }

    fn serve(world: World, registry: Arc<Registry>, script: &Script, seed: u64) -> io::Result<Self> {
        let dir = private_dir()?;
        let mut fleet = Self { dir, hosts: Vec::new(), world, registry, seed, tasks: Vec::new() };
        for (number, (host, engine)) in fleet.engines(script, Clock::running()).into_iter().enumerate() {
            let socket = socket_path(&fleet.dir, &host.name, number);
            let listener = UnixListener::bind(&socket)?;
            fleet.tasks.push(tokio::spawn(accept(engine.clone(), listener, socket.clone())).abort_handle());
            fleet.hosts.push(SimHost::new(&host, socket, engine));
        }
        Ok(fleet)
    }

    /// The world's hosts, each with an engine, wired to each other.
    fn engines(&self, script: &Script, clock: Clock) -> Vec<(world::HostSeed, Arc<Engine>)> {
        let net = Net::new(clock);
        let engine = |host: &world::HostSeed| {
            let seed = num::mix(self.seed ^ num::hash(&host.name));
            Engine::wired(host.profile(), self.registry.clone(), script.clone(), clock, seed, net.clone())
        };
        self.world.hosts.iter().map(|host| (host.clone(), engine(host))).collect()
    }

    /// Puts the world's containers on their hosts.
    fn populate(&self) {
        let mut texts = Texts::default();
        let specs: BTreeMap<(&str, &str), _> = self
            .world
            .services
            .iter()
            .filter_map(|seed| Some(((seed.stack.as_str(), seed.service.as_str()), (seed, seed.spec().ok()?))))
            .collect();
        let hosts: BTreeMap<&str, &SimHost> = self.hosts.iter().map(|host| (host.name.as_str(), host)).collect();
        for replica in &self.world.replicas {
            let (Some((seed, spec)), Some(host)) =
                (specs.get(&(replica.stack.as_str(), replica.service.as_str())), hosts.get(replica.host.as_str()))
            else {
                continue;
            };
            // A service came up within some minutes, some time in the last weeks.
            let service_age = 7_200 + num::hash(&format!("{}{}{}", self.seed, seed.stack, seed.service)) % 3_400_000;
            let age = Duration::from_secs(service_age + num::hash(&replica.container) % 300);
            host.engine.settle(&self.world.fleet, seed, spec, replica, age, &mut texts);
        }
    }

    /// The hosts, in the order of their regions.
    pub fn hosts(&self) -> &[SimHost] {
        &self.hosts
    }

    /// A host by name.
    pub fn host(&self, name: &str) -> Option<&SimHost> {
        self.hosts.iter().find(|host| host.name == name)
    }

    /// What was placed where at the beginning.
    pub fn world(&self) -> &world::World {
        &self.world
    }

    /// The registry that all engines pull from.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The directory of the sockets. Only its owner can look into it.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What became of every request that came through the fleet's proxies.
    pub fn ledger(&self) -> Ledger {
        self.hosts.first().map(|host| host.engine.ledger()).unwrap_or_default()
    }

    /// Changes the script of every engine.
    pub fn script_all(&self, change: impl Fn(&mut Script)) {
        for host in &self.hosts {
            host.engine.script(&change);
        }
    }

    /// A host that hangs for `down`, first after `first`, then again `every` so often after it is back.
    pub fn flaky(&mut self, name: &str, first: Duration, down: Duration, every: Duration) {
        let Some(engine) = self.host(name).map(|host| Arc::downgrade(&host.engine)) else { return };
        let task = tokio::spawn(async move {
            tokio::time::sleep(first).await;
            loop {
                let Some(held) = engine.upgrade() else { return };
                held.set_link(Link::Hung);
                drop(held);
                tokio::time::sleep(down).await;
                let Some(held) = engine.upgrade() else { return };
                held.set_link(Link::Up);
                drop(held);
                tokio::time::sleep(every).await;
            }
        });
        self.tasks.push(task.abort_handle());
    }

    /// Background deaths: `rate` containers per second of the whole fleet end by themselves, at random times.
    /// Those with a restart policy come back. Goes on until the fleet is dropped.
    pub fn churn(&mut self, rate: f64) {
        if rate <= 0.0 || !rate.is_finite() {
            return;
        }
        let engines: Vec<_> = self.hosts.iter().map(|host| Arc::downgrade(&host.engine)).collect();
        let mut rng = fastrand::Rng::with_seed(num::mix(self.seed ^ 0x0063_6875_726e));
        let task = tokio::spawn(async move {
            loop {
                // Exponential gaps, so deaths come in clusters as they do in life.
                let gap = -(1.0 - rng.f64()).ln() / rate;
                tokio::time::sleep(Duration::from_secs_f64(gap.min(86_400.0))).await;
                let Some(engine) = rng.choice(&engines).and_then(std::sync::Weak::upgrade) else { continue };
                if let Some(name) = engine.any_running(&mut rng) {
                    let code = rng.choice([1, 2, 137, 139]).unwrap_or(1);
                    engine.crash(&name, code);
                }
            }
        });
        self.tasks.push(task.abort_handle());
    }
}

impl Engine {
    /// The id of a running container, by chance.
    fn any_running(&self, rng: &mut fastrand::Rng) -> Option<String> {
        let state = self.lock();
        let running: Vec<&String> = state.containers.values().filter(|c| c.alive()).map(|c| &c.id).collect();
        rng.choice(running).cloned()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        for host in &self.hosts {
            host.engine.set_link(Link::Down);
        }
        if !self.dir.as_os_str().is_empty() {
            // Nothing can be done about a directory that cannot be removed.
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

/// Takes connections while the engine is there; while it is down nothing listens, so dialling is refused.
async fn accept(engine: Arc<Engine>, listener: UnixListener, path: PathBuf) {
    let mut link = engine.link.listen();
    let mut listener = Some(listener);
    loop {
        let Some(open) = &listener else {
            link.until(|link| link != Link::Down).await;
            let _ = std::fs::remove_file(&path);
            listener = UnixListener::bind(&path).ok();
            if listener.is_none() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            continue;
        };
        tokio::select! {
            connection = open.accept() => match connection {
                Ok((stream, _)) => engine.spawn(engine.clone().serve(stream)),
                // Out of file descriptors: others will be closed.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            () = link.until(|link| link == Link::Down) => listener = None,
        }
    }
}

fn socket_path(dir: &Path, name: &str, number: usize) -> PathBuf {
    let path = dir.join(format!("{name}.sock"));
    if path.as_os_str().len() <= LONGEST_PATH { path } else { dir.join(format!("{number}.sock")) }
}

/// A new directory for sockets, with a short path, closed to others.
fn private_dir() -> io::Result<PathBuf> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let bases = runtime.into_iter().chain([std::env::temp_dir(), PathBuf::from("/tmp")]);
    let mut error = io::Error::other("no directory for sockets");
    // 40 bytes are left for the directory's and the socket's own names.
    for base in bases.filter(|base| base.as_os_str().len() + 40 <= LONGEST_PATH) {
        let dir = base.join(format!("wharf-sim-{:08x}", fastrand::u32(..)));
        match std::fs::DirBuilder::new().mode(0o700).create(&dir) {
            Ok(()) => return Ok(dir),
            Err(failed) => error = failed,
        }
    }
    Err(error)
}
