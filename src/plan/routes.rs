//! What the proxies of a region shall carry, host by host: their structure, told from what is wanted and what runs.
//!
//! A host has a proxy when it is on the edge and something comes in there, or when it has replicas of a stack whose
//! services reach each other. It carries the inner links of the stacks that are on it, and no others: with hundreds of
//! services not every host checks every replica.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    eligible::pinned_volume,
    held,
    index::{Index, Sight},
    links::{entries, entry_speech, links},
    view::ServiceView,
};
use crate::model::{
    Backend, BackendName, Bind, EntryProtocol, EntrySpec, Frontend, HostIntent, HostName, Order, ProxyStructure, Route,
    Sensitive, ServiceKey, ServiceSpec, Speech, StackName, StackShared, short_digest,
};

type Views<'a> = BTreeMap<&'a ServiceKey, ServiceView<'a>>;

/// A proxy's own checks: often enough that a dead replica is out of traffic within two or three seconds, and patient
/// enough that a host which is just busy does not count as dead. What refuses is found at once either way.
const CHECK_INTERVAL: std::time::Duration = std::time::Duration::from_secs(2);
const CHECK_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(4);

/// What the proxies of a region carry.
#[derive(Debug, Default)]
pub(crate) struct Routes<'a> {
    /// The structure of each host's proxy.
    pub structures: BTreeMap<&'a HostName, ProxyStructure>,
    /// The certificates that any of them uses.
    pub certificates: BTreeMap<String, Sensitive>,
    /// The hosts whose proxies carry a service.
    carriers: BTreeMap<&'a ServiceKey, BTreeSet<&'a HostName>>,
    /// Entries that are not open on a host, because a container holds their port there.
    pub closed: Vec<Closed<'a>>,
}

/// An entry whose port a container holds on a host.
#[derive(Debug)]
pub(crate) struct Closed<'a> {
    pub service: &'a ServiceKey,
    pub host: &'a HostName,
    pub port: u16,
    pub holder: &'a str,
}

impl<'a> Routes<'a> {
    pub fn new(index: &Index<'a>, views: &Views<'a>) -> Self {
        let served: BTreeMap<&ServiceKey, &ServiceSpec> =
            views.values().filter_map(|view| Some((view.key, spec_of(view)?))).collect();
        let address = |key: &ServiceKey| {
            let shared = index.world.desired.stacks.get(&key.stack);
            shared.is_some_and(|shared| shared.addresses.contains_key(&key.service))
        };
        let with_links: BTreeSet<&ServiceKey> =
            served.iter().filter(|(key, spec)| address(key) && !links(spec).is_empty()).map(|(key, _)| *key).collect();
        let edge = held::edge(&index.world, index.region);
        let entries = all_entries(&served);
        let mut routes = Self::default();
        for (host, stacks) in stacks_on(index, views) {
            let linked: Vec<&ServiceKey> =
                with_links.iter().copied().filter(|key| stacks.contains(&key.stack)).collect();
            let is_edge = edge.contains(host) && !entries.is_empty();
            // A host that is being emptied loses its proxy with its last container.
            let draining = index.world.desired.hosts.get(host) == Some(&HostIntent::Draining);
            if (linked.is_empty() && !is_edge) || (draining && stacks.is_empty()) {
                continue;
            }
            routes.host(index, host, &linked, if is_edge { &entries } else { &[] }, &served);
        }
        routes
    }

    /// True when a host's proxy carries links of a stack.
    pub fn links(&self, host: &HostName, stack: &StackName) -> bool {
        let of_stack = self.carriers.iter().filter(|(key, _)| key.stack == *stack);
        of_stack.flat_map(|(_, hosts)| hosts).any(|carrier| *carrier == host)
    }

    /// Hosts whose proxies carry the service.
    pub fn carriers(&self, service: &ServiceKey) -> impl Iterator<Item = &'a HostName> + '_ {
        self.carriers.get(service).into_iter().flatten().copied()
    }

