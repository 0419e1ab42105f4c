//! The graph's nodes as rows: each kind borrows the cells of its own view.

use std::fmt::Write as _;

use super::{common, hosts, replicas, services, stacks};
use crate::{
    app::{
        graph::{self, Form, Kind, Node},
        line::{Line, Mark, Role},
        rows::Tally,
        state::State,
        table::{Cell, Col, Column, SortKey},
    },
    model::RegionName,
};

pub(super) fn columns(state: &State) -> Vec<Column> {
    if state.screen().graph.form == Form::Matrix {
        return stacks::overview_columns(state).into_iter().filter(|column| column.col != Col::Last).collect();
    }
    let mut columns = vec![
        Column::name("NODE", 26, 48),
        Column::number(Col::Health, "HEALTH", 9, 0),
        Column::number(Col::Cpu, "CPU %", 6, 1),
        Column::number(Col::Memory, "MEMORY", 9, 2),
    ];
    columns.extend(common::traffic_columns(state));
    columns.extend([Column::text(Col::State, "STATE", 10, 26, 4), Column::text(Col::Host, "HOST", 6, 20, 3)]);
    columns
}

pub(super) fn cell(state: &State, row: usize, col: Col) -> Option<Cell> {
    let Node { kind, at } = Node::of(row);
    if col == Col::Name && state.screen().graph.form == Form::Tree {
        return Some(branch(state, Node::of(row)));
    }
    match kind {
        Kind::Stack => stacks::cell(state, at, col),
        Kind::Service => match col {
            Col::Health => Some(service_health(state, at)),
            _ => services::cell(state, at, col),
        },
        Kind::Replica => replicas::cell(state, at, col),
        Kind::Host => hosts::cell(state, at, if col == Col::Health { Col::Replicas } else { col }),
        Kind::Region => {
            let name = state.index.regions.get(at)?;
            let tally = region_tally(state, at);
            Some(match col {
                Col::Name => Line::new().mark(tally.mark()).with(Role::Strong, format!(" {name}")),
                Col::Health => common::health(&tally),
                Col::Cpu => common::cpu(tally.usage),
                Col::Memory => common::memory(tally.usage),
                _ => return None,
            })
        }
    }
}

/// `4/4 → 7`, with what the draft makes of it in all regions.
fn service_health(state: &State, at: usize) -> Line {
    let Some(row) = state.index.services.get(at) else { return Line::new() };
    let mut line = common::health(&row.total);
    if let Some(to) = graph_target(state, at) {
        line.push(Role::Draft, format!(" →{to}"));
    }
    line
}

/// The replicas that a service would have in all, when the draft changes that.
pub fn graph_target(state: &State, at: usize) -> Option<u32> {
    let key = state.index.services.get(at)?.id.key()?;
    let now = |region: &RegionName| {
        let assignment = state.store.desired.assignment(&key, region);
        assignment.map_or(0, |it| u32::try_from(it.slots.len()).unwrap_or(u32::MAX))
    };
    let targets: Vec<Option<u32>> = state.index.regions.iter().map(|region| state.draft.target(&key, region)).collect();
    targets
        .iter()
        .any(Option::is_some)
        .then(|| state.index.regions.iter().zip(&targets).map(|(region, to)| to.unwrap_or_else(|| now(region))).sum())
}

fn region_tally(state: &State, at: usize) -> Tally {
    let mut sum = Tally::default();
    for tally in state.index.stacks.iter().filter_map(|row| row.regions.get(at)?.as_ref()) {
        sum.add(tally);
    }
    sum
}

/// The state of a node.
pub fn graph_mark(state: &State, node: Node) -> Mark {
    let index = &state.index;
    let found = match node.kind {
        Kind::Stack => index.stacks.get(node.at).map(|row| row.total.mark()),
        Kind::Service => index.services.get(node.at).map(|row| row.total.mark()),
        Kind::Replica => index.replicas.get(node.at).map(|row| row.mark),
        Kind::Host => {
            let view = index.hosts.get(node.at).and_then(|row| state.observed().hosts.get(&row.name));
            view.map(|view| crate::app::status::of_link(&view.link))
        }
        Kind::Region => Some(region_tally(state, node.at).mark()),
    };
    found.unwrap_or(Mark::Unknown)
}

/// A node's name behind its place in the tree.
fn branch(state: &State, node: Node) -> Line {
    let sign = match node.kind {
        Kind::Replica => "  ",
        _ if graph::is_open(state, node) => "▾ ",
        _ => "▸ ",
    };
    let mut line = Line::of(Role::Dim, format!("{}{sign}", "  ".repeat(graph::depth(state, node))));
    line = line.mark(graph_mark(state, node));
    line.push(if node.kind == Kind::Replica { Role::Plain } else { Role::Strong }, format!(" {}", name(state, node)));
    line
}

/// A node's own name.
pub fn name(state: &State, node: Node) -> String {
    let index = &state.index;
    match node.kind {
        Kind::Stack => index.stacks.get(node.at).map(|row| row.id.name().to_owned()),
        Kind::Service => index.services.get(node.at).map(|row| row.id.name.to_string()),
        Kind::Replica => index.replicas.get(node.at).map(|row| common::replica_name(state, row)),
        Kind::Host => index.hosts.get(node.at).map(|row| row.name.to_string()),
        Kind::Region => index.regions.get(node.at).map(ToString::to_string),
    }
    .unwrap_or_default()
}

pub(super) fn sort_key(state: &State, row: usize, col: Col) -> Option<SortKey> {
    let Node { kind, at } = Node::of(row);
    match kind {
        Kind::Stack => stacks::sort_key(state, at, col),
        Kind::Service => services::sort_key(state, at, col),
        Kind::Replica => replicas::sort_key(state, at, col),
        Kind::Host => hosts::sort_key(state, at, col),
        Kind::Region => None,
    }
}

pub(super) fn haystack(state: &State, row: usize, text: &mut String) -> Option<()> {
    let Node { kind, at } = Node::of(row);
    match kind {
        Kind::Stack => stacks::haystack(state, at, text),
        Kind::Service => services::haystack(state, at, text),
        Kind::Replica => replicas::haystack(state, at, text),
        Kind::Host => hosts::haystack(state, at, text),
        Kind::Region => write!(text, "{}", state.index.regions.get(at)?).ok(),
    }
}

pub(super) fn is_fault(state: &State, row: usize) -> bool {
    let node = Node::of(row);
    let runs_ill = node.kind == Kind::Host
        && state.index.hosts.get(node.at).is_some_and(|row| row.replicas.failed + row.replicas.unknown > 0);
    runs_ill || !matches!(graph_mark(state, node), Mark::Ok | Mark::Stopped)
}
