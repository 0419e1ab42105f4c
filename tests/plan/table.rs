//! The tables: a world in a few lines, then commands, each with what is expected below it.
//!
//! `UPDATE_TABLES=1` writes what was found into the tables; read the difference before keeping it.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::Path, sync::Arc, time::Duration};

use wharf::{model::*, plan::*, text::Text};

use crate::{fake::Fake, spec};

pub struct Case {
    pub fake: Fake,
    pub files: BTreeMap<StackName, StackSpec>,
    /// The last plan, for `apply`.
    pub last: Option<Plan>,
}

pub fn key(text: &str) -> ServiceKey {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn replica(text: &str, region: &RegionName) -> ReplicaKey {
    let (service, slot) = text.rsplit_once('.').unwrap();
    ReplicaKey { region: region.clone(), service: key(service), slot: Slot(slot.parse().unwrap()) }
}

fn revision_no(text: &str) -> RevisionNo {
    RevisionNo(text.strip_prefix('r').unwrap_or(text).parse().unwrap())
}

/// `1:e-1:r2 2:e-2 round=3`
fn assignment<'a>(words: impl Iterator<Item = &'a str>) -> Option<Assignment> {
    let mut assignment = Assignment::default();
    for word in words {
        if word == "-" {
            return None;
        }
        if let Some(round) = word.strip_prefix("round=") {
            assignment.round = round.parse().unwrap();
            continue;
        }
        let mut parts = word.split(':');
        let slot = Slot(parts.next().unwrap().parse().unwrap());
        let host = parts.next().unwrap().parse().unwrap();
        let revision = parts.next().map_or(RevisionNo(1), revision_no);
        assignment.slots.insert(slot, Place { host, revision });
    }
    Some(assignment)
}

impl Case {
    fn new() -> Self {
        Self { fake: Fake::default(), files: BTreeMap::new(), last: None }
    }

