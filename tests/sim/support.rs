//! A fleet of simulated hosts, its store, and an operator in front of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::sync::mpsc;
use wharf::{
    engine::{ObserveOptions, Observer},
    model::{
        CommandId, Defaults, Desired, Fleet, HostName, HostView, Observed, Operation, OperationState, RegionName,
        ServiceKey, StackSpec, label,
    },
    plan::{self, Plan, Refusal, ScaleTarget, World},
    sim::{self, Engine, Glimpse, Script, Standing},
    store::{JournalQuery, OperationQuery, ReadStore as _, Sqlite, Store as _, StoreError},
};

pub use super::made::{ask, checked, run, service, stack};
use super::{
    guard::{Guard, is_ours, service_of},
    truth::{as_wanted, ends_told, model_of},
};

/// Nothing here takes so long on a machine that is alive.
pub const PATIENCE: Duration = Duration::from_secs(45);

/// What can be chosen about a test's fleet.
#[derive(Clone)]
pub struct Setup {
    pub hosts: usize,
    /// Containers that each host is born with.
    pub containers: usize,
    pub defaults: Defaults,
    pub observe: ObserveOptions,
    /// When a lease that is not renewed expires.
    pub lease: Duration,
}

impl Setup {
    pub fn new(hosts: usize) -> Self {
        let defaults = Defaults {
            min_healthy: Duration::from_millis(60),
            stop_grace: Duration::from_secs(1),
            restart_backoff: Duration::from_millis(50),
            restart_backoff_max: Duration::from_secs(1),
            observe: Duration::ZERO,
            ..Defaults::default()
        };
        let observe = ObserveOptions::default();
        Self { hosts, containers: 0, defaults, observe, lease: Duration::from_secs(15) }
    }

    /// Hosts that hang are noticed, and given up, soon.
    pub fn impatient_with_hosts(mut self) -> Self {
        self.observe.heartbeat = Duration::from_millis(150);
        self.observe.silent_after = Duration::from_millis(400);
        self.defaults.suspect_after = Duration::from_millis(400);
        self.defaults.down_after = Duration::from_millis(1500);
        self
    }

    pub fn defaults(mut self, change: impl FnOnce(&mut Defaults)) -> Self {
        change(&mut self.defaults);
        self
    }

    pub fn short_lease(mut self) -> Self {
        self.lease = Duration::from_millis(800);
        self
    }

    pub async fn start(self) -> Sim {
        let fleet = sim::Fleet::new(self.hosts, self.containers, 1).unwrap();
        // A little slower than nothing, so that things overlap.
        fleet.script_all(|script| {
            script.create = sim::Span::ms(2).plus(2);
            script.start = sim::Span::ms(3).plus(5);
            script.stop = sim::Span::ms(2).plus(5);
            script.pull = sim::Span::ms(5).plus(10);
        });
        let dir = tempfile::tempdir().unwrap();
        let model = Arc::new(model_of(&fleet, &self.defaults, dir.path().join("store.db")));
        let store = Arc::new(Sqlite::open(&model.store).unwrap());
        let eyes = Eyes::open(&model, &self.observe);
        let engines = fleet.hosts().iter().map(|host| (host.name.clone(), host.engine.clone())).collect();
        let guard = Guard::start(engines, self.defaults.min_healthy);
        let sim = Sim { setup: self, fleet, model, store, eyes, guard, _dir: dir };
        sim.until("all hosts are seen", || sim.eyes.look().hosts.values().all(HostView::is_seen)).await;
        sim
    }
}

/// What an operator sees.
pub struct Eyes {
    seen: Arc<Mutex<Observed>>,
    _observer: Observer,
    task: tokio::task::JoinHandle<()>,
}

impl Eyes {
    fn open(model: &Fleet, options: &ObserveOptions) -> Self {
        let seen = Arc::new(Mutex::new(Observed::unseen(model, Timestamp::now())));
        let (tell, mut told) = mpsc::channel(256);
        let observer = Observer::start(model, tell, options.clone());
        let book = seen.clone();
        let task = tokio::spawn(async move {
            while let Some(update) = told.recv().await {
                book.lock().unwrap().apply(update);
            }
        });
        Self { seen, _observer: observer, task }
    }

