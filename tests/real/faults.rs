//! What breaks while wharf works.

use std::{process::Command, time::Duration};

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
}

#[test]
fn an_engine_restarts_while_scaling() {
    let fleet = deployed("engine");
    fleet.ok(&["scale", "shop/web=18", "--yes", "--detach"]);
    fleet.wait("some run", || fleet.containers().len() > 5);
    drop(fleet.world.fault("kill-docker", "h2"));
    fleet.wait("all run", || fleet.running("shop/web") == 18);
    fleet.wait("the operation ends", || fleet.json(&["ops"])[0]["state"] == "converged");
    assert_eq!(fleet.containers().len(), 18, "{:?}", fleet.containers());
}

fn kill(signal: &str, pid: i32) {
    assert!(Command::new("kill").args([signal, &pid.to_string()]).status().unwrap().success());
}

#[test]
fn a_killed_reconciler_is_followed_by_another_again_and_again() {
    let fleet = deployed("killed");
    let scaling = fleet.spawn(&["scale", "shop/web=24", "--yes"]);
    for more in [5, 12] {
        fleet.wait("some run", || fleet.containers().len() > more && fleet.reconciler().is_some());
        kill("-KILL", fleet.reconciler().expect("a reconciler holds the lease"));
    }
    let (code, err) = scaling.ended();
    assert_eq!(code, Some(0), "{err}\n{}", fleet.reconciler_log());
    assert_eq!(fleet.running("shop/web"), 24);
    assert_eq!(fleet.containers().len(), 24, "nothing was made twice: {:?}", fleet.containers());
    fleet.ok(&["rm", "shop", "--yes"]);
    fleet.alone();
}

#[test]
fn a_reconciler_asked_to_stop_finishes_and_the_next_goes_on() {
    let fleet = deployed("term");
    let scaling = fleet.spawn(&["scale", "shop/web=18", "--yes"]);
    fleet.wait("some run", || fleet.containers().len() > 4);
    kill("-TERM", fleet.reconciler().expect("a reconciler holds the lease"));
    let (code, err) = scaling.ended();
    assert_eq!(code, Some(0), "{err}");
    assert_eq!(fleet.containers().len(), 18, "{:?}", fleet.containers());
}

#[test]
fn a_host_cut_off_is_unknown_and_keeps_its_replicas() {
    let fleet = deployed("cut");
    let cut = fleet.world.fault("cut", "h2");
    let hosts = fleet.json(&["hosts"]);
    let h2 = &hosts[1];
    assert_ne!(h2["link"]["state"], "ready", "{h2}");
    assert!(!h2["link"]["reason"].as_str().unwrap().is_empty(), "{h2}");
    // The others are scaled meanwhile; nothing is placed on the one that cannot be seen.
    fleet.ok(&["scale", "shop/web=5", "--yes", "--detach"]);
    fleet.wait("the others carry them", || {
        fleet.containers().iter().filter(|line| !line.starts_with("h2")).count() == 4
    });
    drop(cut);
    fleet.wait("all run", || fleet.running("shop/web") == 5);
    fleet.wait("the operation ends", || fleet.json(&["ops"])[0]["state"] == "converged");
    assert_eq!(fleet.containers().len(), 5, "{:?}", fleet.containers());
}

#[test]
fn a_host_cut_off_while_deploying_is_waited_for() {
    let fleet = Fleet::new("during");
    let file = fleet.compose("shop.yaml", &WEB.replace("replicas: 3", "replicas: 9"));
    let deploying = fleet.spawn(&["deploy", "-f", &file, "--stack", "shop", "--yes"]);
    fleet.wait("it is accepted", || fleet.json(&["ops"]).as_array().is_some_and(|ops| !ops.is_empty()));
    let cut = fleet.world.fault("cut", "h2");
    fleet.wait("the others run theirs", || {
        fleet.containers().iter().filter(|line| !line.starts_with("h2") && line.ends_with("running")).count() == 6
    });
    drop(cut);
    let (code, err) = deploying.ended();
    assert_eq!(code, Some(0), "{err}\n{}", fleet.reconciler_log());
    assert_eq!(fleet.running("shop/web"), 9);
    assert_eq!(fleet.containers().len(), 9, "{:?}", fleet.containers());
}

