//! How a later file overrides an earlier one, and a service the one it extends.

use indexmap::IndexMap;

use super::yaml::{Kind, Map, Member, Node, Tag};

/// How two values of one key become one.
enum Rule {
    /// Mappings merge, lists are joined, anything else is replaced.
    Deep,
    /// The later one.
    Replace,
    /// `K=V` lists and mappings, as mappings.
    Pairs,
    /// Lists of names and mappings, as mappings.
    Names,
    /// Single values and lists, as lists without repetition.
    Join,
    /// Lists whose items have a key; the later item of a key replaces the earlier.
    Keyed(fn(&Node) -> String),
    /// `logging`: options only merge when the driver is the same.
    Logging,
}

/// Keys of a service whose lists are joined without repetition.
const JOINED: &[&str] = &[
    "env_file",
    "label_file",
    "dns",
    "dns_search",
    "dns_opt",
    "tmpfs",
    "expose",
    "extra_hosts",
    "cap_add",
    "cap_drop",
    "security_opt",
    "group_add",
    "profiles",
    "device_cgroup_rules",
];

fn rule(path: &[&str]) -> Rule {
    match path {
        ["services", _, rest @ ..] => match rest {
            ["environment" | "labels" | "annotations" | "sysctls" | "storage_opt"]
            | ["deploy", "labels"]
            | ["build", "args" | "labels"] => Rule::Pairs,
            ["depends_on" | "networks"] => Rule::Names,
            ["command" | "entrypoint"] | ["healthcheck", "test"] | ["x-wharf", "test" | "entry" | "regions"] => {
                Rule::Replace
            }
            [key] if JOINED.contains(key) => Rule::Join,
            ["ports"] => Rule::Keyed(port_key),
            ["volumes"] => Rule::Keyed(volume_key),
            ["devices"] => Rule::Keyed(device_key),
            ["secrets" | "configs"] => Rule::Keyed(grant_key),
            ["logging"] => Rule::Logging,
            _ => Rule::Deep,
        },
        ["networks", _, "ipam", "config"] => Rule::Keyed(|node| field(node, "subnet")),
        ["networks" | "volumes" | "secrets" | "configs", _, "labels"] => Rule::Pairs,
        _ => Rule::Deep,
    }
}

/// `base` with what `over` says. `path` is where both are, from the root of the file.
pub(super) fn merge(base: Node, over: Node, path: &[&str]) -> Node {
    match over.tag {
        // The mark stays, so that it also holds against a file merged underneath later; `strip` ends it.
        Tag::Reset => return Node { kind: Kind::Null, ..over },
        Tag::Override => return over,
        Tag::None => {}
    }
    if over.is_null() {
        return base;
    }
    if base.is_null() {
        return Node { tag: base.tag_that_stays(), ..over };
    }
    let tag = base.tag_that_stays();
    let mut merged = match rule(path) {
        Rule::Replace => over,
        Rule::Deep => deep(base, over, path),
        Rule::Pairs => deep(pairs(base), pairs(over), path),
        Rule::Names => deep(names(base), names(over), path),
        Rule::Join => keyed(listed(base), listed(over), text_key),
        Rule::Keyed(key) => keyed(base, over, key),
        Rule::Logging => {
            let driver = |node: &Node| node.get("driver").and_then(Node::scalar).map(str::to_owned);
            match (driver(&base), driver(&over)) {
                (Some(a), Some(b)) if a != b => over,
                _ => deep(base, over, path),
            }
        }
    };
    merged.tag = tag;
    merged
}

impl Node {
    /// What a value was marked with against earlier files still holds once a later one was merged onto it,
    /// except that a removed value with a new one is a replacement.
    fn tag_that_stays(&self) -> Tag {
        if self.tag == Tag::None { Tag::None } else { Tag::Override }
    }
}

/// Items of a list that a further one is compared with.
const MAX_COMPARED: usize = 500;

fn deep(mut base: Node, over: Node, path: &[&str]) -> Node {
    match (&mut base.kind, over.kind) {
        (Kind::Map(into), Kind::Map(from)) => {
            for (key, member) in from {
                let merged = match into.get_mut(&key) {
                    None => member,
                    Some(old) => {
                        let old = std::mem::replace(&mut old.node, Node::new(member.key_at.clone(), Kind::Null));
                        let mut path = path.to_vec();
                        path.push(&key);
                        Member { node: merge(old, member.node, &path), key_at: member.key_at }
                    }
                };
                into.insert(key, merged);
            }
            base
        }
        (Kind::List(into), Kind::List(from)) => {
            // What is there already is not there twice; beyond that length nobody repeats by hand.
            let known = into.len().min(MAX_COMPARED);
            for item in from {
                if !into.iter().take(known).any(|old| old.same(&item)) {
                    into.push(item);
                }
            }
            base
        }
        (_, kind) => Node { at: over.at, tag: over.tag, kind },
    }
}

