//! Secrets and configs: their content is read when the stack is, and granted to services as files.

use std::{cell::RefCell, collections::BTreeMap};

use super::{env::read_text, load::file, typed::Val, volumes::file_mode};
use crate::model::{FileMount, Sensitive};

/// Mode of a granted file where the grant says none: readable by all inside.
const DEFAULT_MODE: u32 = 0o444;

/// Declared secrets and configs, read when a service asks for one.
pub(super) struct Store<'a> {
    secrets: BTreeMap<&'a str, Val<'a>>,
    configs: BTreeMap<&'a str, Val<'a>>,
    read: RefCell<BTreeMap<(bool, String), Option<Sensitive>>>,
}

impl<'a> Store<'a> {
    pub(super) fn new(root: &Val<'a>) -> Self {
        let section = |key: &str| {
            root.get(key)
                .map(|v| v.members().into_iter().filter(|(name, _)| !name.starts_with("x-")).collect())
                .unwrap_or_default()
        };
        let store = Self { secrets: section("secrets"), configs: section("configs"), read: RefCell::default() };
        store.secrets.values().for_each(|v| check(v, true));
        store.configs.values().for_each(|v| check(v, false));
        store
    }

    /// The content; `None` when it cannot be had, which was told.
    fn content(&self, name: &str, secret: bool, from: &Val<'_>) -> Option<Sensitive> {
        let declared = if secret { &self.secrets } else { &self.configs };
        let what = if secret { "secret" } else { "config" };
        let Some(v) = declared.get(name) else {
            from.error(format!("the {what} `{name}` is not declared: add it under the top-level `{what}s:`"));
            return None;
        };
        let key = (secret, name.to_owned());
        if let Some(known) = self.read.borrow().get(&key) {
            return known.clone();
        }
        let content = content(v, what);
        self.read.borrow_mut().insert(key, content.clone());
        content
    }
}

const KEYS: &[&str] =
    &["file", "environment", "content", "external", "name", "labels", "driver", "driver_opts", "template_driver"];

fn check(v: &Val<'_>, secret: bool) {
    v.keys(KEYS, |key, value| match key {
        "driver" | "driver_opts" | "template_driver" => {
            value.error("not supported: wharf reads the content itself, from `file:`, `environment:` or `content:`");
        }
        "name" if v.get("external").is_none() => {
            value.warn("ignored: the file is made from the content, not from a Swarm object");
        }
        "labels" => value.warn("ignored: the file is made from the content, not from a Swarm object"),
        "content" if secret => {
            value.error("a secret's content does not belong in the Compose file: use `file:` or `environment:`");
        }
        _ => {}
    });
}

fn content(v: &Val<'_>, what: &str) -> Option<Sensitive> {
    let external = v.get("external").is_some_and(|e| e.node.map().is_some() || e.bool().unwrap_or_default());
    if external {
        v.error(format!(
            "an external {what} is in Swarm, where wharf cannot read it: give its content with `file:` or `environment:`"
        ));
        return None;
    }
    let sources: Vec<Val<'_>> = ["file", "environment", "content"].iter().filter_map(|key| v.get(key)).collect();
    let [source] = sources.as_slice() else {
        v.error(if sources.is_empty() {
            "needs `file:` with a path, or `environment:` with a variable's name".to_owned()
        } else {
            "has more than one of `file`, `environment` and `content`: keep one".to_owned()
        });
        return None;
    };
    if v.get("content").is_some() {
        return source.string().map(Sensitive);
    }
    if v.get("environment").is_some() {
        let name = source.filled()?;
        let value = source.node.at.file.env.get(&name).map(|value| Sensitive(value.to_owned()));
        if value.is_none() {
            source.error(format!("the variable `{name}` is not set: set it where wharf runs, or in `.env`"));
        }
        return value;
    }
    let path = file(&source.node.at.file, &source.filled()?);
    match read_text(&path.path) {
        Ok(text) => Some(Sensitive(text)),
        Err(why) => {
            let hint =
                if why.contains("UTF-8") { "; wharf hands on text only, so encode it or use a volume" } else { "" };
            source.error(format!("{} cannot be read: {why}{hint}", path.shown.display()));
            None
        }
    }
}

/// `secrets` or `configs` of a service.
pub(super) fn grants(v: &Val<'_>, store: &Store<'_>, secret: bool) -> Vec<FileMount> {
    let mut out: Vec<FileMount> = Vec::new();
    for item in v.items() {
        if let Some(mount) = grant(&item, store, secret) {
            if out.iter().any(|old| old.target == mount.target) {
                item.error(format!("there is already a file at {}: give one of them another `target`", mount.target));
            }
            out.push(mount);
        }
    }
    out
}

fn grant(item: &Val<'_>, store: &Store<'_>, secret: bool) -> Option<FileMount> {
    let (mut source, mut target) = (None, None);
    let (mut uid, mut gid, mut mode) = (0, 0, DEFAULT_MODE);
    if item.node.map().is_some() {
        item.keys(&["source", "target", "uid", "gid", "mode"], |key, value| match key {
            "source" => source = value.filled(),
            "target" => target = value.filled(),
            "uid" => uid = value.number("a user's number").unwrap_or_default(),
            "gid" => gid = value.number("a group's number").unwrap_or_default(),
            _ => mode = file_mode(&value).unwrap_or(DEFAULT_MODE),
        });
        if item.get("source").is_none() {
            item.error("`source`, the name under the top-level key, is missing");
        }
    } else {
        source = item.filled();
    }
    let name = source?;
    let directory = if secret { "/run/secrets/" } else { "/" };
    let target = target.unwrap_or_else(|| name.clone());
    let target = if target.starts_with('/') { target } else { format!("{directory}{target}") };
    let content = store.content(&name, secret, item)?;
    Some(FileMount { name, target, content, secret, uid, gid, mode })
}
