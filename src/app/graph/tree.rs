//! The tree: stacks, services, replicas; or regions, hosts, replicas.

use std::collections::HashMap;

use super::{Kind, Node};
use crate::{app::state::State, model::HostName};

/// Levels that are open before anything is opened or closed.
const OPEN: usize = 1;

fn is_physical(state: &State) -> bool {
    matches!(state.screen().graph.kind, Kind::Host | Kind::Region)
}

/// How deep a kind stands in the tree that is shown.
pub(super) fn depth(state: &State, kind: Kind) -> usize {
    match kind {
        Kind::Stack | Kind::Region => 0,
        Kind::Service | Kind::Host => 1,
        Kind::Replica => 2,
    }
    .min(if is_physical(state) || kind != Kind::Region { 2 } else { 0 })
}

/// True when what is below a node is shown.
pub(super) fn is_open(state: &State, node: Node) -> bool {
    let screen = state.screen();
    // What is wrong is looked for everywhere.
    if screen.faults || !screen.filter.is_empty() {
        return true;
    }
    let usual = depth(state, node.kind) < (OPEN + screen.graph.level) % 3;
    let turned =
        !screen.graph.turned.is_empty() && node.id(&state.index).is_some_and(|id| screen.graph.turned.contains(&id));
    usual != turned
}

/// All nodes that are shown, in order.
pub(super) fn rows(state: &State) -> Vec<usize> {
    let index = &state.index;
    let mut out = Vec::new();
    let mut put = |kind, at| {
        let node = Node::new(kind, at);
        out.push(node.number());
        is_open(state, node)
    };
    if is_physical(state) {
        let mut on: HashMap<&HostName, Vec<usize>> = HashMap::new();
        for (at, row) in index.replicas.iter().enumerate() {
            on.entry(&row.host).or_default().push(at);
        }
        for (at, region) in index.regions.iter().enumerate() {
            if !put(Kind::Region, at) {
                continue;
            }
            for (at, host) in index.hosts.iter().enumerate().filter(|(_, host)| host.region == *region) {
                if put(Kind::Host, at) {
                    for at in on.get(&host.name).into_iter().flatten() {
                        put(Kind::Replica, *at);
                    }
                }
            }
        }
        return out;
    }
    // Services and replicas come in the order of stacks.
    let (mut service, mut replica) = (0, 0);
    for (at, stack) in index.stacks.iter().enumerate() {
        let is_open = put(Kind::Stack, at);
        while let Some(row) = index.services.get(service).filter(|row| row.id.stack == stack.id) {
            let is_open = is_open && put(Kind::Service, service);
            while index.replicas.get(replica).is_some_and(|it| it.service == row.id) {
                if is_open {
                    put(Kind::Replica, replica);
                }
                replica += 1;
            }
            service += 1;
        }
    }
    out
}
