//! Changing numbers of replicas.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Plan, Refusal, ScaleTarget, World,
    describe::{Change, Told, describe},
    difference::differences,
    eligible::{Books, grouped},
    index::Index,
    lookup,
    placement::{self, NoPlace, Request, Worth},
    standing::Standing,
};
use crate::model::{
    Assignment, HostName, Intent, Mode, Place, Proposal, RegionName, Revision, RevisionNo, ScaleChange, ServiceKey,
    ServiceSpec, Slot,
};

/// More replicas than any fleet of this size can mean; a slip of the finger can.
const MOST_REPLICAS: u32 = 10_000;

/// Works out new numbers of replicas. Slots that stay keep their place; new ones take the lowest free numbers.
pub fn scale(world: &World<'_>, targets: &[ScaleTarget]) -> Result<Plan, Refusal> {
    let mut changes = Vec::new();
    let mut asked = BTreeSet::new();
    let mut books: BTreeMap<&RegionName, Books<'_>> = BTreeMap::new();
    let mut numbers = Vec::new();
    for target in targets {
        if !asked.insert((&target.service, &target.region)) {
            return Err(Refusal::Invalid(format!("{}@{} is given twice", target.service, target.region)));
        }
        let service = lookup::service(world, &target.service)?;
        let region = lookup::region(world, &target.region)?;
        let revision = current(world, service, region)?;
        check(target, &revision.spec)?;
        let before = world.desired.assignment(service, region);
        let from = before.map_or(0, |before| before.slots.len());
        let to = usize::try_from(target.to).unwrap_or(usize::MAX);
        if from == to {
            continue;
        }
        let books = books.entry(region).or_insert_with(|| Books::new(world, region, &BTreeSet::new()));
        let mut after = before.cloned().unwrap_or_default();
        let why = resize(world, books, service, revision, &mut after, to)?;
        numbers.push(ScaleChange {
            service: service.clone(),
            region: region.clone(),
            from: u32::try_from(from).unwrap_or(u32::MAX),
            to: target.to,
        });
        changes.push(Change {
            service: service.clone(),
            region: region.clone(),
            before: before.cloned(),
            after: Some(after),
            why,
        });
    }
    let command = |pick: fn(&ScaleChange) -> u32| {
        let parts = numbers.iter().map(|change| format!(" {}={}@{}", change.service, pick(change), change.region));
        format!("wharf scale{}", parts.collect::<String>())
    };
    let (equivalent, undo) = (command(|change| change.to), command(|change| change.from));
    let told = describe(world, &changes, &[]);
    let undo = (!numbers.is_empty()).then_some(undo);
    Ok(plan(world, Intent::Scale { changes: numbers }, equivalent, changes, Vec::new(), told, undo))
}

/// A plan of assignments.
pub(crate) fn plan(
    world: &World<'_>,
    intent: Intent,
    equivalent: String,
    changes: Vec<Change>,
    revisions: Vec<Revision>,
    told: Told,
    undo: Option<String>,
) -> Plan {
    let differences = differences(world, &revisions);
    let assignments = changes.into_iter().map(|change| ((change.service, change.region), change.after)).collect();
    Plan {
        proposal: Proposal {
            intent,
            equivalent,
            base: world.desired.generation,
            revisions,
            assignments,
            stacks: BTreeMap::new(),
            hosts: BTreeMap::new(),
            adopted: BTreeMap::new(),
            confirmed: None,
        },
        steps: told.steps,
        replicas: told.replicas,
        lowest: told.lowest,
        undo,
        warnings: told.warnings,
        differences,
    }
}

/// The revision that new replicas run: the newest that is wanted here, else anywhere. The newest of all may be one
/// that failed and was taken back.
pub(crate) fn current<'a>(
    world: &World<'a>,
    service: &ServiceKey,
    region: &RegionName,
) -> Result<&'a Revision, Refusal> {
    let regions = world.desired.services.get(service);
    let newest = |assignment: &Assignment| assignment.slots.values().map(|place| place.revision).max();
    let here = regions.and_then(|regions| regions.get(region)).and_then(newest);
    let anywhere = || regions.into_iter().flat_map(BTreeMap::values).filter_map(newest).max();
    let known = |no: RevisionNo| world.desired.revision(service, no);
    let revision = here.or_else(anywhere).and_then(known).or_else(|| world.desired.latest(service));
    revision.map(AsRef::as_ref).ok_or_else(|| {
        Refusal::Invalid(format!("no revision of {service} is kept: deploy its stack before scaling it"))
    })
}

