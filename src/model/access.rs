//! Who may do what, and how surely it must be meant: `[[role]]` and `[[guard]]` of the fleet file.
//!
//! A role lets people do things in regions and to stacks; without any role everybody may do everything. A guard says what
//! has to be confirmed, and how; without any it is asked once, as ever. Both are looked at where a command is accepted.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use super::{Fleet, HostName, Intent, Operation, Proposal, RegionName, StackName};

/// Everything that can be allowed, in the words of the command line.
pub const DEEDS: [&str; 16] = [
    "abort",
    "adopt",
    "cordon",
    "deploy",
    "drain",
    "exec",
    "migrate",
    "pause",
    "prune",
    "rebalance",
    "restart",
    "resume",
    "rm",
    "rollback",
    "scale",
    "uncordon",
];

/// What the fleet file says of rights and confirmations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// Who may do what.
    pub roles: Vec<Role>,
    /// What has to be confirmed, and how. Of several that fit, the last counts.
    pub guards: Vec<Guard>,
}

/// Some people, and what they may do where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Who.
    pub who: Vec<Who>,
    /// What, of [`DEEDS`]; empty means everything.
    pub may: Vec<String>,
    /// Where.
    pub reach: Reach,
}

/// People of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// `*`.
    Everybody,
    /// A login name, or `login@machine`.
    Name(String),
    /// `group:NAME`, a group of the machine.
    Group(String),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everybody => f.write_str("*"),
            Self::Name(name) => f.write_str(name),
            Self::Group(name) => write!(f, "group:{name}"),
        }
    }
}

/// How surely something must be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Level {
    /// Nobody is asked.
    Nothing,
    /// Asked once; `--yes` answers.
    #[default]
    Confirm,
    /// The name has to be typed; `--yes` alone does not answer.
    Name,
}

impl Level {
    /// The word in the fleet file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Confirm => "confirm",
            Self::Name => "name",
        }
    }
}

/// What has to be confirmed, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// How.
    pub level: Level,
    /// What.
    pub reach: Reach,
}

/// Regions and stacks by patterns in which `*` stands for anything; an empty list means all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    /// Regions.
    pub regions: Vec<String>,
    /// Stacks.
    pub stacks: Vec<String>,
}

impl Reach {
    /// True when it covers this place. What is about no stack in particular, such as a host, is covered only where no
    /// stacks are named: it concerns them all.
    fn covers(&self, area: &Area) -> bool {
        let region = match &area.region {
            Some(region) => is_one_of(&self.regions, region.as_str()),
            // In no region yet: a stack without services.
            None => true,
        };
        let stack = match &area.stack {
            Some(stack) => is_one_of(&self.stacks, stack.as_str()),
            None => self.stacks.is_empty(),
        };
        region && stack
    }
}

fn is_one_of(patterns: &[String], name: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, name))
}

/// `*` stands for anything, also for nothing.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match left.find(part) {
            Some(at) => left = left.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    left.ends_with(last)
}

/// A place that something touches: a stack in a region. Without a stack it is about hosts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Area {
    /// The stack.
    pub stack: Option<StackName>,
    /// The region.
    pub region: Option<RegionName>,
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.stack, &self.region) {
            (Some(stack), Some(region)) => write!(f, "{stack} in {region}"),
            (Some(stack), None) => write!(f, "{stack}"),
            (None, Some(region)) => write!(f, "hosts of {region}"),
            (None, None) => f.write_str("the fleet"),
        }
    }
}

/// What has to be done before something may be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// How it is confirmed.
    pub level: Level,
    /// The name to type: of the one stack or region that is guarded, or the fleet's.
    pub name: String,
}

/// The rules of a fleet, with what they have to know of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rules {
    access: Access,
    fleet: String,
    hosts: BTreeMap<HostName, RegionName>,
}

impl Fleet {
    /// Its rules.
    pub fn rules(&self) -> Rules {
        Rules {
            access: self.access.clone(),
            fleet: self.name.to_string(),
            hosts: self.hosts().map(|(region, host)| (host.name.clone(), region.name.clone())).collect(),
        }
    }
}

impl Rules {
    /// True when somebody's groups have to be known.
    pub fn asks_for_groups(&self) -> bool {
        self.access.roles.iter().flat_map(|role| &role.who).any(|who| matches!(who, Who::Group(_)))
    }

    /// Why `by` may not do this in one of these places, in words; none where it may.
    pub fn refusal(&self, by: &str, groups: &BTreeSet<String>, deed: &str, areas: &BTreeSet<Area>) -> Option<String> {
        let roles = &self.access.roles;
        if roles.is_empty() {
            return None;
        }
        let login = by.rsplit_once('@').map_or(by, |(login, _)| login);
        let is_one = |who: &Who| match who {
            Who::Everybody => true,
            Who::Name(name) => name == login || name == by,
            Who::Group(name) => groups.contains(name),
        };
        let may = |role: &&Role, area: &Area| {
            (role.may.is_empty() || role.may.iter().any(|word| word == deed)) && role.reach.covers(area)
        };
        let area =
            areas.iter().find(|area| !roles.iter().any(|role| role.who.iter().any(is_one) && may(&role, area)))?;
        let others: BTreeSet<String> =
            roles.iter().filter(|role| may(role, area)).flat_map(|role| &role.who).map(ToString::to_string).collect();
        let others: Vec<String> = others.into_iter().collect();
        let who = if others.is_empty() {
            "no role of the fleet file lets anybody".to_owned()
        } else {
            format!("by the roles of the fleet file these may: {}", others.join(", "))
        };
        Some(format!("{login} may not {deed} {area}: {who}"))
    }

