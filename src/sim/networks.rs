//! Networks.

use super::container::Endpoint;
use super::engine::{Engine, State};
use super::events::Kind;
use super::num;
use super::query::Query;
use super::reply::{self, Answer, Refusal};
use super::spec::{Pairs, pairs, strings};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
pub(super) struct Network {
    pub(super) id: String,
    driver: String,
    created: Timestamp,
    labels: Pairs,
    options: Value,
    /// Second byte of `172.x.0.0/16`; `None` for host and none.
    subnet: Option<u8>,
    internal: bool,
    attachable: bool,
    ipam: Option<Value>,
    next_ip: u16,
}

/// `bridge`, `host` and `none`.
pub(super) fn defaults(rng: &mut fastrand::Rng, now: Timestamp) -> BTreeMap<String, Network> {
    let mut make = |driver: &str, subnet| Network {
        id: num::hex(rng, 32),
        driver: driver.to_owned(),
        created: now,
        labels: Vec::new(),
        options: json!({}),
        subnet,
        internal: false,
        attachable: false,
        ipam: None,
        next_ip: 1,
    };
    BTreeMap::from([
        ("bridge".to_owned(), make("bridge", Some(17))),
        ("host".to_owned(), make("host", None)),
        ("none".to_owned(), make("null", None)),
    ])
}

pub(super) fn label_json(labels: &Pairs) -> Value {
    labels.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
}

pub(super) fn find<'a>(labels: &'a Pairs, key: &str) -> Option<&'a str> {
    labels.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
}

fn no_network(name: &str) -> Refusal {
    Refusal::new(404, format!("network {name} not found"))
}

impl Network {
    pub(super) fn gateway(&self) -> String {
        self.subnet.map(|byte| format!("172.{byte}.0.1")).unwrap_or_default()
    }

    fn json(&self, name: &str, members: &Value) -> Value {
        let config = match (&self.ipam, self.subnet) {
            (Some(ipam), _) => ipam.clone(),
            (None, Some(byte)) => json!([{"Subnet": format!("172.{byte}.0.0/16"), "Gateway": self.gateway()}]),
            (None, None) => json!([]),
        };
        json!({
            "Name": name, "Id": self.id, "Created": self.created.to_string(), "Scope": "local", "Driver": self.driver,
            "EnableIPv6": false, "IPAM": {"Driver": "default", "Options": null, "Config": config}, "Internal": self.internal,
            "Attachable": self.attachable, "Ingress": false, "ConfigFrom": {"Network": ""}, "ConfigOnly": false,
            "Containers": members, "Options": self.options, "Labels": label_json(&self.labels),
        })
    }
}

impl State {
    pub(super) fn network_name(&self, wanted: &str) -> Result<String, Refusal> {
        if self.networks.contains_key(wanted) {
            return Ok(wanted.to_owned());
        }
        let by_id = self.networks.iter().find(|(_, network)| wanted.len() >= 4 && network.id.starts_with(wanted));
        by_id.map(|(name, _)| name.clone()).ok_or_else(|| no_network(wanted))
    }

    /// The next address of a network; `None` on host and none.
    pub(super) fn next_address(&mut self, name: &str) -> Option<String> {
        let network = self.networks.get_mut(name)?;
        network.next_ip = network.next_ip.checked_add(1).unwrap_or(2);
        let [high, low] = network.next_ip.to_be_bytes();
        network.subnet.map(|byte| format!("172.{byte}.{high}.{low}"))
    }

    fn members(&self, name: &str) -> Value {
        let alive = self.containers.values().filter(|container| container.alive());
        let member = |(id, name, endpoint): (&String, &String, &Endpoint)| {
            let ip = endpoint.ip.as_ref().map(|ip| format!("{ip}/16")).unwrap_or_default();
            (
                id.clone(),
                json!({"Name": name, "EndpointID": endpoint.id, "MacAddress": mac(endpoint), "IPv4Address": ip, "IPv6Address": ""}),
            )
        };
        alive.filter_map(|c| c.networks.get(name).map(|endpoint| (&c.id, &c.name, endpoint))).map(member).collect()
    }
}

/// A hardware address made from the IP address, as Docker does.
pub(super) fn mac(endpoint: &Endpoint) -> String {
    let Some(ip) = &endpoint.ip else { return String::new() };
    let bytes = ip.split('.').filter_map(|part| part.parse::<u8>().ok());
    bytes.fold("02:42".to_owned(), |text, byte| format!("{text}:{byte:02x}"))
}

impl Engine {
    pub(super) fn networks_list(&self, query: &Query) -> Answer {
        let filters = query.filters()?;
        let state = self.lock();
        let wanted = |(name, network): &(&String, &Network)| {
            let custom = !matches!(name.as_str(), "bridge" | "host" | "none");
            filters.any("name", |part| name.contains(part))
                && filters.any("id", |part| network.id.starts_with(part))
                && filters.any("driver", |driver| driver == network.driver)
                && filters.any("scope", |scope| scope == "local")
                && filters.any("type", |kind| (kind == "custom") == custom)
                && filters.labels(|key| find(&network.labels, key))
        };
        Ok(reply::ok(
            &state.networks.iter().filter(wanted).map(|(name, network)| network.json(name, &json!({}))).collect(),
        ))
    }

    pub(super) fn network_inspect(&self, wanted: &str) -> Answer {
        let state = self.lock();
        let name = state.network_name(wanted)?;
        let network = state.networks.get(&name).ok_or_else(|| no_network(wanted))?;
        Ok(reply::ok(&network.json(&name, &state.members(&name))))
    }

