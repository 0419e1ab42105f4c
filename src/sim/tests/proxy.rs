//! Proxies: their command line, and what becomes of the requests.

use super::*;
use crate::model::label;
use crate::sim::{ProxyScript, Span, Tally, Wrong};
use bollard::exec::{CreateExecOptions, StartExecResults};
use bollard::query_parameters::*;
use futures::StreamExt as _;
use std::pin::Pin;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};

/// The port of the masters' command lines here.
const MASTER: u16 = 9261;

/// A connection to a command line, by an exec of `nc`.
pub(super) struct Cli {
    input: Pin<Box<dyn AsyncWrite + Send>>,
    output: Pin<Box<dyn futures::Stream<Item = Result<bollard::container::LogOutput, bollard::errors::Error>> + Send>>,
}

impl Cli {
    pub(super) async fn open(docker: &Docker, name: &str, port: u16) -> Self {
        let port = port.to_string();
        let options = CreateExecOptions {
            cmd: Some(vec!["nc", "127.0.0.1", &port]),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..Default::default()
        };
        let id = docker.create_exec(name, options).await.unwrap().id;
        match docker.start_exec(&id, None).await.unwrap() {
            StartExecResults::Attached { output, input } => Self { input, output },
            StartExecResults::Detached => panic!("attached"),
        }
    }

    /// One with a prompt.
    pub(super) async fn prompting(docker: &Docker, name: &str) -> Self {
        let mut cli = Self::open(docker, name, MASTER).await;
        assert_eq!(cli.ask("prompt").await, "master> ");
        cli
    }

    /// Sends a line; what comes until the prompt or the end.
    pub(super) async fn ask(&mut self, line: &str) -> String {
        let mut text = String::new();
        if self.input.write_all(format!("{line}\n").as_bytes()).await.is_err() {
            return text;
        }
        soon(async {
            while !text.ends_with("> ") {
                let Some(Ok(piece)) = self.output.next().await else { break };
                text.push_str(&String::from_utf8_lossy(&piece.into_bytes()));
            }
        })
        .await;
        text
    }

    /// A command to the worker that shall succeed.
    async fn tell(&mut self, line: &str) {
        let said = self.ask(&format!("@1 {line}")).await;
        let good = ["\nmaster> ", "New server registered.\n\nmaster> ", "Server deleted.\nmaster> "];
        assert!(good.contains(&said.as_str()), "{line}: {said:?}");
    }

    /// A column of a server.
    async fn column(&mut self, server: &str, column: &str) -> String {
        let table = self.ask("@1 show stat -1 6 -1").await;
        let at = table.trim_start_matches("# ").lines().next().unwrap().split(',').position(|name| name == column);
        let row = table.lines().find(|row| row.split(',').nth(1) == Some(server)).unwrap_or_else(|| panic!("{table}"));
        row.split(',').nth(at.unwrap()).unwrap().to_owned()
    }
}

/// Puts files beside the configuration.
pub(super) async fn upload(docker: &Docker, name: &str, files: &[(&str, &str)]) {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(text.len() as u64);
        tar.append_data(&mut header, format!("etc/wharf/{path}"), text.as_bytes()).unwrap();
    }
    let options = UploadToContainerOptionsBuilder::default().path("/").build();
    docker
        .upload_to_container(name, Some(options), bollard::body_full(tar.into_inner().unwrap().into()))
        .await
        .unwrap();
}

pub(super) async fn signal(docker: &Docker, name: &str, signal: &str) {
    let options = KillContainerOptionsBuilder::default().signal(signal).build();
    docker.kill_container(name, Some(options)).await.unwrap();
}

/// Runs a proxy with a configuration.
pub(super) async fn configured(docker: &Docker, name: &str, master: u16, config: &str) {
    let mut wanted = body("app:1");
    wanted.labels = Some(HashMap::from([(label::PROXY.to_owned(), "app:1".to_owned())]));
    let script = format!(
        "ip route replace local x dev lo; exec haproxy -W -db -f /etc/wharf/haproxy.cfg -S 127.0.0.1:{master} \"$@\""
    );
    wanted.entrypoint = Some(vec!["/bin/sh".into(), "-c".into(), script]);
    wanted.host_config = Some(HostConfig { network_mode: Some("host".into()), ..HostConfig::default() });
    let options = CreateContainerOptionsBuilder::default().name(name).build();
    docker.create_container(Some(options), wanted).await.unwrap();
    upload(docker, name, &[("haproxy.cfg", config)]).await;
    docker.start_container(name, None::<StartContainerOptions>).await.unwrap();
}

