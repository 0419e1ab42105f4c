//! Which ports of a service proxies carry, and where its traffic comes in: read from its spec.

use std::collections::BTreeMap;

use crate::model::{EntryProtocol, EntrySpec, PortMode, Protocol, ServiceSpec, Speech};

/// Ports on which an HTTP server is nearly always what answers. `x-wharf.speaks` says otherwise where it is not.
const HTTP_PORTS: [u16; 7] = [80, 3000, 5000, 8000, 8080, 8081, 8888];

/// The ports of a service that proxies carry, with what they speak: all that it exposes or publishes over TCP.
pub fn links(spec: &ServiceSpec) -> BTreeMap<u16, Speech> {
    // With another's network, or none, there is no port of its own.
    if spec.network_mode.as_deref().is_some_and(|mode| mode != "bridge" && mode != "host") {
        return BTreeMap::new();
    }
    let tcp = |protocol: Protocol| protocol == Protocol::Tcp;
    let published = spec.ports.iter().filter(|port| tcp(port.protocol)).map(|port| port.target);
    let exposed = spec.expose.iter().filter(|port| tcp(port.protocol)).map(|port| port.port);
    let entries = spec.wharf.entry.iter().map(|entry| entry.target);
    let ports = published.chain(exposed).chain(entries).filter(|port| *port != 0);
    ports.map(|port| (port, speech(spec, port))).collect()
}

/// What a port speaks: what the file says, else what an entry or a check shows, else a guess by its number.
fn speech(spec: &ServiceSpec, port: u16) -> Speech {
    if let Some(said) = spec.wharf.speaks.get(&port) {
        return *said;
    }
    let entry = spec.wharf.entry.iter().filter(|entry| entry.target == port).find_map(|entry| entry.protocol);
    match entry {
        Some(EntryProtocol::Tcp) => return Speech::Tcp,
        Some(EntryProtocol::Http | EntryProtocol::Https) => return Speech::Http,
        None => {}
    }
    let checked = spec.wharf.check.as_ref().is_some_and(|check| check.path.is_some() && check.port == Some(port));
    if checked || HTTP_PORTS.contains(&port) { Speech::Http } else { Speech::Tcp }
}

/// Where a service's traffic comes in: what `x-wharf.entry` says, and a plain entry for each published port that it
/// says nothing of.
pub fn entries(spec: &ServiceSpec) -> Vec<EntrySpec> {
    let mut entries: Vec<EntrySpec> = spec.wharf.entry.iter().filter(|entry| entry.port != 0).cloned().collect();
    for port in spec.ports.iter().filter(|port| port.mode == PortMode::Ingress && port.protocol == Protocol::Tcp) {
        let Some(published) = port.published else { continue };
        if !entries.iter().any(|entry| entry.port == published) {
            entries.push(EntrySpec { port: published, target: port.target, ..EntrySpec::default() });
        }
    }
    entries
}

/// What an entry speaks on the edge: what it says, else what its port inside speaks.
pub(crate) fn entry_speech(spec: &ServiceSpec, entry: &EntrySpec) -> Speech {
    match entry.protocol {
        Some(EntryProtocol::Tcp) => Speech::Tcp,
        Some(EntryProtocol::Http | EntryProtocol::Https) => Speech::Http,
        None if entry.host.is_some() || entry.path.is_some() => Speech::Http,
        None => speech(spec, entry.target),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ExposedPort, Port, WharfSpec};

    fn port(target: u16, published: Option<u16>, mode: PortMode) -> Port {
        Port { target, published, host_ip: None, protocol: Protocol::Tcp, mode }
    }

    #[test]
    fn ports_and_what_they_speak() {
        let spec = ServiceSpec {
            ports: vec![port(8080, Some(80), PortMode::Ingress), port(5432, None, PortMode::Host)],
            expose: vec![
                ExposedPort { port: 9000, protocol: Protocol::Tcp },
                ExposedPort { port: 53, protocol: Protocol::Udp },
            ],
            wharf: WharfSpec { speaks: [(9000, Speech::Http)].into(), ..WharfSpec::default() },
            ..ServiceSpec::default()
        };
        assert_eq!(links(&spec), [(5432, Speech::Tcp), (8080, Speech::Http), (9000, Speech::Http)].into());
        let entries = entries(&spec);
        assert_eq!(entries.len(), 1, "{entries:?}");
        assert_eq!((entries[0].port, entries[0].target), (80, 8080));
        assert_eq!(entry_speech(&spec, &entries[0]), Speech::Http);
    }
}
