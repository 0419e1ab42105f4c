use std::time::Duration;

use rusqlite::Connection;

use super::*;
use crate::{
    model::{AuditEntry, Deed, Origin, Paused, Walk},
    store::{Options, Retention, SqliteReader},
};

fn reader(store: &Fresh) -> SqliteReader {
    Sqlite::open_read_only(store.path()).unwrap()
}

fn entries(store: &Fresh) -> Vec<AuditEntry> {
    now(reader(store).audit(1000)).unwrap()
}

fn deeds(store: &Fresh) -> Vec<Deed> {
    entries(store).iter().map(|entry| entry.deed().unwrap()).collect()
}

/// `1 accepted ana: …`.
fn lines(store: &Fresh) -> Vec<String> {
    deeds(store).iter().map(|deed| format!("{} {} {}: {}", deed.no, deed.did, deed.by, deed.what)).collect()
}

fn verified(store: &Fresh) -> Result<(u64, u64), String> {
    let reader = reader(store);
    let mut walk = Walk::new(&now(reader.audit_anchor()).unwrap());
    now(reader.audit_after(now(reader.audit_anchor()).unwrap().cut, 10_000))
        .unwrap()
        .iter()
        .try_for_each(|entry| walk.step(entry))?;
    let chain = walk.end();
    Ok((chain.entries, chain.cut))
}

fn with(options: Options) -> Fresh {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open_with(dir.path().join("fleet.db"), options).unwrap();
    Fresh { store, dir }
}

#[test]
fn everything_that_is_asked_for_is_written_down_and_how_it_ends() {
    let store = fresh();
    let first = accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 2)]), "ana@bastion", 0).unwrap();
    let stale = accept(&*store, scale(Generation(0), "shop/web", "east", 2, 9, 1), "bo@bastion", 1).unwrap_err();
    let missing = accept(&*store, scale(first.generation, "shop/web", "east", 2, 9, 7), "bo@bastion", 2).unwrap_err();
    now(store.pause(first.id, Paused { at: at(3), by: "bo@bastion".into(), why: "".into() })).unwrap();
    now(store.resume(first.id, "ana@bastion".into(), at(4))).unwrap();
    let fence = fence(&*store, "east");
    now(store.report(fence, vec![(first.id, part(true))], Vec::new())).unwrap();
    let second = accept(&*store, scale(first.generation, "shop/web", "east", 2, 3, 1), "ana@bastion", 5).unwrap();
    let third = accept(&*store, scale(second.generation, "shop/web", "east", 3, 4, 1), "bo@bastion", 6).unwrap();
    now(store.abort(third.id, "ana@bastion".into(), at(7))).unwrap();
    now(store.attest("bo@bastion".into(), "opened", "bo@bastion opened a shell in shop-web-1-r1".into(), at(8)))
        .unwrap();
    assert_eq!(
        lines(&store),
        [
            "1 accepted ana@bastion: deploy shop".to_owned(),
            format!("2 refused bo@bastion: scale shop/web east 2 → 9: {stale}"),
            format!("3 refused bo@bastion: scale shop/web east 2 → 9: {missing}"),
            "4 paused bo@bastion: deploy shop".to_owned(),
            "5 resumed ana@bastion: deploy shop".to_owned(),
            "6 converged the reconciler: deploy shop".to_owned(),
            "7 accepted ana@bastion: scale shop/web east 2 → 3".to_owned(),
            "8 accepted bo@bastion: scale shop/web east 3 → 4".to_owned(),
            format!("9 superseded the reconciler: scale shop/web east 2 → 3 by op {}", third.id.short()),
            "10 aborted ana@bastion: scale shop/web east 3 → 4; put back: shop/web in east (4 → 3 replicas)".to_owned(),
            "11 opened bo@bastion: bo@bastion opened a shell in shop-web-1-r1".to_owned(),
        ]
    );
    assert_eq!(verified(&store), Ok((11, 0)));
    assert_eq!(deeds(&store)[0].command, Some(first.id));
    assert_eq!(deeds(&store)[0].equivalent, Some("wharf …".into()));
}

#[test]
fn who_asks_is_known_by_the_way_here() {
    let origin =
        Origin { from: Some("192.0.2.7".into()), key: Some("ssh-ed25519 SHA256:ab".into()), ..Origin::default() };
    let store = with(Options { origin, ..Options::default() });
    let first = accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 2)]), "ana@bastion", 0).unwrap();
    let fence = fence(&*store, "east");
    now(store.fail(fence, first.id, "no room".into(), at(1))).unwrap();
    let deeds = deeds(&store);
    assert_eq!((deeds[0].from.as_ref().unwrap().as_str(), deeds[0].key.is_some()), ("192.0.2.7", true));
    // What became of it is the reconciler's word, wherever that was started from.
    assert_eq!((deeds[1].did.as_str(), &deeds[1].from, &deeds[1].key), ("failed", &None, &None));
    assert!(deeds[1].what.as_str().starts_with("deploy shop: no room"), "{}", deeds[1].what);
}

