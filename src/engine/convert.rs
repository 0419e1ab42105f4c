//! From an engine's words to the model. The one place where what an engine says becomes [`Text`].

use std::time::Duration;

use jiff::Timestamp;

use super::{status, wire};
use crate::{
    model::{
        Binding, Container, ContainerId, ContainerState, EngineEvent, FleetName, Health, HostFacts, HostName, Image,
        Protocol, owner_of,
    },
    text::Text,
};

/// What the conversion must know of the fleet. All times stay by the engine's clock: who compares them with ours
/// knows the difference from [`HostFacts`].
#[derive(Debug, Clone)]
pub(crate) struct Convert {
    /// Whose labels count.
    pub fleet: FleetName,
}

/// An engine's time stamp; none for its zero.
fn time(text: &str) -> Option<Timestamp> {
    text.parse().ok().filter(|at: &Timestamp| at.as_second() > 0)
}

impl Convert {
    /// A container of a list taken at `now` by the engine's clock. Its start is the latest that the list's words
    /// allow; see [`settle`].
    pub(crate) fn listed(&self, from: &wire::Listed, now: Timestamp) -> Option<Container> {
        if from.id.is_empty() {
            return None;
        }
        let state = status::state(&from.state, &from.status);
        let started = match state {
            ContainerState::Running | ContainerState::Paused => {
                status::uptime(&from.status).and_then(|(up, _)| now.checked_sub(up).ok())
            }
            _ => None,
        };
        let mut ports: Vec<Binding> = from.ports.iter().filter_map(listed_port).collect();
        sort(&mut ports);
        let name = from.names.iter().find(|name| name.matches('/').count() <= 1).or(from.names.first());
        Some(Container {
            id: ContainerId(Text::new(&from.id)),
            name: Text::new(name.map_or("", |name| name.trim_start_matches('/'))),
            image: Text::new(&from.image),
            image_id: Text::new(&from.image_id),
            health: if state == ContainerState::Running { status::health(&from.status) } else { Health::None },
            state,
            owner: owner_of(&self.fleet, |key| from.labels.get(key).map(String::as_str)),
            created: Timestamp::from_second(from.created).ok(),
            started,
            restarts: 0,
            ports,
            networks: from.networks.networks.keys().map(|name| Text::new(name)).collect(),
            usage: None,
        })
    }

    /// A container of an inspection.
    pub(crate) fn inspected(&self, from: &wire::Inspected) -> Container {
        let state = match from.state.status.as_str() {
            "exited" => {
                ContainerState::Exited { code: from.state.code, at: time(&from.state.finished), oom: from.state.oom }
            }
            word => status::state(word, ""),
        };
        let mut ports = Vec::new();
        for (port, bound) in &from.networks.ports {
            let Some((target, protocol)) = target(port) else { continue };
            let none = Binding { target, published: None, address: Text::default(), protocol };
            match bound {
                Some(bound) if !bound.is_empty() => ports.extend(bound.iter().map(|bound| Binding {
                    published: bound.port.parse().ok(),
                    address: Text::new(&bound.address),
                    ..none.clone()
                })),
                _ => ports.push(none),
            }
        }
        sort(&mut ports);
        Container {
            id: ContainerId(Text::new(&from.id)),
            name: Text::new(from.name.trim_start_matches('/')),
            image: Text::new(&from.config.image),
            image_id: Text::new(&from.image_id),
            health: if state == ContainerState::Running {
                status::health_word(&from.state.health.status)
            } else {
                Health::None
            },
            state,
            owner: owner_of(&self.fleet, |key| from.config.labels.get(key).map(String::as_str)),
            created: time(&from.created),
            started: time(&from.state.started),
            restarts: from.restarts,
            ports,
            networks: from.networks.networks.keys().map(|name| Text::new(name)).collect(),
            usage: None,
        }
    }
}

fn listed_port(from: &wire::ListedPort) -> Option<Binding> {
    Some(Binding {
        target: from.target,
        published: from.published,
        address: Text::new(&from.address),
        protocol: protocol(&from.protocol)?,
    })
}

/// `80/tcp`.
fn target(text: &str) -> Option<(u16, Protocol)> {
    let (port, word) = text.split_once('/').unwrap_or((text, "tcp"));
    Some((port.parse().ok()?, protocol(word)?))
}

fn protocol(word: &str) -> Option<Protocol> {
    match word {
        "tcp" | "" => Some(Protocol::Tcp),
        "udp" => Some(Protocol::Udp),
        "sctp" => Some(Protocol::Sctp),
        _ => None,
    }
}

