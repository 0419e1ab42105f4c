//! New revisions of services that run, in place: the same slots, the same regions, on the same hosts where they fit.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Refusal, World,
    deploy::{number, same_rules},
    describe::Change,
    eligible::Books,
    lookup,
    refit::{complete, refit},
};
use crate::model::{Mode, RegionName, Revision, RevisionNo, ServiceKey, ServiceSpec, StackName, StackShared};

/// What a new revision shall be.
pub(super) struct Wish<'a> {
    pub spec: &'a ServiceSpec,
    /// With its digest.
    pub image: &'a str,
    pub note: String,
    pub restores: Option<RevisionNo>,
}

/// Revisions and changes in the making, of one stack.
pub(super) struct Draft<'w, 'a> {
    world: &'w World<'a>,
    by: &'w str,
    version: u32,
    shared: Option<&'a StackShared>,
    books: BTreeMap<&'a RegionName, Books<'a>>,
    pub changes: Vec<Change>,
    pub revisions: Vec<Revision>,
}

impl<'w, 'a> Draft<'w, 'a> {
    pub fn new(world: &'w World<'a>, stack: &StackName, by: &'w str) -> Self {
        Self {
            world,
            by,
            version: lookup::next_version(world.desired, stack),
            shared: world.desired.stacks.get(stack),
            books: BTreeMap::new(),
            changes: Vec::new(),
            revisions: Vec::new(),
        }
    }

    /// Gives a service a new revision wherever it runs. Nothing happens, and gives none, when the wish is what runs.
    pub fn service(&mut self, key: &'a ServiceKey, wish: Wish<'_>) -> Result<Option<RevisionNo>, Refusal> {
        let world = self.world;
        let current = lookup::current(world, key);
        if current.is_some_and(|now| now.image == wish.image && same_rules(&now.spec, wish.spec)) {
            return Ok(None);
        }
        self.networks(key, wish.spec)?;
        let revision = Revision {
            service: key.clone(),
            no: lookup::next_number(world, key),
            spec: wish.spec.clone(),
            image: wish.image.to_owned(),
            at: world.now,
            by: self.by.to_owned(),
            note: wish.note,
            version: self.version,
            restores: wish.restores,
        };
        let is_global = |spec: &ServiceSpec| matches!(spec.deploy.mode, Mode::Global | Mode::GlobalJob);
        let same_mode = current.is_some_and(|now| is_global(&now.spec) == is_global(wish.spec));
        for (region, before) in world.desired.services.get(key).into_iter().flatten() {
            if before.slots.is_empty() {
                continue;
            }
            let books = self.books.entry(region).or_insert_with(|| Books::new(world, region, &BTreeSet::new()));
            let (mut after, again) = refit(world, books, key, Some(before), &revision, self.shared)?;
            let count = same_mode.then_some(before.slots.len());
            let to = count.unwrap_or_else(|| number(wish.spec, region, None));
            let why = complete(world, books, key, &revision, (&mut after, again), to)?;
            if after != *before {
                let (service, region, before) = (key.clone(), region.clone(), Some(before.clone()));
                self.changes.push(Change { service, region, before, after: Some(after), why });
            }
        }
        let no = revision.no;
        self.revisions.push(revision);
        Ok(Some(no))
    }

    /// A network or volume that the stack has no more cannot be made again: its description is not kept.
    fn networks(&self, key: &ServiceKey, spec: &ServiceSpec) -> Result<(), Refusal> {
        let known =
            |name: &str| name == "default" || self.shared.is_some_and(|shared| shared.networks.contains_key(name));
        match spec.networks.keys().find(|name| !known(name)) {
            None => Ok(()),
            Some(gone) => Err(Refusal::Invalid(format!(
                "that revision of {key} is on the network {gone}, which {} has no more: deploy its file instead",
                key.stack
            ))),
        }
    }
}
