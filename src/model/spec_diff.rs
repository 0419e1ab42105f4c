//! What differs between two specs of a service, for people. Secrets stay hidden.

use serde_json::Value;

use super::ServiceSpec;

/// Shown in place of a secret.
const MASK: &str = "•••";

/// One field that differs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Change {
    /// The field's path: `environment.DEBUG`, `ports[0].published`.
    pub field: String,
    /// What it was; none where it is new.
    pub before: Option<String>,
    /// What it becomes; none where it goes.
    pub after: Option<String>,
}

impl std::fmt::Display for Change {
    /// `image: app:1 → app:2`, with `–` for what is not there.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "–".to_owned());
        write!(f, "{}: {} → {}", self.field, side(&self.before), side(&self.after))
    }
}

/// The fields in which `new` differs from `old`, by path. Values that may be secret (environment, contents of
/// files) are masked: that they change shows, what they are does not.
pub fn diff(old: &ServiceSpec, new: &ServiceSpec) -> Vec<Change> {
    let mut changes = Vec::new();
    // A spec is plain data, so this cannot fail; if it did, both would be null and nothing would differ.
    let value = |spec: &ServiceSpec| {
        let mut value = serde_json::to_value(spec).unwrap_or_default();
        // As people write them.
        let rules = spec.deploy.constraints.iter().map(|rule| Value::String(rule.to_string()));
        if let Some(constraints) = value.pointer_mut("/deploy/constraints") {
            *constraints = Value::Array(rules.collect());
        }
        value
    };
    compare(&mut Vec::new(), &value(old), &value(new), &mut changes);
    changes
}

fn compare(path: &mut Vec<String>, old: &Value, new: &Value, changes: &mut Vec<Change>) {
    if old == new {
        return;
    }
    match (old, new) {
        (Value::Object(a), Value::Object(b)) if !is_duration(a) && !is_duration(b) => {
            let mut keys: Vec<&String> = a.keys().chain(b.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            for key in keys {
                let side = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
                path.push(key.clone());
                compare(path, &side(a), &side(b), changes);
                path.pop();
            }
        }
        (Value::Array(a), Value::Array(b)) if a.iter().chain(b).any(Value::is_object) => {
            for i in 0..a.len().max(b.len()) {
                let side = |list: &[Value]| list.get(i).cloned().unwrap_or_default();
                path.push(format!("[{i}]"));
                compare(path, &side(a), &side(b), changes);
                path.pop();
            }
        }
        _ => changes.push(Change { field: join(path), before: show(path, old), after: show(path, new) }),
    }
}

/// True where a value at `path` may be secret, in part or as a whole.
fn is_secret(path: &[String]) -> bool {
    match path.first().map(String::as_str) {
        Some("environment") => true,
        Some("files") => path.get(2).is_some_and(|field| field == "content"),
        // A certificate comes with its key.
        Some("wharf") => path.last().is_some_and(|field| field == "pem"),
        _ => false,
    }
}

fn show(path: &[String], value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Array(items) if items.is_empty() => None,
        _ if is_secret(path) => Some(MASK.to_owned()),
        Value::String(text) => Some(text.clone()),
        Value::Object(map) if is_duration(map) => {
            let part = |key: &str| map.get(key).and_then(Value::as_u64).unwrap_or_default();
            let nanos = u32::try_from(part("nanos")).unwrap_or_default();
            Some(crate::text::duration(std::time::Duration::new(part("secs"), nanos)))
        }
        Value::Array(items) => {
            let words: Vec<String> = items.iter().filter_map(|item| show(path, item)).collect();
            Some(words.join(" "))
        }
        Value::Object(map) => {
            let field = |(key, value): (&String, &Value)| {
                let mut path = path.to_vec();
                path.push(key.clone());
                show(&path, value).map(|value| format!("{key}={value}"))
            };
            Some(map.iter().filter_map(field).collect::<Vec<_>>().join(" "))
        }
        other => Some(other.to_string()),
    }
}

