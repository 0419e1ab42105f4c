//! Whether a rebalance is worth offering: after a host has joined or come back, it stands nearly empty beside full ones.
//!
//! Looked at only when desired state or the set of seen hosts changes, and only where it is cheap.

use std::collections::BTreeMap;

use super::state::State;
use crate::{
    model::{Generation, HostName, RegionName},
    plan::{self, Books},
};

/// In a region with more replicas than that, only the command tells.
const MOST_REPLICAS: u32 = 400;

/// Regions that a rebalance would even out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Uneven {
    regions: BTreeMap<RegionName, Lean>,
    looked: Option<Looked>,
}

/// A region that leans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lean {
    /// The emptiest host.
    pub host: HostName,
    /// Replicas that a rebalance would move.
    pub moves: usize,
}

impl Lean {
    /// How much would move: `4 replicas`.
    pub fn count(&self) -> String {
        format!("{} replica{}", self.moves, if self.moves == 1 { "" } else { "s" })
    }
}

/// What it was worked out from.
#[derive(Debug, Clone, PartialEq)]
struct Looked {
    generation: Generation,
    seen: Vec<bool>,
    busy: bool,
}

impl Uneven {
    /// What leans in a region.
    pub fn of(&self, region: &RegionName) -> Option<&Lean> {
        self.regions.get(region)
    }

    /// All regions that lean.
    pub fn regions(&self) -> impl Iterator<Item = (&RegionName, &Lean)> {
        self.regions.iter()
    }
}

/// Looks again, when there is something new.
pub(super) fn look(state: &mut State) {
    if !state.store_read || state.frozen.is_some() {
        return;
    }
    let looked = Looked {
        generation: state.store.desired.generation,
        seen: state.live.hosts.values().map(crate::model::HostView::is_seen).collect(),
        busy: state.running().next().is_some(),
    };
    if state.uneven.looked.as_ref() == Some(&looked) {
        return;
    }
    // What is under way changes everything; and before all hosts were seen once, empty ones only look so.
    let early = looked.busy || state.live.hosts.values().any(|host| host.listed_at.is_none() && !host.is_seen());
    let regions = if early { BTreeMap::new() } else { lean(state) };
    state.uneven = Uneven { regions, looked: Some(looked) };
}

fn lean(state: &State) -> BTreeMap<RegionName, Lean> {
    let world = state.world();
    let mut regions = BTreeMap::new();
    for region in &state.fleet.regions {
        let books = Books::new(&world, &region.name, &std::collections::BTreeSet::new());
        let open: Vec<_> = books.hosts.iter().filter(|book| book.closed.is_none()).collect();
        let total: u32 = open.iter().map(|book| book.total).sum();
        let Some(emptiest) = open.iter().min_by_key(|book| book.total) else { continue };
        let hosts = u32::try_from(open.len()).unwrap_or(u32::MAX);
        // Less than half of its share.
        let leans = u64::from(emptiest.total) * 2 * u64::from(hosts) < u64::from(total);
        if !leans || total > MOST_REPLICAS {
            continue;
        }
        let moves = plan::rebalance_moves(&world, &region.name);
        if moves > 0 {
            regions.insert(region.name.clone(), Lean { host: emptiest.view.name.clone(), moves });
        }
    }
    regions
}
