//! `GET /containers/{id}/logs`: lines are made from the time when they are asked for, never stored.

use super::clock;
use super::container::{Container, Life};
use super::engine::Engine;
use super::kind::Kind;
use super::num;
use super::phrases;
use super::query::Query;
use super::reply::{self, Answer, Refusal};
use super::script::Behaviour;
use super::session::frame;
use super::shell::{self, Step, View};
use bytes::{Bytes, BytesMut};
use futures::{Stream, stream};
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// How far ahead a follower looks for the next line.
const LOOK_AHEAD: Duration = Duration::from_secs(120);
/// Lines that an engine keeps of a run, as a log driver with rotation would.
const KEPT: u64 = 5_000;

/// Bytes that are written at once.
const TOGETHER: usize = 16 * 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    at: Timestamp,
    stderr: bool,
    text: String,
}

/// The times of the lines of a run: evenly spread, each moved a little by its number.
struct Pace {
    started: Timestamp,
    every: f64,
    seed: u64,
}

impl Pace {
    fn at(&self, n: u64) -> Timestamp {
        let offset = (n as f64 + 0.9 * num::unit(self.seed ^ n)) * self.every;
        clock::plus(self.started, Duration::from_secs_f64(offset + 0.4))
    }

    /// Numbers of the lines between two moments, of which some at the edges may be outside.
    fn between(&self, from: Timestamp, to: Timestamp) -> std::ops::Range<u64> {
        let number = |at: Timestamp| num::count(clock::seconds(self.started, at) / self.every);
        let end = number(to).saturating_add(1);
        number(from).saturating_sub(2).max(end.saturating_sub(KEPT))..end
    }
}

/// All lines of a container after `from` and not after `to`, oldest first: those of the present run of its process and
/// of the kept ones before.
fn lines(container: &Container, from: Timestamp, to: Timestamp) -> Vec<Line> {
    let Some(started) = container.started else { return Vec::new() };
    let mut lives = container.extra.iter().flat_map(|extra| &extra.lives).copied().collect::<Vec<_>>();
    let finished = container.finished.filter(|finished| !container.alive() && *finished >= started);
    let running = Life {
        started,
        finished: finished.unwrap_or(Timestamp::MAX),
        exit_code: container.exit_code,
        oom: container.oom,
    };
    lives.push(running);
    let mut lines = Vec::new();
    for life in lives.iter().filter(|life| life.finished >= from && life.started <= to) {
        let end = life.finished.min(to);
        let mut said = match shell::lifetime(&container.spec.command) {
            Some(_) => job(container, life.started),
            None => chatter(container, *life, from, end),
        };
        said.retain(|line| line.at <= end);
        lines.extend(said);
    }
    let said = container.extra.iter().flat_map(|extra| &extra.said);
    lines.extend(said.map(|said| Line { at: said.at, stderr: said.stderr, text: said.text.clone() }));
    lines.retain(|line| line.at > from && line.at <= to);
    lines.sort_by_key(|line| line.at);
    lines
}

/// What a service of some kind says while it runs, and at its end.
fn chatter(container: &Container, life: Life, from: Timestamp, end: Timestamp) -> Vec<Line> {
    let started = life.started;
    let kind = Kind::of(container);
    let seed = num::hash(&container.id) ^ num::mix(u64::try_from(started.as_second()).unwrap_or(0));
    let every = kind.talk() * (0.7 + 0.6 * num::unit(seed));
    let pace = Pace { started, every, seed };
    let mut lines = vec![Line { at: started, stderr: false, text: phrases::hello(kind).to_owned() }];
    lines.extend(pace.between(from, end).map(|n| {
        let (stderr, text) = phrases::line(kind, seed, n);
        Line { at: pace.at(n), stderr, text }
    }));
    lines.retain(|line| line.at <= end);
    if life.finished <= end {
        let (stderr, text) = phrases::goodbye(life.exit_code, life.oom);
        lines.push(Line { at: life.finished, stderr, text });
    }
    lines
}

/// What a command that ends by itself prints, each line when its turn comes.
fn job(container: &Container, started: Timestamp) -> Vec<Line> {
    let view = View { command: container.spec.command.join(" "), ..View::default() };
    let (mut at, mut lines) = (started, Vec::new());
    for step in shell::run(&container.spec.command, &view).0 {
        let (stderr, text) = match step {
            Step::Sleep(time) => {
                at = clock::plus(at, time);
                continue;
            }
            Step::Cat => continue,
            Step::Out(text) => (false, text),
            Step::Err(text) => (true, text),
        };
        lines.extend(text.lines().map(|text| Line { at, stderr, text: text.to_owned() }));
    }
    lines
}

/// When the next line after `after` is due.
fn next_due(container: &Container, after: Timestamp) -> Option<Timestamp> {
    let ahead = clock::plus(after, LOOK_AHEAD);
    lines(container, after, ahead).first().map(|line| line.at)
}

struct Follow {
    engine: Arc<Engine>,
    id: String,
    want: Want,
    seen: Timestamp,
    until: Timestamp,
    ready: VecDeque<Line>,
}

#[derive(Clone, Copy)]
struct Want {
    stdout: bool,
    stderr: bool,
    times: bool,
    tty: bool,
    follow: bool,
    /// Ends of the container's process to sit through before letting go; `None` lets go whenever it is down.
    ends: Option<u64>,
}

