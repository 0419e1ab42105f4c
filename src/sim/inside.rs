//! The inside of containers and images: `GET /containers/{id}/top`, `/containers/{id}/changes` and
//! `/images/{name}/history`. What nobody put there follows from the sort of work that the names tell of.

use super::clock;
use super::container::{Container, not_running};
use super::engine::Engine;
use super::images::{Image, no_image};
use super::kind::Kind;
use super::num;
use super::query::Query;
use super::reply::{self, Answer, Refusal};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Processes beside the first, as `ps` shows them: user, command, share of the container's processor time in percent.
fn helpers(kind: Kind) -> &'static [(&'static str, &'static str, u64)] {
    match kind {
        Kind::Web => &[("101", "nginx: worker process", 49), ("101", "nginx: worker process", 48)],
        Kind::Api | Kind::Cache => &[],
        Kind::Worker => &[("1000", "/app/run --queue default", 61), ("1000", "/app/run --queue slow", 30)],
        Kind::Database => &[
            ("999", "postgres: checkpointer", 7),
            ("999", "postgres: background writer", 9),
            ("999", "postgres: walwriter", 22),
            ("999", "postgres: autovacuum launcher", 3),
            ("999", "postgres: app app 172.18.0.9(48212) idle", 41),
        ],
    }
}

/// Files and directories that a container of a sort has written: path and Docker's number for what became of it.
fn written(kind: Kind) -> &'static [(&'static str, u8)] {
    match kind {
        Kind::Web => &[
            ("/var/cache/nginx", 0),
            ("/var/cache/nginx/client_temp", 1),
            ("/var/cache/nginx/proxy_temp", 1),
            ("/run/nginx.pid", 1),
            ("/etc/nginx/conf.d", 0),
            ("/etc/nginx/conf.d/default.conf", 0),
        ],
        Kind::Api => &[("/tmp", 0), ("/tmp/app.sock", 1), ("/app/tmp/cache.db", 1)],
        Kind::Worker => {
            &[("/tmp", 0), ("/tmp/job-100231.part", 1), ("/tmp/job-100232.part", 1), ("/var/tmp/old.lock", 2)]
        }
        Kind::Database => &[("/var/run/postgresql", 0), ("/var/run/postgresql/.s.PGSQL.5432.lock", 1)],
        Kind::Cache => &[("/data", 0), ("/data/dump.rdb", 1)],
    }
}

/// The steps that made an image, the last first: the command, and its share of the image's size in percent.
const STEPS: [(&str, u64); 8] = [
    ("CMD [\"/app/run\"]", 0),
    ("EXPOSE map[8080/tcp:{}]", 0),
    ("COPY /build/out /app # buildkit", 21),
    ("RUN /bin/sh -c addgroup -S app && adduser -S app -G app # buildkit", 0),
    (
        "RUN /bin/sh -c apt-get update && apt-get install -y --no-install-recommends ca-certificates tzdata # buildkit",
        34,
    ),
    ("ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 0),
    ("/bin/sh -c #(nop)  CMD [\"bash\"]", 0),
    ("/bin/sh -c #(nop) ADD file:6c4730e7b12278bcd3f0d4e9a1fb3f0a44d4e3f2e0d7 in / ", 45),
];

/// `00:01:12` of processor time.
fn spent(seconds: u64) -> String {
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// When a process began, as `ps` says it: the time of today, else the day.
fn began(at: Timestamp, now: Timestamp) -> String {
    let form = if clock::seconds(at, now) < 86_400.0 { "%H:%M" } else { "%b%d" };
    at.to_zoned_datetime(TimeZone::UTC).strftime(form).to_string()
}

impl Container {
    fn processes(&self, now: Timestamp) -> Vec<[String; 8]> {
        let kind = Kind::of(self);
        let started = self.started.unwrap_or(now);
        let all = num::count(clock::seconds(started, now) * kind.cpu());
        let own = match kind {
            _ if !self.spec.command.is_empty() => self.spec.command.join(" "),
            Kind::Web => "nginx: master process nginx -g daemon off;".to_owned(),
            Kind::Database => "postgres".to_owned(),
            Kind::Cache => "redis-server *:6379".to_owned(),
            Kind::Api | Kind::Worker => "/entrypoint.sh".to_owned(),
        };
        let helpers = helpers(kind);
        let rest = 100 - helpers.iter().map(|(.., share)| share).sum::<u64>();
        let row = |user: &str, pid: u32, parent: u32, share: u64, command: String| {
            let seconds = all * share / 100;
            let percent = num::count(kind.cpu() * share as f64);
            let cells = [user.to_owned(), pid.to_string(), parent.to_string(), percent.to_string()];
            let [user, pid, parent, percent] = cells;
            [user, pid, parent, percent, began(started, now), "?".to_owned(), spent(seconds), command]
        };
        let first = row("root", self.pid, self.pid.saturating_sub(21), rest, own);
        let others = (1_u32..)
            .zip(helpers)
            .map(|(n, (user, command, share))| row(user, self.pid + 6 + n, self.pid, *share, (*command).to_owned()));
        std::iter::once(first).chain(others).collect()
    }
}

impl Image {
    fn history(&self) -> Vec<Value> {
        let last = STEPS.len().saturating_sub(1);
        let step = |(at, (by, share)): (usize, &(&str, u64))| {
            // The base is older than what was built on it.
            let age = Duration::from_secs(if at + 2 > last { 2_600_000 } else { 4 * at as u64 });
            json!({
                "Id": if at == 0 { self.id.as_ref() } else { "<missing>" },
                "Created": clock::minus(self.created, age).as_second(),
                "CreatedBy": by,
                "Tags": if at == 0 && !self.tags.is_empty() { json!(self.tags) } else { Value::Null },
                "Size": self.size * share / 100,
                "Comment": if by.ends_with("# buildkit") { "buildkit.dockerfile.v0" } else { "" },
            })
        };
        STEPS.iter().enumerate().map(step).collect()
    }
}

impl Engine {
    pub(super) fn top(&self, wanted: &str, query: &Query) -> Answer {
        // Arguments for `ps` are read as the usual ones; others would need a `ps`.
        if query.text("ps_args").is_some_and(|words| words != "-ef") {
            return Err(Refusal::new(500, "Error running ps: the simulator knows -ef only"));
        }
        let state = self.lock();
        let container = state.container(wanted)?;
        if !container.alive() {
            return Err(not_running(&container.id));
        }
        Ok(reply::ok(&json!({
            "Titles": ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"],
            "Processes": container.processes(self.clock.now()),
        })))
    }

    pub(super) fn changes(&self, wanted: &str) -> Answer {
        let state = self.lock();
        let container = state.container(wanted)?;
        // Before it ran for the first time, only what was put into it is there.
        let own = if container.started.is_some() { written(Kind::of(container)) } else { &[] };
        let mut changes: BTreeMap<&str, u8> = own.iter().copied().collect();
        changes.extend(container.extra.iter().flat_map(|extra| extra.files.keys()).map(|path| (path.as_str(), 1)));
        let list: Vec<Value> = changes.iter().map(|(path, kind)| json!({"Path": path, "Kind": kind})).collect();
        Ok(reply::ok(&if list.is_empty() { Value::Null } else { Value::from(list) }))
    }

    pub(super) fn image_history(&self, name: &str) -> Answer {
        let state = self.lock();
        state.image(name).map(|image| reply::ok(&Value::from(image.history()))).ok_or_else(|| no_image(name))
    }
}
