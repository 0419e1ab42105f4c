//! Files, and places in them.

use std::{
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use super::env::Env;

/// A file that nodes come from.
#[derive(Debug)]
pub(super) struct Origin {
    /// The path as the person named it.
    pub path: PathBuf,
    /// The directory that relative paths in it start from: absolute.
    pub base: PathBuf,
    /// The same directory as the person would name it.
    pub shown_base: PathBuf,
    /// The variables that hold in this file.
    pub env: Arc<Env>,
}

impl Origin {
    /// A path written in this file: absolute, and as the person would name it. `~` is the operator's home.
    pub(super) fn resolve(&self, path: &str) -> (PathBuf, PathBuf) {
        let home = || self.env.get("HOME").filter(|home| home.starts_with('/'));
        let path = match (path.strip_prefix('~'), home()) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => format!("{home}{rest}"),
            _ => path.to_owned(),
        };
        (clean(&self.base.join(&path)), clean(&self.shown_base.join(&path)))
    }
}

/// Without `.` and `x/..`, by the words alone: what a link points to may not even be on this machine.
pub(super) fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => match out.components().next_back() {
                Some(Component::Normal(_)) => {
                    out.pop();
                }
                Some(Component::RootDir) => {}
                _ => out.push(".."),
            },
            part => out.push(part),
        }
    }
    out
}

/// A place in a file.
#[derive(Debug, Clone)]
pub(super) struct At {
    /// The file.
    pub file: Arc<Origin>,
    /// From 1; 0 for the whole file.
    pub line: usize,
    /// From 1; 0 for the whole line.
    pub column: usize,
}

impl At {
    /// The file as a whole.
    pub(super) fn file(file: &Arc<Origin>) -> Self {
        Self { file: Arc::clone(file), line: 0, column: 0 }
    }

    /// The place in words, for a message about another place.
    pub(super) fn words(&self) -> String {
        format!("{}:{}:{}", self.file.path.display(), self.line, self.column)
    }
}
