//! What a reconciler may do to an engine. Every verb can be repeated: a lost answer makes nothing twice.

use std::{ops::Deref, time::Duration};

use bollard::query_parameters as query;
use http::{HeaderMap, HeaderValue, Method};
use tracing::debug;

use super::{
    auth,
    create::{self, CreateRequest, Peers},
    error::{EngineError, ErrorKind, Fault},
    files, http as wire_http,
    image::ImageName,
    network,
    pull::{PullProgress, Tally},
    reader::{Reader, inspected},
    session::Session,
};
use crate::{
    model::{ContainerId, FileMount, FleetName, NetworkSpec, StackName, VolumeSpec, label},
    text::Text,
};

/// Making a container writes to disk, which is slow while images are unpacked beside it.
pub(crate) const CREATE: Duration = Duration::from_secs(60);
/// A start sets up networks and mounts.
const START: Duration = Duration::from_secs(60);
/// Time beyond the grace for a stop to be done.
const STOP_MORE: Duration = Duration::from_secs(15);
/// A removal deletes a file system.
const REMOVE: Duration = Duration::from_secs(60);
/// Short changes.
pub(crate) const SHORT: Duration = Duration::from_secs(15);
/// A pull says something at least so often, even while it unpacks a large layer.
const PULL_SILENCE: Duration = Duration::from_secs(180);

/// Everything that may be done to one engine. It is a [`Reader`] too.
#[derive(Clone, Debug)]
pub struct Handle {
    reader: Reader,
}

