//! `environment`, `env_file`, `labels` and `label_file`.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    diagnostic::Sink,
    env::{Assignment, EnvError, EnvFile, parse_env, read_text},
    load::{Place, file},
    origin::At,
    typed::Val,
};
use crate::model::{Sensitive, ServiceSpec};

/// Reads what a service's variables and labels are: files first, then what the service itself says.
pub(super) fn environment(val: &Val<'_>, spec: &mut ServiceSpec) {
    let own = val.get("environment").map(|v| v.pairs()).unwrap_or_default();
    let mut from_files: Vec<(String, String)> = Vec::new();
    for item in val.get("env_file").iter().flat_map(env_files) {
        let env = &item.node.at.file.env;
        let lookup = |name: &str| {
            let set_here = own.iter().find(|pair| pair.key == name).and_then(|pair| pair.value.clone());
            let earlier = || from_files.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            set_here.or_else(|| env.get(name).map(str::to_owned)).or_else(earlier)
        };
        let read = env_file(&item, &lookup);
        // A name that stands alone gets its value from where wharf runs.
        let known = read.into_iter().filter_map(|(key, value)| {
            let value = value.or_else(|| env.get(&key).map(str::to_owned))?;
            Some((key, value))
        });
        from_files.extend(known.collect::<Vec<_>>());
    }
    spec.environment.extend(from_files.into_iter().map(|(key, value)| (key, Sensitive(value))));
    for pair in own {
        match pair.value.or_else(|| pair.at.node.at.file.env.get(&pair.key).map(str::to_owned)) {
            Some(value) => {
                spec.environment.insert(pair.key, Sensitive(value));
            }
            // As Compose: a variable that is nowhere set is not there.
            None => {
                pair.at.warn(format!("`{}` has no value here and is not set where wharf runs: left out", pair.key));
            }
        }
    }
    for item in val.get("label_file").iter().flat_map(Val::one_or_more) {
        let labels = env_file(&item, &|name| item.node.at.file.env.get(name).map(str::to_owned));
        spec.labels.extend(labels.into_iter().map(|(key, value)| (key, value.unwrap_or_default())));
    }
    if let Some(labels) = val.get("labels") {
        spec.labels.extend(labels.table());
    }
}

fn env_files<'a>(v: &Val<'a>) -> Vec<Val<'a>> {
    if v.node.map().is_some() { vec![v.clone()] } else { v.one_or_more() }
}

/// The lines of an env file; what is wrong with it goes to the sink, with its own place.
pub(super) fn told(read: Result<EnvFile, EnvError>, shown: &Path, sink: &Sink) -> Vec<Assignment> {
    let place = Place { base: PathBuf::new(), shown: PathBuf::new(), env: Arc::default() };
    let at = |line| At { file: place.origin(shown), line, column: 0 };
    match read {
        Ok(read) => {
            for (line, name) in &read.unset {
                sink.unset(&at(*line), "", name);
            }
            read.assignments
        }
        Err(error) => {
            sink.error(&at(error.line), "", error.message);
            Vec::new()
        }
    }
}

/// One file: its path, or a mapping with `path`, `required` and `format`.
fn env_file(item: &Val<'_>, lookup: &dyn Fn(&str) -> Option<String>) -> Vec<Assignment> {
    let (mut path, mut required, mut raw) = (None, true, false);
    if item.node.map().is_some() {
        item.keys(&["path", "required", "format"], |key, v| match key {
            "path" => path = v.filled(),
            "required" => required = v.bool().unwrap_or(true),
            _ => raw = v.choice(&[("raw", true)]).unwrap_or_default(),
        });
        if item.get("path").is_none() {
            item.error("`path` is missing");
        }
    } else {
        path = item.filled();
    }
    let Some(path) = path else { return Vec::new() };
    let file = file(&item.node.at.file, &path);
    if !required && !file.path.exists() {
        return Vec::new();
    }
    let text = match read_text(&file.path) {
        Ok(text) => text,
        Err(why) => {
            item.error(format!("{} cannot be read: {why}", file.shown.display()));
            return Vec::new();
        }
    };
    told(parse_env(&text, raw, lookup), &file.shown, item.sink)
}
