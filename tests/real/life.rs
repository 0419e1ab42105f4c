//! The main job: see, deploy, scale, remove.

use serde_json::Value;

use super::support::{Fleet, WEB};

fn strings<'a>(rows: &'a Value, field: &str) -> Vec<&'a str> {
    rows.as_array().unwrap().iter().map(|row| row[field].as_str().unwrap()).collect()
}

#[test]
fn every_way_to_a_host_works() {
    let fleet = Fleet::new("ways");
    let hosts = fleet.json(&["hosts"]);
    assert_eq!(strings(&hosts, "name"), ["h1", "h2", "h3"]);
    for (host, way) in hosts.as_array().unwrap().iter().zip(["ssh://", "tcp://", "unix://"]) {
        assert!(host["connect"].as_str().unwrap().starts_with(way), "{host}");
        assert_eq!(host["link"]["state"], "ready", "{host}");
        assert_eq!(host["facts"]["api"], "1.41", "{host}");
    }
    fleet.ok(&["doctor"]);
}

#[test]
fn deploy_scale_out_scale_in_remove() {
    let fleet = Fleet::new("life");
    let file = fleet.compose("shop.yaml", WEB);
    // A dry run says that it would change something, and changes nothing.
    let out = fleet.wharf(&["deploy", "-f", &file, "--stack", "shop", "--dry-run"]);
    assert_eq!(out.status.code(), Some(10), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(fleet.containers().is_empty());

    fleet.ok(&["deploy", "-f", &file, "--stack", "shop", "--yes"]);
    assert_eq!(fleet.running("shop/web"), 3);
    // Spread over the three hosts, at revision 1.
    let rows = fleet.json(&["ps", "shop"]);
    let mut hosts = strings(&rows, "host");
    hosts.sort_unstable();
    assert_eq!(hosts, ["h1", "h2", "h3"]);
    assert!(strings(&rows, "image").iter().all(|image| image.contains("@sha256:")), "{rows}");

    // The same file again: nothing to do.
    let out = fleet.wharf(&["deploy", "-f", &file, "--stack", "shop", "--dry-run"]);
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stdout));

    fleet.ok(&["scale", "shop/web=30", "--yes"]);
    assert_eq!(fleet.running("shop/web"), 30);
    assert_eq!(fleet.containers().len(), 30);
    for host in ["h1", "h2", "h3"] {
        assert_eq!(
            fleet.containers().iter().filter(|line| line.starts_with(host)).count(),
            10,
            "{:?}",
            fleet.containers()
        );
    }

    let plan = fleet.wharf(&["plan", "scale", "shop/web=-27", "--json"]);
    let plan: Value = serde_json::from_slice(&plan.stdout).unwrap();
    assert_eq!((&plan["replicas_before"], &plan["replicas_after"]), (&30.into(), &3.into()));
    fleet.ok(&["scale", "shop/web=-27", "--yes"]);
    assert_eq!(fleet.containers().len(), 3);
    assert_eq!(fleet.running("shop/web"), 3);

    let ops = fleet.json(&["ops"]);
    assert_eq!(strings(&ops, "command"), ["scale", "scale", "deploy"]);
    assert_eq!(strings(&ops, "state"), ["converged", "converged", "converged"]);
    assert_eq!(fleet.json(&["history", "shop"]).as_array().unwrap().len(), 1);

    fleet.ok(&["rm", "shop", "--yes"]);
    let left = fleet.containers();
    assert!(left.is_empty(), "{left:?}");
    fleet.alone();
    fleet.wait("the networks go too", || {
        fleet.world.docker("h1", &["network", "ls", "-q", "--filter", "label=wharf.fleet=life"]).is_empty()
    });
}

#[test]
fn a_changed_file_is_rolled_out_start_first() {
    let fleet = Fleet::new("change");
    let file = fleet.compose("shop.yaml", WEB);
    fleet.ok(&["deploy", "-f", &file, "--stack", "shop", "--yes"]);
    let changed = fleet.compose("shop.yaml", &WEB.replace("IMAGE:1", "IMAGE:2"));
    fleet.ok(&["deploy", "-f", &changed, "--stack", "shop", "--yes"]);
    let rows = fleet.json(&["ps", "shop"]);
    assert_eq!(rows.as_array().unwrap().len(), 3, "{rows}");
    assert!(rows.as_array().unwrap().iter().all(|row| row["revision"] == 2), "{rows}");
    assert!(fleet.containers().iter().all(|line| line.contains("-r2 running")), "{:?}", fleet.containers());
    assert_eq!(fleet.json(&["history", "shop/web"]).as_array().unwrap().len(), 2);
}

