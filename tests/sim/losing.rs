//! The store is lost, whole. It is built again from what runs, and nothing that runs notices.

use std::{collections::BTreeMap, path::PathBuf};

use http::Method;
use jiff::Timestamp;
use wharf::{
    engine, entry,
    model::{
        Attachment, Desired, FileMount, Mount, MountSource, NetworkSpec, Origin, Recalled, Sensitive, StackSpec,
        VolumeSpec, label,
    },
    plan::{self, Rebuilt},
    sim::{Fault, Glimpse, Rule, Span},
    store::{self, ReadStore as _, Sqlite, Store as _},
};

use super::{
    guard::is_ours,
    reconciler::Reconciler,
    support::{Setup, Sim, checked, others, service, shop, stack},
};

/// What hosts tell.
async fn found(sim: &Sim) -> Vec<Recalled> {
    let (mut all, mut readers) = (Vec::new(), Vec::new());
    for (_, host) in sim.model.hosts() {
        let reader = engine::open_reader(&sim.model.name, host).await.unwrap();
        all.extend(reader.recall(&sim.model.name).await.unwrap());
        readers.push(reader);
    }
    let wanted = all.iter().filter_map(|it| it.record.as_ref().ok()).flat_map(wharf::model::Record::certificates);
    let wanted = wanted.collect();
    for reader in readers {
        let certificates = entry::certificates(&reader, &wanted).await.unwrap();
        for it in &mut all {
            if let Ok(record) = &mut it.record {
                it.lacks.extend(record.certify(&certificates));
            }
        }
    }
    all
}

async fn rebuilt(sim: &Sim) -> Rebuilt {
    plan::rebuild(&sim.model, &found(sim).await)
}

fn rebuild(sim: &Sim, rebuilt: &Rebuilt, replace: bool) -> Result<Option<PathBuf>, String> {
    let (at, origin) = (Timestamp::now(), Origin::default());
    let made = Sqlite::rebuild(&sim.model.store, &rebuilt.desired, "ana@test", at, replace, origin);
    made.map_err(|error| error.to_string())
}

/// Removes every file of the store, as a burnt disk would, and writes what was built again.
fn lose(sim: &Sim, rebuilt: &Rebuilt) {
    let dir = sim.model.store.parent().unwrap();
    for entry in std::fs::read_dir(dir).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let aside = rebuild(sim, rebuilt, false).unwrap();
    assert_eq!(aside, None);
}

/// Everything in it that says what is wanted. Generations are counted anew.
fn plain(desired: &Desired) -> Desired {
    let mut plain = desired.clone();
    plain.generation = wharf::model::Generation(0);
    for assignment in plain.services.values_mut().flat_map(BTreeMap::values_mut) {
        assignment.generation = wharf::model::Generation(0);
    }
    plain
}

fn ours(sim: &Sim) -> Vec<(String, Glimpse)> {
    sim.peek().into_iter().filter(|(_, it)| is_ours(it)).collect()
}

/// A stack that uses what a record has to carry, and what it must not.
fn rich() -> StackSpec {
    let mut web = checked("app:1", 3);
    web.environment.insert("PASSWORD".into(), Sensitive("hunter2".into()));
    web.labels.insert("team".into(), "shop".into());
    web.command = Some(vec!["serve".into(), "--all".into()]);
    web.networks.insert("back".into(), Attachment { aliases: vec!["www".into()], ..Attachment::default() });
    web.files.push(FileMount {
        name: "key".into(),
        target: "/run/secrets/key".into(),
        content: Sensitive("s3cret\n".into()),
        secret: true,
        uid: 0,
        gid: 0,
        mode: 0o400,
    });
    let mut db = service("db:1", 1);
    db.mounts.push(Mount {
        target: "/data".into(),
        source: MountSource::Volume { name: "data".into(), nocopy: false, subpath: None },
        read_only: false,
    });
    let mut stack = stack("shop", [("web", web), ("db", db)]);
    stack.networks.insert("back".into(), NetworkSpec { internal: true, ..NetworkSpec::default() });
    stack.volumes.insert("data".into(), VolumeSpec::default());
    stack
}

