//! Running a stack as its file says.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Plan, Refusal, World, addresses,
    describe::{Change, describe},
    eligible::Books,
    entry,
    exposed::is_silent,
    held, images, lookup,
    refit::{complete, refit},
    rollback, scale,
};
use crate::model::{
    Assignment, Condition, Deploy, Intent, Mode, NetworkSpec, Port, PortMode, Protocol, RegionName, Revision,
    ServiceKey, ServiceName, ServiceSpec, StackShared, StackSpec, WharfSpec,
};

/// Works out what a stack's file changes. `images` are the resolved images by service; one that is missing stands as
/// the file writes it. New revisions come only where something differs; containers are replaced only where they would.
pub fn deploy(
    world: &World<'_>,
    stack: &StackSpec,
    images: &BTreeMap<ServiceName, String>,
    by: &str,
) -> Result<Plan, Refusal> {
    lookup::foreign(world, &stack.name)?;
    let mut draft = Draft {
        world,
        stack,
        shared: StackShared {
            networks: networks(world, stack),
            volumes: stack.volumes.clone(),
            addresses: addresses::addresses(world.fleet, world.desired, stack)?,
        },
        books: BTreeMap::new(),
        changes: Vec::new(),
        revisions: Vec::new(),
        warnings: Vec::new(),
    };
    for (name, spec) in &stack.services {
        let image = images.get(name).unwrap_or(&spec.image);
        draft.service(name, spec, image, by)?;
    }
    draft.gone();
    draft.entries()?;
    Ok(draft.plan())
}

/// The stack's networks. Those that another tool made go on being used where their name stays the same: what is not
/// replaced is still on them.
fn networks(world: &World<'_>, stack: &StackSpec) -> BTreeMap<String, NetworkSpec> {
    let mut networks = stack.networks.clone();
    let known = world.desired.stacks.get(&stack.name).into_iter().flat_map(|shared| &shared.networks);
    for (key, old) in known.filter(|(_, old)| old.adopted) {
        let new = networks.entry(key.clone()).or_insert_with(|| old.clone());
        new.adopted |= !new.external && new.name == old.name;
    }
    networks
}

struct Draft<'w, 'a> {
    world: &'w World<'a>,
    stack: &'w StackSpec,
    shared: StackShared,
    books: BTreeMap<RegionName, Books<'a>>,
    changes: Vec<Change>,
    revisions: Vec<Revision>,
    warnings: Vec<String>,
}

impl Draft<'_, '_> {
    fn service(&mut self, name: &ServiceName, spec: &ServiceSpec, image: &str, by: &str) -> Result<(), Refusal> {
        let key = ServiceKey { stack: self.stack.name.clone(), service: name.clone() };
        let regions = self.regions(spec)?;
        self.warn(&key, spec, image);
        let revision = self.revision(&key, spec, image, by);
        for region in regions {
            self.region(&key, region, spec, &revision)?;
        }
        // Regions that the file does not name any more.
        for (region, before) in self.world.desired.services.get(&key).into_iter().flatten() {
            if !self.changes.iter().any(|change| change.service == key && change.region == *region)
                && !self.wanted_in(spec, region)
            {
                self.drop_from(&key, region, before);
            }
        }
        Ok(())
    }

    fn wanted_in(&self, spec: &ServiceSpec, region: &RegionName) -> bool {
        if spec.wharf.regions.is_empty() {
            return self.world.fleet.region(region).is_some();
        }
        spec.wharf.regions.contains(region)
    }

    /// The regions of a service, in the fleet file's order.
    fn regions(&self, spec: &ServiceSpec) -> Result<Vec<RegionName>, Refusal> {
        for named in spec.wharf.regions.iter().chain(spec.wharf.replicas.keys()) {
            lookup::region(self.world, named)?;
        }
        let all = self.world.fleet.regions.iter().map(|region| &region.name);
        Ok(all.filter(|region| self.wanted_in(spec, region)).cloned().collect())
    }

    /// The revision to run: the one that is wanted now when nothing differs, else a new one.
    fn revision(&mut self, key: &ServiceKey, spec: &ServiceSpec, image: &str, by: &str) -> Arc<Revision> {
        let current = lookup::current(self.world, key);
        if let Some(current) = current.filter(|current| current.image == image && same_rules(&current.spec, spec)) {
            return Arc::clone(current);
        }
        let revision = Revision {
            service: key.clone(),
            no: lookup::next_number(self.world, key),
            spec: spec.clone(),
            image: image.to_owned(),
            at: self.world.now,
            by: by.to_owned(),
            note: "deploy".to_owned(),
            version: lookup::next_version(self.world.desired, &key.stack),
            restores: None,
        };
        self.revisions.push(revision.clone());
        Arc::new(revision)
    }

    fn region(
        &mut self,
        key: &ServiceKey,
        region: RegionName,
        file: &ServiceSpec,
        revision: &Arc<Revision>,
    ) -> Result<(), Refusal> {
        let world = self.world;
        let Some(known) = world.fleet.region(&region) else { return Ok(()) };
        let before = world.desired.assignment(key, &region);
        let spec = &revision.spec;
        // What the file does not name any more makes room.
        let gone: BTreeSet<ServiceKey> = self.unnamed().cloned().collect();
        let books = self.books.entry(region.clone()).or_insert_with(|| Books::new(world, &known.name, &gone));
        let (mut after, again) = refit(world, books, key, before, revision, Some(&self.shared))?;
        let to = number(file, &region, before.map(|before| before.slots.len()));
        let why = complete(world, books, key, revision, (&mut after, again), to)?;
        if after.slots.is_empty() && matches!(spec.deploy.mode, Mode::Global | Mode::GlobalJob) {
            self.warnings.push(format!("no host of {region} fits {key}, which is for every host"));
        }
        if before != Some(&after) {
            self.changes.push(Change {
                service: key.clone(),
                region,
                before: before.cloned(),
                after: Some(after),
                why,
            });
        }
        Ok(())
    }

