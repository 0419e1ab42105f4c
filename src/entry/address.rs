//! Where things are: the control address of a fleet's proxies, and addresses as HAProxy writes them.

use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use sha2::{Digest, Sha256};

use crate::model::FleetName;

/// The port on which the first proxy's master process takes commands; the other one's has the next.
const CONTROL_PORT: u16 = 9261;

/// One of the two proxies that a fleet may have on a host: the second is there while it takes over from the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Berth {
    /// The first.
    A,
    /// The other one.
    B,
}

impl Berth {
    /// The other berth.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// The container's name.
    pub(crate) fn name(self, fleet: &FleetName) -> String {
        match self {
            Self::A => format!("wharf-proxy-{fleet}-a"),
            Self::B => format!("wharf-proxy-{fleet}-b"),
        }
    }

    /// The berth of a container by its name.
    pub(crate) fn of(fleet: &FleetName, name: &str) -> Option<Self> {
        [Self::A, Self::B].into_iter().find(|berth| berth.name(fleet) == name)
    }

    /// Where its master process takes commands: on an address of the loopback network that neither the other berth
    /// nor the proxy of another fleet has, so that nothing must be configured and nothing clashes.
    pub(crate) fn control(self, fleet: &FleetName) -> SocketAddrV4 {
        let digest = Sha256::digest(fleet.as_str());
        let (x, y) = (digest.first().copied().unwrap_or_default(), digest.get(1).copied().unwrap_or_default());
        let (last, port) = if self == Self::A { (1, CONTROL_PORT) } else { (2, CONTROL_PORT + 1) };
        // 127.0.0.x is where everything else is.
        SocketAddrV4::new(Ipv4Addr::new(127, x.max(1), y, last), port)
    }
}

/// The volume through which a proxy hands its listening sockets to its successor.
pub(crate) fn volume(fleet: &FleetName) -> String {
    format!("wharf-proxy-{fleet}")
}

/// `address:port` as HAProxy reads it; none where the address is a name.
pub(crate) fn endpoint(address: &str, port: u16) -> Option<String> {
    match address.parse().ok()? {
        IpAddr::V4(address) => Some(format!("{address}:{port}")),
        // Without brackets the last group would be the port.
        IpAddr::V6(address) => Some(format!("[{address}]:{port}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn berths_and_fleets_never_share_a_control_address() {
        let (acme, demo) = (FleetName::new("acme").unwrap(), FleetName::new("demo").unwrap());
        let all = [Berth::A.control(&acme), Berth::B.control(&acme), Berth::A.control(&demo), Berth::B.control(&demo)];
        for (i, one) in all.iter().enumerate() {
            assert!(one.ip().is_loopback() && one.ip().octets()[1] != 0, "{one}");
            assert!(all[i + 1..].iter().all(|other| other != one), "{one}");
        }
        assert_eq!(Berth::of(&acme, "wharf-proxy-acme-b"), Some(Berth::B));
        assert_eq!(Berth::of(&acme, "wharf-proxy-demo-b"), None);
    }

    #[test]
    fn endpoints_are_written_as_haproxy_reads_them() {
        assert_eq!(endpoint("10.0.0.1", 80).as_deref(), Some("10.0.0.1:80"));
        assert_eq!(endpoint("fd00::1", 80).as_deref(), Some("[fd00::1]:80"));
        assert_eq!(endpoint("hz-1.internal", 80), None);
        assert_eq!(endpoint("10.0.0.1 check\n", 80), None);
    }
}
