use std::{
    io::{BufRead, BufReader},
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Child, Command, Stdio},
};

use super::*;
use crate::store::OperationQuery;

/// Runs [`worker`] in a process of its own.
fn spawn(job: &str, path: &Path) -> Child {
    command(job, path).spawn().unwrap()
}

fn command(job: &str, path: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--ignored", "--nocapture", "store::tests::processes::worker"])
        .env("STORE_WORKER", job)
        .env("STORE_PATH", path)
        .stdout(Stdio::piped());
    command
}

#[test]
#[ignore = "the other tests of this file run it as a process"]
fn worker() {
    let job = std::env::var("STORE_WORKER").unwrap();
    if let Some(seen) = job.strip_prefix("watch ") {
        return watch(seen.parse().unwrap());
    }
    let store = Sqlite::open(std::env::var("STORE_PATH").unwrap()).unwrap();
    match job.split_once(' ').unwrap() {
        // Adds one replica to the same service so many times, looking again when refused.
        ("add", times) => {
            let mut left: u32 = times.parse().unwrap();
            while left > 0 {
                let desired = now(store.desired()).unwrap();
                let count = u32::try_from(wanted(&desired, "shop/web", "east").unwrap()).unwrap();
                let proposal = scale(desired.generation, "shop/web", "east", count, count + 1, 1);
                match accept(&store, proposal, "ana", 0) {
                    Ok(_) => left -= 1,
                    Err(StoreError::Conflict(_)) => {}
                    Err(other) => panic!("{other}"),
                }
            }
        }
        // Accepts for ever, and says each id when it is accepted.
        ("forever", name) => {
            for n in 0.. {
                let base = generation(&store);
                let op = accept(&store, deploy(base, 1, &[(&format!("{name}{n}/web"), "east", 5)]), "ana", n).unwrap();
                println!("id {}", op.id);
            }
        }
        other => panic!("{other:?}"),
    }
}

/// Reads without any right to write, before and after others write: from this generation to the next one.
fn watch(seen: u64) {
    let reader = Sqlite::open_read_only(std::env::var("STORE_PATH").unwrap()).unwrap();
    let version = now(reader.version()).unwrap();
    assert_eq!(generation(&reader), Generation(seen));
    assert_eq!(now(reader.version()).unwrap(), version);
    println!("ready");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while generation(&reader) == Generation(seen) {
        assert!(std::time::Instant::now() < deadline);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_ne!(now(reader.version()).unwrap(), version);
    assert_eq!(generation(&reader), Generation(seen + 1));
}

/// A wall screen's user may read the store and no more; the last writer has removed the side files.
#[test]
fn a_reader_needs_no_right_to_write() {
    let Fresh { store, dir } = fresh();
    let path = dir.path().join("fleet.db");
    let first = accept(&store, deploy(Generation(0), 1, &[("shop/web", "east", 1)]), "ana", 0).unwrap();
    drop(store);
    let wal = dir.path().join("fleet.db-wal");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while wal.exists() {
        assert!(std::time::Instant::now() < deadline, "the last one to close removes the log");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = command("watch 1", &path);
    if rustix::process::geteuid().is_root() {
        // Root may write everywhere; "nobody" may not.
        command.uid(65_534).gid(65_534);
    }
    let mut watcher = command.spawn().unwrap();
    let mut lines = BufReader::new(watcher.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("ready")));
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let store = Sqlite::open(&path).unwrap();
    accept(&store, scale(first.generation, "shop/web", "east", 1, 2, 1), "ana", 1).unwrap();
    assert!(watcher.wait().unwrap().success(), "{:?}", lines.collect::<Vec<_>>());
}

#[test]
fn many_processes_lose_nothing() {
    let store = fresh();
    accept(&*store, deploy(Generation(0), 1, &[("shop/web", "east", 1)]), "ana", 0).unwrap();
    let workers: Vec<_> = (0..4).map(|_| spawn("add 25", &store.path())).collect();
    for worker in workers {
        let output = worker.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let desired = now(store.desired()).unwrap();
    assert_eq!(wanted(&desired, "shop/web", "east"), Some(101));
    assert_eq!(desired.generation, Generation(101));
    let all = now(store.operations(OperationQuery { limit: 1000, ..Default::default() })).unwrap();
    assert_eq!(all.len(), 101);
    assert!(all.iter().skip(1).all(|op| op.state.word() == "superseded"));
}

#[test]
fn many_stores_of_one_process_lose_nothing() {
    let store = fresh();
    std::thread::scope(|scope| {
        for name in ["a", "b", "c", "d"] {
            let path = store.path();
            scope.spawn(move || {
                let store = Sqlite::open(path).unwrap();
                for n in 0..20 {
                    let proposal = deploy(generation(&store), 1, &[(&format!("{name}{n}/web"), "east", 1)]);
                    accept(&store, proposal, name, 0).unwrap();
                }
            });
        }
    });
    assert_eq!(now(store.desired()).unwrap().services.len(), 80);
    assert_eq!(generation(&*store), Generation(80));
}

#[test]
fn many_open_an_empty_directory_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/fleet.db");
    std::thread::scope(|scope| {
        let open = || scope.spawn(|| Sqlite::open(&path).map(|store| generation(&store)));
        let all: Vec<_> = (0..8).map(|_| open()).collect();
        for one in all {
            assert_eq!(one.join().unwrap(), Ok(Generation(0)));
        }
    });
}

#[test]
fn what_was_accepted_survives_a_kill() {
    let store = fresh();
    let mut said = Vec::new();
    for round in ["a", "b", "c"] {
        let mut worker = spawn(&format!("forever {round}"), &store.path());
        let mut lines = BufReader::new(worker.stdout.take().unwrap()).lines();
        let mut next = || loop {
            let line = lines.next()?.unwrap();
            // The harness prints `test … ` in front of the first one.
            if let Some((_, id)) = line.rsplit_once("id ") {
                return Some(id.parse::<CommandId>().unwrap());
            }
        };
        said.extend((0..10).map_while(|_| next()));
        worker.kill().unwrap();
        worker.wait().unwrap();
        // What was said between the last look and the kill counts as well.
        said.extend(std::iter::from_fn(&mut next));
    }
    assert!(said.len() >= 30);
    let again = Sqlite::open(store.path()).unwrap();
    for id in &said {
        operation(&again, *id);
    }
    let desired = now(again.desired()).unwrap();
    let written = desired.services.len();
    assert!((said.len()..=said.len() + 3).contains(&written), "{written} written, {} said", said.len());
    assert_eq!(desired.generation.0, u64::try_from(written).unwrap(), "whole transactions only");
    let check: String = rusqlite::Connection::open(store.path())
        .unwrap()
        .pragma_query_value(None, "integrity_check", |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
}