    pub fn look(&self) -> Observed {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Eyes {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub struct Sim {
    pub setup: Setup,
    pub fleet: sim::Fleet,
    pub model: Arc<Fleet>,
    pub store: Arc<Sqlite>,
    pub eyes: Eyes,
    pub guard: Guard,
    _dir: tempfile::TempDir,
}

/// Planning and accepting.
impl Sim {
    /// Opens the store again, after its file became another.
    pub fn reopen(&mut self) {
        self.store = Arc::new(Sqlite::open(&self.model.store).unwrap());
    }

    pub async fn desired(&self) -> Arc<Desired> {
        self.store.desired().await.unwrap()
    }

    pub async fn plan(&self, make: impl FnOnce(&World<'_>) -> Result<Plan, Refusal>) -> Plan {
        let (desired, mut observed) = (self.desired().await, self.eyes.look());
        observed.adopt(&desired.adopted);
        let world = World { fleet: &self.model, desired: &desired, observed: &observed, now: Timestamp::now() };
        make(&world).unwrap_or_else(|refusal| panic!("refused: {refusal}"))
    }

    pub async fn accept(&self, plan: Plan) -> Result<Operation, StoreError> {
        self.store.accept(plan.proposal, "ana@test".to_owned(), Timestamp::now()).await
    }

    pub async fn deploy(&self, stack: &StackSpec) -> Operation {
        let plan = self.plan(|world| plan::deploy(world, stack, &BTreeMap::new(), "ana@test")).await;
        self.accept(plan).await.unwrap()
    }

    pub async fn plan_scale(&self, service: &str, to: u32) -> Plan {
        let service: ServiceKey = service.parse().unwrap();
        let regions: Vec<RegionName> = self.desired().await.services[&service].keys().cloned().collect();
        let target = |region: RegionName| ScaleTarget { service: service.clone(), region, to };
        let targets: Vec<ScaleTarget> = regions.into_iter().map(target).collect();
        self.plan(|world| plan::scale(world, &targets)).await
    }

    pub async fn scale(&self, service: &str, to: u32) -> Operation {
        let plan = self.plan_scale(service, to).await;
        self.accept(plan).await.unwrap()
    }

    pub async fn restart(&self, service: &str) -> Operation {
        let service = service.parse().unwrap();
        let plan = self.plan(|world| plan::restart(world, &service, None)).await;
        self.accept(plan).await.unwrap()
    }

    pub async fn remove(&self, stack: &str) -> Operation {
        let stack = stack.parse().unwrap();
        let plan = self.plan(|world| plan::remove(world, &stack, None)).await;
        self.accept(plan).await.unwrap()
    }
}

/// Waiting and looking.
impl Sim {
    pub async fn operation(&self, id: CommandId) -> Operation {
        self.store.operation(id).await.unwrap().expect("the operation is gone")
    }

    /// Waits for the final state.
    pub async fn ended(&self, operation: &Operation) -> OperationState {
        let begun = Instant::now();
        loop {
            let now = self.operation(operation.id).await;
            if now.state.is_final() {
                return now.state;
            }
            assert!(
                begun.elapsed() <= PATIENCE,
                "{} does not end: {:#?}\n{}",
                now.intent.summary(),
                now.progress,
                self.story().await
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits for the end, which must be good, and looks whether it is true.
    pub async fn converged(&self, operation: &Operation) {
        let state = self.ended(operation).await;
        let story = self.story().await;
        assert_eq!(state.word(), "converged", "{}: {state:?}\n{story}", operation.intent.summary());
        if let Err(why) = self.as_wanted().await {
            panic!("converged, and yet: {why}\n{story}");
        }
    }

    /// Waits for the end, which must be bad; gives the reason.
    pub async fn failed(&self, operation: &Operation) -> String {
        match self.ended(operation).await {
            OperationState::Failed { reason, .. } | OperationState::RolledBack { reason, .. } => reason.to_string(),
            other => panic!("{}: {other:?}\n{}", operation.intent.summary(), self.story().await),
        }
    }

    pub async fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(begun.elapsed() <= PATIENCE, "never: {what}\n{}", self.story().await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the engines hold exactly what is wanted.
    pub async fn restored(&self) {
        let begun = Instant::now();
        while let Err(why) = self.as_wanted().await {
            assert!(begun.elapsed() <= PATIENCE, "not restored: {why}\n{}", self.story().await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The journal, oldest first, for people who read failures.
    pub async fn story(&self) -> String {
        let query = JournalQuery { limit: 60, ..JournalQuery::default() };
        let journal = self.store.journal(query).await.unwrap();
        journal
            .iter()
            .rev()
            .map(|entry| {
                let host = entry.host.as_ref().map(|host| format!(" [{host}]")).unwrap_or_default();
                format!("{}{host} {}\n", entry.at, entry.what)
            })
            .collect()
    }

    pub fn engine(&self, host: &str) -> &Arc<Engine> {
        &self.fleet.host(host).unwrap_or_else(|| panic!("no host {host}")).engine
    }

    pub fn script(&self, host: &str, change: impl FnOnce(&mut Script)) {
        self.engine(host).script(change);
    }

    /// All containers, with their hosts.
    pub fn peek(&self) -> Vec<(String, Glimpse)> {
        let all = self.fleet.hosts().iter();
        all.flat_map(|host| host.engine.peek().into_iter().map(|it| (host.name.clone(), it))).collect()
    }

    /// Our containers of a service, with their hosts.
    pub fn of(&self, service: &str) -> Vec<(String, Glimpse)> {
        self.peek().into_iter().filter(|(_, glimpse)| service_of(glimpse) == service).collect()
    }

    pub fn running(&self, service: &str) -> usize {
        self.of(service).iter().filter(|(_, it)| matches!(it.standing, Standing::Running(_))).count()
    }

    /// Requests for changes that contain `part`, over all engines.
    pub fn asked(&self, part: &str) -> usize {
        let all = self.fleet.hosts().iter();
        all.map(|host| host.engine.asked().iter().filter(|asked| asked.contains(part)).count()).sum()
    }

    /// What the engines hold against what is wanted: every slot once, on its host, at its revision, running; nothing
    /// else of ours.
    pub async fn as_wanted(&self) -> Result<(), String> {
        let desired = self.desired().await;
        as_wanted(&desired, self.peek())
    }

    /// Where the wanted replicas of a service are to be.
    pub async fn places(&self, service: &str) -> BTreeMap<u32, HostName> {
        let service: ServiceKey = service.parse().unwrap();
        let desired = self.desired().await;
        let all = desired.services.get(&service).into_iter().flat_map(BTreeMap::values);
        all.flat_map(|it| it.slots.iter().map(|(slot, place)| (slot.0, place.host.clone()))).collect()
    }

    /// The last word: nothing that must always be true was ever false.
    pub async fn close(self) {
        let trouble = self.guard.trouble();
        assert!(trouble.is_empty(), "{trouble:#?}\n{}", self.story().await);
        let query = OperationQuery { limit: 1000, ..OperationQuery::default() };
        for operation in self.store.operations(query).await.unwrap() {
            let query = JournalQuery { command: Some(operation.id), limit: 1000, ..JournalQuery::default() };
            let lines = self.store.journal(query).await.unwrap();
            let most = usize::from(operation.state.is_final());
            assert_eq!(ends_told(&operation, &lines), most, "{}: {lines:#?}", operation.intent.summary());
        }
        let mut slots = BTreeSet::new();
        for (host, glimpse) in self.peek().iter().filter(|(_, it)| is_ours(it)) {
            let region = &self.fleet.host(host).unwrap().region;
            let slot = (region.clone(), service_of(glimpse), glimpse.labels[label::SLOT].clone());
            assert!(slots.insert(slot.clone()), "two containers for {slot:?}");
        }
    }
}

/// Other people's containers: one of another fleet with our very labels, one of Compose, one on its own. Not to be
/// touched, on any host.
pub async fn others(sim: &Sim) {
    for host in sim.fleet.hosts() {
        let labels = serde_json::json!({
            label::FLEET: "other", label::REGION: host.region, label::STACK: "shop", label::SERVICE: "web",
            label::SLOT: "1", label::REVISION: "1",
        });
        run(&host.engine, "other-web-1", "app:1", &labels).await;
        let compose = serde_json::json!({"com.docker.compose.project": "legacy", "com.docker.compose.service": "db"});
        run(&host.engine, "legacy-db-1", "app:1", &compose).await;
        run(&host.engine, "bob", "app:1", &serde_json::json!({})).await;
        sim.guard.protect(&host.name, host.engine.peek().into_iter().filter(|it| !is_ours(it)));
    }
}

/// `shop` with `web` alone.
pub fn shop(image: &str, replicas: u32) -> StackSpec {
    stack("shop", [("web", service(image, replicas))])
}