/// An engine whose clients come at a steady pace, and a configuration with one web backend.
async fn stage(drain: u64) -> (Arc<Engine>, Docker, Cli) {
    let engine = engine();
    engine.script(|script| {
        script.proxy = ProxyScript { drain: Span::ms(drain), load: 10.0, ..ProxyScript::default() };
    });
    let docker = docker(&engine);
    configured(&docker, "proxy", MASTER, &config("")).await;
    let cli = Cli::prompting(&docker, "proxy").await;
    (engine, docker, cli)
}

fn config(servers: &str) -> String {
    format!(
        "global\n description 01\n stats socket ipv4@127.0.0.1:9999\n server-state-file /etc/wharf/servers.state\n\
         defaults\n mode http\nfrontend edge\n bind *:80\n default_backend shop:web:80\n\
         backend shop:web:80\n retries 5\n load-server-state-from-file global\n server hold 127.0.0.1:1 disabled\n{servers}"
    )
}

/// A replica, and its server's options.
async fn replica(docker: &Docker, name: &str) -> String {
    let mut wanted = body("app:1");
    let binding = PortBinding { host_ip: None, host_port: None };
    wanted.host_config = Some(HostConfig {
        port_bindings: Some(HashMap::from([("80/tcp".to_owned(), Some(vec![binding]))])),
        ..HostConfig::default()
    });
    run(docker, name, wanted).await;
    let inspect = docker.inspect_container(name, None::<InspectContainerOptions>).await.unwrap();
    let ports = inspect.network_settings.unwrap().ports.unwrap();
    let port = ports["80/tcp"].as_ref().unwrap()[0].host_port.clone().unwrap();
    format!("127.0.0.1:{port} check inter 100ms fall 2 rise 1")
}

/// Adds a replica and lets it have requests.
async fn joined(docker: &Docker, cli: &mut Cli, name: &str) {
    let words = replica(docker, name).await;
    cli.tell(&format!("add server shop:web:80/{name} {words}")).await;
    cli.tell(&format!("enable health shop:web:80/{name}")).await;
    cli.tell(&format!("set server shop:web:80/{name} state ready")).await;
}

async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

async fn stop(docker: &Docker, name: &str) {
    docker.stop_container(name, None::<StopContainerOptions>).await.unwrap();
}

fn total(engine: &Engine) -> Tally {
    engine.ledger().total()
}

#[tokio::test(start_paused = true)]
async fn requests_are_shared_and_counted() {
    let (engine, docker, mut cli) = stage(0).await;
    pass(1000).await;
    assert_eq!(total(&engine), Tally::default(), "nobody comes before anything answers");
    joined(&docker, &mut cli, "1-r1-a").await;
    joined(&docker, &mut cli, "2-r1-b").await;
    pass(10_000).await;
    let (one, two) = (cli.column("1-r1-a", "stot").await, cli.column("2-r1-b", "stot").await);
    let all: u64 = cli.column("BACKEND", "hrsp_2xx").await.parse().unwrap();
    assert!(all > 1000 && one.parse::<u64>().unwrap().abs_diff(all / 2) < 5, "{one} + {two} = {all}");
    assert_ne!(cli.column("1-r1-a", "scur").await, "0");
    assert_eq!((total(&engine).failed, total(&engine).astray), (0.0, 0.0));
    engine.script(|script| script.errors.insert("app:1".to_owned(), 0.1));
    pass(10_000).await;
    let failed: u64 = cli.column("BACKEND", "hrsp_5xx").await.parse().unwrap();
    assert!(failed > 50, "{failed}");
}