#[test]
fn a_release_is_tested_before_anything_changes() {
    let fleet = Fleet::new("tested");
    let file = fleet.compose("shop.yaml", WEB);
    fleet.ok(&["deploy", "-f", &file, "--stack", "shop", "--yes"]);
    let ids = || {
        let rows = fleet.json(&["ps", "shop"]);
        let mut ids: Vec<String> = strings(&rows, "id").into_iter().map(str::to_owned).collect();
        ids.sort_unstable();
        ids
    };
    let before = ids();
    let with = |test: &str| {
        let web = WEB.replace("IMAGE:1", "IMAGE:2");
        fleet.compose("shop.yaml", &format!("{web}    x-wharf:\n      test: {test}\n"))
    };
    // Nobody serves beside it, so the check finds nobody.
    let failing = with("[\"/bin/sh\", \"-c\", \"echo nobody is there; /app healthcheck\"]");
    let err = fleet.fails(1, &["deploy", "-f", &failing, "--stack", "shop", "--yes"]);
    for words in ["the test of shop/web r2 on h", "exited with 1", "nothing was changed", "it said: nobody is there"] {
        assert!(err.contains(words), "{words}: {err}");
    }
    // `containers` names whatever carries a service's label, tests too.
    fleet.wait("the test's container is gone", || {
        let there = fleet.containers();
        there.len() == 3 && there.iter().all(|line| line.contains("-r1 running"))
    });
    assert_eq!(ids(), before, "the very same containers");

    let passing = with("[\"/bin/sh\", \"-c\", \"sleep 2; ls /app\"]");
    let plan = fleet.wharf(&["deploy", "-f", &passing, "--stack", "shop", "--dry-run"]);
    let plan = String::from_utf8_lossy(&plan.stdout).into_owned();
    assert!(plan.contains("web: /bin/sh -c 'sleep 2; ls /app'"), "{plan}");
    fleet.ok(&["deploy", "-f", &passing, "--stack", "shop", "--yes"]);
    let there = fleet.containers();
    assert!(there.len() == 3 && there.iter().all(|line| line.contains("-r3 running")), "{there:?}");
}

#[test]
fn services_start_in_the_order_of_their_dependencies() {
    let fleet = Fleet::new("order");
    let file = fleet.compose(
        "app.yaml",
        "\
services:
  api:
    image: IMAGE:1
    depends_on:
      db: { condition: service_healthy }
  db:
    image: IMAGE:1
    environment: { HEALTHY_AFTER: \"3\" }
    healthcheck:
      test: [\"CMD\", \"/app\", \"healthcheck\"]
      interval: 1s
",
    );
    fleet.ok(&["deploy", "-f", &file, "--stack", "app", "--yes"]);
    let started = |name: &str| {
        fleet
            .world
            .var("WORLD_HOSTS")
            .split(',')
            .map(|host| {
                let filter = format!("label=wharf.service={name}");
                let ids =
                    fleet.world.docker(host, &["ps", "-q", "--filter", "label=wharf.fleet=order", "--filter", &filter]);
                if ids.is_empty() {
                    String::new()
                } else {
                    fleet.world.docker(host, &["inspect", "-f", "{{.State.StartedAt}}", &ids])
                }
            })
            .find(|at| !at.is_empty())
            .unwrap()
            .parse::<jiff::Timestamp>()
            .unwrap()
    };
    let gap = started("api").duration_since(started("db"));
    assert!(gap >= jiff::SignedDuration::from_secs(3), "api started {gap:?} after db, which takes 3 s to be healthy");
}

#[test]
fn a_host_that_joins_takes_replicas() {
    let fleet = Fleet::new("joins");
    let file = fleet.compose("shop.yaml", WEB);
    fleet.ok(&["deploy", "-f", &file, "--stack", "shop", "--yes"]);
    let added = fleet.world.fault("add", "h4");
    let block = &added.said;
    let text = std::fs::read_to_string(&fleet.file).unwrap();
    std::fs::write(&fleet.file, format!("{text}\n{block}")).unwrap();
    fleet.ok(&["scale", "shop/web=8", "--yes"]);
    let rows = fleet.json(&["ps", "shop"]);
    let on_new = strings(&rows, "host").iter().filter(|host| **host == "h4").count();
    assert_eq!(on_new, 2, "{rows}");
    fleet.ok(&["rm", "shop", "--yes"]);
    // A reconciler that still knows the host leaves before it goes away.
    fleet.alone();
    drop(added);
}

#[test]
fn a_cordoned_host_gets_nothing_new() {
    let fleet = Fleet::new("cordon");
    let file = fleet.compose("shop.yaml", WEB);
    fleet.ok(&["cordon", "h2", "--yes"]);
    fleet.ok(&["deploy", "-f", &file, "--stack", "shop", "--yes"]);
    assert!(!strings(&fleet.json(&["ps", "shop"]), "host").contains(&"h2"));
    fleet.ok(&["uncordon", "h2", "--yes"]);
    fleet.ok(&["scale", "shop/web=5", "--yes"]);
    assert!(strings(&fleet.json(&["ps", "shop"]), "host").contains(&"h2"));
}

#[test]
fn a_restart_replaces_every_container() {
    let fleet = Fleet::new("restart");
    let file = fleet.compose("shop.yaml", WEB);
    fleet.ok(&["deploy", "-f", &file, "--stack", "shop", "--yes"]);
    let ids = |fleet: &Fleet| {
        let rows = fleet.json(&["ps", "shop"]);
        strings(&rows, "id").into_iter().map(str::to_owned).collect::<std::collections::BTreeSet<_>>()
    };
    let before = ids(&fleet);
    fleet.ok(&["restart", "shop/web", "--yes"]);
    let after = ids(&fleet);
    assert_eq!(after.len(), 3);
    assert!(before.is_disjoint(&after), "{before:?} {after:?}");
}

#[test]
fn logs_of_several_hosts_are_merged() {
    let fleet = Fleet::new("logs");
    let file = fleet.compose(
        "talk.yaml",
        "\
services:
  talk:
    image: IMAGE:1
    entrypoint: [\"/bin/sh\", \"-c\", \"echo hello from $$HOSTNAME; exec /app\"]
    deploy: { replicas: 3 }
",
    );
    fleet.ok(&["deploy", "-f", &file, "--stack", "talk", "--yes"]);
    let out = fleet.ok(&["logs", "talk/talk"]);
    assert_eq!(out.lines().filter(|line| line.contains("hello from")).count(), 3, "{out}");
    for slot in 1..=3 {
        assert!(out.contains(&format!("talk/talk.{slot}")), "{out}");
    }
}
