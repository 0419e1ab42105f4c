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
    environment::told,
    interpolate::interpolate,
    merge::merge,
    origin::{At, Origin, clean},
    yaml::{Kind, Node, parse},
};

/// Most files that one stack may consist of.
const MAX_FILES: usize = 200;
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
    read: usize,
    texts: HashMap<PathBuf, Result<Rc<str>, String>>,
    filled: usize,
    /// Values of the extended services so far.
    pub(super) grown: usize,
    pub(super) extended: HashMap<PathBuf, Option<Rc<Node>>>,
    /// Services that extend themselves, which was told.
    pub(super) circles: HashSet<(PathBuf, String)>,
    /// A part of the tree is missing, and that was told.
    pub(super) broken: bool,
}

impl<'a> Loader<'a> {
    pub(super) fn new(sink: &'a Sink) -> Self {
        Self {
            sink,
            read: 0,
            texts: HashMap::new(),
            filled: 0,
            grown: 0,
            extended: HashMap::new(),
            circles: HashSet::new(),
            broken: false,
        }
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

    /// A file's text, read once: a pipe (`-f <(…)`) has it only once.
    pub(super) fn text(&mut self, path: &Path) -> Result<Rc<str>, String> {
        let read = || read_text(path).map(Rc::from);
        self.texts.entry(path.to_owned()).or_insert_with(read).clone()
    }

    /// One file: its documents merged, with variables filled in.
    pub(super) fn tree(&mut self, file: &File, place: &Place, from: Option<(&At, &str)>) -> Option<Node> {
        let origin = place.origin(&file.shown);
        self.read += 1;
        let text =
            if self.read > MAX_FILES { Err(format!("more than {MAX_FILES} files")) } else { self.text(&file.path) };
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
            let list = told(parse_env(&text, false, &lookup), &file.shown, self.sink);
            vars.extend(list.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))));
        }
        vars
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
