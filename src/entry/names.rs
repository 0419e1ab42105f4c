//! Addresses of hosts that are names: proxies want numbers, so they are looked up here.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    time::Duration,
};

use tokio::time::Instant;

use crate::model::{BackendName, Members};

/// A name is looked up anew after so long.
const FRESH: Duration = Duration::from_secs(60);
/// A name that was not found is looked up anew after so long.
const RETRY: Duration = Duration::from_secs(5);
/// A look-up must be done by then.
const DEADLINE: Duration = Duration::from_secs(5);

/// What names were found to be.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<String, (Option<IpAddr>, Instant)>);

impl Names {
    /// Puts numbers in the place of names. Gives the names that could not be found; what they were last stays.
    pub(crate) async fn resolve(&mut self, members: &mut BTreeMap<BackendName, Members>) -> Vec<String> {
        let mut missing = Vec::new();
        for server in members.values_mut().flat_map(|members| members.servers.values_mut()) {
            if server.address.parse::<IpAddr>().is_ok() {
                continue;
            }
            match self.find(&server.address).await {
                Some(address) => server.address = address.to_string(),
                None => missing.push(server.address.clone()),
            }
        }
        missing.sort();
        missing.dedup();
        missing
    }

    /// The same for addresses alone; those that could not be found stay names, which no server has.
    pub(crate) async fn resolve_all(&mut self, addresses: &mut BTreeSet<String>) {
        let mut found = BTreeSet::new();
        for address in std::mem::take(addresses) {
            let number = if address.parse::<IpAddr>().is_ok() { None } else { self.find(&address).await };
            found.insert(number.map_or(address, |number| number.to_string()));
        }
        *addresses = found;
    }

    async fn find(&mut self, name: &str) -> Option<IpAddr> {
        let last = self.0.get(name).copied();
        if let Some((address, at)) = last
            && at.elapsed() < if address.is_some() { FRESH } else { RETRY }
        {
            return address;
        }
        let looked = tokio::time::timeout(DEADLINE, tokio::net::lookup_host((name, 0))).await;
        let mut found: Vec<IpAddr> = match looked {
            Ok(Ok(all)) => all.map(|found| found.ip()).collect(),
            _ => Vec::new(),
        };
        // Always the same one of many, so that nothing moves between them.
        found.sort_by_key(|address| (address.is_ipv6(), *address));
        let address = found.into_iter().next().or(last.and_then(|(address, _)| address));
        self.0.insert(name.to_owned(), (address, Instant::now()));
        address
    }
}
