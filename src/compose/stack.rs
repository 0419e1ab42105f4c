//! The whole stack: its name, its parts, and what must hold between its services.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use indexmap::IndexMap;

use super::{
    diagnostic::Sink,
    files::Store,
    load::Place,
    networks,
    origin::At,
    service::{World, service},
    typed::Val,
    wharf,
    yaml::{Kind, Node},
};
use crate::model::{Condition, MAX_NAME, Mode, Restart, ServiceName, ServiceSpec, StackName, StackSpec};

const KEYS: &[&str] = &["version", "name", "services", "networks", "volumes", "secrets", "configs", "include"];

/// Most services of one stack.
const MAX_SERVICES: usize = 1000;

/// Reads the merged tree.
pub(super) fn stack(
    root: &Node,
    place: &Place,
    project: Option<&str>,
    profiles: &[String],
    sink: &Sink,
) -> Option<StackSpec> {
    let val = Val { node: root, path: String::new(), sink };
    val.keys(KEYS, |_, _| {});
    if let Some(v) = val.get("x-wharf") {
        v.error("belongs under a service: `services: {web: {x-wharf: …}}`");
    }
    let name = name(&val, place, project);
    let services = val.get("services");
    if services.as_ref().is_none_or(|v| v.node.map().is_some_and(|map| map.keys().all(|k| k.starts_with("x-")))) {
        let old = root.map().is_some_and(|map| map.values().any(|m| m.node.get("image").is_some()));
        let at = At::file(&root.at.file);
        let hint = if old { ": put the services under `services:`" } else { ": add `services:` with at least one" };
        sink.error(&at, "services", format!("there are no services{hint}"));
        return None;
    }
    let members: Vec<(&str, Val<'_>)> =
        services.iter().flat_map(Val::members).filter(|(name, _)| !name.starts_with("x-")).collect();
    if let (true, Some(services)) = (members.len() > MAX_SERVICES, &services) {
        services.error(format!("more than {MAX_SERVICES} services: split them into several stacks"));
        return None;
    }
    let (active, inactive): (Vec<_>, Vec<_>) = members.into_iter().partition(|(_, v)| active(v, profiles));
    if active.is_empty()
        && let Some(services) = &services
        && !inactive.is_empty()
    {
        services.error("every service needs a profile that is not active: activate one");
    }
    let keys = |key: &str| {
        root.get(key).and_then(Node::map).map(|m| m.keys().map(String::as_str).collect()).unwrap_or_default()
    };
    let world = World {
        services: active.iter().map(|(name, _)| *name).collect(),
        inactive: inactive.iter().map(|(name, v)| (*name, self::profiles(v))).collect(),
        networks: keys("networks"),
        volumes: keys("volumes"),
        files: Store::new(&val),
    };
    let mut out = IndexMap::new();
    let mut implicit = BTreeSet::new();
    for (name, v) in &active {
        let Some((name, spec, restarts)) = one(name, v, &world) else { continue };
        if !restarts {
            implicit.insert(name.clone());
        }
        out.insert(name, spec);
    }
    let places: BTreeMap<&str, &Val<'_>> = active.iter().map(|(name, v)| (*name, v)).collect();
    restarts(&mut out, &implicit, &places);
    circles(&out, &places);
    let networks = val.get("networks").map(|v| networks::networks(&v)).unwrap_or_default();
    let volumes = val.get("volumes").map(|v| networks::volumes(&v)).unwrap_or_default();
    Some(StackSpec { name: name?, services: out, networks, volumes })
}

fn one(name: &str, v: &Val<'_>, world: &World<'_>) -> Option<(ServiceName, ServiceSpec, bool)> {
    let name = match ServiceName::new(name) {
        Ok(name) => Some(name),
        Err(error) => {
            v.error(error.to_string());
            None
        }
    };
    if !matches!(v.node.kind, Kind::Map(_)) {
        v.error(format!("must be a mapping with `image:`, this is {}", v.node.what()));
        return None;
    }
    let (mut spec, restarts) = service(v, world);
    wharf::targets(v, &mut spec);
    wharf::speech_of_ports(v, &mut spec);
    Some((name?, spec, restarts))
}

fn profiles(v: &Val<'_>) -> Vec<String> {
    let Some(list) = v.node.get("profiles") else { return Vec::new() };
    match &list.kind {
        Kind::List(items) => items.iter().filter_map(Node::scalar).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn active(v: &Val<'_>, chosen: &[String]) -> bool {
    if let Some(list) = v.get("profiles") {
        list.strings();
    }
    let wanted = profiles(v);
    wanted.is_empty() || chosen.iter().any(|c| c == "*" || wanted.contains(c))
}

/// The name: `--stack`, `COMPOSE_PROJECT_NAME`, `name:`, the directory's.
fn name(root: &Val<'_>, place: &Place, project: Option<&str>) -> Option<StackName> {
    let file = At::file(&root.node.at.file);
    if let Some(project) = project {
        return StackName::new(project).map_err(|error| root.sink.error(&file, "name", error.to_string())).ok();
    }
    if let Some(v) = root.get("name") {
        return v.with(|text| StackName::new(text).map_err(|error| error.to_string()));
    }
    let name = StackName::new(&directory_name(&place.base));
    if name.is_err() {
        root.sink.error(
            &file,
            "name",
            "the stack needs a name: write `name:` at the top of the file, or use --stack NAME",
        );
    }
    name.ok()
}

/// A stack's name out of its directory's: what is not allowed in one is left out.
pub(super) fn directory_name(base: &Path) -> String {
    let directory = base.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let legal = |c: &char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    let kept: String = directory.chars().filter(legal).collect();
    kept.trim_start_matches(['-', '_']).chars().take(MAX_NAME).collect()
}

/// What is waited for until it has ended must not be started again when it has.
fn restarts(
    services: &mut IndexMap<ServiceName, ServiceSpec>,
    implicit: &BTreeSet<ServiceName>,
    places: &BTreeMap<&str, &Val<'_>>,
) {
    let ends: BTreeSet<ServiceName> = services
        .values()
        .flat_map(|spec| &spec.depends_on)
        .filter(|(_, dependency)| dependency.condition == Condition::ServiceCompletedSuccessfully)
        .map(|(name, _)| name.clone())
        .collect();
    for (name, spec) in services {
        let job = matches!(spec.deploy.mode, Mode::ReplicatedJob | Mode::GlobalJob);
        if !job && !ends.contains(name) {
            continue;
        }
        if implicit.contains(name) {
            spec.restart = Restart::No;
        } else if matches!(spec.restart, Restart::Always | Restart::UnlessStopped)
            && let Some(v) = places.get(name.as_str())
        {
            v.error("is expected to end, but restarts whenever it does: write `restart: \"no\"` or `on-failure`");
        }
    }
}

/// Services that wait for one another never start.
fn circles(services: &IndexMap<ServiceName, ServiceSpec>, places: &BTreeMap<&str, &Val<'_>>) {
    let needs = |name: &ServiceName| -> Vec<ServiceName> {
        let Some(spec) = services.get(name) else { return Vec::new() };
        let shared = spec.network_mode.as_deref().and_then(|mode| mode.strip_prefix("service:"));
        let shared = shared.and_then(|name| ServiceName::new(name).ok());
        spec.depends_on.keys().cloned().chain(shared).collect()
    };
    let mut done: BTreeSet<ServiceName> = BTreeSet::new();
    for start in services.keys() {
        // Depth first without recursion: the way, and what is still to visit at each of its steps.
        let mut way: Vec<(ServiceName, Vec<ServiceName>)> = vec![(start.clone(), needs(start))];
        while let Some((_, rest)) = way.last_mut() {
            match rest.pop() {
                None => {
                    if let Some((name, _)) = way.pop() {
                        done.insert(name);
                    }
                }
                Some(next) if done.contains(&next) => {}
                Some(next) => {
                    if let Some(at) = way.iter().position(|(name, _)| *name == next) {
                        let names: Vec<&str> =
                            way.iter().skip(at).map(|(name, _)| name.as_str()).chain([next.as_str()]).collect();
                        if let Some(v) = places.get(next.as_str()) {
                            let place = v.get("depends_on");
                            place
                                .as_ref()
                                .unwrap_or(v)
                                .error(format!("the services wait for one another in a circle: {}", names.join(" → ")));
                        }
                        return;
                    }
                    let further = needs(&next);
                    way.push((next, further));
                }
            }
        }
    }
}
