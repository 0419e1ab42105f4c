//! `include`: other projects, with their own directory and variables, whose parts become parts of this one.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    env::Env,
    load::{File, Loader, Place, file, parent},
    yaml::{Kind, Map, Member, Node},
};

/// Longest chain of `include`.
const MAX_INCLUDES: usize = 16;

impl Loader<'_> {
    /// `include`: other projects whose services, networks and so on become part of this one.
    pub(super) fn include(&mut self, tree: &mut Node, path: &Path, place: &Place, open: &[PathBuf]) {
        let Some(included) = tree.map_mut().and_then(|map| map.shift_remove("include")) else { return };
        let mut open = open.to_vec();
        open.push(path.to_owned());
        let items = match included.node.kind {
            Kind::List(items) => items,
            Kind::Null => return,
            _ => {
                self.sink.error(&included.node.at, "include", "must be a list: `include: [other/compose.yaml]`");
                return;
            }
        };
        for (i, item) in items.iter().enumerate() {
            let key = format!("include[{i}]");
            match self.included(item, &key, place, &open) {
                Some(other) => self.import(tree, other),
                None => self.broken = true,
            }
        }
    }

    fn included(&mut self, item: &Node, key: &str, place: &Place, open: &[PathBuf]) -> Option<Node> {
        let origin = &item.at.file;
        if let Some(map) = item.map() {
            for (name, member) in map {
                if !matches!(name.as_str(), "path" | "project_directory" | "env_file") {
                    let message = "is not known here: `path`, `project_directory` and `env_file` are";
                    self.sink.error(&member.key_at, &format!("{key}.{name}"), message);
                }
            }
        }
        let paths = match item.scalar() {
            Some(path) => vec![path],
            None if item.get("path").is_none() => Vec::new(),
            None => self.words(item.get("path"), &format!("{key}.path"))?,
        };
        let files: Vec<File> = paths.into_iter().map(|path| file(origin, path)).collect();
        let Some(first) = files.first() else {
            self.sink.error(&item.at, key, "must be a path, or a mapping with `path`");
            return None;
        };
        if let Some(again) = files.iter().find(|file| open.contains(&file.path)) {
            let shown = again.shown.display();
            self.sink.error(
                &item.at,
                key,
                format!("{shown} includes itself, through the files it includes: remove this one"),
            );
            return None;
        }
        if open.len() > MAX_INCLUDES {
            self.sink.error(&item.at, key, format!("more than {MAX_INCLUDES} files include one another"));
            return None;
        }
        let (base, shown) = match item.get("project_directory").and_then(Node::scalar) {
            Some(directory) => origin.resolve(directory),
            None => (parent(&first.path), parent(&first.shown)),
        };
        let env_files = match item.get("env_file") {
            Some(node) => self
                .words(Some(node), &format!("{key}.env_file"))?
                .into_iter()
                .map(|path| (file(origin, path), true))
                .collect(),
            None => vec![(File { path: base.join(".env"), shown: shown.join(".env") }, false)],
        };
        let mut vars = self.dotenv(&env_files, &place.env, (&item.at, key));
        vars.extend(place.env.0.clone());
        let place = Place { base, shown, env: Arc::new(Env(vars)) };
        self.project(&files, &place, open, Some((&item.at, key)))
    }

    /// A word or a list of words.
    fn words<'n>(&self, node: Option<&'n Node>, key: &str) -> Option<Vec<&'n str>> {
        let node = node?;
        let words = match &node.kind {
            Kind::Scalar { text, .. } => Some(vec![text.as_str()]),
            Kind::List(items) => items.iter().map(Node::scalar).collect(),
            Kind::Null | Kind::Map(_) => None,
        };
        if words.is_none() {
            self.sink.error(&node.at, key, format!("must be a path or a list of paths, this is {}", node.what()));
        }
        words
    }

    /// Takes over what an included project has. The same name twice is an error, unless both say the same.
    fn import(&self, tree: &mut Node, other: Node) {
        let Kind::Map(mut other) = other.kind else { return };
        for section in ["services", "networks", "volumes", "secrets", "configs"] {
            let Some(from) = other.shift_remove(section) else { continue };
            let Kind::Map(from_map) = from.node.kind else { continue };
            let Some(into) = tree.map_mut() else { return };
            let own = into.entry(section.to_owned()).or_insert_with(|| Member {
                key_at: from.key_at,
                node: Node::new(from.node.at, Kind::Map(Map::new())),
            });
            if own.node.is_null() {
                own.node.kind = Kind::Map(Map::new());
            }
            let Some(own) = own.node.map_mut() else { continue };
            for (name, member) in from_map {
                match own.get(&name) {
                    None => {
                        own.insert(name, member);
                    }
                    Some(mine) if mine.node.same(&member.node) => {}
                    Some(mine) => {
                        let what = section.strip_suffix('s').unwrap_or(section);
                        self.sink.error(
                            &mine.key_at,
                            &format!("{section}.{name}"),
                            format!(
                                "the {what} `{name}` also comes from the included {}: rename one, or override it in a further `-f` file",
                                member.key_at.words()
                            ),
                        );
                    }
                }
            }
        }
    }
}
