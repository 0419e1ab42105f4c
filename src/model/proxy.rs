//! The proxy of a host: what it shall be, and what it is seen to be.
//!
//! One HAProxy container per host where one is needed carries the inner links of the stacks there, each service under a
//! virtual address of its own, and on edge hosts the entry. Its *structure* (what listens where, and which backends
//! there are) changes by a reload; its *members* (which replicas get traffic) change while it runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::Ipv4Addr,
    str::FromStr,
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{ContainerId, ReplicaOf, RevisionNo, Sensitive, ServiceKey, Slot};
use crate::text::Text;

/// A service's port behind the proxies: `shop:web:8080`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BackendName {
    /// The service.
    pub service: ServiceKey,
    /// The port inside its containers.
    pub port: u16,
}

impl fmt::Display for BackendName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.service.stack, self.service.service, self.port)
    }
}

impl FromStr for BackendName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split(':');
        let (Some(stack), Some(service), Some(port), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(());
        };
        let service = ServiceKey { stack: stack.parse().map_err(|_| ())?, service: service.parse().map_err(|_| ())? };
        Ok(Self { service, port: port.parse().map_err(|_| ())? })
    }
}

/// A container behind a proxy: `3-r7-0123456789ab`, slot, revision and the head of the container's id, so that two
/// copies of one replica are told apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerName {
    /// The replica's slot.
    pub slot: Slot,
    /// The container's revision.
    pub revision: RevisionNo,
    /// The first twelve characters of the container's id.
    pub container: String,
}

impl ServerName {
    /// The name of a container of a replica.
    pub fn new(of: &ReplicaOf, container: &ContainerId) -> Self {
        Self { slot: of.key.slot, revision: of.revision, container: container.to_string() }
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-r{}-{}", self.slot, self.revision, self.container)
    }
}

impl FromStr for ServerName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.splitn(3, '-');
        let (Some(slot), Some(revision), Some(container)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(());
        };
        let revision = revision.strip_prefix('r').ok_or(())?;
        Ok(Self {
            slot: Slot(slot.parse().map_err(|_| ())?),
            revision: RevisionNo(revision.parse().map_err(|_| ())?),
            container: container.to_owned(),
        })
    }
}

/// What a port speaks, as far as proxies care.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speech {
    /// HTTP/1 or HTTP/2 in clear: balanced and counted by request, so that a drain ends with the requests.
    Http,
    /// Anything else over TCP: balanced and counted by connection.
    #[default]
    Tcp,
}

/// What the proxy of a host shall be.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxySpec {
    /// The image.
    pub image: String,
    /// What changes by a reload.
    pub structure: ProxyStructure,
    /// Which containers get traffic, by backend. Every backend of the structure is here; changes while it runs.
    pub members: BTreeMap<BackendName, Members>,
    /// Certificates by the name that [`Frontend::certificates`] use: PEM with chain and key.
    pub certificates: BTreeMap<String, Sensitive>,
    /// Addresses of hosts of which whoever wants this has not seen anything yet: servers there stay as they are.
    pub unseen: BTreeSet<String>,
}

/// What listens where, and which backends there are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProxyStructure {
    /// The range of virtual addresses, in CIDR form, which the host takes as its own.
    pub pool: String,
    /// What listens, in order.
    pub frontends: Vec<Frontend>,
    /// The backends that frontends lead to.
    pub backends: BTreeMap<String, Backend>,
    /// Digests of the certificates by name, so that a new certificate is a new structure.
    pub certificates: BTreeMap<String, String>,
}

impl ProxyStructure {
    /// Sixteen hex digits that tell two structures apart: the proxy says by it what it has loaded.
    pub fn digest(&self) -> String {
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        short_digest(&bytes)
    }
}

/// Sixteen hex digits that tell two contents apart.
pub fn short_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).fold(String::new(), |mut digest, byte| {
        // Writing to a String cannot fail.
        let _: fmt::Result = fmt::Write::write_fmt(&mut digest, format_args!("{byte:02x}"));
        digest
    })
}

/// One listening socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frontend {
    /// Where it listens.
    pub bind: Bind,
    /// What it speaks.
    pub speech: Speech,
    /// Names of certificates; with any it ends TLS. The first is for clients that send no name.
    pub certificates: Vec<String>,
    /// Expects the PROXY protocol from what stands before it, a cloud load balancer for example.
    pub accept_proxy: bool,
    /// Where requests go, the first that fits; the most particular come first. TCP has one without host and path.
    pub routes: Vec<Route>,
}

/// Where a frontend listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Bind {
    /// A service's virtual address, for the containers of this host.
    Link {
        /// The address.
        address: Ipv4Addr,
        /// The port.
        port: u16,
    },
    /// All addresses of the host: the entry.
    Edge {
        /// The port.
        port: u16,
    },
}

/// Which requests go where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The host name they must have; `*.example.com` fits any name below it.
    pub host: Option<String>,
    /// The path they must begin with.
    pub path: Option<String>,
    /// The backend, by [`BackendName`] as text.
    pub backend: String,
}

/// How a backend treats its servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// What it speaks to them.
    pub speech: Speech,
    /// `GET` this path as the proxy's own check; none: it connects.
    pub check_path: Option<String>,
    /// The port inside that is checked, where it is another. Its published port is in [`Server::check_port`].
    pub check_port: Option<u16>,
    /// Time between two of the proxy's own checks.
    pub check_interval: Duration,
    /// Deadline of such a check.
    pub check_timeout: Duration,
    /// Requests may wait so long while nothing can take them and wharf says so ([`Members::is_held`]).
    pub hold: Duration,
    /// Tells servers the client's address by the PROXY protocol.
    pub send_proxy: bool,
}