#[tokio::test(start_paused = true)]
async fn stopping_what_gets_requests_is_noted_and_draining_first_is_not() {
    let (engine, docker, mut cli) = stage(500).await;
    for name in ["1-r1-a", "2-r1-b", "3-r1-c"] {
        joined(&docker, &mut cli, name).await;
    }
    pass(1000).await;
    cli.tell("set server shop:web:80/1-r1-a state drain").await;
    assert_eq!(cli.column("1-r1-a", "status").await, "DRAIN");
    assert_ne!(cli.column("1-r1-a", "scur").await, "0");
    pass(600).await;
    assert_eq!(cli.column("1-r1-a", "scur").await, "0");
    stop(&docker, "1-r1-a").await;
    pass(2000).await;
    assert_eq!((total(&engine).failed, engine.ledger().missteps), (0.0, vec![]));

    cli.tell("set server shop:web:80/2-r1-b state drain").await;
    stop(&docker, "2-r1-b").await;
    let missteps = engine.ledger().missteps;
    assert!(matches!(missteps[0].what, Wrong::StoppedBusy { sessions: 1.., .. }), "{missteps:?}");
    let broken = total(&engine).failed;
    assert!(broken >= 1.0, "what it had breaks off");

    stop(&docker, "3-r1-c").await;
    let missteps = engine.ledger().missteps;
    assert_eq!((missteps.len(), missteps[1].what), (2, Wrong::StoppedReady));
    assert_eq!((missteps[1].server.as_str(), missteps[1].proxy.as_str()), ("3-r1-c", "box"));
    pass(1000).await;
    assert!(total(&engine).astray > 0.0, "until the check sees it");
    assert!(total(&engine).failed > broken);
    assert_eq!(cli.column("3-r1-c", "status").await, "DOWN");
    let astray = total(&engine).astray;
    pass(1000).await;
    assert!((total(&engine).astray - astray).abs() < f64::EPSILON, "nothing more goes there");
}

