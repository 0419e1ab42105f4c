//! What a host keeps beside what runs: images, volumes, networks, and what they take of its disk.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ContainerId, FleetName, HostName, StackName, label};
use crate::text::{Text, short_image};

/// Kinds of things that engines keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kept {
    /// The layers of an image.
    Image,
    /// What containers keep beyond their own life.
    Volume,
    /// A network between containers of the host.
    Network,
    /// What the containers of the host wrote outside of volumes, all together.
    Files,
    /// What is left of builds, all together.
    Cache,
}

impl Kept {
    /// One word for columns, filters and scripts.
    pub fn word(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Volume => "volume",
            Self::Network => "network",
            Self::Files => "files",
            Self::Cache => "cache",
        }
    }
}

/// One thing that an engine keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stored {
    /// What kind of thing.
    pub kind: Kept,
    /// What the engine knows it by: the id of an image or network, the name of a volume.
    pub id: Text,
    /// Its first name; empty for an image without one.
    pub name: Text,
    /// Its other names: tags and digests of an image, address ranges of a network.
    pub more: Vec<Text>,
    /// Who looks after it; empty for images.
    pub driver: Text,
    /// Bytes; none where nobody counted them, or it has none. Images share layers, so their sum is more than they take.
    pub size: Option<u64>,
    /// When it was made: an image by whoever built it, anything else on this host.
    pub created: Option<Timestamp>,
    /// The containers of this host that use it, whether they run or not.
    pub users: Vec<ContainerId>,
    /// Its labels.
    pub labels: BTreeMap<Text, Text>,
}

impl Stored {
    /// Networks that every engine has from the start and that cannot be removed.
    pub fn is_engines_own(&self) -> bool {
        self.kind == Kept::Network && matches!(self.name.as_str(), "bridge" | "host" | "none")
    }

    /// A volume that an engine made for one container and named itself, by 64 digits.
    pub fn is_anonymous(&self) -> bool {
        let name = self.name.as_str();
        self.kind == Kept::Volume && name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    /// The stack that wharf made it for.
    pub fn stack(&self, fleet: &FleetName) -> Option<StackName> {
        let get = |key: &str| self.labels.get(&Text::new(key)).map(Text::as_str);
        (get(label::FLEET)? == fleet.as_str()).then(|| get(label::STACK)?.parse().ok()).flatten()
    }

    /// Its name for people, never empty.
    pub fn title(&self) -> String {
        match self.kind {
            Kept::Image if self.name.is_empty() => format!("{} (no name)", short_id(self.id.as_str())),
            Kept::Image => short_image(self.name.as_str()),
            Kept::Volume if self.is_anonymous() => format!("{} (no name)", short_id(self.name.as_str())),
            _ => self.name.to_string(),
        }
    }
}

/// Twelve digits of an id, as engines print them. What is no such id, but a name, stays whole.
pub(crate) fn short_id(id: &str) -> &str {
    let digits = id.strip_prefix("sha256:");
    let is_id = digits.is_some() || (id.len() == 64 && id.bytes().all(|it| it.is_ascii_hexdigit()));
    let digits = digits.unwrap_or(id);
    if is_id { digits.get(..12).unwrap_or(digits) } else { digits }
}

/// Something that is to be removed from a host, because nothing needs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spare {
    /// What kind of thing.
    pub kind: Kept,
    /// What the engine knows it by.
    pub id: Text,
    /// Its name for people.
    pub name: String,
    /// Bytes, as far as they were counted.
    #[serde(default)]
    pub size: Option<u64>,
}

/// All that an engine keeps, as it said at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Storage {
    /// On which host.
    pub host: HostName,
    /// When it said so.
    pub at: Timestamp,
    /// By kind, then by name.
    pub things: Vec<Stored>,
    /// Bytes of the layers of all images, each counted once; none before the engine counted.
    pub layers: Option<u64>,
}

impl Storage {
    /// Bytes of the things of a kind, as far as they were counted. For images [`Storage::layers`] is the truth.
    pub fn sum(&self, kind: Kept) -> u64 {
        self.things.iter().filter(|thing| thing.kind == kind).filter_map(|thing| thing.size).sum()
    }

    /// Bytes that all of it takes of the disk; none before the engine counted.
    pub fn bytes(&self) -> Option<u64> {
        Some(self.layers? + self.sum(Kept::Volume) + self.sum(Kept::Files) + self.sum(Kept::Cache))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thing(kind: Kept, name: &str, size: Option<u64>) -> Stored {
        Stored {
            kind,
            id: Text::new("sha256:0123456789abcdef"),
            name: Text::new(name),
            more: Vec::new(),
            driver: Text::default(),
            size,
            created: None,
            users: Vec::new(),
            labels: BTreeMap::new(),
        }
    }

    #[test]
    fn layers_are_counted_once() {
        let things = vec![
            thing(Kept::Image, "app:1", Some(900)),
            thing(Kept::Image, "app:2", Some(900)),
            thing(Kept::Volume, "data", Some(50)),
            thing(Kept::Volume, "remote", None),
            thing(Kept::Files, "", Some(7)),
        ];
        let mut storage = Storage { host: "e-1".parse().unwrap(), at: Timestamp::UNIX_EPOCH, things, layers: None };
        assert_eq!(storage.bytes(), None);
        storage.layers = Some(1_000);
        assert_eq!(storage.bytes(), Some(1_057));
    }

    #[test]
    fn everything_has_a_title() {
        assert_eq!(thing(Kept::Image, "", None).title(), "0123456789ab (no name)");
        assert_eq!(thing(Kept::Volume, &"ab".repeat(32), None).title(), "abababababab (no name)");
        assert_eq!(thing(Kept::Image, "app@sha256:9c1f8844", None).title(), "app@sha256:9c1f…");
        assert!(thing(Kept::Network, "bridge", None).is_engines_own());
        assert!(!thing(Kept::Volume, "bridge", None).is_engines_own());
    }
}
