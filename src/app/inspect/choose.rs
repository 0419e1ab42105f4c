//! What is inspected of what is selected.

use std::cmp::Reverse;

use crate::{
    app::{
        access,
        ids::{Id, ServiceId},
        line::Mark,
        rows::ReplicaRow,
        screen::View,
        state::State,
    },
    model::{Container, Desired, Subject, Veil},
};

/// What is inspected.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// What.
    pub subject: Subject,
    /// Its name.
    pub name: String,
    /// Which of several it is, in words; empty for the only one.
    pub note: String,
    /// What its service was given in confidence.
    pub veil: Veil,
}

/// What is inspected of the selected row, or why nothing can be.
pub fn chosen(state: &State) -> Result<Chosen, String> {
    match state.selected() {
        None => Err("nothing is selected".into()),
        Some(Id::Host(name)) => {
            let subject = Subject::Host(name.clone());
            Ok(Chosen { subject, name: name.to_string(), note: String::new(), veil: Veil::default() })
        }
        Some(Id::Replica(_)) => {
            let row = state.selected_replica().ok_or("nothing is selected")?;
            of_row(state, row, String::new()).ok_or_else(|| "there is no container".into())
        }
        Some(Id::Service(service)) => of_service(state, service),
        Some(_) => Err("select a replica, a service or a host".into()),
    }
}

fn of_row(state: &State, row: &ReplicaRow, note: String) -> Option<Chosen> {
    let container = state.container(row)?;
    let subject =
        Subject::Container { host: row.host.clone(), id: container.id.clone(), image: container.image_id.clone() };
    let veil = veil_of(&state.store.desired, container);
    Some(Chosen { subject, name: container.name.to_string(), note, veil })
}

/// What a container's service was given in confidence, in the revision that it was made from and in the newest.
pub fn veil_of(desired: &Desired, container: &Container) -> Veil {
    let Some((service, revision)) = container.made_from() else { return Veil::default() };
    let specs = [desired.revision(service, revision), desired.latest(service)];
    Veil::of(specs.into_iter().flatten().map(|revision| &revision.spec))
}

/// The replica of a service that is worth a look: the one that is worst, the first among equals. In the list of services
/// it is of the region under the region cursor, where there are some.
fn of_service(state: &State, service: &ServiceId) -> Result<Chosen, String> {
    let all: Vec<&ReplicaRow> =
        state.index.replicas.iter().filter(|row| row.service == *service && state.container(row).is_some()).collect();
    let region = access::region_of(state, service)
        .filter(|_| state.screen().view == View::Services)
        .and_then(|at| state.index.regions.get(at));
    let here: Vec<&ReplicaRow> = all.iter().copied().filter(|row| Some(&row.region) == region).collect();
    let (of, place) = match region {
        Some(region) if !here.is_empty() => (here, format!(" in {region}")),
        _ => (all, String::new()),
    };
    let worst = of.iter().enumerate().max_by_key(|(at, row)| (row.mark, Reverse(*at)));
    let Some((_, row)) = worst else { return Err("none of its replicas has a container".into()) };
    let note = match (of.len(), row.mark) {
        (1, _) => format!("the only one{place}"),
        (n, Mark::Ok) => format!("the first of {n}{place}"),
        (n, _) => format!("of {n}{place} the first that is not well"),
    };
    of_row(state, row, note).ok_or_else(|| "there is no container".into())
}
