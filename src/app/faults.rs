//! What is wrong now, in words: the operator's first look.

use super::{
    ids::Id,
    line::Mark,
    state::State,
    status::{ago, of_link},
};
use crate::{
    model::{Link, OperationState},
    text::{Text, width},
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

/// Cells that the longest name and the longest place take.
pub(super) fn cells(faults: &[Fault]) -> (usize, usize) {
    let longest = |text: fn(&Fault) -> &str| faults.iter().map(|fault| width(text(fault))).max().unwrap_or(0);
    (longest(|fault| &fault.about), longest(|fault| &fault.place))
}

fn or<'a>(text: &'a Text, other: &'a str) -> &'a str {
    if text.is_empty() { other } else { text.as_str() }
}

/// Failed replicas, one line per service and region, with the commonest reason.
fn services(state: &State) -> Vec<Fault> {
    let mut failing: Vec<_> = state.index.failing().collect();
    failing.sort_by(|a, b| (a.service, a.region).cmp(&(b.service, b.region)));
    failing
        .into_iter()
        .map(|failing| Fault {
            mark: Mark::Failed,
            about: failing.service.to_string(),
            place: failing.region.to_string(),
            what: match (failing.failed, failing.wanted) {
                (_, 1) => failing.word.to_owned(),
                (failed, wanted) => format!("{failed} of {wanted}: {}", failing.word),
            },
            target: Some(Id::Service(failing.service.clone())),
        })
        .collect()
}
