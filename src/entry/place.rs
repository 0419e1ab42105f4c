//! The host of a proxy, as far as its keeper needs it: behind a trait, so that a keeper can be tested with a real
//! HAProxy that runs without an engine.

use std::time::Duration;

use futures::StreamExt;

use super::{
    address::{Berth, volume},
    config::Layout,
    session::{Channel, Input},
};
use crate::{
    engine::{EngineError, Handle, LogOptions, ProxyRequest},
    model::{ContainerId, FileMount, FleetName, RegionName, Sensitive},
    text::Text,
};

/// A command in the container must end by then.
const RUN: Duration = Duration::from_secs(30);
/// A pull must end by then.
const PULL: Duration = Duration::from_secs(10 * 60);
/// A log must be read by then.
const LOG: Duration = Duration::from_secs(5);

/// Why something could not be done, in words: what failed, on which host, why, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// The words.
    pub words: Text,
    /// Trying again soon cannot help.
    pub is_final: bool,
}

impl Trouble {
    pub(crate) fn new(words: impl Into<Text>) -> Self {
        Self { words: words.into(), is_final: false }
    }
}

impl From<EngineError> for Trouble {
    fn from(error: EngineError) -> Self {
        Self { is_final: error.is_final(), words: Text::from(error.to_string()) }
    }
}

/// A proxy's container as it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its id.
    pub id: ContainerId,
    /// Which of the two it is; none for one of another make.
    pub berth: Option<Berth>,
    /// The image that it was made from, as the fleet file named it then.
    pub image: Text,
    /// It runs.
    pub is_running: bool,
}

/// The host of a proxy.
pub(crate) trait Place: Send + 'static {
    /// Where the proxy's files are.
    fn layout(&self) -> Layout;
    /// The proxies that are there, running or not.
    fn find(&self) -> impl Future<Output = Result<Vec<Found>, Trouble>> + Send;
    /// Makes one, not started; pulls its image if need be.
    fn create(&self, berth: Berth, image: &str) -> impl Future<Output = Result<ContainerId, Trouble>> + Send;
    /// Puts files into one.
    fn put(
        &self,
        id: &ContainerId,
        files: Vec<(String, Sensitive)>,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;
    /// Starts one.
    fn start(&self, id: &ContainerId) -> impl Future<Output = Result<(), Trouble>> + Send;
    /// Runs a command in one: exit code and output.
    fn run(&self, id: &ContainerId, command: &[&str]) -> impl Future<Output = Result<(i64, String), Trouble>> + Send;
    /// Tells its master process to load the file anew.
    fn reload(&self, id: &ContainerId) -> impl Future<Output = Result<(), Trouble>> + Send;
    /// Tells it to end what it began, then end for good.
    fn finish(&self, id: &ContainerId) -> impl Future<Output = Result<(), Trouble>> + Send;
    /// Takes it away, whatever it does.
    fn remove(&self, id: &ContainerId) -> impl Future<Output = Result<(), Trouble>> + Send;
    /// Opens a way to its master process.
    fn open(&self, id: &ContainerId, berth: Berth) -> impl Future<Output = Result<Channel, Trouble>> + Send;
    /// What it printed last that tells of a failure; empty when it said nothing of the kind.
    fn complaint(&self, id: &ContainerId) -> impl Future<Output = String> + Send;
}

/// A host with an engine.
#[derive(Debug)]
pub(crate) struct EngineHost {
    pub fleet: FleetName,
    pub region: RegionName,
    pub handle: Handle,
}

impl EngineHost {
    /// What the container runs: it makes the virtual addresses the host's own, takes over the listening sockets of a
    /// proxy that is still there, and listens.
    fn command(&self, berth: Berth) -> Vec<String> {
        let layout = self.layout();
        let script = format!(
            "ip route replace local \"$(cat {etc}/pool)\" dev lo; \
             if [ -S {sock} ]; then set -- -x {sock}; else set --; fi; \
             exec haproxy -W -db -f {config} -S {control} \"$@\"",
            etc = layout.etc,
            sock = layout.listeners(),
            config = layout.config(),
            control = berth.control(&self.fleet),
        );
        vec!["/bin/sh".to_owned(), "-c".to_owned(), script]
    }
}

