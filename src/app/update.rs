//! One message in, effects out. The only way in which the state changes.

mod apply;
mod charts;
mod edit;
mod explain;
mod graph;
mod inspect;
mod keys;
mod logs;
mod mouse;
mod navigate;
mod overlays;
mod pick;

use std::sync::Arc;

use jiff::{Timestamp, ToSpan};

use super::{
    line::Mark,
    msg::{Effect, Mode, Msg, Redraw, StoreView, Update},
    overlay::Overlay,
    prefs::ViewPrefs,
    screen::View,
    state::State,
    table::Col,
};
use crate::model::{Generation, HostChange, HostName, HostUpdate, Intent, Operation};

/// Without anything else to show, ages and the clock are looked at this often.
const QUIET_SECONDS: i64 = 10;

/// A wall screen goes back to its own page so long after the last key.
const ALONE_SECONDS: i64 = 120;

/// The last key of someone who has left by now came before this.
fn left_alone(now: Timestamp) -> Timestamp {
    now.checked_sub(ALONE_SECONDS.seconds()).unwrap_or(Timestamp::MIN)
}

/// Takes one message in.
pub fn update(state: &mut State, msg: Msg) -> Update {
    let mut effects = Vec::new();
    let redraw = match msg {
        Msg::Key(key) => {
            effects.extend(state.settle_view());
            let (view, liked) = (state.screen().view, ViewPrefs::of(state.screen()));
            effects.extend(keys::key(state, key));
            if state.screen().view == view && ViewPrefs::of(state.screen()) != liked {
                effects.extend(remember(state));
            }
            effects.extend(state.settle_view());
            Redraw::Now
        }
        Msg::Mouse(act) => {
            effects.extend(state.settle_view());
            effects.extend(mouse::mouse(state, act));
            effects.extend(state.settle_view());
            Redraw::Now
        }
        Msg::Paste(text) => keys::paste(state, &text),
        Msg::Resize(w, h) => {
            state.size = (w, h);
            // Which columns there are hangs on it.
            state.dirty.rows = true;
            Redraw::Now
        }
        Msg::Focus(focused) => {
            state.focused = focused;
            Redraw::No
        }
        Msg::Hosts(updates) => hosts(state, updates),
        Msg::Store(view) => store(state, view),
        Msg::StoreFailed(error) => {
            let new = state.store_error.as_ref() != Some(&error);
            state.store_error = Some(error);
            state.dirty.index = true;
            if new { Redraw::Soon } else { Redraw::No }
        }
        Msg::Logs(batch) => {
            let now = state.now;
            let taken = state.logs.as_mut().is_some_and(|logs| logs.take(*batch, now));
            if taken { Redraw::Soon } else { Redraw::No }
        }
        Msg::Applied(answer) => {
            applied(state, answer);
            effects.extend(state.settle());
            Redraw::Now
        }
        Msg::Storage(host, answer) => {
            let taken = state.stores.take(&host, *answer);
            if taken {
                state.stock();
                state.dirty.rows |= state.screen().view == View::Storage;
            }
            if taken { Redraw::Soon } else { Redraw::No }
        }
        Msg::Evidence(evidence) => explain::told(state, *evidence),
        Msg::Inspected(told) => inspect::told(state, *told),
        Msg::Say(text) => {
            state.say(Mark::Ok, text.as_str());
            Redraw::Now
        }
        Msg::Failed(text) => {
            state.say(Mark::Failed, text.as_str());
            Redraw::Now
        }
        Msg::Tick(now) => {
            let redraw = tick(state, now);
            effects.extend(inspect::refresh(state));
            redraw
        }
        Msg::Shown => {
            let tour = state.tour.and_then(|tour| tour.go_on(state));
            let goes_on = tour != state.tour;
            state.tour = tour;
            if let Some(Overlay::Plan(page)) = &mut state.overlay {
                page.shown = Some(state.plan_version);
            }
            if goes_on { Redraw::Soon } else { Redraw::No }
        }
    };
    // The last defence: whatever a key did, a screen that only looks changes nothing.
    if !state.mode.can_act() {
        effects.retain(|effect| !effect.mutates());
    }
    Update { effects, redraw }
}

/// Keeps how this view is liked.
fn remember(state: &mut State) -> Option<Effect> {
    let screen = state.way.here().clone();
    state.prefs.remember(&screen).then(|| Effect::Remember(state.prefs.clone()))
}

