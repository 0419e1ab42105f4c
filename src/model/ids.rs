//! Names and numbers, each its own type so that one cannot be taken for another.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest name, in bytes: `stack-service-slot-rN` must stay a legal host name (RFC 1123: 63).
pub const MAX_NAME: usize = 63;

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing was written.
    #[error("a {what} name must not be empty")]
    Empty {
        /// What was being named.
        what: &'static str,
    },
    /// More than [`MAX_NAME`] bytes.
    #[error("the {what} name `{name}` is longer than {MAX_NAME} characters")]
    Long {
        /// What was being named.
        what: &'static str,
        /// What was written.
        name: String,
    },
    /// A character outside the alphabet.
    #[error(
        "the {what} name `{name}` has a character that is not allowed: use a-z, 0-9, `-`, `_` and `.`, and begin with a letter or a digit"
    )]
    Character {
        /// What was being named.
        what: &'static str,
        /// What was written, made safe to print.
        name: String,
    },
}

fn check(what: &'static str, name: &str) -> Result<(), NameError> {
    let first = name.chars().next().ok_or(NameError::Empty { what })?;
    if name.len() > MAX_NAME {
        return Err(NameError::Long { what, name: crate::text::Text::new(name).to_string() });
    }
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '.');
    if !(first.is_ascii_lowercase() || first.is_ascii_digit()) || !name.chars().all(legal) {
        return Err(NameError::Character { what, name: crate::text::Text::new(name).to_string() });
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(Arc<str>);

        impl $type {
            /// Checks and takes a name: 1 to 63 of `a-z 0-9 - _ .`, the first a letter or a digit.
            pub fn new(name: &str) -> Result<Self, NameError> {
                check($what, name)?;
                Ok(Self(name.into()))
            }

            /// The name as written.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = NameError;
            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = String::deserialize(deserializer)?;
                Self::new(&name).map_err(serde::de::Error::custom)
            }
        }
    };
}

name!(
    /// The fleet's name: on every container that belongs to it.
    FleetName, "fleet"
);
name!(
    /// A region of the fleet.
    RegionName, "region"
);
name!(
    /// A host: one Docker Engine. Unique in the fleet.
    HostName, "host"
);
name!(
    /// A stack: the services of one Compose file.
    StackName, "stack"
);
name!(
    /// A service inside its stack.
    ServiceName, "service"
);

macro_rules! number {
    ($(#[$doc:meta])* $type:ident, $inner:ty) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $type(pub $inner);

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number!(
    /// A replica's place among its service's replicas in one region, from 1. It outlives containers.
    Slot, u32
);
number!(
    /// The number of a revision, from 1, counted per service.
    RevisionNo, u32
);
number!(
    /// Counts accepted changes of the fleet's desired state. A plan is valid while what it touches has not
    /// been changed by a later generation.
    Generation, u64
);
number!(
    /// Counts the holders of a region's lease: a fencing token.
    Epoch, u64
);

/// A service of a stack: `shop/web`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceKey {
    /// The stack.
    pub stack: StackName,
    /// The service in it.
    pub service: ServiceName,
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.stack, self.service))
    }
}

impl FromStr for ServiceKey {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let (stack, service) = text.split_once('/').unwrap_or((text, ""));
        Ok(Self { stack: stack.parse()?, service: service.parse()? })
    }
}

impl Serialize for ServiceKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ServiceKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A replica: one slot of a service in one region.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReplicaKey {
    /// Where.
    pub region: RegionName,
    /// Of which service.
    pub service: ServiceKey,
    /// Which of them.
    pub slot: Slot,
}

impl ReplicaKey {
    /// The container's name for this replica at `revision`, made for a round of restarts: the same for every
    /// reconciler, so that a lost race creates nothing twice.
    pub fn container_name(&self, revision: RevisionNo, round: u32) -> String {
        let round = if round == 0 { String::new() } else { format!(".{round}") };
        format!("{}-{}-{}-r{revision}{round}", self.service.stack, self.service.service, self.slot)
    }
}

impl ServiceKey {
    /// The name of the container that runs the test of a revision: one per host, whoever begins it.
    pub fn test_name(&self, revision: RevisionNo) -> String {
        format!("{}-{}-test-r{revision}", self.stack, self.service)
    }
}

impl fmt::Display for ReplicaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}", self.service, self.slot))
    }
}

/// A container's id as its engine gives it: 64 hex digits. Unique per engine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ContainerId(pub crate::text::Text);

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.as_str().get(..12).unwrap_or(self.0.as_str()))
    }
}

/// A command's id: a UUIDv7, so that ids sort by time of acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommandId(pub uuid::Uuid);

impl CommandId {
    /// The short form for screens: the last eight hex digits, which differ even for commands of one second.
    pub fn short(self) -> String {
        let mut hex = self.0.simple().to_string();
        hex.split_off(24)
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for CommandId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        assert!(HostName::new("hz-1.internal").is_ok());
        for bad in ["", "-a", "A", "a b", "a/b", "港", "a\x1b[31m", &"x".repeat(64)] {
            assert!(HostName::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn containers_are_named_after_their_replica() {
        let key = ReplicaKey {
            region: RegionName::new("east").unwrap(),
            service: "shop/web".parse().unwrap(),
            slot: Slot(3),
        };
        assert_eq!(key.container_name(RevisionNo(7), 0), "shop-web-3-r7");
        assert_eq!(key.container_name(RevisionNo(7), 2), "shop-web-3-r7.2");
        assert_eq!(key.service.test_name(RevisionNo(7)), "shop-web-test-r7");
        assert_eq!(key.to_string(), "shop/web.3");
        assert!("shop".parse::<ServiceKey>().is_err());
    }
}
