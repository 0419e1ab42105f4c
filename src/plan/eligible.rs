//! Which hosts can take a replica, and in words why the others cannot.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{World, index::defaults};
use crate::{
    model::{
        Constraint, ContainerState, Desired, HostField, HostIntent, HostName, HostView, Link, MountSource, Owner,
        Protocol, RegionName, ReplicaKey, Resources, ServiceKey, ServiceSpec, Slot, StackShared, since,
    },
    text,
};

/// A Linux bridge takes 1,024 ports; a few stay free for containers of others.
pub const MOST_PER_HOST: u32 = 1_000;

/// What is wanted on the hosts of one region, counted for placing.
#[derive(Debug, Clone)]
pub struct Books<'a> {
    /// The region.
    pub region: &'a RegionName,
    /// Its hosts by name.
    pub hosts: Vec<HostBook<'a>>,
    /// Where a host's page is.
    pages: HashMap<&'a HostName, usize>,
}

/// What is wanted on one host.
#[derive(Debug, Clone)]
pub struct HostBook<'a> {
    /// The host as it is seen.
    pub view: &'a HostView,
    /// Why it takes nothing new, in words; none when it is open and seen.
    pub closed: Option<String>,
    /// Replicas of all services.
    pub total: u32,
    /// Set aside, in thousandths of a core.
    pub cpu: u64,
    /// Set aside, in bytes.
    pub memory: u64,
    services: BTreeMap<ServiceKey, u32>,
    /// Who holds a host port, in words.
    ports: BTreeMap<(u16, Protocol), String>,
}

impl<'a> Books<'a> {
    /// The books of a region as desired state has them, without the services of `except`.
    pub fn new(world: &World<'a>, region: &'a RegionName, except: &BTreeSet<ServiceKey>) -> Self {
        let suspect_after = defaults(world, region).suspect_after;
        let hosts: Vec<HostBook<'a>> = world
            .observed
            .hosts
            .values()
            .filter(|view| view.region == *region)
            .map(|view| HostBook {
                view,
                closed: closed(world, view, suspect_after),
                total: 0,
                cpu: 0,
                memory: 0,
                services: BTreeMap::new(),
                ports: foreign_ports(view),
            })
            .collect();
        let pages = hosts.iter().enumerate().map(|(at, book)| (&book.view.name, at)).collect();
        let mut books = Self { region, hosts, pages };
        books.fill(world.desired, except);
        books
    }

    fn fill(&mut self, desired: &Desired, except: &BTreeSet<ServiceKey>) {
        let region = self.region;
        for (service, regions) in &desired.services {
            let Some(assignment) = regions.get(region).filter(|_| !except.contains(service)) else { continue };
            let kept = desired.revisions.get(service);
            for (slot, place) in &assignment.slots {
                let spec = kept.and_then(|kept| kept.get(&place.revision)).map(|revision| &revision.spec);
                self.add(&place.host, service, *slot, spec);
            }
        }
    }

    /// A host's page.
    pub fn host(&self, name: &HostName) -> Option<&HostBook<'a>> {
        self.hosts.get(*self.pages.get(name)?)
    }

    fn host_mut(&mut self, name: &HostName) -> Option<&mut HostBook<'a>> {
        self.hosts.get_mut(*self.pages.get(name)?)
    }

    /// Enters a replica.
    pub fn add(&mut self, host: &HostName, service: &ServiceKey, slot: Slot, spec: Option<&ServiceSpec>) {
        if let Some(book) = self.host_mut(host) {
            book.enter(service, slot, spec);
        }
    }

    /// Closes all hosts but one, which is looked at as if no operator had closed it.
    pub fn open_only(&mut self, world: &World<'_>, host: &HostName) {
        let suspect_after = defaults(world, self.region).suspect_after;
        for book in &mut self.hosts {
            let is_it = book.view.name == *host;
            book.closed = if is_it { unseen(world, book.view, suspect_after) } else { Some("not asked".to_owned()) };
        }
    }

    /// Closes a host for new replicas.
    pub fn close(&mut self, host: &HostName, why: &str) {
        if let Some(book) = self.host_mut(host) {
            book.closed = Some(why.to_owned());
        }
    }

    /// Takes a replica out again.
    pub fn remove(&mut self, replica: &ReplicaKey, host: &HostName, spec: Option<&ServiceSpec>) {
        let Some(book) = self.host_mut(host) else { return };
        book.total = book.total.saturating_sub(1);
        if let Some(count) = book.services.get_mut(&replica.service) {
            *count = count.saturating_sub(1);
        }
        if let Some(spec) = spec {
            book.cpu = book.cpu.saturating_sub(spec.deploy.resources.cpu_reserved.unwrap_or_default());
            book.memory = book.memory.saturating_sub(spec.deploy.resources.memory_reserved.unwrap_or_default());
            let holder = replica.to_string();
            for port in spec.fixed_ports() {
                if book.ports.get(&port) == Some(&holder) {
                    book.ports.remove(&port);
                }
            }
        }
    }
}

