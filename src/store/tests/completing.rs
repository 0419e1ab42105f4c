//! What a revision learns from its image.

use super::*;
use crate::store::{JournalQuery, Learned};

fn learned(service: &str, no: u32, ports: &[u16]) -> Learned {
    Learned { service: key(service), revision: RevisionNo(no), ports: ports.iter().copied().collect() }
}

fn ports(store: &impl ReadStore, service: &str, no: u32) -> Vec<u16> {
    let desired = now(store.desired()).unwrap();
    desired.revision(&key(service), RevisionNo(no)).unwrap().spec.expose.iter().map(|port| port.port).collect()
}

fn addresses(store: &impl ReadStore, stack: &str) -> Vec<String> {
    let desired = now(store.desired()).unwrap();
    let shared = &desired.stacks[stack];
    shared.addresses.iter().map(|(service, address)| format!("{service} {address}")).collect()
}

const POOL: &str = "10.9.0.0/29";

#[test]
fn what_an_image_says_is_in_the_revision_for_all_who_read() {
    let store = fresh();
    let op = accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 1), ("shop/db", "east", 1)]), "ana", 0)
        .unwrap();
    let before = now(store.desired()).unwrap();
    // Another process that has read the revision already.
    let other = Sqlite::open_read_only(store.path()).unwrap();
    assert!(ports(&other, "shop/db", 1).is_empty());

    let east = fence(&*store, "east");
    let complete = |learned: Learned| now(store.complete(east.clone(), learned, POOL.to_owned()));
    assert!(complete(learned("shop/db", 1, &[5432, 8008])).unwrap());
    assert!(complete(learned("shop/web", 1, &[80])).unwrap());
    for reader in [&other as &dyn ReadStore, &*store as &dyn ReadStore] {
        let desired = now(reader.desired()).unwrap();
        assert!(desired.generation > before.generation, "it is another state");
        let spec = &desired.revision(&key("shop/db"), RevisionNo(1)).unwrap().spec;
        assert_eq!(spec.expose.iter().map(|port| port.port).collect::<Vec<_>>(), [5432, 8008]);
    }
    assert_eq!(addresses(&*store, "shop"), ["db 10.9.0.1", "web 10.9.0.2"]);

    // Told again, by another region's reconciler: what is known stays.
    let west = fence(&*store, "west");
    assert!(now(store.complete(west, learned("shop/db", 1, &[1]), POOL.to_owned())).unwrap());
    assert_eq!(ports(&*store, "shop/db", 1), [5432, 8008]);
    assert!(!complete(learned("shop/db", 2, &[1])).unwrap(), "no such revision");
    let lines = now(store.journal(JournalQuery { command: Some(op.id), ..Default::default() })).unwrap();
    let lines: Vec<&str> = lines.iter().map(|line| line.what.as_str()).collect();
    assert!(lines.contains(&"shop/db r1 listens on 5432, 8008, as its image says"), "{lines:?}");
}

#[test]
fn addresses_are_nobody_elses_and_go_with_what_is_put_back() {
    let store = fresh();
    let mut first = deploy(Generation(0), 1, &[("pay/api", "east", 1)]);
    let taken = [("api".parse().unwrap(), "10.9.0.1".parse().unwrap())].into();
    first.stacks.insert("pay".parse().unwrap(), Some(StackShared { addresses: taken, ..StackShared::default() }));
    let first = accept(&*store, first, "ana", 0).unwrap();
    let op = accept(&*store, deploy(first.generation, 1, &[("shop/db", "east", 1)]), "ana", 0).unwrap();
    let east = fence(&*store, "east");
    assert!(now(store.complete(east.clone(), learned("shop/db", 1, &[5432]), POOL.to_owned())).unwrap());
    assert_eq!(addresses(&*store, "shop"), ["db 10.9.0.2"]);
    // Who planned before that would take the address away without knowing of it.
    let stale = deploy(op.generation, 2, &[("shop/db", "east", 2)]);
    assert!(matches!(accept(&*store, stale, "bo", 5), Err(StoreError::Conflict(_))));

    now(store.fail(east.clone(), op.id, "no".into(), at(9))).unwrap();
    let desired = now(store.desired()).unwrap();
    assert!(!desired.stacks.contains_key("shop"), "there was no such stack before");

    let again = deploy(generation(&*store), 2, &[("shop/db", "east", 1)]);
    accept(&*store, again, "ana", 10).unwrap();
    let full = now(store.complete(east, learned("shop/db", 2, &[1]), "10.9.0.0/31".to_owned())).unwrap_err();
    assert!(full.to_string().contains("no virtual address of 10.9.0.0/31 is free for shop/db"), "{full}");
    assert!(ports(&*store, "shop/db", 2).is_empty(), "all or nothing");
}

#[test]
fn who_lost_the_lease_completes_nothing() {
    let store = fresh();
    accept(&*store, deploy(Generation(0), 1, &[("shop/db", "east", 1)]), "ana", 0).unwrap();
    let east = fence(&*store, "east");
    now(store.release_lease(east.clone())).unwrap();
    let refused = now(store.complete(east, learned("shop/db", 1, &[5432]), POOL.to_owned()));
    assert!(matches!(refused, Err(StoreError::LeaseLost { .. })), "{refused:?}");
    assert!(ports(&*store, "shop/db", 1).is_empty());
}
