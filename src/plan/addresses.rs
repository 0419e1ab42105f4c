//! Virtual addresses: one for each service that others reach through their host's proxy, the same on every host.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use super::{Refusal, links::links};
use crate::model::{Desired, Fleet, ServiceKey, ServiceName, StackSpec, free_address};

/// The addresses of a stack's services: those that they have, and the lowest free ones for those that have none.
pub(crate) fn addresses(
    fleet: &Fleet,
    desired: &Desired,
    stack: &StackSpec,
) -> Result<BTreeMap<ServiceName, Ipv4Addr>, Refusal> {
    let have = desired.stacks.get(&stack.name).map(|shared| &shared.addresses);
    let mut used: BTreeSet<Ipv4Addr> =
        desired.stacks.values().flat_map(|shared| shared.addresses.values().copied()).collect();
    let mut addresses = BTreeMap::new();
    // A service alone has nobody to be reached by; containers that know an address go on using it.
    let is_reached = |name: &ServiceName| stack.services.len() > 1 || have.is_some_and(|have| have.contains_key(name));
    let linked = stack.services.iter().filter(|(name, spec)| !links(spec).is_empty() && is_reached(name));
    for (name, _) in linked {
        let address = match have.and_then(|have| have.get(name)) {
            Some(address) => *address,
            None => free_address(&fleet.link_pool, &used).ok_or_else(|| {
                let pool = &fleet.link_pool;
                Refusal::Invalid(format!(
                    "no virtual address of {pool} is free for {}/{name}: set a larger range as `links` under [proxy] in the fleet file",
                    stack.name
                ))
            })?,
        };
        used.insert(address);
        addresses.insert(name.clone(), address);
    }
    // What this takes away keeps its address while its containers end: others are still sending to it. The next deploy
    // finds it gone, and frees the address.
    let runs = |name: &ServiceName| {
        desired.services.contains_key(&ServiceKey { stack: stack.name.clone(), service: name.clone() })
    };
    for (name, address) in have.into_iter().flatten() {
        if !stack.services.contains_key(name) && runs(name) {
            addresses.insert(name.clone(), *address);
        }
    }
    Ok(addresses)
}
