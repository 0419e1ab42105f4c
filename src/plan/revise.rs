//! New revisions of services that run, in place: the same slots, the same regions, on the same hosts where they fit.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Refusal, World, addresses,
    deploy::{number, same_rules},
    describe::Change,
    eligible::Books,
    entry, lookup,
    refit::{complete, refit},
};
use crate::model::{
    Mode, RegionName, Revision, RevisionNo, ServiceKey, ServiceSpec, StackName, StackShared, StackSpec,
};

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

    /// What new revisions change beside their own service: ways in that they share with others, addresses at which
    /// others reach them. Gives warnings, and what the stack's services share when that changes.
    pub fn around(&self, stack: &StackName) -> Result<(Vec<String>, Option<StackShared>), Refusal> {
        let is_new = |key: &ServiceKey| self.revisions.iter().any(|revision| revision.service == *key);
        let warnings = entry::judge_all(
            self.world,
            |_, services| {
                for (key, spec) in services.iter_mut() {
                    let fresh = self.revisions.iter().find(|revision| revision.service == **key);
                    *spec = fresh.map_or(*spec, |revision| &revision.spec);
                }
            },
            is_new,
        )?;
        let Some(shared) = self.shared else { return Ok((warnings.into_iter().collect(), None)) };
        let keys = self.world.desired.services.keys().filter(|key| key.stack == *stack);
        let spec = |key: &ServiceKey| {
            let fresh = self.revisions.iter().find(|revision| revision.service == *key);
            let now = || lookup::current(self.world, key).map(AsRef::as_ref);
            fresh.or_else(now).map(|revision| (key.service.clone(), revision.spec.clone()))
        };
        let whole = StackSpec {
            name: stack.clone(),
            services: keys.filter_map(spec).collect(),
            networks: BTreeMap::new(),
            volumes: BTreeMap::new(),
        };
        let addresses = addresses::addresses(self.world.fleet, self.world.desired, &whole)?;
        let changed = addresses != shared.addresses;
        Ok((warnings.into_iter().collect(), changed.then(|| StackShared { addresses, ..shared.clone() })))
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