    fn world_line(&mut self, line: &str) {
        let mut words = line.split_whitespace();
        match words.next().unwrap() {
            "host" => self.host(words),
            "region" => drop(self.fake.region_mut(words.next().unwrap()).name.clone()),
            "rev" => {
                let service = key(words.next().unwrap());
                let no = revision_no(words.next().unwrap());
                let spec = spec::spec(words);
                let image = spec.image.clone();
                let (at, by, note) = (self.fake.now, "ana".into(), "deploy".into());
                let (version, restores) = (no.0, None);
                let revision = Revision { service: service.clone(), no, spec, image, at, by, note, version, restores };
                self.fake.desired.revisions.entry(service).or_default().insert(no, Arc::new(revision));
            }
            "want" => {
                let (service, region) = (key(words.next().unwrap()), words.next().unwrap().parse().unwrap());
                let assignment = assignment(words).unwrap();
                self.fake.desired.services.entry(service).or_default().insert(region, assignment);
            }
            "has" => self.has(words),
            "test" => self.test(words),
            "other" => self.other(words),
            "images" => {
                let images: Vec<String> =
                    self.fake.desired.revisions.values().flat_map(BTreeMap::values).map(|r| r.image.clone()).collect();
                for host in self.fake.observed.hosts.values_mut() {
                    for image in &images {
                        host.images.push(image_of(image));
                    }
                }
            }
            "image" => {
                let host = words.next().unwrap();
                self.fake.observed.hosts.get_mut(host).unwrap().images.push(image_of(words.next().unwrap()));
            }
            "file" => {
                let service = key(words.next().unwrap());
                let name = service.stack.clone();
                let file = self.files.entry(name.clone()).or_insert_with(|| StackSpec {
                    name,
                    services: indexmap::IndexMap::new(),
                    networks: BTreeMap::new(),
                    volumes: BTreeMap::new(),
                });
                file.services.insert(service.service, spec::spec(words));
            }
            "stack" => {
                self.fake.desired.stacks.insert(words.next().unwrap().parse().unwrap(), StackShared::default());
            }
            "flight" => {
                let action = self.action(&mut words);
                self.fake.memory.in_flight.insert(action);
            }
            // So long has this reconciler looked after the region.
            "here" => {
                self.fake.memory.since = Some(self.fake.ago(words.next().unwrap().parse().unwrap()));
            }
            "landed" => self.fake.memory.in_flight.clear(),
            "failed" => {
                let action = self.action(&mut words);
                let mut failure = Failure {
                    times: 1,
                    at: self.fake.ago(1),
                    error: Text::default(),
                    is_final: false,
                    is_hosts: false,
                };
                let mut error = String::new();
                for word in words {
                    match word.split_once('=') {
                        Some(("times", value)) => failure.times = value.parse().unwrap(),
                        Some(("ago", value)) => failure.at = self.fake.ago(value.parse().unwrap()),
                        _ if word == "final" => failure.is_final = true,
                        _ if word == "hosts" => failure.is_hosts = true,
                        _ => drop(write!(error, "{}{word}", if error.is_empty() { "" } else { " " })),
                    }
                }
                failure.error = Text::new(&error);
                if let Action::Stop { host, container, .. } = &action {
                    self.fake.memory.asked_to_stop.insert((host.clone(), container.clone()), failure.at);
                }
                self.fake.memory.failures.insert(action, failure);
            }
            "deaths" => {
                let pair = (key(words.next().unwrap()), words.next().unwrap().parse().unwrap());
                let times = words.map(|ago| self.fake.ago(ago.parse().unwrap())).collect();
                self.fake.memory.deaths.insert(pair, times);
            }
            "pulled" => {
                let pair = (words.next().unwrap().parse().unwrap(), words.next().unwrap().to_owned());
                self.fake.memory.pulled.insert(pair);
            }
            "learned" => {
                let which = (key(words.next().unwrap()), revision_no(words.next().unwrap()));
                let ports = words.map(|port| port.parse().unwrap()).collect();
                self.fake.memory.learned.insert(which, ports);
            }
            kind @ ("op" | "deploy-op" | "drain-op") => {
                let at = self.fake.ago(words.next().unwrap().parse().unwrap());
                let intent = match kind {
                    "op" => Intent::Scale { changes: Vec::new() },
                    "deploy-op" => Intent::Deploy { stack: "shop".parse().unwrap() },
                    _ => Intent::Host {
                        host: words.next().unwrap().parse().unwrap(),
                        intent: Some(HostIntent::Draining),
                    },
                };
                self.fake.operations.push(Operation {
                    id: CommandId(uuid::Uuid::nil()),
                    intent,
                    equivalent: String::new(),
                    by: "ana".into(),
                    at,
                    generation: Generation(7),
                    before: BTreeMap::new(),
                    after: BTreeMap::new(),
                    state: OperationState::Running,
                    progress: BTreeMap::new(),
                    paused: None,
                    resumed: None,
                });
            }
            // The last operation stands still, or went on again so many seconds ago.
            "paused" => {
                let at = self.fake.ago(words.next().unwrap().parse().unwrap());
                self.fake.operations.last_mut().unwrap().paused =
                    Some(Paused { at, by: "ben@bastion".into(), why: Text::default() });
            }
            "resumed" => {
                let at = self.fake.ago(words.next().unwrap().parse().unwrap());
                self.fake.operations.last_mut().unwrap().resumed = Some(at);
            }
            // The last operation was given up so many seconds ago, and goes back.
            "rolling-back" => {
                let at = self.fake.ago(words.next().unwrap().parse().unwrap());
                let state = OperationState::RollingBack { at, reason: Text::default() };
                self.fake.operations.last_mut().unwrap().state = state;
            }
            // The last operation is on record as finished in a region.
            "told" => {
                let progress = Progress { finished: true, ..Progress::default() };
                let operation = self.fake.operations.last_mut().unwrap();
                operation.progress.insert(words.next().unwrap().parse().unwrap(), progress);
            }
            // What the last operation found before it; what it asks for is what is wanted now.
            "was" => {
                let (service, region) =
                    (key(words.next().unwrap()), words.next().unwrap().parse::<RegionName>().unwrap());
                let now = self.fake.desired.assignment(&service, &region).cloned();
                let operation = self.fake.operations.last_mut().unwrap();
                operation.after.entry(service.clone()).or_default().insert(region.clone(), now);
                operation.before.entry(service).or_default().insert(region, assignment(words));
            }
            other => panic!("no such line of a world: {other}"),
        }
    }