    fn host(
        &mut self,
        index: &Index<'a>,
        host: &'a HostName,
        linked: &[&'a ServiceKey],
        entries: &[(&'a ServiceKey, EntrySpec)],
        served: &BTreeMap<&'a ServiceKey, &'a ServiceSpec>,
    ) {
        let world = index.world;
        let mut structure = ProxyStructure { pool: world.fleet.link_pool.clone(), ..ProxyStructure::default() };
        for key in linked {
            let Some(spec) = served.get(key) else { continue };
            let shared = world.desired.stacks.get(&key.stack);
            let Some(address) = shared.and_then(|shared| shared.addresses.get(&key.service)) else { continue };
            for (port, speech) in links(spec) {
                let backend = self.backend(index, &mut structure, key, spec, port, host);
                structure.frontends.push(Frontend {
                    bind: Bind::Link { address: *address, port },
                    speech,
                    certificates: Vec::new(),
                    accept_proxy: false,
                    routes: vec![Route { host: None, path: None, backend }],
                });
            }
        }
        let mut by_port: BTreeMap<u16, Vec<&(&ServiceKey, EntrySpec)>> = BTreeMap::new();
        for entry in entries {
            by_port.entry(entry.1.port).or_default().push(entry);
        }
        for (port, entries) in by_port {
            let mut frontend = Frontend {
                bind: Bind::Edge { port },
                speech: Speech::Tcp,
                certificates: Vec::new(),
                accept_proxy: false,
                routes: Vec::new(),
            };
            for (key, entry) in &entries {
                let Some(spec) = served.get(key) else { continue };
                if entry_speech(spec, entry) == Speech::Http {
                    frontend.speech = Speech::Http;
                }
                frontend.accept_proxy |= entry.accept_proxy;
                if let Some(certificate) = entry.certificate.as_ref().filter(|_| is_tls(entry)) {
                    let name = certificate_name(&certificate.pem);
                    if !frontend.certificates.contains(&name) {
                        frontend.certificates.push(name.clone());
                    }
                    structure.certificates.insert(name.clone(), digest(&certificate.pem));
                    self.certificates.entry(name).or_insert_with(|| certificate.pem.clone());
                }
                let backend = self.backend(index, &mut structure, key, spec, entry.target, host);
                if entry.send_proxy
                    && let Some(backend) = structure.backends.get_mut(&backend)
                {
                    backend.send_proxy = true;
                }
                frontend.routes.push(Route { host: entry.host.clone(), path: entry.path.clone(), backend });
            }
            frontend.routes.sort_by_key(rank);
            // What belongs to the port is there and checked all the same, so that opening it is the last step.
            match index.world.observed.hosts.get(host).and_then(|view| held::holder(view, port)) {
                None => structure.frontends.push(frontend),
                Some(holder) => self.closed.extend(entries.iter().map(|(service, _)| Closed {
                    service,
                    host,
                    port,
                    holder: holder.name.as_str(),
                })),
            }
        }
        self.structures.insert(host, structure);
    }

    /// Enters a backend, and says its name.
    fn backend(
        &mut self,
        index: &Index<'a>,
        structure: &mut ProxyStructure,
        key: &'a ServiceKey,
        spec: &ServiceSpec,
        port: u16,
        host: &'a HostName,
    ) -> String {
        self.carriers.entry(key).or_default().insert(host);
        let name = BackendName { service: key.clone(), port }.to_string();
        let check = spec.wharf.check.as_ref();
        structure.backends.entry(name.clone()).or_insert_with(|| {
            let speech = links(spec).get(&port).copied().unwrap_or_default();
            let other = check.and_then(|check| check.port).filter(|checked| *checked != port);
            Backend {
                speech,
                check_path: check.and_then(|check| check.path.clone()),
                check_port: other,
                check_interval: check.and_then(|check| check.interval).unwrap_or(CHECK_INTERVAL),
                check_timeout: check.and_then(|check| check.timeout).unwrap_or(CHECK_TIMEOUT),
                hold: if may_stop_first(spec, index.world.desired.stacks.get(&key.stack)) {
                    index.defaults.hold
                } else {
                    std::time::Duration::ZERO
                },
                send_proxy: false,
            }
        });
        name
    }
}

/// What a service runs. One that was taken away keeps its place in the proxies until its last container is gone, so that
/// what they have begun can end.
fn spec_of<'a>(view: &ServiceView<'a>) -> Option<&'a ServiceSpec> {
    if view.assignment.is_none() && view.unwanted.is_empty() {
        return None;
    }
    view.spec()
}

/// True for a service whose only replica may have to stop before its successor starts: requests are held meanwhile.
fn may_stop_first(spec: &ServiceSpec, shared: Option<&StackShared>) -> bool {
    let said = spec.deploy.update.as_ref().and_then(|update| update.order);
    said == Some(Order::StopFirst) || spec.fixed_ports().next().is_some() || pinned_volume(spec, shared).is_some()
}

fn is_tls(entry: &EntrySpec) -> bool {
    entry.protocol == Some(EntryProtocol::Https) || (entry.protocol.is_none() && entry.certificate.is_some())
}

/// The most particular first: with a host name before without, longer paths before shorter.
fn rank(route: &Route) -> (bool, bool, std::cmp::Reverse<usize>, Option<String>, Option<String>) {
    let length = route.path.as_ref().map_or(0, String::len);
    let wild = route.host.as_ref().is_some_and(|host| host.starts_with('*'));
    (route.host.is_none(), wild, std::cmp::Reverse(length), route.host.clone(), route.path.clone())
}

fn digest(pem: &Sensitive) -> String {
    short_digest(pem.reveal().as_bytes())
}

/// A certificate's file is named for its content: a new one is a new file, and two services may share one.
fn certificate_name(pem: &Sensitive) -> String {
    format!("{}.pem", digest(pem))
}

/// Entries of all services, in order.
fn all_entries<'a>(served: &BTreeMap<&'a ServiceKey, &'a ServiceSpec>) -> Vec<(&'a ServiceKey, EntrySpec)> {
    served.iter().flat_map(|(key, spec)| entries(spec).into_iter().map(|entry| (*key, entry))).collect()
}

/// The stacks that each host of the region has replicas of, wanted or still running.
fn stacks_on<'a>(index: &Index<'a>, views: &Views<'a>) -> BTreeMap<&'a HostName, BTreeSet<&'a StackName>> {
    let hosts = index.world.observed.hosts.values().filter(|view| view.region == *index.region);
    let mut stacks: BTreeMap<&HostName, BTreeSet<&StackName>> =
        hosts.map(|view| (&view.name, BTreeSet::new())).collect();
    let mut enter = |host: &HostName, stack: &'a StackName| {
        if let Some(stacks) = stacks.get_mut(host) {
            stacks.insert(stack);
        }
    };
    for view in views.values() {
        for slot in &view.slots {
            if !matches!(slot.sight, Sight::Gone) {
                enter(&slot.place.host, &view.key.stack);
            }
            for (seen, _) in slot.wanted.iter().chain(&slot.old) {
                enter(&seen.host.name, &view.key.stack);
            }
        }
        for (seen, _) in &view.unwanted {
            enter(&seen.host.name, &view.key.stack);
        }
    }
    stacks
}
