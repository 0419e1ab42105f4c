//! From files to one tree: documents, interpolation, `include`, `extends`, several `-f`.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use super::{
    diagnostic::Sink,
    env::{Env, parse_env, read_text},
    interpolate::interpolate,
    merge::merge,
    yaml::{At, Kind, Map, Node, Origin, clean, parse},
};

/// Most files that one stack may consist of.
const MAX_FILES: usize = 200;
/// Longest chain of `include`.
const MAX_INCLUDES: usize = 16;
/// Most bytes that variables may add up to, over all files.
const MAX_FILLED: usize = 32 << 20;

/// Where a project's files are and what holds in them.
#[derive(Clone)]
pub(super) struct Place {
    /// The directory that relative paths start from: absolute.
    pub base: PathBuf,
    /// The same as the person would name it.
    pub shown: PathBuf,
    pub env: Arc<Env>,
}

impl Place {
    pub(super) fn origin(&self, path: &Path) -> Arc<Origin> {
        Arc::new(Origin {
            path: path.to_owned(),
            base: self.base.clone(),
            shown_base: self.shown.clone(),
            env: Arc::clone(&self.env),
        })
    }
}

/// A file to read: its absolute path and the name the person knows it by.
#[derive(Clone)]
pub(super) struct File {
    pub path: PathBuf,
    pub shown: PathBuf,
}

/// Reads files into trees. Problems go to the sink.
pub(super) struct Loader<'a> {
    pub sink: &'a Sink,
    pub(super) read: usize,
    filled: usize,
    pub(super) extended: HashMap<PathBuf, Option<Rc<Node>>>,
    /// Services that extend themselves, which was told.
    pub(super) circles: HashSet<(PathBuf, String)>,
    /// A part of the tree is missing, and that was told.
    pub(super) broken: bool,
}

impl<'a> Loader<'a> {
    pub(super) fn new(sink: &'a Sink) -> Self {
        Self { sink, read: 0, filled: 0, extended: HashMap::new(), circles: HashSet::new(), broken: false }
    }

    /// The files of one project, merged. `open` are the files whose `include`s led here, `from` the place that
    /// named the files (none: the command line).
    pub(super) fn project(
        &mut self,
        files: &[File],
        place: &Place,
        open: &[PathBuf],
        from: Option<(&At, &str)>,
    ) -> Option<Node> {
        let mut root: Option<Node> = None;
        for file in files {
            let Some(mut tree) = self.tree(file, place, from) else { continue };
            self.include(&mut tree, &file.path, place, open);
            self.extends(&mut tree, root.as_ref(), &file.path);
            root = Some(match root {
                Some(base) => merge(base, tree, &[]),
                None => tree,
            });
        }
        root
    }

    /// One file: its documents merged, with variables filled in.
    pub(super) fn tree(&mut self, file: &File, place: &Place, from: Option<(&At, &str)>) -> Option<Node> {
        let origin = place.origin(&file.shown);
        self.read += 1;
        let text =
            if self.read > MAX_FILES { Err(format!("more than {MAX_FILES} files")) } else { read_text(&file.path) };
        let text = match text {
            Ok(text) => text,
            Err(why) => {
                match from {
                    Some((at, key)) => {
                        self.sink.error(at, key, format!("{} cannot be read: {why}", file.shown.display()));
                    }
                    None => self.sink.error(&At::file(&origin), "", format!("the Compose file cannot be read: {why}")),
                }
                self.broken = true;
                return None;
            }
        };
        let Some(documents) = parse(&text, &origin, self.sink) else {
            self.broken = true;
            return None;
        };
        let mut root: Option<Node> = None;
        for mut document in documents {
            match document.kind {
                Kind::Null => continue,
                Kind::Map(_) => {}
                _ => {
                    let what = document.what();
                    self.sink.error(
                        &document.at,
                        "",
                        format!("a Compose file is a mapping with `services:`, this is {what}"),
                    );
                    self.broken = true;
                    return None;
                }
            }
            self.fill(&mut document, &mut Vec::new());
            root = Some(match root {
                Some(base) => merge(base, document, &[]),
                None => document,
            });
        }
        if root.is_none() {
            self.broken = true;
            self.sink.error(&At::file(&origin), "", "the file is empty: a Compose file has `services:`");
        }
        root
    }

