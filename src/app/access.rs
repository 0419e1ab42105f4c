//! What a command would act on, and why it cannot be used when it cannot.

use super::{
    command::{Command, Target},
    ids::{Id, ReplicaId, ServiceId, StackId},
    screen::View,
    state::State,
};
use crate::model::{CommandId, Container, HostName, RegionName, ServiceKey};

/// Why a command cannot be used now; none when it can.
pub fn refused(state: &State, command: Command) -> Option<String> {
    let entry = command.entry();
    if entry.mutates && !state.mode.can_act() {
        return Some("read-only: nothing can be changed from here".into());
    }
    if entry.mutates
        && let Some(why) = super::rights::refused(state, command)
    {
        return Some(why);
    }
    if entry.mutates && !state.store_read && entry.target != Target::None {
        return Some(state.store_error.as_ref().map_or_else(
            || "the store has not been read yet".to_owned(),
            |error| format!("the store cannot be read: {error}"),
        ));
    }
    match command {
        Command::OpenPlan | Command::DropDraft if state.draft.is_empty() => {
            Some("there is no draft: `+` and `-` on a service begin one".into())
        }
        Command::Apply | Command::CopyCommand
            if state.planned.as_ref().is_none_or(|planned| planned.plans().all(crate::plan::Plan::is_empty)) =>
        {
            Some("no part of the draft can be applied".into())
        }
        Command::Filter | Command::Faults if state.screen().view == View::Charts => Some("these are no rows".into()),
        Command::ChartsOrder | Command::ChartsKind | Command::ChartsList
            if super::charts::Kind::of(&state.screen().within).is_empty() =>
        {
            Some("one replica is all there is".into())
        }
        Command::ChartsAbove if super::charts::above(state, &state.screen().within).is_none() => {
            Some("this is the whole fleet".into())
        }
        Command::Migrate | Command::Rollback if state.screen().marks.len() > 1 => {
            Some("one at a time: esc takes the marks away".into())
        }
        Command::Shell | Command::Attach => match container(state) {
            None => Some("there is no container".into()),
            Some((_, container)) if !container.is_running() => Some("it does not run".into()),
            Some(_) => None,
        },
        Command::Prune if state.screen().view != View::Storage => Some("V shows what hosts keep".into()),
        Command::Inspect => super::inspect::chosen(state).err(),
        Command::NextPane if state.pane.is_none() => Some("there is no other pane: `d` opens one".into()),
        Command::Sort
        | Command::Wide
        | Command::Mark
        | Command::MarkRange
        | Command::MarkAll
        | Command::Details
        | Command::CopyRow
            if !state.screen().view.is_list() =>
        {
            Some("this is not a list".into())
        }
        _ => target_refused(state, entry.target, command),
    }
}

fn target_refused(state: &State, target: Target, command: Command) -> Option<String> {
    match target {
        Target::None => None,
        Target::Row => state.selected().is_none().then(|| "nothing is selected".into()),
        Target::Host | Target::Region => host(state).is_none().then(|| "no host is selected".into()),
        Target::Operation => match operation(state).and_then(|id| state.operations().iter().find(|op| op.id == id)) {
            None => Some("no operation is selected".into()),
            Some(op) if op.state.is_final() => Some(format!("it is over: {}", op.state.word())),
            Some(_) => None,
        },
        Target::Place | Target::Service => {
            let Some(stack) = stack(state) else { return Some("nothing is selected".into()) };
            if command != Command::Spec
                && let Some(why) = stack.untouchable()
            {
                return Some(why);
            }
            if command == Command::Spec {
                return match service(state).and_then(|id| id.key()) {
                    Some(key) if state.store.desired.latest(&key).is_some() => None,
                    Some(_) => Some("nothing is wanted of it any more".into()),
                    None => Some(stack.untouchable().unwrap_or_else(|| "select a service".into())),
                };
            }
            if target == Target::Place && places(state).is_empty() {
                return Some("select a service and a region: `←` and `→` move between regions".into());
            }
            None
        }
    }
}

/// The host that the selected row is about.
pub fn host(state: &State) -> Option<HostName> {
    match state.selected()? {
        Id::Host(name) | Id::Stored(name, ..) => Some(name.clone()),
        Id::Replica(_) => Some(state.selected_replica()?.host.clone()),
        Id::Event(_) => state.news.get(state.selected_row()?)?.host.clone(),
        _ => None,
    }
}

/// The container of the selected replica, with its host.
pub fn container(state: &State) -> Option<(&HostName, &Container)> {
    let Id::Replica(_) = state.selected()? else { return None };
    let row = state.selected_replica()?;
    Some((&row.host, state.container(row)?))
}

/// The region of that host.
pub fn region(state: &State) -> Option<RegionName> {
    Some(state.fleet.host(&host(state)?)?.0.name.clone())
}

/// The hosts that an edit goes to: all marked rows, else the selected one's.
pub fn hosts(state: &State) -> Vec<HostName> {
    let marked = state.screen().marks.iter().filter_map(|id| match id {
        Id::Host(host) => Some(host.clone()),
        _ => None,
    });
    let marked: Vec<HostName> = marked.collect();
    if marked.is_empty() { host(state).into_iter().collect() } else { marked }
}

