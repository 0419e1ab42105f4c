//! What goes with the selection: what the graph's question needs to know, from what is counted.

use std::collections::{BTreeMap, HashMap};

use crate::{
    app::{
        ids::{Id, ServiceId},
        line::Mark,
        rows::Tally,
        state::State,
    },
    graph::{self, Gone, Ground, Loss},
    model::{HostName, RegionName, ServiceKey},
    plan,
};

/// What breaks without something; `gone` and what it is called.
pub fn loss(state: &State, gone: Gone<'_>) -> Loss {
    graph::loss_of(&state.store.desired, &state.graph.web, gone, &Seen::new(state, gone))
}

/// What an object is when it is thought to be gone; none for what the question is not asked of.
pub fn gone<'a>(selected: Option<&'a Id>, service: Option<&'a ServiceKey>) -> Option<(String, Gone<'a>)> {
    match (selected, service) {
        (Some(Id::Host(name)), _) => Some((name.to_string(), Gone::Host(name))),
        (Some(Id::Region(name)), _) => Some((name.to_string(), Gone::Region(name))),
        (_, Some(key)) => Some((key.to_string(), Gone::Service(key))),
        _ => None,
    }
}

struct Seen<'a> {
    state: &'a State,
    gone: Gone<'a>,
    /// Replicas that do their work on the host that goes.
    there: HashMap<(&'a ServiceId, &'a RegionName), usize>,
    edge: BTreeMap<&'a RegionName, Vec<(HostName, bool)>>,
}

impl<'a> Seen<'a> {
    fn new(state: &'a State, gone: Gone<'a>) -> Self {
        let mut there: HashMap<(&ServiceId, &RegionName), usize> = HashMap::new();
        if let Gone::Host(host) = gone {
            // Unknown is not down: what cannot be seen counts as doing its work.
            let works = state.index.replicas_on(host);
            for row in works.filter(|row| row.wanted && matches!(row.mark, Mark::Ok | Mark::Unknown)) {
                *there.entry((&row.service, &row.region)).or_default() += 1;
            }
        }
        let world = state.world();
        let edge = state.index.regions.iter().map(|region| (region, plan::edge_hosts(&world, region))).collect();
        Self { state, gone, there, edge }
    }

    fn tally(&self, id: &ServiceId, region: &RegionName) -> Option<&Tally> {
        let at = self.state.index.region_at(region)?;
        self.state.index.service(id)?.regions.get(at)?.as_ref()
    }
}

impl Ground for Seen<'_> {
    fn left(&self, service: &ServiceKey, region: &RegionName) -> usize {
        let goes = match self.gone {
            Gone::Host(_) => false,
            Gone::Region(name) => name == region,
            Gone::Service(key) => key == service,
        };
        let id = ServiceId::own(service);
        let works = self.tally(&id, region).filter(|_| !goes).map_or(0, |it| it.healthy + it.unknown);
        let there = self.there.get(&(&id, region)).copied().unwrap_or_default();
        usize::try_from(works).unwrap_or(usize::MAX).saturating_sub(there)
    }

    fn floor(&self, service: &ServiceKey, region: &RegionName) -> usize {
        let desired = &self.state.store.desired;
        let wanted = desired.assignment(service, region).map_or(0, |it| it.slots.len());
        let spec = desired.latest(service).map(|revision| &revision.spec);
        let defaults = self.state.fleet.region(region).map(|region| &region.defaults);
        defaults.map_or(wanted.min(1), |defaults| plan::floor(spec, defaults, wanted))
    }

    fn edge(&self, region: &RegionName) -> &[(HostName, bool)] {
        self.edge.get(region).map(Vec::as_slice).unwrap_or_default()
    }
}
