//! `wharf ps`: replicas, those that are there and those that are missing.

use std::{collections::BTreeMap, process::ExitCode};

use super::{
    Context, Failure,
    args::PsArgs,
    json::{ReplicaRow, managed_by},
    look::{self, Seen},
    print::{self, Align, Table},
    read::short_image,
};
use crate::{
    model::{Container, ContainerState, Health, HostView, Owner, ReplicaKey, RevisionNo},
    text,
};

/// Lists them.
pub(super) async fn ps(context: Context, args: PsArgs) -> Result<ExitCode, Failure> {
    let store = context.read_store()?;
    let seen = look::look(context, store.as_ref()).await?.or_blind()?;
    let wanted = |stack: &str, service: &str| match &args.what {
        None => true,
        Some(what) => match what.split_once('/') {
            Some((of, name)) => stack == of && service == name,
            None => stack == what,
        },
    };
    let mut rows = replica_rows(&seen, args.all);
    rows.retain(|row| wanted(row.stack.as_deref().unwrap_or(""), row.service.as_deref().unwrap_or("")));
    if let (Some(what), true) = (&args.what, rows.is_empty()) {
        return Err(Failure::Input(format!(
            "there is no replica of `{}`; wharf stacks shows what there is",
            text::Text::new(what)
        )));
    }
    if args.output.json {
        print::json(&rows);
    } else {
        print_replicas(&rows);
    }
    Ok(ExitCode::SUCCESS)
}

fn print_replicas(rows: &[ReplicaRow]) {
    let mut table = Table::new(&[
        ("REPLICA", Align::Left),
        ("REV", Align::Left),
        ("REGION", Align::Left),
        ("HOST", Align::Left),
        ("STATE", Align::Left),
        ("RESTARTS", Align::Right),
        ("PORTS", Align::Left),
        ("IMAGE", Align::Left),
        ("NOTE", Align::Left),
    ]);
    for row in rows {
        let name = match (&row.stack, &row.service, row.slot) {
            (Some(stack), Some(service), Some(slot)) => format!("{stack}/{service}.{slot}"),
            (Some(stack), Some(service), None) => format!("{stack}/{service}"),
            _ => row.container.clone().unwrap_or_default(),
        };
        let note = match (row.seen, row.wanted, row.managed_by) {
            (false, ..) => "host unseen",
            (true, false, "wharf") => "not wanted",
            (true, _, "wharf") => "",
            (true, _, other) => other,
        };
        table.row(vec![
            name,
            row.revision.map_or_else(|| "–".into(), |no| format!("r{no}")),
            row.region.clone(),
            row.host.clone(),
            state_words(row),
            row.restarts.map_or_else(|| "–".into(), |n| n.to_string()),
            row.ports.join(" "),
            short_image(row.image.as_deref().unwrap_or("–")),
            note.to_owned(),
        ]);
    }
    table.print();
}

fn state_words(row: &ReplicaRow) -> String {
    match (&row.state, row.health) {
        (None, _) => "○ missing".into(),
        (Some(ContainerState::Running), Some(Health::Healthy)) => "● healthy".into(),
        (Some(ContainerState::Running), Some(Health::Starting)) => "◐ starting".into(),
        (Some(ContainerState::Running), Some(Health::Unhealthy)) => "✗ unhealthy".into(),
        (Some(ContainerState::Running), _) => "● running".into(),
        (Some(ContainerState::Created), _) => "◐ created".into(),
        (Some(ContainerState::Restarting), _) => "◐ restarting".into(),
        (Some(ContainerState::Removing), _) => "◐ removing".into(),
        (Some(ContainerState::Paused), _) => "○ paused".into(),
        (Some(ContainerState::Dead), _) => "✗ dead".into(),
        (Some(ContainerState::Exited { code: 0, .. }), _) => "○ exited 0".into(),
        (Some(ContainerState::Exited { oom: true, code, .. }), _) => format!("✗ exited {code} (out of memory)"),
        (Some(ContainerState::Exited { code, .. }), _) => format!("✗ exited {code}"),
        (Some(ContainerState::Other(word)), _) => format!("? {word}"),
    }
}

/// Replicas that are there, in order, and wanted ones that are not.
fn replica_rows(seen: &Seen, all: bool) -> Vec<ReplicaRow> {
    let mut missing: BTreeMap<ReplicaKey, (String, RevisionNo)> =
        seen.desired.replicas().map(|(key, place)| (key, (place.host.to_string(), place.revision))).collect();
    let mut rows = Vec::new();
    for (host, container) in seen.observed.containers() {
        if container.replica().is_none() && !all {
            continue;
        }
        let mut row = ReplicaRow::of(host, container);
        if let Some(replica) = container.replica() {
            let place = seen.desired.assignment(&replica.key.service, &replica.key.region);
            let place = place.and_then(|assignment| assignment.slots.get(&replica.key.slot));
            row.wanted = place.is_some_and(|place| place.host == host.name && place.revision == replica.revision);
            if row.wanted {
                missing.remove(&replica.key);
            }
        }
        rows.push(row);
    }
    for (key, (host, revision)) in missing {
        rows.push(ReplicaRow::missing(&key, host, revision));
    }
    rows.sort_by(|a, b| {
        let key = |row: &ReplicaRow| {
            (
                row.managed_by != "wharf",
                row.stack.clone(),
                row.service.clone(),
                row.region.clone(),
                row.slot,
                row.container.clone(),
            )
        };
        key(a).cmp(&key(b))
    });
    rows
}

impl ReplicaRow {
    fn of(host: &HostView, container: &Container) -> Self {
        let (stack, service) = match &container.owner {
            Owner::Replica(replica) => {
                (Some(replica.key.service.stack.to_string()), Some(replica.key.service.service.to_string()))
            }
            Owner::Test(test) => (Some(test.service.stack.to_string()), Some(test.service.service.to_string())),
            Owner::Foreign { stack, service, .. } => (Some(stack.to_string()), Some(service.to_string())),
            Owner::OtherFleet(_) | Owner::Loose | Owner::Proxy => (None, None),
        };
        Self {
            stack,
            service,
            slot: container.replica().map(|replica| replica.key.slot.0),
            revision: container.replica().map(|replica| replica.revision),
            region: host.region.to_string(),
            host: host.name.to_string(),
            wanted: false,
            managed_by: managed_by(&container.owner),
            container: Some(container.name.to_string()),
            id: Some(container.id.0.to_string()),
            image: Some(container.image.to_string()),
            state: Some(container.state.clone()),
            health: Some(container.health),
            restarts: Some(container.restarts),
            ports: container
                .ports
                .iter()
                .filter_map(|port| {
                    port.published.map(|published| format!("{}:{published}→{}", port.address, port.target))
                })
                .collect(),
            usage: container.usage,
            seen: host.is_seen(),
        }
    }

    fn missing(key: &ReplicaKey, host: String, revision: RevisionNo) -> Self {
        Self {
            stack: Some(key.service.stack.to_string()),
            service: Some(key.service.service.to_string()),
            slot: Some(key.slot.0),
            revision: Some(revision),
            region: key.region.to_string(),
            host,
            wanted: true,
            managed_by: "wharf",
            container: None,
            id: None,
            image: None,
            state: None,
            health: None,
            restarts: None,
            ports: Vec::new(),
            usage: None,
            seen: true,
        }
    }
}