impl Place for EngineHost {
    fn layout(&self) -> Layout {
        Layout::container()
    }

    async fn find(&self) -> Result<Vec<Found>, Trouble> {
        let found = self.handle.proxies().await?;
        Ok(found
            .into_iter()
            .map(|proxy| Found {
                berth: Berth::of(&self.fleet, proxy.name.as_str()),
                id: proxy.id,
                image: proxy.image,
                is_running: proxy.is_running,
            })
            .collect())
    }

    async fn create(&self, berth: Berth, image: &str) -> Result<ContainerId, Trouble> {
        let (name, command, volume, layout) =
            (berth.name(&self.fleet), self.command(berth), volume(&self.fleet), self.layout());
        let request = ProxyRequest {
            name: &name,
            fleet: &self.fleet,
            region: &self.region,
            image,
            command: &command,
            volume: &volume,
            volume_at: &layout.run,
        };
        match self.handle.create_proxy(&request).await {
            Err(error) if error.is_no_such_image() || error.is_not_found() => {}
            other => return Ok(other?),
        }
        let pulled = tokio::time::timeout(PULL, self.handle.pull(image, |_| {})).await;
        pulled.map_err(|_| {
            let host = self.handle.host();
            Trouble::new(format!("{host}: the proxy's image {image} was not pulled within 10 min"))
        })??;
        Ok(self.handle.create_proxy(&request).await?)
    }

    async fn put(&self, id: &ContainerId, files: Vec<(String, Sensitive)>) -> Result<(), Trouble> {
        let files: Vec<FileMount> = files
            .into_iter()
            .map(|(target, content)| FileMount {
                name: target.clone(),
                // Keys of certificates are among them; only the master process reads them, as root.
                mode: 0o600,
                target,
                content,
                secret: true,
                uid: 0,
                gid: 0,
            })
            .collect();
        Ok(self.handle.put_files(id, &files, false).await?)
    }

    async fn start(&self, id: &ContainerId) -> Result<(), Trouble> {
        Ok(self.handle.start(id).await?)
    }

    async fn run(&self, id: &ContainerId, command: &[&str]) -> Result<(i64, String), Trouble> {
        let ended = self.handle.run(id, command, RUN).await?;
        Ok((ended.code.unwrap_or(-1), ended.output))
    }

    async fn reload(&self, id: &ContainerId) -> Result<(), Trouble> {
        Ok(self.handle.signal(id, "SIGUSR2").await?)
    }

    async fn finish(&self, id: &ContainerId) -> Result<(), Trouble> {
        self.handle.never_restart(id).await?;
        Ok(self.handle.signal(id, "SIGUSR1").await?)
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), Trouble> {
        Ok(self.handle.remove(id, true).await?)
    }

    async fn open(&self, id: &ContainerId, berth: Berth) -> Result<Channel, Trouble> {
        let control = berth.control(&self.fleet);
        let (address, port) = (control.ip().to_string(), control.port().to_string());
        let talk = self.handle.talk(id, &["nc", &address, &port]).await?;
        Ok(Channel { input: Input::Commands(talk.input), output: talk.output })
    }

    async fn complaint(&self, id: &ContainerId) -> String {
        let read = async {
            let options = LogOptions { tail: Some(50), ..LogOptions::default() };
            let mut lines = self.handle.logs(id, options).await.ok()?;
            let mut last = Vec::new();
            while let Some(Ok(line)) = lines.next().await {
                last.push(line.text.to_string());
            }
            Some(complaint(last.iter().map(String::as_str)))
        };
        tokio::time::timeout(LOG, read).await.ok().flatten().unwrap_or_default()
    }
}

/// The alerts among lines of HAProxy, the last ones, without what stands before them.
pub(crate) fn complaint<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut alerts: Vec<&str> = lines
        .filter_map(|line| line.split_once("[ALERT]"))
        .map(|(_, alert)| alert.split_once(" : ").map_or(alert, |(_, words)| words).trim())
        .filter(|alert| !alert.starts_with("Fatal errors found") && !alert.contains("old process"))
        .collect();
    alerts.dedup();
    let from = alerts.len().saturating_sub(3);
    alerts.split_off(from).join("; ")
}
