//! Requests while things change. Simulated proxies send them, and the simulator keeps the books: what failed, what
//! went to a container that was not running or not healthy, and what was stopped while something was still there.

use std::time::{Duration, Instant};

use wharf::{
    model::{Deploy, ExposedPort, Port, PortMode, Protocol, RolloutSpec, ServiceKey, ServiceSpec, StackSpec, label},
    sim::{Ledger, Link, Misstep, ProxyScript, Span, Wrong},
};

use super::{
    guard::is_ours,
    reconciler::Reconciler,
    support::{PATIENCE, Setup, Sim, checked, service, stack},
};

const WEB: &str = "shop:web:8080";
const API: &str = "shop:api:8080";

/// A rule is broken only where it could be kept: by a proxy that has been there for so long.
const SETTLED: Duration = Duration::from_secs(3);

/// Hosts whose proxies have clients; what is begun there takes a little.
async fn begin(setup: Setup, drain: u64) -> Sim {
    let sim = setup.start().await;
    sim.fleet.script_all(|script| {
        script.health = Span::ms(30).plus(30);
        script.proxy = ProxyScript { drain: Span::ms(drain), ..ProxyScript::default() };
    });
    sim
}

fn on_edge(image: &str, replicas: u32) -> ServiceSpec {
    let port =
        Port { target: 8080, published: Some(80), host_ip: None, protocol: Protocol::Tcp, mode: PortMode::Ingress };
    let update = RolloutSpec { parallelism: Some(2), ..RolloutSpec::default() };
    let spec = checked(image, replicas);
    ServiceSpec { ports: vec![port], deploy: Deploy { update: Some(update), ..spec.deploy.clone() }, ..spec }
}

/// `web` on the edge, and `api` that it reaches by a link.
pub(super) fn shop(image: &str, web: u32, api: u32) -> StackSpec {
    let linked =
        ServiceSpec { expose: vec![ExposedPort { port: 8080, protocol: Protocol::Tcp }], ..service(image, api) };
    stack("shop", [("web", on_edge(image, web)), ("api", linked)])
}

fn requests(sim: &Sim, backend: &str) -> f64 {
    sim.fleet.ledger().tallies.get(backend).map_or(0.0, |tally| tally.requests)
}

/// Waits until requests come through.
async fn flows(sim: &Sim, backend: &str) {
    let before = requests(sim, backend);
    sim.until(&format!("requests for {backend}"), || requests(sim, backend) > before + 1.0).await;
}

/// What was done wrong by those who could know better.
fn wrong(sim: &Sim, ledger: &Ledger) -> Vec<Misstep> {
    let drain = sim.setup.defaults.drain;
    let is_wrong = |it: &&Misstep| {
        let in_time = !matches!(it.what, Wrong::StoppedBusy { drained, .. } if drained >= drain);
        it.in_touch >= SETTLED && in_time
    };
    ledger.missteps.iter().filter(is_wrong).cloned().collect()
}

/// No request failed, none went astray, nothing was stopped that had any.
async fn clean(sim: &Sim, when: &str) {
    let ledger = sim.fleet.ledger();
    let total = ledger.total();
    let is_clean = total.failed == 0.0 && total.astray == 0.0 && ledger.missteps.is_empty();
    assert!(is_clean, "{when}: {ledger:#?}\n{}", sim.story().await);
}

