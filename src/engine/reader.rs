//! What can be asked of an engine. Nothing here changes anything: by type.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::sync::watch;

use super::{
    convert,
    error::{EngineError, ErrorKind, Fault},
    http::{encode, within},
    session::Session,
    wire,
};
use crate::{
    clock::Clock,
    model::{Container, ContainerId, HostFacts, HostName, Image},
    text::Text,
};

/// A short question must be answered by then.
pub(crate) const SHORT: Duration = Duration::from_secs(10);
/// A list must be answered by then: on a busy host with many containers it takes seconds.
pub(crate) const LIST: Duration = Duration::from_secs(20);
/// Counting disk use walks through all layers.
pub(super) const DISK: Duration = Duration::from_secs(120);

/// The connection that a [`Reader`] uses: a fixed one, or whichever its observer has just now.
pub(crate) type Current = watch::Receiver<Result<Arc<Session>, Fault>>;

/// Waits until the connection is lost, and why, or another. One that is opened for a single task never is.
pub(crate) async fn another(current: &mut Current) -> Option<Fault> {
    if current.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
    current.borrow().as_ref().err().cloned()
}

/// Asks one engine. Has no method that changes anything. Cheap to clone.
#[derive(Clone)]
pub struct Reader {
    pub(crate) host: HostName,
    pub(crate) current: Current,
    pub(crate) clock: Clock,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Reader({})", self.host)
    }
}

/// A network of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkInfo {
    /// Its id.
    pub id: Text,
    /// Its name.
    pub name: Text,
    /// Its driver.
    pub driver: Text,
    /// Its subnets in CIDR form.
    pub subnets: Vec<Text>,
    /// Its labels.
    pub labels: BTreeMap<Text, Text>,
}

/// A named volume of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeInfo {
    /// Its name.
    pub name: Text,
    /// Its driver.
    pub driver: Text,
    /// Its labels.
    pub labels: BTreeMap<Text, Text>,
}

impl Reader {
    /// The host that is asked.
    pub fn host(&self) -> &HostName {
        &self.host
    }

    /// What tells the time here.
    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    pub(crate) fn session(&self, tried: &'static str) -> Result<Arc<Session>, EngineError> {
        match &*self.current.borrow() {
            Ok(session) => Ok(session.clone()),
            Err(fault) => Err(fault.clone().at(&self.host, tried)),
        }
    }

    /// A question that changes nothing: an answer that is lost can be asked for again.
    pub(crate) async fn ask<T>(
        &self,
        tried: &'static str,
        question: impl AsyncFnOnce(&Session) -> Result<T, Fault>,
    ) -> Result<T, EngineError> {
        let session = self.session(tried)?;
        match question(&session).await {
            Ok(answer) => Ok(answer),
            Err(fault) => Err(self.fault(&session, fault).await.at(&self.host, tried)),
        }
    }

    async fn fault(&self, session: &Session, fault: Fault) -> Fault {
        match fault.kind {
            ErrorKind::LostAnswer | ErrorKind::Unreachable => {
                Fault { kind: ErrorKind::Unreachable, ..session.explain(fault).await }
            }
            _ => fault,
        }
    }

    /// Asks for nothing: how long an answer takes.
    pub async fn ping(&self) -> Result<Duration, EngineError> {
        self.ask("ping the engine", async |session| {
            let begin = tokio::time::Instant::now();
            within(SHORT, session.http.bytes("/_ping")).await?;
            Ok(begin.elapsed())
        })
        .await
    }

    /// What the engine says of its machine.
    pub async fn facts(&self) -> Result<HostFacts, EngineError> {
        self.ask("ask what machine it is", async |session| {
            let asked = session.clock.now();
            let info: wire::Info = session.http.json("/info", SHORT).await?;
            let middle = asked + session.clock.now().duration_since(asked) / 2;
            let facts = convert::facts(&session.version, session.minor, &info, middle);
            if !info.time.is_empty() {
                session.set_skew(facts.clock_skew_ms);
            }
            Ok(facts)
        })
        .await
    }

    /// The directory in which the engine keeps its data, on its host.
    pub async fn root_dir(&self) -> Result<Text, EngineError> {
        self.ask("ask where the engine keeps its data", async |session| {
            let info: wire::Info = session.http.json("/info", SHORT).await?;
            Ok(Text::new(&info.root))
        })
        .await
    }

    /// All containers, running or not. One request. A list knows less than an inspection: when a container
    /// started is as exact as the engine's words for it, and restarts are not counted.
    pub async fn list(&self) -> Result<Vec<Container>, EngineError> {
        self.list_by("").await
    }

