//! Releases that must pass a test first: what passes, fails, hangs, and what a killed reconciler leaves of it.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use wharf::{
    model::{FailureAction, RolloutSpec, StackSpec, label},
    sim::{Glimpse, Standing},
    store::Store as _,
};

use super::{
    guard::is_of_fleet,
    reconciler::Reconciler,
    support::{Setup, Sim, others, service, shop, stack},
};

/// `shop/web` with a test that a shell runs.
fn tested(image: &str, replicas: u32, script: &str) -> StackSpec {
    let mut spec = service(image, replicas);
    spec.wharf.test = Some(["sh", "-c", script].map(str::to_owned).to_vec());
    stack("shop", [("web", spec)])
}

/// `shop/web` four times at `app:1`, with other people's containers beside it.
async fn settled(setup: Setup) -> (Sim, Reconciler, BTreeMap<String, String>) {
    let sim = setup.start().await;
    others(&sim).await;
    let reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 4)).await;
    sim.converged(&operation).await;
    sim.guard.floor("shop/web", Some(4));
    let before = there(&sim);
    (sim, reconciler, before)
}

/// Containers of the service, with how they stand.
fn there(sim: &Sim) -> BTreeMap<String, String> {
    sim.of("shop/web").into_iter().map(|(_, it)| (it.id.clone(), format!("{} {:?}", it.name, it.standing))).collect()
}

/// Containers of tests, with their hosts.
fn tests(sim: &Sim) -> Vec<(String, Glimpse)> {
    let all = sim.peek().into_iter();
    all.filter(|(_, it)| is_of_fleet(it) && it.labels.contains_key(label::TEST)).collect()
}

fn begun(sim: &Sim) -> usize {
    sim.asked("/containers/create?name=shop-web-test-")
}

