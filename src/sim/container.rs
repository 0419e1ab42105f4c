//! One simulated container: its state and the words Docker uses for it.

use super::clock;
use super::script::Behaviour;
use super::spec::{self, Restart, Spec};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a container is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Created,
    Running,
    Paused,
    Restarting,
    Exited,
    Removing,
}

impl Status {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
            Self::Removing => "removing",
        }
    }
}

/// What a health check last said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Health {
    Starting,
    Healthy,
    Unhealthy,
}

impl Health {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// A call that is working on a container; others wait for it, as they do for Docker's container lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Busy {
    Starting,
    Stopping,
}

/// A port that is open now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OpenPort {
    pub(super) private: u16,
    pub(super) proto: String,
    pub(super) ip: String,
    pub(super) public: u16,
}

/// An attachment to a network.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    pub(super) id: String,
    pub(super) ip: Option<String>,
    pub(super) aliases: Vec<String>,
}

/// A file that was put into a container.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) mode: u32,
    pub(super) dir: bool,
    pub(super) data: Arc<[u8]>,
}

/// A line that a test made the container say.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) at: Timestamp,
    pub(super) stderr: bool,
    pub(super) text: String,
}

/// Lives that are kept.
const LIVES: usize = 4;

/// One run of a container's process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    pub(super) started: Timestamp,
    pub(super) finished: Timestamp,
    pub(super) exit_code: i64,
    pub(super) oom: bool,
}

/// Labels as shared pairs: thousands of containers have the same keys.
pub(super) type Labels = Box<[(Arc<str>, Arc<str>)]>;

#[derive(Debug)]
pub(super) struct Container {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) created: Timestamp,
    pub(super) spec: Arc<Spec>,
    pub(super) labels: Labels,
    pub(super) image_id: Arc<str>,
    pub(super) behaviour: Behaviour,
    pub(super) status: Status,
    pub(super) busy: Option<Busy>,
    pub(super) health: Option<Health>,
    pub(super) started: Option<Timestamp>,
    pub(super) finished: Option<Timestamp>,
    pub(super) exit_code: i64,
    pub(super) oom: bool,
    pub(super) error: String,
    pub(super) restarts: u64,
    /// Stopped or killed by a call, so its restart policy rests.
    pub(super) by_hand: bool,
    pub(super) pid: u32,
    pub(super) ports: Vec<OpenPort>,
    pub(super) networks: BTreeMap<String, Endpoint>,
    pub(super) extra: Option<Box<Extra>>,
    /// How often its process has ended.
    pub(super) ends: u64,
    /// Grows with every start and end, so that a timer of an earlier life knows that it is late.
    pub(super) life: u64,
}

/// What most containers never have.
#[derive(Debug, Default)]
pub(super) struct Extra {
    pub(super) files: BTreeMap<String, File>,
    pub(super) said: Vec<Said>,
    /// Runs of its process before the present one, oldest first: the engine keeps their output.
    pub(super) lives: Vec<Life>,
    /// Set by `POST …/update`.
    pub(super) update: BTreeMap<String, Value>,
}

