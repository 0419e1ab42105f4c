//! What a stack was, time by time: everything that was appended together is one version of it.

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::{World, lookup};
use crate::model::{Desired, Revision, RevisionNo, ServiceKey, StackName};

/// A version of a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its number, as `wharf rollback STACK --to` takes it.
    pub no: u32,
    /// When it came.
    pub at: Timestamp,
    /// Who made it.
    pub by: String,
    /// Why, in a few words.
    pub note: String,
    /// The revisions that came with it.
    pub revisions: BTreeMap<ServiceKey, RevisionNo>,
}

/// The kept versions of a stack, newest first. Numbers stay, also when old revisions are thrown away.
pub fn versions(desired: &Desired, stack: &StackName) -> Vec<Version> {
    let mut versions: BTreeMap<u32, Version> = BTreeMap::new();
    for revision in revisions(desired, stack) {
        let version = versions.entry(revision.version).or_insert_with(|| Version {
            no: revision.version,
            at: revision.at,
            by: revision.by.clone(),
            note: revision.note.clone(),
            revisions: BTreeMap::new(),
        });
        // Several only in stores from before versions were counted: the newest stands for them.
        version.at = version.at.max(revision.at);
        version.revisions.insert(revision.service.clone(), revision.no);
    }
    versions.into_values().rev().collect()
}

fn revisions<'a>(desired: &'a Desired, stack: &StackName) -> impl Iterator<Item = &'a Arc<Revision>> {
    desired.revisions.iter().filter(move |(key, _)| key.stack == *stack).flat_map(|(_, kept)| kept.values())
}

/// The revision of a service at a version of its stack; none when it was not there yet, or is not kept any more.
pub(crate) fn at<'a>(desired: &'a Desired, service: &ServiceKey, version: u32) -> Option<&'a Arc<Revision>> {
    desired.revisions.get(service)?.values().rev().find(|revision| revision.version <= version)
}

/// True when every service of a stack runs what it had at a version.
pub fn is_what_runs(world: &World<'_>, stack: &StackName, version: u32) -> bool {
    let mut services = world.desired.services.keys().filter(|key| key.stack == *stack).peekable();
    services.peek().is_some()
        && services.all(|service| {
            let then = at(world.desired, service, version).map(|then| then.no);
            then.is_some() && then == lookup::current(world, service).map(|now| now.no)
        })
}

/// The revision that one stands for: itself, or what it restored, and so on.
pub(crate) fn origin(desired: &Desired, revision: &Revision) -> RevisionNo {
    let mut no = revision.no;
    let mut restores = revision.restores;
    // Each step goes to a lower number, so this ends.
    while let Some(older) = restores.filter(|older| *older < no) {
        no = older;
        restores = desired.revision(&revision.service, older).and_then(|revision| revision.restores);
    }
    no
}
