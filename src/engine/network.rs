//! Networks and volumes of stacks on one host: made when first needed, in subnets of our own choice.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    time::Duration,
};

use tokio::{sync::Mutex, time::Instant};

use super::{
    error::{ErrorKind, Fault},
    reader::{LIST, SHORT},
    session::Session,
    wire,
};
use crate::model::{FleetName, NetworkSpec, StackName, VolumeSpec, label};

/// What was found or made is not looked for again so soon: many replicas are created at once.
const TRUSTED: Duration = Duration::from_secs(15);
/// Subnets that are tried when others take them at the same moment, or when the host uses them otherwise.
const TRIES: usize = 16;
/// Making a network changes firewall rules, which takes seconds on a busy host.
const MAKE: Duration = Duration::from_secs(60);

/// What was lately seen to exist on a host. Its lock also keeps parallel creations from making a thing twice.
#[derive(Default)]
pub(crate) struct Ensured(Mutex<BTreeMap<String, Instant>>);

impl Ensured {
    /// Forgets everything: something that should exist was missing.
    pub(crate) async fn forget(&self) {
        self.0.lock().await.clear();
    }

    async fn once(&self, key: String, make: impl AsyncFnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
        let mut seen = self.0.lock().await;
        if seen.get(&key).is_some_and(|at| at.elapsed() < TRUSTED) {
            return Ok(());
        }
        make().await?;
        seen.insert(key, Instant::now());
        Ok(())
    }
}

/// The name of a stack's network on its hosts.
pub fn network_name(stack: &StackName, key: &str, spec: Option<&NetworkSpec>) -> String {
    shared_name(stack, key, spec.and_then(|spec| spec.name.as_deref()), spec.is_some_and(|spec| spec.external))
}

/// The name of a stack's volume on its hosts.
pub fn volume_name(stack: &StackName, key: &str, spec: Option<&VolumeSpec>) -> String {
    shared_name(stack, key, spec.and_then(|spec| spec.name.as_deref()), spec.is_some_and(|spec| spec.external))
}

fn shared_name(stack: &StackName, key: &str, name: Option<&str>, external: bool) -> String {
    match name {
        Some(name) => name.to_owned(),
        None if external => key.to_owned(),
        None => format!("{stack}_{key}"),
    }
}

fn labels(fleet: &FleetName, stack: &StackName, own: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut labels = own.clone();
    labels.insert(label::FLEET.to_owned(), fleet.to_string());
    labels.insert(label::STACK.to_owned(), stack.to_string());
    labels
}

/// Sees to it that a network of a stack is there. One of that name that belongs to somebody else is an error.
pub(crate) async fn ensure_network(
    session: &Session,
    fleet: &FleetName,
    stack: &StackName,
    key: &str,
    spec: &NetworkSpec,
    pool: &str,
) -> Result<(), Fault> {
    let name = network_name(stack, key, Some(spec));
    session
        .ensured
        .once(format!("network {name}"), async || make_network(session, fleet, stack, &name, spec, pool).await)
        .await
}