fn check(target: &ScaleTarget, spec: &ServiceSpec) -> Result<(), Refusal> {
    let ScaleTarget { service, region, to } = target;
    if matches!(spec.deploy.mode, Mode::Global | Mode::GlobalJob) {
        return Err(Refusal::Invalid(format!(
            "{service} runs once on every host that fits (mode: global), so it has no number to change"
        )));
    }
    if *to > 0 {
        allowed(service, spec, region)?;
    }
    if *to > MOST_REPLICAS {
        return Err(Refusal::Invalid(format!(
            "{to} replicas of {service} are more than {MOST_REPLICAS}: is it a slip?"
        )));
    }
    Ok(())
}

/// A refusal where the service's file keeps it out of a region.
pub(crate) fn allowed(service: &ServiceKey, spec: &ServiceSpec, region: &RegionName) -> Result<(), Refusal> {
    if spec.wharf.regions.is_empty() || spec.wharf.regions.contains(region) {
        return Ok(());
    }
    let allowed: Vec<&str> = spec.wharf.regions.iter().map(RegionName::as_str).collect();
    Err(Refusal::Invalid(format!(
        "{service} runs only in {}: add {region} to x-wharf.regions of its file and deploy it",
        allowed.join(", ")
    )))
}

/// Brings an assignment to `to` slots. Gives back why new slots are where they are.
pub(crate) fn resize(
    world: &World<'_>,
    books: &mut Books<'_>,
    service: &ServiceKey,
    revision: &Revision,
    assignment: &mut Assignment,
    to: usize,
) -> Result<String, Refusal> {
    let have = assignment.slots.len();
    if to < have {
        for slot in least_worth(world, books, service, &revision.spec, assignment, have - to) {
            assignment.slots.remove(&slot);
        }
        return Ok(String::new());
    }
    let free: Vec<Slot> = (1..).map(Slot).filter(|slot| !assignment.slots.contains_key(slot)).take(to - have).collect();
    grow(books, service, revision, assignment, free)
}

/// Places new slots.
pub(crate) fn grow(
    books: &mut Books<'_>,
    service: &ServiceKey,
    revision: &Revision,
    assignment: &mut Assignment,
    slots: Vec<Slot>,
) -> Result<String, Refusal> {
    if slots.is_empty() {
        return Ok(String::new());
    }
    let why = why_there(books, service, &revision.spec);
    let request = Request { service, spec: &revision.spec, avoid: &BTreeSet::new(), never: &BTreeMap::new() };
    let placed = placement::place(books, request, slots).map_err(|NoPlace { slot, reasons }| Refusal::NoHost {
        service: service.clone(),
        region: books.region.clone(),
        slot,
        reasons,
    })?;
    let places = placed.into_iter().map(|(slot, host)| (slot, Place { host, revision: revision.no }));
    assignment.slots.extend(places);
    Ok(why)
}

/// Why new replicas go where they go: `spread over zone; w-3 cordoned`.
fn why_there(books: &Books<'_>, service: &ServiceKey, spec: &ServiceSpec) -> String {
    let refusals: Vec<_> =
        books.hosts.iter().filter_map(|book| Some((book.view.name.clone(), book.refuses(service, spec)?))).collect();
    let mut why = Vec::new();
    if books.hosts.len() - refusals.len() > 1 {
        let over = if spec.deploy.spread.is_empty() { "hosts".to_owned() } else { spec.deploy.spread.join(", ") };
        why.push(format!("spread over {over}"));
    }
    why.extend(grouped(refusals));
    why.join("; ")
}

fn least_worth(
    world: &World<'_>,
    books: &mut Books<'_>,
    service: &ServiceKey,
    spec: &ServiceSpec,
    assignment: &Assignment,
    surplus: usize,
) -> BTreeSet<Slot> {
    let worth = worths(world, books, service);
    let hosts: BTreeMap<Slot, HostName> =
        assignment.slots.iter().map(|(slot, place)| (*slot, place.host.clone())).collect();
    let worth = |slot: Slot| worth.get(&slot).copied().unwrap_or(Worth::Idle);
    placement::give_up(books, service, Some(spec), &hosts, worth, surplus)
}

/// What each slot of a service is worth keeping.
fn worths(world: &World<'_>, books: &Books<'_>, service: &ServiceKey) -> BTreeMap<Slot, Worth> {
    let Some((key, _)) = world.desired.services.get_key_value(service) else { return BTreeMap::new() };
    let index = Index::new(world, books.region, None);
    let view = index.service(key);
    view.slots
        .iter()
        .map(|slot| {
            let closed = books.host(&slot.place.host).is_none_or(|book| book.closed.is_some());
            let served = slot.is_served()
                || slot.wanted.as_ref().is_some_and(|(_, standing)| matches!(standing, Standing::Starting { .. }));
            let worth = match (closed, served) {
                (true, _) => Worth::Lost,
                (false, false) => Worth::Idle,
                (false, true) => Worth::Serving,
            };
            (slot.key.slot, worth)
        })
        .collect()
}