impl Want {
    fn accepts(self, line: &Line) -> bool {
        if line.stderr { self.stderr } else { self.stdout }
    }

    fn bytes(self, line: &Line) -> Bytes {
        let time = if self.times { format!("{} ", line.at) } else { String::new() };
        frame(self.tty, line.stderr, format!("{time}{}\n", line.text).as_bytes())
    }
}

async fn read(mut follow: Follow) -> Option<(std::io::Result<Bytes>, Follow)> {
    let mut changed = follow.engine.changed.listen();
    loop {
        follow.engine.awake().await;
        if !follow.ready.is_empty() {
            // What is ready goes out together, as far as it fits into one write.
            let mut bytes = BytesMut::new();
            while bytes.len() < TOGETHER
                && let Some(line) = follow.ready.pop_front()
            {
                bytes.extend_from_slice(&follow.want.bytes(&line));
            }
            return Some((Ok(bytes.freeze()), follow));
        }
        if !follow.want.follow {
            return None;
        }
        changed.look();
        let (now, new, due, stays) = {
            let state = follow.engine.lock();
            // Under the lock, so that nothing is said at a moment that counts as read already.
            let now = follow.engine.clock.now().min(follow.until);
            let container = state.containers.get(&follow.id)?;
            let stays = follow.want.ends.map_or_else(|| container.up(), |ends| container.ends <= ends);
            (now, lines(container, follow.seen, now), next_due(container, now), stays)
        };
        follow.seen = now;
        follow.ready.extend(new.into_iter().filter(|line| follow.want.accepts(line)));
        if !follow.ready.is_empty() {
            continue;
        }
        // A follower is let go when the container is down, as Docker does.
        if !stays || now >= follow.until {
            return None;
        }
        let due = due.unwrap_or_else(|| clock::plus(now, LOOK_AHEAD)).min(follow.until);
        let wait = Duration::try_from(due.duration_since(now) + SignedDuration::from_millis(1)).unwrap_or_default();
        let _ = tokio::time::timeout(wait, changed.rung()).await;
    }
}

impl Engine {
    /// Makes a container behave in another way from now on.
    pub fn behave(&self, name: &str, behaviour: Behaviour) -> bool {
        let mut state = self.lock();
        let Ok(container) = state.container_mut(name) else { return false };
        container.behaviour = behaviour;
        true
    }

    /// Makes a container say a line now, on top of what it says by itself.
    pub fn say(&self, name: &str, stderr: bool, text: &str) -> bool {
        let mut state = self.lock();
        let at = self.clock.now();
        let Ok(container) = state.container_mut(name) else { return false };
        container.extra().said.push(super::container::Said { at, stderr, text: text.to_owned() });
        drop(state);
        self.touch();
        true
    }

    pub(super) fn logs(self: Arc<Self>, wanted: &str, query: &Query) -> Answer {
        let want = |tty| Want {
            stdout: query.flag("stdout"),
            stderr: query.flag("stderr"),
            times: query.flag("timestamps"),
            follow: query.flag("follow"),
            ends: None,
            tty,
        };
        let (since, until) = (query.moment("since")?, query.moment("until")?);
        let tail = match query.text("tail") {
            None | Some("all") => None,
            Some(text) => text.parse::<usize>().ok(),
        };
        let now = self.clock.now();
        // Docker takes 0 as "no end", which clients do send.
        let until = until.filter(|until| until.as_second() != 0);
        let to = until.unwrap_or(now).min(now);
        let (id, want, lines) = {
            let state = self.lock();
            let container = state.container(wanted)?;
            let want = want(container.spec.tty);
            if !want.stdout && !want.stderr {
                return Err(Refusal::bad("Bad parameters: you must choose at least one stream"));
            }
            // Lines at the very moment of `since` belong to it.
            let from = since.map_or(Timestamp::MIN, |since| clock::minus(since, Duration::from_nanos(1)));
            let from = from.max(clock::minus(container.created, Duration::from_secs(1)));
            (container.id.clone(), want, lines(container, from, to))
        };
        let lines: Vec<Line> = lines.into_iter().filter(|line| want.accepts(line)).collect();
        let skip = tail.map_or(0, |tail| lines.len().saturating_sub(tail));
        let ready = lines.into_iter().skip(skip).collect();
        let follow = Follow { engine: self, id, want, seen: to, until: until.unwrap_or(Timestamp::MAX), ready };
        Ok(reply::plain_stream(stream::unfold(follow, read)))
    }

    /// The output of a container from now on, until its process ends: the stream of attach.
    pub(super) fn attached(
        self: &Arc<Self>,
        wanted: &str,
        query: &Query,
    ) -> Result<impl Stream<Item = std::io::Result<Bytes>> + Send + use<>, Refusal> {
        let state = self.lock();
        let container = state.container(wanted)?;
        let want = Want {
            stdout: query.flag("stdout"),
            stderr: query.flag("stderr"),
            times: false,
            follow: query.flag("stream"),
            ends: Some(container.ends),
            tty: container.spec.tty,
        };
        let now = self.clock.now();
        let ready = if query.flag("logs") { lines(container, Timestamp::MIN, now) } else { Vec::new() };
        let ready = ready.into_iter().filter(|line| want.accepts(line)).collect();
        let follow =
            Follow { engine: self.clone(), id: container.id.clone(), want, seen: now, until: Timestamp::MAX, ready };
        Ok(stream::unfold(follow, read))
    }
}