#[test]
fn a_hung_engine_delays_nobody() {
    let fleet = deployed("hung");
    let hung = fleet.world.fault("hang", "h3");
    let began = std::time::Instant::now();
    let hosts = fleet.json(&["hosts"]);
    let took = began.elapsed();
    drop(hung);
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert_eq!(hosts[0]["link"]["state"], "ready");
    assert_eq!(hosts[1]["link"]["state"], "ready");
    assert_ne!(hosts[2]["link"]["state"], "ready", "{}", hosts[2]);
    assert!(!hosts[2]["link"]["reason"].as_str().unwrap().is_empty(), "{}", hosts[2]);
}

#[test]
fn two_operators_at_once() {
    let fleet = deployed("two");
    let both = [6, 9].map(|n| fleet.spawn(&["scale", &format!("shop/web={n}"), "--yes"]));
    let ends = both.map(super::support::Running::ended);
    // One converges; the other is refused or superseded, with words.
    assert!(ends.iter().any(|(code, _)| *code == Some(0)), "{ends:?}");
    for (code, err) in ends {
        match code {
            Some(0) => {}
            Some(3) => assert!(err.contains("shop/web"), "{err}"),
            other => panic!("exit {other:?}: {err}"),
        }
    }
    let n = fleet.running("shop/web");
    assert!(n == 6 || n == 9, "{n}");
}

#[test]
fn a_plan_that_the_world_has_left_behind_is_refused() {
    let fleet = deployed("late");
    let mut first = fleet.terminal(&["scale", "shop/web=6"]);
    first.wait_text("apply?");
    fleet.ok(&["scale", "shop/web=4", "--yes"]);
    first.type_bytes(b"y\r");
    let status = first.exit();
    let said = first.contents();
    assert_eq!(status.exit_code(), 3, "{said}");
    assert!(said.contains("shop/web in east was scaled 3 → 4"), "{said}");
    assert_eq!(fleet.running("shop/web"), 4);
}

#[test]
fn a_later_command_takes_over() {
    let fleet = deployed("later");
    let first = fleet.spawn(&["scale", "shop/web=20", "--yes"]);
    fleet.wait("some run", || fleet.containers().len() > 4);
    fleet.ok(&["scale", "shop/web=5", "--yes"]);
    let (code, err) = first.ended();
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("superseded") && err.contains("shop/web"), "{err}");
    assert_eq!(fleet.containers().len(), 5, "{:?}", fleet.containers());
    let ops = fleet.json(&["ops"]);
    assert_eq!((&ops[0]["state"], &ops[1]["state"]), (&"converged".into(), &"superseded".into()), "{ops}");
}

#[test]
fn what_is_half_deployed_is_removed() {
    let fleet = Fleet::new("half");
    // Never healthy: the deploy cannot end by itself before its deadline.
    let file = fleet.compose("shop.yaml", &WEB.replace("IMAGE:1", "IMAGE:sick").replace("replicas: 3", "replicas: 6"));
    let deploying = fleet.spawn(&["deploy", "-f", &file, "--stack", "shop", "--yes"]);
    fleet.wait("some are there", || fleet.containers().len() > 1);
    fleet.ok(&["rm", "shop", "--yes"]);
    let left = fleet.containers();
    assert!(left.is_empty(), "{left:?}");
    let (code, err) = deploying.ended();
    assert_eq!(code, Some(3), "{err}");
    assert!(err.contains("superseded"), "{err}");
    assert!(fleet.wharf(&["ps", "--json"]).status.success());
}

#[test]
fn an_aborted_operation_is_put_back() {
    let fleet = deployed("abort");
    let scaling = fleet.spawn(&["scale", "shop/web=24", "--yes"]);
    fleet.wait("some run", || fleet.containers().len() > 5);
    let ops = fleet.json(&["ops", "--open"]);
    let id = ops[0]["id"].as_str().unwrap();
    fleet.ok(&["abort", id]);
    let (code, err) = scaling.ended();
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("aborted by"), "{err}");
    fleet.wait("what was added is gone", || fleet.containers().len() == 3);
    assert_eq!(fleet.running("shop/web"), 3);
    // It is over: there is nothing to abort any more.
    let err = fleet.fails(2, &["abort", id]);
    assert!(err.contains("aborted already"), "{err}");
}
