use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};

use super::*;
use crate::{
    model::{Epoch, Holding, Life, RegionName},
    store::{
        Options,
        clock::{Clock, Moment},
        holding::holdings_at,
    },
    text::Text,
};

/// A clock that the test sets.
#[derive(Clone, Default)]
struct Hand {
    ms: Arc<AtomicI64>,
    boot: Arc<Mutex<String>>,
}

impl Hand {
    fn clock(&self) -> Clock {
        let hand = self.clone();
        Clock::from_fn(move || Moment { boot: hand.boot.lock().unwrap().clone(), ms: hand.ms.load(Ordering::SeqCst) })
    }
}

/// Two processes at one file.
fn two(hand: &Hand) -> (Sqlite, Sqlite, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let open = || Sqlite::start(&dir.path().join("fleet.db"), Options::default(), hand.clock()).unwrap();
    (open(), open(), dir)
}

fn take(store: &Sqlite, holder: &str) -> Option<Epoch> {
    now(store.take_lease(east(), holder.into())).unwrap()
}

fn east() -> RegionName {
    "east".parse().unwrap()
}

#[test]
fn one_holder_at_a_time() {
    let hand = Hand::default();
    let (one, two, _dir) = two(&hand);
    assert_eq!(take(&one, "one"), Some(Epoch(1)));
    assert_eq!(take(&two, "two"), None);
    // The same words do not make the same holder.
    assert_eq!(take(&two, "one"), None);
    hand.ms.store(14_999, Ordering::SeqCst);
    assert_eq!(take(&one, "one"), Some(Epoch(1)), "renewed in time");
    hand.ms.store(29_998, Ordering::SeqCst);
    assert_eq!(take(&two, "two"), None, "15 s count from the renewal");
    let lease = now(two.leases()).unwrap().remove(0);
    assert_eq!((lease.holder, lease.epoch, lease.alive), (Text::new("one"), Epoch(1), true));
    hand.ms.store(29_999, Ordering::SeqCst);
    assert!(!now(one.leases()).unwrap()[0].alive);
    assert_eq!(take(&two, "two"), Some(Epoch(2)));
    assert_eq!(take(&one, "one"), None);
}

#[test]
fn a_stale_fence_changes_nothing() {
    let hand = Hand::default();
    let (one, two, _dir) = two(&hand);
    let op = accept(&one, deploy(Generation(0), 1, &[("shop/web", "east", 3)]), "ana", 0).unwrap();
    let old = Fence { region: east(), epoch: take(&one, "one").unwrap() };
    hand.ms.store(20_000, Ordering::SeqCst);
    // Expired, taken by nobody: what it does still counts.
    now(one.report(old.clone(), vec![(op.id, part(false))], vec![])).unwrap();
    let new = Fence { region: east(), epoch: take(&two, "two").unwrap() };
    let lost = StoreError::LeaseLost { region: east(), epoch: 1 };
    assert_eq!(now(one.report(old.clone(), vec![(op.id, part(true))], vec![entry("late")])), Err(lost.clone()));
    assert_eq!(now(one.fail(old.clone(), op.id, "late".into(), at(1))), Err(lost.clone()));
    let replica = crate::model::ReplicaKey { region: east(), service: key("shop/web"), slot: Slot(1) };
    let place = Place { host: "h-2".parse().unwrap(), revision: RevisionNo(1) };
    assert_eq!(now(one.replace(old.clone(), replica, place, "late".into())), Err(lost));
    assert!(!operation(&one, op.id).state.is_final());
    assert_eq!(journal(&one).len(), 1);
    // Releasing what is not ours does not take it from the other.
    now(one.release_lease(old)).unwrap();
    now(two.report(new, vec![(op.id, part(true))], vec![])).unwrap();
    assert_eq!(operation(&two, op.id).state.word(), "converged");
    let forged = Fence { region: east(), epoch: Epoch(2) };
    assert!(now(one.report(forged, vec![], vec![])).is_err(), "the epoch alone is not the lease");
}

#[test]
fn released_is_free_at_once_and_a_new_holding() {
    let hand = Hand::default();
    let (one, two, _dir) = two(&hand);
    let fence = Fence { region: east(), epoch: take(&one, "one").unwrap() };
    now(one.release_lease(fence.clone())).unwrap();
    assert!(!now(one.leases()).unwrap()[0].alive);
    assert!(matches!(now(one.report(fence, vec![], vec![])), Err(StoreError::LeaseLost { .. })));
    assert_eq!(take(&one, "one"), Some(Epoch(2)));
    assert_eq!(take(&two, "two"), None);
}

#[test]
fn nobody_holds_anything_after_a_reboot() {
    let hand = Hand::default();
    let (one, two, _dir) = two(&hand);
    hand.ms.store(1_000_000, Ordering::SeqCst);
    take(&one, "one").unwrap();
    *hand.boot.lock().unwrap() = "later".to_owned();
    hand.ms.store(5, Ordering::SeqCst);
    assert!(!now(one.leases()).unwrap()[0].alive);
    assert_eq!(take(&two, "two"), Some(Epoch(2)));
}

