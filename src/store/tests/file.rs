use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use rusqlite::Connection;

use super::*;

fn refusal(path: &Path) -> String {
    Sqlite::open(path).unwrap_err().to_string()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_store_is_its_owners() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/fleet.db");
    let store = Sqlite::open(&path).unwrap();
    accept(&store, deploy(Generation(0), 1, &[("shop/web", "east", 1)]), "ana", 0).unwrap();
    assert_eq!(mode(&dir.path().join("a")), 0o700);
    assert_eq!(mode(&dir.path().join("a/b")), 0o700);
    for file in ["fleet.db", "fleet.db-wal", "fleet.db-shm"] {
        assert_eq!(mode(&dir.path().join("a/b").join(file)), 0o600, "{file}");
    }
    assert_eq!(fs::read_dir(dir.path().join("a/b")).unwrap().count(), 3, "nothing else is left behind");
}

#[test]
fn a_store_in_a_groups_directory_is_the_groups() {
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o2770)).unwrap();
    let store = Sqlite::open(dir.path().join("fleet.db")).unwrap();
    accept(&store, deploy(Generation(0), 1, &[("shop/web", "east", 1)]), "ana", 0).unwrap();
    for file in ["fleet.db", "fleet.db-wal", "fleet.db-shm"] {
        assert_eq!(mode(&dir.path().join(file)), 0o660, "{file}");
    }
}

#[test]
fn a_newer_store_is_left_alone() {
    let store = fresh();
    let path = store.path();
    let other = Connection::open(&path).unwrap();
    other.pragma_update(None, "user_version", 9).unwrap();
    let words = format!(
        "the store {} was written by a newer wharf (schema 9, this one knows 7): update wharf on this machine",
        path.display()
    );
    assert_eq!(refusal(&path), words);
    // The one that is open already notices before it writes, and before it reads.
    let refused = accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 1)]), "ana", 0).unwrap_err();
    assert_eq!(refused.to_string(), words);
    assert_eq!(now(store.desired()).unwrap_err().to_string(), words);
    assert_eq!(now(Sqlite::open_read_only(&path).unwrap().version()).unwrap_err().to_string(), words);
}

#[test]
fn an_older_store_is_brought_up_to_date_with_all_that_is_in_it() {
    let store = fresh();
    let op = accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 1)]), "ana", 0).unwrap();
    let (path, dir) = (store.path(), store.dir);
    drop(store.store);
    let old = Connection::open(&path).unwrap();
    let first = "ALTER TABLE operation DROP COLUMN paused; ALTER TABLE operation DROP COLUMN resumed; \
                 DROP TABLE adopted; ALTER TABLE revision DROP COLUMN is_completed; DROP TABLE audit; \
                 DROP TABLE audit_anchor; DROP TABLE numbered; PRAGMA user_version = 1";
    old.execute_batch(first).unwrap();
    drop(old);
    let again = Sqlite::open(&path).unwrap();
    assert_eq!(operation(&again, op.id), op);
    let paused = crate::model::Paused { at: at(1), by: "bo".into(), why: "".into() };
    assert_eq!(now(again.pause(op.id, paused.clone())).unwrap().paused, Some(paused));
    drop(dir);
}

#[test]
fn other_files_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let text = "not a database, but long enough to look like one: ".repeat(20);
    fs::write(&path, &text).unwrap();
    assert!(refusal(&path).contains("is not a wharf store (it is not an SQLite file)"), "{}", refusal(&path));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);

    fs::remove_file(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE songs (title TEXT)").unwrap();
    drop(other);
    let before = fs::read(&path).unwrap();
    assert!(refusal(&path).contains("(it is another program's SQLite file)"), "{}", refusal(&path));
    assert_eq!(fs::read(&path).unwrap(), before);

    assert!(refusal(dir.path()).contains("(it is a directory)"), "{}", refusal(dir.path()));
    let below = path.join("fleet.db");
    assert!(refusal(&below).contains("is not a wharf store"), "{}", refusal(&below));
}

#[test]
fn a_damaged_store_says_so() {
    let store = fresh();
    let path = store.path();
    let mut base = Generation(0);
    for n in 0..40 {
        base = accept(&*store, deploy(base, 1, &[(&format!("s{n}/web"), "east", 9)]), "ana", n).unwrap().generation;
    }
    let dir = store.dir;
    // Everything into the file, then ruin all pages but the first.
    let other = Connection::open(&path).unwrap();
    other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let copy = dir.path().join("copy.db");
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0xaa);
    fs::write(&copy, bytes).unwrap();
    let reader = Sqlite::open_read_only(&copy).unwrap();
    let words = now(reader.desired()).unwrap_err();
    assert!(matches!(words, StoreError::Corrupt { .. }), "{words}");
    assert!(words.to_string().contains("restore it from a backup"), "{words}");
}