async fn gone(sim: &Sim) {
    sim.until("the test's container is gone", || tests(sim).is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_passes_is_released_after_its_test() {
    let (sim, _reconciler, before) = settled(Setup::new(3)).await;
    let operation = sim.deploy(&tested("app:2", 4, "sleep 0.6; exit 0")).await;
    sim.until("the test runs", || !tests(&sim).is_empty()).await;
    let (_, test) = tests(&sim).remove(0);
    assert_eq!((test.name.as_str(), test.image.as_str()), ("shop-web-test-r2", "app:2"));
    assert!(!test.checked && !test.labels.contains_key(label::SLOT), "{test:?}");
    let begins = Instant::now();
    sim.until("it is released", || there(&sim) != before).await;
    assert!(begins.elapsed() >= Duration::from_millis(300), "something changed {:?} after its begin", begins.elapsed());
    sim.converged(&operation).await;
    assert!(sim.of("shop/web").iter().all(|(_, it)| it.image == "app:2"));
    assert_eq!(begun(&sim), 1, "it runs once");
    gone(&sim).await;

    // What makes the same containers needs no test, and neither does another number of them.
    let operation = sim.deploy(&tested("app:2", 5, "exit 1")).await;
    sim.converged(&operation).await;
    assert_eq!(begun(&sim), 1);
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_changes_nothing() {
    let (sim, _reconciler, before) = settled(Setup::new(3)).await;
    let operation = sim.deploy(&tested("app:2", 4, "echo no such table; sleep 0.1; exit 3")).await;
    let reason = sim.failed(&operation).await;
    for part in ["test of shop/web r2 on east-", "exited with 3", "no such table", "nothing was changed"] {
        assert!(reason.contains(part), "{part}: {reason}");
    }
    gone(&sim).await;
    sim.restored().await;
    assert_eq!(there(&sim), before, "the very same containers");
    assert_eq!(begun(&sim), 1);

    // It is mended, and asked again.
    let operation = sim.deploy(&tested("app:2", 4, "exit 0")).await;
    sim.converged(&operation).await;
    assert!(sim.of("shop/web").iter().all(|(_, it)| it.image == "app:2"));
    gone(&sim).await;
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_deployment_that_fails_its_test_leaves_nothing() {
    let sim = Setup::new(2).start().await;
    others(&sim).await;
    let _reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&tested("app:1", 3, "exit 1")).await;
    let reason = sim.failed(&operation).await;
    assert!(reason.contains("exited with 1") && reason.contains("nothing was changed"), "{reason}");
    gone(&sim).await;
    assert_eq!(sim.of("shop/web").len(), 0);
    assert_eq!(sim.asked("/containers/create?name=shop-web-"), 1, "no replica was made");
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_hangs_fails_at_its_deadline() {
    let setup = Setup::new(3).defaults(|it| it.healthy_deadline = Duration::from_millis(900));
    let (sim, _reconciler, before) = settled(setup).await;
    let asked = Instant::now();
    let operation = sim.deploy(&tested("app:2", 4, "echo it waits for a lock; sleep infinity")).await;
    let reason = sim.failed(&operation).await;
    assert!(reason.contains("did not end within 900 ms") && reason.contains("nothing was changed"), "{reason}");
    assert!(asked.elapsed() >= Duration::from_millis(900), "{:?}", asked.elapsed());
    gone(&sim).await;
    sim.restored().await;
    assert_eq!(there(&sim), before, "the very same containers");
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_reconciler_is_followed_by_one_that_goes_on_with_the_test() {
    let (sim, reconciler, before) = settled(Setup::new(3).short_lease()).await;
    let operation = sim.deploy(&tested("app:2", 4, "sleep 2; exit 0")).await;
    let runs = || tests(&sim).iter().any(|(_, it)| matches!(it.standing, Standing::Running(_)));
    sim.until("the test runs", runs).await;
    reconciler.kill();
    let second = Reconciler::start(&sim, "second");
    sim.converged(&operation).await;
    assert_ne!(there(&sim), before);
    assert!((1..=2).contains(&begun(&sim)), "it ran {} times", begun(&sim));
    gone(&sim).await;

    // Killed in its test, and nobody follows before that has failed: what is found is what counts.
    let before = there(&sim);
    let operation = sim.deploy(&tested("app:3", 4, "sleep 0.3; exit 4")).await;
    sim.until("the test runs", runs).await;
    second.kill();
    sim.until("it has failed", || tests(&sim).iter().any(|(_, it)| it.standing == Standing::Exited(4))).await;
    let _third = Reconciler::start(&sim, "third");
    let reason = sim.failed(&operation).await;
    assert!(reason.contains("exited with 4"), "{reason}");
    gone(&sim).await;
    sim.restored().await;
    assert_eq!(there(&sim), before, "the very same containers");
    assert!((2..=4).contains(&begun(&sim)), "{} tests", begun(&sim));
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_test_waits_for_a_person_where_the_file_says_so() {
    let (sim, _reconciler, before) = settled(Setup::new(2)).await;
    let mut file = tested("app:2", 4, "exit 5");
    let update = RolloutSpec { failure_action: Some(FailureAction::Pause), ..RolloutSpec::default() };
    file.services[0].deploy.update = Some(update);
    let operation = sim.deploy(&file).await;
    let paused = async |times: usize| loop {
        let seen = sim.operation(operation.id).await;
        assert!(!seen.state.is_final(), "{:?}", seen.state);
        if let Some(paused) = seen.paused.filter(|_| begun(&sim) == times) {
            return paused;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let why = paused(1).await.why;
    assert!(why.as_str().contains("exited with 5"), "{why}");
    assert_eq!(tests(&sim).len(), 1, "whoever looks into it finds it as it ended");
    // Resumed, it is tested again.
    sim.store.resume(operation.id, "ben@test".into(), jiff::Timestamp::now()).await.unwrap();
    paused(2).await;
    sim.store.abort(operation.id, "ben@test".into(), jiff::Timestamp::now()).await.unwrap();
    gone(&sim).await;
    sim.restored().await;
    assert_eq!(there(&sim), before, "the very same containers");
    sim.close().await;
}
