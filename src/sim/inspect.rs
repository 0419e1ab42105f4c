//! `GET /containers/json` and `GET /containers/{id}/json`.

use super::container::{Container, Endpoint, Health, OpenPort, Status};
use super::engine::{Engine, State};
use super::mounts;
use super::networks::mac;
use super::num;
use super::query::{Filters, Query};
use super::reply::{self, Answer, Refusal, over};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// Filters that Docker knows for containers.
const FILTERS: [&str; 16] = [
    "ancestor",
    "before",
    "expose",
    "exited",
    "health",
    "id",
    "isolation",
    "is-task",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
    "label!",
];

fn wanted(container: &Container, filters: &Filters) -> bool {
    let health = container.health.map_or("none", Health::word);
    // Names are matched as a part, or as a whole with the anchors people write for that.
    let named = |pattern: &str| match (pattern.strip_prefix('^'), pattern.strip_suffix('$')) {
        (Some(_), Some(_)) => pattern.trim_matches(['^', '$']).trim_start_matches('/') == container.name,
        (Some(start), None) => container.name.starts_with(start.trim_start_matches('/')),
        (None, Some(end)) => container.name.ends_with(end),
        (None, None) => container.name.contains(pattern.trim_start_matches('/')),
    };
    filters.any("status", |status| status == container.status.word())
        && filters.any("health", |wanted| wanted == health)
        && filters.any("id", |id| container.id.starts_with(id))
        && filters.any("name", named)
        && filters.any("exited", |code| container.status == Status::Exited && code.parse() == Ok(container.exit_code))
        && filters.any("ancestor", |image| {
            container.spec.image == image
                || container.image_id.as_ref() == image
                || container.spec.image.split(':').next() == Some(image)
        })
        && filters.any("network", |network| container.networks.contains_key(network))
        && filters.any("volume", |volume| mounts::volumes(&container.spec.host).iter().any(|name| name == volume))
        && filters.labels(|key| container.label(key))
}

/// Both addresses that an unrestricted binding listens on.
fn addresses(port: &OpenPort) -> Vec<&str> {
    if port.ip == "0.0.0.0" { vec!["0.0.0.0", "::"] } else { vec![port.ip.as_str()] }
}

fn command_text(container: &Container) -> String {
    if container.spec.command.is_empty() { "/entrypoint.sh".to_owned() } else { container.spec.command.join(" ") }
}

fn network_mode(container: &Container) -> String {
    let mode = container.spec.host.get("NetworkMode").and_then(Value::as_str).unwrap_or_default();
    if mode.is_empty() { "default".to_owned() } else { mode.to_owned() }
}

impl State {
    fn endpoint_json(&self, network: &str, endpoint: &Endpoint, full: bool, id: &str) -> Value {
        let known = self.networks.get(network);
        let up = endpoint.ip.is_some();
        let mut aliases = endpoint.aliases.clone();
        let custom = !matches!(network, "bridge" | "host" | "none");
        if custom && full {
            aliases.push(id.get(..12).unwrap_or(id).to_owned());
        }
        json!({
            "IPAMConfig": null, "Links": null, "Aliases": if aliases.is_empty() || !full { Value::Null } else { json!(aliases) },
            "NetworkID": known.map(|network| network.id.clone()).unwrap_or_default(),
            "EndpointID": if up { endpoint.id.as_str() } else { "" },
            "Gateway": if up { known.map(super::networks::Network::gateway).unwrap_or_default() } else { String::new() },
            "IPAddress": endpoint.ip.clone().unwrap_or_default(), "IPPrefixLen": if up { 16 } else { 0 },
            "IPv6Gateway": "", "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0, "MacAddress": mac(endpoint), "DriverOpts": null,
        })
    }

    fn networks_json(&self, container: &Container, full: bool) -> Value {
        let entry = |(name, endpoint): (&String, &Endpoint)| {
            (name.clone(), self.endpoint_json(name, endpoint, full, &container.id))
        };
        container.networks.iter().map(entry).collect()
    }