fn proxies(sim: &Sim) -> Vec<String> {
    let all = sim.peek().into_iter().filter(|(_, it)| it.labels.contains_key(label::PROXY));
    all.map(|(host, _)| host).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stack_is_deployed_scaled_and_changed_without_one_failed_request() {
    let sim = begin(Setup::new(3), 150).await;
    let reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 4, 2)).await;
    sim.converged(&operation).await;
    flows(&sim, WEB).await;
    flows(&sim, API).await;
    clean(&sim, "deployed").await;
    assert!(proxies(&sim).len() >= 2, "one on each host with something to carry: {:?}", proxies(&sim));

    for replicas in [8, 2] {
        let operation = sim.scale("shop/web", replicas).await;
        sim.converged(&operation).await;
        flows(&sim, WEB).await;
        clean(&sim, &format!("scaled to {replicas}")).await;
    }
    let operation = sim.deploy(&shop("app:2", 4, 2)).await;
    sim.converged(&operation).await;
    flows(&sim, WEB).await;
    flows(&sim, API).await;
    clean(&sim, "changed").await;
    let told = sim.operation(operation.id).await;
    let told = told.progress.values().find_map(|part| part.traffic).expect("what came through is told");
    assert_eq!(told.failed, 0);

    let operation = sim.remove("shop").await;
    sim.converged(&operation).await;
    sim.until("the proxies are gone too", || proxies(&sim).is_empty()).await;
    assert_eq!(sim.fleet.ledger().missteps, vec![]);
    assert!(sim.desired().await.stacks.is_empty(), "what the stack shared is gone with its last container");
    reconciler.stop().await;
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_begun_may_end_before_its_container_is_stopped() {
    let sim = begin(Setup::new(3).defaults(|it| it.drain = Duration::from_secs(20)), 1500).await;
    let _reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 4, 2)).await;
    sim.converged(&operation).await;
    flows(&sim, WEB).await;
    let begun = Instant::now();
    let operation = sim.scale("shop/web", 2).await;
    sim.converged(&operation).await;
    assert!(begun.elapsed() >= Duration::from_millis(1500), "after {:?}", begun.elapsed());
    clean(&sim, "scaled in").await;
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_end_is_stopped_when_the_drain_is_over() {
    let sim = begin(Setup::new(3).defaults(|it| it.drain = Duration::from_secs(1)), 60_000).await;
    let _reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 4, 2)).await;
    sim.converged(&operation).await;
    flows(&sim, WEB).await;
    let operation = sim.scale("shop/web", 2).await;
    sim.converged(&operation).await;
    let missteps = sim.fleet.ledger().missteps;
    assert!(!missteps.is_empty(), "something was still there");
    for misstep in &missteps {
        // The proxies are asked a moment after the clock starts.
        let waited = |drained: Duration| drained >= Duration::from_millis(500);
        assert!(matches!(misstep.what, Wrong::StoppedBusy { drained, .. } if waited(drained)), "{missteps:#?}");
    }
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconciler_killed_in_the_middle_costs_no_request() {
    let sim = begin(Setup::new(3).short_lease(), 150).await;
    let mut reconciler = Reconciler::start(&sim, "number-0");
    let operation = sim.deploy(&shop("app:1", 6, 2)).await;
    sim.converged(&operation).await;
    flows(&sim, WEB).await;
    let operation = sim.deploy(&shop("app:2", 6, 2)).await;
    for number in 1..=4 {
        tokio::time::sleep(Duration::from_millis(450)).await;
        reconciler.kill();
        reconciler = Reconciler::start(&sim, &format!("number-{number}"));
    }
    sim.converged(&operation).await;
    flows(&sim, WEB).await;
    clean(&sim, "changed by five reconcilers").await;
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_does_not_answer_is_named() {
    let sim = begin(Setup::new(3).defaults(|it| it.drain = Duration::from_secs(30)), 100).await;
    let _reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 4, 2)).await;
    sim.converged(&operation).await;
    flows(&sim, WEB).await;
    sim.script("east-1", |script| script.proxy.hangs = true);
    let operation = sim.scale("shop/web", 2).await;
    let begun = Instant::now();
    loop {
        let now = sim.operation(operation.id).await;
        if now.progress.values().any(|part| part.waits_for.as_str().contains("east-1")) {
            break;
        }
        assert!(!now.state.is_final(), "it did not wait: {:?}\n{}", now.state, sim.story().await);
        assert!(begun.elapsed() < PATIENCE, "it is not named: {:#?}", now.progress);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sim.script("east-1", |script| script.proxy.hangs = false);
    sim.converged(&operation).await;
    clean(&sim, "scaled in").await;
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_host_costs_what_was_in_flight_there() {
    let sim = begin(Setup::new(4).impatient_with_hosts(), 100).await;
    let _reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 8, 4)).await;
    sim.converged(&operation).await;
    flows(&sim, WEB).await;
    let outage = sim.engine("east-4").power_off();
    let lost = sim.fleet.ledger().total().failed;
    sim.until("replaced elsewhere", || {
        let here: Vec<_> = sim.of("shop/web").into_iter().filter(|(host, _)| host != "east-4").collect();
        here.len() == 8 && here.iter().all(|(_, it)| it.healthy == Some(true))
    })
    .await;
    flows(&sim, WEB).await;
    let ledger = sim.fleet.ledger();
    assert!(ledger.total().failed <= lost, "later ones were answered by others: {ledger:#?}");
    assert_eq!(ledger.missteps, vec![]);

    // It comes back with what it had: that is too much now, and goes without a failed request.
    let kept: Vec<_> = sim.of("shop/web").into_iter().filter(|(host, _)| host != "east-4").collect();
    sim.engine("east-4").power_on(outage);
    sim.restored().await;
    flows(&sim, WEB).await;
    let ledger = sim.fleet.ledger();
    assert!(ledger.total().failed <= lost && ledger.missteps.is_empty(), "{ledger:#?}\n{}", sim.story().await);
    let now: Vec<_> = sim.of("shop/web").into_iter().filter(|(host, _)| host != "east-4").collect();
    assert_eq!(now, kept, "nothing healthy was restarted");
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_is_lost_comes_back_with_what_it_carried() {
    let sim = begin(Setup::new(3), 100).await;
    let _reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 4, 2)).await;
    sim.converged(&operation).await;
    flows(&sim, WEB).await;
    let proxy = sim.engine("east-1").peek().into_iter().find(|it| it.labels.contains_key(label::PROXY)).unwrap();
    sim.engine("east-1").remove_by_hand(&proxy.id);
    sim.until("another proxy", || {
        let there = sim.engine("east-1").peek();
        there.iter().any(|it| it.labels.contains_key(label::PROXY) && it.id != proxy.id)
    })
    .await;
    let operation = sim.deploy(&shop("app:2", 4, 2)).await;
    sim.converged(&operation).await;
    flows(&sim, WEB).await;
    clean(&sim, "changed").await;
    sim.close().await;
}