    /// Services of the stack that the file does not name.
    fn unnamed(&self) -> impl Iterator<Item = &ServiceKey> {
        let stack = self.stack;
        let ours = self.world.desired.services.keys().filter(move |key| key.stack == stack.name);
        ours.filter(move |key| !stack.services.contains_key(&key.service))
    }

    fn gone(&mut self) {
        let gone: Vec<ServiceKey> = self.unnamed().cloned().collect();
        for key in gone {
            for (region, before) in self.world.desired.services.get(&key).into_iter().flatten() {
                self.drop_from(&key, region, before);
            }
        }
    }

    fn drop_from(&mut self, key: &ServiceKey, region: &RegionName, before: &Assignment) {
        self.changes.push(Change {
            service: key.clone(),
            region: region.clone(),
            before: Some(before.clone()),
            after: None,
            why: String::new(),
        });
    }

    fn warn(&mut self, key: &ServiceKey, spec: &ServiceSpec, image: &str) {
        if !images::is_pinned(image) {
            self.warnings.push(format!(
                "{key}: no registry gave a digest for {image}, so hosts may run different contents under this name"
            ));
        }
        let ingress = |port: &&Port| port.mode == PortMode::Ingress && port.protocol != Protocol::Tcp;
        for port in spec.ports.iter().filter(ingress) {
            self.warnings.push(format!(
                "{key}: {}/{} is not opened on the edge: proxies carry TCP; `mode: host` opens it on the replica's own host",
                port.published.unwrap_or(port.target),
                port.protocol
            ));
        }
        let needed_by = |other: &ServiceSpec| {
            let how = other.depends_on.get(&key.service).map(|dependency| dependency.condition);
            how.is_some_and(|condition| condition != Condition::ServiceCompletedSuccessfully)
        };
        if is_silent(spec) && self.stack.services.values().any(needed_by) {
            self.warnings.push(format!(
                "{key} names no port: once its image is there, what that exposes is reached from other hosts, and nothing when it exposes none; `expose` says it for sure"
            ));
        }
    }

    /// Ports of the edge are shared with all that runs in the region.
    fn entries(&mut self) -> Result<(), Refusal> {
        let name = &self.stack.name;
        let key = |service: &ServiceName| ServiceKey { stack: name.clone(), service: service.clone() };
        let ours: Vec<(ServiceKey, &ServiceSpec)> =
            self.stack.services.iter().map(|(service, spec)| (key(service), spec)).collect();
        let warnings = entry::judge_all(
            self.world,
            |region, services| {
                services.retain(|key, _| key.stack != *name);
                let here = ours.iter().filter(|(_, spec)| self.wanted_in(spec, region));
                services.extend(here.map(|(key, spec)| (key, *spec)));
            },
            |key| key.stack == *name,
        )?;
        self.warnings.extend(warnings);
        let held = held::warnings(self.world, name, &ours, |spec, region| self.wanted_in(spec, region));
        self.warnings.extend(held);
        Ok(())
    }

    fn plan(self) -> Plan {
        let Self { world, stack, shared, changes, revisions, warnings, .. } = self;
        let mut told = describe(world, &changes, &revisions);
        told.warnings.splice(0..0, warnings);
        let is_new = !world.desired.services.keys().any(|key| key.stack == stack.name);
        let count = |side: &Option<Assignment>| side.as_ref().map_or(0, |side| side.slots.len());
        let same_numbers = changes.iter().all(|change| count(&change.before) == count(&change.after));
        let undo = match (is_new, same_numbers) {
            (true, _) => Some(format!("wharf rm {}", stack.name)),
            (false, true) => rollback::undo(world, &revisions, &stack.name),
            (false, false) => None,
        };
        let intent = Intent::Deploy { stack: stack.name.clone() };
        let equivalent = format!("wharf deploy --stack {}", stack.name);
        let mut plan = scale::plan(world, intent, equivalent, changes, revisions, told, undo);
        // What a stack that is being taken away shares goes with its last container.
        if is_new || world.desired.stacks.get(&stack.name) != Some(&shared) {
            plan.proposal.stacks.insert(stack.name.clone(), Some(shared));
        }
        plan
    }
}

/// How many replicas a region gets: what the file says for it, for all regions, or what there is now.
pub(crate) fn number(spec: &ServiceSpec, region: &RegionName, now: Option<usize>) -> usize {
    let said = spec.wharf.replicas.get(region).copied().or(spec.deploy.replicas);
    match said {
        Some(said) => usize::try_from(said).unwrap_or(usize::MAX),
        None => now.unwrap_or(1),
    }
}

/// Equal but for the numbers, which assignments hold and not revisions.
pub(crate) fn same_rules(a: &ServiceSpec, b: &ServiceSpec) -> bool {
    let plain = |spec: &ServiceSpec| ServiceSpec {
        deploy: Deploy { replicas: None, ..spec.deploy.clone() },
        wharf: WharfSpec { replicas: BTreeMap::new(), regions: Vec::new(), ..spec.wharf.clone() },
        ..spec.clone()
    };
    plain(a) == plain(b) && a.wharf.regions == b.wharf.regions
}
