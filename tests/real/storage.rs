//! What hosts keep, against what their engines say, and clearing them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::support::{Fleet, WEB};

fn lines(text: &str) -> BTreeSet<String> {
    text.lines().map(str::to_owned).collect()
}

#[test]
fn what_hosts_keep_is_listed_and_cleared() {
    let fleet = Fleet::new("storage");
    let file = fleet.compose("shop.yaml", WEB);
    fleet.ok(&["deploy", "-f", &file, "--stack", "shop", "--yes"]);
    let rows = fleet.json(&["ps", "shop"]);
    let here = rows.as_array().unwrap().iter().find(|row| row["host"] == "h1").unwrap();
    // Over SSH; something that nobody needs, and something that nobody named.
    let image = fleet.world.docker("h1", &["commit", here["id"].as_str().unwrap(), "leftover:1"]).trim().to_owned();
    let volume = fleet.world.docker("h1", &["volume", "create"]).trim().to_owned();
    let of = |kind: &str| -> Vec<Value> {
        let rows = fleet.json(&["storage", "h1"]);
        rows.as_array().unwrap().iter().filter(|row| row["kind"] == kind).cloned().collect()
    };
    let ids = |kind: &str| of(kind).iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(ids("image"), lines(&fleet.world.docker("h1", &["images", "-q", "--no-trunc"])));
    assert_eq!(ids("volume"), lines(&fleet.world.docker("h1", &["volume", "ls", "-q"])));
    assert_eq!(ids("network"), lines(&fleet.world.docker("h1", &["network", "ls", "-q", "--no-trunc"])));
    let used = of("image").into_iter().find(|row| row["why"].as_str().unwrap().contains("shop-web")).unwrap();
    assert_eq!(used["needed"], true, "{used}");
    assert!(used["size"].as_u64().unwrap() > 0, "{used}");

    let id = used["id"].as_str().unwrap();
    let err = fleet.fails(2, &["prune", "h1", "--id", id, "--yes"]);
    assert!(err.contains("stays: used by shop-web"), "{err}");
    let said = fleet.ok(&["prune", "h1", "--id", &image, "--id", &volume, "--yes"]);
    assert!(said.contains("converged"), "{said}");
    assert!(!ids("image").contains(&image) && !ids("volume").contains(&volume));
    assert!(!fleet.world.docker("h1", &["images", "-q", "--no-trunc"]).contains(&image));
    assert!(!fleet.world.docker("h1", &["volume", "ls", "-q"]).contains(&volume));
    assert_eq!(fleet.running("shop/web"), 3);
    fleet.ok(&["rm", "shop", "--yes"]);
}
