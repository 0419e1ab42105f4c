//! What is wrong now, in words: the operator's first look.

use std::collections::BTreeMap;

use super::{
    ids::Id,
    line::Mark,
    state::State,
    status::{ago, of_link},
};
use crate::{
    model::{Link, OperationState},
    text::Text,
};
use jiff::ToSpan;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// How bad.
    pub mark: Mark,
    /// What it is about.
    pub about: String,
    /// Where.
    pub place: String,
    /// What is the matter.
    pub what: String,
    /// Where to look, when that is something to select.
    pub target: Option<Id>,
}

/// Failed operations are shown so long.
const RECENT_HOURS: i64 = 1;

/// Everything that is wrong, the worst first, in a stable order.
pub fn faults(state: &State) -> Vec<Fault> {
    let (fleet, observed, operations, now) = (&state.fleet, state.observed(), state.operations(), state.now);
    let mut out = Vec::new();
    if let Some(error) = &state.store_error {
        out.push(Fault {
            mark: Mark::Failed,
            about: "store".into(),
            place: String::new(),
            what: format!("cannot be read: {error}"),
            target: None,
        });
    }
    for op in operations {
        let (at, reason) = match &op.state {
            _ if let Some(paused) = op.paused.as_ref().filter(|paused| !paused.why.is_empty()) => (now, &paused.why),
            OperationState::Failed { at, reason }
            | OperationState::RollingBack { at, reason }
            | OperationState::RolledBack { at, reason } => (*at, reason),
            _ => continue,
        };
        if at < now.checked_sub(RECENT_HOURS.hours()).unwrap_or(now) {
            continue;
        }
        out.push(Fault {
            mark: Mark::Failed,
            about: op.intent.summary(),
            place: op.word().to_owned(),
            what: reason.to_string(),
            target: Some(Id::Operation(op.id)),
        });
    }
    out.extend(services(state));
    for (region, host) in fleet.hosts() {
        let Some(view) = observed.hosts.get(&host.name) else { continue };
        let what = match &view.link {
            Link::Ready { .. } => continue,
            // The first connection needs a moment; that is no fault yet.
            Link::Connecting { reason, .. } if reason.is_empty() => continue,
            Link::Unknown { since, reason } => {
                format!(
                    "not seen for {}: {}",
                    ago(*since, now).replace("now", "a few seconds"),
                    or(reason, "no answer")
                )
            }
            link => link.reason().to_owned(),
        };
        out.push(Fault {
            mark: of_link(&view.link),
            about: host.name.to_string(),
            place: region.name.to_string(),
            what,
            target: Some(Id::Host(host.name.clone())),
        });
    }
    out.sort_by_key(|fault| std::cmp::Reverse(fault.mark));
    out
}

fn or<'a>(text: &'a Text, other: &'a str) -> &'a str {
    if text.is_empty() { other } else { text.as_str() }
}

/// Failed replicas, one line per service and region, with the commonest reason.
fn services(state: &State) -> Vec<Fault> {
    let (index, observed) = (&state.index, state.observed());
    let mut groups: BTreeMap<_, BTreeMap<String, u32>> = BTreeMap::new();
    for row in index.replicas.iter().filter(|row| row.mark == Mark::Failed) {
        let host = observed.hosts.get(&row.host);
        let word = row.container.as_ref().and_then(|id| host.and_then(|host| host.containers.get(id))).map_or_else(
            || format!("missing on {}", row.host),
            |container| state.judge(&row.host, container).1.into_owned(),
        );
        *groups.entry((&row.service, &row.region)).or_default().entry(word).or_default() += 1;
    }
    groups
        .into_iter()
        .map(|((service, region), words)| {
            let failed: u32 = words.values().sum();
            let wanted = index
                .service(service)
                .zip(index.region_at(region))
                .and_then(|(row, at)| row.regions.get(at).and_then(Option::as_ref))
                .map_or(failed, |tally| tally.wanted.max(failed));
            let word = words.into_iter().max_by_key(|(_, times)| *times).map(|(word, _)| word).unwrap_or_default();
            Fault {
                mark: Mark::Failed,
                about: service.to_string(),
                place: region.to_string(),
                what: if wanted == 1 { word } else { format!("{failed} of {wanted}: {word}") },
                target: Some(Id::Service(service.clone())),
            }
        })
        .collect()
}
