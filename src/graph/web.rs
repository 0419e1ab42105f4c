//! Which service leads to which: from the entry through services to what they depend on, what proxies saw them ask, and
//! the networks they share.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{Desired, EntrySpec, ServiceKey, StackName},
    text::Text,
};

/// One end of a relation. The order is the one in which ends are listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum End {
    /// Where traffic comes in: `:443 shop.example`.
    Entry(String),
    /// A service.
    Service(ServiceKey),
    /// A service that is depended on and that desired state does not know.
    Missing(ServiceKey),
    /// A network: one that no stack owns, or one of a stack that tells of services what nothing else does.
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
    /// Networks of stacks: relations to these are the faintest.
    pub inner: BTreeSet<End>,
    /// Relations that nothing declares and that were seen.
    pub seen: BTreeSet<(ServiceKey, ServiceKey)>,
}

impl Web {
    /// The relations in desired state: `depends_on` and networks of the newest revisions, and `entries` of each service.
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
                    let name = network.name.as_deref().unwrap_or(name);
                    web.relate(here.clone(), End::Network(safe(name)));
                }
            }
        }
        web.share(desired);
        web
    }

    /// Relates services to the networks of their stack where these tell something: of services that no other relation
    /// joins, and not of the whole stack.
    fn share(&mut self, desired: &Desired) {
        let mut members: BTreeMap<(&StackName, &str), Vec<End>> = BTreeMap::new();
        let mut services: BTreeMap<&StackName, usize> = BTreeMap::new();
        for key in desired.services.keys() {
            *services.entry(&key.stack).or_default() += 1;
            let Some(revision) = desired.latest(key) else { continue };
            let owned = desired.stacks.get(&key.stack).map(|shared| &shared.networks);
            let is_outer = |name: &str| owned.and_then(|all| all.get(name)).is_some_and(|network| network.external);
            for name in revision.spec.networks.keys().filter(|name| *name != "default" && !is_outer(name)) {
                members.entry((&key.stack, name)).or_default().push(End::Service(key.clone()));
            }
        }
        for ((stack, name), ends) in members {
            if services.get(stack) == Some(&ends.len()) {
                continue;
            }
            let strangers = |end: &&End| ends.iter().any(|other| other != *end && !self.is_related(end, other));
            let apart: Vec<End> = ends.iter().filter(strangers).cloned().collect();
            let network = End::Network(format!("{stack}_{}", safe(name)));
            for end in apart {
                self.inner.insert(network.clone());
                self.relate(end, network.clone());
            }
        }
    }

    fn is_related(&self, one: &End, other: &End) -> bool {
        let leads = |from: &End, to: &End| self.needs.get(from).is_some_and(|needs| needs.contains(to));
        leads(one, other) || leads(other, one)
    }

    /// Adds that a service was seen to ask another. False when that is known, or one of them is not.
    pub fn see(&mut self, from: &ServiceKey, to: &ServiceKey) -> bool {
        let pair = (from.clone(), to.clone());
        let (from, to) = (End::Service(from.clone()), End::Service(to.clone()));
        let is_new = self.needs.contains_key(&from) && self.needs.get(&from).is_some_and(|needs| !needs.contains(&to));
        if is_new && self.needs.contains_key(&to) {
            self.relate(from, to);
            self.seen.insert(pair);
            return true;
        }
        false
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

    /// The services that are declared to need an end.
    pub fn declared<'a>(&'a self, end: &'a End) -> impl Iterator<Item = &'a ServiceKey> {
        let of = end.service();
        let is_seen = move |from: &ServiceKey| of.is_some_and(|of| self.seen.contains(&(from.clone(), of.clone())));
        self.needed_by(end).filter_map(End::service).filter(move |from| !is_seen(from))
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
        web.inner.clone_from(&self.inner);
        web.seen.clone_from(&self.seen);
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
    let host = entry.host.as_deref().map(|host| format!(" {}", safe(host))).unwrap_or_default();
    let path = entry.path.as_deref().filter(|path| *path != "/").map(safe).unwrap_or_default();
    format!(":{}{host}{path}", entry.port)
}

/// A name out of a stack file as it may be shown.
fn safe(name: &str) -> String {
    Text::new(name).as_str().to_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::model::{
        Attachment, Condition, Dependency, NetworkSpec, Revision, RevisionNo, ServiceSpec, StackShared,
    };

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

    /// Services with the networks they join and what they depend on, all of one stack.
    pub fn stack(services: &[(&str, &[&str], &[&str])]) -> Desired {
        let mut desired = Desired::default();
        let networks = services.iter().flat_map(|(_, networks, _)| *networks);
        let outer = NetworkSpec { external: true, name: Some("edge\u{1b}[31m".into()), ..NetworkSpec::default() };
        let spec = |name: &str| if name == "outer" { outer.clone() } else { NetworkSpec::default() };
        let networks = networks.map(|name| ((*name).to_owned(), spec(name))).collect();
        desired.stacks.insert("s".parse().unwrap(), StackShared { networks, ..StackShared::default() });
        for (name, networks, needs) in services {
            let service: ServiceKey = format!("s/{name}").parse().unwrap();
            let dependency = Dependency { condition: Condition::ServiceStarted, required: true };
            let spec = ServiceSpec {
                networks: networks.iter().map(|name| ((*name).to_owned(), Attachment::default())).collect(),
                depends_on: needs.iter().map(|name| (name.parse().unwrap(), dependency)).collect(),
                ..ServiceSpec::default()
            };
            let revision = Revision {
                service: service.clone(),
                no: RevisionNo(1),
                spec,
                image: String::new(),
                at: Timestamp::UNIX_EPOCH,
                by: String::new(),
                note: String::new(),
                version: 1,
                restores: None,
            };
            desired.services.insert(service.clone(), BTreeMap::new());
            desired.revisions.entry(service).or_default().insert(RevisionNo(1), Arc::new(revision));
        }
        desired
    }

    #[test]
    fn a_network_is_told_of_where_nothing_else_tells_who_meets_there() {
        let of = |services: &[(&str, &[&str], &[&str])]| {
            let web = Web::new(&stack(services), |_| Vec::new());
            let name = |end: &End| end.name(Some(&"s".parse().unwrap()));
            let edges = web.needs.iter().flat_map(|(from, needs)| needs.iter().map(move |to| (from, to)));
            let edges: Vec<String> = edges.map(|(from, to)| format!("{}→{}", name(from), name(to))).collect();
            edges.join(" ")
        };
        let back: &[&str] = &["back"];
        for (what, services, edges) in [
            ("all of the stack meet", &[("a", back, &[][..]), ("b", back, &[])][..], ""),
            ("the default one", &[("a", &["default"], &[]), ("b", &["default"], &[]), ("c", &[], &[])], ""),
            ("two of three", &[("a", back, &[]), ("b", back, &[]), ("c", &[], &[])], "a→s_back b→s_back"),
            ("told already", &[("a", back, &["b"]), ("b", back, &[]), ("c", &[], &[])], "a→b"),
            (
                "told of some",
                &[("a", back, &["b", "c"]), ("b", back, &[]), ("c", back, &[]), ("d", &[], &[])],
                "a→b a→c b→s_back c→s_back",
            ),
            ("no stack's own, with a name that is not safe", &[("a", &["outer"], &[])], "a→edge"),
        ] {
            assert_eq!(of(services), edges, "{what}");
        }
    }

    #[test]
    fn what_was_seen_is_added_once() {
        let mut web = web(&[("web", "api")]);
        let see = |web: &mut Web, from: &str, to: &str| web.see(&from.parse().unwrap(), &to.parse().unwrap());
        assert!(!see(&mut web, "s/web", "s/api"), "declared");
        assert!(see(&mut web, "s/api", "s/web") && !see(&mut web, "s/api", "s/web"));
        assert!(!see(&mut web, "s/api", "s/none") && !see(&mut web, "s/none", "s/api"));
        assert_eq!(web.needs(&end("api")).count(), 1);
        assert_eq!(web.declared(&end("web")).count(), 0);
        assert_eq!(web.declared(&end("api")).count(), 1);
    }
}
