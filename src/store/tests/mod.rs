//! Tests of the store, and short words for writing them.

mod accepting;
mod auditing;
mod completing;
mod copies;
mod drains;
mod file;
mod laws;
mod leases;
mod outcomes;
mod processes;
mod tidying;

use std::collections::BTreeMap;

use futures::executor::block_on;
use jiff::{SignedDuration, Timestamp};

use super::{Answer, Fence, ReadStore, Sqlite, Store, StoreError};
use crate::model::{
    Assignment, CommandId, Desired, Generation, Intent, JournalEntry, Operation, Place, Progress, Proposal, Revision,
    RevisionNo, ScaleChange, ServiceKey, ServiceSpec, Slot, StackShared,
};

/// A store in its own directory.
struct Fresh {
    store: Sqlite,
    dir: tempfile::TempDir,
}

impl std::ops::Deref for Fresh {
    type Target = Sqlite;
    fn deref(&self) -> &Sqlite {
        &self.store
    }
}

impl Fresh {
    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("fleet.db")
    }
}

fn fresh() -> Fresh {
    let dir = tempfile::tempdir().unwrap();
    let store = Sqlite::open(dir.path().join("fleet.db")).unwrap();
    Fresh { store, dir }
}

/// Waits for an answer.
fn now<T>(answer: Answer<'_, T>) -> Result<T, StoreError> {
    block_on(answer)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_800_000_000 + seconds)
}

fn key(service: &str) -> ServiceKey {
    service.parse().unwrap()
}

/// A revision with nothing special in it.
fn revision(service: &str, no: u32) -> Revision {
    Revision {
        service: key(service),
        no: RevisionNo(no),
        spec: ServiceSpec { image: format!("app:{no}"), ..ServiceSpec::default() },
        image: format!("app@sha256:{no}"),
        at: at(0),
        by: "ana@bastion".to_owned(),
        note: "deploy".to_owned(),
        version: no,
        restores: None,
    }
}

/// So many slots at a revision, all on one host.
fn slots(count: u32, no: u32) -> Assignment {
    let place = Place { host: "h-1".parse().unwrap(), revision: RevisionNo(no) };
    Assignment {
        generation: Generation(0),
        slots: (1..=count).map(|slot| (Slot(slot), place.clone())).collect(),
        round: 0,
    }
}

/// A first deploy of services `STACK/SERVICE@REGION=N`, with a new revision `no` for each service.
fn deploy(base: Generation, no: u32, what: &[(&str, &str, u32)]) -> Proposal {
    let mut proposal = proposal(base, Intent::Deploy { stack: key(what[0].0).stack });
    for (service, region, count) in what {
        if !proposal.revisions.iter().any(|known| known.service == key(service)) {
            proposal.revisions.push(revision(service, no));
        }
        proposal.assignments.insert((key(service), region.parse().unwrap()), Some(slots(*count, no)));
        proposal.stacks.insert(key(service).stack, Some(StackShared::default()));
    }
    proposal
}

/// A scale of one service in one region, at a revision.
fn scale(base: Generation, service: &str, region: &str, from: u32, to: u32, no: u32) -> Proposal {
    let change = ScaleChange { service: key(service), region: region.parse().unwrap(), from, to };
    let mut proposal = proposal(base, Intent::Scale { changes: vec![change] });
    proposal.assignments.insert((key(service), region.parse().unwrap()), Some(slots(to, no)));
    proposal
}

fn proposal(base: Generation, intent: Intent) -> Proposal {
    Proposal {
        intent,
        equivalent: "wharf …".to_owned(),
        base,
        revisions: Vec::new(),
        assignments: BTreeMap::new(),
        stacks: BTreeMap::new(),
        hosts: BTreeMap::new(),
        adopted: BTreeMap::new(),
        confirmed: None,
    }
}

fn generation(store: &impl ReadStore) -> Generation {
    now(store.desired()).unwrap().generation
}

fn accept(store: &impl Store, proposal: Proposal, by: &str, seconds: i64) -> Result<Operation, StoreError> {
    now(store.accept(proposal, by.to_owned(), at(seconds)))
}

fn operation(store: &impl ReadStore, id: CommandId) -> Operation {
    now(store.operation(id)).unwrap().unwrap()
}

/// The lease of a region.
fn fence(store: &impl Store, region: &str) -> Fence {
    let epoch = now(store.take_lease(region.parse().unwrap(), "ana@bastion:1".into())).unwrap().unwrap();
    Fence { region: region.parse().unwrap(), epoch }
}

/// Progress of a region: finished or not.
fn part(finished: bool) -> Progress {
    Progress { done: u32::from(finished), total: 1, finished, ..Progress::default() }
}

/// Replicas wanted of a service in a region; none when it is not there.
fn wanted(desired: &Desired, service: &str, region: &str) -> Option<usize> {
    desired.assignment(&key(service), &region.parse().unwrap()).map(|assignment| assignment.slots.len())
}

/// The journal's words, newest first.
fn journal(store: &impl ReadStore) -> Vec<String> {
    now(store.journal(super::JournalQuery::default())).unwrap().iter().map(|entry| entry.what.to_string()).collect()
}

fn entry(what: &str) -> JournalEntry {
    JournalEntry {
        at: at(0),
        command: None,
        region: None,
        service: None,
        host: None,
        what: what.into(),
        is_error: false,
    }
}
