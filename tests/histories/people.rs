//! Who acts in a history: operators, who plan and accept, and reconcilers, which are killed.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use wharf::{
    clock::Clock,
    engine::{MemoryDial, ObserveOptions, Observer},
    model::{
        CommandId, Deploy, ExposedPort, Fleet, HealthCheck, HostIntent, HostName, Observed, Operation, Paused, Port,
        PortMode, Protocol, RolloutSpec, Scope, Sensitive, ServiceKey, ServiceSpec, Site, StackSpec,
    },
    plan::{self, Plan, Refusal, World},
    reconcile::{self, LeaseTimes, Options, Planner, ReconcileError},
    sim::{Engine, Link},
    store::{OperationQuery, ReadStore as _, Sqlite, Store, StoreError},
    text::Text,
};

use super::{
    gate::Gate,
    laws::{Law, Laws},
    made::{checked, service, stack},
    mutants::Mutant,
    notary::Notary,
    story::{Command, Version},
};

/// Stands in the environment of every container, and nowhere else.
pub const SECRET: &str = "s3cr3t-hunter2";

/// A lease that is not renewed expires after so long.
pub const LEASE: Duration = Duration::from_secs(6);

/// How everybody here gets to the hosts.
pub fn watching(laws: &Laws, who: &str, clock: Clock, gate: Option<&Gate>) -> ObserveOptions {
    let dial = |engine: &Arc<Engine>| {
        let (engine, who, gate) = (engine.clone(), who.to_owned(), gate.cloned());
        MemoryDial::new(move || match (engine.link(), &gate) {
            (Link::Down, _) => Err(std::io::ErrorKind::ConnectionRefused.into()),
            (_, None) => Ok(engine.connect_as(&who)),
            (_, Some(gate)) => Ok(gate.connect(engine.connect_as(&who))),
        })
    };
    ObserveOptions {
        memory: laws.hosts().iter().map(|host| (host.name.parse().unwrap(), dial(&host.engine))).collect(),
        heartbeat: Duration::from_secs(2),
        silent_after: Duration::from_secs(2),
        clock,
        ..ObserveOptions::default()
    }
}

/// The store as one process opens it.
pub fn open(model: &Fleet, clock: Clock) -> Sqlite {
    let options = wharf::store::Options { lease: LEASE, clock, in_turn: true, ..wharf::store::Options::default() };
    Sqlite::open_with(&model.store, options).unwrap()
}

/// A reconciler's process.
pub struct Reconciler {
    pub store: Arc<Notary>,
    name: String,
    laws: Arc<Laws>,
    /// Where it can be made to stand still.
    gate: Option<Gate>,
    task: JoinHandle<Result<(), ReconcileError>>,
}

impl Reconciler {
    pub fn start(model: &Arc<Fleet>, laws: &Arc<Laws>, name: &str, gate: Option<Gate>, mutant: Option<Mutant>) -> Self {
        let clock = laws.clock;
        let store = Arc::new(Notary::new(open(model, clock), name, laws.clone(), gate.clone(), mutant));
        let for_ever = mutant == Some(Mutant::BelievesForEver);
        let let_go = if for_ever { Duration::from_secs(3600) } else { LEASE * 3 / 4 };
        let options = Options {
            observe: watching(laws, name, clock, gate.as_ref()),
            lease: LeaseTimes { heartbeat: LEASE / 3, let_go },
            planner: mutant.map_or_else(Planner::default, Mutant::planner),
            ..Options::new(Text::new(name))
        };
        let shared: Arc<dyn Store> = store.clone();
        let task = tokio::spawn(reconcile::run(model.clone(), shared, options, CancellationToken::new()));
        Self { store, name: name.to_owned(), laws: laws.clone(), gate, task }
    }