    /// [`Rules::refusal`] of a change.
    pub fn refuses(&self, proposal: &Proposal, by: &str, groups: &BTreeSet<String>) -> Option<String> {
        self.refusal(by, groups, proposal.intent.word(), &self.areas(proposal))
    }

    /// [`Rules::refusal`] of doing something to an operation, or of the operation itself.
    pub fn refuses_of(&self, operation: &Operation, by: &str, groups: &BTreeSet<String>, deed: &str) -> Option<String> {
        self.refusal(by, groups, deed, &self.areas_of(operation))
    }

    /// How a change has to be confirmed: as the strictest of the places that it touches asks for.
    pub fn demand(&self, proposal: &Proposal) -> Demand {
        let areas = self.areas(proposal);
        let level = |area: &Area| {
            let fits = self.access.guards.iter().rev().find(|guard| guard.reach.covers(area));
            fits.map_or(Level::default(), |guard| guard.level)
        };
        let strictest = areas.iter().map(level).max().unwrap_or_default();
        let strict = || areas.iter().filter(|area| level(area) == strictest);
        let stacks: BTreeSet<&str> = strict().filter_map(|area| Some(area.stack.as_ref()?.as_str())).collect();
        let regions: BTreeSet<&str> = strict().filter_map(|area| Some(area.region.as_ref()?.as_str())).collect();
        let of_hosts = strict().any(|area| area.stack.is_none());
        let one =
            |names: &BTreeSet<&str>| if names.len() == 1 { names.first().map(|name| (*name).to_owned()) } else { None };
        let stack = if of_hosts { None } else { one(&stacks) };
        let host = match &proposal.intent {
            Intent::Host { host, .. } => Some(host.to_string()),
            _ => None,
        };
        let name = host.or(stack).or_else(|| one(&regions)).unwrap_or_else(|| self.fleet.clone());
        Demand { level: strictest, name }
    }

    /// Why a change is not confirmed as it has to be; none where it is. Who asked once has confirmed it, as far as can be
    /// told here.
    pub fn unconfirmed(&self, proposal: &Proposal) -> Option<String> {
        let demand = self.demand(proposal);
        let is_typed = proposal.confirmed.as_ref() == Some(&demand.name);
        (demand.level == Level::Name && !is_typed).then(|| {
            format!(
                "{} is guarded: its name has to be typed to confirm this (`--confirm {}`)",
                demand.name, demand.name
            )
        })
    }

    /// The places that a change touches.
    fn areas(&self, proposal: &Proposal) -> BTreeSet<Area> {
        let mut areas: BTreeSet<Area> = proposal
            .assignments
            .keys()
            .map(|(service, region)| Area { stack: Some(service.stack.clone()), region: Some(region.clone()) })
            .collect();
        for stack in proposal.stacks.keys().chain(proposal.revisions.iter().map(|revision| &revision.service.stack)) {
            if !areas.iter().any(|area| area.stack.as_ref() == Some(stack)) {
                areas.insert(Area { stack: Some(stack.clone()), region: None });
            }
        }
        areas.extend(proposal.hosts.keys().map(|host| self.of_host(host)));
        areas.extend(of_intent(&proposal.intent));
        areas
    }

    /// The places that an operation touches.
    fn areas_of(&self, operation: &Operation) -> BTreeSet<Area> {
        let mut areas: BTreeSet<Area> = operation
            .after
            .iter()
            .flat_map(|(service, regions)| {
                regions.keys().map(|region| Area { stack: Some(service.stack.clone()), region: Some(region.clone()) })
            })
            .collect();
        if let Intent::Host { host, .. } = &operation.intent {
            areas.insert(self.of_host(host));
        }
        areas.extend(of_intent(&operation.intent));
        areas
    }

    /// Where a host is.
    fn of_host(&self, host: &HostName) -> Area {
        Area { stack: None, region: self.hosts.get(host).cloned() }
    }

    /// The place of a container of a stack, for who enters it.
    pub fn inside(&self, host: &HostName, stack: Option<&StackName>) -> BTreeSet<Area> {
        BTreeSet::from([Area { stack: stack.cloned(), ..self.of_host(host) }])
    }
}

/// Regions in which hosts are asked for something that is about no stack.
fn of_intent(intent: &Intent) -> BTreeSet<Area> {
    intent.regions().map(|region| Area { stack: None, region: Some(region.clone()) }).collect()
}

#[cfg(test)]
mod tests;