impl Container {
    /// Its process starts: the run before, where there was one, is kept for the log.
    pub(super) fn begin_life(&mut self, now: Timestamp) {
        let started = self.started.replace(now);
        if let (Some(started), Some(finished)) = (started, self.finished)
            && finished >= started
        {
            let life = Life { started, finished, exit_code: self.exit_code, oom: self.oom };
            let lives = &mut self.extra().lives;
            lives.push(life);
            lives.drain(..lives.len().saturating_sub(LIVES));
        }
        self.exit_code = 0;
        self.oom = false;
        self.life += 1;
    }

    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.labels.iter().find(|(name, _)| name.as_ref() == key).map(|(_, value)| value.as_ref())
    }

    pub(super) fn label_map(&self) -> Value {
        self.labels.iter().map(|(key, value)| (key.to_string(), Value::from(value.as_ref()))).collect()
    }

    /// A process exists: running or paused.
    pub(super) fn alive(&self) -> bool {
        matches!(self.status, Status::Running | Status::Paused)
    }

    /// What `docker stop` and `kill` act on: alive, or between two restarts.
    pub(super) fn up(&self) -> bool {
        self.alive() || self.status == Status::Restarting
    }

    pub(super) fn extra(&mut self) -> &mut Extra {
        self.extra.get_or_insert_with(Box::default)
    }

    /// When it is started again: as it was made, or as it was told since.
    pub(super) fn restart(&self) -> Restart {
        let told = self.extra.iter().find_map(|extra| extra.update.get("RestartPolicy"));
        told.and_then(|policy| spec::restart(policy).ok()).unwrap_or(self.spec.restart)
    }

    /// The `STATUS` column of `docker ps`.
    pub(super) fn status_text(&self, now: Timestamp) -> String {
        let ago = |at: Option<Timestamp>| clock::human(now.duration_since(at.unwrap_or(now)));
        match self.status {
            Status::Created => "Created".to_owned(),
            Status::Removing => "Removal In Progress".to_owned(),
            Status::Paused => format!("Up {} (Paused)", ago(self.started)),
            Status::Restarting => format!("Restarting ({}) {} ago", self.exit_code, ago(self.finished)),
            Status::Exited => format!("Exited ({}) {} ago", self.exit_code, ago(self.finished)),
            Status::Running => {
                let up = ago(self.started);
                match self.health {
                    None => format!("Up {up}"),
                    Some(Health::Starting) => format!("Up {up} (health: starting)"),
                    Some(health) => format!("Up {up} ({})", health.word()),
                }
            }
        }
    }

    /// The `State` of inspect.
    pub(super) fn state_json(&self, now: Timestamp) -> Value {
        let mut state = json!({
            "Status": self.status.word(),
            "Running": self.up(),
            "Paused": self.status == Status::Paused,
            "Restarting": self.status == Status::Restarting,
            "OOMKilled": self.oom,
            "Dead": false,
            "Pid": if self.alive() { self.pid } else { 0 },
            "ExitCode": self.exit_code,
            "Error": self.error,
            "StartedAt": clock::stamp(self.started),
            "FinishedAt": clock::stamp(self.finished),
        });
        if let (Some(health), Some(map)) = (self.health_json(now), state.as_object_mut()) {
            map.insert("Health".to_owned(), health);
        }
        state
    }

    /// Health with a log of at most five probes, made up from the interval.
    fn health_json(&self, now: Timestamp) -> Option<Value> {
        let (health, spec) = (self.health?, self.spec.health.as_ref()?);
        let sick = health == Health::Unhealthy || self.behaviour == Behaviour::Sick;
        let interval = spec.interval.as_secs_f64().max(0.001);
        let age =
            clock::seconds(self.started.unwrap_or(now), if self.alive() { now } else { self.finished.unwrap_or(now) });
        let probes = super::num::count(age / interval).max(u64::from(health != Health::Starting));
        let log: Vec<Value> = (probes.saturating_sub(5)..probes)
            .map(|probe| {
                let offset = std::time::Duration::from_secs_f64((interval * (probe as f64 + 1.0)).min(age.max(0.0)));
                let at = clock::plus(self.started.unwrap_or(now), offset);
                let took = clock::plus(at, std::time::Duration::from_millis(43));
                let output = if sick { "connect to 127.0.0.1: Connection refused\n" } else { "ok\n" };
                json!({"Start": at.to_string(), "End": took.to_string(), "ExitCode": i64::from(sick), "Output": output})
            })
            .collect();
        Some(json!({
            "Status": health.word(),
            "FailingStreak": if sick { probes } else { 0 },
            "Log": log,
        }))
    }
}

/// The message for a call that needs a running container.
pub(super) fn not_running(id: &str) -> super::reply::Refusal {
    super::reply::Refusal::new(409, format!("Container {id} is not running"))
}