/// A list of `K=V` as a mapping; `K` alone is a key without a value.
fn pairs(node: Node) -> Node {
    let Kind::List(items) = node.kind else { return node };
    let mut map = Map::new();
    for item in items {
        let key_at = item.at.clone();
        let (key, value) = match item.scalar().map(|text| (text, text.split_once('='))) {
            Some((_, Some((key, value)))) => (key.to_owned(), Node::text(item.at.clone(), value)),
            Some((key, None)) => (key.to_owned(), Node::new(item.at.clone(), Kind::Null)),
            // Not a pair: kept, so that reading it gives the error.
            None => (String::new(), item),
        };
        map.insert(key, Member { key_at, node: value });
    }
    Node { kind: Kind::Map(map), at: node.at, tag: node.tag }
}

fn names(node: Node) -> Node {
    match node.kind {
        Kind::List(items) if items.iter().all(|item| item.scalar().is_some()) => {
            let member = |item: Node| {
                let name = item.scalar().unwrap_or_default().to_owned();
                (name, Member { key_at: item.at.clone(), node: Node::new(item.at, Kind::Null) })
            };
            Node { kind: Kind::Map(items.into_iter().map(member).collect()), at: node.at, tag: node.tag }
        }
        _ => node,
    }
}

fn listed(node: Node) -> Node {
    let Node { at, tag, kind } = node;
    let kind = match kind {
        // `extra_hosts` may be a mapping: NAME: ADDRESS or NAME: [ADDRESS, …].
        Kind::Map(map) => Kind::List(
            map.into_iter()
                .flat_map(|(key, member)| {
                    let values = match member.node.kind {
                        Kind::List(items) => items,
                        _ => vec![member.node],
                    };
                    values.into_iter().map(move |v| {
                        let text = format!("{key}={}", v.scalar().unwrap_or_default());
                        Node::text(v.at, text)
                    })
                })
                .collect(),
        ),
        list @ Kind::List(_) => list,
        single => Kind::List(vec![Node { at: at.clone(), tag: Tag::None, kind: single }]),
    };
    Node { at, tag, kind }
}

fn keyed(base: Node, over: Node, key: fn(&Node) -> String) -> Node {
    match (base.kind, over.kind) {
        (Kind::List(first), Kind::List(second)) => {
            let mut merged: IndexMap<String, Node> = IndexMap::new();
            for item in first.into_iter().chain(second) {
                merged.insert(key(&item), item);
            }
            Node { at: base.at, tag: base.tag, kind: Kind::List(merged.into_values().collect()) }
        }
        (_, kind) => Node { at: over.at, tag: over.tag, kind },
    }
}

fn field(node: &Node, key: &str) -> String {
    node.get(key).and_then(Node::scalar).unwrap_or_default().to_owned()
}

fn text_key(node: &Node) -> String {
    node.scalar().map_or_else(|| field(node, "path"), str::to_owned)
}

fn port_key(node: &Node) -> String {
    let protocol = |p: String| if p.is_empty() { "tcp".to_owned() } else { p };
    let (ip, published, target, protocol) = match node.scalar() {
        Some(text) => {
            let (ports, p) = text.split_once('/').unwrap_or((text, "tcp"));
            let (outside, target) = ports.rsplit_once(':').unwrap_or(("", ports));
            let (ip, published) = outside.rsplit_once(':').unwrap_or(("", outside));
            (ip.to_owned(), published.to_owned(), target.to_owned(), p.to_owned())
        }
        None => {
            (field(node, "host_ip"), field(node, "published"), field(node, "target"), protocol(field(node, "protocol")))
        }
    };
    format!("{ip}:{published}:{target}/{protocol}")
}

fn volume_key(node: &Node) -> String {
    match node.scalar() {
        Some(text) => {
            let mut parts = text.split(':');
            let first = parts.next().unwrap_or_default();
            parts.next().unwrap_or(first).trim_end_matches('/').to_owned()
        }
        None => field(node, "target").trim_end_matches('/').to_owned(),
    }
}

fn device_key(node: &Node) -> String {
    match node.scalar() {
        Some(text) => {
            let mut parts = text.split(':');
            let first = parts.next().unwrap_or_default();
            parts.next().unwrap_or(first).to_owned()
        }
        None => field(node, "target"),
    }
}

fn grant_key(node: &Node) -> String {
    match node.scalar() {
        Some(text) => text.to_owned(),
        None => Some(field(node, "target")).filter(|t| !t.is_empty()).unwrap_or_else(|| field(node, "source")),
    }
}

/// Removes what `!reset` marked.
pub(super) fn strip(node: &mut Node) {
    match &mut node.kind {
        Kind::Map(map) => {
            map.retain(|_, member| member.node.tag != Tag::Reset);
            map.values_mut().for_each(|member| strip(&mut member.node));
        }
        Kind::List(items) => {
            items.retain(|item| item.tag != Tag::Reset);
            items.iter_mut().for_each(strip);
        }
        Kind::Null | Kind::Scalar { .. } => {}
    }
}
