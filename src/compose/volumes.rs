//! `volumes` and `tmpfs`, short and long.

use std::collections::BTreeSet;

use super::{numbers, typed::Val};
use crate::model::{Mount, MountSource};

const PROPAGATION: &[&str] = &["private", "rprivate", "shared", "rshared", "slave", "rslave"];

/// `volumes` of a service. `declared` are the top-level volumes.
pub(super) fn volumes(val: &Val<'_>, declared: &BTreeSet<&str>) -> Vec<Mount> {
    let mut out: Vec<Mount> = Vec::new();
    for item in val.items() {
        let mount = if item.node.map().is_some() { long(&item) } else { short(&item) };
        let Some(mount) = mount else { continue };
        if let MountSource::Volume { name, .. } = &mount.source
            && !declared.contains(name.as_str())
        {
            item.error(format!("the volume `{name}` is not declared: add it under the top-level `volumes:`, or write `./{name}` for a directory"));
        }
        add(&mut out, mount, &item);
    }
    out
}

/// Adds a mount; one target can only have one.
pub(super) fn add(out: &mut Vec<Mount>, mount: Mount, item: &Val<'_>) {
    if out.iter().any(|old| old.target == mount.target) {
        item.error(format!("something is already mounted at {}", mount.target));
    } else {
        out.push(mount);
    }
}

fn target(item: &Val<'_>, path: &str) -> Option<String> {
    if !path.starts_with('/') {
        item.error(format!("the path in the container must be absolute, this is `{path}`"));
        return None;
    }
    let path = path.trim_end_matches('/');
    if path.is_empty() {
        item.error("`/` itself cannot be mounted over");
        return None;
    }
    Some(path.to_owned())
}

/// True for what names a path and not a volume.
fn is_path(source: &str) -> bool {
    source.starts_with(['/', '.', '~'])
}

fn bind(item: &Val<'_>, source: &str, create: bool, propagation: Option<String>) -> MountSource {
    if source.starts_with('~') && item.node.at.file.env.get("HOME").is_none() {
        item.error("`~` means the home directory, but HOME is not set: write the whole path");
    }
    let (path, _) = item.node.at.file.resolve(source);
    let path = path.to_string_lossy().into_owned();
    if !source.starts_with('/') {
        item.warn(format!(
            "`{source}` becomes {path} on each host, and wharf copies nothing there: for files use `configs` or `secrets`"
        ));
    }
    MountSource::Bind { path, create, propagation }
}

/// `[SOURCE:]TARGET[:MODES]`.
fn short(item: &Val<'_>) -> Option<Mount> {
    let text = item.text()?;
    let parts: Vec<&str> = text.split(':').collect();
    let (source, path, modes) = match parts.as_slice() {
        [path] => (None, *path, ""),
        [source, path] => (Some(*source), *path, ""),
        [source, path, modes] => (Some(*source), *path, *modes),
        _ => {
            item.error(format!("`{text}` has too many `:`: write SOURCE:TARGET:ro, or use the long form"));
            return None;
        }
    };
    let Some(source) = source else {
        if path.is_empty() {
            item.error("must not be empty: write SOURCE:TARGET");
            return None;
        }
        return Some(Mount { target: target(item, path)?, source: MountSource::Anonymous, read_only: false });
    };
    if source.is_empty() {
        item.error(format!("the source is missing in `{text}`: write SOURCE:TARGET, or TARGET alone"));
        return None;
    }
    let (mut read_only, mut nocopy, mut propagation) = (false, false, None);
    for mode in modes.split(',').filter(|mode| !mode.is_empty()) {
        match mode {
            "ro" | "readonly" => read_only = true,
            "rw" => {}
            "nocopy" => nocopy = true,
            "z" | "Z" => item.warn("the SELinux label is ignored: label the directory on the hosts"),
            "cached" | "delegated" | "consistent" => {
                item.warn(format!("`{mode}` is ignored: it means nothing on Linux"));
            }
            mode if PROPAGATION.contains(&mode) => propagation = Some(mode.to_owned()),
            _ => {
                item.error(format!(
                    "the mode `{mode}` is not known: `ro`, `rw`, `nocopy` and the propagation modes are"
                ));
            }
        }
    }
    let target = target(item, path)?;
    let source = if is_path(source) {
        bind(item, source, true, propagation)
    } else {
        MountSource::Volume { name: source.to_owned(), nocopy, subpath: None }
    };
    Some(Mount { target, source, read_only })
}