/// A process that takes a lease and ends without a word: the test's own program, told by its environment.
#[test]
fn the_lease_of_a_dead_process_is_free_at_once() {
    const STORE: &str = "WHARF_TEST_LEASE_STORE";
    if let Some(path) = std::env::var_os(STORE) {
        let store = Sqlite::start(path.as_ref(), Options::default(), Clock::machine()).unwrap();
        assert!(take(&store, "child").is_some());
        // No destructor runs, and nothing is released.
        std::process::abort();
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fleet.db");
    let store = Sqlite::start(&path, Options::default(), Clock::machine()).unwrap();
    let myself = std::env::current_exe().unwrap();
    let name = "store::tests::leases::the_lease_of_a_dead_process_is_free_at_once";
    let child = std::process::Command::new(myself).args(["--exact", name]).env(STORE, &path).output().unwrap();
    assert!(!child.status.success());
    let lease = now(store.leases()).unwrap().remove(0);
    assert_eq!((lease.holder, lease.alive), (Text::new("child"), false));
    let held = crate::store::holdings(&path).unwrap().remove(0);
    assert_eq!((held.holder.as_str(), held.life, held.is_held()), ("child", Life::Ended, false));
    assert_eq!(take(&store, "one"), Some(Epoch(2)));
    assert!(now(store.leases()).unwrap()[0].alive);
    // What it left is gone, and ours goes with us.
    let signs = || {
        let names = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().contains("-holder-")).count()
    };
    assert_eq!(signs(), 1);
    // One that lives is left alone, whatever became of its time.
    let other = Sqlite::start(&path, Options::default(), Clock::machine()).unwrap();
    assert_eq!(take(&other, "two"), None);
    drop(store);
    let begun = std::time::Instant::now();
    while signs() > 0 {
        assert!(begun.elapsed().as_secs() < 10, "it leaves its sign behind");
        std::thread::yield_now();
    }
}

#[test]
fn who_has_not_given_a_lease_back_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fleet.db");
    assert_eq!(crate::store::holdings(&path), Ok(vec![]), "there is no store");
    let hand = Hand::default();
    let store = Sqlite::start(&path, Options::default(), hand.clock()).unwrap();
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let machine = machine.split('.').next().unwrap().to_owned();
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let (mine, ended) = (std::process::id(), child.id());
    let told = || {
        let found: [Holding; 1] = holdings_at(&path, &hand.clock().now()).unwrap().try_into().unwrap();
        let [it] = found;
        (it.heard.map(|heard| heard.as_secs()), it.left.as_secs(), it.life, it.is_held())
    };
    let fence = Fence { region: east(), epoch: take(&store, &format!("ana@{machine}:{mine}")).unwrap() };
    hand.ms.store(4_000, Ordering::SeqCst);
    assert_eq!(told(), (Some(4), 11, Life::Lives, true));
    hand.ms.store(60_000, Ordering::SeqCst);
    assert_eq!(told(), (Some(60), 0, Life::Lives, false), "it hangs");
    // Without a sign there is only what it says of itself.
    let sign = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
    let sign = sign.into_iter().find(|path| path.to_string_lossy().contains("-holder-")).unwrap();
    std::fs::remove_file(sign).unwrap();
    for (round, (holder, life)) in [
        (format!("ana@{machine}:{mine}"), Life::Unknown),
        (format!("ana@{machine}:{ended}"), Life::Gone),
        (format!("ana@{machine}.elsewhere:{ended}"), Life::Unknown),
        (format!("ana@{machine}:0"), Life::Unknown),
        ("some words".to_owned(), Life::Unknown),
    ]
    .into_iter()
    .enumerate()
    {
        let begun = 100_000 * i64::try_from(round + 1).unwrap();
        hand.ms.store(begun, Ordering::SeqCst);
        take(&store, &holder).unwrap();
        hand.ms.store(begun + 5_000, Ordering::SeqCst);
        assert_eq!(told(), (Some(5), 10, life, true), "{holder}");
    }
    *hand.boot.lock().unwrap() = "later".to_owned();
    assert_eq!(told(), (None, 0, Life::Unknown, false));
    let epoch = now(store.leases()).unwrap().remove(0).epoch;
    now(store.release_lease(Fence { epoch, ..fence })).unwrap();
    assert_eq!(holdings_at(&path, &hand.clock().now()), Ok(vec![]));
}

#[test]
fn this_machines_clock_goes_on() {
    let clock = Clock::machine();
    let (one, two) = (clock.now(), clock.now());
    assert_eq!(one.boot, two.boot);
    assert!(one.ms > 0 && one.ms <= two.ms);
}
