//! What a create call asks for: the body is kept for inspect, and what the simulator acts on is read out once.

use super::reply::Refusal;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// A container's immutable part. Shared between the replicas of a service in the demo.
#[derive(Debug)]
pub(super) struct Spec {
    /// The create body without labels, host config and networking: the `Config` of inspect.
    pub(super) config: Value,
    pub(super) host: Value,
    pub(super) networks: Vec<(String, Value)>,
    pub(super) ports: Vec<PortWish>,
    pub(super) exposed: Vec<(u16, String)>,
    pub(super) health: Option<HealthSpec>,
    pub(super) restart: Restart,
    pub(super) image: String,
    pub(super) command: Vec<String>,
    pub(super) grace: Option<i64>,
    pub(super) tty: bool,
    pub(super) auto_remove: bool,
    /// Bytes; 0 is unlimited.
    pub(super) memory: u64,
}

/// One wanted binding of a container's port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PortWish {
    pub(super) private: u16,
    pub(super) proto: String,
    /// As given; empty is every address.
    pub(super) ip: String,
    /// `None` is any free port.
    pub(super) public: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HealthSpec {
    pub(super) interval: Duration,
    pub(super) retries: u32,
}

/// When the engine starts a container again that ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Restart {
    No,
    Always,
    UnlessStopped,
    OnFailure { max: u64 },
}

impl Restart {
    pub(super) fn wants(self, code: i64, restarts: u64) -> bool {
        match self {
            Self::No => false,
            Self::Always | Self::UnlessStopped => true,
            Self::OnFailure { max } => code != 0 && (max == 0 || restarts < max),
        }
    }
}

/// Labels out of a create body, as pairs.
pub(super) type Pairs = Vec<(String, String)>;

impl Spec {
    /// Reads a create body. Errors have Docker's words.
    pub(super) fn read(body: Value) -> Result<(Self, Pairs), Refusal> {
        let mut body = match body {
            Value::Object(body) if !body.is_empty() => body,
            _ => return Err(Refusal::bad("Config cannot be empty in order to create a container")),
        };
        let labels = take(&mut body, "Labels").as_object().map(pairs).transpose()?.unwrap_or_default();
        let mut host = take(&mut body, "HostConfig");
        complete_bindings(&mut host);
        let networking = take(&mut body, "NetworkingConfig");
        let image = body.get("Image").and_then(Value::as_str).unwrap_or_default().to_owned();
        if image.is_empty() {
            return Err(Refusal::bad("no command specified"));
        }
        let mut exposed = Vec::new();
        for key in body.get("ExposedPorts").and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key) {
            exposed.push(port_key(key)?);
        }
        let mode = host.get("NetworkMode").and_then(Value::as_str).unwrap_or_default().to_owned();
        // A container on the host's own network publishes nothing.
        let ports = if mode == "host" { Vec::new() } else { bindings(&host)? };
        for wish in &ports {
            if !exposed.contains(&(wish.private, wish.proto.clone())) {
                exposed.push((wish.private, wish.proto.clone()));
            }
        }
        let mut command = strings(body.get("Entrypoint"));
        command.extend(strings(body.get("Cmd")));
        let endpoints = networking.get("EndpointsConfig").and_then(Value::as_object);
        let mut networks: Vec<_> = endpoints.into_iter().flatten().map(|(n, c)| (n.clone(), c.clone())).collect();
        for (name, _) in &mut networks {
            // The engine's own name for its default network.
            if name == "default" {
                "bridge".clone_into(name);
            }
        }
        if networks.is_empty() && !mode.starts_with("container:") {
            let name = if mode.is_empty() || mode == "default" { "bridge" } else { mode.as_str() };
            networks.push((name.to_owned(), json!({})));
        }
        let spec = Self {
            ports,
            exposed,
            health: health(body.get("Healthcheck")),
            restart: host.get("RestartPolicy").map_or(Ok(Restart::No), restart)?,
            image,
            command,
            grace: body.get("StopTimeout").and_then(Value::as_i64),
            tty: body.get("Tty").and_then(Value::as_bool).unwrap_or(false),
            auto_remove: host.get("AutoRemove").and_then(Value::as_bool).unwrap_or(false),
            memory: memory(&host)?,
            networks,
            config: Value::Object(body),
            host,
        };
        Ok((spec, labels))
    }
}

fn take(body: &mut Map<String, Value>, key: &str) -> Value {
    body.remove(key).unwrap_or(Value::Null)
}

pub(super) fn pairs(map: &Map<String, Value>) -> Result<Pairs, Refusal> {
    let pair = |(key, value): (&String, &Value)| {
        value.as_str().map(|value| (key.clone(), value.to_owned())).ok_or_else(|| {
            Refusal::bad("json: cannot unmarshal non-string into Go struct field .Labels of type string")
        })
    };
    map.iter().map(pair).collect()
}

