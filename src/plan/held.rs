//! Ports of the edge that a container holds on its host by itself, past the proxies: what Compose published, above all.
//!
//! A proxy does not fight for such a port: two who bind one port make the whole configuration fail. It carries
//! everything else, keeps what belongs to the port ready, and takes the port once the container is gone.

use std::collections::{BTreeMap, BTreeSet};

use super::{World, links::entries};
use crate::model::{
    Container, ContainerState, HostName, HostView, Link, Owner, Protocol, RegionName, ServiceKey, ServiceSpec,
    StackName, since,
};

/// The label value of hosts that take traffic from outside.
const EDGE: (&str, &str) = ("role", "edge");

/// The hosts of a region that take traffic from outside: those with the label, else all.
pub(crate) fn edge<'a>(world: &World<'a>, region: &RegionName) -> BTreeSet<&'a HostName> {
    let hosts = || world.observed.hosts.values().filter(|view| view.region == *region);
    let labelled: BTreeSet<&HostName> = hosts()
        .filter(|view| view.labels.get(EDGE.0).is_some_and(|role| role == EDGE.1))
        .map(|view| &view.name)
        .collect();
    if labelled.is_empty() { hosts().map(|view| &view.name).collect() } else { labelled }
}

/// The same by name, each with whether it has been silent for so long that it counts as down.
pub fn edge_hosts(world: &World<'_>, region: &RegionName) -> Vec<(HostName, bool)> {
    let down_after = world.fleet.region(region).map(|region| region.defaults.down_after);
    let is_down = |host: &HostName| {
        let link = world.observed.hosts.get(host).map(|view| &view.link);
        link.is_some_and(|link| match link {
            Link::Unknown { since: at, .. } | Link::Connecting { since: at, .. } => {
                down_after.is_some_and(|after| since(*at, world.now) >= after)
            }
            Link::Ready { .. } | Link::Slow { .. } => false,
        })
    };
    edge(world, region).into_iter().map(|host| (host.clone(), is_down(host))).collect()
}

/// The container that holds a port of its host now. A proxy listens in its host's own network and publishes nothing.
pub(crate) fn holder(view: &HostView, port: u16) -> Option<&Container> {
    let runs = |container: &&Container| {
        matches!(container.state, ContainerState::Running | ContainerState::Paused | ContainerState::Restarting)
            && container.owner != Owner::Proxy
    };
    view.containers.values().filter(runs).find(|container| {
        container.ports.iter().any(|binding| binding.published == Some(port) && binding.protocol == Protocol::Tcp)
    })
}

/// What a deployment should know of the ports that its entries want: who holds them, where, and when that ends.
pub(crate) fn warnings(
    world: &World<'_>,
    stack: &StackName,
    services: &[(ServiceKey, &ServiceSpec)],
    wanted_in: impl Fn(&ServiceSpec, &RegionName) -> bool,
) -> Vec<String> {
    let mut words: BTreeSet<String> = BTreeSet::new();
    for region in &world.fleet.regions {
        let here = services.iter().filter(|(_, spec)| wanted_in(spec, &region.name));
        let ports: BTreeSet<u16> = here.flat_map(|(_, spec)| entries(spec)).map(|entry| entry.port).collect();
        for view in edge(world, &region.name).into_iter().filter_map(|host| world.observed.hosts.get(host)) {
            for port in &ports {
                let Some(container) = holder(view, *port) else { continue };
                let (name, host) = (&container.name, &view.name);
                let goes = container.replica().is_some_and(|of| of.key.service.stack == *stack);
                words.insert(if goes {
                    format!(
                        "{name} holds port {port} of {host} by itself: the proxy there takes it over when {name} is replaced, and for a moment in between nothing answers at {host}:{port}; send clients to another host meanwhile"
                    )
                } else {
                    format!(
                        "{name} holds port {port} of {host}: the proxy there opens it only when {name} is gone; take it over (`wharf adopt`), stop it, or choose another port"
                    )
                });
            }
        }
    }
    words.into_iter().collect()
}

/// What taking over should know of the ports that containers go on holding by themselves.
pub(crate) fn kept(
    world: &World<'_>,
    stack: &StackName,
    held: &BTreeMap<(HostName, u16), (ServiceKey, String)>,
) -> Vec<String> {
    let mut words = Vec::new();
    for ((host, port), (service, name)) in held {
        let Some((region, _)) = world.fleet.host(host) else { continue };
        if !edge(world, &region.name).contains(host) {
            continue;
        }
        words.push(format!(
            "{name} goes on holding port {port} of {host} by itself: its requests pass no proxy, and no entry opens there while it runs; to put {service} behind the proxies deploy its file (`wharf deploy -f FILE --stack {stack}`)"
        ));
        let wants = |key: &ServiceKey| {
            let newest =
                world.desired.assignment(key, &region.name)?.slots.values().map(|place| place.revision).max()?;
            let spec = &world.desired.revision(key, newest)?.spec;
            entries(spec).iter().any(|entry| entry.port == *port).then(|| key.clone())
        };
        let others = world.desired.services.keys().filter(|key| key.stack != *stack).filter_map(wants);
        words.extend(others.map(|other| {
            format!("{other} has its entry at port {port}: on {host} it stays closed until {name} is gone")
        }));
    }
    words
}
