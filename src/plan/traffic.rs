//! Which containers get traffic, with the proxies' word for it. No copy gets any before it is healthy.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{
    index::{Index, Seen, Sight},
    links::{entries, links},
    next::Work,
    operation,
    routes::Routes,
    standing::Standing,
    view::ServiceView,
};
use crate::model::{
    BackendName, Container, ContainerState, Duty, HostName, HostView, Members, Owner, Protocol, ProxySpec,
    ProxyStructure, ProxyView, Server, ServerName, ServiceKey, ServiceSpec, StackName, since,
};

/// What a proxy last said is believed for so long; it is asked every second.
const FRESH: Duration = Duration::from_secs(5);

/// Where a copy stands with the proxies that carry its service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Carried {
    /// Every one that can be reached sends it requests, or there is none.
    Everywhere,
    /// Not yet, for this reason.
    NotYet(String),
}

/// Says whether every reachable proxy sends a copy requests.
pub(crate) fn carried(index: &Index<'_>, routes: &Routes<'_>, service: &ServiceKey, seen: &Seen<'_>) -> Carried {
    let name = ServerName::new(seen.of, &seen.container.id);
    for host in routes.carriers(service) {
        let Sight::Seen(view) = index.sight(host) else { continue };
        let Some(proxy) = fresh(index, view.proxy.as_ref()) else {
            return Carried::NotYet(absent(host, view.proxy.as_ref()));
        };
        // One that is still to take a new configuration may carry the service already: what it lacks may be others'.
        if let Some(wanted) = routes.structures.get(host)
            && wanted.digest() != proxy.structure.as_str()
            && lacks(wanted, proxy, service)
        {
            return Carried::NotYet(behind(host, proxy));
        }
        let backends = proxy.backends.iter().filter(|(backend, _)| backend.service == *service);
        let servers: Vec<_> = backends.filter_map(|(_, backend)| backend.servers.get(&name)).collect();
        if servers.is_empty() || servers.iter().any(|server| !server.is_ready) {
            return Carried::NotYet(format!("{host}: its proxy takes {} in", seen.of.key));
        }
        if servers.iter().any(|server| !server.is_up) {
            return Carried::NotYet(format!("{host}: its proxy's own check of {} passes", seen.of.key));
        }
    }
    Carried::Everywhere
}

/// True when a proxy has not loaded all backends of a service that it shall have.
fn lacks(wanted: &ProxyStructure, proxy: &ProxyView, service: &ServiceKey) -> bool {
    let names = wanted.backends.keys().filter_map(|name| name.parse::<BackendName>().ok());
    names.filter(|name| name.service == *service).any(|name| !proxy.backends.contains_key(&name))
}

/// True when every reachable proxy that shall send a copy requests has found it down.
pub(crate) fn is_down(index: &Index<'_>, routes: &Routes<'_>, service: &ServiceKey, seen: &Seen<'_>) -> bool {
    let name = ServerName::new(seen.of, &seen.container.id);
    let views = routes.carriers(service).filter_map(|host| match index.sight(host) {
        Sight::Seen(view) => fresh(index, view.proxy.as_ref()),
        _ => None,
    });
    let mut servers = views
        .flat_map(|proxy| proxy.backends.iter().filter(|(backend, _)| backend.service == *service))
        .filter_map(|(_, backend)| backend.servers.get(&name))
        .filter(|server| server.is_ready)
        .peekable();
    servers.peek().is_some() && servers.all(|server| !server.is_up)
}

/// Why a host's proxy is not as its structure wants it, in words.
fn behind(host: &HostName, proxy: &ProxyView) -> String {
    if proxy.problem.is_empty() {
        format!("{host}: its proxy takes its new configuration")
    } else {
        proxy.problem.to_string()
    }
}

fn absent(host: &HostName, proxy: Option<&ProxyView>) -> String {
    match proxy {
        // A problem names its host.
        Some(proxy) if !proxy.problem.is_empty() => proxy.problem.to_string(),
        Some(_) => format!("{host}: its proxy answers"),
        None => format!("{host}: its proxy starts"),
    }
}

