//! Which service asks which, as the proxies' counters tell.
//!
//! A proxy counts what it lets through to a service, not who asked. But it serves the containers of its own host alone,
//! and on edge hosts what comes in. So those beside it ask that the stack's file lets depend on the service. Where the
//! file tells of nobody, and only one other service of the stack runs beside the proxy, it is that one; where several do,
//! nothing is said.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    app::{ids::ServiceId, line::Mark, rows::ReplicaRow, state::State},
    graph::{End, Web},
    model::{HostName, ServiceKey, StackName},
    plan,
};

/// Slower than this is nothing.
const LEAST: f64 = 0.05;

/// What was seen to go from one to the other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Links {
    /// Between services: requests a second. Where several may have asked, none: they did, and nobody knows how often each.
    rates: BTreeMap<(ServiceKey, ServiceKey), Option<f64>>,
    /// What comes in from outside, by service: where nothing of its stack may ask it beside the proxy.
    entries: BTreeMap<ServiceKey, f64>,
}

impl Links {
    /// What the services of a stack ask each other now.
    pub(super) fn new(state: &State, web: &Web, stack: &StackName) -> Self {
        let mut links = Self::default();
        let world = state.world();
        let edge: BTreeSet<HostName> = state
            .index
            .regions
            .iter()
            .flat_map(|region| plan::edge_hosts(&world, region))
            .map(|(host, _)| host)
            .collect();
        for key in state.store.desired.services.keys().filter(|key| key.stack == *stack) {
            let end = End::Service(key.clone());
            let has_entry = web.needed_by(&end).any(|end| matches!(end, End::Entry(_)));
            for (host, flow) in state.flows.on_hosts(key, state.now) {
                let Some(rate) = flow.requests.filter(|rate| *rate >= LEAST) else { continue };
                let asking = asking(state, web, key, host);
                if has_entry && edge.contains(host) {
                    // Who comes in and who is here are counted as one.
                    if asking.is_empty() {
                        *links.entries.entry(key.clone()).or_default() += rate;
                    }
                    continue;
                }
                let rate = (asking.len() == 1).then_some(rate);
                for from in asking {
                    let sum = links.rates.entry((from, key.clone())).or_insert(Some(0.0));
                    *sum = sum.zip(rate).map(|(sum, rate)| sum + rate);
                }
            }
        }
        links
    }

    /// The pairs of which the first asks the second.
    pub fn pairs(&self) -> impl Iterator<Item = &(ServiceKey, ServiceKey)> {
        self.rates.keys()
    }

    /// True when requests were seen to go this way.
    pub fn is_busy(&self, from: &End, to: &End) -> bool {
        match (from, to) {
            (End::Service(from), End::Service(to)) => self.rates.contains_key(&(from.clone(), to.clone())),
            (End::Entry(_), End::Service(to)) => self.entries.contains_key(to),
            _ => false,
        }
    }

    /// Requests a second from one service to another; none where there are none, or several ask and nobody can tell.
    pub fn rate(&self, from: &ServiceKey, to: &ServiceKey) -> Option<f64> {
        self.rates.get(&(from.clone(), to.clone())).copied().flatten()
    }

    /// Requests a second that come to a service from outside, where these are counted apart.
    pub fn entry(&self, to: &ServiceKey) -> Option<f64> {
        self.entries.get(to).copied()
    }
}

/// The services of a stack on a host that may have asked one of them.
fn asking(state: &State, web: &Web, asked: &ServiceKey, host: &HostName) -> Vec<ServiceKey> {
    let runs = |row: &&ReplicaRow| !matches!(row.mark, Mark::Failed | Mark::Stopped);
    let ids: BTreeSet<&ServiceId> = state.index.replicas_on(host).filter(runs).map(|row| &row.service).collect();
    let own = ids.into_iter().filter(|id| id.stack.own() == Some(&asked.stack)).filter_map(ServiceId::key);
    let mut here: Vec<ServiceKey> = own.filter(|key| key != asked).collect();
    let end = End::Service(asked.clone());
    let declared: Vec<&ServiceKey> = web.declared(&end).collect();
    if declared.is_empty() {
        // What comes in from outside asks it.
        let is_open = web.needed_by(&end).any(|end| matches!(end, End::Entry(_)));
        return if here.len() == 1 && !is_open { here } else { Vec::new() };
    }
    here.retain(|key| declared.contains(&key));
    here
}