fn hosts(state: &mut State, updates: Vec<HostUpdate>) -> Redraw {
    let mut shape = false;
    let mut seen = false;
    let mut shown = false;
    let mut loads = false;
    for update in updates {
        if let Some(logs) = &mut state.logs {
            logs.hear(&update, state.now);
        }
        state.changed.touch(&update, &state.live);
        match update.change {
            HostChange::Event(event) => {
                state.events.push(event);
                state.dirty.news = true;
                seen |= state.screen().view == View::Events;
            }
            HostChange::Usage(_) => loads |= state.live.apply(update),
            HostChange::Proxy(ref proxy) => {
                // Nothing that is counted or planned depends on it: it shows as it is.
                state.flows.see(&update.host, proxy.as_deref());
                shown |= state.live.apply(update) && shows_traffic(state);
            }
            HostChange::Images(_) => {
                state.dirty.plan |= state.live.apply(update);
            }
            _ => shape |= state.live.apply(update),
        }
    }
    if state.frozen.is_none() {
        state.dirty.index |= shape || seen;
        state.dirty.usage |= loads;
        seen |= loads && state.may_count_loads();
        // The loads of single containers are not counted.
        shown |= loads && state.screen().view == View::Replicas;
    }
    if shape {
        state.dirty.plan |= state.is_planning();
    }
    if shown && state.frozen.is_none() {
        // Rows in the order of what comes through are put in order again.
        state.dirty.rows |= state.screen().sort.is_some_and(Col::is_traffic);
    }
    if shape || seen || shown { Redraw::Soon } else { Redraw::No }
}

/// True where something of proxies can be seen.
fn shows_traffic(state: &State) -> bool {
    match state.screen().view {
        View::Overview
        | View::Stacks
        | View::Services
        | View::Replicas
        | View::Graph
        | View::Operation
        | View::Wall => true,
        View::Hosts | View::Events | View::Operations | View::Logs | View::Charts | View::Storage => {
            state.pane.is_some()
        }
    }
}

fn store(state: &mut State, mut view: Arc<StoreView>) -> Redraw {
    // An older reading that was under way when our own change was accepted.
    if state.store_read && view.desired.generation < state.store.desired.generation {
        return Redraw::No;
    }
    Arc::make_mut(&mut view).operations.sort_by_key(|op| std::cmp::Reverse((op.at, op.id)));
    let changed = !state.store_read || state.store_error.is_some() || *view != *state.store;
    state.store_read = true;
    state.store_error = None;
    if !changed {
        return Redraw::No;
    }
    let newer = view.desired.generation != state.store.desired.generation;
    for host in cleared(&state.store.operations, &view.operations) {
        state.stores.ask_again(&host);
    }
    state.store = view;
    if state.live.adopt(&state.store.desired.adopted) {
        state.changed.touch_everything();
    }
    state.changed.touch_store();
    state.dirty.index = true;
    state.dirty.news = true;
    if newer && !state.draft.is_empty() {
        let before = state.draft.changes().len();
        let desired = Arc::clone(&state.store.desired);
        state.draft.step(|changes| changes.drop_done(&desired));
        let gone = before - state.draft.changes().len();
        if gone > 0 {
            let last = state.operations().first().map(|op| state.person(&op.by).to_owned()).unwrap_or_default();
            state.say(Mark::Stopped, format!("{gone} of the draft is already so ({last} changed it): taken out"));
        }
        state.dirty.plan = true;
    }
    state.dirty.plan |= newer && state.is_planning();
    Redraw::Soon
}

/// Hosts that keep less now: removals there are over.
fn cleared(before: &[Operation], after: &[Operation]) -> Vec<HostName> {
    let was_open = |op: &Operation| before.iter().any(|old| old.id == op.id && !old.state.is_final());
    let over = after.iter().filter(|op| op.state.is_final() && was_open(op));
    let hosts = over.filter_map(|op| match &op.intent {
        Intent::Prune { regions } => Some(regions.values().flat_map(std::collections::BTreeMap::keys)),
        _ => None,
    });
    hosts.flatten().cloned().collect()
}