/// What a host's proxy still has to do to be as its structure wants it, in words; none when it is.
pub(crate) fn unready(index: &Index<'_>, host: &HostView, wanted: &ProxyStructure) -> Option<String> {
    match fresh(index, host.proxy.as_ref()) {
        None => Some(absent(&host.name, host.proxy.as_ref())),
        Some(proxy) => (proxy.structure.as_str() != wanted.digest()).then(|| behind(&host.name, proxy)),
    }
}

/// A proxy runs on the host, whether it was asked yet or not.
pub(super) fn has_proxy(view: &HostView) -> bool {
    let runs = |container: &Container| container.owner == Owner::Proxy && container.state == ContainerState::Running;
    view.containers.values().any(runs)
}

/// What a proxy says, if it said it lately.
pub(super) fn fresh<'p>(index: &Index<'_>, proxy: Option<&'p ProxyView>) -> Option<&'p ProxyView> {
    proxy.filter(|proxy| since(proxy.at, index.world.now) <= FRESH && !proxy.structure.is_empty())
}

impl Work<'_, '_> {
    /// What a replica that is to be made on a host would miss there: the links of its stack. In words; none when they are
    /// there, or none are wanted.
    pub fn links_missing(&self, host: &HostView, stack: &StackName) -> Option<String> {
        let wanted = self.routes.structures.get(&host.name).filter(|_| self.routes.links(&host.name, stack))?;
        unready(self.index, host, wanted)
    }
}

/// What each proxy of the region shall be, now that it is decided who drains.
pub(crate) fn proxies(work: &Work<'_, '_>) -> BTreeMap<HostName, ProxySpec> {
    let unseen = unseen(work.index);
    let mut members: BTreeMap<String, Members> = BTreeMap::new();
    let mut specs = BTreeMap::new();
    // What a host still runs, and so what its proxy must carry, is not known before it was listed.
    let is_listed =
        |host: &HostName| work.index.world.observed.hosts.get(host).is_some_and(|view| view.listed_at.is_some());
    for (host, structure) in work.routes.structures.iter().filter(|(host, _)| is_listed(host)) {
        let mut of_host = BTreeMap::new();
        for name in structure.backends.keys() {
            let Ok(backend) = name.parse::<BackendName>() else { continue };
            let known = members.entry(name.clone()).or_insert_with(|| members_of(work, &backend));
            of_host.insert(backend, known.clone());
        }
        let used = |name: &String| work.routes.certificates.get(name).map(|pem| (name.clone(), pem.clone()));
        specs.insert(
            (*host).clone(),
            ProxySpec {
                image: work.index.world.fleet.proxy_image.clone(),
                structure: structure.clone(),
                members: of_host,
                certificates: structure.certificates.keys().filter_map(used).collect(),
                unseen: unseen.clone(),
            },
        );
    }
    specs
}

/// Addresses of hosts that this process has not seen yet. It cannot know what runs there: that stays in traffic.
fn unseen(index: &Index<'_>) -> BTreeSet<String> {
    let hosts = index.world.observed.hosts.values().filter(|view| view.region == *index.region);
    let unseen = hosts.filter(|view| view.listed_at.is_none() && matches!(index.sight_of(view), Sight::Silent { .. }));
    unseen.filter_map(|view| view.address.clone()).collect()
}

/// The servers of a backend.
fn members_of(work: &Work<'_, '_>, backend: &BackendName) -> Members {
    let Some(view) = work.views.get(&backend.service) else { return Members::default() };
    let mut members = Members::default();
    let mut unwell = Vec::new();
    let of_slots = view.slots.iter().flat_map(|slot| {
        let old = slot.old.iter().map(|copy| (copy, slot.is_up()));
        slot.wanted.iter().map(|copy| (copy, false)).chain(old)
    });
    let copies = of_slots.chain(view.unwanted.iter().map(|copy| (copy, true)));
    for ((seen, standing), is_surplus) in copies {
        let Some(mut server) = server(work, view, backend, seen) else { continue };
        let name = ServerName::new(seen.of, &seen.container.id);
        let drains = work.next.drains.contains(&(seen.host.name.clone(), seen.container.id.clone()));
        // A host that is given up for lost has been replaced. When it returns, its containers do before their links.
        let is_lost = is_surplus && matches!(work.index.sight_of(seen.host), Sight::Down { .. });
        if drains || is_lost || *standing == Standing::Removing {
            members.servers.insert(name, server);
        } else if is_well(seen, *standing) {
            server.duty = Duty::Serving;
            members.servers.insert(name, server);
        } else if matches!(standing, Standing::Doubtful { .. })
            || (standing.is_alive() && was_ready(work, backend, &name))
        {
            unwell.push((name, server));
        } else if matches!(standing, Standing::Starting { .. }) {
            server.duty = Duty::Awaited;
            members.servers.insert(name, server);
        }
    }
    // Better an unwell server than none, if it had requests before.
    let duty = if members.servers.values().any(Server::is_serving) { Duty::Leaving } else { Duty::Serving };
    for (name, server) in unwell {
        members.servers.insert(name, Server { duty, ..server });
    }
    let none_is_ready = !members.servers.values().any(Server::is_serving);
    let may_hold =
        work.routes.structures.values().any(|structure| {
            structure.backends.get(&backend.to_string()).is_some_and(|backend| !backend.hold.is_zero())
        });
    members.is_held = none_is_ready && may_hold && !view.slots.is_empty() && operation::touches(work, view.key);
    members
}