/// A settled fleet of two stacks with a history behind it.
async fn settled() -> (Sim, Reconciler) {
    let sim = Setup::new(3).short_lease().start().await;
    others(&sim).await;
    let reconciler = Reconciler::start(&sim, "one");
    for stack in [rich(), stack("blog", [("site", service("app:2", 2))])] {
        let operation = sim.deploy(&stack).await;
        sim.converged(&operation).await;
    }
    let operation = sim.scale("blog/site", 4).await;
    sim.converged(&operation).await;
    let operation = sim.restart("blog/site").await;
    sim.converged(&operation).await;
    (sim, reconciler)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_store_is_built_again_and_nothing_is_touched() {
    let (mut sim, reconciler) = settled().await;
    reconciler.stop().await;
    let (before, wanted) = (ours(&sim), sim.desired().await);
    let rebuilt = rebuilt(&sim).await;
    assert_eq!(rebuilt.left, BTreeMap::new());
    assert_eq!(rebuilt.notes, Vec::<String>::new());
    assert_eq!(plain(&rebuilt.desired), plain(&wanted));
    lose(&sim, &rebuilt);
    sim.reopen();
    assert_eq!(plain(&*sim.desired().await), plain(&wanted), "what is read is what was written");

    let changes = sim.asked("/containers/create") + sim.asked("/stop") + sim.asked("/start");
    let _reconciler = Reconciler::start(&sim, "two");
    tokio::time::sleep(std::time::Duration::from_millis(600)).await;
    assert_eq!(ours(&sim), before, "the very same containers, untouched\n{}", sim.story().await);
    assert_eq!(sim.asked("/containers/create") + sim.asked("/stop") + sim.asked("/start"), changes);

    // And it is a store like any other: what runs is changed from here on.
    let operation = sim.scale("shop/web", 5).await;
    sim.converged(&operation).await;
    let mut next = rich();
    next.services[0].image = "app:2".into();
    let operation = sim.deploy(&next).await;
    sim.converged(&operation).await;
    sim.close().await;
}

/// Containers of a revision that came after the copy do not pass for those of the next one, also where nobody sees them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_is_put_back_and_no_number_is_given_twice() {
    let mut sim = Setup::new(2).short_lease().start().await;
    let reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&stack("shop", [("web", service("app:1", 2))])).await;
    sim.converged(&operation).await;
    let copy = sim.model.store.with_file_name("copy.db");
    store::backup(&sim.model.store, &copy).unwrap();
    let operation = sim.deploy(&stack("shop", [("web", service("app:2", 2))])).await;
    sim.converged(&operation).await;
    reconciler.stop().await;
    let put_back = || store::restore(&sim.model.store, &copy, "ana@test", Timestamp::now(), Origin::default());
    sim.until("the reconciler's store is closed", || put_back().is_ok()).await;
    sim.reopen();
    // Whoever plans next never saw what runs on one of the hosts.
    let (desired, mut observed) = (sim.desired().await, sim.eyes.look());
    for host in observed.hosts.values_mut() {
        host.containers.clear();
    }
    let world = plan::World { fleet: &sim.model, desired: &desired, observed: &observed, now: Timestamp::now() };
    let next = stack("shop", [("web", service("app:3", 2))]);
    let plan = plan::deploy(&world, &next, &BTreeMap::new(), "ana@test").unwrap();
    assert_eq!(plan.proposal.revisions[0].no.0, 3);
    let operation = sim.accept(plan).await.unwrap();
    let _reconciler = Reconciler::start(&sim, "two");
    sim.converged(&operation).await;
    let images: Vec<String> = ours(&sim).into_iter().map(|(_, it)| it.image).collect();
    assert!(images.len() == 2 && images.iter().all(|image| image.starts_with("app:3")), "{images:?}");
    sim.close().await;
}

/// What is in confidence is in no label of any container.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_label_tells_a_confidence() {
    let (sim, reconciler) = settled().await;
    for (host, glimpse) in ours(&sim) {
        let record = &glimpse.labels[label::RECORD];
        assert!(!record.contains("hunter2") && !record.contains("s3cret"), "{host}: {record}");
        assert!(record.len() < 1400, "{record}");
    }
    reconciler.stop().await;
    sim.close().await;
}

