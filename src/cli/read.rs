//! Listings of what is seen: hosts, stacks, replicas.

use std::{collections::BTreeMap, process::ExitCode};

use jiff::Timestamp;

use super::{
    Context, Failure,
    args::{OutputArgs, PsArgs},
    json::{HostRow, RegionCell, ReplicaRow, ServiceRow, StackRow, managed_by},
    look::{self, Seen},
    print::{self, Align, Table},
};
use crate::{
    model::{Container, ContainerState, Health, HostView, Link, Owner, ReplicaKey, RevisionNo, since},
    plan::{self, ForeignService, ServiceHealth},
    text,
};

/// `wharf hosts`.
pub(super) async fn hosts(context: Context, output: OutputArgs) -> Result<ExitCode, Failure> {
    let store = context.read_store()?;
    let seen = look::look(context, store.as_ref()).await?;
    let now = Timestamp::now();
    let rows: Vec<HostRow> = seen
        .context
        .fleet
        .hosts()
        .filter_map(|(_, host)| seen.observed.hosts.get(&host.name))
        .map(|host| HostRow::new(host, seen.desired.hosts.get(&host.name).copied(), now))
        .collect();
    if output.json {
        print::json(&rows);
    } else {
        let mut table = Table::new(&[
            ("HOST", Align::Left),
            ("REGION", Align::Left),
            ("STATE", Align::Left),
            ("RUNNING", Align::Right),
            ("CPUS", Align::Right),
            ("MEMORY", Align::Right),
            ("ENGINE", Align::Left),
            ("CONNECT", Align::Left),
            ("NOTE", Align::Left),
        ]);
        for row in &rows {
            let facts = row.facts.as_ref();
            table.row(vec![
                row.name.clone(),
                row.region.clone(),
                format!("{} {}", link_glyph(&row.link), row.link.word()),
                format!("{}/{}", row.running, row.containers),
                facts.map_or_else(|| "–".into(), |facts| facts.cpus.to_string()),
                facts.map_or_else(|| "–".into(), |facts| text::bytes(facts.memory)),
                facts.map_or_else(|| "–".into(), |facts| facts.engine.to_string()),
                row.connect.clone(),
                host_note(row, now),
            ]);
        }
        table.print();
    }
    if seen.is_blind() {
        return Err(Failure::Unreachable("no host can be reached (wharf doctor says how to mend it)".into()));
    }
    Ok(ExitCode::SUCCESS)
}

fn host_note(row: &HostRow, now: Timestamp) -> String {
    let mut notes = Vec::new();
    if row.intent != "open" {
        notes.push(row.intent.to_owned());
    }
    if !row.link.reason().is_empty() {
        notes.push(format!(
            "{} ({})",
            row.link.reason(),
            text::age(since(row.link.since(), now).as_secs().cast_signed())
        ));
    }
    notes.join("; ")
}

fn link_glyph(link: &Link) -> &'static str {
    match link {
        Link::Ready { .. } => "●",
        Link::Slow { .. } | Link::Connecting { .. } => "◐",
        Link::Unknown { .. } => "?",
    }
}

/// `wharf stacks`.
pub(super) async fn stacks(context: Context, output: OutputArgs) -> Result<ExitCode, Failure> {
    let store = context.read_store()?;
    let seen = look::look(context, store.as_ref()).await?.or_blind()?;
    let rows = stack_rows(&seen);
    if output.json {
        print::json(&rows);
    } else {
        print_stacks(&seen, &rows);
    }
    Ok(ExitCode::SUCCESS)
}

/// `wharf watch --once`: hosts and stacks in one page.
pub(super) async fn overview(context: Context, as_json: bool) -> Result<ExitCode, Failure> {
    #[derive(serde::Serialize)]
    struct Overview {
        fleet: String,
        at: Timestamp,
        hosts: Vec<HostRow>,
        stacks: Vec<StackRow>,
    }
    let store = context.read_store()?;
    let seen = look::look(context, store.as_ref()).await?;
    let now = Timestamp::now();
    let stacks = stack_rows(&seen);
    if as_json {
        let hosts = seen.observed.hosts.values();
        let hosts = hosts.map(|host| HostRow::new(host, seen.desired.hosts.get(&host.name).copied(), now)).collect();
        print::json(&Overview { fleet: seen.context.fleet.name.to_string(), at: now, hosts, stacks });
    } else {
        let hosts = &seen.observed.hosts;
        let answering = hosts.values().filter(|host| host.is_seen()).count();
        print::line(&format!("{}  {answering} of {} hosts answer", seen.context.fleet.name, hosts.len()));
        for line in seen.unseen() {
            print::line(&format!("? {line}"));
        }
        print_stacks(&seen, &stacks);
    }
    if seen.is_blind() {
        return Err(Failure::Unreachable("no host can be reached (wharf doctor says how to mend it)".into()));
    }
    Ok(ExitCode::SUCCESS)
}

