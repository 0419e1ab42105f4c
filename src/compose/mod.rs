//! Compose file to [`model::StackSpec`](crate::model::StackSpec), with errors that name file, line and key.
//!
//! The way of a file: YAML with every scalar as written (`yaml`), variables filled in (`interpolate`),
//! `include`, `extends` and further files merged (`load`, `extends`, `merge`), profiles chosen and every key
//! read as the type it has (`stack`, `service` and its neighbours). A key that wharf does not carry out is an
//! error, or a warning where ignoring it is harmless (`refused`); none is dropped without a word.
//!
//! Values keep the text that was written: `1.0`, `0755` and `yes` in `environment` arrive as they stand, where
//! other programs turn them into numbers first.

mod certificate;
mod deploy;
mod devices;
mod diagnostic;
mod env;
mod environment;
mod extends;
mod files;
mod health;
mod include;
mod interpolate;
mod load;
mod merge;
mod networks;
mod numbers;
mod origin;
mod ports;
mod refused;
mod service;
mod stack;
mod typed;
mod volumes;
mod wharf;
mod yaml;

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

pub use diagnostic::{Diagnostic, Errors};

use self::{
    diagnostic::Sink,
    env::Env,
    load::{File, Loader, Place, parent},
    origin::{At, clean},
};
use crate::model::StackSpec;

/// What to load, and what holds while loading.
#[derive(Clone, Default)]
pub struct Source {
    /// The Compose files, later ones override earlier ones. Relative paths in all of them start from the
    /// directory of the first.
    pub files: Vec<PathBuf>,
    /// The process environment: for `${…}`, for variables without a value, and for `~` (`HOME`).
    pub env: BTreeMap<String, String>,
    /// Profiles to activate, `*` for all; empty means `COMPOSE_PROFILES`.
    pub profiles: Vec<String>,
    /// The stack's name; none means `COMPOSE_PROJECT_NAME`, the file's `name:`, or the directory's name.
    pub project: Option<String>,
    /// Files with variables, read instead of the `.env` beside the first file.
    pub env_files: Vec<PathBuf>,
}

impl fmt::Debug for Source {
    // Without the environment: its values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("files", &self.files)
            .field("profiles", &self.profiles)
            .field("project", &self.project)
            .field("env_files", &self.env_files)
            .finish_non_exhaustive()
    }
}

/// A stack, and what of its files is ignored.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The stack.
    pub stack: StackSpec,
    /// What a person should know, in the order of files and lines.
    pub warnings: Vec<Diagnostic>,
}

/// Loads a stack. Everything that is wrong is told at once; only files that cannot be read as YAML end it early.
pub fn load(source: &Source) -> Result<Loaded, Errors> {
    let sink = Sink::default();
    let stack = read(source, &sink);
    let warnings = sink.finish()?;
    match stack {
        Some(stack) => Ok(Loaded { stack, warnings }),
        None => Err(Errors(vec![Diagnostic {
            file: source.files.first().cloned().unwrap_or_default(),
            line: 0,
            column: 0,
            key: String::new(),
            message: "the stack cannot be read".into(),
        }])),
    }
}

fn read(source: &Source, sink: &Sink) -> Option<StackSpec> {
    let nowhere = Place { base: PathBuf::new(), shown: PathBuf::new(), env: Arc::default() };
    let Some(first) = source.files.first() else {
        let at = At::file(&nowhere.origin(&PathBuf::from("compose.yaml")));
        sink.error(&at, "", "no Compose file was given: name one with -f FILE");
        return None;
    };
    let absolute = |path: &PathBuf| clean(&std::path::absolute(path).unwrap_or_else(|_| path.clone()));
    let named = |path: &PathBuf| File { path: absolute(path), shown: path.clone() };
    let (base, shown) = (parent(&absolute(first)), parent(first));

    let mut loader = Loader::new(sink);
    let given = Env(source.env.clone());
    let env_files: Vec<(File, bool)> = if source.env_files.is_empty() {
        vec![(File { path: base.join(".env"), shown: shown.join(".env") }, false)]
    } else {
        source.env_files.iter().map(|path| (named(path), true)).collect()
    };
    let at = At::file(&nowhere.origin(first));
    let mut vars = loader.dotenv(&env_files, &given, (&at, ""));
    vars.extend(given.0);
    let project =
        source.project.clone().or_else(|| vars.get("COMPOSE_PROJECT_NAME").cloned().filter(|n| !n.is_empty()));
    let files: Vec<File> = source.files.iter().map(named).collect();
    let known = project
        .clone()
        .or_else(|| early_name(&mut loader, &files, &vars))
        .unwrap_or_else(|| stack::directory_name(&base));
    vars.insert("COMPOSE_PROJECT_NAME".into(), known);
    let mut profiles = source.profiles.clone();
    if profiles.is_empty()
        && let Some(list) = vars.get("COMPOSE_PROFILES")
    {
        profiles = list.split(',').map(str::trim).filter(|p| !p.is_empty()).map(str::to_owned).collect();
    }
    let place = Place { base, shown, env: Arc::new(Env(vars)) };
    let mut root = loader.project(&files, &place, &[], None)?;
    merge::strip(&mut root);
    // Reading half a tree would only add errors that follow from those that are told.
    if loader.broken {
        return None;
    }
    stack::stack(&root, &place, project.as_deref(), &profiles, sink)
}

/// The files' `name:`, which the rest of the files may use as `${COMPOSE_PROJECT_NAME}`. What is wrong is told later.
fn early_name(loader: &mut Loader<'_>, files: &[File], vars: &BTreeMap<String, String>) -> Option<String> {
    let nowhere = Place { base: PathBuf::new(), shown: PathBuf::new(), env: Arc::default() };
    let mut name = |file: &File| {
        let text = loader.text(&file.path).ok().filter(|text| text.contains("name"))?;
        let documents = yaml::parse(&text, &nowhere.origin(&file.shown), &Sink::default())?;
        let name = documents.iter().rev().find_map(|document| document.get("name")?.scalar())?;
        interpolate::interpolate(name, &|name| vars.get(name).cloned()).ok().map(|filled| filled.text)
    };
    files.iter().rev().find_map(&mut name)
}
