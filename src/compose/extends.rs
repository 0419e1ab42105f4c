//! `extends`: a service that begins as a copy of another, of this file or of another one.

use std::{
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use super::{
    load::{File, Loader, Place, file, parent},
    merge::merge,
    origin::At,
    yaml::{Kind, Node},
};

/// Longest chain of services that extend one another.
const MAX_CHAIN: usize = 32;

/// Most values that services may have once they are extended, all together.
const MAX_GROWN: usize = 200_000;

/// Where the services that may be extended are looked for.
#[derive(Clone, Copy)]
struct Scope<'n> {
    tree: &'n Node,
    /// What earlier `-f` files gave, looked at second.
    earlier: Option<&'n Node>,
    path: &'n Path,
}

impl Scope<'_> {
    fn service(&self, name: &str) -> Option<&Node> {
        let of = |tree: &'_ Node| -> bool { tree.get("services").and_then(|s| s.get(name)).is_some() };
        let tree = if of(self.tree) { self.tree } else { self.earlier? };
        tree.get("services")?.get(name)
    }
}

impl Loader<'_> {
    /// Resolves every `extends` of `tree`, which is the file `path`.
    pub(super) fn extends(&mut self, tree: &mut Node, earlier: Option<&Node>, path: &Path) {
        let Some(services) = tree.get("services").and_then(Node::map) else { return };
        let names: Vec<String> =
            services.iter().filter(|(_, m)| m.node.get("extends").is_some()).map(|(name, _)| name.clone()).collect();
        let mut resolved = Vec::new();
        for name in names {
            let scope = Scope { tree, earlier, path };
            if self.circles.contains(&(path.to_owned(), name.clone())) {
                continue;
            }
            let mut chain = Vec::new();
            match self.resolve(scope, &name, &mut chain) {
                Some(node) => {
                    self.grown += node.size();
                    if self.grown > MAX_GROWN {
                        let message =
                            format!("the services grow to more than {MAX_GROWN} values by extending one another");
                        self.sink.error(&node.at, &format!("services.{name}.extends"), message);
                        self.broken = true;
                        return;
                    }
                    resolved.push((name, node));
                }
                None => self.broken = true,
            }
        }
        let Some(services) = tree.map_mut().and_then(|m| m.get_mut("services")).and_then(|m| m.node.map_mut()) else {
            return;
        };
        for (name, node) in resolved {
            if let Some(member) = services.get_mut(&name) {
                member.node = node;
            }
        }
    }

    /// A service with what it extends merged in, or `None` when that went wrong and was told.
    fn resolve(&mut self, scope: Scope<'_>, name: &str, chain: &mut Vec<(PathBuf, String)>) -> Option<Node> {
        let mut own = scope.service(name)?.clone();
        let Some(extends) = own.map_mut().and_then(|map| map.shift_remove("extends")) else { return Some(own) };
        let node = extends.node;
        let key = format!("services.{name}.extends");
        chain.push((scope.path.to_owned(), name.to_owned()));
        let (target, other) = self.target(&node, &key)?;
        let other = other.filter(|file| file.path != scope.path);
        let path = other.as_ref().map_or(scope.path, |file| file.path.as_path()).to_owned();
        if chain.contains(&(path.clone(), target.clone())) {
            let names: Vec<&str> = chain.iter().map(|(_, n)| n.as_str()).chain([target.as_str()]).collect();
            self.sink.error(
                &node.at,
                &key,
                format!("the services extend one another in a circle: {}", names.join(" → ")),
            );
            self.circles.extend(chain.iter().cloned());
            return None;
        }
        if chain.len() >= MAX_CHAIN {
            self.sink.error(&node.at, &key, format!("more than {MAX_CHAIN} services extend one another"));
            return None;
        }
        let base = match other {
            None => {
                if scope.service(&target).is_none() {
                    self.sink.error(
                        &node.at,
                        &key,
                        format!("there is no service `{target}` in this file: correct the name, or add `file:`"),
                    );
                    return None;
                }
                self.resolve(scope, &target, chain)?
            }
            Some(file) => {
                let tree = self.extended(&file, &node.at, &key)?;
                let scope = Scope { tree: &tree, earlier: None, path: &file.path };
                if scope.service(&target).is_none() {
                    let message = format!("there is no service `{target}` in {}", file.shown.display());
                    self.sink.error(&node.at, &key, message);
                    return None;
                }
                self.resolve(scope, &target, chain)?
            }
        };
        Some(merge(base, own, &["services", name]))
    }

    /// The service and the file that `extends` names.
    fn target(&self, node: &Node, key: &str) -> Option<(String, Option<File>)> {
        const SHAPE: &str = "must be a service's name, or a mapping with `service` and `file`";
        match &node.kind {
            Kind::Scalar { text, .. } => Some((text.clone(), None)),
            Kind::Map(map) => {
                for (name, member) in map {
                    if !matches!(name.as_str(), "service" | "file") {
                        self.sink.error(&member.key_at, &format!("{key}.{name}"), SHAPE);
                    }
                }
                let Some(service) = node.get("service").and_then(Node::scalar) else {
                    self.sink.error(&node.at, key, SHAPE);
                    return None;
                };
                let other = node.get("file").and_then(Node::scalar).map(|path| file(&node.at.file, path));
                Some((service.to_owned(), other))
            }
            _ => {
                self.sink.error(&node.at, key, SHAPE);
                None
            }
        }
    }

    /// Another file's tree, read once.
    fn extended(&mut self, file: &File, at: &At, key: &str) -> Option<Rc<Node>> {
        if let Some(known) = self.extended.get(&file.path) {
            return known.clone();
        }
        let place = Place { base: parent(&file.path), shown: parent(&file.shown), env: Arc::clone(&at.file.env) };
        let tree = self.tree(file, &place, Some((at, key))).map(Rc::new);
        self.extended.insert(file.path.clone(), tree.clone());
        tree
    }
}
