//! Mounts out of a host config: `Binds` and `Mounts`.

use super::engine::State;
use serde_json::{Value, json};

/// The `Mounts` of inspect and list.
pub(super) fn list(host: &Value) -> Vec<Value> {
    let binds = host.get("Binds").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let mut mounts: Vec<Value> = binds
        .filter_map(|bind| {
            let mut parts = bind.splitn(3, ':');
            let (source, target) = (parts.next()?, parts.next()?);
            let mode = parts.next().unwrap_or_default();
            let read_write = !mode.split(',').any(|word| word == "ro");
            Some(mount(if source.starts_with('/') { "bind" } else { "volume" }, source, target, mode, read_write))
        })
        .collect();
    for entry in host.get("Mounts").and_then(Value::as_array).into_iter().flatten() {
        let text = |key| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        let read_only = entry.get("ReadOnly").and_then(Value::as_bool).unwrap_or(false);
        let kind = if text("Type").is_empty() { "volume" } else { text("Type") };
        mounts.push(mount(kind, text("Source"), text("Target"), "", !read_only));
    }
    mounts
}

fn mount(kind: &str, source: &str, target: &str, mode: &str, read_write: bool) -> Value {
    match kind {
        "volume" => json!({
            "Type": kind, "Name": source, "Source": format!("/var/lib/docker/volumes/{source}/_data"), "Destination": target,
            "Driver": "local", "Mode": if mode.is_empty() { "z" } else { mode }, "RW": read_write, "Propagation": "",
        }),
        _ => json!({
            "Type": kind, "Source": source, "Destination": target, "Mode": mode, "RW": read_write,
            "Propagation": if kind == "bind" { "rprivate" } else { "" },
        }),
    }
}

/// Names of the volumes that a host config mounts.
pub(super) fn volumes(host: &Value) -> Vec<String> {
    list(host).iter().filter_map(|mount| mount.get("Name").and_then(Value::as_str).map(str::to_owned)).collect()
}

impl State {
    /// Ids of the containers that mount a volume.
    pub(super) fn volume_users(&self, name: &str) -> Vec<String> {
        let mounts = |host: &Value| volumes(host).iter().any(|volume| volume == name);
        self.containers.values().filter(|container| mounts(&container.spec.host)).map(|c| c.id.clone()).collect()
    }

    pub(super) fn volume_used(&self, name: &str) -> bool {
        !self.volume_users(name).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings() {
        let host = json!({"Binds": ["/etc/x:/x:ro", "data:/data"], "Mounts": [{"Type": "volume", "Source": "db", "Target": "/db"}]});
        let mounts = list(&host);
        assert_eq!(mounts[0]["RW"], false);
        assert_eq!(mounts[1]["Name"], "data");
        assert_eq!(mounts[2]["Destination"], "/db");
        assert_eq!(volumes(&host), ["data", "db"]);
    }
}