fn long(item: &Val<'_>) -> Option<Mount> {
    const KEYS: &[&str] = &["type", "source", "target", "read_only", "bind", "volume", "tmpfs", "image", "consistency"];
    let mut kind = None;
    let (mut source, mut path, mut read_only) = (None, None, false);
    let (mut create, mut propagation) = (true, None);
    let (mut nocopy, mut subpath) = (false, None);
    let (mut size, mut mode) = (None, None);
    item.keys(KEYS, |key, val| match key {
        "type" => kind = val.filled(),
        "source" => source = val.filled(),
        "target" => path = val.filled(),
        "read_only" => read_only = val.bool().unwrap_or_default(),
        "bind" => val.keys(&["propagation", "create_host_path", "selinux", "recursive"], |key, val| match key {
            "propagation" => {
                let words: Vec<(&str, &str)> = PROPAGATION.iter().map(|word| (*word, *word)).collect();
                propagation = val.choice(&words).map(str::to_owned);
            }
            "create_host_path" => create = val.bool().unwrap_or(true),
            "selinux" => val.warn("the SELinux label is ignored: label the directory on the hosts"),
            _ => val.error("wharf cannot set this: remove it"),
        }),
        "volume" => val.keys(&["nocopy", "subpath", "labels"], |key, val| match key {
            "nocopy" => nocopy = val.bool().unwrap_or_default(),
            "subpath" => subpath = val.filled(),
            _ => val.warn("ignored: give labels to the volume under the top-level `volumes:`"),
        }),
        "tmpfs" => val.keys(&["size", "mode"], |key, val| match key {
            "size" => size = val.bytes(),
            _ => mode = file_mode(&val),
        }),
        "consistency" => val.warn("ignored: it means nothing on Linux"),
        _ => val.error("wharf cannot mount images: use a volume"),
    });
    let Some(path) = path else {
        if item.get("target").is_none() {
            item.error("`target`, the path in the container, is missing");
        }
        return None;
    };
    let target = target(item, &path)?;
    let source = match (kind.as_deref(), source) {
        (Some("volume"), Some(name)) if is_path(&name) => {
            item.error(format!("`{name}` is a path: write `type: bind`"));
            return None;
        }
        (Some("volume"), Some(name)) => MountSource::Volume { name, nocopy, subpath },
        (Some("volume"), None) => MountSource::Anonymous,
        (Some("bind"), Some(source)) => {
            let source = if is_path(&source) { source } else { format!("./{source}") };
            bind(item, &source, create, propagation)
        }
        (Some("bind"), None) => {
            item.error("`source`, the path on the host, is missing");
            return None;
        }
        (Some("tmpfs"), _) => MountSource::Tmpfs { size, mode },
        (Some(other), _) => {
            item.error(format!("the type must be `volume`, `bind` or `tmpfs`, this is `{other}`"));
            return None;
        }
        (None, _) => {
            item.error("`type` is missing: `volume`, `bind` or `tmpfs`");
            return None;
        }
    };
    Some(Mount { target, source, read_only })
}

/// `tmpfs` of a service: `PATH[:OPTIONS]`, one or many.
pub(super) fn tmpfs(val: &Val<'_>) -> Vec<Mount> {
    let read = |item: &Val<'_>| {
        let text = item.text()?;
        let (path, options) = text.split_once(':').unwrap_or((text, ""));
        let (mut size, mut mode, mut read_only) = (None, None, false);
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("size", value)) => size = numbers::bytes(value).map_err(|why| item.error(why)).ok(),
                Some(("mode", value)) => mode = numbers::mode(value, false).map_err(|why| item.error(why)).ok(),
                None if option == "ro" => read_only = true,
                // What the engine does anyway.
                None if matches!(option, "rw" | "noexec" | "nosuid" | "nodev") => {}
                _ => item.error(format!("the option `{option}` is not known: `size=` and `mode=` are")),
            }
        }
        Some(Mount { target: target(item, path)?, source: MountSource::Tmpfs { size, mode }, read_only })
    };
    val.one_or_more().iter().filter_map(read).collect()
}

/// A file mode.
pub(super) fn file_mode(val: &Val<'_>) -> Option<u32> {
    let plain = matches!(val.node.kind, super::yaml::Kind::Scalar { plain: true, .. });
    val.with(|text| numbers::mode(text, plain))
}
