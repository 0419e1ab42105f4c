//! What a running container of another tool would be as a service: its spec, told from what the engine says of it.
//!
//! Only what differs from the image and from the engine's own defaults becomes part of the spec, so that an image's
//! next version brings its own command and environment, as it did under the other tool.

pub(super) mod read;
mod spec;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::Value;

use self::read::Look;
use super::{
    error::EngineError,
    http::encode,
    reader::{NetworkInfo, Reader, SHORT, VolumeInfo},
};
use crate::{
    model::{Adoptable, Container, HostName, NetworkSpec, Owner, StackName, Tool, VolumeSpec},
    text::Text,
};

/// Labels by which Compose knows its own.
mod compose {
    pub(super) const PREFIX: &str = "com.docker.compose.";
    pub(super) const PROJECT: &str = "com.docker.compose.project";
    pub(super) const SERVICE: &str = "com.docker.compose.service";
    pub(super) const NUMBER: &str = "com.docker.compose.container-number";
    pub(super) const ONE_OFF: &str = "com.docker.compose.oneoff";
    pub(super) const DEPENDS_ON: &str = "com.docker.compose.depends_on";
    pub(super) const NETWORK: &str = "com.docker.compose.network";
    pub(super) const VOLUME: &str = "com.docker.compose.volume";
}

/// What of a stack of Compose runs on a host, and what of it cannot be taken over, in words.
#[derive(Debug, Default)]
pub struct Found {
    /// Running containers.
    pub containers: Vec<Adoptable>,
    /// What is left alone, and why.
    pub left: Vec<String>,
}

/// Networks and volumes that the other tool made for the stack, by their name on the host.
#[derive(Debug, Default)]
struct Shared {
    networks: BTreeMap<String, (String, NetworkSpec)>,
    volumes: BTreeMap<String, (String, VolumeSpec)>,
}

impl Reader {
    /// Looks at the containers of a stack that Compose runs on this host. Asks; changes nothing.
    pub async fn adoptable(&self, stack: &StackName) -> Result<Found, EngineError> {
        let mut found = Found::default();
        let theirs: Vec<Container> =
            self.list_labelled(&format!("{}={stack}", compose::PROJECT)).await?.into_iter().filter(is_theirs).collect();
        if theirs.is_empty() {
            return Ok(found);
        }
        let shared = shared(stack, &self.networks().await?, &self.volumes().await?);
        for container in theirs {
            let name = &container.name;
            if container.state != crate::model::ContainerState::Running {
                found.left.push(format!("{name} on {} does not run: it is left as it is", self.host()));
                continue;
            }
            let inspected: Value = self.value(&format!("/containers/{}/json", encode(container.id.0.as_str()))).await?;
            let image: Value = self.value(&format!("/images/{}/json", encode(container.image_id.as_str()))).await?;
            match derive(self.host(), stack, &inspected, &image, &shared) {
                Ok(Some(adoptable)) => found.containers.push(adoptable),
                Ok(None) => found.left.push(format!("{name} on {} is a one-off: it is left as it is", self.host())),
                Err(why) => found.left.push(format!("{name} on {} cannot be taken over: {why}", self.host())),
            }
        }
        Ok(found)
    }

    async fn value(&self, path: &str) -> Result<Value, EngineError> {
        self.ask("look at a container to adopt", async |session| session.http.json(path, SHORT).await).await
    }
}

fn is_theirs(container: &Container) -> bool {
    matches!(container.owner, Owner::Foreign { tool: Tool::Compose, .. })
}

fn shared(stack: &StackName, networks: &[NetworkInfo], volumes: &[VolumeInfo]) -> Shared {
    let label = |labels: &BTreeMap<Text, Text>, key: &str| -> Option<String> {
        let of = labels.iter().find(|(name, _)| name.as_str() == compose::PROJECT)?.1;
        let value = labels.iter().find(|(name, _)| name.as_str() == key)?.1;
        (of.as_str() == stack.as_str()).then(|| value.to_string())
    };
    let usual = |key: &str, name: &str| (name != format!("{stack}_{key}")).then(|| name.to_owned());
    let mut shared = Shared::default();
    for network in networks {
        let name = network.name.to_string();
        if let Some(key) = label(&network.labels, compose::NETWORK) {
            let driver = Some(network.driver.to_string()).filter(|driver| driver != "bridge" && !driver.is_empty());
            let spec = NetworkSpec { adopted: true, name: usual(&key, &name), driver, ..NetworkSpec::default() };
            shared.networks.insert(name, (key, spec));
        }
    }
    for volume in volumes {
        let name = volume.name.to_string();
        if let Some(key) = label(&volume.labels, compose::VOLUME) {
            let driver = Some(volume.driver.to_string()).filter(|driver| driver != "local" && !driver.is_empty());
            let spec = VolumeSpec { name: usual(&key, &name), driver, ..VolumeSpec::default() };
            shared.volumes.insert(name, (key, spec));
        }
    }
    shared
}

/// What a container would be. None for one that Compose ran once by hand (`docker compose run`).
fn derive(
    host: &HostName,
    stack: &StackName,
    inspected: &Value,
    image: &Value,
    shared: &Shared,
) -> Result<Option<Adoptable>, String> {
    let it = Look(inspected);
    let labels = it.at("/Config/Labels").words();
    if labels.get(compose::ONE_OFF).is_some_and(|word| word.eq_ignore_ascii_case("true")) {
        return Ok(None);
    }
    let service = labels.get(compose::SERVICE).ok_or("it does not say to which service it belongs")?;
    let service = service.parse().map_err(|error: crate::model::NameError| error.to_string())?;
    let mut found = Adoptable {
        host: host.clone(),
        container: crate::model::ContainerId(Text::new(it.at("/Id").text())),
        name: Text::new(it.at("/Name").text().trim_start_matches('/')),
        service,
        number: labels.get(compose::NUMBER).and_then(|number| number.parse().ok()),
        spec: crate::model::ServiceSpec::default(),
        image: String::new(),
        networks: BTreeMap::new(),
        volumes: BTreeMap::new(),
        notes: Vec::new(),
    };
    spec::fill(&mut found, stack, it, Look(image), shared)?;
    Ok(Some(found))
}