    fn summary(&self, container: &Container, now: Timestamp, size: bool) -> Value {
        let mut ports: Vec<Value> = Vec::new();
        for open in &container.ports {
            ports.extend(addresses(open).iter().map(
                |ip| json!({"IP": ip, "PrivatePort": open.private, "PublicPort": open.public, "Type": open.proto}),
            ));
        }
        let bound =
            |port: u16, proto: &str| container.ports.iter().any(|open| open.private == port && open.proto == proto);
        if container.alive() {
            let only_exposed = container.spec.exposed.iter().filter(|(port, proto)| !bound(*port, proto));
            ports.extend(only_exposed.map(|(port, proto)| json!({"PrivatePort": port, "Type": proto})));
        }
        let mut summary = json!({
            "Id": container.id, "Names": [format!("/{}", container.name)], "Image": container.spec.image, "ImageID": container.image_id.as_ref(),
            "Command": command_text(container), "Created": container.created.as_second(), "Ports": ports, "Labels": container.label_map(),
            "State": container.status.word(), "Status": container.status_text(now), "HostConfig": {"NetworkMode": network_mode(container)},
            "NetworkSettings": {"Networks": self.networks_json(container, false)}, "Mounts": mounts::list(&container.spec.host),
        });
        if let (true, Some(map)) = (size, summary.as_object_mut()) {
            let base = self.images.get(&container.image_id).map_or(0, |image| image.size);
            map.insert("SizeRw".to_owned(), json!(num::hash(&container.id) % 4_000_000));
            map.insert("SizeRootFs".to_owned(), json!(base + num::hash(&container.id) % 4_000_000));
        }
        summary
    }
}

fn config_json(container: &Container) -> Value {
    let defaults = json!({
        "Hostname": container.id.get(..12), "Domainname": "", "User": "", "AttachStdin": false, "AttachStdout": false, "AttachStderr": false,
        "Tty": false, "OpenStdin": false, "StdinOnce": false, "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "Cmd": null, "Image": "", "Volumes": null, "WorkingDir": "", "Entrypoint": null, "OnBuild": null,
    });
    let mut config = over(defaults, &container.spec.config);
    if let Some(map) = config.as_object_mut() {
        map.insert("Labels".to_owned(), container.label_map());
        if !container.spec.exposed.is_empty() {
            let key = |(port, proto): &(u16, String)| (format!("{port}/{proto}"), json!({}));
            map.insert("ExposedPorts".to_owned(), container.spec.exposed.iter().map(key).collect());
        }
    }
    config
}