/// How serde writes a [`std::time::Duration`].
fn is_duration(map: &serde_json::Map<String, Value>) -> bool {
    map.len() == 2 && map.contains_key("secs") && map.contains_key("nanos")
}

fn join(path: &[String]) -> String {
    let mut out = String::new();
    for part in path {
        if !out.is_empty() && !part.starts_with('[') {
            out.push('.');
        }
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Certificate, EntrySpec, FileMount, Port, PortMode, Protocol, Sensitive};

    fn lines(old: &ServiceSpec, new: &ServiceSpec) -> Vec<String> {
        let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".into());
        diff(old, new).iter().map(|c| format!("{}: {} -> {}", c.field, side(&c.before), side(&c.after))).collect()
    }

    fn port(target: u16) -> Port {
        Port { target, published: Some(80), host_ip: None, protocol: Protocol::Tcp, mode: PortMode::Ingress }
    }

    #[test]
    fn what_changed_is_named() {
        let mut old = ServiceSpec { image: "a:1".into(), ports: vec![port(8080)], ..ServiceSpec::default() };
        assert_eq!(diff(&old, &old.clone()), []);
        old.stop_grace_period = Some(Duration::from_secs(10));
        let mut new = old.clone();
        new.image = "a:2".into();
        new.ports = vec![port(8081), port(9)];
        new.stop_grace_period = Some(Duration::from_secs(90));
        new.command = Some(vec!["serve".into(), "-v".into()]);
        new.deploy.replicas = Some(3);
        assert_eq!(
            lines(&old, &new),
            [
                "command: - -> serve -v",
                "deploy.replicas: - -> 3",
                "image: a:1 -> a:2",
                "ports[0].target: 8080 -> 8081",
                "ports[1]: - -> mode=ingress protocol=tcp published=80 target=9",
                "stop_grace_period: 10.0 s -> 1m 30s",
            ]
        );
    }

    #[test]
    fn a_certificates_key_stays_hidden() {
        let entry = |pem: &str| EntrySpec {
            certificate: Some(Certificate {
                pem: Sensitive(pem.into()),
                not_after: jiff::Timestamp::UNIX_EPOCH,
                names: vec![pem.to_uppercase()],
            }),
            ..EntrySpec::default()
        };
        let (mut old, mut new) = (ServiceSpec::default(), ServiceSpec::default());
        new.wharf.entry = vec![entry("hunter1")];
        assert!(!lines(&old, &new).concat().contains("hunter"), "{:?}", lines(&old, &new));
        old.wharf.entry = vec![entry("hunter2")];
        assert_eq!(
            lines(&old, &new),
            ["wharf.entry[0].certificate.names: HUNTER2 -> HUNTER1", "wharf.entry[0].certificate.pem: ••• -> •••"]
        );
    }

    #[test]
    fn secrets_stay_hidden() {
        let file = |content: &str| FileMount {
            name: "k".into(),
            target: "/k".into(),
            content: Sensitive(content.into()),
            secret: true,
            uid: 0,
            gid: 0,
            mode: 0o444,
        };
        let mut old = ServiceSpec { files: vec![file("hunter1")], ..ServiceSpec::default() };
        old.environment.insert("PASSWORD".into(), Sensitive("hunter2".into()));
        old.environment.insert("GONE".into(), Sensitive("hunter3".into()));
        let mut new = ServiceSpec { files: vec![file("hunter4"), file("hunter5")], ..ServiceSpec::default() };
        new.environment.insert("PASSWORD".into(), Sensitive("hunter6".into()));
        let lines = lines(&old, &new);
        assert!(!lines.concat().contains("hunter"), "{lines:?}");
        assert!(lines.contains(&"environment.GONE: ••• -> -".to_owned()), "{lines:?}");
        assert!(lines.contains(&"environment.PASSWORD: ••• -> •••".to_owned()), "{lines:?}");
        assert!(lines.contains(&"files[0].content: ••• -> •••".to_owned()), "{lines:?}");
    }
}