async fn make_network(
    session: &Session,
    fleet: &FleetName,
    stack: &StackName,
    name: &str,
    spec: &NetworkSpec,
    pool: &str,
) -> Result<(), Fault> {
    let mut refused = BTreeSet::new();
    for _ in 0..TRIES {
        let found: Vec<wire::Network> = session.http.json("/networks", LIST).await?;
        if let Some(there) = found.iter().find(|network| network.name == name) {
            let ours = there.labels.get(label::FLEET).is_some_and(|theirs| theirs == fleet.as_str());
            return if spec.external || spec.adopted || ours { Ok(()) } else { Err(foreign("network", name)) };
        }
        if spec.external {
            return Err(missing("network", name));
        }
        let driver = spec.driver.as_deref().unwrap_or("bridge");
        let subnet = match &spec.subnet {
            Some(subnet) => Some(subnet.clone()),
            None if driver == "bridge" => {
                let used = found.iter().flat_map(|network| &network.ipam.config).map(|range| range.subnet.as_str());
                let used: Vec<&str> = used.chain(refused.iter().map(String::as_str)).collect();
                Some(free_subnet(pool, &used).ok_or_else(|| {
                    Fault::new(
                        ErrorKind::Failed,
                        &format!("all subnets of {pool} are in use on this host"),
                        "set a larger `subnet_pool` in the fleet file, or remove unused networks there",
                    )
                })?)
            }
            None => None,
        };
        let config = ranges(spec, subnet.as_deref());
        let body = serde_json::json!({
            "Name": name,
            // Without it, two at the same moment would both succeed.
            "CheckDuplicate": true,
            "Driver": driver,
            "Internal": spec.internal,
            "EnableIPv6": spec.ipv6,
            "Attachable": driver == "overlay",
            "Options": spec.driver_opts,
            "Labels": labels(fleet, stack, &spec.labels),
            "IPAM": { "Config": config },
        });
        match session.http.post::<wire::Created>("/networks/create", &body, MAKE).await {
            Ok(_) => return Ok(()),
            Err(fault) => {
                let words = fault.why.as_str().to_lowercase();
                let overlap = words.contains("overlap") || words.contains("conflicts with network");
                match subnet {
                    Some(subnet) if overlap && spec.subnet.is_none() => {
                        refused.insert(subnet);
                    }
                    // Another process was faster, or the answer to our own was lost: the next look tells.
                    _ if words.contains("already exists") || fault.kind == ErrorKind::LostAnswer => {}
                    _ => return Err(fault),
                }
            }
        }
    }
    Err(Fault::new(
        ErrorKind::Failed,
        &format!("no subnet for the network {name} was accepted"),
        "set its subnet in the stack file",
    ))
}

/// The address ranges of a new network.
fn ranges(spec: &NetworkSpec, subnet: Option<&str>) -> Vec<BTreeMap<&'static str, String>> {
    let mut out = Vec::new();
    if let Some(subnet) = subnet {
        let mut range = BTreeMap::from([("Subnet", subnet.to_owned())]);
        range.extend(spec.gateway.clone().map(|gateway| ("Gateway", gateway)));
        range.extend(spec.ip_range.clone().map(|part| ("IPRange", part)));
        out.push(range);
    }
    out.extend(spec.subnet6.clone().map(|subnet| BTreeMap::from([("Subnet", subnet)])));
    out
}

/// Removes a network of ours. One that is not ours, or not there, is left as it is.
pub(crate) async fn remove_network(session: &Session, fleet: &FleetName, name: &str) -> Result<(), Fault> {
    let found: Vec<wire::Network> = session.http.json("/networks", LIST).await?;
    session.ensured.forget().await;
    for network in found.iter().filter(|network| network.name == name) {
        if network.labels.get(label::FLEET).is_some_and(|theirs| theirs == fleet.as_str()) {
            let removal = session.docker.remove_network(&network.id);
            super::http::within(MAKE, async { removal.await.map_err(|error| super::http::from_bollard(&error)) })
                .await?;
        }
    }
    Ok(())
}

/// Sees to it that a volume of a stack is there. Making one that is there changes nothing.
pub(crate) async fn ensure_volume(
    session: &Session,
    fleet: &FleetName,
    stack: &StackName,
    key: &str,
    spec: &VolumeSpec,
) -> Result<(), Fault> {
    let name = volume_name(stack, key, Some(spec));
    session
        .ensured
        .once(format!("volume {name}"), async || {
            if spec.external {
                let found: Result<wire::Volume, Fault> =
                    session.http.json(&format!("/volumes/{}", super::http::encode(&name)), SHORT).await;
                return match found {
                    Ok(_) => Ok(()),
                    Err(fault) if fault.kind == ErrorKind::NotFound => Err(missing("volume", &name)),
                    Err(fault) => Err(fault),
                };
            }
            let body = bollard::models::VolumeCreateRequest {
                name: Some(name.clone()),
                driver: spec.driver.clone(),
                driver_opts: Some(spec.driver_opts.clone().into_iter().collect()),
                labels: Some(labels(fleet, stack, &spec.labels).into_iter().collect()),
                ..Default::default()
            };
            let made = session.docker.create_volume(body);
            super::http::within(MAKE, async { made.await.map_err(|error| super::http::from_bollard(&error)) }).await?;
            Ok(())
        })
        .await
}

