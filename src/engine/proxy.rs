//! The proxy's container: how it is made, and what may be asked of it without a right to change anything.

use std::{collections::HashMap, fmt::Write as _, net::SocketAddrV4, pin::Pin};

use bollard::{
    models::{
        ContainerCreateBody, ContainerUpdateBody, HostConfig, Mount, MountType, MountVolumeOptions, RestartPolicy,
        RestartPolicyNameEnum,
    },
    query_parameters as query,
};
use bytes::Bytes;
use futures::stream::BoxStream;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::{
    error::{EngineError, ErrorKind, Fault},
    exec,
    handle::{CREATE, Handle, SHORT as SHORT_CHANGE, plain},
    http::{from_bollard, within},
    reader::{Reader, SHORT, inspected},
    session::Session,
};
use crate::{
    model::{ContainerId, FleetName, Owner, RegionName, label},
    text::Text,
};

/// What the proxy may do on its host beyond a plain process: make a range of addresses its own, listen below port
/// 1024, and run its worker as another user.
const CAPABILITIES: [&str; 6] = ["NET_ADMIN", "NET_BIND_SERVICE", "SETUID", "SETGID", "KILL", "DAC_OVERRIDE"];
/// All that decides how a proxy's container is made.
#[derive(Debug, Clone, Copy)]
pub struct ProxyRequest<'a> {
    /// The container's name.
    pub name: &'a str,
    /// Whose it is.
    pub fleet: &'a FleetName,
    /// In which region.
    pub region: &'a RegionName,
    /// The image, as the fleet file names it.
    pub image: &'a str,
    /// What it runs, instead of what the image says.
    pub command: &'a [String],
    /// A volume of this name is shared by a proxy and its successor.
    pub volume: &'a str,
    /// Where it is in the container.
    pub volume_at: &'a str,
}

/// A proxy's container as it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyFound {
    /// Its id.
    pub id: ContainerId,
    /// Its name.
    pub name: Text,
    /// The image that it was made from, as the fleet file named it then.
    pub image: Text,
    /// It runs now.
    pub is_running: bool,
}

/// A question to a proxy's master process that changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyQuestion {
    /// Its processes.
    Processes,
    /// What a worker says of itself.
    Info(Worker),
    /// The backends and servers of a worker, with counters.
    Stat(Worker),
    /// The servers of a worker, with states.
    Servers(Worker),
}

/// Which worker is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Worker {
    /// The one that takes new connections.
    Current,
    /// One by its process id: it ends what it began.
    Leaving(u32),
}

impl std::fmt::Display for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Current => f.write_str("@1"),
            Self::Leaving(process) => write!(f, "@!{process}"),
        }
    }
}

impl std::fmt::Display for ProxyQuestion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Processes => f.write_str("show proc"),
            Self::Info(worker) => write!(f, "{worker} show info"),
            Self::Stat(worker) => write!(f, "{worker} show stat -1 6 -1"),
            Self::Servers(worker) => write!(f, "{worker} show servers state"),
        }
    }
}

impl Reader {
    /// This fleet's proxies on the host, running or not.
    pub async fn proxies(&self) -> Result<Vec<ProxyFound>, EngineError> {
        let mut found = Vec::new();
        for container in self.list_labelled(label::PROXY).await? {
            if container.owner != Owner::Proxy {
                continue;
            }
            // A list names the image by its id once the tag has moved; the label does not.
            let raw = match self.inspect_raw(&container.id).await {
                Ok(raw) => raw,
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error),
            };
            let labelled = raw.get("Config").and_then(|config| config.get("Labels")?.get(label::PROXY)?.as_str());
            found.push(ProxyFound {
                id: container.id.clone(),
                name: container.name.clone(),
                image: labelled.map_or_else(|| container.image.clone(), Text::new),
                is_running: container.state == crate::model::ContainerState::Running,
            });
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Begins to ask a proxy of this fleet: its answers, each with a prompt after it, beginning with a prompt alone.
    /// Nothing but questions can be sent, and to no other container.
    pub async fn question_proxy(
        &self,
        id: &ContainerId,
        control: SocketAddrV4,
    ) -> Result<(Questions, Answers), EngineError> {
        let tried = "ask its proxy";
        let session = self.session(tried)?;
        let begun = within(SHORT, async {
            let container = session.convert().inspected(&inspected(&session, plain(id)?).await?);
            if container.owner != Owner::Proxy {
                return Err(Fault::new(
                    ErrorKind::Invalid,
                    &format!("{} is no proxy of this fleet", container.name),
                    "",
                ));
            }
            let (address, port) = (control.ip().to_string(), control.port().to_string());
            let (_, talk) = exec::begin(&session, id, &["nc", &address, &port], true).await?;
            let mut questions = Questions { input: talk.input };
            let sent = questions.send("prompt\n").await;
            sent.map_err(|error| Fault::new(ErrorKind::Unreachable, &error.to_string(), ""))?;
            Ok((questions, talk.output))
        });
        begun.await.map_err(|fault| fault.at(self.host(), tried))
    }
}

/// What a proxy answers, as it comes; ends with an error when the connection does.
pub type Answers = BoxStream<'static, Result<Bytes, Text>>;

/// The way to a proxy for questions, and for nothing else.
pub struct Questions {
    input: Pin<Box<dyn AsyncWrite + Send>>,
}

impl std::fmt::Debug for Questions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Questions")
    }
}

