//! What is related to the selection.

use std::collections::{BTreeSet, HashSet};

use super::{Kind, service_at};
use crate::{
    app::{
        ids::{Id, ServiceId},
        state::State,
    },
    graph::{End, Web},
    model::{HostName, RegionName},
};

/// Related nodes by kind, each as sorted places in the index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Related {
    kinds: [Vec<usize>; 5],
}

impl Related {
    /// What is related to an object: what it is made of, where that runs, what it belongs to, and, for a service, what
    /// it needs and what needs it.
    pub(super) fn new(state: &State, web: &Web, id: &Id) -> Self {
        let index = &state.index;
        let replicas: Vec<usize> = match id {
            Id::Service(_) | Id::Stack(_) => {
                let order = |row: &ServiceId| match id {
                    Id::Service(id) => row.cmp(id),
                    Id::Stack(id) => row.stack.cmp(id),
                    _ => std::cmp::Ordering::Less,
                };
                let from = index.replicas.partition_point(|row| order(&row.service).is_lt());
                let to = index.replicas.partition_point(|row| order(&row.service).is_le());
                (from..to).collect()
            }
            Id::Replica(id) => index.replicas.iter().position(|row| row.id == *id).into_iter().collect(),
            Id::Host(name) => places(index.replicas.iter().map(|row| row.host == *name)),
            Id::Region(name) => {
                let at = index.region_at(name);
                places(index.replicas.iter().map(|row| row.region_at == at))
            }
            Id::Event(_) | Id::Operation(_) | Id::Stored(..) => Vec::new(),
        };
        let rows = || replicas.iter().filter_map(|at| index.replicas.get(*at));
        // In order of services, so that equal ones follow each other.
        let mut services: Vec<usize> = Vec::new();
        let mut last: Option<&ServiceId> = None;
        for row in rows() {
            if last != Some(&row.service) {
                services.extend(service_at(index, &row.service));
                last = Some(&row.service);
            }
        }
        let stacks: BTreeSet<_> =
            services.iter().filter_map(|at| index.services.get(*at)).map(|row| &row.id.stack).collect();
        let mut stacks = places(index.stacks.iter().map(|row| stacks.contains(&row.id)));
        if let Id::Service(id) = id {
            services.extend(service_at(index, id));
            let end = id.key().map(End::Service);
            let near = end.iter().flat_map(|end| web.needs(end).chain(web.needed_by(end)));
            services.extend(near.filter_map(|end| service_at(index, &ServiceId::own(end.service()?))));
            stacks.extend(index.stacks.iter().position(|row| row.id == id.stack));
        }
        let on: HashSet<&HostName> = rows().map(|row| &row.host).collect();
        let in_regions: HashSet<&RegionName> = rows().map(|row| &row.region).collect();
        let mut hosts = places(index.hosts.iter().map(|row| match id {
            Id::Host(name) => row.name == *name,
            Id::Region(name) => row.region == *name,
            _ => on.contains(&row.name),
        }));
        let mut regions = places(index.regions.iter().map(|region| match id {
            Id::Region(name) => region == name,
            Id::Host(name) => index.hosts.iter().any(|row| row.name == *name && row.region == *region),
            _ => in_regions.contains(region),
        }));
        for list in [&mut services, &mut stacks, &mut hosts, &mut regions] {
            list.sort_unstable();
            list.dedup();
        }
        Self { kinds: [stacks, services, replicas, hosts, regions] }
    }

    /// The related nodes of a kind.
    pub fn of(&self, kind: Kind) -> &[usize] {
        self.kinds.get(kind.place()).map(Vec::as_slice).unwrap_or_default()
    }

    /// True when a node is related.
    pub fn has(&self, kind: Kind, at: usize) -> bool {
        self.of(kind).binary_search(&at).is_ok()
    }
}

fn places(fits: impl Iterator<Item = bool>) -> Vec<usize> {
    fits.enumerate().filter(|(_, fits)| *fits).map(|(at, _)| at).collect()
}
