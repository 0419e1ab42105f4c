//! Answers of engines as bytes, read as everywhere here: for tests that make engines say anything.

use jiff::Timestamp;

use super::{convert, wire};
use crate::model::{Container, EngineEvent, FleetName, HostName};

/// Reads bytes as a list of containers; none where they are none.
pub fn read_list(fleet: &FleetName, bytes: &[u8]) -> Option<Vec<Container>> {
    let found: Vec<wire::Listed> = serde_json::from_slice(bytes).ok()?;
    let convert = convert::Convert { fleet: fleet.clone() };
    Some(found.iter().filter_map(|listed| convert.listed(listed, Timestamp::UNIX_EPOCH)).collect())
}

/// Reads bytes as the inspection of a container; none where they are none.
pub fn read_inspection(fleet: &FleetName, bytes: &[u8]) -> Option<Container> {
    let found: wire::Inspected = serde_json::from_slice(bytes).ok()?;
    Some(convert::Convert { fleet: fleet.clone() }.inspected(&found))
}

/// Reads bytes as a line of events; none where they are none.
pub fn read_event(host: &HostName, bytes: &[u8]) -> Option<EngineEvent> {
    let found: wire::Event = serde_json::from_slice(bytes).ok()?;
    Some(convert::event(host, &found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_what_engines_say_and_safe() {
        let fleet = FleetName::new("acme").unwrap();
        let list = read_list(&fleet, br#"[{"Id":"a","Names":["/x\u001b[2J"]},{"Id":""},{}]"#).unwrap();
        assert_eq!((list.len(), list[0].name.as_str()), (1, "x"));
        assert_eq!(read_inspection(&fleet, br#"{"Id":"a","Name":"/web"}"#).unwrap().name.as_str(), "web");
        let host = HostName::new("e-1").unwrap();
        assert_eq!(read_event(&host, br#"{"Type":"container","Action":"die"}"#).unwrap().action.as_str(), "die");
        for nonsense in [&b""[..], b"\xff", b"[", b"7"] {
            assert!(read_list(&fleet, nonsense).is_none());
            assert!(read_inspection(&fleet, nonsense).is_none() && read_event(&host, nonsense).is_none());
        }
    }
}