/// In the middle of a rollout the copy that does its work is the wanted one, and what is unfinished is said.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_the_middle_of_a_rollout_what_is_healthy_stays() {
    let mut sim = Setup::new(2).short_lease().start().await;
    let reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&stack("shop", [("web", checked("app:1", 4))])).await;
    sim.converged(&operation).await;
    // New copies never become healthy.
    for host in sim.fleet.hosts() {
        host.engine.script(|script| script.health = Span::ms(600_000));
    }
    sim.deploy(&stack("shop", [("web", checked("app:2", 4))])).await;
    let label_of = |it: &Glimpse| it.labels[label::REVISION].clone();
    sim.until("a new copy is there", || ours(&sim).iter().any(|(_, it)| label_of(it) == "2")).await;
    reconciler.kill();
    let rebuilt = rebuilt(&sim).await;
    assert!(rebuilt.desired.replicas().all(|(_, place)| place.revision.0 == 1), "{:?}", rebuilt.desired.services);
    assert_eq!(rebuilt.replicas(), 4);
    assert!(rebuilt.notes.iter().any(|note| note.contains("it was being replaced")), "{:?}", rebuilt.notes);
    tokio::time::sleep(sim.setup.lease * 2).await;
    lose(&sim, &rebuilt);
    sim.reopen();
    let _reconciler = Reconciler::start(&sim, "two");
    sim.restored().await;
    assert_eq!(sim.running("shop/web"), 4);
}

/// What is not told by any host is not guessed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_without_a_record_are_named_and_go_on() {
    let sim = Setup::new(2).start().await;
    let labels = |slot: u32| {
        serde_json::json!({
            label::FLEET: sim.model.name.as_str(), label::REGION: "east", label::STACK: "old", label::SERVICE: "web",
            label::SLOT: slot.to_string(), label::REVISION: "4",
        })
    };
    for (slot, host) in [(1, "east-1"), (2, "east-2")] {
        super::support::run(sim.engine(host), &format!("old-web-{slot}-r4"), "app:1", &labels(slot)).await;
    }
    let rebuilt = rebuilt(&sim).await;
    assert!(rebuilt.desired.services.is_empty());
    let (service, why) = rebuilt.left.first_key_value().unwrap();
    assert_eq!(service.to_string(), "old/web");
    assert_eq!(why, "r4: old-web-1-r4 on east-1: it was made by a wharf that wrote no record");
    // A reconciler of a store that knows nothing of them leaves them alone; one that does, does not mind the label.
    let before = ours(&sim);
    let _reconciler = Reconciler::start(&sim, "one");
    let operation = sim.deploy(&shop("app:1", 1)).await;
    assert_eq!(sim.ended(&operation).await.word(), "converged", "{}", sim.story().await);
    let old: Vec<_> = ours(&sim).into_iter().filter(|(_, it)| it.name.starts_with("old-")).collect();
    assert_eq!(old, before);
}

/// What cannot be read is said, so that nobody relies on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_is_gone_is_said_to_be_missing() {
    let (sim, reconciler) = settled().await;
    reconciler.stop().await;
    for host in sim.fleet.hosts() {
        let gone = Fault::Fail(404, "Could not find the file".to_owned());
        host.engine.script(|script| script.rule(Rule::on("/archive", gone).method(Method::GET)));
    }
    let rebuilt = rebuilt(&sim).await;
    let notes = rebuilt.notes.join("\n");
    assert!(notes.contains("shop/web r1 lacks the content of /run/secrets/key: it is not there any more"), "{notes}");
    sim.close().await;
}

/// A store that is held, or in use, is not written over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_held_is_not_replaced() {
    let (sim, reconciler) = settled().await;
    let rebuilt = rebuilt(&sim).await;
    let words = rebuild(&sim, &rebuilt, false).unwrap_err();
    assert!(words.contains("is there and knows services: add --replace"), "{words}");
    let words = rebuild(&sim, &rebuilt, true).unwrap_err();
    assert!(words.contains("a reconciler holds regions of it: stop it first"), "{words}");
    reconciler.stop().await;
    let aside = rebuild(&sim, &rebuilt, true).unwrap().unwrap();
    let old = Sqlite::open_read_only(&aside).unwrap();
    assert_eq!(plain(&old.desired().await.unwrap()).services, plain(&rebuilt.desired).services);
    // Who had the old one open is told, and writes nothing into it.
    let words = sim.store.journal_add(Vec::new()).await.unwrap_err().to_string();
    assert!(words.contains("was removed or replaced while in use: start wharf again"), "{words}");
    assert!(Sqlite::open(&sim.model.store).unwrap().desired().await.unwrap().hosts.is_empty());
}