impl Deref for Handle {
    type Target = Reader;
    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl Handle {
    pub(crate) fn new(reader: Reader) -> Self {
        Self { reader }
    }

    /// The same engine, to look at only.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// Something that changes the host. A connection that broke or an answer that came too late leaves open whether
    /// it was done; so does nonsense.
    pub(crate) async fn change<T>(
        &self,
        tried: &'static str,
        deadline: Duration,
        act: impl AsyncFnOnce(&Session) -> Result<T, Fault>,
    ) -> Result<T, EngineError> {
        let session = self.reader.session(tried)?;
        match wire_http::within(deadline, act(&session)).await {
            Ok(done) => Ok(done),
            Err(fault) => {
                let fault = match fault.kind {
                    ErrorKind::LostAnswer | ErrorKind::Late | ErrorKind::Garbage => {
                        let kind = ErrorKind::LostAnswer;
                        let why = session.explain(fault).await;
                        Fault { kind, next: "it may have been done all the same: look at the host".into(), ..why }
                    }
                    _ => fault,
                };
                Err(fault.at(self.reader.host(), tried))
            }
        }
    }

    /// Makes the replica's container, not started: its networks and volumes first, then itself, its further networks
    /// and its files. Where a container of that name carries the same labels, an earlier answer was lost, or another
    /// reconciler was faster: that one is taken.
    pub async fn create(&self, request: &CreateRequest<'_>) -> Result<ContainerId, EngineError> {
        self.ensure_shared(request).await?;
        let peers = self.peers(request).await?;
        self.change("create a container", CREATE, async |session| {
            let body = create::body(request, &peers)?;
            let options = query::CreateContainerOptions {
                name: Some(request.name()),
                platform: request.spec.platform.clone().unwrap_or_default(),
            };
            let made = session.docker.create_container(Some(options), body).await;
            let id = match made.map_err(|error| wire_http::from_bollard(&error)) {
                Ok(made) => ContainerId(Text::new(&made.id)),
                Err(fault) if fault.kind == ErrorKind::Conflict => match adopt(session, request, fault).await? {
                    Adopted::Ready(id) => return Ok(id),
                    Adopted::Unstarted(id) => id,
                },
                Err(fault) if fault.kind == ErrorKind::Invalid => {
                    return Err(Fault { next: "correct the stack file".into(), ..fault });
                }
                Err(fault) => return Err(fault),
            };
            for (_, name, attachment) in request.networks().into_iter().skip(1) {
                connect(session, &id, &name, request.endpoint(&name, &attachment)).await?;
            }
            put(session, &id, &request.spec.files, request.spec.read_only).await?;
            Ok(id)
        })
        .await
    }

    /// Sees to it that the networks and volumes of a request are there. [`Handle::create`] does so by itself.
    pub async fn ensure_shared(&self, request: &CreateRequest<'_>) -> Result<(), EngineError> {
        let stack = &request.replica.service.stack;
        for (key, _, _) in request.networks() {
            let spec = request.shared.networks.get(key).cloned().unwrap_or_default();
            self.ensure_network(request.fleet, stack, key, &spec, request.subnet_pool).await?;
        }
        for mount in &request.spec.mounts {
            if let crate::model::MountSource::Volume { name, .. } = &mount.source {
                let spec = request.shared.volumes.get(name).cloned().unwrap_or_default();
                self.ensure_volume(request.fleet, stack, name, &spec).await?;
            }
        }
        Ok(())
    }

    /// The containers here whose namespaces the new one shares: of the same slot where there is one.
    async fn peers(&self, request: &CreateRequest<'_>) -> Result<Peers, EngineError> {
        let mut peers = Peers::new();
        for service in request.peers() {
            let label = format!("{}={service}", label::SERVICE);
            let mut running: Vec<_> = self
                .reader
                .list_labelled(&label)
                .await?
                .into_iter()
                .filter(|found| found.state == crate::model::ContainerState::Running)
                .filter_map(|found| found.replica().map(|replica| (replica.clone(), found.id.clone())))
                .filter(|(replica, _)| replica.key.service.stack == request.replica.service.stack)
                .collect();
            running.sort_by_key(|(replica, _)| {
                (replica.key.slot != request.replica.slot, replica.key.slot, std::cmp::Reverse(replica.revision))
            });
            if let Some((_, id)) = running.into_iter().next() {
                peers.insert(service.to_owned(), id.0.as_str().to_owned());
            }
        }
        Ok(peers)
    }

    /// Starts a container. One that runs is left as it is.
    pub async fn start(&self, id: &ContainerId) -> Result<(), EngineError> {
        let result = self
            .change("start a container", START, async |session| {
                let started = session.docker.start_container(plain(id)?, None::<query::StartContainerOptions>).await;
                let fault = match started.map_err(|error| wire_http::from_bollard(&error)) {
                    Ok(()) => return Ok(()),
                    Err(fault) => fault,
                };
                if fault.why.as_str().contains("network") {
                    // One that was lately there is gone: the next creation must look again.
                    session.ensured.forget().await;
                }
                Err(fault)
            })
            .await;
        if let Err(error) = &result {
            debug!(%error, "start");
        }
        result
    }

    /// Stops a container: its stop signal, then the kill after `grace` (whole seconds, rounded up). One that does not
    /// run is left as it is.
    pub async fn stop(&self, id: &ContainerId, grace: Duration) -> Result<(), EngineError> {
        self.change("stop a container", grace + STOP_MORE, async |session| {
            let seconds = i32::try_from(create::whole_seconds(grace)).unwrap_or(i32::MAX);
            let options = query::StopContainerOptions { t: Some(seconds), ..query::StopContainerOptions::default() };
            let stopped = session.docker.stop_container(plain(id)?, Some(options)).await;
            stopped.map_err(|error| wire_http::from_bollard(&error))
        })
        .await
    }

    /// Kills a container at once. One that does not run is left as it is.
    pub async fn kill(&self, id: &ContainerId) -> Result<(), EngineError> {
        self.change("kill a container", SHORT, async |session| {
            let killed = session.docker.kill_container(plain(id)?, None::<query::KillContainerOptions>).await;
            match killed.map_err(|error| wire_http::from_bollard(&error)) {
                Err(fault) if fault.why.as_str().contains("is not running") => Ok(()),
                other => other,
            }
        })
        .await
    }

    /// Removes a container with its anonymous volumes; `force` kills one that runs. One that is gone, or just going,
    /// is no error.
    pub async fn remove(&self, id: &ContainerId, force: bool) -> Result<(), EngineError> {
        self.change("remove a container", REMOVE, async |session| {
            let options = query::RemoveContainerOptions { v: true, force, ..query::RemoveContainerOptions::default() };
            let removed = session.docker.remove_container(plain(id)?, Some(options)).await;
            match removed.map_err(|error| wire_http::from_bollard(&error)) {
                Err(fault) if fault.kind == ErrorKind::NotFound => Ok(()),
                Err(fault) if fault.why.as_str().contains("already in progress") => Ok(()),
                other => other,
            }
        })
        .await
    }

    /// Gives a container another name, so that its own is free.
    pub async fn rename(&self, id: &ContainerId, name: &str) -> Result<(), EngineError> {
        self.change("rename a container", SHORT, async |session| {
            let options = query::RenameContainerOptions { name: name.to_owned() };
            let renamed = session.docker.rename_container(plain(id)?, options).await;
            renamed.map_err(|error| wire_http::from_bollard(&error))
        })
        .await
    }

    /// Puts files into a container. With a root that cannot be written, their directories must be volumes.
    pub async fn put_files(
        &self,
        id: &ContainerId,
        list: &[FileMount],
        read_only_root: bool,
    ) -> Result<(), EngineError> {
        let act = async |session: &Session| put(session, id, list, read_only_root).await;
        self.change("put files into a container", CREATE, act).await
    }

    /// Sees to it that a network of a stack is there, in a free subnet of `pool`.
    pub async fn ensure_network(
        &self,
        fleet: &FleetName,
        stack: &StackName,
        key: &str,
        spec: &NetworkSpec,
        pool: &str,
    ) -> Result<(), EngineError> {
        // The engine's own networks are always there.
        if matches!(spec.name.as_deref().unwrap_or(key), "bridge" | "host" | "none") && spec.external {
            return Ok(());
        }
        let act = async |session: &Session| network::ensure_network(session, fleet, stack, key, spec, pool).await;
        self.change("make a network", CREATE * 2, act).await
    }

    /// Sees to it that a volume of a stack is there.
    pub async fn ensure_volume(
        &self,
        fleet: &FleetName,
        stack: &StackName,
        key: &str,
        spec: &VolumeSpec,
    ) -> Result<(), EngineError> {
        let act = async |session: &Session| network::ensure_volume(session, fleet, stack, key, spec).await;
        self.change("make a volume", CREATE, act).await
    }

    /// Removes a network by its name on the host, if it is this fleet's.
    pub async fn remove_network(&self, fleet: &FleetName, name: &str) -> Result<(), EngineError> {
        let act = async |session: &Session| network::remove_network(session, fleet, name).await;
        self.change("remove a network", CREATE, act).await
    }

    /// Pulls an image with the operator's credentials for its registry. `progress` hears how far it is. The caller
    /// sets the deadline of the whole by dropping the future.
    pub async fn pull(&self, image: &str, mut progress: impl FnMut(PullProgress)) -> Result<(), EngineError> {
        let tried = "pull an image";
        let session = self.reader.session(tried)?;
        let name = ImageName::parse(image);
        let result = async {
            let headers = auth::headers(&session, image).await?;
            let from = wire_http::encode(name.repository);
            let tag = wire_http::encode(name.digest.unwrap_or_else(|| name.tag_or_latest()));
            let path = format!("/images/create?fromImage={from}&tag={tag}");
            let response =
                wire_http::within(PULL_SILENCE, session.http.send(Method::POST, &path, headers, Some("".into())))
                    .await?;
            let mut lines = wire_http::Lines::new(response.into_body());
            let mut tally = Tally::default();
            while let Some(line) = wire_http::within(PULL_SILENCE, lines.next()).await? {
                progress(tally.take(&line)?);
            }
            Ok(())
        };
        match result.await {
            Ok(()) => Ok(()),
            // A pull changes nothing that a second one would not find: it is simply tried again.
            Err(Fault { kind: ErrorKind::NotFound, why, .. }) => {
                let next = "check the image's name and tag, or push it first";
                Err(Fault { kind: ErrorKind::NoSuchImage, why, next: next.into() }.at(self.reader.host(), tried))
            }
            Err(fault) => {
                let fault = match fault.kind {
                    ErrorKind::LostAnswer => Fault { kind: ErrorKind::Unreachable, ..session.explain(fault).await },
                    _ => fault,
                };
                Err(fault.at(self.reader.host(), tried))
            }
        }
    }
}

/// bollard puts ids into paths as they are: only what cannot leave its place there is let through.
pub(crate) fn plain(id: &ContainerId) -> Result<&str, Fault> {
    let id = id.0.as_str();
    let good = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte));
    if good && !id.starts_with('.') {
        Ok(id)
    } else {
        Err(Fault::new(ErrorKind::Invalid, &format!("`{id}` is no id"), ""))
    }
}

