//! What who looks may not do by the roles of the fleet file, and what of the draft has to be confirmed by a name. The
//! store looks at the same rules again where it accepts; here they are told before.

use std::collections::BTreeSet;

use super::{access, command::Command, ids::StackId, state::State};
use crate::{
    model::{Area, Level, RegionName, ServiceKey, StackName},
    plan::Plan,
};

/// Why a command cannot be used by who looks; none where it can.
pub(super) fn refused(state: &State, command: Command) -> Option<String> {
    if state.fleet.access.roles.is_empty() {
        return None;
    }
    let refusal = |deed: &str, areas: BTreeSet<Area>| state.rules.refusal(&state.who, &state.groups, deed, &areas);
    match command {
        Command::Plus | Command::Minus | Command::Exact | Command::ScaleForm => refusal("scale", placed(state)),
        Command::Restart => refusal("restart", everywhere(state)),
        Command::Migrate => refusal("migrate", everywhere(state)),
        Command::Rollback => refusal("rollback", everywhere(state)),
        Command::Remove => refusal("rm", everywhere(state)),
        Command::Cordon => {
            let is_closed = access::hosts(state).iter().any(|host| !state.store.desired.is_open(host));
            refusal(if is_closed { "uncordon" } else { "cordon" }, hosts(state))
        }
        Command::Drain => refusal("drain", hosts(state)),
        Command::Prune => refusal("prune", hosts(state)),
        Command::Shell | Command::Attach => refusal("exec", visited(state)),
        Command::Hold | Command::Abort => {
            let id = access::operation(state)?;
            let operation = state.operations().iter().find(|operation| operation.id == id)?;
            let deed = match command {
                Command::Abort => "abort",
                _ if operation.paused.is_some() => "resume",
                _ => "pause",
            };
            state.rules.refuses_of(operation, &state.who, &state.groups, deed)
        }
        Command::Apply => state.planned.as_ref()?.plans().find_map(|plan| of_plan(state, plan)),
        _ => None,
    }
}

/// Why a plan cannot be applied by who looks; none where it can.
pub fn of_plan(state: &State, plan: &Plan) -> Option<String> {
    if plan.is_empty() || state.fleet.access.roles.is_empty() {
        return None;
    }
    state.rules.refuses(&plan.proposal, &state.who, &state.groups)
}

/// The name that has to be typed before a plan is applied; none where enter is enough.
pub fn name_of(state: &State, plan: &Plan) -> Option<String> {
    if plan.is_empty() || state.fleet.access.guards.is_empty() {
        return None;
    }
    let demand = state.rules.demand(&plan.proposal);
    (demand.level == Level::Name).then_some(demand.name)
}

/// The services and regions that edits go to.
fn placed(state: &State) -> BTreeSet<Area> {
    let places = access::places(state);
    let areas = places.iter().map(|(service, region)| area(Some(&service.stack), Some(region)));
    areas.collect()
}

/// Every region of the services that a command is about.
fn everywhere(state: &State) -> BTreeSet<Area> {
    let mut services: Vec<ServiceKey> = access::services(state);
    if services.is_empty()
        && let Some(StackId::Own(stack)) = access::stack(state)
    {
        services.extend(state.store.desired.services.keys().filter(|key| key.stack == stack).cloned());
    }
    let desired = &state.store.desired.services;
    services
        .iter()
        .flat_map(|key| {
            let regions = desired.get(key).into_iter().flat_map(|regions| regions.keys());
            regions.map(|region| area(Some(&key.stack), Some(region))).collect::<Vec<_>>()
        })
        .collect()
}

/// Where the selected hosts are.
fn hosts(state: &State) -> BTreeSet<Area> {
    let hosts = access::hosts(state);
    hosts.iter().filter_map(|host| Some(area(None, Some(&state.fleet.host(host)?.0.name)))).collect()
}

/// The container that would be entered.
fn visited(state: &State) -> BTreeSet<Area> {
    let region = access::region(state);
    let stack = match access::stack(state) {
        Some(StackId::Own(stack)) => Some(stack),
        _ => None,
    };
    BTreeSet::from([area(stack.as_ref(), region.as_ref())])
}

fn area(stack: Option<&StackName>, region: Option<&RegionName>) -> Area {
    Area { stack: stack.cloned(), region: region.cloned() }
}