/// Lists and inspections give ports in different orders.
fn sort(ports: &mut Vec<Binding>) {
    ports.sort_by(|a, b| {
        (a.target, a.protocol, a.published, &a.address).cmp(&(b.target, b.protocol, b.published, &b.address))
    });
    ports.dedup();
    // Most containers have one: what a list takes in advance is more than that, for each of tens of thousands.
    ports.shrink_to_fit();
}

/// Keeps what an earlier inspection told where a list, which knows less, does not contradict it. `now` is by the
/// engine's clock.
pub(crate) fn settle(listed: &mut Container, before: &Container, now: Timestamp) {
    listed.restarts = before.restarts;
    if listed.created.is_none()
        || before.created.is_some_and(|at| Some(at.as_second()) == listed.created.map(Timestamp::as_second))
    {
        listed.created = before.created;
    }
    match (&mut listed.state, &before.state) {
        (
            ContainerState::Exited { code, at, oom },
            ContainerState::Exited { code: code_before, at: then, oom: killed },
        ) if code == code_before => {
            *at = *then;
            *oom = *killed;
            listed.started = before.started;
        }
        (ContainerState::Running | ContainerState::Paused, _) => {
            if let (Some(latest), Some(known)) = (listed.started, before.started) {
                // The engine's words leave so much open; two seconds more for the way and the clocks.
                let slack = slack(crate::model::since(latest, now)) + Duration::from_secs(2);
                let earliest = latest.checked_sub(slack).unwrap_or(latest);
                let end = latest.checked_add(Duration::from_secs(2)).unwrap_or(latest);
                if (earliest..=end).contains(&known) {
                    listed.started = before.started;
                }
            }
        }
        (state, then) if state == then => listed.started = before.started,
        _ => {}
    }
}

/// How far off the words for an uptime can be.
fn slack(uptime: Duration) -> Duration {
    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;
    Duration::from_secs(match uptime.as_secs() {
        0..60 => 1,
        60..1800 => 60,
        s if s < 48 * HOUR => HOUR,
        s if s < 14 * DAY => DAY,
        s if s < 60 * DAY => 7 * DAY,
        s if s < 730 * DAY => 30 * DAY,
        _ => 365 * DAY,
    })
}

/// An image of a list.
pub(crate) fn image(from: wire::ListedImage) -> Image {
    let real = |names: Vec<String>| {
        names.iter().filter(|name| !name.contains("<none>")).map(|name| Text::new(name)).collect::<Vec<_>>()
    };
    Image { id: Text::new(&from.id), tags: real(from.tags), digests: real(from.digests), size: from.size }
}

/// An event.
pub(crate) fn event(host: &HostName, from: &wire::Event) -> EngineEvent {
    let at = match from.time_nano {
        0 => Timestamp::from_second(from.time),
        nano => Timestamp::from_nanosecond(i128::from(nano)),
    };
    let name = from.actor.attributes.get("name").map_or("", String::as_str);
    EngineEvent {
        at: at.unwrap_or_default(),
        host: host.clone(),
        kind: Text::new(&from.kind),
        action: Text::new(&from.action),
        id: Text::new(&from.actor.id),
        name: Text::new(name),
    }
}

