//! What a service is to run. Values of the environment and contents of files never show.

use super::{field, heading};
use crate::{
    app::{
        access,
        line::{Line, Role},
        state::State,
    },
    model::{MountSource, PortMode, ServiceSpec},
    text::{Text, bytes, duration},
};

/// The lines.
pub fn spec(state: &State) -> Vec<Line> {
    let Some(key) = access::service(state).and_then(|id| id.key()) else {
        return vec![Line::of(Role::Dim, "Select a service to see what it runs.")];
    };
    let Some(revision) = state.store.desired.latest(&key) else {
        return vec![Line::of(Role::Dim, format!("Nothing is wanted of {key} any more."))];
    };
    let mut lines = vec![
        Line::of(Role::Strong, key.to_string()).with(Role::Dim, format!("  r{}", revision.no)),
        field(
            "made",
            format!(
                "{} by {}",
                revision.at.to_zoned_datetime(state.zone.clone()).strftime("%Y-%m-%d %H:%M"),
                revision.by
            ),
        ),
        field("why", safe(&revision.note)),
        field("image", safe(&revision.spec.image)),
        field("resolved", safe(&revision.image)),
    ];
    process(&mut lines, &revision.spec);
    deploy(&mut lines, &revision.spec);
    network(&mut lines, &revision.spec);
    files(&mut lines, &revision.spec);
    lines
}

/// What comes from a Compose file has not passed an engine, so it is made safe here.
fn safe(text: &str) -> String {
    Text::new(text).to_string()
}

fn words(list: &[String]) -> String {
    safe(&list.join(" "))
}

fn process(lines: &mut Vec<Line>, spec: &ServiceSpec) {
    lines.extend(spec.entrypoint.as_ref().map(|list| field("entrypoint", words(list))));
    lines.extend(spec.command.as_ref().map(|list| field("command", words(list))));
    lines.extend(spec.user.as_ref().map(|user| field("user", safe(user))));
    lines.extend(spec.working_dir.as_ref().map(|dir| field("directory", safe(dir))));
    if spec.privileged {
        lines.push(field("privileged", "yes"));
    }
    if let Some(check) = &spec.healthcheck {
        lines.push(field("health", words(&check.test)));
        let every = check.interval.map(|interval| format!("every {}", duration(interval)));
        let retries = check.retries.map(|n| format!("{n} failures make it unhealthy"));
        let both: Vec<String> = every.into_iter().chain(retries).collect();
        if !both.is_empty() {
            lines.push(field("", both.join(", ")));
        }
    }
    if !spec.environment.is_empty() {
        heading(lines, "ENVIRONMENT");
        lines.extend(spec.environment.iter().map(|(name, value)| field(&safe(name), value.to_string())));
    }
}

fn deploy(lines: &mut Vec<Line>, spec: &ServiceSpec) {
    heading(lines, "PLACEMENT");
    let deploy = &spec.deploy;
    let regions: Vec<String> = spec.wharf.regions.iter().map(ToString::to_string).collect();
    lines.push(field("regions", if regions.is_empty() { "all".to_owned() } else { regions.join(" ") }));
    lines.extend(deploy.constraints.iter().map(|constraint| field("must", safe(&constraint.to_string()))));
    if !deploy.spread.is_empty() {
        lines.push(field("spread over", words(&deploy.spread)));
    }
    lines.extend(deploy.max_per_host.map(|n| field("per host", format!("at most {n}"))));
    let resources = &deploy.resources;
    let cores = |milli: u64| format!("{} cores", milli as f64 / 1000.0);
    let list = |cpu: Option<u64>, memory: Option<u64>| {
        cpu.map(cores).into_iter().chain(memory.map(bytes)).collect::<Vec<_>>().join(", ")
    };
    for (name, text) in [
        ("limits", list(resources.cpu_limit, resources.memory_limit)),
        ("reserved", list(resources.cpu_reserved, resources.memory_reserved)),
    ] {
        if !text.is_empty() {
            lines.push(field(name, text));
        }
    }
}

fn network(lines: &mut Vec<Line>, spec: &ServiceSpec) {
    if spec.ports.is_empty() && spec.networks.is_empty() && spec.depends_on.is_empty() {
        return;
    }
    heading(lines, "NETWORK");
    for port in &spec.ports {
        let outside = port.published.map_or_else(|| "any".to_owned(), |n| n.to_string());
        let mode = match port.mode {
            PortMode::Ingress => "entry",
            PortMode::Host => "host port",
        };
        lines.push(field(mode, format!("{outside} → {}/{}", port.target, port.protocol)));
    }
    lines.extend(spec.networks.keys().map(|name| field("network", safe(name))));
    lines.extend(spec.depends_on.keys().map(|name| field("needs", name.as_str())));
}

fn files(lines: &mut Vec<Line>, spec: &ServiceSpec) {
    if spec.mounts.is_empty() && spec.files.is_empty() {
        return;
    }
    heading(lines, "FILES");
    for mount in &spec.mounts {
        let source = match &mount.source {
            MountSource::Volume { name, .. } => format!("volume {}", safe(name)),
            MountSource::Anonymous => "a new volume".to_owned(),
            MountSource::Bind { path, .. } => safe(path),
            MountSource::Tmpfs { .. } => "memory".to_owned(),
        };
        let read_only = if mount.read_only { ", read-only" } else { "" };
        lines.push(
            Line::of(Role::Plain, format!("{}  ", safe(&mount.target))).with(Role::Dim, format!("{source}{read_only}")),
        );
    }
    for file in &spec.files {
        let kind = if file.secret { "secret" } else { "config" };
        lines.push(
            Line::of(Role::Plain, format!("{}  ", safe(&file.target)))
                .with(Role::Dim, format!("{kind} {}", safe(&file.name))),
        );
    }
}
