//! Reconcilers that are killed, follow each other, or run at the same time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use wharf::{
    model::{
        CommandId, Desired, Epoch, JournalEntry, Lease, Operation, Paused, Place, Progress, Proposal, RegionName,
        ReplicaKey, ServiceKey,
    },
    sim::{Glimpse, Span},
    store::{Answer, Fence, JournalQuery, Learned, OperationQuery, ReadStore, Store, StoreError},
    text::Text,
};

use super::{
    reconciler::Reconciler,
    support::{Setup, Sim, others, service, shop, stack},
};

/// Kills reconcilers at random moments until the operation has ended.
async fn carried_out_by_many(sim: &Sim, operation: &Operation, rng: &mut fastrand::Rng) -> usize {
    let mut killed = 0;
    loop {
        let reconciler = Reconciler::start(sim, &format!("number-{killed}"));
        let lives = sim.setup.lease + Duration::from_millis(rng.u64(0..350));
        let begun = Instant::now();
        while begun.elapsed() < lives && !sim.operation(operation.id).await.state.is_final() {
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
        if sim.operation(operation.id).await.state.is_final() {
            reconciler.stop().await;
            return killed;
        }
        reconciler.kill();
        killed += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_comes_next_goes_on() {
    let sim = Setup::new(3).short_lease().start().await;
    others(&sim).await;
    sim.fleet.script_all(|script| {
        script.create = Span::ms(40).plus(60);
        script.start = Span::ms(40).plus(60);
        script.stop = Span::ms(40).plus(60);
    });
    let mut rng = fastrand::Rng::with_seed(7);
    let mut killed = 0;
    let operation = sim.deploy(&shop("app:1", 20)).await;
    killed += carried_out_by_many(&sim, &operation, &mut rng).await;
    sim.converged(&operation).await;
    sim.guard.floor("shop/web", Some(20));
    let operation = sim.deploy(&shop("app:2", 20)).await;
    killed += carried_out_by_many(&sim, &operation, &mut rng).await;
    sim.converged(&operation).await;
    sim.guard.floor("shop/web", Some(4));
    let operation = sim.scale("shop/web", 4).await;
    killed += carried_out_by_many(&sim, &operation, &mut rng).await;
    sim.converged(&operation).await;
    assert!(killed > 0, "nobody was killed: the test proves nothing");
    sim.close().await;
}

/// Whoever learned what an image exposes dies before it is written, after, or while others are made.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_image_exposes_is_learned_by_whoever_comes_next() {
    let sim = Setup::new(3).short_lease().start().await;
    sim.fleet.script_all(|script| {
        script.latency = Span::ms(2).plus(3);
        script.pull = Span::ms(60).plus(60);
        script.create = Span::ms(60).plus(60);
        script.start = Span::ms(60).plus(60);
        script.exposed.insert("api".to_owned(), [8080].into());
    });
    let mut rng = fastrand::Rng::with_seed(11);
    let mut killed = 0;
    for tag in 1..=2 {
        let silent = stack("shop", [("web", service("app:1", 4)), ("api", service(&format!("api:{tag}"), 16))]);
        let operation = sim.deploy(&silent).await;
        killed += carried_out_by_many(&sim, &operation, &mut rng).await;
        sim.converged(&operation).await;
        let desired = sim.desired().await;
        let ports = |service: &str| {
            let latest = desired.latest(&service.parse::<ServiceKey>().unwrap()).unwrap();
            latest.spec.expose.iter().map(|port| port.port).collect::<Vec<_>>()
        };
        assert_eq!((ports("shop/api"), ports("shop/web")), (vec![8080], vec![]), "{tag}");
        assert_eq!(desired.stacks["shop"].addresses.len(), 1, "{tag}");
    }
    assert!(killed > 0, "nobody was killed: the test proves nothing");
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_one_waits_for_the_lease_of_a_dead_one() {
    let sim = Setup::new(2).short_lease().start().await;
    let first = Reconciler::start(&sim, "first");
    let operation = sim.deploy(&shop("app:1", 2)).await;
    sim.converged(&operation).await;
    let dead = Instant::now();
    first.kill();
    let operation = sim.scale("shop/web", 6).await;
    let _second = Reconciler::start(&sim, "second");
    sim.until("the second one acts", || sim.of("shop/web").len() > 2).await;
    // The last renewal was at most a quarter of the lease before the death.
    let waited = dead.elapsed();
    assert!(waited >= sim.setup.lease / 2, "it acted {waited:?} after the death");
    sim.converged(&operation).await;
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_stops_gives_its_lease_back_and_begins_nothing_more() {
    let sim = Setup::new(1).start().await;
    sim.fleet.script_all(|script| script.create = Span::ms(150));
    let first = Reconciler::start(&sim, "first");
    let operation = sim.deploy(&shop("app:1", 30)).await;
    sim.until("some are made", || !sim.of("shop/web").is_empty()).await;
    first.stop().await;
    let begun = sim.asked("/containers/create");
    assert!(begun < 30, "all were begun");
    // Its lease of 15 s is free at once.
    let stopped = Instant::now();
    let _second = Reconciler::start(&sim, "second");
    sim.until("the second one acts", || sim.asked("/containers/create") > begun).await;
    assert!(stopped.elapsed() < Duration::from_secs(10), "it waited for the lease: {:?}", stopped.elapsed());
    sim.converged(&operation).await;
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_at_once_one_acts() {
    let sim = Setup::new(3).start().await;
    others(&sim).await;
    let before = sim.asked("/start");
    let two = [Reconciler::start(&sim, "left"), Reconciler::start(&sim, "right")];
    let operation = sim.deploy(&shop("app:1", 18)).await;
    sim.converged(&operation).await;
    let operation = sim.deploy(&shop("app:2", 18)).await;
    sim.converged(&operation).await;
    assert_eq!(sim.asked("/containers/create?name=shop-web"), 36, "each container is asked for once");
    assert_eq!(sim.asked("/start") - before, 36, "and started once");
    assert_eq!(sim.asked("/stop"), 18);
    assert_eq!(sim.asked("DELETE /containers/"), 18);
    let alive: Vec<Lease> = sim.store.leases().await.unwrap().into_iter().filter(|lease| lease.alive).collect();
    assert_eq!(alive.len(), 1);
    assert_eq!(alive[0].epoch, Epoch(1), "the lease went from hand to hand");
    for reconciler in two {
        assert!(reconciler.is_alive());
        reconciler.stop().await;
    }
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_whose_store_is_gone_begins_nothing_once_its_lease_may_be_anothers() {
    let sim = Setup::new(1).short_lease().start().await;
    sim.fleet.script_all(|script| script.create = Span::ms(250));
    let store = Arc::new(Cuttable::over(&sim));
    let cut_off = Reconciler::start_over(&sim, "cut off", store.clone());
    let operation = sim.deploy(&shop("app:1", 60)).await;
    sim.until("some are made", || !sim.of("shop/web").is_empty()).await;
    store.cut.store(true, std::sync::atomic::Ordering::SeqCst);
    // By then it must have let go; what had begun may still end.
    tokio::time::sleep(sim.setup.lease).await;
    let begun = sim.asked("/containers/create");
    assert!(begun < 60, "all were begun before the lease ran out: the test proves nothing");
    let second = Reconciler::start(&sim, "second");
    sim.converged(&operation).await;
    let mut names: Vec<String> = sim.of("shop/web").into_iter().map(|(_, Glimpse { name, .. })| name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 60);
    // Only what was under way at that moment can have been asked for twice: eight at once on one host.
    assert!(sim.asked("/containers/create") <= 60 + 8, "{} creations", sim.asked("/containers/create"));
    second.stop().await;
    cut_off.kill();
    sim.close().await;
}

/// A store that can be cut off, as a network file system or a full disk would.
struct Cuttable {
    store: Arc<wharf::store::Sqlite>,
    cut: std::sync::atomic::AtomicBool,
}

impl Cuttable {
    fn over(sim: &Sim) -> Self {
        let options = wharf::store::Options { lease: sim.setup.lease, ..wharf::store::Options::default() };
        let store = Arc::new(wharf::store::Sqlite::open_with(&sim.model.store, options).unwrap());
        Self { store, cut: std::sync::atomic::AtomicBool::new(false) }
    }

    fn ask<'a, T>(&self, answer: Answer<'a, T>) -> Answer<'a, T> {
        if self.cut.load(std::sync::atomic::Ordering::SeqCst) {
            return Box::pin(async { Err(StoreError::Invalid("the store is cut off".to_owned())) });
        }
        answer
    }
}

impl ReadStore for Cuttable {
    fn desired(&self) -> Answer<'_, Arc<Desired>> {
        self.ask(self.store.desired())
    }
    fn operations(&self, query: OperationQuery) -> Answer<'_, Vec<Operation>> {
        self.ask(self.store.operations(query))
    }
    fn operation(&self, id: CommandId) -> Answer<'_, Option<Operation>> {
        self.ask(self.store.operation(id))
    }
    fn find_operation(&self, suffix: String) -> Answer<'_, Option<Operation>> {
        self.ask(self.store.find_operation(suffix))
    }
    fn journal(&self, query: JournalQuery) -> Answer<'_, Vec<JournalEntry>> {
        self.ask(self.store.journal(query))
    }
    fn leases(&self) -> Answer<'_, Vec<Lease>> {
        self.ask(self.store.leases())
    }
    fn version(&self) -> Answer<'_, u64> {
        self.ask(self.store.version())
    }
}