/// What the engine says of its machine. `asked` is our clock in the middle of the request.
pub(crate) fn facts(version: &wire::Version, minor: u32, info: &wire::Info, asked: Timestamp) -> HostFacts {
    let skew = info.time.parse::<Timestamp>().map(|theirs| theirs.duration_since(asked)).unwrap_or_default();
    let arch = if info.arch.is_empty() { &version.arch } else { &info.arch };
    HostFacts {
        engine: Text::new(&version.number),
        api: Text::from(format!("1.{minor}")),
        os: Text::new(&version.os),
        arch: Text::new(arch),
        os_name: Text::new(&info.os_name),
        cpus: info.cpus,
        memory: info.memory,
        clock_skew_ms: i64::try_from(skew.as_millis()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Owner;

    fn convert() -> Convert {
        Convert { fleet: FleetName::new("acme").unwrap() }
    }

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn listed(status: &str) -> Container {
        let json = serde_json::json!({
            "Id": "4f5e", "Names": ["/other/alias", "/shop-web-3-r7"], "Image": "app:1", "ImageID": "sha256:1",
            "Created": 1_772_000_000, "State": if status.starts_with("Up") { "running" } else { "exited" },
            "Status": status,
            "Ports": [{"IP":"0.0.0.0","PrivatePort":80,"PublicPort":32768,"Type":"tcp"}, {"PrivatePort":81,"Type":"udp"},
                      {"PrivatePort":82,"Type":"carrier-pigeon"}],
            "Labels": {"wharf.fleet":"acme","wharf.region":"east","wharf.stack":"shop","wharf.service":"web",
                       "wharf.slot":"3","wharf.revision":"7"},
            "NetworkSettings": {"Networks": {"shop_default": {"IPAddress": "10.1.2.3"}}},
        });
        convert().listed(&serde_json::from_value(json).unwrap(), now()).unwrap()
    }

    fn inspected(state: &serde_json::Value) -> Container {
        let json = serde_json::json!({
            "Id": "4f5e", "Name": "/shop-web-3-r7", "Created": "2026-02-25T06:13:20.5Z", "Image": "sha256:1",
            "RestartCount": 2, "State": state, "Config": {"Image": "app:1", "Labels": {
                "wharf.fleet":"acme","wharf.region":"east","wharf.stack":"shop","wharf.service":"web",
                "wharf.slot":"3","wharf.revision":"7"}},
            "NetworkSettings": {"Ports": {"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"32768"}], "81/udp": null},
                                "Networks": {"shop_default": {}}},
        });
        convert().inspected(&serde_json::from_value(json).unwrap())
    }

    #[test]
    fn list_and_inspection_agree() {
        let list = listed("Up 5 minutes (healthy)");
        let inspect = inspected(&serde_json::json!({"Status":"running","StartedAt":"2026-03-01T11:54:10.1Z",
            "FinishedAt":"0001-01-01T00:00:00Z","Health":{"Status":"healthy"}}));
        assert_eq!(list.name, "shop-web-3-r7");
        assert_eq!((&list.ports, &list.networks, &list.owner), (&inspect.ports, &inspect.networks, &inspect.owner));
        assert_eq!((&list.state, list.health), (&inspect.state, inspect.health));
        assert!(matches!(list.owner, Owner::Replica(_)));
        assert_eq!(inspect.restarts, 2);
        // The list cannot say more than "5 minutes"; what an inspection said stays.
        let mut settled = list.clone();
        settle(&mut settled, &inspect, now());
        assert_eq!(settled, inspect);
        // A start between two lists is seen.
        let mut restarted = listed("Up 4 seconds (healthy)");
        settle(&mut restarted, &inspect, now());
        assert_eq!(restarted.started, Some("2026-03-01T11:59:56Z".parse().unwrap()));
    }

    #[test]
    fn an_end_keeps_its_time_and_reason() {
        let inspect = inspected(&serde_json::json!({"Status":"exited","ExitCode":137,"OOMKilled":true,
            "StartedAt":"2026-03-01T11:00:00Z","FinishedAt":"2026-03-01T11:59:00Z"}));
        let mut list = listed("Exited (137) About a minute ago");
        settle(&mut list, &inspect, now());
        assert_eq!(list, inspect);
        let mut other = listed("Exited (1) About a minute ago");
        settle(&mut other, &inspect, now());
        assert_eq!(other.state, ContainerState::Exited { code: 1, at: None, oom: false });
    }

    #[test]
    fn the_zero_time_is_none() {
        assert_eq!(time("2026-03-01T12:00:00Z"), Some(now()));
        assert_eq!(time("0001-01-01T00:00:00Z"), None);
        assert_eq!(time("yesterday"), None);
    }

    #[test]
    fn hostile_names_are_harmless() {
        let json = r#"{"Id":"a","Names":["/x\u001b[31m\u202etxt"],"State":"running\u0007","Labels":{"com.docker.compose.project":"p\u001b]0;x\u0007"}}"#;
        let found = convert().listed(&serde_json::from_str(json).unwrap(), now()).unwrap();
        let all = format!("{found:?}");
        assert!(!all.contains('\u{1b}') && !all.contains('\u{202e}') && !all.contains('\u{7}'), "{all}");
    }

    #[test]
    fn events_have_their_time() {
        let host = HostName::new("hz-1").unwrap();
        let from: wire::Event = serde_json::from_str(
            r#"{"Type":"container","Action":"health_status: healthy","Actor":{"ID":"a","Attributes":{"name":"web"}},"time":1772366400,"timeNano":1772366400500000000}"#,
        )
        .unwrap();
        let event = event(&host, &from);
        assert_eq!(event.at.as_millisecond(), 1_772_366_400_500);
        assert_eq!((event.name.as_str(), event.action.as_str()), ("web", "health_status: healthy"));
    }
}