    fn host<'a>(&mut self, mut words: impl Iterator<Item = &'a str>) {
        let (name, region) = (words.next().unwrap(), words.next().unwrap());
        let now = self.fake.now;
        let name_of = HostName::new(name).unwrap();
        self.fake.add_host(name, region);
        for word in words {
            let (flag, value) = word.split_once('=').unwrap_or((word, ""));
            let view = self.fake.observed.hosts.get_mut(name).unwrap();
            let facts = view.facts.as_mut().unwrap();
            match flag {
                "draining" => drop(self.fake.desired.hosts.insert(name_of.clone(), HostIntent::Draining)),
                "cordoned" => drop(self.fake.desired.hosts.insert(name_of.clone(), HostIntent::Cordoned)),
                "unknown" => {
                    let since = now - Duration::from_secs(value.parse().unwrap());
                    view.link = Link::Unknown { since, reason: Text::new("ssh timeout") };
                }
                "unseen" => {
                    view.link = Link::Connecting { since: now, reason: Text::default() };
                    view.listed_at = None;
                }
                "skew" => facts.clock_skew_ms = value.parse().unwrap(),
                "cpus" => facts.cpus = value.parse().unwrap(),
                "mem" => facts.memory = spec::bytes(value),
                "arch" => facts.arch = Text::new(value),
                "cpu-used" => {
                    view.usage = Some(Usage { cpu_percent: value.parse().unwrap(), at: now, ..Usage::default() });
                }
                label => drop(view.labels.insert(label.into(), value.into())),
            }
        }
    }

    fn has<'a>(&mut self, mut words: impl Iterator<Item = &'a str>) {
        let host = words.next().unwrap();
        let region = self.fake.observed.hosts[host].region.clone();
        let replica = replica(words.next().unwrap(), &region);
        let no = revision_no(words.next().unwrap());
        let known = self.fake.desired.revision(&replica.service, no).cloned();
        let mut container = self.fake.container(replica, no, 0, known.as_ref().map_or("app:0", |known| &known.image));
        container.created = Some(self.fake.ago(3600));
        container.started = container.created;
        for (port, protocol) in known.iter().flat_map(|known| known.spec.fixed_ports()) {
            let address = Text::new("0.0.0.0");
            container.ports.push(Binding { target: port, published: Some(port), address, protocol });
        }
        for word in words {
            let (flag, value) = word.split_once('=').unwrap_or((word, ""));
            match flag {
                "healthy" => container.health = Health::Healthy,
                "starting" => container.health = Health::Starting,
                "unhealthy" => container.health = Health::Unhealthy,
                "age" => {
                    container.created = Some(self.fake.ago(value.parse().unwrap()));
                    container.started = container.created;
                }
                "round" => {
                    if let Owner::Replica(of) = &mut container.owner {
                        of.round = value.parse().unwrap();
                    }
                }
                "restarts" => container.restarts = value.parse().unwrap(),
                "created" => container.state = ContainerState::Created,
                "restarting" => container.state = ContainerState::Restarting,
                "paused" => container.state = ContainerState::Paused,
                "dead" => container.state = ContainerState::Dead,
                "exit" | "oom" => {
                    let (code, ago) = value.split_once('@').unwrap_or((value, "100"));
                    let at = Some(self.fake.ago(ago.parse().unwrap()));
                    container.state = ContainerState::Exited { code: code.parse().unwrap(), at, oom: flag == "oom" };
                }
                other => panic!("no such word of a container: {other}"),
            }
        }
        self.fake.observed.hosts.get_mut(host).unwrap().containers.insert(container.id.clone(), container);
    }

    /// The container of a test: `test e-1 shop/web r2 exit=1@3`.
    fn test<'a>(&mut self, mut words: impl Iterator<Item = &'a str>) {
        let host = words.next().unwrap();
        let region = self.fake.observed.hosts[host].region.clone();
        let (service, no) = (key(words.next().unwrap()), revision_no(words.next().unwrap()));
        let mut container = self.fake.test(region, service, no);
        for word in words {
            let (flag, value) = word.split_once('=').unwrap_or((word, ""));
            match flag {
                "age" => {
                    container.created = Some(self.fake.ago(value.parse().unwrap()));
                    container.started = container.created;
                }
                "created" => container.state = ContainerState::Created,
                "exit" => {
                    let at = Some(self.fake.now);
                    container.state = ContainerState::Exited { code: value.parse().unwrap(), at, oom: false };
                }
                other => panic!("no such word of a test: {other}"),
            }
        }
        self.fake.observed.hosts.get_mut(host).unwrap().containers.insert(container.id.clone(), container);
    }

    /// A container that is not of this fleet: `other e-1 nginx port=80`, `other e-1 blog compose`.
    fn other<'a>(&mut self, mut words: impl Iterator<Item = &'a str>) {
        let host = words.next().unwrap();
        let name = words.next().unwrap();
        let region = self.fake.observed.hosts[host].region.clone();
        let any = replica("none/none.1", &region);
        let mut container = self.fake.container(any, RevisionNo(1), 0, "other");
        container.owner = Owner::Loose;
        container.name = Text::new(name);
        for word in words {
            if let Some(port) = word.strip_prefix("port=") {
                container.ports.push(Binding {
                    target: 80,
                    published: Some(port.parse().unwrap()),
                    address: Text::new("0.0.0.0"),
                    protocol: Protocol::Tcp,
                });
            } else {
                let (stack, service) = (Text::new(name), Text::new("web"));
                container.owner = Owner::Foreign { tool: Tool::Compose, stack, service };
            }
        }
        self.fake.observed.hosts.get_mut(host).unwrap().containers.insert(container.id.clone(), container);
    }

    fn action<'a>(&self, words: &mut impl Iterator<Item = &'a str>) -> Action {
        let (verb, host) = (words.next().unwrap(), words.next().unwrap());
        let view = &self.fake.observed.hosts[host];
        let host = view.name.clone();
        let what = words.next().unwrap();
        if verb == "pull" {
            return Action::Pull { host, image: what.into(), service: key(words.next().unwrap()) };
        }
        if verb == "test" {
            return Action::Test { host, service: key(what), revision: revision_no(words.next().unwrap()) };
        }
        if verb == "learn" {
            return Action::Learn { host, service: key(what), revision: revision_no(words.next().unwrap()) };
        }
        let replica = replica(what, &view.region);
        let revision = revision_no(words.next().unwrap());
        let id = || {
            let of = |c: &&Container| c.replica().is_some_and(|of| of.key == replica && of.revision == revision);
            view.containers.values().find(of).unwrap().id.clone()
        };
        match verb {
            "create" => Action::Create { host, replica, revision },
            "start" => Action::Start { host, container: id(), replica },
            "stop" => Action::Stop { host, container: id(), replica, why: "not wanted any more".into() },
            other => panic!("no such action: {other}"),
        }
    }
}