fn foreign(what: &str, name: &str) -> Fault {
    Fault::new(
        // Not a conflict, which time may end: only a person can.
        ErrorKind::Invalid,
        &format!("the {what} {name} is there, but does not belong to this fleet"),
        format!("give the {what} of the stack another `name`, or set `external: true` to use that one"),
    )
}

fn missing(what: &str, name: &str) -> Fault {
    Fault::new(
        ErrorKind::Invalid,
        &format!("the external {what} {name} does not exist on this host"),
        format!("make it there (docker {what} create {name}), or take `external` away"),
    )
}

/// The first /24 of the pool that overlaps nothing in use; the pool itself where it is smaller.
fn free_subnet(pool: &str, used: &[&str]) -> Option<String> {
    let (base, length) = range(pool)?;
    let used: Vec<(u32, u8)> = used.iter().filter_map(|text| range(text)).collect();
    let size = length.max(24);
    let count = 1u64 << (size - length);
    let step = 1u64 << (32 - size);
    (0..count).find_map(|index| {
        let candidate = u32::try_from(u64::from(base) + index * step).ok()?;
        let free = used.iter().all(|(other, length)| {
            let mask = mask(size.min(*length));
            candidate & mask != other & mask
        });
        free.then(|| format!("{}/{size}", Ipv4Addr::from_bits(candidate)))
    })
}

/// `10.0.0.0/8` as its first address and length.
fn range(text: &str) -> Option<(u32, u8)> {
    let (address, length) = text.split_once('/')?;
    let length: u8 = length.parse().ok().filter(|length| *length <= 32)?;
    let address: Ipv4Addr = address.parse().ok()?;
    Some((address.to_bits() & mask(length), length))
}

fn mask(length: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(length)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_subnet_is_taken() {
        for (pool, used, free) in [
            ("10.210.0.0/16", vec![], Some("10.210.0.0/24")),
            ("10.210.0.0/16", vec!["10.210.0.0/24", "10.210.1.0/24", "172.17.0.0/16"], Some("10.210.2.0/24")),
            ("10.210.0.0/16", vec!["10.210.0.0/23", "10.210.2.128/25"], Some("10.210.3.0/24")),
            ("10.210.7.9/16", vec!["fd00::/64", "garbage", "10.210.0.0/40"], Some("10.210.0.0/24")),
            ("10.210.0.0/16", vec!["10.0.0.0/8"], None),
            ("10.210.0.0/28", vec![], Some("10.210.0.0/28")),
            ("10.210.0.0/24", vec!["10.210.0.0/28"], None),
            ("8.0.0.0/7", vec!["8.0.0.0/8"], Some("9.0.0.0/24")),
            ("what", vec![], None),
        ] {
            assert_eq!(free_subnet(pool, &used).as_deref(), free, "{pool} {used:?}");
        }
    }

    #[test]
    fn names_on_hosts() {
        let stack = StackName::new("shop").unwrap();
        let spec = |name: Option<&str>, external| NetworkSpec {
            name: name.map(Into::into),
            external,
            ..NetworkSpec::default()
        };
        assert_eq!(network_name(&stack, "back", None), "shop_back");
        assert_eq!(network_name(&stack, "back", Some(&spec(None, true))), "back");
        assert_eq!(network_name(&stack, "back", Some(&spec(Some("x"), false))), "x");
    }
}
