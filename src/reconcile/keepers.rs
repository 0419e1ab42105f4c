//! The keepers of a region's proxies: one per host that has a proxy, or still has one that is not wanted.

use std::collections::BTreeMap;

use tokio::sync::watch;

use crate::{
    entry::Keeper,
    model::{Container, HostName, HostView, Observed, Owner, ProxySpec, RegionName},
};

/// One keeper with what it was told last.
struct Kept {
    wanted: watch::Sender<Option<ProxySpec>>,
    keeper: Keeper,
}

/// The keepers of a region. Dropped with it, they end; the proxies go on as they are.
#[derive(Default)]
pub(super) struct Keepers {
    hosts: BTreeMap<HostName, Kept>,
}

impl Keepers {
    /// Tells every keeper what its proxy shall be, and starts those that are missing. Proxies that are not wanted any
    /// more are taken away, unless `spare` says that nobody can know.
    pub fn want(
        &mut self,
        region: &RegionName,
        observed: &Observed,
        proxies: &BTreeMap<HostName, ProxySpec>,
        spare: bool,
        start: impl Fn(&HostName, watch::Receiver<Option<ProxySpec>>) -> Option<Keeper>,
    ) {
        let hosts = observed.hosts.values().filter(|view| view.region == *region && view.listed_at.is_some());
        for view in hosts {
            let wanted = proxies.get(&view.name);
            // One that ended, because the lease was not sure for a while, is followed by another.
            self.hosts.retain(|host, kept| *host != view.name || !kept.keeper.has_ended());
            if let Some(kept) = self.hosts.get(&view.name) {
                if wanted.is_some() || !spare {
                    kept.wanted.send_if_modified(|now| {
                        let changed = now.as_ref() != wanted;
                        if changed {
                            *now = wanted.cloned();
                        }
                        changed
                    });
                }
            } else if wanted.is_some() || (has_proxy(view) && !spare) {
                let (sender, receiver) = watch::channel(wanted.cloned());
                if let Some(keeper) = start(&view.name, receiver) {
                    self.hosts.insert(view.name.clone(), Kept { wanted: sender, keeper });
                }
            }
        }
    }
}

fn has_proxy(view: &HostView) -> bool {
    view.containers.values().any(|container: &Container| container.owner == Owner::Proxy)
}

/// True when every proxy that can be asked is as it shall be, so that a reconciler on demand may leave.
pub(super) fn are_settled(region: &RegionName, observed: &Observed, proxies: &BTreeMap<HostName, ProxySpec>) -> bool {
    observed.hosts.values().filter(|view| view.region == *region && view.is_seen()).all(|view| {
        match (proxies.get(&view.name), &view.proxy) {
            (None, _) => !has_proxy(view),
            (Some(_), None) => false,
            (Some(wanted), Some(proxy)) => {
                proxy.structure.as_str() == wanted.structure.digest()
                    && wanted.members.iter().all(|(name, members)| {
                        let seen = proxy.backends.get(name);
                        let names = seen.map(|seen| seen.servers.keys().collect::<Vec<_>>()).unwrap_or_default();
                        names == members.servers.keys().collect::<Vec<_>>()
                    })
            }
        }
    })
}