/// The answer to what was asked for.
fn applied(state: &mut State, answer: Result<Box<Operation>, crate::text::Text>) {
    let sent = state.sent.pop_front();
    match answer {
        Ok(operation) => {
            state.say(Mark::Ok, format!("accepted: {}   9 shows how far it is", operation.intent.summary()));
            accept(state, *operation);
        }
        Err(why) => {
            if let Some(changes) = sent {
                // What was put together since then stays on top.
                state.draft.step(|now| {
                    let since = std::mem::replace(now, changes);
                    now.merge(since);
                });
                state.dirty.plan = true;
            }
            state.say(Mark::Failed, format!("not accepted: {why} The draft is kept and planned again: `.` shows it"));
        }
    }
}

/// Shows an accepted operation at once, before the store is read again.
fn accept(state: &mut State, operation: Operation) {
    let store = Arc::make_mut(&mut state.store);
    let desired = Arc::make_mut(&mut store.desired);
    if desired.generation < operation.generation {
        desired.generation = Generation(operation.generation.0);
        for (service, regions) in &operation.after {
            for (region, assignment) in regions {
                let there = desired.services.entry(service.clone()).or_default();
                match assignment {
                    Some(assignment) => there.insert(region.clone(), assignment.clone()),
                    None => there.remove(region),
                };
            }
            if desired.services.get(service).is_some_and(std::collections::BTreeMap::is_empty) {
                desired.services.remove(service);
            }
        }
        if let crate::model::Intent::Host { host, intent } = &operation.intent {
            match intent {
                Some(intent) => desired.hosts.insert(host.clone(), *intent),
                None => desired.hosts.remove(host),
            };
        }
    }
    if !store.operations.iter().any(|op| op.id == operation.id) {
        store.operations.insert(0, operation);
    }
    state.changed.touch_store();
    state.dirty.index = true;
    state.dirty.plan |= !state.draft.is_empty();
}

fn tick(state: &mut State, now: Timestamp) -> Redraw {
    let before = state.now;
    if now <= before {
        return Redraw::No;
    }
    state.now = now;
    let mut redraw = if state.flows.is_due(now) { Redraw::Soon } else { Redraw::No };
    if state.history.is_due(now) {
        if state.screen().view == View::Charts {
            redraw = Redraw::Soon;
        }
        // What was counted last is what is so now, unless it is to be counted anew: then the next frame does both.
        if !state.dirty.index {
            state.record();
        }
    }
    if state.index.look_again.is_some_and(|at| at <= now) && state.frozen.is_none() {
        state.dirty.index = true;
        return Redraw::Soon;
    }
    if state.mode == Mode::Watch && state.screen().view != View::Wall && state.last_key < left_alone(now) {
        // Somebody looked something up on the wall and went away.
        state.way = View::Wall.into();
        state.overlay = None;
        state.pane = None;
        state.dirty.rows = true;
        return Redraw::Soon;
    }
    if state.dirty.usage && state.frozen.is_none() && state.may_count_loads() {
        redraw = Redraw::Soon;
    }
    let minute = |at: Timestamp| at.as_second().div_euclid(60);
    if state.notice.as_ref().is_some_and(|notice| notice.until <= now) {
        state.notice = None;
        redraw = Redraw::Soon;
    }
    let quiet = state.last_draw_tick.checked_add(QUIET_SECONDS.seconds()).is_ok_and(|due| due <= now);
    let whole_second = before.as_second() != now.as_second();
    let busy = state.focused && whole_second && state.running().next().is_some();
    // Its clock shows seconds: who looks up knows that it lives.
    let wall = whole_second && state.screen().view == View::Wall;
    if quiet || busy || wall || minute(before) != minute(now) {
        if quiet {
            state.last_draw_tick = now;
            // Ages are part of what is wrong; everything else reads the time when it is drawn.
            state.dirty.index |= state.frozen.is_none() && state.unseen_hosts() > 0;
            state.dirty.plan |= state.is_planning();
        }
        redraw = Redraw::Soon;
    }
    redraw
}

/// What leaving asks first: true when nothing would be lost.
fn may_leave(state: &State) -> bool {
    state.draft.is_empty() && state.sent.is_empty()
}

/// Leaves, or asks first.
fn leave(state: &mut State) -> Vec<Effect> {
    if may_leave(state) {
        return vec![Effect::Quit];
    }
    state.overlay = Some(Overlay::Quit);
    Vec::new()
}