    /// As SIGSTOP, and SIGCONT after a while.
    pub fn stop(&self, pause: Duration) {
        let Some(gate) = self.gate.clone() else { return };
        gate.set(false);
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            gate.set(true);
        });
    }

    /// As SIGCONT.
    pub fn go_on(&self) {
        self.gate.iter().for_each(|gate| gate.set(true));
    }

    /// As `kill -9`, wherever it is: nothing is finished, nothing released.
    pub fn kill(self) {
        self.laws.gone(Some(&self.name));
        self.gate.iter().for_each(Gate::end);
        self.task.abort();
    }

    /// None while it runs; else how it ended.
    pub async fn left(&mut self) -> Option<String> {
        if !self.task.is_finished() {
            return None;
        }
        Some(match (&mut self.task).await {
            Ok(Ok(())) => "a reconciler left".to_owned(),
            Ok(Err(error)) => format!("a reconciler left: {error}"),
            Err(error) => format!("a reconciler panicked: {error}"),
        })
    }
}

/// What operators see and do.
pub struct Operators {
    model: Arc<Fleet>,
    laws: Arc<Laws>,
    pub store: Notary,
    seen: Arc<Mutex<Observed>>,
    _observer: Observer,
    task: JoinHandle<()>,
    proxies: bool,
    mutant: Option<Mutant>,
}

impl Drop for Operators {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Operators {
    pub fn start(model: &Arc<Fleet>, laws: &Arc<Laws>, proxies: bool, mutant: Option<Mutant>) -> Self {
        let seen = Arc::new(Mutex::new(Observed::unseen(model, laws.now())));
        let (tell, mut told) = mpsc::channel(256);
        let observer = Observer::start(model, tell, watching(laws, "operators", laws.clock, None));
        let book = seen.clone();
        let task = tokio::spawn(async move {
            while let Some(update) = told.recv().await {
                book.lock().unwrap().apply(update);
            }
        });
        let store = Notary::new(open(model, laws.clock), "operators", laws.clone(), None, mutant);
        Self { model: model.clone(), laws: laws.clone(), store, seen, _observer: observer, task, proxies, mutant }
    }

    /// All hosts were seen at least once.
    pub fn see_all(&self) -> bool {
        self.seen.lock().unwrap().hosts.values().all(|host| host.listed_at.is_some())
    }

    /// Accepts what was planned. That it is refused is an answer.
    pub async fn accept(&self, plan: Plan) {
        if plan.is_empty() {
            return;
        }
        match self.store.accept(plan.proposal, "ana@test".to_owned(), self.laws.now()).await {
            Ok(operation) => {
                let found = self.store.operation(operation.id).await.unwrap();
                if found.is_none() {
                    self.laws.say(Law::Commands, format!("`{}` was accepted, and is not there", operation.equivalent));
                }
            }
            Err(StoreError::Conflict(_) | StoreError::Invalid(_) | StoreError::Io { .. }) => {}
            Err(error) => self.laws.say(Law::Alive, format!("accepting: {error}")),
        }
    }

    /// A plan for a command; none where it is refused, or where it is none that is planned.
    pub async fn plan(&self, command: Command) -> Option<Plan> {
        let desired = self.store.desired().await.unwrap();
        let mut observed = self.seen.lock().unwrap().clone();
        observed.adopt(&desired.adopted);
        let world = World { fleet: &self.model, desired: &desired, observed: &observed, now: self.laws.now() };
        let planned = self.make(&world, command)?;
        planned.ok()
    }

    fn host(&self, number: u8) -> HostName {
        let hosts = self.laws.hosts();
        hosts[usize::from(number) % hosts.len()].name.parse().unwrap()
    }

