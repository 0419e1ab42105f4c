//! Logs that are followed and shells that are talked with, across connections that break.

use std::{sync::Arc, time::Duration};

use tokio::{io::AsyncWriteExt, sync::mpsc};
use wharf::{
    engine::{Attending, Conversation, Follower, MemoryDial, ObserveOptions, Observer, Talker},
    model::{
        Connect, Container, Defaults, Fleet, Host, HostChange, HostName, LogBatch, LogBegin, LogChange, LogQuery,
        LogSource, Region,
    },
    sim::{self, Engine, Link},
};

use crate::support::PATIENCE;

/// One simulated host with a container, observed.
struct Stage {
    _fleet: sim::Fleet,
    engine: Arc<Engine>,
    observer: Arc<Observer<Attending>>,
    host: HostName,
    container: Container,
}

async fn stage() -> Stage {
    let fleet = sim::Fleet::new(1, 1, 7).unwrap();
    let engine = fleet.hosts()[0].engine.clone();
    let host: HostName = fleet.hosts()[0].name.parse().unwrap();
    let dialled = engine.clone();
    let options = ObserveOptions {
        memory: [(host.clone(), MemoryDial::new(move || Ok(dialled.connect())))].into(),
        heartbeat: Duration::from_millis(50),
        silent_after: Duration::from_millis(400),
        ..ObserveOptions::default()
    };
    let region = Region {
        name: "east".parse().unwrap(),
        hosts: vec![Host {
            name: host.clone(),
            connect: Connect::Unix("/none".into()),
            address: None,
            labels: std::collections::BTreeMap::default(),
        }],
        defaults: Defaults::default(),
    };
    let entry = Fleet {
        name: "acme".parse().unwrap(),
        regions: vec![region],
        store: "/tmp/none.db".into(),
        proxy_image: "haproxy".into(),
        subnet_pool: "10.200.0.0/16".into(),
        link_pool: "10.211.0.0/16".into(),
        origin: "test".into(),
        access: wharf::model::Access::default(),
    };
    let (tell, mut updates) = mpsc::channel(64);
    let observer = Arc::new(Observer::start_attending(&entry, tell, options));
    let listed = async {
        loop {
            if let HostChange::Listed { containers, .. } = updates.recv().await.unwrap().change {
                break containers;
            }
        }
    };
    let containers = tokio::time::timeout(PATIENCE, listed).await.unwrap();
    tokio::spawn(async move { while updates.recv().await.is_some() {} });
    let container = containers.into_iter().next().unwrap();
    Stage { _fleet: fleet, engine, observer, host, container }
}

impl Stage {
    fn follow(&self, begin: LogBegin) -> (Follower, mpsc::Receiver<LogBatch>) {
        let (tell, batches) = mpsc::channel(2);
        let observer = self.observer.clone();
        let mut follower = Follower::new(move |host| observer.reader(host), tell);
        follower.follow(self.query(begin, false));
        (follower, batches)
    }

    fn query(&self, begin: LogBegin, paused: bool) -> LogQuery {
        let source = LogSource { number: 0, host: self.host.clone(), container: self.container.id.clone(), runs: true };
        LogQuery { generation: 1, begin, sources: vec![source], paused }
    }

    fn say(&self, text: &str) {
        assert!(self.engine.say(self.container.name.as_str(), false, text));
    }
}

/// What was said by the test, until `last` comes; and what became of the source.
async fn until(batches: &mut mpsc::Receiver<LogBatch>, last: &str) -> (Vec<String>, Vec<LogChange>) {
    let (mut said, mut notes) = (Vec::new(), Vec::new());
    let wait = async {
        while !said.iter().any(|text| text == last) {
            let batch = batches.recv().await.unwrap();
            let lines = batch.lines.iter().map(|line| line.text.to_string());
            said.extend(lines.filter(|text| text.starts_with("said ")));
            notes.extend(batch.notes.into_iter().map(|note| note.what));
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{last} does not come"));
    (said, notes)
}

#[tokio::test]
async fn no_line_is_lost_or_doubled_when_a_connection_breaks_or_following_pauses() {
    let stage = stage().await;
    let (mut follower, mut batches) = stage.follow(LogBegin::Tail(10));
    stage.say("said one");
    assert_eq!(until(&mut batches, "said one").await.0, ["said one"]);
    stage.engine.set_link(Link::Down);
    stage.say("said two");
    tokio::time::sleep(Duration::from_millis(200)).await;
    stage.engine.set_link(Link::Up);
    stage.say("said three");
    let (said, notes) = until(&mut batches, "said three").await;
    assert_eq!(said, ["said two", "said three"]);
    assert!(matches!(notes[..], [LogChange::Lost(_), LogChange::Back]), "{notes:?}");
    follower.follow(stage.query(LogBegin::Tail(10), true));
    stage.say("said four");
    tokio::time::sleep(Duration::from_millis(200)).await;
    follower.follow(stage.query(LogBegin::Tail(10), false));
    stage.say("said five");
    assert_eq!(until(&mut batches, "said five").await.0, ["said four", "said five"]);
}

async fn shell(stage: &Stage) -> Conversation {
    let console = stage.observer.console(&stage.host).unwrap();
    console.open(&stage.container.id, &Talker::Shell, Some((100, 40))).await.unwrap()
}

async fn hear(talk: &mut Conversation, until: &str) -> String {
    let mut heard = String::new();
    let wait = async {
        while !heard.contains(until) {
            let piece = talk.output.recv().await?;
            heard.push_str(&String::from_utf8_lossy(&piece.bytes));
        }
        Some(())
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
    heard
}

#[tokio::test]
async fn a_shell_is_talked_with_resized_and_its_code_is_known() {
    let stage = stage().await;
    let mut talk = shell(&stage).await;
    hear(&mut talk, "/ # ").await;
    talk.input.write_all(b"stty size\r").await.unwrap();
    assert!(hear(&mut talk, "40 100").await.contains("stty size"));
    talk.control.resize((90, 30)).await;
    talk.input.write_all(b"stty size\r").await.unwrap();
    hear(&mut talk, "30 90").await;
    talk.input.write_all(b"exit 3\r").await.unwrap();
    hear(&mut talk, "no such words").await;
    assert_eq!(talk.control.ended().await.unwrap(), Some(3));
}

#[tokio::test]
async fn a_shell_ends_with_its_connection() {
    let stage = stage().await;
    let mut talk = shell(&stage).await;
    hear(&mut talk, "/ # ").await;
    // Nothing says that it is over: the host does not answer any more.
    stage.engine.set_link(Link::Hung);
    hear(&mut talk, "no such words").await;
    let error = talk.control.ended().await.unwrap_err();
    assert!(error.to_string().contains("what ran there may go on"), "{error}");
}

#[tokio::test]
async fn a_command_without_a_terminal_keeps_its_two_streams_apart() {
    let stage = stage().await;
    let console = stage.observer.console(&stage.host).unwrap();
    let command = ["sh", "-c", "echo out; fly; exit 4"].map(str::to_owned).to_vec();
    let mut talk = console.open(&stage.container.id, &Talker::Command(command), None).await.unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    while let Some(piece) = tokio::time::timeout(PATIENCE, talk.output.recv()).await.unwrap() {
        let into = if piece.stderr { &mut err } else { &mut out };
        into.push_str(&String::from_utf8_lossy(&piece.bytes));
    }
    assert_eq!((out.as_str(), err.as_str()), ("out\n", "sh: fly: not found\n"));
    assert_eq!(talk.control.ended().await.unwrap(), Some(4));
}
