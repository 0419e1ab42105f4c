//! Published ports: free ones are given out in turn, taken ones refused in Docker's words.

use super::container::OpenPort;
use super::engine::State;
use super::reply::Refusal;
use super::spec::PortWish;
use std::collections::BTreeSet;

/// First port given out by chance; the kernel's default `ip_local_port_range` begins here.
pub(super) const FIRST: u16 = 32_768;
/// Last one of that range.
const LAST: u16 = 60_999;

impl State {
    fn taken(&self) -> BTreeSet<(u16, &str)> {
        let open = self.containers.values().flat_map(|container| &container.ports);
        open.map(|port| (port.public, port.proto.as_str())).collect()
    }

    fn clash(&self, ip: &str, public: u16, proto: &str) -> bool {
        let mut open = self.containers.values().flat_map(|container| &container.ports);
        open.any(|port| port.public == public && port.proto == proto && (any(&port.ip) || any(ip) || port.ip == ip))
    }

    /// Opens all ports a container wants, or none.
    pub(super) fn open_ports(&mut self, name: &str, id: &str, wishes: &[PortWish]) -> Result<Vec<OpenPort>, Refusal> {
        let mut open: Vec<OpenPort> = Vec::with_capacity(wishes.len());
        for wish in wishes {
            let ip = if any(&wish.ip) { "0.0.0.0" } else { &wish.ip };
            let own = |port: u16| open.iter().any(|o| o.public == port && o.proto == wish.proto);
            let public = match wish.public {
                Some(port) if own(port) || self.clash(ip, port, &wish.proto) => {
                    return Err(Refusal::new(
                        500,
                        format!(
                            "driver failed programming external connectivity on endpoint {name} ({id}): Bind for {ip}:{port} failed: port is already allocated"
                        ),
                    ));
                }
                Some(port) => port,
                None => self.free_port(&wish.proto, &own).ok_or_else(|| {
                    Refusal::new(500, format!("driver failed programming external connectivity on endpoint {name} ({id}): all ports are allocated"))
                })?,
            };
            open.push(OpenPort { private: wish.private, proto: wish.proto.clone(), ip: ip.to_owned(), public });
        }
        Ok(open)
    }

    fn free_port(&mut self, proto: &str, own: &dyn Fn(u16) -> bool) -> Option<u16> {
        let taken = self.taken();
        let start = if self.last_port >= LAST { FIRST } else { self.last_port + 1 };
        let port = (start..=LAST).chain(FIRST..start).find(|port| !taken.contains(&(*port, proto)) && !own(*port))?;
        self.last_port = port;
        Some(port)
    }
}

fn any(ip: &str) -> bool {
    matches!(ip, "" | "0.0.0.0" | "::")
}