/// The servers of a backend.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Members {
    /// By name.
    pub servers: BTreeMap<ServerName, Server>,
    /// Requests are kept waiting, because the only replica is being replaced.
    pub is_held: bool,
}

/// One container behind a backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its host's address.
    pub address: String,
    /// Its published port.
    pub port: u16,
    /// The published port of the check, where it is another.
    pub check_port: Option<u16>,
    /// What it is there for.
    pub duty: Duty,
}

/// What a server shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duty {
    /// It is on its way: checked already, so that nobody waits for a check later, and gets nothing yet.
    Awaited,
    /// It takes new requests.
    Serving,
    /// What it has may end, nothing new comes.
    Leaving,
}

impl Server {
    /// Takes new requests.
    pub fn is_serving(&self) -> bool {
        self.duty == Duty::Serving
    }
}

/// The proxy of a host as it is seen.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxyView {
    /// Its container.
    pub container: ContainerId,
    /// The image that its container was made from, as the fleet file names it.
    pub image: Text,
    /// The structure that it has loaded (see [`ProxyStructure::digest`]); empty when it has none yet.
    pub structure: Text,
    /// Processes of earlier structures, or an earlier container, that still end what they began.
    pub leaving: u32,
    /// When it was asked: what it was told to be before that is done, or not yet, but no later wish is.
    pub at: Timestamp,
    /// Its servers by backend, and those of processes that are leaving: a server is listed as ready while any of them
    /// gives it new requests, and its sessions are the sum.
    pub backends: BTreeMap<BackendName, BackendView>,
    /// Why it is not as it shall be, in words; empty when nothing is wrong.
    pub problem: Text,
}

impl ProxyView {
    /// True when nothing but time and counters differs.
    pub fn stands_as(&self, other: &Self) -> bool {
        let still = |view: &Self| {
            let mut view = Self { at: Timestamp::UNIX_EPOCH, ..view.clone() };
            for backend in view.backends.values_mut() {
                backend.traffic = Traffic::default();
                backend.servers.values_mut().for_each(|server| server.traffic = Traffic::default());
            }
            view
        };
        still(self) == still(other)
    }
}

/// A backend as one proxy sees it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BackendView {
    /// Its servers.
    pub servers: BTreeMap<ServerName, ServerView>,
    /// What came through, in all, since the proxy's process began.
    pub traffic: Traffic,
}

/// A server as one proxy sees it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServerView {
    /// `address:port` as the proxy has it.
    pub address: Text,
    /// It gets new requests as far as wharf goes.
    pub is_ready: bool,
    /// The proxy's own check passes, or it has none.
    pub is_up: bool,
    /// Requests (HTTP) or connections (TCP) it has now.
    pub sessions: u32,
    /// What came through, in all, since the proxy's process began.
    pub traffic: Traffic,
}

/// Counters. They begin at zero with the process that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Traffic {
    /// Requests (HTTP) or connections (TCP) that ended.
    pub requests: u64,
    /// Of these, what failed for the client: an answer of 500 to 599, or none; for TCP no connection, or a broken one.
    pub failed: u64,
    /// Attempts that were repeated, with the same server or another.
    pub retries: u64,
    /// Mean time to an answer over the last requests, in milliseconds; for TCP the mean time of a connection.
    pub answer_ms: u64,
}

impl Traffic {
    /// What came since `earlier` was counted. A counter that is smaller now began anew in between.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        let restarted = self.requests < earlier.requests;
        let less = |now: u64, then: u64| if restarted { now } else { now.saturating_sub(then) };
        Self {
            requests: less(self.requests, earlier.requests),
            failed: less(self.failed, earlier.failed),
            retries: less(self.retries, earlier.retries),
            answer_ms: self.answer_ms,
        }
    }

    /// The sum; times weigh by requests.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let requests = self.requests + other.requests;
        let weighed = self.answer_ms.saturating_mul(self.requests) + other.answer_ms.saturating_mul(other.requests);
        Self {
            requests,
            failed: self.failed + other.failed,
            retries: self.retries + other.retries,
            answer_ms: weighed.checked_div(requests).unwrap_or_else(|| self.answer_ms.max(other.answer_ms)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_the_way_through_a_proxy() {
        for text in ["shop:web:8080", "a.b:c-d_e:1"] {
            assert_eq!(text.parse::<BackendName>().unwrap().to_string(), text);
        }
        for text in ["3-r7-0123456789ab", "12-r1-x-y"] {
            assert_eq!(text.parse::<ServerName>().unwrap().to_string(), text);
        }
        for bad in ["", "shop:web", "shop:web:x", "shop:web:1:2", "Shop:web:1"] {
            assert!(bad.parse::<BackendName>().is_err(), "{bad}");
        }
        for bad in ["", "hold", "3-7-abc", "x-r1-abc"] {
            assert!(bad.parse::<ServerName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn counters_that_began_anew_do_not_go_backwards() {
        let count = |requests, failed| Traffic { requests, failed, ..Traffic::default() };
        assert_eq!(count(10, 2).since(count(4, 1)), count(6, 1));
        assert_eq!(count(3, 0).since(count(40, 9)), count(3, 0));
    }
}