fn print_stacks(seen: &Seen, rows: &[StackRow]) {
    if rows.is_empty() {
        print::line("no stacks; run one: wharf deploy -f compose.yaml");
        return;
    }
    let regions: Vec<&str> = seen.context.fleet.regions.iter().map(|region| region.name.as_str()).collect();
    let mut heads =
        vec![("STACK", Align::Left), ("SERVICE", Align::Left), ("REV", Align::Left), ("HEALTH", Align::Left)];
    heads.extend(regions.iter().map(|region| (*region, Align::Left)));
    heads.push(("IMAGE", Align::Left));
    let mut table = Table::new(&heads);
    for stack in rows {
        let by = if stack.managed_by == "wharf" { String::new() } else { format!(" ({})", stack.managed_by) };
        for service in &stack.services {
            let (wanted, healthy) =
                service.regions.values().fold((0, 0), |(w, h), cell| (w + cell.wanted, h + cell.healthy));
            let mut cells = vec![
                format!("{}{by}", stack.stack),
                service.service.clone(),
                service.revision.map_or_else(|| "–".into(), |no| format!("r{no}")),
                format!("{healthy}/{wanted}"),
            ];
            for region in &regions {
                cells.push(service.regions.get(*region).map_or_else(
                    || "–".into(),
                    |cell| format!("{} {}/{}", state_glyph(cell.state), cell.healthy, cell.wanted),
                ));
            }
            cells.push(short_image(service.image.as_deref().unwrap_or("–")));
            table.row(cells);
        }
    }
    table.print();
}

fn state_glyph(state: &str) -> &'static str {
    match state {
        "ok" => "●",
        "changing" => "◐",
        "stopped" => "○",
        "failed" => "✗",
        _ => "?",
    }
}

/// The image without its digest's tail.
fn short_image(image: &str) -> String {
    match image.split_once("@sha256:") {
        Some((name, digest)) => format!("{name}@{}", digest.get(..12).unwrap_or(digest)),
        None => image.to_owned(),
    }
}

/// All stacks: wharf's own first, then those of other tools.
fn stack_rows(seen: &Seen) -> Vec<StackRow> {
    let healths = plan::healths(&seen.world());
    let mut rows: BTreeMap<(u8, String), (StackRow, ServiceHealth)> = BTreeMap::new();
    for (key, regions) in &healths.services {
        let newest = seen.desired.latest(key);
        let id = (0, key.stack.to_string());
        let row =
            rows.entry(id).or_insert_with(|| (StackRow::empty(key.stack.as_str(), "wharf"), ServiceHealth::default()));
        row.0.services.push(ServiceRow {
            service: key.service.to_string(),
            revision: newest.map(|revision| revision.no),
            image: newest.map(|revision| revision.image.clone()),
            regions: regions.iter().map(|(region, health)| (region.to_string(), cell(health))).collect(),
        });
        row.1 = regions.values().fold(row.1, |sum, health| sum.plus(*health));
    }
    for (key, regions) in &healths.foreign {
        let id = (1, key.stack.to_string());
        let row = rows
            .entry(id)
            .or_insert_with(|| (StackRow::empty(key.stack.as_str(), key.tool.word()), ServiceHealth::default()));
        row.0.services.push(ServiceRow {
            service: key.service.to_string(),
            revision: None,
            image: foreign_image(seen, key),
            regions: regions.iter().map(|(region, health)| (region.to_string(), cell(health))).collect(),
        });
        row.1 = regions.values().fold(row.1, |sum, health| sum.plus(*health));
    }
    rows.into_values()
        .map(|(mut row, sum)| {
            row.wanted = sum.wanted;
            row.healthy = sum.healthy;
            row.state = sum.worst.word();
            row
        })
        .collect()
}

fn foreign_image(seen: &Seen, key: &ForeignService) -> Option<String> {
    seen.observed.containers().find_map(|(_, container)| match &container.owner {
        Owner::Foreign { tool, stack, service }
            if *tool == key.tool && *stack == key.stack && *service == key.service =>
        {
            Some(container.image.to_string())
        }
        _ => None,
    })
}

impl StackRow {
    fn empty(stack: &str, managed_by: &'static str) -> Self {
        Self { stack: stack.to_owned(), managed_by, state: "ok", wanted: 0, healthy: 0, services: Vec::new() }
    }
}

fn cell(health: &ServiceHealth) -> RegionCell {
    RegionCell { state: health.worst.word(), wanted: health.wanted, running: health.running, healthy: health.healthy }
}

/// `wharf ps`.
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
            Owner::Foreign { stack, service, .. } => (Some(stack.to_string()), Some(service.to_string())),
            Owner::OtherFleet(_) | Owner::Loose => (None, None),
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