fn host_json(container: &Container) -> Value {
    let identity = json!({
        "Binds": null, "ContainerIDFile": "", "LogConfig": {"Type": "json-file", "Config": {}}, "NetworkMode": "default", "PortBindings": {},
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "AutoRemove": false, "VolumeDriver": "", "VolumesFrom": null, "CapAdd": null,
        "CapDrop": null, "CgroupnsMode": "private", "Dns": null, "DnsOptions": null, "DnsSearch": null, "ExtraHosts": null, "GroupAdd": null,
        "IpcMode": "private", "Cgroup": "", "Links": null, "OomScoreAdj": 0, "PidMode": "", "Privileged": false, "PublishAllPorts": false,
        "ReadonlyRootfs": false, "SecurityOpt": null, "UTSMode": "", "UsernsMode": "", "ShmSize": 67_108_864, "Runtime": "runc",
        "ConsoleSize": [0, 0], "Isolation": "",
    });
    let limits = json!({
        "CpuShares": 0, "Memory": 0, "NanoCpus": 0, "CgroupParent": "", "BlkioWeight": 0, "BlkioWeightDevice": null,
        "BlkioDeviceReadBps": null, "BlkioDeviceWriteBps": null, "BlkioDeviceReadIOps": null, "BlkioDeviceWriteIOps": null,
        "CpuPeriod": 0, "CpuQuota": 0, "CpuRealtimePeriod": 0, "CpuRealtimeRuntime": 0, "CpusetCpus": "", "CpusetMems": "", "Devices": null,
        "DeviceCgroupRules": null, "DeviceRequests": null, "KernelMemory": 0, "KernelMemoryTCP": 0, "MemoryReservation": 0,
        "MemorySwap": 0, "MemorySwappiness": null, "OomKillDisable": false, "PidsLimit": null, "Ulimits": null, "CpuCount": 0,
        "CpuPercent": 0, "IOMaximumIOps": 0, "IOMaximumBandwidth": 0,
        "MaskedPaths": ["/proc/asound", "/proc/acpi", "/proc/kcore", "/proc/keys", "/sys/firmware"],
        "ReadonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    });
    let defaults = over(identity, &limits);
    let host = over(defaults, &container.spec.host);
    match &container.extra {
        Some(extra) if !extra.update.is_empty() => over(host, &json!(extra.update)),
        _ => host,
    }
}

impl Engine {
    pub(super) fn containers_list(&self, query: &Query) -> Answer {
        let filters = query.filters()?.only(&FILTERS)?;
        let limit: i64 = query.number("limit")?.unwrap_or(0);
        // A filter on the state asks for stopped ones too, and so does a limit.
        let all = query.flag("all") || limit > 0 || filters.has("status") || filters.has("exited");
        let now = self.clock.now();
        let state = self.lock();
        let shown = |c: &&Container| (all || c.up()) && wanted(c, &filters);
        let mut list: Vec<&Container> = state.containers.values().filter(shown).collect();
        list.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.name.cmp(&b.name)));
        if let Ok(limit @ 1..) = usize::try_from(limit) {
            list.truncate(limit);
        }
        let size = query.flag("size");
        Ok(reply::ok(&list.into_iter().map(|container| state.summary(container, now, size)).collect()))
    }

    pub(super) fn container_inspect(&self, wanted: &str, query: &Query) -> Answer {
        let now = self.clock.now();
        let state = self.lock();
        let container = state.container(wanted)?;
        let id = &container.id;
        let mut ports = Map::new();
        for (port, proto) in container.spec.exposed.iter().filter(|_| container.alive()) {
            let open = container.ports.iter().filter(|open| open.private == *port && open.proto == *proto);
            let bindings: Vec<Value> = open
                .flat_map(|open| {
                    addresses(open).into_iter().map(|ip| json!({"HostIp": ip, "HostPort": open.public.to_string()}))
                })
                .collect();
            ports.insert(
                format!("{port}/{proto}"),
                if bindings.is_empty() { Value::Null } else { Value::from(bindings) },
            );
        }
        let main = container.networks.get("bridge").map(|endpoint| state.endpoint_json("bridge", endpoint, true, id));
        let main = |key: &str, absent: Value| main.as_ref().and_then(|main| main.get(key).cloned()).unwrap_or(absent);
        let (program, arguments) = match container.spec.command.split_first() {
            Some((program, arguments)) => (program.as_str(), arguments),
            None => ("/entrypoint.sh", &[][..]),
        };
        let base = format!("/var/lib/docker/containers/{id}");
        let mut inspect = json!({
            "Id": id, "Created": container.created.to_string(), "Path": program, "Args": arguments, "State": container.state_json(now),
            "Image": container.image_id.as_ref(), "ResolvConfPath": format!("{base}/resolv.conf"), "HostnamePath": format!("{base}/hostname"),
            "HostsPath": format!("{base}/hosts"), "LogPath": format!("{base}/{id}-json.log"), "Name": format!("/{}", container.name),
            "RestartCount": container.restarts, "Driver": "overlay2", "Platform": "linux", "MountLabel": "", "ProcessLabel": "",
            "AppArmorProfile": "docker-default", "ExecIDs": null, "HostConfig": host_json(container),
            "GraphDriver": {"Data": {}, "Name": "overlay2"}, "Mounts": mounts::list(&container.spec.host), "Config": config_json(container),
            "NetworkSettings": {
                "Bridge": "", "SandboxID": if container.alive() { num::sha256(id) } else { String::new() }, "HairpinMode": false,
                "LinkLocalIPv6Address": "", "LinkLocalIPv6PrefixLen": 0, "Ports": ports,
                "SandboxKey": if container.alive() { format!("/var/run/docker/netns/{}", id.get(..12).unwrap_or(id)) } else { String::new() },
                "SecondaryIPAddresses": null, "SecondaryIPv6Addresses": null, "EndpointID": main("EndpointID", json!("")),
                "Gateway": main("Gateway", json!("")), "GlobalIPv6Address": "", "GlobalIPv6PrefixLen": 0,
                "IPAddress": main("IPAddress", json!("")), "IPPrefixLen": main("IPPrefixLen", json!(0)), "IPv6Gateway": "",
                "MacAddress": main("MacAddress", json!("")), "Networks": state.networks_json(container, true),
            },
        });
        if let (true, Some(map)) = (query.flag("size"), inspect.as_object_mut()) {
            let base = state.images.get(&container.image_id).map_or(0, |image| image.size);
            map.insert("SizeRw".to_owned(), json!(num::hash(id) % 4_000_000));
            map.insert("SizeRootFs".to_owned(), json!(base + num::hash(id) % 4_000_000));
        }
        Ok(reply::ok(&inspect))
    }

    /// The content of a file that was put into a container, for tests and the demo.
    pub fn file(&self, container: &str, path: &str) -> Option<Vec<u8>> {
        let state = self.lock();
        let extra = state.container(container).ok()?.extra.as_ref()?;
        extra.files.get(path).map(|file| file.data.to_vec())
    }
}

/// The message when a path is not in a container.
pub(super) fn no_path(path: &str, container: &str) -> Refusal {
    Refusal::new(404, format!("Could not find the file {path} in container {container}"))
}
