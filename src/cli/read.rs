//! Listings of what is seen: hosts and stacks.

use std::{collections::BTreeMap, process::ExitCode};

use jiff::Timestamp;

use super::{
    Context, Failure,
    args::OutputArgs,
    json::{HostRow, RegionCell, ServiceRow, StackRow},
    look::{self, Seen},
    print::{self, Align, Table},
};
use crate::{
    model::{Link, Owner, since},
    plan::{self, ForeignService, ServiceHealth, World},
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
        let world = seen.world();
        let regions = seen.context.fleet.regions.iter();
        for hint in regions.filter_map(|region| plan::rebalance_hint(&world, &region.name)) {
            print::line(&hint);
        }
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
    let rows = stack_rows(&seen.world());
    if output.json {
        print::json(&rows);
    } else {
        print_stacks(&seen, &rows);
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
pub(super) fn short_image(image: &str) -> String {
    match image.split_once("@sha256:") {
        Some((name, digest)) => format!("{name}@{}", digest.get(..12).unwrap_or(digest)),
        None => image.to_owned(),
    }
}

/// All stacks: wharf's own first, then those of other tools.
pub(super) fn stack_rows(world: &World<'_>) -> Vec<StackRow> {
    let healths = plan::healths(world);
    let mut rows: BTreeMap<(u8, String), (StackRow, ServiceHealth)> = BTreeMap::new();
    for (key, regions) in &healths.services {
        let newest = world.desired.latest(key);
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
            image: foreign_image(world, key),
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

fn foreign_image(world: &World<'_>, key: &ForeignService) -> Option<String> {
    world.observed.containers().find_map(|(_, container)| match &container.owner {
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