#[test]
fn no_program_changes_it() {
    let store = fresh();
    let mut base = Generation(0);
    for n in 0..5 {
        base = accept(&*store, deploy(base, 1, &[(&format!("s{n}/web"), "east", 1)]), "ana", n).unwrap().generation;
    }
    let before = entries(&store);
    let other = Connection::open(store.path()).unwrap();
    for sql in [
        "UPDATE audit SET body = '{}' WHERE id = 2",
        "UPDATE audit SET id = 9 WHERE id = 5",
        "DELETE FROM audit WHERE id = 1",
        "DELETE FROM audit WHERE id = 5",
        "DELETE FROM audit",
        "INSERT INTO audit VALUES (9, 0, NULL, '{}', 'x', 'y')",
        "INSERT INTO audit VALUES (6, 0, NULL, '{}', 'x', 'y')",
        "INSERT OR REPLACE INTO audit SELECT 3, at, command, '{}', previous, hash FROM audit WHERE id = 3",
        "UPDATE audit_anchor SET cut = 3, hash = 'x'",
        "UPDATE audit_anchor SET cut = 99, hash = (SELECT hash FROM audit WHERE id = 5)",
        "DELETE FROM audit_anchor",
    ] {
        let words = other.execute_batch(sql).unwrap_err().to_string();
        assert!(
            words.contains("of the audit only moves on") || words.contains("is only appended to"),
            "{sql}: {words}"
        );
    }
    assert_eq!(entries(&store), before);
    // Who takes the triggers away leaves a chain that does not hold.
    other
        .execute_batch("DROP TRIGGER audit_update; UPDATE audit SET body = replace(body, 'ana', 'bob') WHERE id = 2")
        .unwrap();
    assert_eq!(verified(&store), Err("entry 2 is not what it was: its hash does not fit its content".to_owned()));
    let wrong = crate::store::check(&store.path()).unwrap();
    assert_eq!(wrong, ["the audit is broken: entry 2 is not what it was: its hash does not fit its content"]);
}

#[test]
fn what_is_old_goes_and_leaves_its_hash() {
    let retention = Retention { audit: Duration::from_secs(3600), ..Retention::default() };
    let store = with(Options { retention, ..Options::default() });
    let mut base = Generation(0);
    let long_ago = at(-90_000_000);
    for n in 0..40 {
        let proposal = deploy(base, 1, &[(&format!("s{n}/web"), "east", 1)]);
        base = now(store.accept(proposal, "ana".to_owned(), long_ago)).unwrap().generation;
    }
    // Tidied with the 32nd generation.
    let (kept, cut) = verified(&store).unwrap();
    assert!(cut >= 31 && kept + cut == 40, "{kept} and {cut}");
    assert_eq!(deeds(&store)[0].no, cut + 1);
    let retention = Retention { audit_rows: 10, ..Retention::default() };
    let (path, dir) = (store.path(), store.dir);
    drop(store.store);
    let store = Fresh { store: Sqlite::open_with(path, Options { retention, ..Options::default() }).unwrap(), dir };
    for n in 0..40 {
        base = accept(&*store, deploy(base, 1, &[(&format!("t{n}/web"), "east", 1)]), "ana", n).unwrap().generation;
    }
    let (kept, cut) = verified(&store).unwrap();
    assert!((10..42).contains(&kept) && kept + cut == 80, "{kept} and {cut}");
}

/// A store of the schema before the audit gets one, and everything from then on stands in it.
#[test]
fn an_older_store_gets_an_audit() {
    let store = fresh();
    let op = accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 1)]), "ana", 0).unwrap();
    let (path, dir) = (store.path(), store.dir);
    drop(store.store);
    let old = Connection::open(&path).unwrap();
    old.execute_batch("DROP TABLE audit; DROP TABLE audit_anchor; DROP TABLE numbered; PRAGMA user_version = 5")
        .unwrap();
    drop(old);
    let store = Fresh { store: Sqlite::open(&path).unwrap(), dir };
    assert_eq!(lines(&store), Vec::<String>::new());
    now(store.abort(op.id, "ana".into(), at(1))).unwrap();
    assert_eq!(deeds(&store)[0].did.as_str(), "aborted");
    assert_eq!(verified(&store), Ok((1, 0)));
}
