//! Watching engines that come, go, hang and tell.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use serde_json::json;
use tokio::sync::mpsc;

use super::{Answer, PATIENCE, fake, fleet, host, host_name};
use crate::{
    engine::{MemoryDial, ObserveOptions, Observer, Sampling},
    model::{ContainerId, ContainerState, Defaults, HostUpdate, HostView, Observed},
};

/// Takes in what an observer tells until something is so.
struct Seen {
    observed: Observed,
    updates: mpsc::Receiver<HostUpdate>,
}

impl Seen {
    async fn until(&mut self, host: &str, so: impl Fn(&HostView) -> bool) {
        let name = host_name(host);
        let wait = async {
            while !self.observed.hosts.get(&name).is_some_and(&so) {
                let update = self.updates.recv().await.expect("the observer goes on");
                self.observed.apply(update);
            }
        };
        let done = tokio::time::timeout(PATIENCE, wait).await;
        assert!(done.is_ok(), "{host} is {:?}", self.observed.hosts.get(&name));
    }
}

fn options(dials: impl IntoIterator<Item = (&'static str, MemoryDial)>) -> ObserveOptions {
    ObserveOptions {
        memory: dials.into_iter().map(|(name, dial)| (host_name(name), dial)).collect(),
        heartbeat: Duration::from_millis(30),
        silent_after: Duration::from_millis(500),
        ..ObserveOptions::default()
    }
}

fn watch(hosts: &[&str], options: ObserveOptions) -> (Observer, Seen) {
    let fleet = fleet(hosts);
    // Small, so that updates wait for the consumer.
    let (tell, updates) = mpsc::channel(1);
    let observed = Observed::unseen(&fleet, Timestamp::UNIX_EPOCH);
    (Observer::start(&fleet, tell, options), Seen { observed, updates })
}

fn id(text: &str) -> ContainerId {
    ContainerId(text.into())
}

fn event(kind: &str, action: &str, id: &str) -> String {
    json!({"Type":kind,"Action":action,"Actor":{"ID":id,"Attributes":{"name":id}},"time":1_772_366_400}).to_string()
}

fn listed(id: &str, status: &str) -> serde_json::Value {
    let state = if status.starts_with("Up") { "running" } else { "exited" };
    json!({"Id":id,"Names":[format!("/{id}")],"State":state,"Status":status})
}

fn inspected(id: &str, status: &str) -> Answer {
    Answer::Json(200, json!({"Id":id,"Name":format!("/{id}"),"State":{"Status":status,"ExitCode":137},"Config":{}}))
}

/// The event streams that are open.
type Feeds = Arc<Mutex<Vec<mpsc::UnboundedSender<String>>>>;
/// Containers by id, with the word for their state.
type States = Arc<Mutex<BTreeMap<String, &'static str>>>;

/// An engine whose events a test sends, and whose containers it sets.
fn engine() -> (Arc<super::Fake>, MemoryDial, Feeds, States) {
    let feeds = Feeds::default();
    let states = States::default();
    let (subscribers, containers) = (feeds.clone(), states.clone());
    let (engine, dial) = fake(move |_, path| {
        let path = path.strip_prefix("/v1.41")?;
        if path.starts_with("/events") {
            let (feed, lines) = mpsc::unbounded_channel();
            subscribers.lock().unwrap().push(feed);
            return Some(Answer::Stream(lines));
        }
        let containers = containers.lock().unwrap();
        if path.starts_with("/containers/json") {
            let list = containers.iter().map(|(id, state)| {
                listed(id, if *state == "running" { "Up 3 minutes" } else { "Exited (137) 1 second ago" })
            });
            return Some(Answer::Json(200, list.collect()));
        }
        let id = path.strip_prefix("/containers/")?.strip_suffix("/json")?;
        match containers.get(id) {
            Some(state) => Some(inspected(id, state)),
            None => Some(Answer::Json(404, json!({"message": format!("No such container: {id}")}))),
        }
    });
    (engine, dial, feeds, states)
}

#[tokio::test]
async fn events_lead_to_a_closer_look() {
    let (engine, dial, feeds, states) = engine();
    states.lock().unwrap().insert("a".into(), "running");
    let (observer, mut seen) = watch(&["h1"], options([("h1", dial)]));
    seen.until("h1", |host| host.link.word() == "ready" && host.containers.len() == 1 && host.facts.is_some()).await;
    assert!(observer.settled(PATIENCE).await);

    states.lock().unwrap().insert("b".into(), "running");
    states.lock().unwrap().insert("a".into(), "exited");
    let feed = feeds.lock().unwrap()[0].clone();
    for action in ["create", "start", "health_status: healthy"] {
        feed.send(event("container", action, "b")).unwrap();
    }
    feed.send(event("container", "die", "a")).unwrap();
    feed.send("{\"half\":".into()).unwrap();
    feed.send(event("container", "abducted", "a")).unwrap();
    seen.until("h1", |host| {
        host.containers.len() == 2
            && matches!(host.containers[&id("a")].state, ContainerState::Exited { code: 137, .. })
    })
    .await;
    // Three events within a moment are one look, unless the machine is so slow that they are not within one.
    assert!((1..=3).contains(&engine.count("/containers/b/json")));

    states.lock().unwrap().remove("b");
    feed.send(event("container", "destroy", "b")).unwrap();
    seen.until("h1", |host| !host.containers.contains_key(&id("b"))).await;
    // One that goes without a word is found out by a look.
    states.lock().unwrap().remove("a");
    feed.send(event("container", "update", "a")).unwrap();
    seen.until("h1", |host| host.containers.is_empty()).await;
    assert_eq!(engine.count("/containers/json"), 1);
}

#[tokio::test]
async fn many_changes_at_once_are_one_list() {
    let (engine, dial, feeds, states) = engine();
    let (_observer, mut seen) = watch(&["h1"], options([("h1", dial)]));
    seen.until("h1", |host| host.link.word() == "ready").await;
    let feed = feeds.lock().unwrap()[0].clone();
    for n in 0..300 {
        states.lock().unwrap().insert(format!("c{n}"), "running");
    }
    for n in 0..300 {
        feed.send(event("container", "start", &format!("c{n}"))).unwrap();
    }
    seen.until("h1", |host| host.containers.len() == 300).await;
    let looks = engine.asked.lock().unwrap().iter().filter(|(_, path, _)| path.contains("/containers/c")).count();
    assert!(looks < 300, "{looks} looks");
}

#[tokio::test]
async fn a_connection_that_ends_leaves_what_is_known_and_comes_back() {
    let (_, dial, feeds, states) = engine();
    states.lock().unwrap().insert("a".into(), "running");
    let (_observer, mut seen) = watch(&["h1"], options([("h1", dial)]));
    seen.until("h1", |host| host.link.word() == "ready").await;
    feeds.lock().unwrap().clear();
    seen.until("h1", |host| host.link.word() == "unknown").await;
    assert_eq!(seen.observed.hosts[&host_name("h1")].containers.len(), 1);
    states.lock().unwrap().clear();
    seen.until("h1", |host| host.link.word() == "ready" && host.containers.is_empty()).await;
}

#[tokio::test]
async fn a_host_that_hangs_is_unknown_and_delays_no_other() {
    let hang = Arc::new(AtomicBool::new(false));
    let (switch, deaf) = (hang.clone(), fake(|_, _| Some(Answer::Silence)).1);
    let (_, turns) = fake(move |_, _| switch.load(Ordering::Relaxed).then_some(Answer::Silence));
    let (_, well) = fake(|_, _| None);
    let dials = [("deaf", deaf), ("turns", turns), ("well", well)];
    let (observer, mut seen) = watch(&["deaf", "turns", "well"], options(dials));
    seen.until("well", |host| host.link.word() == "ready").await;
    seen.until("turns", |host| host.link.word() == "ready").await;
    assert_eq!(seen.observed.hosts[&host_name("deaf")].link.word(), "connecting");
    hang.store(true, Ordering::Relaxed);
    seen.until("turns", |host| host.link.word() == "unknown" && host.link.reason().contains("no answer")).await;
    seen.until("deaf", |host| !host.link.reason().is_empty()).await;
    assert!(observer.settled(PATIENCE).await);
    assert_eq!(seen.observed.hosts[&host_name("well")].link.word(), "ready");
    hang.store(false, Ordering::Relaxed);
    observer.reconnect(&host_name("turns"));
    seen.until("turns", |host| host.link.word() == "ready").await;
}

#[tokio::test]
async fn a_host_that_answers_late_is_slow() {
    let (_, dial) = fake(|_, path| path.contains("_ping").then_some(Answer::Silence));
    let slow =
        ObserveOptions { slow_after: Duration::from_millis(50), silent_after: PATIENCE, ..options([("h1", dial)]) };
    let (_observer, mut seen) = watch(&["h1"], slow);
    seen.until("h1", |host| host.link.word() == "slow" && host.link.reason().contains("not answered")).await;
}

#[tokio::test]
async fn hosts_come_and_go_while_it_runs() {
    let (_, first) = fake(|_, _| None);
    let (_, second) = fake(|_, _| None);
    let (observer, mut seen) = watch(&["h1"], options([("h1", first), ("h2", second)]));
    assert!(observer.reader(&host_name("h2")).is_none());
    observer.add_host(&host("h2"), &Defaults::default());
    let view = HostView::unseen(
        host_name("h2"),
        crate::model::RegionName::new("east").unwrap(),
        String::new(),
        Timestamp::UNIX_EPOCH,
    );
    seen.observed.hosts.insert(host_name("h2"), view);
    seen.until("h2", |host| host.link.word() == "ready").await;
    let reader = observer.reader(&host_name("h2")).unwrap();
    reader.ping().await.unwrap();
    observer.remove_host(&host_name("h2"));
    assert!(observer.reader(&host_name("h2")).is_none());
    // A reader that somebody kept holds no connection.
    tokio::time::timeout(PATIENCE, async {
        while reader.ping().await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    observer.close().await;
    while seen.updates.recv().await.is_some() {}
}

#[tokio::test]
async fn containers_are_sampled_when_asked_for_and_not_before() {
    let (engine, dial) = fake(|_, path| match path {
        path if path.contains("/containers/json") => {
            Some(Answer::Json(200, json!([listed("a", "Up 3 minutes"), listed("b", "Up 3 minutes")])))
        }
        path if path.contains("/stats") => {
            Some(Answer::Json(200, json!({"read": Timestamp::now().to_string(), "memory_stats": {"usage": 77}})))
        }
        _ => None,
    });
    let (observer, mut seen) = watch(&["h1"], options([("h1", dial)]));
    seen.until("h1", |host| host.containers.len() == 2).await;
    // The heartbeat has passed, so there was time for samples.
    let (pings, stats) = (engine.count("_ping"), engine.count("/stats"));
    assert_eq!(stats, 0, "after {pings} pings");
    observer.sample(Sampling { fast: [(host_name("h1"), id("a"))].into(), rest: None });
    seen.until("h1", |host| host.usage.is_some_and(|usage| usage.memory == 77)).await;
    assert!(engine.count("/containers/a/stats?stream=false&one-shot=true") >= 2);
    assert_eq!(engine.count("/containers/b/stats"), 0);
}

#[tokio::test]
async fn a_consumer_that_goes_ends_the_watch() {
    let (engine, dial) = fake(|_, _| None);
    let (observer, mut seen) = watch(&["h1"], options([("h1", dial)]));
    seen.until("h1", |host| host.link.word() == "ready").await;
    drop(seen);
    let reader = observer.reader(&host_name("h1")).unwrap();
    tokio::time::timeout(PATIENCE, async {
        while reader.ping().await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    assert!(engine.count("_ping") > 0);
}