enum Adopted {
    /// It runs or ran: it is complete.
    Ready(ContainerId),
    /// It never started: its networks and files may be missing.
    Unstarted(ContainerId),
}

/// The container that has the name already, if it is the one that is wanted.
async fn adopt(session: &Session, request: &CreateRequest<'_>, conflict: Fault) -> Result<Adopted, Fault> {
    let name = request.name();
    let there = match inspected(session, &name).await {
        Ok(there) => there,
        // It went in between, or the conflict was about something else.
        Err(fault) if fault.kind == ErrorKind::NotFound => return Err(conflict),
        Err(fault) => return Err(fault),
    };
    let differs = request.identity().into_iter().find(|(key, value)| there.config.labels.get(*key) != Some(value));
    match differs {
        None => {
            let id = ContainerId(Text::new(&there.id));
            Ok(if there.state.status == "created" { Adopted::Unstarted(id) } else { Adopted::Ready(id) })
        }
        Some((label::ROUND, _)) => Err(Fault::new(
            ErrorKind::Conflict,
            &format!("the container {name} is there from an earlier round"),
            "it must be removed first",
        )),
        Some((key, _)) => Err(Fault::new(
            ErrorKind::Conflict,
            &format!("a container {name} is there that is not this replica ({key} differs)"),
            "remove or rename that container on the host",
        )),
    }
}

async fn connect(
    session: &Session,
    id: &ContainerId,
    network: &str,
    endpoint: bollard::models::EndpointSettings,
) -> Result<(), Fault> {
    let body =
        bollard::models::NetworkConnectRequest { container: id.0.as_str().to_owned(), endpoint_config: Some(endpoint) };
    let connected = session.docker.connect_network(&wire_http::encode(network), body).await;
    match connected.map_err(|error| wire_http::from_bollard(&error)) {
        // After a lost answer it may be there already.
        Err(fault) if fault.why.as_str().contains("already") => Ok(()),
        other => other,
    }
}

async fn put(session: &Session, id: &ContainerId, list: &[FileMount], read_only_root: bool) -> Result<(), Fault> {
    let mut headers = HeaderMap::new();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
    for (directory, archive) in files::archives(list, read_only_root)? {
        let path = format!("/containers/{}/archive?path={}", plain(id)?, wire_http::encode(&directory));
        session.http.send(Method::PUT, &path, headers.clone(), Some(archive.into())).await?;
    }
    Ok(())
}