/// Commands, kills, crashes and proxies that hang or refuse, in any order. Requests may fail for what crashed; but nothing
/// healthy is ever stopped under a proxy that could be asked, and nothing gets requests before it was healthy.
async fn history(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let setup = Setup::new(3).short_lease().defaults(|it| it.drain = Duration::from_secs(8));
    let sim = begin(setup, 200).await;
    let mut reconciler = Reconciler::start(&sim, "number-0");
    let mut tale = vec![format!("seed {seed}")];
    let (mut image, mut web) = ("app:1", 4);
    let mut open = vec![sim.deploy(&shop(image, web, 2)).await];
    for step in 1..12 {
        let host = format!("east-{}", rng.u32(1..=3));
        match rng.u32(0..100) {
            0..40 => {
                web = rng.u32(2..=8);
                tale.push(format!("web to {web}"));
                let plan = sim.plan_scale("shop/web", web).await;
                if !plan.is_empty() {
                    open.extend(sim.accept(plan).await.ok());
                }
            }
            40..60 => {
                image = if image == "app:1" { "app:2" } else { "app:1" };
                tale.push(format!("deploy {image}"));
                open.push(sim.deploy(&shop(image, web, 2)).await);
            }
            60..70 => {
                tale.push("the reconciler is killed, another comes".to_owned());
                reconciler.kill();
                reconciler = Reconciler::start(&sim, &format!("number-{step}"));
            }
            70..78 => {
                let ours: Vec<_> = sim.peek().into_iter().filter(|(_, it)| is_ours(it)).collect();
                if let Some((at, victim)) = rng.choice(ours) {
                    tale.push(format!("{} on {at} dies", victim.name));
                    sim.engine(&at).crash(&victim.id, 1);
                }
            }
            78..86 => {
                let hangs = rng.bool();
                tale.push(format!("the proxy of {host} hangs: {hangs}"));
                sim.script(&host, |script| script.proxy.hangs = hangs);
            }
            86..92 => {
                let refuses = rng.bool();
                tale.push(format!("the proxy of {host} refuses: {refuses}"));
                sim.script(&host, |script| script.proxy.refuses = refuses);
            }
            _ => {
                tale.push(format!("{host} is away for a moment"));
                sim.engine(&host).set_link(Link::Hung);
                tokio::time::sleep(Duration::from_millis(300)).await;
                sim.engine(&host).set_link(Link::Up);
            }
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(0..800))).await;
    }
    sim.fleet.script_all(|script| {
        script.proxy.hangs = false;
        script.proxy.refuses = false;
    });
    for operation in &open {
        sim.ended(operation).await;
    }
    sim.restored().await;
    let ledger = sim.fleet.ledger();
    let wrong = wrong(&sim, &ledger);
    assert!(wrong.is_empty(), "{wrong:#?}\n{}\n{}", tale.join("\n"), sim.story().await);
    flows(&sim, WEB).await;
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn histories() {
    let one = std::env::var("WHARF_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds: Vec<u64> = one.map_or_else(|| (0..8).collect(), |seed| vec![seed]);
    let runs: Vec<_> = seeds.into_iter().map(|seed| (seed, tokio::spawn(history(seed)))).collect();
    let mut failed = Vec::new();
    for (seed, run) in runs {
        if run.await.is_err() {
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "seeds that failed: {failed:?} (see above; WHARF_SEED=N plays one again)");
}

/// No host has the images, and the file names no port: what the images expose is known before anything is made, so the
/// first containers already reach each other over hosts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_images_expose_is_reached_from_the_first_deploy_on() {
    let sim = begin(Setup::new(3), 150).await;
    sim.fleet.script_all(|script| drop(script.exposed.insert("api".to_owned(), [8080].into())));
    let _reconciler = Reconciler::start(&sim, "one");
    let silent = |tag: &str| stack("shop", [("web", on_edge("app:1", 3)), ("api", checked(&format!("api:{tag}"), 2))]);
    for tag in ["1", "2"] {
        let operation = sim.deploy(&silent(tag)).await;
        sim.converged(&operation).await;
        let desired = sim.desired().await;
        let spec = &desired.latest(&"shop/api".parse::<ServiceKey>().unwrap()).unwrap().spec;
        assert_eq!(spec.expose, [ExposedPort { port: 8080, protocol: Protocol::Tcp }], "{tag}");
        assert!(desired.stacks["shop"].addresses.contains_key("api"));
        flows(&sim, API).await;
        clean(&sim, &format!("deployed {tag}")).await;
    }
}
