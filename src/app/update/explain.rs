//! Why something is not well: asked once, and added to as engines answer.

use super::overlays::{moved_plain, page_rows};
use crate::{
    app::{
        access,
        ids::{Id, StackId},
        key::Key,
        line::Mark,
        msg::{Effect, Redraw},
        overlay::{ExplainPage, Overlay},
        pages,
        state::State,
    },
    model::{Evidence, ServiceKey},
    plan::{self, Records, State as Health},
};

/// Containers that are asked at most.
const ASKED: usize = 4;

/// Explains the selected service, or what is not well of the selected stack. A healthy service is said to be so.
pub(super) fn open(state: &mut State) -> Vec<Effect> {
    let keys: Vec<ServiceKey> = match state.selected() {
        Some(Id::Stack(StackId::Own(stack))) => {
            state.store.desired.services.keys().filter(|key| key.stack == *stack).cloned().collect()
        }
        _ => access::service(state).and_then(|id| id.key()).into_iter().collect(),
    };
    let records = Records { operations: state.operations(), journal: &state.store.journal };
    let all = plan::why(&state.world(), &keys, records);
    let bad: Vec<_> = all.iter().filter(|told| !told.causes.is_empty()).cloned().collect();
    if bad.is_empty() {
        let words = match all.as_slice() {
            [] => "nothing is wanted of it any more".to_owned(),
            [one] => one.summary.clone(),
            many => format!("all {} services are healthy", many.len()),
        };
        state.say(Mark::Ok, words);
        return Vec::new();
    }
    let causes = bad.iter().flat_map(|told| &told.causes).filter(|cause| cause.state == Health::Failed);
    let asks: Vec<_> = causes.filter_map(|cause| cause.ask.clone()).take(ASKED).collect();
    let page = ExplainPage { services: bad, asked: asks.len(), ..ExplainPage::default() };
    state.overlay = Some(Overlay::Explain(page));
    asks.into_iter().map(|(host, container)| Effect::Ask(host, container)).collect()
}

/// An engine answered.
pub(super) fn told(state: &mut State, evidence: Evidence) -> Redraw {
    let Some(Overlay::Explain(page)) = &mut state.overlay else { return Redraw::No };
    // An answer to an earlier question belongs to no cause of this page.
    let asks = |told: &&plan::Explanation| {
        let mut asked = told.causes.iter().filter_map(|cause| cause.ask.as_ref());
        asked.any(|(host, container)| *host == evidence.host && *container == evidence.container)
    };
    let Some(of) = page.services.iter().find(asks) else { return Redraw::No };
    let spec = state.store.desired.latest(&of.service).map(|revision| &revision.spec);
    let evidence = evidence.masked(spec);
    page.asked = page.asked.saturating_sub(1);
    page.evidence.push(evidence);
    Redraw::Soon
}

/// Keys scroll it, any other closes it.
pub(super) fn key(state: &mut State, key: Key, mut page: ExplainPage) {
    let cells = usize::from(state.size.0.saturating_sub(6)).min(110);
    let rows = page_rows(state);
    let most = pages::explain(&page, cells).len().saturating_sub(rows);
    state.overlay = moved_plain(key, page.top.min(most), most + 1, rows).map(|top| {
        page.top = top;
        Overlay::Explain(page)
    });
}
