//! Which ports of a replica are published, and where.

use std::collections::{BTreeMap, HashMap};

use bollard::models::PortBinding;

use super::CreateRequest;
use crate::{
    engine::error::{ErrorKind, Fault},
    model::{PortMode, Protocol},
};

/// Where ports are published that only proxies of this machine need, when the host has no address of its own: never
/// on all addresses, because that would open them to everybody.
const LOOPBACK: &str = "127.0.0.1";

/// Ports for the body of a creation.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// `80/tcp`, sorted.
    pub exposed: Vec<String>,
    /// Bindings by the same.
    pub bindings: HashMap<String, Option<Vec<PortBinding>>>,
}

/// Ports that reach others through proxies get an ephemeral port on the host's own address. Ports in host mode are
/// opened as they are written.
pub(super) fn published(request: &CreateRequest<'_>) -> Result<Published, Fault> {
    let spec = request.spec;
    let address = request.host_address.unwrap_or(LOOPBACK);
    let shares_network = spec.network_mode.as_deref().is_some_and(|mode| mode != "bridge");
    let ephemeral = || PortBinding { host_ip: Some(address.to_owned()), host_port: Some(String::new()) };

    let mut ports: BTreeMap<(u16, Protocol), Vec<PortBinding>> = BTreeMap::new();
    for port in spec.ports.iter().filter(|port| port.mode == PortMode::Host) {
        let binding = match port.published {
            Some(published) => PortBinding { host_ip: port.host_ip.clone(), host_port: Some(published.to_string()) },
            None => PortBinding {
                host_ip: Some(port.host_ip.clone().unwrap_or_else(|| address.to_owned())),
                host_port: Some(String::new()),
            },
        };
        ports.entry((port.target, port.protocol)).or_default().push(binding);
    }
    let inner =
        spec.ports.iter().filter(|port| port.mode == PortMode::Ingress).map(|port| (port.target, port.protocol));
    let exposed = spec.expose.iter().map(|port| (port.port, port.protocol));
    let entries = spec.wharf.entry.iter().map(|entry| (entry.target, Protocol::Tcp));
    let check = spec.wharf.check.iter().filter_map(|check| check.port).map(|port| (port, Protocol::Tcp));
    for port in inner.chain(exposed).chain(entries).chain(check).filter(|(port, _)| *port != 0) {
        // A port in host mode is reached at that one.
        ports.entry(port).or_insert_with(|| vec![ephemeral()]);
    }
    if shares_network {
        // With the host's network the ports are there as they are; with another's, they are that one's.
        if spec.ports.iter().any(|port| port.mode == PortMode::Host && port.published != Some(port.target)) {
            return Err(Fault::new(
                ErrorKind::Invalid,
                "a port cannot be mapped to another number without a network of its own (`network_mode`)",
                "take the port or `network_mode` out of the stack file",
            ));
        }
        return Ok(Published::default());
    }
    let mut published = Published::default();
    for ((port, protocol), bindings) in ports {
        let key = format!("{port}/{protocol}");
        published.exposed.push(key.clone());
        published.bindings.insert(key, Some(bindings));
    }
    Ok(published)
}
