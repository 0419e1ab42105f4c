//! When a copy may stop: not before every proxy that can be reached has stopped sending it more and what it has begun has
//! ended, or the drain timeout has passed since the last of them did.

use std::{collections::BTreeSet, time::Duration};

use super::{
    Action, Memory,
    index::{Index, Seen, Sight},
    next::Work,
    routes::Routes,
    traffic::{fresh, has_proxy},
    view::ServiceView,
};
use crate::{
    model::{HostName, ServerName, ServerView, ServiceKey, ServiceSpec, since},
    text,
};

/// How far the proxies are with letting a copy go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Release {
    /// No proxy has to do with it.
    Unrouted,
    /// Nothing is on its way to it any more: it may stop.
    Free,
    /// Not yet, for this reason.
    Waits {
        /// In words.
        what: String,
        /// No proxy that can be reached sends it anything new: only what it has begun is waited for.
        all_asked: bool,
    },
}

/// How far the proxies are with a copy that shall go, as far as they were asked to send it nothing more.
pub(crate) fn release(
    index: &Index<'_>,
    routes: &Routes<'_>,
    memory: &Memory,
    view: &ServiceView<'_>,
    seen: &Seen<'_>,
) -> Release {
    let (service, drain) = (view.key, drain_time(index, view.spec()));
    let place = (seen.host.name.clone(), seen.container.id.clone());
    let (asked, ended) = (memory.draining.get(&place).copied(), memory.released.get(&place).copied());
    let name = ServerName::new(seen.of, &seen.container.id);
    let leaving: Vec<_> = leaving(index, routes, service, &name).collect();
    if leaving.is_empty() && routes.carriers(service).next().is_none() {
        return Release::Unrouted;
    }
    let mut open = Vec::new();
    let mut all_asked = true;
    for host in routes.carriers(service) {
        let view = match index.sight(host) {
            Sight::Seen(view) => view,
            // Its proxy may still send requests here, and cannot be told. Its own checks will find the copy gone.
            Sight::Silent { since: at, .. } => {
                let left = index.defaults.down_after.saturating_sub(since(at, index.world.now));
                all_asked = false;
                open.push(format!("{host} ? cannot be asked, for {} more", text::duration(left)));
                continue;
            }
            Sight::Down { .. } | Sight::Gone => continue,
        };
        let Some(proxy) = view.proxy.as_ref() else {
            // One that runs and was not asked yet may send it anything; where none runs nothing does.
            if has_proxy(view) {
                all_asked = false;
                open.push(format!("{host} ◐"));
            }
            continue;
        };
        let servers: Vec<_> = proxy
            .backends
            .iter()
            .filter(|(backend, _)| backend.service == *service)
            .filter_map(|(_, backend)| backend.servers.get(&name))
            .collect();
        // What it said before it was asked says nothing.
        let told = fresh(index, Some(proxy)).is_some() && asked.is_some_and(|asked| proxy.at > asked);
        if !told || servers.iter().any(|server| server.is_ready) {
            all_asked = false;
            let why = if proxy.problem.is_empty() { "◐".to_owned() } else { format!("✗ ({})", proxy.problem) };
            open.push(format!("{host} {why}"));
            continue;
        }
        let count: u32 = servers.iter().map(|server| server.sessions).sum();
        if count > 0 {
            open.push(format!("{host} ◐ {}", sessions(count)));
        }
    }
    // A proxy that shall not carry the service any more is told nothing of it: it takes a new configuration, or it ends.
    // Until that is seen it may send requests here.
    for (host, server) in leaving {
        if server.is_ready {
            open.push(format!("{host} ◐"));
        } else if server.sessions > 0 {
            open.push(format!("{host} ◐ {}", sessions(server.sessions)));
        }
    }
    if open.is_empty() {
        return Release::Free;
    }
    let left = ended.map_or(drain, |ended| drain.saturating_sub(since(ended, index.world.now)));
    if all_asked && left.is_zero() {
        return Release::Free;
    }
    let limit = if all_asked { format!("; at most {} more", text::duration(left)) } else { String::new() };
    Release::Waits { what: format!("old {} drains: {}{limit}", seen.of.key, open.join("   ")), all_asked }
}

fn sessions(count: u32) -> String {
    format!("{count} {}", if count == 1 { "session" } else { "sessions" })
}

/// A server as it is in proxies that shall not carry its service any more, on hosts that are seen.
fn leaving<'w>(
    index: &Index<'w>,
    routes: &Routes<'_>,
    service: &ServiceKey,
    name: &ServerName,
) -> impl Iterator<Item = (&'w HostName, &'w ServerView)> {
    let carriers: BTreeSet<&HostName> = routes.carriers(service).collect();
    let world = index.world;
    let hosts = world.fleet.regions.iter().filter(|region| region.name == *index.region).flat_map(|it| &it.hosts);
    hosts.filter(move |host| !carriers.contains(&host.name)).flat_map(move |host| {
        let proxy = match index.sight(&host.name) {
            Sight::Seen(view) => view.proxy.as_ref(),
            _ => None,
        };
        let backends = proxy.into_iter().flat_map(|proxy| &proxy.backends);
        let of_service = backends.filter(move |(backend, _)| backend.service == *service);
        of_service.filter_map(move |(_, backend)| Some((&host.name, backend.servers.get(name)?)))
    })
}

impl Work<'_, '_> {
    /// Stops a copy, once nothing is on its way to it any more. Until then the proxies are asked to send it nothing.
    pub fn let_go(&mut self, view: &ServiceView<'_>, seen: &Seen<'_>, why: String) {
        let key = &seen.of.key;
        let place = (seen.host.name.clone(), seen.container.id.clone());
        let release = release(self.index, self.routes, self.memory, view, seen);
        if release != Release::Unrouted {
            self.next.drains.insert(place.clone());
        }
        if let Release::Waits { what, all_asked } = release {
            let ended = self.memory.released.get(&place).copied();
            if all_asked || ended.is_some() {
                self.next.released.insert(place);
            }
            let drain = drain_time(self.index, view.spec());
            if let Ok(end) = ended.unwrap_or(self.now()).checked_add(drain) {
                self.alarm(end);
            }
            self.wait(view.key, Some(key), what, None);
            return;
        }
        let (host, container) = place;
        self.act(Action::Stop { host, replica: key.clone(), container, why }, view.key, Some(key));
    }
}

/// How long what a replica has begun may go on.
pub(crate) fn drain_time(index: &Index<'_>, spec: Option<&ServiceSpec>) -> Duration {
    let wharf = spec.map(|spec| &spec.wharf);
    let entry = wharf.and_then(|wharf| wharf.entry.iter().filter_map(|entry| entry.drain).max());
    wharf.and_then(|wharf| wharf.drain).or(entry).unwrap_or(index.defaults.drain)
}
