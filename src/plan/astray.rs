//! What is not as it shall be, though nobody is at it: for `wharf doctor`, with what mends each.

use std::collections::{BTreeMap, BTreeSet};

use super::{Memory, World, forsaken::forsaken, images, next};
use crate::{
    model::{ContainerState, Holding, HostName, Operation, RegionName, ReplicaKey, RevisionNo, ServiceKey, since},
    text::{duration, short_image},
};

/// What a proxy said longer ago counts for nothing.
const FRESH: std::time::Duration = std::time::Duration::from_secs(15);

/// Something that is not as it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Astray {
    /// On which host; none for what concerns a service or the fleet.
    pub host: Option<HostName>,
    /// One word: `orphan`, `drift`, `proxy`, `image`, `lease`.
    pub check: &'static str,
    /// What it is.
    pub what: String,
    /// The command that mends it.
    pub mend: String,
}

/// Everything that is astray. `open` are the open operations: what they touch is on its way. `holdings` are the leases
/// that were not given back.
pub fn astray(world: &World<'_>, open: &[Operation], holdings: &[Holding]) -> Vec<Astray> {
    let mut found = orphans(world);
    found.extend(drift(world, open));
    found.extend(proxies(world, open));
    found.extend(gone(world));
    found.extend(forsaken(world, open, holdings));
    found
}

/// Containers that carry the fleet's name and that the store does not know: nobody looks after them.
fn orphans(world: &World<'_>) -> Vec<Astray> {
    let mut count: BTreeMap<(&HostName, &ServiceKey), usize> = BTreeMap::new();
    for (host, container) in world.observed.containers() {
        let Some(of) = container.replica() else { continue };
        if world.desired.assignment(&of.key.service, &of.key.region).is_none() {
            *count.entry((&host.name, &of.key.service)).or_default() += 1;
        }
    }
    count
        .into_iter()
        .map(|((host, service), count)| Astray {
            host: Some(host.clone()),
            check: "orphan",
            what: format!("{count} containers of {service}, which the store does not know; they are left alone"),
            mend: format!(
                "was the store lost? wharf store rebuild --replace; else deploy {} again, or remove them there",
                service.stack
            ),
        })
        .collect()
}

/// Wanted replicas that are not there, or do not run, on hosts that are seen.
fn drift(world: &World<'_>, open: &[Operation]) -> Vec<Astray> {
    let mut running: BTreeSet<(&HostName, &ReplicaKey)> = BTreeSet::new();
    for (host, container) in world.observed.containers() {
        let Some(of) = container.replica() else { continue };
        // A job that ended well has done its work.
        if container.is_running() || matches!(container.state, ContainerState::Exited { code: 0, .. }) {
            running.insert((&host.name, &of.key));
        }
    }
    let mut missing: BTreeMap<(ServiceKey, RegionName), Vec<String>> = BTreeMap::new();
    for (replica, place) in world.desired.replicas() {
        let is_seen = world.observed.hosts.get(&place.host).is_some_and(crate::model::HostView::is_seen);
        let moves = is_on_its_way(open, &replica.service, &replica.region);
        if is_seen && !moves && !running.contains(&(&place.host, &replica)) {
            let slot = format!("{replica} on {}", place.host);
            missing.entry((replica.service, replica.region)).or_default().push(slot);
        }
    }
    missing
        .into_iter()
        .map(|((service, region), slots)| Astray {
            host: None,
            check: "drift",
            what: format!("{service} in {region}: wanted and not running: {}", slots.join(", ")),
            mend: format!("wharf reconcile --until-idle --region {region}; `wharf explain {service}` says why"),
        })
        .collect()
}

fn is_on_its_way(open: &[Operation], service: &ServiceKey, region: &RegionName) -> bool {
    open.iter().any(|operation| operation.after.get(service).is_some_and(|regions| regions.contains_key(region)))
}

/// Proxies that have not loaded what they shall be.
fn proxies(world: &World<'_>, open: &[Operation]) -> Vec<Astray> {
    let mut found = Vec::new();
    for region in world.fleet.regions.iter().map(|region| &region.name) {
        // One that is being changed is told of by its operation.
        if open.iter().any(|operation| operation.regions().contains(region)) {
            continue;
        }
        let wanted = next(world, region, &Memory::default(), &[]).proxies;
        for (host, spec) in &wanted {
            let Some(view) = world.observed.hosts.get(host).filter(|view| view.is_seen()) else { continue };
            let what = match &view.proxy {
                Some(proxy) if !proxy.problem.is_empty() => proxy.problem.to_string(),
                Some(proxy) if since(proxy.at, world.now) > FRESH => {
                    format!("its proxy has said nothing for {}", duration(since(proxy.at, world.now)))
                }
                Some(proxy) if proxy.structure.as_str() != spec.structure.digest() => {
                    "its proxy has not loaded what it shall be".to_owned()
                }
                Some(_) => continue,
                None => "it should have a proxy, and none answers".to_owned(),
            };
            let mend = format!("wharf reconcile --until-idle --region {region}");
            found.push(Astray { host: Some(host.clone()), check: "proxy", what, mend });
        }
    }
    found
}

/// Revisions that are wanted, or kept to go back to, and whose image is on no host: what needs it has to pull it.
fn gone(world: &World<'_>) -> Vec<Astray> {
    let is_somewhere = |image: &str| world.observed.hosts.values().any(|host| images::is_present(host, image, None));
    // Where not every host is seen, it may be on one of those.
    if world.observed.hosts.values().any(|host| !host.is_seen()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (service, regions) in &world.desired.services {
        let wanted: BTreeSet<RevisionNo> =
            regions.values().flat_map(|it| it.slots.values()).map(|place| place.revision).collect();
        for no in wanted {
            let Some(revision) = world.desired.revision(service, no) else { continue };
            if is_somewhere(&revision.image) {
                continue;
            }
            found.push(Astray {
                host: None,
                check: "image",
                what: format!("{service} r{no}: no host has {} any more", short_image(&revision.image)),
                mend: format!(
                    "docker pull {} on a host while the registry has it, or deploy another: wharf deploy --stack {} \
                     --image {}=TAG",
                    revision.image, service.stack, service.service
                ),
            });
        }
    }
    found
}
