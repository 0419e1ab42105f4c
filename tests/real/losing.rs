//! The store is lost, whole, while everything runs and requests come in. It is built again from the hosts, and a
//! reconciler that starts from it touches nothing.

use std::fs;

use super::{
    stage::{EVERYWHERE, Stage, shop},
    support::certificate,
};

/// An entry with TLS, a secret and a variable: what a record must not carry, and what has to come back all the same.
fn text() -> String {
    let entry = "x-wharf:
      entry:
        - { port: 18080, target: 8080, protocol: http }
        - { port: 18443, target: 8080, protocol: https, host: a.example, tls: a.pem }
      check: { path: /healthz, interval: 1s }";
    let plain = "x-wharf:
      entry: { port: 18080, target: 8080, protocol: http }
      check: { path: /healthz, interval: 1s }";
    let text = shop("1", 3, "");
    assert!(text.contains(plain), "{text}");
    let secret = "environment: { PASSWORD: hunter2 }\n    secrets: [key]\n    ports:";
    let text = text.replace(plain, entry).replacen("ports:", secret, 1);
    format!("{text}secrets: {{ key: {{ file: key.txt }} }}\n")
}

/// What is wanted, without who and when.
fn wanted(stage: &Stage) -> String {
    let rows = stage.fleet.json(&["ps", "shop"]);
    let mut rows: Vec<String> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let of = |key: &str| row[key].to_string();
            format!("{} {} {} {} {}", of("service"), of("slot"), of("host"), of("revision"), of("wanted"))
        })
        .collect();
    rows.sort();
    rows.join("\n")
}

#[test]
fn a_lost_store_is_built_again_from_the_hosts() {
    let fill = |dir: &std::path::Path| {
        fs::write(dir.join("a.pem"), certificate("a.example", -1, 30)).unwrap();
        fs::write(dir.join("key.txt"), "s3cret").unwrap();
    };
    let mut stage = Stage::with_files("e-lost", &text(), fill);
    stage.man();
    stage.fleet.ok(&["scale", "shop/web=4", "--yes"]);
    let (ids, before) = (stage.ids(EVERYWHERE, None), wanted(&stage));
    for host in EVERYWHERE {
        for one in stage.containers(host, Some("web")) {
            let labels = stage.fleet.world.docker(host, &["inspect", "-f", "{{json .Config.Labels}}", &one.id]);
            assert!(labels.contains("wharf.record"), "{labels}");
            assert!(
                !labels.contains("hunter2") && !labels.contains("s3cret") && !labels.contains("PRIVATE"),
                "{labels}"
            );
        }
    }
    let load = stage.load(EVERYWHERE);

    // A store that is held is not written over; then it is gone.
    let words = stage.fleet.fails(1, &["store", "rebuild", "--replace", "--yes"]);
    assert!(words.contains("stop it first"), "{words}");
    stage.unman("TERM");
    let dir = stage.fleet.store().parent().unwrap().to_owned();
    fs::remove_dir_all(&dir).unwrap();

    let shown = String::from_utf8(stage.fleet.wharf(&["store", "rebuild", "--dry-run"]).stdout).unwrap();
    assert!(shown.contains("shop/web") && !shown.contains("lacks"), "{shown}");
    stage.fleet.ok(&["store", "rebuild", "--yes"]);
    assert_eq!(wanted(&stage), before);
    stage.man();
    std::thread::sleep(std::time::Duration::from_secs(10));
    assert_eq!(stage.ids(EVERYWHERE, None), ids, "the very same containers, proxies too");
    let counts = load.stop();
    let failed = counts.refused + counts.reset + counts.timed_out + counts.status + counts.other;
    assert_eq!(failed, 0, "{counts:?}");

    // The file that is deployed already is what runs; a new image rolls out as ever.
    let file = stage.fleet.compose("shop.yaml", &text().replace("replicas: 3", "replicas: 4"));
    let out = stage.fleet.wharf(&["deploy", "-f", &file, "--stack", "shop", "--dry-run"]);
    let shown = String::from_utf8(out.stdout).unwrap();
    assert!(!shown.contains("replace"), "{shown}");
    stage.fleet.ok(&["deploy", "--stack", "shop", "--image", "web=2", "--yes"]);
    assert_eq!(stage.healthy(EVERYWHERE, "web"), 4);
}