    /// The containers with a label, `key=value`.
    pub async fn list_labelled(&self, label: &str) -> Result<Vec<Container>, EngineError> {
        let filter = serde_json::json!({ "label": [label] }).to_string();
        self.list_by(&format!("&filters={}", encode(&filter))).await
    }

    async fn list_by(&self, more: &str) -> Result<Vec<Container>, EngineError> {
        self.ask("list its containers", async |session| {
            let path = format!("/containers/json?all=true{more}");
            let found: Vec<wire::Listed> = session.http.json(&path, LIST).await?;
            let (now, convert) = (session.engine_now(), session.convert());
            Ok(found.iter().filter_map(|listed| convert.listed(listed, now)).collect())
        })
        .await
    }

    /// One container, by id or name.
    pub async fn inspect(&self, id: &ContainerId) -> Result<Container, EngineError> {
        self.ask("inspect a container", async |session| {
            Ok(session.convert().inspected(&inspected(session, id.0.as_str()).await?))
        })
        .await
    }

    /// All that the engine knows of a container, for people: text made safe, values of the environment masked.
    pub async fn inspect_raw(&self, id: &ContainerId) -> Result<Value, EngineError> {
        self.ask("inspect a container", async |session| {
            let mut value: Value =
                session.http.json(&format!("/containers/{}/json", encode(id.0.as_str())), SHORT).await?;
            mask(&mut value);
            Ok(safe(value))
        })
        .await
    }

    /// All images.
    pub async fn images(&self) -> Result<Vec<Image>, EngineError> {
        self.ask("list its images", async |session| {
            let found: Vec<wire::ListedImage> = session.http.json("/images/json", LIST).await?;
            Ok(found.into_iter().map(convert::image).collect())
        })
        .await
    }

    /// All networks.
    pub async fn networks(&self) -> Result<Vec<NetworkInfo>, EngineError> {
        self.ask("list its networks", async |session| {
            let found: Vec<wire::Network> = session.http.json("/networks", LIST).await?;
            Ok(found
                .into_iter()
                .map(|network| NetworkInfo {
                    id: Text::new(&network.id),
                    name: Text::new(&network.name),
                    driver: Text::new(&network.driver),
                    subnets: network.ipam.config.iter().map(|range| Text::new(&range.subnet)).collect(),
                    labels: labels(&network.labels),
                })
                .collect())
        })
        .await
    }

    /// All named volumes.
    pub async fn volumes(&self) -> Result<Vec<VolumeInfo>, EngineError> {
        self.ask("list its volumes", async |session| {
            let found: wire::Volumes = session.http.json("/volumes", LIST).await?;
            Ok(found
                .volumes
                .into_iter()
                .map(|volume| VolumeInfo {
                    name: Text::new(&volume.name),
                    driver: Text::new(&volume.driver),
                    labels: labels(&volume.labels),
                })
                .collect())
        })
        .await
    }
}

pub(crate) async fn inspected(session: &Session, name: &str) -> Result<wire::Inspected, Fault> {
    let found: wire::Inspected = session.http.json(&format!("/containers/{}/json", encode(name)), SHORT).await?;
    if found.id.is_empty() {
        return Err(Fault::new(ErrorKind::Garbage, "the engine inspected a container without an id", ""));
    }
    Ok(found)
}

pub(super) fn labels(from: &BTreeMap<String, String>) -> BTreeMap<Text, Text> {
    from.iter().map(|(key, value)| (Text::new(key), Text::new(value))).collect()
}

/// Values of the environment may be secret: only their names are shown.
fn mask(value: &mut Value) {
    let Some(Value::Array(lines)) = value.get_mut("Config").and_then(|config| config.get_mut("Env")) else { return };
    for line in lines {
        if let Value::String(text) = line
            && let Some((name, _)) = text.split_once('=')
        {
            *text = format!("{name}=•••");
        }
    }
}

/// Every key and every text made safe.
fn safe(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(Text::new(&text).to_string()),
        Value::Array(values) => Value::Array(values.into_iter().map(safe).collect()),
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(key, value)| (Text::new(&key).to_string(), safe(value))).collect())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_for_people_hold_no_secret_and_no_escape() {
        let mut value = serde_json::json!({
            "Config": {"Env": ["TOKEN=hunter2", "FLAG"], "Labels": {"a\u{1b}[2J": "b\u{202e}"}}, "n": 3
        });
        mask(&mut value);
        let shown = safe(value).to_string();
        assert!(shown.contains("TOKEN=•••") && shown.contains("FLAG"));
        assert!(!shown.contains("hunter2") && !shown.contains('\u{202e}') && !shown.contains("\\u001b"), "{shown}");
    }
}
