//! Hosts that hang, go and come back.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use wharf::sim::Link;

use super::{
    reconciler::Reconciler,
    support::{Setup, others, service, shop, stack},
};

async fn scales_while(link: Link) {
    let sim = Setup::new(3).impatient_with_hosts().defaults(|it| it.down_after = Duration::from_secs(60)).start().await;
    others(&sim).await;
    let _reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 3)).await;
    sim.converged(&operation).await;
    sim.guard.floor("shop/web", Some(3));
    let operation = sim.scale("shop/web", 12).await;
    sim.until("it has begun", || sim.running("shop/web") > 3).await;
    sim.engine("east-2").set_link(link);
    // The two others do not wait for it.
    let on_others = || sim.of("shop/web").iter().filter(|(host, _)| host != "east-2").count();
    sim.until("the others go on", || on_others() == 8).await;
    let unknown = || !sim.eyes.look().hosts["east-2"].is_seen();
    sim.until("it is seen that nothing is seen", unknown).await;
    assert!(!sim.operation(operation.id).await.state.is_final(), "its part is not done");
    sim.engine("east-2").set_link(Link::Up);
    sim.converged(&operation).await;
    let names: BTreeSet<String> = sim.of("shop/web").into_iter().map(|(_, it)| it.name).collect();
    assert_eq!(names.len(), 12);
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_hangs_while_scaling() {
    scales_while(Link::Hung).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_gone_while_scaling() {
    scales_while(Link::Down).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_talks_nonsense_while_scaling() {
    scales_while(Link::Noise).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_stays_away_is_replaced_and_its_surplus_goes_when_it_is_back() {
    let sim = Setup::new(3).impatient_with_hosts().start().await;
    others(&sim).await;
    let _reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 6)).await;
    sim.converged(&operation).await;
    sim.guard.floor("shop/web", Some(6));
    let before = sim.of("shop/web");
    sim.engine("east-3").set_link(Link::Hung);
    let gone = Instant::now();
    let elsewhere = || sim.of("shop/web").iter().filter(|(host, _)| host != "east-3").count() == 6;
    sim.until("its replicas run elsewhere", elsewhere).await;
    // The silence counts from the last word, which was at most some heartbeats before.
    assert!(gone.elapsed() >= sim.setup.defaults.down_after * 2 / 3, "unknown is not down");
    assert!(sim.places("shop/web").await.values().all(|host| host.as_str() != "east-3"));

    sim.engine("east-3").set_link(Link::Up);
    sim.restored().await;
    let after = sim.of("shop/web");
    assert_eq!(after.len(), 6);
    // What ran on the others all the while was left alone.
    for (host, glimpse) in before.iter().filter(|(host, _)| host != "east-3") {
        assert!(after.iter().any(|(at, it)| at == host && it.id == glimpse.id && it.ends == 0), "{}", glimpse.name);
    }
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_back_in_time_keeps_what_it_has() {
    let sim = Setup::new(3).impatient_with_hosts().defaults(|it| it.down_after = Duration::from_secs(60)).start().await;
    let _reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 6)).await;
    sim.converged(&operation).await;
    let (before, asked) = (sim.of("shop/web"), sim.asked("/"));
    for link in [Link::Hung, Link::Down, Link::Noise] {
        sim.engine("east-3").set_link(link);
        sim.until("it is unknown", || !sim.eyes.look().hosts["east-3"].is_seen()).await;
        sim.engine("east-3").set_link(Link::Up);
        sim.until("it is seen", || sim.eyes.look().hosts["east-3"].is_seen()).await;
    }
    sim.restored().await;
    let ids = |all: &[(String, wharf::sim::Glimpse)]| all.iter().map(|(_, it)| it.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&before), ids(&sim.of("shop/web")));
    assert_eq!(sim.asked("/"), asked, "nothing was changed anywhere");
    sim.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_hangs_with_its_host_does_not_keep_the_replica_from_another() {
    let sim = Setup::new(3).impatient_with_hosts().start().await;
    let _reconciler = Reconciler::start(&sim, "one");
    // It hangs in the middle of creating and starting.
    sim.script("east-2", |script| {
        script.rule(wharf::sim::Rule::on("/containers/create", wharf::sim::Fault::Hang));
        script.rule(wharf::sim::Rule::on("/start", wharf::sim::Fault::Hang));
    });
    let operation = sim.deploy(&stack("shop", [("web", service("app:1", 6))])).await;
    sim.until("it was asked", || sim.asked("/containers/create?name=shop-web") == 6).await;
    sim.engine("east-2").set_link(Link::Hung);
    sim.until("all run elsewhere", || sim.running("shop/web") == 6).await;
    let state = sim.ended(&operation).await;
    assert_eq!(state.word(), "converged", "{}", sim.story().await);
    sim.engine("east-2").script(wharf::sim::Script::clear_rules);
    sim.engine("east-2").set_link(Link::Up);
    sim.restored().await;
    sim.close().await;
}
