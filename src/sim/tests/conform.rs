//! The simulated HAProxy against the one that is installed: the same configuration, the same lines, the same answers
//! but for what time and counters make of them. Nothing is compared where there is no HAProxy (`tests/world/install`
//! brings it).

use super::proxy::{Cli, configured};
use super::*;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

/// A real one with its master's and its worker's command lines.
struct Real {
    child: Child,
    dir: tempfile::TempDir,
    master: u16,
}

impl Real {
    fn start(config: &str, master: u16) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("haproxy.cfg");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new("haproxy");
        command.args(["-W", "-db", "-S", &format!("127.0.0.1:{master},level,admin"), "-f"]).arg(&file);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        let real = Self { child, dir, master };
        for _ in 0..400 {
            if real.ask("@1 show version").starts_with("2.") || real.ask("@1 show version").starts_with('3') {
                return Some(real);
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("haproxy does not come up");
    }

    /// A new connection with a prompt for one line; what comes until the prompt or the end.
    fn ask(&self, line: &str) -> String {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.master)) else { return String::new() };
        stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let mut text = String::new();
        for line in ["prompt", line] {
            text.clear();
            if stream.write_all(format!("{line}\n").as_bytes()).is_err() {
                return text;
            }
            let mut buffer = vec![0; 65_536];
            while !text.ends_with("> ") {
                match stream.read(&mut buffer) {
                    Ok(0) | Err(_) => return text,
                    Ok(length) => text.push_str(&String::from_utf8_lossy(&buffer[..length])),
                }
            }
        }
        text
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        self.signal(rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

fn free_port() -> (TcpListener, u16) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// An answer without what differs between two runs of the same thing.
fn shape(line: &str, answer: &str) -> String {
    let cells = |row: &str, drop: &[&str], header: &str, split: char| {
        let names: Vec<&str> = header.split(split).collect();
        let keep = |(at, cell): (usize, &str)| match names.get(at) {
            Some(name) if drop.contains(name) => "*".to_owned(),
            _ => cell.to_owned(),
        };
        row.split(split).enumerate().map(keep).collect::<Vec<_>>().join(&split.to_string())
    };
    // Said or not, depending on the moment at which the check runs: both mean that it is done.
    if line.contains(" check-port ") {
        return answer.replacen("health check port updated.", "", 1).trim_start().to_owned();
    }
    if line.contains("show stat") {
        // Moments, and results of checks that may still be on their way.
        let drop = [
            "lastchg",
            "downtime",
            "chkfail",
            "chkdown",
            "check_duration",
            "check_code",
            "hanafail",
            "src_ilim",
            "check_status",
            "last_chk",
            "check_desc",
            "check_health",
            "slim",
            "iid",
            "status",
            "weight",
            "act",
            "agg_server_status",
            "scur",
            "used_conn_cur",
            "need_conn_est",
            "smax",
        ];
        let header = answer.lines().next().unwrap_or_default().trim_start_matches("# ").to_owned();
        let kept = answer.lines().map(|row| {
            if row.contains(',') && !row.starts_with('#') { cells(row, &drop, &header, ',') } else { row.to_owned() }
        });
        return kept.collect::<Vec<_>>().join("\n");
    }
    if line.contains("show servers state") {
        let mut header = String::new();
        let mut out = Vec::new();
        for row in answer.lines() {
            if let Some(names) = row.strip_prefix("# ") {
                names.clone_into(&mut header);
            }
            let drop = [
                "be_id",
                "srv_time_since_last_change",
                "srv_check_status",
                "srv_check_result",
                "srv_check_health",
                "srv_check_state",
                "srv_op_state",
            ];
            out.push(if row.starts_with('#') || header.is_empty() {
                row.to_owned()
            } else {
                cells(row, &drop, &header, ' ')
            });
        }
        return out.join("\n");
    }
    if line.contains("show proc") {
        let digits = |c: char| if c.is_ascii_digit() { '0' } else { c };
        let words = |row: &str| {
            row.split_whitespace()
                .map(|word| word.chars().map(digits).collect::<String>())
                .map(|word| word.trim_start_matches('0').to_owned())
                .collect::<Vec<_>>()
                .join(" ")
        };
        return answer.lines().map(words).collect::<Vec<_>>().join("\n");
    }
    answer.to_owned()
}

/// What the simulator says of a process is among what a real one says.
fn same_info(real: &str, sim: &str) {
    let names = |text: &str| -> Vec<String> {
        text.lines().filter_map(|line| line.split_once(": ")).map(|(name, _)| name.to_owned()).collect()
    };
    let real_names = names(real);
    for name in names(sim) {
        assert!(real_names.contains(&name), "`{name}` is no line of show info");
    }
    for line in ["description: 0123456789abcdef", "Stopping: 0"] {
        assert!(real.contains(line) && sim.contains(line), "{line}\n{real}\n{sim}");
    }
}

#[tokio::test]
async fn answers_are_those_of_the_real_one() {
    let version = Command::new("haproxy").arg("-v").output();
    let Ok(version) = version else {
        eprintln!("no haproxy is installed: nothing to compare with");
        return;
    };
    if !String::from_utf8_lossy(&version.stdout).contains("version 2.6.") {
        eprintln!("not HAProxy 2.6: its columns are others");
        return;
    }
    let ports: Vec<(TcpListener, u16)> = (0..4).map(|_| free_port()).collect();
    let [master, web, db, app] = [ports[0].1, ports[1].1, ports[2].1, ports[3].1];
    let mut ports = ports;
    let listener = ports.pop().unwrap().0;
    drop(ports);
    std::thread::spawn(move || for _ in listener.incoming() {});
    let config = format!(
        "global\n  description 0123456789abcdef\n\
         defaults web\n  mode http\n  timeout connect 1s\n  timeout client 5s\n  timeout server 5s\n\
         defaults flow\n  mode tcp\n  timeout connect 1s\n  timeout client 5s\n  timeout server 5s\n\
         frontend edge from web\n  bind 127.0.0.1:{web}\n  default_backend shop:web:80\n\
         frontend link from flow\n  bind 127.0.0.1:{db}\n  default_backend shop:db:5432\n\
         backend shop:web:80 from web\n  balance leastconn\n  server hold 127.0.0.1:1 disabled\n  \
         server 1-r1-0123456789ab 127.0.0.1:{app} check inter 500ms fall 2 rise 1\n\
         backend shop:db:5432 from flow\n  balance leastconn\n  server hold 127.0.0.1:1 disabled\n  \
         server 1-r1-dddddddddddd 127.0.0.1:{app}\n"
    );
    let real = Real::start(&config, master).unwrap();
    let engine = engine();
    // No clients: those of the simulator would count.
    engine.script(|script| script.proxy.load = 0.0);
    let docker = docker(&engine);
    let mut replica = body("app:1");
    let binding = PortBinding { host_ip: None, host_port: Some(app.to_string()) };
    replica.host_config = Some(HostConfig {
        port_bindings: Some(HashMap::from([("80/tcp".to_owned(), Some(vec![binding]))])),
        ..HostConfig::default()
    });
    run(&docker, "replica", replica).await;
    configured(&docker, "proxy", master, &config).await;

    let web = "shop:web:80/2-r1-aaaaaaaaaaaa";
    let lines = [
        "show proc".to_owned(),
        "show version".to_owned(),
        "@1 show version".to_owned(),
        "@1 show backend".to_owned(),
        "@1 show stat".to_owned(),
        "@1 show stat -1 6 -1".to_owned(),
        "@1 show stat shop:db:5432 4 1".to_owned(),
        "@1 show stat nope 4 -1".to_owned(),
        "@1 show servers state".to_owned(),
        "@1 show servers state shop:db:5432".to_owned(),
        "@1 show servers state nope".to_owned(),
        format!(
            "@1 add server {web} 127.0.0.1:{app} check inter 500ms fastinter 250ms downinter 500ms fall 2 rise 1 observe layer4 error-limit 5 on-error mark-down pool-purge-delay 2s"
        ),
        format!("@1 add server {web} 127.0.0.1:{app}"),
        format!("@1 add server nope/x 127.0.0.1:{app}"),
        "@1 add server nope".to_owned(),
        format!("@1 add server shop:web:80/y 127.0.0.1:{app} bogus"),
        format!("@1 add server shop:db:5432/plain 127.0.0.1:{app}"),
        "@1 show stat -1 4 -1".to_owned(),
        "@1 show servers state".to_owned(),
        format!("@1 enable health {web}"),
        "@1 enable health shop:db:5432/plain".to_owned(),
        "@1 enable health shop:web:80/nope".to_owned(),
        format!("@1 set server {web} state drain"),
        "@1 show servers state".to_owned(),
        format!("@1 set server {web} state ready"),
        "@1 show stat -1 4 -1".to_owned(),
        "@1 show servers state".to_owned(),
        format!("@1 set server {web} state bogus"),
        format!("@1 set server {web} addr 127.0.0.1 port {app}"),
        format!("@1 set server {web} addr 127.0.0.1 port 7"),
        format!("@1 set server {web} addr 127.0.0.2 port {app}"),
        format!("@1 set server {web} addr bogus port 7"),
        format!("@1 set server {web} check-port {app}"),
        "@1 set server shop:web:80/nope state drain".to_owned(),
        "@1 set server nope/nope state drain".to_owned(),
        "@1 set server nope state drain".to_owned(),
        format!("@1 del server {web}"),
        "@1 set server shop:web:80/hold state ready".to_owned(),
        "@1 show stat shop:web:80 4 1".to_owned(),
        "@1 show servers state shop:web:80".to_owned(),
        "@1 set server shop:web:80/hold state maint".to_owned(),
        format!("@1 shutdown sessions server {web}"),
        "@1 shutdown sessions server shop:web:80/nope".to_owned(),
        format!("@1 set server {web} state maint"),
        format!("@1 del server {web}"),
        format!("@1 del server {web}"),
        "@1 del server nope/nope".to_owned(),
        "@1 del server nope".to_owned(),
        "@1 show servers state".to_owned(),
        "@9 show info".to_owned(),
        "@!1 show info".to_owned(),
        "@1".to_owned(),
        "quit".to_owned(),
    ];
    for line in &lines {
        let mut cli = Cli::open(&docker, "proxy", master).await;
        cli.ask("prompt").await;
        let (told, said) = (real.ask(line), cli.ask(line).await);
        let digits = |text: &str| {
            if line == "@1" { text.trim_matches(|c: char| c.is_ascii_digit()).to_owned() } else { text.to_owned() }
        };
        let (said, told) = (digits(&shape(line, &said)), digits(&shape(line, &told)));
        for (said, told) in said.lines().zip(told.lines()) {
            assert_eq!(said, told, "left: simulated, right: real, of `{line}`");
        }
        assert_eq!(said.lines().count(), told.lines().count(), "`{line}`: {said}\n{told}");
    }
    let mut cli = Cli::open(&docker, "proxy", master).await;
    cli.ask("prompt").await;
    same_info(&real.ask("@1 show info"), &cli.ask("@1 show info").await);
    assert!(real.ask("bogus").starts_with("Unknown command") && cli.ask("bogus").await.starts_with("Unknown command"));

    // A reload ends the open connection; a bad file is told by the prompt and the list of processes.
    for (text, good) in [(config.clone(), true), (format!("{config}  server x\n"), false), (config.clone(), true)] {
        std::fs::write(real.dir.path().join("haproxy.cfg"), &text).unwrap();
        super::proxy::upload(&docker, "proxy", &[("haproxy.cfg", &text)]).await;
        real.signal(rustix::process::Signal::USR2);
        super::proxy::signal(&docker, "proxy", "SIGUSR2").await;
        assert_eq!(cli.ask("show proc").await, "", "cut by the reload");
        let expect = if good { "master> " } else { "master[ReloadFailed]> " };
        let mut told = String::new();
        for _ in 0..200 {
            told = real.ask("show proc");
            if told.ends_with(expect) && !told.contains("old workers") {
                break;
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        cli = Cli::open(&docker, "proxy", master).await;
        cli.ask("prompt").await;
        let said = cli.ask("show proc").await;
        assert_eq!(shape("show proc", &said), shape("show proc", &told), "good: {good}");
    }
}
