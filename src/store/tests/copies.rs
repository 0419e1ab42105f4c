use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use rusqlite::Connection;

use super::*;
use crate::{
    model::Origin,
    store::{backup, check, restore},
};

fn put_back(store: &Path, from: &Path) -> Result<Option<std::path::PathBuf>, String> {
    restore(store, from, "ana@bastion", at(9), Origin::default())
        .map(|restored| restored.aside)
        .map_err(|error| error.to_string())
}

fn stocked() -> (Fresh, Generation) {
    let store = fresh();
    let op = accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 2)]), "ana", 0).unwrap();
    (store, op.generation)
}

#[test]
fn a_copy_of_a_store_in_use_is_put_back() {
    let (store, base) = stocked();
    let copy = store.dir.path().join("copy.db");
    let size = backup(&store.path(), &copy).unwrap();
    assert_eq!(fs::metadata(&copy).unwrap().len(), size);
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(check(&copy).unwrap(), Vec::<String>::new());
    // It goes on, and the copy does not.
    accept(&*store, scale(base, "shop/web", "east", 2, 7, 1), "bo", 1).unwrap();
    assert_eq!(wanted(&now(Sqlite::open_read_only(&copy).unwrap().desired()).unwrap(), "shop/web", "east"), Some(2));

    let aside = put_back(&store.path(), &copy).unwrap().unwrap();
    let again = Sqlite::open(store.path()).unwrap();
    assert_eq!(wanted(&now(again.desired()).unwrap(), "shop/web", "east"), Some(2));
    let kept = Sqlite::open_read_only(&aside).unwrap();
    assert_eq!(wanted(&now(kept.desired()).unwrap(), "shop/web", "east"), Some(7), "nothing is thrown away");
    assert!(journal(&again)[0].contains("restored from"), "{:?}", journal(&again));
    // Who still has the old one open is told so, at both ends.
    let words = accept(&*store, scale(base, "shop/web", "east", 2, 9, 1), "bo", 2).unwrap_err().to_string();
    assert!(words.contains("was removed or replaced while in use"), "{words}");
    assert_eq!(wanted(&now(store.desired()).unwrap(), "shop/web", "east"), Some(2), "readers look again");
    drop(store.store);
    accept(&again, scale(generation(&again), "shop/web", "east", 2, 3, 1), "bo", 3).unwrap();
    drop(again);
    let last = Sqlite::open(store.dir.path().join("fleet.db")).unwrap();
    assert_eq!(wanted(&now(last.desired()).unwrap(), "shop/web", "east"), Some(3), "nothing was lost with the others");
    let names: Vec<String> =
        fs::read_dir(store.dir.path()).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!names.iter().any(|name| name.contains(".new-")), "{names:?}");
}

/// The last number that was given before, of shop/web.
fn given(store: &Path) -> Option<u32> {
    let desired = now(Sqlite::open(store).unwrap().desired()).unwrap();
    desired.numbered.get(&key("shop/web")).map(|no| no.0)
}

#[test]
fn no_revision_gets_a_number_that_one_had_before_a_copy_was_put_back() {
    let (store, mut base) = stocked();
    let (path, copy) = (store.path(), store.dir.path().join("copy.db"));
    // What was there is kept under a name with the time.
    let put_back = |path: &Path, from: &Path, seconds| {
        restore(path, from, "ana@bastion", at(seconds), Origin::default()).unwrap();
    };
    backup(&path, &copy).unwrap();
    assert_eq!(given(&path), None, "it is the same store still");
    let web = [("shop/web", "east", 2)];
    for no in [2, 3] {
        base = accept(&*store, deploy(base, no, &web), "bo", 1).unwrap().generation;
    }
    let (path, _dir) = (store.path(), store.dir);
    drop(store.store);
    put_back(&path, &copy, 10);
    assert_eq!(given(&path), Some(3));
    let again = Sqlite::open(&path).unwrap();
    let base = generation(&again);
    let words = accept(&again, deploy(base, 3, &web), "bo", 2).unwrap_err().to_string();
    assert!(words.contains("shop/web had a revision 3 before") && words.contains("look again"), "{words}");
    accept(&again, deploy(base, 4, &web), "bo", 2).unwrap();
    assert_eq!(check(&path).unwrap(), Vec::<String>::new());
    drop(again);
    // Once more, and with a copy that knows of numbers itself.
    let later = path.with_file_name("later.db");
    put_back(&path, &copy, 11);
    assert_eq!(given(&path), Some(4));
    backup(&path, &later).unwrap();
    fs::remove_file(&path).unwrap();
    // Nobody knows what was given since: hosts may be out of reach that do.
    put_back(&path, &later, 12);
    assert_eq!(given(&path), Some(104));
    fs::write(&path, "ruined ".repeat(2000)).unwrap();
    put_back(&path, &copy, 13);
    assert_eq!(given(&path), Some(101));
}

