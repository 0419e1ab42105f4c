//! The room's tests with a real HAProxy, without an engine: its containers are processes, their files a directory.

mod config;
mod keeping;
mod kept;
mod sim;
mod stat;
mod steps;
mod view;

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    time::Duration,
};

use bytes::Bytes;
use futures::StreamExt;
use tokio::{io::AsyncReadExt, net::TcpStream};

use super::{
    address::Berth,
    config::Layout,
    place::{Found, Place, Trouble, complaint},
    session::{Channel, Input},
};
use crate::{
    model::{ContainerId, FleetName, Sensitive},
    text::Text,
};

/// A host whose containers are processes of this machine.
pub(super) struct Processes {
    pub fleet: FleetName,
    pub dir: PathBuf,
    proxies: Mutex<BTreeMap<String, Process>>,
}

struct Process {
    berth: Berth,
    image: String,
    child: Option<Child>,
}

impl Process {
    fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().is_ok_and(|ended| ended.is_none()))
    }

    fn signal(&self, signal: rustix::process::Signal) {
        if let Some(child) = &self.child {
            let pid = rustix::process::Pid::from_child(child);
            // One that has ended already is well.
            let _: Result<(), rustix::io::Errno> = rustix::process::kill_process(pid, signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The master takes its workers with it.
        self.signal(rustix::process::Signal::TERM);
        if let Some(child) = &mut self.child {
            drop(child.wait());
        }
    }
}

impl Processes {
    pub(super) fn new(fleet: &str, dir: &Path) -> Self {
        for name in ["etc", "run"] {
            std::fs::create_dir_all(dir.join(name)).unwrap();
        }
        Self { fleet: FleetName::new(fleet).unwrap(), dir: dir.to_owned(), proxies: Mutex::default() }
    }

    fn with<T>(&self, id: &ContainerId, act: impl FnOnce(&mut Process) -> T) -> Result<T, Trouble> {
        let mut proxies = self.proxies.lock().unwrap();
        proxies.get_mut(id.0.as_str()).map(act).ok_or_else(|| Trouble::new(format!("no container {id}")))
    }

    fn log(&self, id: &ContainerId) -> PathBuf {
        self.dir.join(format!("{id}.log"))
    }
}

impl Place for std::sync::Arc<Processes> {
    fn layout(&self) -> Layout {
        let path = |name: &str| self.dir.join(name).display().to_string();
        Layout { etc: path("etc"), run: path("run"), user: None }
    }

    async fn find(&self) -> Result<Vec<Found>, Trouble> {
        let mut proxies = self.proxies.lock().unwrap();
        Ok(proxies
            .iter_mut()
            .map(|(id, proxy)| Found {
                id: ContainerId(Text::new(id)),
                berth: Some(proxy.berth),
                image: Text::new(&proxy.image),
                is_running: proxy.is_running(),
            })
            .collect())
    }

    async fn create(&self, berth: Berth, image: &str) -> Result<ContainerId, Trouble> {
        let mut proxies = self.proxies.lock().unwrap();
        let id = format!("{}-{image}-{}", berth.name(&self.fleet), proxies.len());
        proxies.insert(id.clone(), Process { berth, image: image.to_owned(), child: None });
        Ok(ContainerId(Text::new(&id)))
    }

    async fn put(&self, _: &ContainerId, files: Vec<(String, Sensitive)>) -> Result<(), Trouble> {
        for (path, content) in files {
            std::fs::write(path, content.reveal()).unwrap();
        }
        Ok(())
    }

    async fn start(&self, id: &ContainerId) -> Result<(), Trouble> {
        let (layout, log) = (self.layout(), self.log(id));
        let control = self.with(id, |proxy| proxy.berth)?.control(&self.fleet).to_string();
        let mut command = Command::new("haproxy");
        command.args(["-W", "-db", "-f", &layout.config(), "-S", &control]);
        if Path::new(&layout.listeners()).exists() {
            command.args(["-x", &layout.listeners()]);
        }
        let log = std::fs::File::create(log).unwrap();
        let child = command.stderr(log).stdout(Stdio::null()).spawn().unwrap();
        self.with(id, |proxy| proxy.child = Some(child))
    }

    async fn run(&self, _: &ContainerId, command: &[&str]) -> Result<(i64, String), Trouble> {
        if command[0] != "haproxy" {
            return Ok((0, String::new()));
        }
        let done = Command::new(command[0]).args(&command[1..]).output().unwrap();
        Ok((done.status.code().unwrap_or(-1).into(), String::from_utf8_lossy(&done.stderr).into_owned()))
    }

    async fn reload(&self, id: &ContainerId) -> Result<(), Trouble> {
        self.with(id, |proxy| proxy.signal(rustix::process::Signal::USR2))
    }

    async fn finish(&self, id: &ContainerId) -> Result<(), Trouble> {
        self.with(id, |proxy| proxy.signal(rustix::process::Signal::USR1))
    }

    async fn remove(&self, id: &ContainerId) -> Result<(), Trouble> {
        self.proxies.lock().unwrap().remove(id.0.as_str());
        Ok(())
    }

    async fn open(&self, id: &ContainerId, berth: Berth) -> Result<Channel, Trouble> {
        self.with(id, |_| ())?;
        let stream = TcpStream::connect(berth.control(&self.fleet)).await.map_err(|e| Trouble::new(e.to_string()))?;
        let (read, write) = stream.into_split();
        let output = futures::stream::try_unfold(read, |mut read| async move {
            let mut buffer = vec![0; 4096];
            let count = read.read(&mut buffer).await.map_err(|error| Text::from(error.to_string()))?;
            buffer.truncate(count);
            Ok((count > 0).then_some((Bytes::from(buffer), read)))
        });
        Ok(Channel { input: Input::Commands(Box::pin(write)), output: output.boxed() })
    }

    async fn complaint(&self, id: &ContainerId) -> String {
        let mut text = String::new();
        drop(std::fs::File::open(self.log(id)).map(|mut file| file.read_to_string(&mut text)));
        complaint(text.lines())
    }
}

/// Waits until something is so; fails with the words after ten seconds.
pub(super) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !is_so().await {
        assert!(begin.elapsed() < Duration::from_secs(10), "not within 10 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