#[test]
fn a_full_disk_loses_nothing_that_was_accepted() {
    let store = fresh();
    let mut base = Generation(0);
    now(store.limit_pages(60)).unwrap();
    let mut accepted = Vec::new();
    let words = loop {
        let n = accepted.len();
        assert!(n < 1000, "the disk never got full");
        match accept(&*store, deploy(base, 1, &[(&format!("s{n}/web"), "east", 30)]), "ana", 0) {
            Ok(op) => {
                base = op.generation;
                accepted.push(op.id);
            }
            Err(error) => break error,
        }
    };
    assert_eq!(
        words.to_string(),
        format!(
            "no space left for the store {}: nothing of this was saved; free some space and repeat",
            store.path().display()
        )
    );
    assert!(!accepted.is_empty());
    assert_eq!(generation(&*store), base);
    now(store.limit_pages(6000)).unwrap();
    let again = Sqlite::open(store.path()).unwrap();
    for id in accepted {
        operation(&again, id);
    }
    accept(&again, deploy(base, 1, &[("more/web", "east", 30)]), "ana", 0).unwrap();
}

#[test]
fn a_reader_waits_for_the_first_writer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("later/fleet.db");
    let reader = Sqlite::open_read_only(&path).unwrap();
    assert_eq!(now(reader.version()).unwrap(), 0);
    assert_eq!(*now(reader.desired()).unwrap(), Desired::default());
    assert!(now(reader.operations(crate::store::OperationQuery::default())).unwrap().is_empty());
    assert!(!path.exists(), "a reader makes no files");
    let store = Sqlite::open(&path).unwrap();
    accept(&store, deploy(Generation(0), 1, &[("shop/web", "east", 1)]), "ana", 0).unwrap();
    assert_ne!(now(reader.version()).unwrap(), 0);
    assert_eq!(generation(&reader), Generation(1));
}

#[test]
fn every_commit_by_anyone_shows_in_the_version() {
    let store = fresh();
    let other = Sqlite::open(store.path()).unwrap();
    let reader = Sqlite::open_read_only(store.path()).unwrap();
    let versions = || [now(store.version()).unwrap(), now(other.version()).unwrap(), now(reader.version()).unwrap()];
    let mut last = versions();
    assert_eq!(versions(), last);
    for writer in [&store.store, &other] {
        now(writer.journal_add(vec![entry("something")])).unwrap();
        let new = versions();
        assert!(last.iter().zip(&new).all(|(old, new)| old != new), "{last:?} {new:?}");
        assert_eq!(versions(), new);
        last = new;
    }
}

#[test]
fn a_store_that_was_swapped_is_not_written() {
    let store = fresh();
    let path = store.path();
    fs::rename(&path, store.dir.path().join("old.db")).unwrap();
    assert_eq!(now(store.version()).unwrap(), 0);
    let gone = accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 1)]), "ana", 0).unwrap_err();
    assert!(matches!(gone, StoreError::Replaced { .. }), "{gone}");
    let second = Sqlite::open(&path);
    drop(second);
    let swapped = accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 1)]), "ana", 0).unwrap_err();
    assert!(matches!(swapped, StoreError::Replaced { .. }), "{swapped}");
}

#[test]
fn a_reader_follows_the_name_and_not_the_file() {
    let (one, two) = (fresh(), fresh());
    accept(&*one, deploy(Generation(0), 1, &[("shop/web", "east", 1)]), "ana", 0).unwrap();
    let mut other = deploy(Generation(0), 1, &[("shop/web", "east", 2)]);
    other.revisions[0].image = "other".to_owned();
    accept(&*two, other, "ana", 0).unwrap();
    let reader = Sqlite::open_read_only(one.path()).unwrap();
    assert_eq!(wanted(&now(reader.desired()).unwrap(), "shop/web", "east"), Some(1));
    let version = now(reader.version()).unwrap();
    for side in ["", "-wal", "-shm"] {
        fs::rename(format!("{}{side}", two.path().display()), format!("{}{side}", one.path().display())).unwrap();
    }
    let desired = now(reader.desired()).unwrap();
    assert_eq!(wanted(&desired, "shop/web", "east"), Some(2), "the same generation of another store");
    assert_eq!(desired.latest(&key("shop/web")).unwrap().image, "other");
    assert_ne!(now(reader.version()).unwrap(), version);
}

#[test]
fn several_open_stores_of_one_process_keep_their_locks() {
    // Closing any descriptor of a file drops the process's POSIX locks on it; opening must not do that.
    let store = fresh();
    let locks = || {
        let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(store.path()).unwrap());
        let all = fs::read_to_string("/proc/locks").unwrap();
        all.lines().filter(|line| line.contains(&format!(":{inode} "))).count()
    };
    generation(&*store);
    let before = locks();
    assert!(before > 0, "an open WAL store holds a lock on its file");
    drop(Sqlite::open_read_only(store.path()).unwrap());
    let _other = Sqlite::open(store.path()).unwrap();
    let refused = Sqlite::open(store.path().join("x"));
    assert!(refused.is_err());
    assert!(locks() >= before);
}