impl Questions {
    /// Asks.
    pub async fn put(&mut self, questions: &[ProxyQuestion]) -> std::io::Result<()> {
        let mut lines = String::new();
        for question in questions {
            // Writing to a String cannot fail.
            let _: std::fmt::Result = writeln!(lines, "{question}");
        }
        self.send(&lines).await
    }

    async fn send(&mut self, lines: &str) -> std::io::Result<()> {
        self.input.write_all(lines.as_bytes()).await?;
        self.input.flush().await
    }
}

impl Handle {
    /// Makes a proxy's container, not started. One of that name for the same image and region is taken.
    pub async fn create_proxy(&self, request: &ProxyRequest<'_>) -> Result<ContainerId, EngineError> {
        self.change("create its proxy", CREATE, async |session| {
            let options =
                query::CreateContainerOptions { name: Some(request.name.to_owned()), platform: String::new() };
            let made = session.docker.create_container(Some(options), body(request)).await;
            match made.map_err(|error| from_bollard(&error)) {
                Ok(made) => Ok(ContainerId(Text::new(&made.id))),
                Err(fault) if fault.kind == ErrorKind::Conflict => adopt(session, request, fault).await,
                Err(fault) => Err(fault),
            }
        })
        .await
    }

    /// Sends a container's first process a signal, `SIGUSR2` for example. One that does not run is left as it is.
    pub async fn signal(&self, id: &ContainerId, signal: &str) -> Result<(), EngineError> {
        self.change("signal a container", SHORT_CHANGE, async |session| {
            let options = query::KillContainerOptions { signal: signal.to_owned() };
            let sent = session.docker.kill_container(plain(id)?, Some(options)).await;
            match sent.map_err(|error| from_bollard(&error)) {
                Err(fault) if fault.why.as_str().contains("is not running") => Ok(()),
                other => other,
            }
        })
        .await
    }

    /// From now on the engine does not start a container again when it ends.
    pub async fn never_restart(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.change("let a container end for good", SHORT_CHANGE, async |session| {
            let restart_policy =
                Some(RestartPolicy { name: Some(RestartPolicyNameEnum::NO), maximum_retry_count: None });
            let body = ContainerUpdateBody { restart_policy, ..ContainerUpdateBody::default() };
            session.docker.update_container(plain(id)?, body).await.map(drop).map_err(|error| from_bollard(&error))
        })
        .await
    }
}

/// The container that has the name already, if it is the one that is wanted.
async fn adopt(session: &Session, request: &ProxyRequest<'_>, conflict: Fault) -> Result<ContainerId, Fault> {
    let there = match inspected(session, request.name).await {
        Ok(there) => there,
        Err(fault) if fault.kind == ErrorKind::NotFound => return Err(conflict),
        Err(fault) => return Err(fault),
    };
    let differs = labels(request).into_iter().find(|(key, value)| there.config.labels.get(key) != Some(value));
    match differs {
        None => Ok(ContainerId(Text::new(&there.id))),
        Some((key, _)) => Err(Fault::new(
            ErrorKind::Conflict,
            &format!("a container {} is there that is not this proxy ({key} differs)", request.name),
            "remove or rename that container on the host",
        )),
    }
}

fn labels(request: &ProxyRequest<'_>) -> HashMap<String, String> {
    HashMap::from([
        (label::FLEET.to_owned(), request.fleet.to_string()),
        (label::REGION.to_owned(), request.region.to_string()),
        (label::PROXY.to_owned(), request.image.to_owned()),
    ])
}

fn body(request: &ProxyRequest<'_>) -> ContainerCreateBody {
    let volume_labels = HashMap::from([(label::FLEET.to_owned(), request.fleet.to_string())]);
    let volume = Mount {
        target: Some(request.volume_at.to_owned()),
        source: Some(request.volume.to_owned()),
        typ: Some(MountType::VOLUME),
        volume_options: Some(MountVolumeOptions {
            labels: Some(volume_labels),
            no_copy: Some(true),
            ..MountVolumeOptions::default()
        }),
        ..Mount::default()
    };
    let always = RestartPolicy { name: Some(RestartPolicyNameEnum::ALWAYS), maximum_retry_count: None };
    ContainerCreateBody {
        image: Some(request.image.to_owned()),
        // The image's own entry point may expect other words.
        entrypoint: Some(request.command.to_vec()),
        cmd: Some(Vec::new()),
        user: Some("0:0".to_owned()),
        labels: Some(labels(request)),
        // The engine's stop is a last resort: it too lets what runs end.
        stop_signal: Some("SIGUSR1".to_owned()),
        host_config: Some(HostConfig {
            network_mode: Some("host".to_owned()),
            restart_policy: Some(always),
            mounts: Some(vec![volume]),
            cap_drop: Some(vec!["ALL".to_owned()]),
            cap_add: Some(CAPABILITIES.iter().map(|&name| name.to_owned()).collect()),
            security_opt: Some(vec!["no-new-privileges".to_owned()]),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}