impl Store for Cuttable {
    fn accept(&self, proposal: Proposal, by: String, at: jiff::Timestamp) -> Answer<'_, Operation> {
        self.ask(self.store.accept(proposal, by, at))
    }
    fn attest(&self, by: String, did: &'static str, what: Text, at: jiff::Timestamp) -> Answer<'_, ()> {
        self.ask(self.store.attest(by, did, what, at))
    }
    fn take_lease(&self, region: RegionName, holder: Text) -> Answer<'_, Option<Epoch>> {
        self.ask(self.store.take_lease(region, holder))
    }
    fn release_lease(&self, fence: Fence) -> Answer<'_, ()> {
        self.ask(self.store.release_lease(fence))
    }
    fn report(&self, fence: Fence, progress: Vec<(CommandId, Progress)>, journal: Vec<JournalEntry>) -> Answer<'_, ()> {
        // What cannot be written waits: the reconciler is to be seen without its store, not ended by it.
        if self.cut.load(std::sync::atomic::Ordering::SeqCst) {
            return Box::pin(async { Ok(()) });
        }
        self.store.report(fence, progress, journal)
    }
    fn fail(&self, fence: Fence, id: CommandId, reason: Text, at: jiff::Timestamp) -> Answer<'_, Operation> {
        self.ask(self.store.fail(fence, id, reason, at))
    }
    fn roll_back(&self, fence: Fence, id: CommandId, reason: Text, at: jiff::Timestamp) -> Answer<'_, Operation> {
        self.ask(self.store.roll_back(fence, id, reason, at))
    }
    fn replace(&self, fence: Fence, replica: ReplicaKey, place: Place, why: Text) -> Answer<'_, bool> {
        self.ask(self.store.replace(fence, replica, place, why))
    }
    fn complete(&self, fence: Fence, learned: Learned, pool: String) -> Answer<'_, bool> {
        self.ask(self.store.complete(fence, learned, pool))
    }
    fn abort(&self, id: CommandId, by: Text, at: jiff::Timestamp) -> Answer<'_, Operation> {
        self.ask(self.store.abort(id, by, at))
    }
    fn leave(&self, fence: Fence, id: CommandId, reason: Text, at: jiff::Timestamp) -> Answer<'_, Operation> {
        self.ask(self.store.leave(fence, id, reason, at))
    }
    fn pause(&self, id: CommandId, paused: Paused) -> Answer<'_, Operation> {
        self.ask(self.store.pause(id, paused))
    }
    fn resume(&self, id: CommandId, by: Text, at: jiff::Timestamp) -> Answer<'_, Operation> {
        self.ask(self.store.resume(id, by, at))
    }
    fn journal_add(&self, entries: Vec<JournalEntry>) -> Answer<'_, ()> {
        self.ask(self.store.journal_add(entries))
    }
}