/// A string or a list of strings, as Docker takes commands.
pub(super) fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(list)) => list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// `80/tcp` taken apart.
pub(super) fn port_key(key: &str) -> Result<(u16, String), Refusal> {
    let (port, proto) = key.split_once('/').unwrap_or((key, "tcp"));
    match (port.parse(), proto) {
        (Ok(port), "tcp" | "udp" | "sctp") => Ok((port, proto.to_owned())),
        _ => Err(Refusal::bad(format!("invalid port specification: \"{key}\""))),
    }
}

/// Docker adds the address that was left out.
fn complete_bindings(host: &mut Value) {
    let bindings = host.get_mut("PortBindings").and_then(Value::as_object_mut);
    for list in bindings.into_iter().flat_map(|map| map.values_mut()) {
        for binding in list.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut) {
            binding.entry("HostIp").or_insert_with(|| Value::from(""));
            binding.entry("HostPort").or_insert_with(|| Value::from(""));
        }
    }
}

fn bindings(host: &Value) -> Result<Vec<PortWish>, Refusal> {
    let mut ports = Vec::new();
    for (key, list) in host.get("PortBindings").and_then(Value::as_object).into_iter().flatten() {
        let (private, proto) = port_key(key)?;
        for binding in list.as_array().into_iter().flatten() {
            let text = |name| binding.get(name).and_then(Value::as_str).unwrap_or_default();
            let public = match text("HostPort") {
                "" | "0" => None,
                port => {
                    Some(port.parse().map_err(|_| Refusal::bad(format!("invalid port specification: \"{port}\"")))?)
                }
            };
            ports.push(PortWish { private, proto: proto.clone(), ip: text("HostIp").to_owned(), public });
        }
    }
    Ok(ports)
}

fn health(check: Option<&Value>) -> Option<HealthSpec> {
    let check = check?;
    let test = strings(check.get("Test"));
    if matches!(test.first().map(String::as_str), None | Some("NONE")) {
        return None;
    }
    let interval = check.get("Interval").and_then(Value::as_u64).filter(|nanos| *nanos > 0);
    let retries = check.get("Retries").and_then(Value::as_u64).filter(|retries| *retries > 0);
    Some(HealthSpec {
        interval: Duration::from_nanos(interval.unwrap_or(30_000_000_000)),
        retries: retries.and_then(|retries| u32::try_from(retries).ok()).unwrap_or(3),
    })
}

/// A restart policy in Docker's form.
pub(super) fn restart(policy: &Value) -> Result<Restart, Refusal> {
    let max = policy.get("MaximumRetryCount").and_then(Value::as_u64).unwrap_or(0);
    match policy.get("Name").and_then(Value::as_str).unwrap_or_default() {
        "" | "no" => Ok(Restart::No),
        "always" => Ok(Restart::Always),
        "unless-stopped" => Ok(Restart::UnlessStopped),
        "on-failure" => Ok(Restart::OnFailure { max }),
        other => Err(Refusal::bad(format!("invalid restart policy '{other}'"))),
    }
}

fn memory(host: &Value) -> Result<u64, Refusal> {
    match host.get("Memory").and_then(Value::as_i64).unwrap_or(0) {
        0 => Ok(0),
        bytes => u64::try_from(bytes)
            .ok()
            .filter(|bytes| *bytes >= 6 << 20)
            .ok_or_else(|| Refusal::bad("Minimum memory limit allowed is 6MB")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: Value) -> Result<(Spec, Pairs), Refusal> {
        Spec::read(body)
    }

    #[test]
    fn reads_what_it_acts_on() {
        let (spec, labels) = read(json!({
            "Image": "web:1", "Cmd": "run", "Labels": {"a": "b"}, "Healthcheck": {"Test": ["CMD", "true"], "Retries": 2},
            "HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "8080"}, {"HostIp": "127.0.0.1", "HostPort": ""}]},
                "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3}, "Memory": 67_108_864},
        }))
        .unwrap();
        assert_eq!(labels, [("a".to_owned(), "b".to_owned())]);
        assert_eq!(spec.ports.iter().map(|port| port.public).collect::<Vec<_>>(), [Some(8080), None]);
        assert_eq!(spec.exposed, [(80, "tcp".to_owned())]);
        assert_eq!(spec.restart, Restart::OnFailure { max: 3 });
        assert!(spec.restart.wants(1, 2) && !spec.restart.wants(1, 3) && !spec.restart.wants(0, 0));
        assert_eq!(spec.health.unwrap().retries, 2);
        assert_eq!(spec.networks.first().unwrap().0, "bridge");
    }

    #[test]
    fn refuses_as_docker_does() {
        let status = |body| read(body).unwrap_err().status;
        assert_eq!(status(json!({})), 400);
        assert_eq!(status(json!({"Image": "a", "HostConfig": {"RestartPolicy": {"Name": "sometimes"}}})), 400);
        assert_eq!(status(json!({"Image": "a", "ExposedPorts": {"http": {}}})), 400);
        assert_eq!(status(json!({"Image": "a", "HostConfig": {"Memory": 1000}})), 400);
    }
}