    pub(super) fn network_create(&self, body: &Value) -> Answer {
        let name = body.get("Name").and_then(Value::as_str).unwrap_or_default().to_owned();
        if name.is_empty() {
            return Err(Refusal::bad("network name cannot be empty"));
        }
        let driver =
            body.get("Driver").and_then(Value::as_str).filter(|d| !d.is_empty()).unwrap_or("bridge").to_owned();
        if !matches!(driver.as_str(), "bridge" | "macvlan" | "ipvlan" | "overlay") {
            return Err(Refusal::new(404, format!("plugin \"{driver}\" not found")));
        }
        let now = self.clock.now();
        let mut state = self.lock();
        if state.networks.contains_key(&name) {
            return Err(Refusal::new(409, format!("network with name {name} already exists")));
        }
        let used: BTreeSet<u8> = state.networks.values().filter_map(|network| network.subnet).collect();
        let ipam = body.pointer("/IPAM/Config").filter(|config| config.as_array().is_some_and(|list| !list.is_empty()));
        // The bridge driver has fifteen /16 nets of 172.16/12 before it is out of addresses (and some of 192.168/16).
        let subnet = (18..=31).find(|byte| !used.contains(byte));
        if subnet.is_none() && ipam.is_none() {
            return Err(Refusal::bad(
                "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network",
            ));
        }
        let network = Network {
            id: num::hex(&mut state.rng, 32),
            driver,
            created: now,
            labels: body.get("Labels").and_then(Value::as_object).map(pairs).transpose()?.unwrap_or_default(),
            options: body.get("Options").filter(|options| options.is_object()).cloned().unwrap_or_else(|| json!({})),
            subnet: subnet.or(Some(99)),
            internal: body.get("Internal").and_then(Value::as_bool).unwrap_or(false),
            attachable: body.get("Attachable").and_then(Value::as_bool).unwrap_or(false),
            ipam: ipam.cloned(),
            next_ip: 1,
        };
        let (id, kind) = (network.id.clone(), network.driver.clone());
        state.networks.insert(name.clone(), network);
        self.emit(&mut state, Kind::Network, "create", &id, json!({"name": name, "type": kind}));
        Ok(reply::json_status(201, &json!({"Id": id, "Warning": ""})))
    }

    pub(super) fn network_remove(&self, wanted: &str) -> Answer {
        let mut state = self.lock();
        let name = state.network_name(wanted)?;
        if matches!(name.as_str(), "bridge" | "host" | "none") {
            return Err(Refusal::new(403, format!("{name} is a pre-defined network and cannot be removed")));
        }
        let id = state.networks.get(&name).map(|network| network.id.clone()).unwrap_or_default();
        if state.containers.values().any(|container| container.alive() && container.networks.contains_key(&name)) {
            return Err(Refusal::new(
                403,
                format!("error while removing network: network {name} id {id} has active endpoints"),
            ));
        }
        let kind = state.networks.remove(&name).map(|network| network.driver);
        self.emit(&mut state, Kind::Network, "destroy", &id, json!({"name": name, "type": kind}));
        Ok(reply::empty(204))
    }

    pub(super) fn network_connect(&self, wanted: &str, body: &Value, connect: bool) -> Answer {
        let container = body.get("Container").and_then(Value::as_str).unwrap_or_default();
        let mut state = self.lock();
        let name = state.network_name(wanted)?;
        let id = state.find(container)?;
        let member = state.container(&id)?.networks.contains_key(&name);
        if connect {
            if member {
                return Err(Refusal::new(
                    403,
                    format!("endpoint with name {container} already exists in network {name}"),
                ));
            }
            let aliases = strings(body.pointer("/EndpointConfig/Aliases"));
            let ip = if state.container(&id)?.alive() { state.next_address(&name) } else { None };
            let endpoint = Endpoint { id: num::hex(&mut state.rng, 32), ip, aliases };
            state.container_mut(&id)?.networks.insert(name.clone(), endpoint);
        } else {
            if !member {
                return Err(Refusal::new(500, format!("container {id} is not connected to network {name}")));
            }
            state.container_mut(&id)?.networks.remove(&name);
        }
        self.emit_membership(&mut state, &name, &id, connect);
        Ok(reply::empty(200))
    }

    pub(super) fn emit_membership(&self, state: &mut State, name: &str, container: &str, connect: bool) {
        let Some((id, kind)) = state.networks.get(name).map(|n| (n.id.clone(), n.driver.clone())) else { return };
        let action = if connect { "connect" } else { "disconnect" };
        self.emit(state, Kind::Network, action, &id, json!({"container": container, "name": name, "type": kind}));
    }

    /// Removes the networks of one's own that no container is on.
    pub(super) fn networks_prune(&self, query: &Query) -> Answer {
        let filters = query.filters()?.only(&["label", "label!", "until"])?;
        let mut state = self.lock();
        let unused = |(name, network): &(&String, &Network)| {
            !matches!(name.as_str(), "bridge" | "host" | "none")
                && !state.containers.values().any(|container| container.networks.contains_key(*name))
                && filters.labels(|key| find(&network.labels, key))
        };
        let victims: Vec<String> = state.networks.iter().filter(unused).map(|(name, _)| name.clone()).collect();
        for name in &victims {
            if let Some(network) = state.networks.remove(name) {
                self.emit(
                    &mut state,
                    Kind::Network,
                    "destroy",
                    &network.id,
                    json!({"name": name, "type": network.driver}),
                );
            }
        }
        let deleted = if victims.is_empty() { Value::Null } else { json!(victims) };
        Ok(reply::ok(&json!({"NetworksDeleted": deleted})))
    }
}
