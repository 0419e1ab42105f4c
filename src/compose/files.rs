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

/// `secrets` or `configs` of a service that runs as `user`.
pub(super) fn grants(v: &Val<'_>, store: &Store<'_>, secret: bool, user: Option<&str>) -> Vec<FileMount> {
    let mut out: Vec<FileMount> = Vec::new();
    for item in v.items() {
        if let Some(mount) = grant(&item, store, secret, user) {
            if out.iter().any(|old| old.target == mount.target) {
                item.error(format!("there is already a file at {}: give one of them another `target`", mount.target));
            }
            out.push(mount);
        }
    }
    out
}

fn grant(item: &Val<'_>, store: &Store<'_>, secret: bool, user: Option<&str>) -> Option<FileMount> {
    let (mut source, mut target) = (None, None);
    let (mut uid, mut gid, mut mode) = (None, None, DEFAULT_MODE);
    if item.node.map().is_some() {
        item.keys(&["source", "target", "uid", "gid", "mode"], |key, value| match key {
            "source" => source = value.filled(),
            "target" => target = value.filled(),
            "uid" => uid = value.number("a user's number").or(Some(0)),
            "gid" => gid = value.number("a group's number").or(Some(0)),
            _ => mode = readable(&value),
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
    let (uid, gid) = match (uid, gid) {
        (None, None) => owner(user).unwrap_or_else(|| {
            if mode & 0o004 == 0
                && let Some(user) = user.filter(|user| !user.starts_with("root"))
            {
                item.warn(format!(
                    "mode {mode:04o} lets only root read it, and the service runs as `{user}`: say its `uid` in numbers"
                ));
            }
            (0, 0)
        }),
        said => (said.0.unwrap_or(0), said.1.unwrap_or(0)),
    };
    Some(FileMount { name, target, content, secret, uid, gid, mode })
}

/// A mode without the bits to write, which the Compose specification ignores: each replica has a copy of its own.
fn readable(value: &Val<'_>) -> u32 {
    let Some(mode) = file_mode(value) else { return DEFAULT_MODE };
    let kept = mode & !0o222;
    if kept != mode {
        value.warn(format!(
            "the bits to write are ignored, as the Compose specification has it: the file gets {kept:04o}"
        ));
    }
    kept
}

/// Whose a file is when its grant does not say: the user's that the service runs as, where that is given in numbers.
fn owner(user: Option<&str>) -> Option<(u32, u32)> {
    let (uid, gid) = user.map(|user| user.split_once(':').unwrap_or((user, "0")))?;
    Some((uid.parse().ok()?, gid.parse().unwrap_or(0)))
}
