//! What a host keeps beside what runs, and what uses it.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderMap, Method};
use jiff::Timestamp;

use super::{
    Handle,
    error::{EngineError, ErrorKind},
    http::{encode, within},
    reader::{DISK, LIST, Reader, labels},
    session::Session,
    wire,
};
use crate::{
    model::{ContainerId, Kept, Storage, Stored},
    text::Text,
};

/// Removing many layers keeps a disk busy.
const DISCARD: Duration = Duration::from_secs(60);

impl Reader {
    /// Images, volumes and networks, and the containers that use each. Quick: sizes of volumes are not counted.
    pub async fn storage(&self) -> Result<Storage, EngineError> {
        self.ask("list what it keeps", async |session| {
            let (images, volumes, networks, containers) = tokio::try_join!(
                session.http.json::<Vec<wire::ListedImage>>("/images/json", LIST),
                session.http.json::<wire::Volumes>("/volumes", LIST),
                session.http.json::<Vec<wire::Network>>("/networks", LIST),
                session.http.json::<Vec<wire::User>>("/containers/json?all=1", LIST),
            )?;
            let users = Users::new(&containers);
            let mut things: Vec<Stored> = images.iter().map(|found| image(found, &users)).collect();
            things.extend(volumes.volumes.iter().map(|found| volume(found, &users)));
            things.extend(networks.iter().map(|found| network(found, &users)));
            things.sort_by(|a, b| (a.kind, &a.name, &a.id).cmp(&(b.kind, &b.name, &b.id)));
            Ok(Storage { host: self.host().clone(), at: session.clock.now(), things, layers: None })
        })
        .await
    }

    /// The same with everything counted that takes room on the disk. Slow: the engine walks through all of it.
    pub async fn counted(&self, mut storage: Storage) -> Result<Storage, EngineError> {
        let disk = self
            .ask("count its disk use", async |session| session.http.json::<wire::Disk>("/system/df", DISK).await)
            .await?;
        for thing in storage.things.iter_mut().filter(|thing| thing.kind == Kept::Volume) {
            let found = disk.volumes.iter().find(|volume| Text::new(&volume.name) == thing.id);
            // A driver that cannot say gives -1.
            thing.size = found.and_then(|volume| u64::try_from(volume.usage.size).ok());
        }
        let files = disk.containers.iter().map(|container| container.size).sum();
        let cache = disk.build.iter().map(|build| build.size).sum();
        storage.things.push(sum(Kept::Files, "what containers wrote", files));
        storage.things.push(sum(Kept::Cache, "what builds left", cache));
        storage.layers = Some(disk.layers);
        Ok(storage)
    }
}

impl Handle {
    /// Removes a thing; an image by each of its names. What a container uses is refused by the engine.
    pub async fn discard(&self, thing: &Stored) -> Result<(), EngineError> {
        let paths: Vec<String> = match thing.kind {
            Kept::Image if thing.name.is_empty() => vec![format!("/images/{}", encode(thing.id.as_str()))],
            Kept::Image => {
                let names = [&thing.name].into_iter().chain(&thing.more);
                names.map(|name| format!("/images/{}", encode(name.as_str()))).collect()
            }
            Kept::Volume => vec![format!("/volumes/{}", encode(thing.id.as_str()))],
            Kept::Network => vec![format!("/networks/{}", encode(thing.id.as_str()))],
            Kept::Files | Kept::Cache => Vec::new(),
        };
        for path in paths {
            let act = async |session: &Session| {
                let sent = session.http.send(Method::DELETE, &path, HeaderMap::new(), None);
                match within(DISCARD, sent).await {
                    // The last name took the image and its digest with it.
                    Err(fault) if matches!(fault.kind, ErrorKind::NotFound | ErrorKind::NoSuchImage) => Ok(()),
                    other => other.map(drop),
                }
            };
            self.change("remove what nothing uses", DISCARD, act).await?;
        }
        Ok(())
    }
}

/// Which containers use what.
struct Users<'a> {
    images: BTreeMap<&'a str, Vec<&'a str>>,
    volumes: BTreeMap<&'a str, Vec<&'a str>>,
    networks: BTreeMap<&'a str, Vec<&'a str>>,
}

impl<'a> Users<'a> {
    fn new(containers: &'a [wire::User]) -> Self {
        let mut out = Self { images: BTreeMap::new(), volumes: BTreeMap::new(), networks: BTreeMap::new() };
        for container in containers {
            let id = container.id.as_str();
            out.images.entry(&container.image_id).or_default().push(id);
            for mount in container.mounts.iter().filter(|mount| mount.kind == "volume") {
                out.volumes.entry(&mount.name).or_default().push(id);
            }
            for name in container.networks.networks.keys() {
                out.networks.entry(name).or_default().push(id);
            }
        }
        out
    }
}

fn ids(users: Option<&Vec<&str>>) -> Vec<ContainerId> {
    users.into_iter().flatten().map(|id| ContainerId(Text::new(id))).collect()
}

/// The name that says most first: a tag, else the digest that it was pulled by.
fn image(found: &wire::ListedImage, users: &Users<'_>) -> Stored {
    let named = |name: &&String| !name.starts_with("<none>");
    let mut names =
        found.tags.iter().filter(named).chain(found.digests.iter().filter(named)).map(|name| Text::new(name));
    Stored {
        kind: Kept::Image,
        id: Text::new(&found.id),
        name: names.next().unwrap_or_default(),
        more: names.collect(),
        driver: Text::default(),
        size: Some(found.size),
        created: Timestamp::from_second(found.created).ok().filter(|at| at.as_second() > 0),
        users: ids(users.images.get(found.id.as_str())),
        labels: BTreeMap::new(),
    }
}

fn volume(found: &wire::Volume, users: &Users<'_>) -> Stored {
    Stored {
        kind: Kept::Volume,
        id: Text::new(&found.name),
        name: Text::new(&found.name),
        more: Vec::new(),
        driver: Text::new(&found.driver),
        size: None,
        created: found.created.parse().ok(),
        users: ids(users.volumes.get(found.name.as_str())),
        labels: labels(&found.labels),
    }
}

fn network(found: &wire::Network, users: &Users<'_>) -> Stored {
    Stored {
        kind: Kept::Network,
        id: Text::new(&found.id),
        name: Text::new(&found.name),
        more: found.ipam.config.iter().map(|range| Text::new(&range.subnet)).collect(),
        driver: Text::new(&found.driver),
        size: None,
        created: found.created.parse().ok(),
        users: ids(users.networks.get(found.name.as_str())),
        labels: labels(&found.labels),
    }
}

fn sum(kind: Kept, name: &str, size: u64) -> Stored {
    Stored {
        kind,
        id: Text::new(kind.word()),
        name: Text::new(name),
        more: Vec::new(),
        driver: Text::default(),
        size: Some(size),
        created: None,
        users: Vec::new(),
        labels: BTreeMap::new(),
    }
}