impl HostBook<'_> {
    /// Enters a replica.
    pub fn enter(&mut self, service: &ServiceKey, slot: Slot, spec: Option<&ServiceSpec>) {
        self.total += 1;
        match self.services.get_mut(service) {
            Some(count) => *count += 1,
            None => drop(self.services.insert(service.clone(), 1)),
        }
        if let Some(spec) = spec {
            self.cpu += spec.deploy.resources.cpu_reserved.unwrap_or_default();
            self.memory += spec.deploy.resources.memory_reserved.unwrap_or_default();
            for port in spec.fixed_ports() {
                self.ports.entry(port).or_insert_with(|| format!("{service}.{slot}"));
            }
        }
    }

    /// The services that have replicas here, with how many.
    pub fn services(&self) -> impl Iterator<Item = (&ServiceKey, u32)> {
        self.services.iter().filter(|(_, count)| **count > 0).map(|(key, count)| (key, *count))
    }

    /// Replicas of a service.
    pub fn of(&self, service: &ServiceKey) -> u32 {
        self.services.get(service).copied().unwrap_or_default()
    }

    /// Why this host cannot have a replica of the service, whether it is there already or not; none when it can.
    pub fn unfit(&self, service: &ServiceKey, spec: &ServiceSpec) -> Option<String> {
        if let Some(constraint) = spec.deploy.constraints.iter().find(|constraint| !holds(constraint, self.view)) {
            return Some(format!("not matching {constraint}"));
        }
        let here = self.of(service);
        if let Some(most) = spec.deploy.max_per_host.filter(|most| here >= *most) {
            return Some(format!("full: at most {most} of {service} on one host"));
        }
        if self.total >= MOST_PER_HOST {
            return Some(format!("full: {} replicas, the most a host takes", text::count(u64::from(self.total))));
        }
        for port in spec.fixed_ports() {
            if let Some(holder) = self.ports.get(&port) {
                return Some(format!("port {} taken by {holder}", port.0));
            }
        }
        self.no_room(&spec.deploy.resources)
    }

    /// Why this host cannot have a new replica of the service; none when it can.
    pub fn refuses(&self, service: &ServiceKey, spec: &ServiceSpec) -> Option<String> {
        self.closed.clone().or_else(|| self.unfit(service, spec))
    }

    fn no_room(&self, wants: &Resources) -> Option<String> {
        let facts = self.view.facts.as_ref()?;
        let cpus = u64::from(facts.cpus) * 1000;
        if let Some(cpu) = wants.cpu_reserved.filter(|cpu| *cpu > 0 && self.cpu + cpu > cpus) {
            let left = cpus.saturating_sub(self.cpu);
            return Some(format!("too little cpu: {} wanted, {} not set aside", cores(cpu), cores(left)));
        }
        let room = |wanted: &u64| *wanted > 0 && self.memory + wanted > facts.memory;
        if let Some(memory) = wants.memory_reserved.filter(room) {
            let left = facts.memory.saturating_sub(self.memory);
            let (wanted, left) = (text::bytes(memory), text::bytes(left));
            return Some(format!("too little memory: {wanted} wanted, {left} not set aside"));
        }
        None
    }

    /// So much of the host's cores or memory, the fuller, in thousandths of its size.
    pub fn share(&self, cpu: u64, memory: u64) -> u64 {
        let Some(facts) = &self.view.facts else { return 0 };
        let share = |part: u64, whole: u64| part.saturating_mul(1000).checked_div(whole).unwrap_or_default();
        share(cpu, u64::from(facts.cpus) * 1000).max(share(memory, facts.memory))
    }

    /// What is set aside or used of the host, in thousandths of its size: of cores or memory, the fuller.
    pub fn load(&self) -> (u64, u64) {
        let Some(facts) = &self.view.facts else { return (0, 0) };
        let reserved = self.share(self.cpu, self.memory);
        let share = |part: u64, whole: u64| part.saturating_mul(1000).checked_div(whole).unwrap_or_default();
        let cpus = u64::from(facts.cpus) * 1000;
        let used = self.view.usage.map_or(0, |usage| {
            // 100 % of one core is 1000 thousandths; negative and absurd loads count as none.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..1e9 before")]
            let cpu = (usage.cpu_percent * 10.0).clamp(0.0, 1e9) as u64;
            share(cpu, cpus).max(share(usage.memory, facts.memory))
        });
        (reserved, used)
    }
}