    /// Fills variables in everywhere but in what is ignored anyway.
    fn fill(&mut self, node: &mut Node, path: &mut Vec<String>) {
        match &mut node.kind {
            Kind::Null => {}
            Kind::Scalar { text, .. } => {
                if !text.contains('$') {
                    return;
                }
                let key = join(path);
                let env = Arc::clone(&node.at.file.env);
                match interpolate(text, &|name| env.get(name).map(str::to_owned)) {
                    Ok(filled) => {
                        for name in &filled.unset {
                            self.sink.unset(&node.at, &key, name);
                        }
                        self.filled += filled.text.len();
                        if self.filled > MAX_FILLED {
                            self.sink.error(&node.at, &key, "the files grow too large with their variables filled in");
                            text.clear();
                        } else {
                            *text = filled.text;
                        }
                    }
                    Err(message) => {
                        self.broken = true;
                        self.sink.error(&node.at, &key, message);
                    }
                }
            }
            Kind::List(items) => {
                for (i, item) in items.iter_mut().enumerate() {
                    path.push(format!("[{i}]"));
                    self.fill(item, path);
                    path.pop();
                }
            }
            Kind::Map(map) => {
                let extensible = path.is_empty() || (path.len() == 2 && path.first().is_some_and(|p| p == "services"));
                for (key, member) in map {
                    if extensible && key.starts_with("x-") && key != "x-wharf" {
                        continue;
                    }
                    path.push(key.clone());
                    self.fill(&mut member.node, path);
                    path.pop();
                }
            }
        }
    }

    /// `include`: other projects whose services, networks and so on become part of this one.
    fn include(&mut self, tree: &mut Node, path: &Path, place: &Place, open: &[PathBuf]) {
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

    /// Variables of env files; those that need not be there may be missing. `env` is seen first.
    pub(super) fn dotenv(&self, files: &[(File, bool)], env: &Env, from: (&At, &str)) -> BTreeMap<String, String> {
        let mut vars = BTreeMap::new();
        for (file, required) in files {
            if !required && !file.path.exists() {
                continue;
            }
            let text = match read_text(&file.path) {
                Ok(text) => text,
                Err(why) => {
                    self.sink.error(from.0, from.1, format!("{} cannot be read: {why}", file.shown.display()));
                    continue;
                }
            };
            let lookup = |name: &str| env.get(name).map(str::to_owned).or_else(|| vars.get(name).cloned());
            match parse_env(&text, false, &lookup) {
                Ok(list) => {
                    vars.extend(list.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))));
                }
                Err(error) => {
                    let place = Place { base: PathBuf::new(), shown: PathBuf::new(), env: Arc::default() };
                    let at = At { file: place.origin(&file.shown), line: error.line, column: 0 };
                    self.sink.error(&at, "", error.message);
                }
            }
        }
        vars
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
            let own = into.entry(section.to_owned()).or_insert_with(|| super::yaml::Member {
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

/// A file named in another one.
pub(super) fn file(origin: &Origin, path: &str) -> File {
    let (path, shown) = origin.resolve(path);
    File { path, shown }
}

/// The directory a file is in; empty for a bare name.
pub(super) fn parent(path: &Path) -> PathBuf {
    clean(path.parent().unwrap_or(Path::new("")))
}

/// `services.web.ports[0]` from its parts.
pub(super) fn join(path: &[String]) -> String {
    let mut out = String::new();
    for part in path {
        if !out.is_empty() && !part.starts_with('[') {
            out.push('.');
        }
        out.push_str(part);
    }
    out
}
