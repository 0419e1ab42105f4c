//! `environment`, `env_file`, `labels` and `label_file`.

use super::{
    env::{parse_env, read_text},
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

/// One file: its path, or a mapping with `path`, `required` and `format`.
fn env_file(item: &Val<'_>, lookup: &dyn Fn(&str) -> Option<String>) -> Vec<(String, Option<String>)> {
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
    parse_env(&text, raw, lookup).unwrap_or_else(|error| {
        let place =
            Place { base: std::path::PathBuf::new(), shown: std::path::PathBuf::new(), env: std::sync::Arc::default() };
        let at = At { file: place.origin(&file.shown), line: error.line, column: 0 };
        item.sink.error(&at, "", error.message);
        Vec::new()
    })
}