pub(crate) fn cores(thousandths: u64) -> String {
    let whole = thousandths / 1000;
    match thousandths % 1000 {
        0 if whole == 1 => "1 core".to_owned(),
        0 => format!("{whole} cores"),
        rest => format!("{whole}.{} cores", format!("{rest:03}").trim_end_matches('0')),
    }
}

/// Why a host takes nothing new, whatever it is.
fn closed(world: &World<'_>, view: &HostView, suspect_after: std::time::Duration) -> Option<String> {
    match world.desired.hosts.get(&view.name) {
        Some(HostIntent::Cordoned) => return Some("cordoned".into()),
        Some(HostIntent::Draining) => return Some("draining".into()),
        None => {}
    }
    unseen(world, view, suspect_after)
}

/// Why a host cannot be used now, as far as seeing it goes: `not seen for 42 s`.
pub(crate) fn unseen(world: &World<'_>, view: &HostView, suspect_after: std::time::Duration) -> Option<String> {
    let reason = |words: String| match view.link.reason() {
        "" => words,
        reason => format!("{words} ({reason})"),
    };
    match &view.link {
        Link::Unknown { since: at, .. } => {
            let silent = since(*at, world.now);
            (silent >= suspect_after || view.listed_at.is_none())
                .then(|| reason(format!("not seen for {}", silence(silent))))
        }
        _ if view.listed_at.is_none() => Some(reason("not seen yet".into())),
        Link::Connecting { .. } => Some(reason("not seen yet".into())),
        Link::Ready { .. } | Link::Slow { .. } => None,
    }
}

/// A silence in whole seconds: fractions would make a plan flicker.
pub(crate) fn silence(silent: std::time::Duration) -> String {
    match silent.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        _ => text::duration(silent),
    }
}

/// Host ports that containers of others hold now.
fn foreign_ports(view: &HostView) -> BTreeMap<(u16, Protocol), String> {
    let holds = |state: &ContainerState| {
        matches!(state, ContainerState::Running | ContainerState::Paused | ContainerState::Restarting)
    };
    view.containers
        .values()
        .filter(|container| !matches!(container.owner, Owner::Replica(_)) && holds(&container.state))
        .flat_map(|container| {
            container.ports.iter().filter_map(|binding| {
                Some(((binding.published?, binding.protocol), format!("container {}", container.name)))
            })
        })
        .collect()
}

fn holds(constraint: &Constraint, view: &HostView) -> bool {
    let fact = |get: fn(&crate::model::HostFacts) -> &text::Text| view.facts.as_ref().map(|facts| get(facts).as_str());
    let value = match &constraint.field {
        HostField::Name => Some(view.name.as_str()),
        HostField::Region => Some(view.region.as_str()),
        HostField::Label(key) => view.labels.get(key).map(String::as_str),
        HostField::Os => fact(|facts| &facts.os),
        HostField::Arch => {
            let same = fact(|facts| &facts.arch).is_some_and(|arch| arch_name(arch) == arch_name(&constraint.value));
            return same == constraint.equal;
        }
    };
    (value == Some(constraint.value.as_str())) == constraint.equal
}

/// Two families of names for one machine: the kernel's and Go's.
fn arch_name(arch: &str) -> &str {
    match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "armv7l" => "arm",
        other => other,
    }
}

/// The named volumes of a service that live on one host: where they are, the replica must be.
pub(crate) fn pinned_volume<'s>(spec: &'s ServiceSpec, shared: Option<&StackShared>) -> Option<&'s str> {
    spec.mounts.iter().filter(|mount| !mount.read_only).find_map(|mount| match &mount.source {
        MountSource::Volume { name, .. } => {
            let volume = shared.and_then(|shared| shared.volumes.get(name));
            let local = volume.is_none_or(|volume| {
                // A local volume with a type (nfs, cifs, …) holds its data elsewhere.
                volume.driver.as_deref().is_none_or(|driver| driver == "local")
                    && !volume.driver_opts.contains_key("type")
            });
            local.then_some(name.as_str())
        }
        _ => None,
    })
}

/// Hosts that refuse for the same reason, in one clause each, in the order of the first: `e-1, e-2 cordoned`.
pub fn grouped(reasons: impl IntoIterator<Item = (HostName, String)>) -> Vec<String> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for (host, reason) in reasons {
        match groups.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, hosts)) => hosts.push(host.to_string()),
            None => groups.push((reason, vec![host.to_string()])),
        }
    }
    groups.into_iter().map(|(reason, hosts)| format!("{} {reason}", hosts.join(", "))).collect()
}