#[tokio::test(start_paused = true)]
async fn a_retry_saves_what_another_server_can_take() {
    let (engine, docker, mut cli) = stage(0).await;
    joined(&docker, &mut cli, "1-r1-a").await;
    joined(&docker, &mut cli, "2-r1-b").await;
    pass(1000).await;
    engine.crash("1-r1-a", 1);
    let broken = total(&engine).failed;
    assert!(broken >= 1.0, "what it had breaks off");
    pass(1000).await;
    let tally = total(&engine);
    assert!(tally.astray > 1.0, "{tally:?}");
    assert!((tally.failed - broken).abs() < f64::EPSILON, "nothing else");
    assert_ne!(cli.column("1-r1-a", "wredis").await, "0");
    assert!(engine.ledger().missteps.is_empty(), "nobody stopped it");
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_held_do_not_fail() {
    let (engine, docker, mut cli) = stage(0).await;
    joined(&docker, &mut cli, "1-r1-a").await;
    pass(1000).await;
    cli.tell("set server shop:web:80/hold state ready").await;
    cli.tell("set server shop:web:80/1-r1-a state drain").await;
    pass(3000).await;
    assert_ne!(cli.column("hold", "scur").await, "0");
    let before = total(&engine).requests;
    joined(&docker, &mut cli, "1-r2-b").await;
    cli.tell("set server shop:web:80/hold state maint").await;
    pass(100).await;
    assert_eq!((total(&engine).failed, engine.ledger().missteps), (0.0, vec![]));
    assert!(total(&engine).requests > before + 100.0, "those that waited are answered");

    // Longer than they are willing to wait.
    cli.tell("set server shop:web:80/hold state ready").await;
    cli.tell("set server shop:web:80/1-r2-b state drain").await;
    pass(8000).await;
    assert!(total(&engine).failed > 1.0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_let_in_before_it_is_healthy() {
    let (engine, docker, mut cli) = stage(0).await;
    engine.script(|script| script.health = Span::ms(5000));
    let mut wanted = body("app:1");
    let binding = PortBinding { host_ip: None, host_port: Some("8099".into()) };
    wanted.host_config = Some(HostConfig {
        port_bindings: Some(HashMap::from([("80/tcp".to_owned(), Some(vec![binding]))])),
        ..HostConfig::default()
    });
    wanted.healthcheck =
        Some(HealthConfig { test: Some(vec!["CMD".into(), "true".into()]), ..HealthConfig::default() });
    run(&docker, "1-r1-a", wanted).await;
    cli.tell("add server shop:web:80/1-r1-a 127.0.0.1:8099 check").await;
    cli.tell("enable health shop:web:80/1-r1-a").await;
    cli.tell("set server shop:web:80/1-r1-a state ready").await;
    assert_eq!(engine.ledger().missteps[0].what, Wrong::ReadyTooEarly);
    pass(1000).await;
    assert!(total(&engine).astray > 1.0);
    pass(5000).await;
    let astray = total(&engine).astray;
    pass(1000).await;
    assert!((total(&engine).astray - astray).abs() < f64::EPSILON);
}

#[tokio::test(start_paused = true)]
async fn a_reload_takes_clients_over_and_the_worker_before_obeys_nobody() {
    let (engine, docker, mut cli) = stage(2000).await;
    joined(&docker, &mut cli, "1-r1-a").await;
    pass(1000).await;
    let words = replica(&docker, "2-r1-b").await;
    let state = cli.ask("@1 show servers state").await;
    let state = state
        .trim_end_matches("master> ")
        .replace("1-r1-a", "2-r1-b")
        .replace("hold 127.0.0.1 0 5", "hold 127.0.0.1 2 4");
    let text = config(&format!(" server 2-r1-b {words}\n")).replace("description 01", "description 02");
    upload(&docker, "proxy", &[("haproxy.cfg", &text), ("servers.state", &state)]).await;
    signal(&docker, "proxy", "SIGUSR2").await;
    assert_eq!(cli.ask("show proc").await, "", "the connection ends");
    let mut cli = Cli::prompting(&docker, "proxy").await;
    let processes = cli.ask("show proc").await;
    let old: u32 =
        processes.split_once("# old workers\n").unwrap().1.split_whitespace().next().unwrap().parse().unwrap();
    assert!(cli.ask("@1 show info").await.contains("description: 02\n"));
    assert!(cli.ask(&format!("@!{old} show info")).await.contains("Stopping: 1\n"));
    let said = cli.ask(&format!("@!{old} set server shop:web:80/1-r1-a state drain")).await;
    assert_eq!(said, "Proxy is disabled.\n\nmaster> ");
    assert_eq!(cli.column("hold", "status").await, "no check", "as the state file says");
    cli.tell("set server shop:web:80/hold state maint").await;
    pass(2500).await;
    assert!(!cli.ask("show proc").await.contains("old workers"));
    assert_ne!(cli.column("2-r1-b", "stot").await, "0");
    stop(&docker, "1-r1-a").await;
    assert_eq!((total(&engine).failed, engine.ledger().missteps), (0.0, vec![]));

    engine.script(|script| script.proxy.refuses = true);
    signal(&docker, "proxy", "SIGUSR2").await;
    let mut cli = Cli::open(&docker, "proxy", MASTER).await;
    assert_eq!(cli.ask("prompt").await, "master[ReloadFailed]> ");
    assert!(cli.ask("@1 show info").await.contains("description: 02\n"), "the worker stays");
}

#[tokio::test(start_paused = true)]
async fn it_hangs_ends_softly_and_is_lost() {
    let (engine, docker, mut cli) = stage(2000).await;
    joined(&docker, &mut cli, "1-r1-a").await;
    engine.script(|script| script.proxy.hangs = true);
    let hung = tokio::time::timeout(Duration::from_secs(10), cli.ask("show proc")).await;
    assert!(hung.is_err());
    engine.script(|script| script.proxy.hangs = false);
    let mut cli = Cli::prompting(&docker, "proxy").await;
    pass(1000).await;
    signal(&docker, "proxy", "SIGUSR1").await;
    assert!(cli.ask("@1 show info").await.contains("Stopping: 1\n"));
    pass(1000).await;
    let state =
        async || docker.inspect_container("proxy", None::<InspectContainerOptions>).await.unwrap().state.unwrap();
    assert_eq!(state().await.running, Some(true));
    pass(1500).await;
    let ended = state().await;
    assert_eq!((ended.running, ended.exit_code), (Some(false), Some(0)));
    assert_eq!(cli.ask("show proc").await, "", "the connection ends with it");

    docker.start_container("proxy", None::<StartContainerOptions>).await.unwrap();
    let mut cli = Cli::prompting(&docker, "proxy").await;
    engine.remove_by_hand("proxy");
    assert_eq!(cli.ask("show proc").await, "");
}

#[tokio::test]
async fn a_file_is_checked_and_a_bad_one_does_not_start() {
    let engine = engine();
    let docker = docker(&engine);
    configured(&docker, "proxy", MASTER, &config("")).await;
    let (status, id) =
        post(&engine, "/containers/proxy/exec", r#"{"Cmd":["haproxy","-c","-f","/etc/wharf/haproxy.cfg"]}"#).await;
    assert_eq!(status, 201);
    let id = id["Id"].as_str().unwrap().to_owned();
    let (_, said) = post(&engine, &format!("/exec/{id}/start"), "{}").await;
    assert!(said.as_str().unwrap().contains("Configuration file is valid"), "{said}");
    configured(&docker, "bad", MASTER, "backend a\n server x\n").await;
    let ended = until(&engine, "bad", |it| it["State"]["Status"] == "exited").await;
    assert_eq!(ended["State"]["ExitCode"], 1);
}
