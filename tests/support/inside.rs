//! What engines would tell of a container and of themselves, for the page of an inspection.

use serde_json::{Value, json};
use wharf::{
    app::{Effect, Msg, State, update},
    model::{
        Changed, EngineEvent, Fact, FileChange, Files, Layer, Layers, Part, PartTold, Processes, Question, Subject,
        Told, Veil,
    },
    text::Text,
};

use super::fleet::before;

/// The questions among effects.
pub fn questions(effects: &[Effect]) -> Vec<Question> {
    let question = |effect: &Effect| if let Effect::Inspect(question) = effect { Some(question.clone()) } else { None };
    effects.iter().filter_map(question).collect()
}

/// The inspection of a container that is well, with confidences where people put them.
pub fn document() -> Value {
    let probe = |seconds: i64, code: i64, output: &str| {
        json!({"Start": before(seconds).to_string(), "End": (before(seconds) + jiff::SignedDuration::from_millis(43)).to_string(),
               "ExitCode": code, "Output": output})
    };
    json!({
        "Id": "4f5e0a1b2c3d4f5e0a1b2c3d4f5e0a1b2c3d4f5e0a1b2c3d4f5e0a1b2c3d4f5e", "Name": "/payments-api-1-r12",
        "Created": before(7_300).to_string(), "Path": "/app/run", "Args": ["--port", "8080", "--password", "hunter2x"],
        "RestartCount": 2,
        "State": {
            "Status": "running", "Running": true, "Pid": 4711, "ExitCode": 0, "OOMKilled": false, "Error": "",
            "StartedAt": before(7_200).to_string(), "FinishedAt": "0001-01-01T00:00:00Z",
            "Health": {"Status": "healthy", "FailingStreak": 0, "Log": [
                probe(35, 1, "connect: connection refused\nretrying\n"), probe(25, 0, "ok\n"), probe(15, 0, "ok\n"), probe(5, 0, "ok\n"),
            ]},
        },
        "HostConfig": {"Memory": 536_870_912, "NanoCpus": 1_500_000_000, "RestartPolicy": {"Name": "unless-stopped"},
                       "LogConfig": {"Type": "json-file", "Config": {}}, "Privileged": false},
        "Config": {
            "Image": "acme/pay-api:12", "Hostname": "4f5e0a1b2c3d", "WorkingDir": "/app", "User": "1000:1000",
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LOG_LEVEL=info",
                    "API_TOKEN=s3cr3t-token", "DATABASE_URL=postgres://secret"],
            "Labels": {"com.acme.owner": "payments", "com.acme.api-key": "k-0123", "com.acme.note": "uses s3cr3t-token"},
            "Healthcheck": {"Test": ["CMD-SHELL", "wget -q -O- http://127.0.0.1:8080/healthz"],
                            "Interval": 10_000_000_000_u64, "Timeout": 3_000_000_000_u64, "Retries": 3},
        },
        "Mounts": [{"Type": "volume", "Name": "payments_data", "Source": "/var/lib/docker/volumes/payments_data/_data",
                    "Destination": "/data", "RW": true},
                   {"Type": "bind", "Source": "/etc/ssl/certs", "Destination": "/etc/ssl/certs", "RW": false}],
        "NetworkSettings": {
            "Ports": {"8080/tcp": [{"HostIp": "10.77.4.1", "HostPort": "32771"}], "9090/tcp": null},
            "Networks": {"payments_default": {"IPAddress": "172.18.0.4", "Gateway": "172.18.0.1", "MacAddress": "02:42:ac:12:00:04"}},
        },
    })
}

/// A document as an engine's reader gives it.
pub fn facts(value: &Value) -> Told {
    let env = value.pointer("/Config/Env").and_then(Value::as_array).into_iter().flatten();
    Told::Facts(Fact::of(value, &Veil::of_environment(env.filter_map(Value::as_str))))
}

/// Processes with these commands.
pub fn processes(commands: &[&str]) -> Told {
    let row = |(at, command): (usize, &&str)| {
        let pid = 4711 + 7 * at;
        ["1000", &pid.to_string(), "4690", "0", "10:04", "?", "00:00:12", command].map(Text::from).to_vec()
    };
    Told::Processes(Processes {
        titles: ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"].map(Text::from).to_vec(),
        rows: commands.iter().enumerate().map(row).collect(),
        left_out: 0,
    })
}

fn file(change: Changed, path: &str) -> FileChange {
    FileChange { change, path: Text::new(path) }
}