#[test]
fn nothing_is_put_under_a_reconciler() {
    let (store, _) = stocked();
    let copy = store.dir.path().join("copy.db");
    backup(&store.path(), &copy).unwrap();
    let fence = fence(&*store, "east");
    let words = put_back(&store.path(), &copy).unwrap_err();
    assert!(words.contains("stop it first") && words.contains("nothing was changed"), "{words}");
    now(store.release_lease(fence)).unwrap();
    // The sign of life stays until its store is closed: whoever held a lease may take it again at any moment.
    assert!(put_back(&store.path(), &copy).is_err());
    let (path, _dir) = (store.path(), store.dir);
    drop(store.store);
    assert!(put_back(&path, &copy).unwrap().is_some());
}

#[test]
fn a_copy_is_put_back_where_there_is_no_store_or_a_ruined_one() {
    let (store, _) = stocked();
    let copy = store.dir.path().join("copy.db");
    backup(&store.path(), &copy).unwrap();
    let elsewhere = store.dir.path().join("new/dir/fleet.db");
    assert_eq!(put_back(&elsewhere, &copy), Ok(None));
    assert_eq!(fs::metadata(&elsewhere).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(wanted(&now(Sqlite::open(&elsewhere).unwrap().desired()).unwrap(), "shop/web", "east"), Some(2));
    fs::write(&elsewhere, "ruined ".repeat(2000)).unwrap();
    let aside = put_back(&elsewhere, &copy).unwrap().unwrap();
    assert!(fs::read_to_string(aside).unwrap().starts_with("ruined"));
    assert_eq!(wanted(&now(Sqlite::open(&elsewhere).unwrap().desired()).unwrap(), "shop/web", "east"), Some(2));
}

#[test]
fn what_is_no_sound_copy_is_not_put_back() {
    let (store, _) = stocked();
    let (dir, path) = (store.dir.path().to_owned(), store.path());
    let refused = |from: &Path| put_back(&path, from).unwrap_err();
    assert!(refused(&dir.join("none")).contains("there is no file"), "{}", refused(&dir.join("none")));
    fs::write(dir.join("text"), "not a database, but as long as one would be: ".repeat(40)).unwrap();
    assert!(refused(&dir.join("text")).contains("is not a wharf store"), "{}", refused(&dir.join("text")));
    fs::write(dir.join("empty"), "").unwrap();
    assert!(refused(&dir.join("empty")).contains("it is empty"), "{}", refused(&dir.join("empty")));
    let copy = dir.join("copy.db");
    backup(&path, &copy).unwrap();
    Connection::open(&copy).unwrap().execute_batch("DELETE FROM revision").unwrap();
    let words = refused(&copy);
    assert!(
        words.contains("is not sound, and was not restored: shop/web.1 in east wants r1, which is not kept"),
        "{words}"
    );
    assert_eq!(wanted(&now(store.desired()).unwrap(), "shop/web", "east"), Some(2), "all is as it was");
    let words = backup(&dir.join("none.db"), &dir.join("x")).unwrap_err().to_string();
    assert!(words.contains("there is no store"), "{words}");
}

#[test]
fn whatever_must_be_true_is_checked() {
    let broken = |sql: &str| {
        let (store, base) = stocked();
        accept(&*store, deploy(base, 1, &[("blog/site", "east", 1)]), "ana", 1).unwrap();
        assert_eq!(check(&store.path()).unwrap(), Vec::<String>::new());
        Connection::open(store.path()).unwrap().execute_batch(sql).unwrap();
        check(&store.path()).unwrap().join("\n")
    };
    for (sql, words) in [
        ("DELETE FROM revision WHERE service = 'shop/web'", "shop/web.2 in east wants r1, which is not kept"),
        (
            "UPDATE revision SET no = 4 WHERE service = 'blog/site'",
            "what is kept as blog/site r4 calls itself blog/site r1",
        ),
        ("UPDATE operation SET is_open = 0", "is accepted and marked otherwise"),
        ("DELETE FROM progress", "does not know how far all its regions are"),
        ("UPDATE state SET generation = 1", "generation 2 was given, and the last is said to be 1"),
        ("UPDATE assignment SET body = 'x'", "something in it does not read: assignment"),
        (
            "UPDATE operation SET after = (SELECT after FROM operation ORDER BY generation LIMIT 1)",
            "both speak for shop/web in east",
        ),
    ] {
        let found = broken(sql);
        assert!(found.contains(words), "{sql}: {found}");
    }
    let none = tempfile::tempdir().unwrap();
    assert_eq!(check(&none.path().join("fleet.db")).unwrap(), Vec::<String>::new());
}