    fn make(&self, world: &World<'_>, command: Command) -> Option<Result<Plan, Refusal>> {
        let web: ServiceKey = "shop/web".parse().unwrap();
        Some(match command {
            Command::Deploy { version, web, api } => {
                plan::deploy(world, &self.shop(version, web, api), &BTreeMap::new(), "ana@test")
            }
            Command::Scale { to } => {
                let regions = world.desired.services.get(&web)?.keys();
                let target = |region: &wharf::model::RegionName| plan::ScaleTarget {
                    service: web.clone(),
                    region: region.clone(),
                    to: u32::from(to),
                };
                plan::scale(world, &regions.map(target).collect::<Vec<_>>())
            }
            Command::Restart => plan::restart(world, &web, None),
            Command::RemoveStack => plan::remove(world, &"shop".parse().unwrap(), None),
            Command::Rollback { back } => {
                let latest = world.desired.latest(&web)?.no.0;
                let to = latest.saturating_sub(u32::from(back)).max(1);
                let made = plan::rollback(world, &Scope::Service(web.clone()), Some(to), "ana@test");
                if self.mutant == Some(Mutant::RestoresTheWrong) { made.map(wrong_revision) } else { made }
            }
            Command::Migrate { from, to } => {
                let (from, to) = (Site::Host(self.host(from)), Site::Host(self.host(to)));
                plan::migrate(world, &Scope::Service(web), &from, &to)
            }
            Command::Drain { host } => plan::host(world, &self.host(host), Some(HostIntent::Draining)),
            Command::Cordon { host } => plan::host(world, &self.host(host), Some(HostIntent::Cordoned)),
            Command::Uncordon { host } => plan::host(world, &self.host(host), None),
            Command::Rebalance => plan::rebalance(world, None),
            Command::Pause | Command::Resume | Command::Abort => return None,
        })
    }

    /// A word to the newest operation that is open.
    pub async fn tell(&self, command: Command) {
        if let Some(operation) = self.open().await.first() {
            self.tell_of(operation.id, command).await;
        }
    }

    /// A word to an operation.
    pub async fn tell_of(&self, id: CommandId, command: Command) {
        let (by, at) = (Text::new("ben@test"), self.laws.now());
        let done = match command {
            Command::Pause => self.store.pause(id, Paused { at, by, why: Text::default() }).await,
            Command::Resume => self.store.resume(id, by, at).await,
            _ => self.store.abort(id, by, at).await,
        };
        match done {
            Ok(_) | Err(StoreError::Final { .. } | StoreError::Io { .. }) => {}
            Err(error) => self.laws.say(Law::Alive, format!("{command:?}: {error}")),
        }
    }

    /// Operations that are open, newest first.
    pub async fn open(&self) -> Vec<Operation> {
        let query = OperationQuery { open_only: true, ..OperationQuery::default() };
        self.store.operations(query).await.unwrap()
    }

    /// The stack's file.
    fn shop(&self, version: Version, web: u8, api: u8) -> StackSpec {
        let update = Some(RolloutSpec { parallelism: Some(2), ..RolloutSpec::default() });
        let plain = service(&format!("app:{}", version.tag()), u32::from(web));
        let healthcheck = HealthCheck { interval: Some(Duration::from_millis(500)), ..health() };
        let mut front = ServiceSpec {
            healthcheck: Some(healthcheck),
            environment: [("PASSWORD".to_owned(), Sensitive(SECRET.to_owned()))].into_iter().collect(),
            deploy: Deploy { update, ..plain.deploy.clone() },
            ..plain
        };
        let mut back = service("app:1", u32::from(api));
        if self.proxies {
            front.ports = vec![Port {
                target: 8080,
                published: Some(80),
                host_ip: None,
                protocol: Protocol::Tcp,
                mode: PortMode::Ingress,
            }];
            back.expose = vec![ExposedPort { port: 8080, protocol: Protocol::Tcp }];
        }
        stack("shop", [("web", front), ("api", back)])
    }
}

fn health() -> HealthCheck {
    checked("app:1", 1).healthcheck.unwrap()
}

/// The newest revision is what it was, under another number.
fn wrong_revision(mut plan: Plan) -> Plan {
    for revision in &mut plan.proposal.revisions {
        revision.spec.environment.insert("WRONG".to_owned(), Sensitive("yes".to_owned()));
    }
    plan
}