fn image_of(name: &str) -> Image {
    let name = Text::new(name);
    let (tags, digests) = if name.as_str().contains('@') { (vec![], vec![name]) } else { (vec![name], vec![]) };
    Image { id: Text::new("sha256:5"), tags, digests, size: 1 }
}

/// Runs a table and gives back what it would be with what was found.
fn found(text: &str) -> (String, usize) {
    let mut out = String::new();
    let mut case = Case::new();
    let mut cases = 0;
    let mut expected = false;
    for line in text.lines() {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix("== ") {
            cases += 1;
            case = Case::new();
            expected = false;
            writeln!(out, "== {name}").unwrap();
        } else if let Some(command) = trimmed.strip_prefix("> ") {
            writeln!(out, "> {command}").unwrap();
            for line in case.command(command) {
                writeln!(out, "  {line}").unwrap();
            }
            expected = true;
        } else if trimmed.is_empty() || trimmed.starts_with('#') {
            writeln!(out, "{trimmed}").unwrap();
        } else if !expected || !line.starts_with("  ") {
            case.world_line(trimmed);
            expected = false;
            writeln!(out, "{trimmed}").unwrap();
        }
    }
    (out, cases)
}

#[test]
fn tables() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tables/plan");
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut cases = 0;
    let mut wrong = String::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let (found, count) = found(&text);
        cases += count;
        if std::env::var_os("UPDATE_TABLES").is_some() {
            fs::write(&file, &found).unwrap();
        } else if found != text {
            let pairs = text.lines().zip(found.lines()).enumerate().find(|(_, (want, have))| want != have);
            let (at, (want, have)) = pairs.unwrap_or((0, ("(the end)", "(more)")));
            writeln!(wrong, "{}:{}\n  expected: {want}\n  found:    {have}", file.display(), at + 1).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert!(cases >= 40, "only {cases} cases");
}
