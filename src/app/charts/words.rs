//! Why nothing is drawn, and what is missing of a sum: in words.

use std::collections::HashSet;

use crate::{
    app::{
        flow::Flow,
        history::{MOST, MOST_PARTS, Measure},
        ids::{ReplicaId, StackId, is_seen},
        rows::{HostRow, Load, ReplicaRow},
        screen::Within,
        state::State,
        status::ago,
    },
    model::{HostName, Link},
};

const SOON: &str = "the next reading comes within seconds";
const LEFT_OUT: &str = "too many to keep: what stands first has a past";

/// Why there is nothing to draw of a measure.
pub fn why_none(state: &State, of: &Within, measure: Measure) -> String {
    if is_left_out(state, of) {
        return LEFT_OUT.into();
    }
    let words = if measure.is_traffic() { no_traffic(state, of, measure) } else { no_load(state, of) };
    words.into()
}

/// True for one of more stacks or services than are kept.
fn is_left_out(state: &State, of: &Within) -> bool {
    match of {
        Within::Stack(id) => state.index.stacks.iter().skip(MOST).any(|row| row.id == *id),
        Within::Service(id) => state.index.services.iter().skip(MOST).any(|row| row.id == *id),
        Within::Part(id, region) => {
            let of = state.index.parts().skip(MOST_PARTS);
            of.into_iter().any(|(row, at, _)| row.id == *id && state.index.regions.get(at) == Some(region))
        }
        _ => false,
    }
}

/// The load of a thing as it is known now; none where it is not there.
fn live(state: &State, of: &Within) -> Option<Load> {
    match of {
        Within::Stack(id) => state.index.stack(id).map(|row| row.total.live),
        Within::Service(id) => state.index.service(id).map(|row| row.total.live),
        Within::Part(id, region) => {
            let at = state.index.region_at(region)?;
            state.index.service(id)?.regions.get(at)?.as_ref().map(|tally| tally.live)
        }
        Within::All | Within::Region(_) | Within::Host(_) => {
            let hosts = state.index.hosts.iter().filter(|row| is_part(of, row));
            hosts.map(|row| row.live).reduce(|mut sum, load| {
                sum.add(&load);
                sum
            })
        }
        Within::Replica(_) | Within::Operation(_) => None,
    }
}

fn is_part(of: &Within, host: &HostRow) -> bool {
    match of {
        Within::Region(name) => host.region == *name,
        Within::Host(name) => host.name == *name,
        _ => true,
    }
}

fn is_unseen(state: &State, host: &HostName) -> bool {
    !is_seen(state.observed().hosts.get(host))
}

fn row_of<'a>(state: &'a State, id: &ReplicaId) -> Option<&'a ReplicaRow> {
    state.index.replicas.iter().find(|row| row.id == *id)
}

fn no_load(state: &State, of: &Within) -> &'static str {
    if let Within::Replica(id) = of {
        let Some(row) = row_of(state, id) else { return "it is not there any more" };
        return match state.container(row) {
            _ if is_unseen(state, &row.host) => "its host cannot be seen now",
            None => "there is no container for it",
            Some(container) if !container.is_running() => "it does not run",
            Some(_) => "not sampled yet: the first figures come within seconds",
        };
    }
    match live(state, of) {
        None => "it is not there any more",
        Some(load) if load.usage.is_some() => SOON,
        Some(_) if matches!(of, Within::Host(name) if is_unseen(state, name)) => "the host cannot be seen now",
        Some(load) if load.missing > 0 => "nothing of it was sampled yet, or can be seen",
        Some(_) => "nothing of it runs",
    }
}

fn no_traffic(state: &State, of: &Within, measure: Measure) -> &'static str {
    let flows = state.flows();
    let (flow, none) = match of {
        Within::All => (Some(flows.total()), ""),
        Within::Region(_) => {
            let hosts = state.index.hosts.iter().filter(|row| is_part(of, row));
            let flow = hosts.filter_map(|row| flows.proxy(&row.name)).copied().reduce(|mut sum, flow: Flow| {
                sum.add(&flow);
                sum
            });
            (flow, "no host of it has a proxy that answers")
        }
        Within::Host(name) => (flows.proxy(name).copied(), "it has no proxy that answers"),
        Within::Stack(StackId::Own(name)) => (flows.stack(name).copied(), "no proxy carries anything of it"),
        Within::Service(id) if id.stack.own().is_some() => {
            (id.key().and_then(|key| flows.service(&key)).copied(), "no proxy carries it")
        }
        Within::Replica(id) => {
            let container = row_of(state, id).and_then(|row| row.container.as_ref());
            (container.and_then(|id| flows.replica(id)).copied(), "no proxy sends it anything")
        }
        Within::Part(id, region) if id.stack.own().is_some() => {
            let hosts = state.index.hosts.iter().filter(|row| row.region == *region).map(|row| &row.name);
            let hosts: HashSet<&HostName> = hosts.collect();
            let flow = id.key().and_then(|key| {
                let here = state.flows.on_hosts(&key, state.now).filter(|(host, _)| hosts.contains(host));
                here.map(|(_, flow)| flow).reduce(|mut sum, flow| {
                    sum.add(&flow);
                    sum
                })
            });
            (flow, "no proxy of the region carries it")
        }
        Within::Stack(_) | Within::Service(_) | Within::Part(..) => {
            (None, "others run it: wharf's proxies carry none of it")
        }
        Within::Operation(_) => (None, ""),
    };
    match flow {
        None => none,
        Some(flow) if flow.requests.is_none() && *of == Within::All => "no proxy carries anything",
        Some(flow) if flow.requests.is_none() => "its proxies were read only once, or not lately",
        Some(flow) if measure != Measure::Requests && flow.requests == Some(0.0) => "nothing was asked",
        Some(_) => SOON,
    }
}

/// What is missing of a sum now; none where nothing is.
pub fn missing(state: &State, of: &Within) -> Option<String> {
    let parts: Option<HashSet<&HostName>> = match of {
        Within::Service(id) => Some(state.index.replicas_of(id).iter().map(|row| &row.host).collect()),
        Within::Part(id, region) => {
            let rows = state.index.replicas_of(id).iter().filter(|row| row.region == *region);
            Some(rows.map(|row| &row.host).collect())
        }
        Within::Stack(id) => Some(state.index.replicas_of_stack(id).iter().map(|row| &row.host).collect()),
        Within::All | Within::Region(_) | Within::Host(_) => None,
        Within::Replica(_) | Within::Operation(_) => return None,
    };
    let has_part =
        |host: &&HostRow| parts.as_ref().map_or_else(|| is_part(of, host), |hosts| hosts.contains(&host.name));
    let hosts = state.index.hosts.iter().filter(has_part).map(|host| &host.name);
    let unseen: Vec<&HostName> = hosts.filter(|name| is_unseen(state, name)).collect();
    match unseen.as_slice() {
        [] => {
            let missing = live(state, of)?.missing;
            let plural = if missing == 1 { "" } else { "s" };
            (missing > 0).then(|| format!("without {missing} container{plural} not sampled yet"))
        }
        [one] => Some(match state.observed().hosts.get(*one).map(|host| &host.link) {
            Some(Link::Unknown { since, .. }) => {
                format!("without {one}, not seen for {}", ago(*since, state.shown_at()).replace("now", "a few seconds"))
            }
            _ => format!("without {one}, not seen yet"),
        }),
        [first, rest @ ..] => Some(format!("without {first} and {} more hosts, not seen", rest.len())),
    }
}
