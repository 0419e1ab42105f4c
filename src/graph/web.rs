//! Which service leads to which: from the entry through services to what they depend on and the networks they share.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Desired, EntrySpec, ServiceKey, StackName};

/// One end of a relation. The order is the one in which ends are listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Where traffic comes in: `:443 shop.example`.
    Entry(String),
    /// A service.
    Service(ServiceKey),
    /// A service that is depended on and that desired state does not know.
    Missing(ServiceKey),
    /// A network that no stack owns.
    Network(String),
}

impl End {
    /// The service, known or not.
    pub fn service(&self) -> Option<&ServiceKey> {
        match self {
            Self::Service(key) | Self::Missing(key) => Some(key),
            Self::Entry(_) | Self::Network(_) => None,
        }
    }

    /// Its name, without the stack where that is `home`.
    pub fn name(&self, home: Option<&StackName>) -> String {
        match self {
            Self::Entry(name) | Self::Network(name) => name.clone(),
            Self::Service(key) | Self::Missing(key) if Some(&key.stack) == home => key.service.to_string(),
            Self::Service(key) | Self::Missing(key) => key.to_string(),
        }
    }
}

/// All ends and the relations between them, each from what needs to what is needed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Web {
    /// What needs, and what it needs.
    pub needs: BTreeMap<End, BTreeSet<End>>,
    /// The same the other way round.
    pub needed_by: BTreeMap<End, BTreeSet<End>>,
}

impl Web {
    /// The relations in desired state: `depends_on` and external networks of the newest revisions, and `entries` of
    /// each service.
    pub fn new(desired: &Desired, entries: impl Fn(&ServiceKey) -> Vec<EntrySpec>) -> Self {
        let mut web = Self::default();
        for key in desired.services.keys() {
            let here = End::Service(key.clone());
            web.needs.entry(here.clone()).or_default();
            for entry in entries(key) {
                web.relate(End::Entry(entry_name(&entry)), here.clone());
            }
            let Some(revision) = desired.latest(key) else { continue };
            for name in revision.spec.depends_on.keys() {
                let other = ServiceKey { stack: key.stack.clone(), service: name.clone() };
                let is_there = desired.services.contains_key(&other);
                web.relate(here.clone(), if is_there { End::Service(other) } else { End::Missing(other) });
            }
            let shared = desired.stacks.get(&key.stack);
            for name in revision.spec.networks.keys() {
                let network = shared.and_then(|shared| shared.networks.get(name));
                if let Some(network) = network.filter(|network| network.external) {
                    let name = network.name.clone().unwrap_or_else(|| name.clone());
                    web.relate(here.clone(), End::Network(name));
                }
            }
        }
        web
    }

    fn relate(&mut self, from: End, to: End) {
        self.needed_by.entry(to.clone()).or_default().insert(from.clone());
        self.needs.entry(to.clone()).or_default();
        self.needs.entry(from).or_default().insert(to);
    }

    /// What an end needs.
    pub fn needs(&self, end: &End) -> impl Iterator<Item = &End> {
        self.needs.get(end).into_iter().flatten()
    }

    /// What needs an end.
    pub fn needed_by(&self, end: &End) -> impl Iterator<Item = &End> {
        self.needed_by.get(end).into_iter().flatten()
    }

    /// Everything that an end needs, directly or not, the nearest first.
    pub fn all_needs(&self, end: &End) -> Vec<&End> {
        let mut found: Vec<&End> = Vec::new();
        let mut known = BTreeSet::from([end]);
        let mut row: Vec<&End> = self.needs(end).collect();
        while !row.is_empty() {
            row.retain(|end| known.insert(*end));
            found.extend(&row);
            row = row.iter().flat_map(|end| self.needs(end)).collect();
        }
        found
    }

    /// Only what is of a stack or a service, and what that touches.
    #[must_use]
    pub fn within(&self, is_in: impl Fn(&ServiceKey) -> bool) -> Self {
        let mut web = Self::default();
        let holds = |end: &End| matches!(end, End::Service(key) if is_in(key));
        for (from, needs) in &self.needs {
            if holds(from) {
                web.needs.entry(from.clone()).or_default();
            }
            for to in needs.iter().filter(|to| holds(from) || holds(to)) {
                web.relate(from.clone(), to.clone());
            }
        }
        web
    }
}

fn entry_name(entry: &EntrySpec) -> String {
    let host = entry.host.as_deref().map(|host| format!(" {host}")).unwrap_or_default();
    let path = entry.path.as_deref().filter(|path| *path != "/").unwrap_or_default();
    format!(":{}{host}{path}", entry.port)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A web of edges; names that begin with `:` are entries.
    pub fn web(edges: &[(&str, &str)]) -> Web {
        let mut web = Web::default();
        for (from, to) in edges {
            web.relate(end(from), end(to));
        }
        web
    }

    pub fn end(name: &str) -> End {
        if name.starts_with(':') {
            End::Entry(name.to_owned())
        } else {
            End::Service(format!("s/{name}").parse().unwrap())
        }
    }

    #[test]
    fn what_is_needed_is_found_once_also_in_a_circle() {
        let web = web(&[(":80", "web"), ("web", "api"), ("api", "db"), ("db", "web"), ("api", "cache")]);
        let names: Vec<String> =
            web.all_needs(&end("web")).iter().map(|end| end.name(Some(&"s".parse().unwrap()))).collect();
        assert_eq!(names, ["api", "cache", "db"]);
        let part = web.within(|key| key.service.as_str() == "api");
        assert_eq!(part.needs.len(), 4, "{part:?}");
    }
}