/// The service that the selected row is about.
pub fn service(state: &State) -> Option<ServiceId> {
    match state.selected()? {
        Id::Service(id) => Some(id.clone()),
        Id::Replica(ReplicaId::Slot(key)) => Some(ServiceId::own(&key.service)),
        Id::Replica(ReplicaId::Container(..)) => Some(state.selected_replica()?.service.clone()),
        Id::Event(_) => state.news.get(state.selected_row()?)?.service.clone(),
        _ => None,
    }
}

/// The stack that the selected row is about.
pub fn stack(state: &State) -> Option<StackId> {
    match state.selected()? {
        Id::Stack(id) => Some(id.clone()),
        Id::Operation(id) => {
            let op = state.operations().iter().find(|op| op.id == *id)?;
            op.after.keys().next().map(|service| StackId::Own(service.stack.clone()))
        }
        _ => service(state).map(|service| service.stack),
    }
}

/// The operation that is selected or open.
pub fn operation(state: &State) -> Option<CommandId> {
    if let super::screen::Within::Operation(id) = &state.screen().within
        && state.screen().view == View::Operation
    {
        return Some(*id);
    }
    match state.selected()? {
        Id::Operation(id) => Some(*id),
        _ => None,
    }
}

/// The region that edits of a service's row go to: under the region cursor, else the first where the service is.
pub fn region_of(state: &State, service: &ServiceId) -> Option<usize> {
    let row = state.index.service(service)?;
    state
        .screen()
        .region
        .filter(|at| *at < state.index.regions.len())
        .or_else(|| row.regions.iter().position(Option::is_some))
}

/// The services and regions that edits go to: all marked rows, else the selected one.
pub fn places(state: &State) -> Vec<(ServiceKey, RegionName)> {
    let marked = &state.screen().marks;
    let ids: Vec<&Id> =
        if marked.is_empty() { state.selected().into_iter().collect() } else { marked.iter().collect() };
    let mut places: Vec<_> = ids
        .into_iter()
        .filter_map(|id| match id {
            Id::Service(service) => {
                let region = state.index.regions.get(region_of(state, service)?)?;
                Some((service.key()?, region.clone()))
            }
            Id::Replica(ReplicaId::Slot(key)) => Some((key.service.clone(), key.region.clone())),
            _ => None,
        })
        .collect();
    places.dedup();
    places
}

/// The services that a restart goes to: all marked rows, else the selected one; a stack stands for its services.
pub fn services(state: &State) -> Vec<ServiceKey> {
    let marked = &state.screen().marks;
    let ids: Vec<&Id> =
        if marked.is_empty() { state.selected().into_iter().collect() } else { marked.iter().collect() };
    let mut services: Vec<ServiceKey> = ids
        .into_iter()
        .flat_map(|id| match id {
            Id::Stack(StackId::Own(stack)) => {
                state.store.desired.services.keys().filter(|key| key.stack == *stack).cloned().collect()
            }
            Id::Service(service) => service.key().into_iter().collect(),
            Id::Replica(ReplicaId::Slot(key)) => vec![key.service.clone()],
            _ => Vec::new(),
        })
        .collect();
    services.sort();
    services.dedup();
    services
}

/// What a command would act on, for the palette and menus; empty when it is about nothing in particular.
pub fn target_name(state: &State, target: Target) -> String {
    let marks = state.screen().marks.len();
    match target {
        Target::None => String::new(),
        Target::Region => region(state).map(|region| region.to_string()).unwrap_or_default(),
        Target::Host => host(state).map(|host| host.to_string()).unwrap_or_default(),
        Target::Operation => operation(state).map(CommandId::short).unwrap_or_default(),
        Target::Place | Target::Service if marks > 1 => format!("{marks} marked"),
        Target::Place => {
            places(state).first().map(|(service, region)| format!("{service} {region}")).unwrap_or_default()
        }
        Target::Service => service(state)
            .map(|service| service.to_string())
            .or_else(|| stack(state).map(|stack| stack.name().to_owned()))
            .unwrap_or_default(),
        Target::Row => selected_name(state).unwrap_or_default(),
    }
}

/// The selected object's name.
pub fn selected_name(state: &State) -> Option<String> {
    Some(match state.selected()? {
        Id::Host(name) => name.to_string(),
        Id::Stack(id) => id.name().to_owned(),
        Id::Service(id) => id.to_string(),
        Id::Replica(_) => {
            let row = state.selected_replica()?;
            state.container(row).map_or_else(
                || format!("{}.{}", row.service, row.slot.unwrap_or(0)),
                |container| container.name.to_string(),
            )
        }
        Id::Region(name) => name.to_string(),
        Id::Event(_) => state.news.get(state.selected_row()?)?.about.clone(),
        Id::Operation(id) => id.to_string(),
        Id::Stored(_, _, id) => {
            let thing = state.stores.rows.get(state.selected_row()?)?.thing.as_ref()?;
            if thing.name.is_empty() { id.to_string() } else { thing.name.to_string() }
        }
    })
}