/// Healthy as far as can be seen: a host that cannot be seen now keeps its replicas in traffic while they answer.
fn is_well(seen: &Seen<'_>, standing: Standing) -> bool {
    match standing {
        Standing::Healthy => true,
        Standing::Hidden => {
            seen.container.state == ContainerState::Running
                && matches!(seen.container.health, crate::model::Health::None | crate::model::Health::Healthy)
        }
        _ => false,
    }
}

fn was_ready(work: &Work<'_, '_>, backend: &BackendName, name: &ServerName) -> bool {
    let proxies = work
        .routes
        .carriers(&backend.service)
        .filter_map(|host| work.index.world.observed.hosts.get(host)?.proxy.as_ref());
    proxies.filter_map(|proxy| proxy.backends.get(backend)?.servers.get(name)).any(|server| server.is_ready)
}

/// Where a copy takes the requests of a backend. An older copy whose port inside has another number takes those of the
/// same entry.
fn server(work: &Work<'_, '_>, view: &ServiceView<'_>, backend: &BackendName, seen: &Seen<'_>) -> Option<Server> {
    let own = work.index.world.desired.revision(view.key, seen.of.revision).map(|revision| &revision.spec);
    let target = target(view.spec(), own, backend.port);
    let check = view.spec().and_then(|spec| spec.wharf.check.as_ref()?.port).filter(|port| *port != target);
    let (address, port) = reach(work, seen, own, target)?;
    let check_port = check.and_then(|check| reach(work, seen, own, check)).map(|(_, port)| port);
    Some(Server { address, port, check_port, duty: Duty::Leaving })
}

fn target(newest: Option<&ServiceSpec>, own: Option<&ServiceSpec>, port: u16) -> u16 {
    let (Some(newest), Some(own)) = (newest, own) else { return port };
    if links(own).contains_key(&port) {
        return port;
    }
    let outside = entries(newest).into_iter().find(|entry| entry.target == port).map(|entry| entry.port);
    let same = outside.and_then(|outside| entries(own).into_iter().find(|entry| entry.port == outside));
    same.map_or(port, |entry| entry.target)
}

/// The address and port at which a container's port is reached from the region's hosts.
fn reach(work: &Work<'_, '_>, seen: &Seen<'_>, own: Option<&ServiceSpec>, target: u16) -> Option<(String, u16)> {
    let host = work.index.world.fleet.host(&seen.host.name).and_then(|(_, host)| host.address.clone());
    // Without an address the fleet is this one host, and its proxy is beside the container.
    let host = host.or_else(|| seen.host.address.clone()).unwrap_or_else(|| "127.0.0.1".to_owned());
    if own.is_some_and(|spec| spec.network_mode.as_deref() == Some("host")) {
        return Some((host, target));
    }
    let bindings = seen.container.ports.iter();
    let binding = bindings.filter(|binding| binding.target == target && binding.protocol == Protocol::Tcp);
    let mut binding = binding.filter(|binding| !binding.address.as_str().contains(':'));
    let (address, port) = binding.find_map(|binding| Some((binding.address.as_str(), binding.published?)))?;
    let everywhere = address.is_empty() || address == "0.0.0.0";
    Some((if everywhere { host } else { address.to_owned() }, port))
}