/// Something that happened to the container so many seconds ago.
pub fn event(seconds: i64, action: &str) -> EngineEvent {
    EngineEvent {
        at: before(seconds),
        host: "e-1".parse().unwrap(),
        kind: Text::new("container"),
        action: Text::new(action),
        id: Text::new("4f5e0a1b2c3d"),
        name: Text::new("payments-api-1-r12"),
    }
}

/// What is told of a part when all is well.
pub fn told(part: Part) -> Told {
    match part {
        Part::Container => facts(&document()),
        Part::Processes => processes(&["/app/run --port 8080", "/app/run worker", "sleep 5"]),
        Part::Files => Told::Files(Files {
            changes: vec![
                file(Changed::Changed, "/app"),
                file(Changed::Added, "/app/cache.db"),
                file(Changed::Deleted, "/app/old.lock"),
            ],
            added: 1,
            changed: 1,
            deleted: 1,
            left_out: 0,
        }),
        Part::Image => facts(&json!({
            "Id": "sha256:9c1f0000000000000000000000000000000000000000000000000000000000aa", "RepoTags": ["acme/pay-api:12"],
            "RepoDigests": ["acme/pay-api@sha256:77aa000000000000000000000000000000000000000000000000000000000000"],
            "Created": before(1_000_000).to_string(), "Size": 134_217_728, "Os": "linux", "Architecture": "amd64",
        })),
        Part::Layers => {
            let layer = |by: &str, size: u64| Layer {
                created: Some(before(1_000_000)),
                by: Text::new(by),
                size,
                tags: Vec::new(),
            };
            Told::Layers(Layers {
                layers: vec![
                    layer("CMD [\"/app/run\"]", 0),
                    layer("COPY out /app # buildkit", 26_000_000),
                    layer("ADD rootfs /", 108_000_000),
                ],
                left_out: 0,
            })
        }
        Part::Info => facts(&json!({
            "Name": "e-1", "OperatingSystem": "Debian GNU/Linux 13", "KernelVersion": "6.12.9", "OSType": "linux",
            "Architecture": "x86_64", "NCPU": 8, "MemTotal": 34_359_738_368_u64, "SystemTime": before(1).to_string(),
            "Containers": 9, "ContainersRunning": 8, "ContainersPaused": 0, "ContainersStopped": 1, "Images": 14,
            "Driver": "overlay2", "DockerRootDir": "/var/lib/docker", "DriverStatus": [["Backing Filesystem", "xfs"]],
            "HttpProxy": "http://ops:s3cr3t@proxy:3128", "Labels": ["zone=b"],
            "DefaultRuntime": "runc", "CgroupDriver": "systemd", "CgroupVersion": "2", "LoggingDriver": "json-file",
            "Runtimes": {"runc": {"path": "runc"}}, "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin"],
            "Plugins": {"Network": ["bridge", "host"], "Volume": ["local"]},
            "RegistryConfig": {"Mirrors": ["http://mirror:5000/"], "InsecureRegistryCIDRs": ["127.0.0.0/8"], "IndexConfigs": {}},
            "Warnings": ["WARNING: No swap limit support"], "Swarm": {"LocalNodeState": "inactive"},
        })),
        Part::Events => Told::Events(vec![event(90_000, "create"), event(7_200, "start")]),
        Part::Version => facts(&json!({
            "Version": "29.1.3", "ApiVersion": "1.52", "MinAPIVersion": "1.44", "GitCommit": "f52814d", "GoVersion": "go1.25.5",
            "BuildTime": "2026-01-12T14:24:12+00:00", "Experimental": "false",
            "Components": [{"Name": "Engine", "Version": "29.1.3"}, {"Name": "containerd", "Version": "v2.2.0"}],
        })),
    }
}

/// Answers one part of a question.
pub fn answer(state: &mut State, number: u64, part: Part, told: Result<Told, &str>) {
    let told = told.map_err(Text::new);
    update(state, Msg::Inspected(Box::new(PartTold { number, part, told })));
    state.settle();
}

/// Answers the questions among effects, as when all is well.
pub fn tell(state: &mut State, effects: &[Effect]) {
    for question in questions(effects) {
        for part in &question.parts {
            answer(state, question.number, *part, Ok(told(*part)));
        }
    }
}

/// Everything that can be asked of a container.
pub const OF_CONTAINER: &[Part] =
    &[Part::Container, Part::Processes, Part::Files, Part::Image, Part::Layers, Part::Events];

/// True for a question about a container.
pub fn is_of_container(question: &Question) -> bool {
    matches!(question.subject, Subject::Container { .. })
}
