//! What breaks while wharf works.

use std::time::Duration;

use super::support::{Fleet, WEB};

fn deployed(name: &str) -> Fleet {
    let fleet = Fleet::new(name);
    let file = fleet.compose("shop.yaml", WEB);
    fleet.ok(&["deploy", "-f", &file, "--stack", "shop", "--yes"]);
    fleet
}

#[test]
fn a_killed_container_is_started_and_a_deleted_one_is_made_again() {
    let fleet = deployed("dead");
    let reconciler = fleet.spawn(&["reconcile"]);
    fleet.wait("the reconciler holds the lease", || fleet.reconciler().is_some());
    let victim = |fleet: &Fleet| {
        let line = fleet.containers().into_iter().find(|line| line.ends_with("running")).unwrap();
        let mut words = line.split(' ').map(str::to_owned);
        (words.next().unwrap(), words.next().unwrap())
    };
    let (host, name) = victim(&fleet);
    // Killed through Docker: its own restart policy stays away from that.
    fleet.world.docker(&host, &["kill", &name]);
    fleet.wait("it runs again", || fleet.running("shop/web") == 3);
    let (host, name) = victim(&fleet);
    fleet.world.docker(&host, &["rm", "-f", &name]);
    fleet.wait("it is made again", || fleet.running("shop/web") == 3);
    assert_eq!(fleet.containers().len(), 3);
    reconciler.signal("TERM");
    assert_eq!(reconciler.ended().0, Some(0));
    fleet.ok(&["rm", "shop", "--yes"]);
}

#[test]
fn an_engine_restarts_while_scaling() {
    let fleet = deployed("engine");
    fleet.ok(&["scale", "shop/web=18", "--yes", "--detach"]);
    fleet.wait("some run", || fleet.containers().len() > 5);
    fleet.world.host(&["kill-docker", "h2"]);
    fleet.world.host(&["start-docker", "h2"]);
    fleet.wait("all run", || fleet.running("shop/web") == 18);
    fleet.wait("the operation ends", || fleet.json(&["ops"])[0]["state"] == "converged");
    assert_eq!(fleet.containers().len(), 18, "{:?}", fleet.containers());
    fleet.ok(&["rm", "shop", "--yes"]);
}

#[test]
fn a_killed_reconciler_is_followed_by_another() {
    let fleet = deployed("killed");
    let scaling = fleet.spawn(&["scale", "shop/web=24", "--yes"]);
    fleet.wait("some run", || fleet.containers().len() > 5);
    let pid = fleet.reconciler().expect("a reconciler holds the lease");
    assert!(std::process::Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
    let (code, err) = scaling.ended();
    assert_eq!(code, Some(0), "{err}\n{}", fleet.reconciler_log());
    assert_eq!(fleet.running("shop/web"), 24);
    assert_eq!(fleet.containers().len(), 24, "nothing was made twice: {:?}", fleet.containers());
    fleet.ok(&["rm", "shop", "--yes"]);
}

#[test]
fn a_reconciler_asked_to_stop_finishes_and_the_next_goes_on() {
    let fleet = deployed("term");
    let scaling = fleet.spawn(&["scale", "shop/web=18", "--yes"]);
    fleet.wait("some run", || fleet.containers().len() > 4);
    let pid = fleet.reconciler().expect("a reconciler holds the lease");
    assert!(std::process::Command::new("kill").args(["-TERM", &pid.to_string()]).status().unwrap().success());
    let (code, err) = scaling.ended();
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(fleet.containers().len(), 18, "{:?}", fleet.containers());
    fleet.ok(&["rm", "shop", "--yes"]);
}

#[test]
fn a_host_cut_off_is_unknown_and_keeps_its_replicas() {
    let fleet = deployed("cut");
    fleet.world.host(&["cut", "h2"]);
    let hosts = fleet.json(&["hosts"]);
    let h2 = &hosts[1];
    assert_ne!(h2["link"]["state"], "ready", "{h2}");
    assert!(!h2["link"]["reason"].as_str().unwrap().is_empty(), "{h2}");
    // The others are scaled meanwhile; nothing is placed on the one that cannot be seen.
    fleet.ok(&["scale", "shop/web=5", "--yes", "--detach"]);
    fleet.wait("the others carry them", || {
        fleet.containers().iter().filter(|line| !line.starts_with("h2")).count() == 4
    });
    fleet.world.host(&["heal", "h2"]);
    fleet.wait("all run", || fleet.running("shop/web") == 5);
    fleet.wait("the operation ends", || fleet.json(&["ops"])[0]["state"] == "converged");
    fleet.ok(&["rm", "shop", "--yes"]);
}

#[test]
fn a_hung_engine_delays_nobody() {
    let fleet = deployed("hung");
    fleet.world.host(&["hang", "h3"]);
    let began = std::time::Instant::now();
    let hosts = fleet.json(&["hosts"]);
    let took = began.elapsed();
    fleet.world.host(&["resume", "h3"]);
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(hosts[0]["link"]["state"], "ready");
    assert_eq!(hosts[1]["link"]["state"], "ready");
    assert_ne!(hosts[2]["link"]["state"], "ready", "{}", hosts[2]);
    fleet.ok(&["rm", "shop", "--yes"]);
}

#[test]
fn two_operators_at_once() {
    let fleet = deployed("two");
    let mut both: Vec<_> = [6, 9].iter().map(|n| fleet.spawn(&["scale", &format!("shop/web={n}"), "--yes"])).collect();
    let second = both.pop().unwrap().ended();
    let first = both.pop().unwrap().ended();
    let codes = [first.0, second.0];
    // One converges; the other is refused or superseded, with words.
    assert!(codes.contains(&Some(0)), "{first:?} {second:?}");
    for (code, err) in [first, second] {
        match code {
            Some(0) => {}
            Some(3) => assert!(err.contains("shop/web"), "{err}"),
            other => panic!("exit {other:?}: {err}"),
        }
    }
    let n = fleet.running("shop/web");
    assert!(n == 6 || n == 9, "{n}");
    fleet.ok(&["rm", "shop", "--yes"]);
}
