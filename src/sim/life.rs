//! What happens to containers by themselves: running, getting healthy, ending, being started again.

use super::container::{Health, Status};
use super::engine::{Engine, State};
use super::reply::Refusal;
use super::script::Behaviour;
use super::shell;
use jiff::SignedDuration;
use std::time::Duration;

/// First pause before a restart; doubles with each one, up to [`LONGEST_PAUSE`]. Docker's own numbers.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause before a restart.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A process takes this long at least to start and end.
const SHORTEST_RUN: Duration = Duration::from_millis(20);
/// A run of this long resets the pause.
const GOOD_RUN: SignedDuration = SignedDuration::from_secs(10);

impl Engine {
    /// Makes a container run now: ports, addresses, events, and what is going to happen to it.
    pub(super) fn run(&self, state: &mut State, wanted: &str) -> Result<(), Refusal> {
        let container = state.container(wanted)?;
        let (id, name, spec) = (container.id.clone(), container.name.clone(), container.spec.clone());
        let networks: Vec<String> = container.networks.keys().cloned().collect();
        let ports = match state.open_ports(&name, &id, &spec.ports) {
            Ok(ports) => ports,
            Err(refusal) => {
                let container = state.container_mut(&id)?;
                container.error.clone_from(&refusal.message);
                container.exit_code = 128;
                if container.status == Status::Restarting {
                    container.status = Status::Exited;
                }
                return Err(refusal);
            }
        };
        for network in &networks {
            let ip = state.next_address(network);
            if let Some(endpoint) = state.container_mut(&id)?.networks.get_mut(network) {
                endpoint.ip = ip;
            }
        }
        state.next_pid = if state.next_pid > 4_000_000 { 1200 } else { state.next_pid + 17 };
        let (pid, now) = (state.next_pid, self.clock.now());
        let container = state.container_mut(&id)?;
        container.status = Status::Running;
        container.begin_life(now);
        container.error.clear();
        container.ports = ports;
        container.pid = pid;
        container.health = spec.health.as_ref().map(|_| Health::Starting);
        for network in &networks {
            self.emit_membership(state, network, &id, true);
        }
        self.emit_container(state, &id, "start", &[]);
        self.announce(state, &id);
        if self.run_proxy(state, &id) {
            self.foresee(state, &id);
        } else {
            let life = state.container(&id)?.life;
            self.later(SHORTEST_RUN, move |engine| engine.end_if(&id, life, 1, false));
        }
        Ok(())
    }

    /// Sets the timers for what is going to happen to a container that has just started.
    pub(super) fn foresee(&self, state: &mut State, id: &str) {
        let Some(container) = state.containers.get(id) else { return };
        let (life, behaviour, health) = (container.life, container.behaviour, container.spec.health.clone());
        let end = match behaviour {
            Behaviour::Exits { after, code, oom } => Some((after, code, oom)),
            _ => shell::lifetime(&container.spec.command).map(|(after, code)| (after.max(SHORTEST_RUN), code, false)),
        };
        if let Some((after, code, oom)) = end {
            let id = id.to_owned();
            self.later(after, move |engine| engine.end_if(&id, life, code, oom));
        }
        if let Some(check) = health {
            let span = state.script.health;
            let delay = span.draw(&mut state.rng);
            let sick = behaviour == Behaviour::Sick;
            // A failing check needs all its retries; a quick script means quick retries.
            let retries = if delay.is_zero() { 1 } else { check.retries.min(3) };
            let delay = if sick { delay * retries } else { delay };
            let id = id.to_owned();
            let verdict = if sick { Health::Unhealthy } else { Health::Healthy };
            self.later(delay, move |engine| {
                let mut state = engine.lock();
                if state.containers.get(&id).is_some_and(|c| c.life == life && c.alive()) {
                    engine.set_health(&mut state, &id, verdict);
                }
            });
        }
    }

    /// Changes what the health check says, with its event.
    pub(super) fn set_health(&self, state: &mut State, id: &str, health: Health) {
        let Some(container) = state.containers.get_mut(id) else { return };
        if container.health.is_none_or(|old| old == health) {
            return;
        }
        container.health = Some(health);
        self.announce(state, id);
        self.emit_container(state, id, &format!("health_status: {}", health.word()), &[]);
    }

    pub(super) fn end_if(&self, id: &str, life: u64, code: i64, oom: bool) {
        let mut state = self.lock();
        if state.containers.get(id).is_some_and(|container| container.life == life && container.alive()) {
            self.end(&mut state, id, code, oom);
        }
    }

    /// The end of a container's process, for whatever reason: events, ports, and its restart policy.
    pub(super) fn end(&self, state: &mut State, id: &str, code: i64, oom: bool) {
        let now = self.clock.now();
        let Some(container) = state.containers.get_mut(id).filter(|container| container.up()) else { return };
        self.hush(id, &container.ports);
        let was_alive = container.alive();
        let networks: Vec<String> = container.networks.keys().cloned().collect();
        for endpoint in container.networks.values_mut() {
            endpoint.ip = None;
        }
        let ran = now.duration_since(container.started.unwrap_or(now));
        container.exit_code = code;
        container.oom = oom;
        container.finished = Some(now);
        container.ports.clear();
        container.life += 1;
        // A container that is down keeps the last word of its health check.
        let again = !container.by_hand && container.restart().wants(code, container.restarts);
        container.status = if again { Status::Restarting } else { Status::Exited };
        let auto_remove = container.spec.auto_remove && !again;
        container.ends += u64::from(was_alive);
        if was_alive {
            if oom {
                self.emit_container(state, id, "oom", &[]);
            }
            self.emit_container(state, id, "die", &[("exitCode", code.to_string())]);
            for network in &networks {
                self.emit_membership(state, network, id, false);
            }
        }
        if again {
            self.restart_later(state, id, ran);
        } else if auto_remove {
            self.destroy(state, id, true);
        }
    }

    fn restart_later(&self, state: &mut State, id: &str, ran: SignedDuration) {
        let Some(container) = state.containers.get_mut(id) else { return };
        let tries = if ran >= GOOD_RUN { 0 } else { u32::try_from(container.restarts).unwrap_or(u32::MAX).min(10) };
        let pause = (FIRST_PAUSE * 2_u32.saturating_pow(tries)).min(LONGEST_PAUSE);
        container.restarts += 1;
        let (id, life) = (id.to_owned(), container.life);
        self.later(pause, move |engine| {
            let mut state = engine.lock();
            let still =
                |c: &super::container::Container| c.life == life && c.status == Status::Restarting && c.busy.is_none();
            if state.containers.get(&id).is_some_and(still) {
                // A port that was taken meanwhile leaves it exited with the error, as in Docker.
                let _ = engine.run(&mut state, &id);
                engine.touch();
            }
        });
    }
}

/// Handles for scripts: things that befall containers from outside the API.
impl Engine {
    fn befall(&self, name: &str, act: impl FnOnce(&mut State, &str)) -> bool {
        let mut state = self.lock();
        let Ok(id) = state.find(name) else { return false };
        act(&mut state, &id);
        true
    }

    /// The container's process ends by itself with `code`. False when there is no such container.
    pub fn crash(&self, name: &str, code: i64) -> bool {
        self.befall(name, |state, id| self.end(state, id, code, false))
    }

    /// The kernel kills the container for want of memory: `oom` event, `OOMKilled`, exit code 137.
    pub fn oom(&self, name: &str) -> bool {
        self.befall(name, |state, id| self.end(state, id, 137, true))
    }

    /// Somebody on the host kills the container's process: exit code 137, and its restart policy applies.
    pub fn kill_process(&self, name: &str) -> bool {
        self.crash(name, 137)
    }

    /// The container's health check begins to fail, or to succeed again. Only for containers that have one.
    pub fn mark_sick(&self, name: &str, sick: bool) -> bool {
        let health = if sick { Health::Unhealthy } else { Health::Healthy };
        self.befall(name, |state, id| self.set_health(state, id, health))
    }

    /// Somebody removes the container behind everyone's back (`docker rm -f`).
    pub fn remove_by_hand(&self, name: &str) -> bool {
        self.befall(name, |state, id| {
            if let Some(container) = state.containers.get_mut(id) {
                container.by_hand = true;
            }
            self.end(state, id, 137, false);
            self.destroy(state, id, false);
        })
    }

    /// The engine's process is killed and stays away for `downtime`: containers die with it, and those whose
    /// restart policy says so run again when it is back.
    pub fn power_cycle(&self, downtime: Duration) {
        let outage = self.power_off();
        self.later(downtime, move |engine| engine.power_on(outage));
    }

    /// The engine's process is killed, and all containers with it, until [`Engine::power_on`].
    pub fn power_off(&self) -> Outage {
        self.set_link(super::Link::Down);
        let mut state = self.lock();
        let now = self.clock.now();
        let mut again = Vec::new();
        for container in state.containers.values_mut().filter(|container| container.up()) {
            self.hush(&container.id, &container.ports);
            container.status = Status::Exited;
            container.exit_code = 137;
            container.finished = Some(now);
            container.ports.clear();
            container.life += 1;
            container.ends += 1;
            if container.restart().wants(137, 0) {
                again.push((container.id.clone(), container.life));
            }
        }
        Outage { again }
    }

    /// It is back, and starts what its containers' restart policies say.
    pub fn power_on(&self, outage: Outage) {
        let mut state = self.lock();
        for (id, life) in outage.again {
            if state.containers.get(&id).is_some_and(|container| container.life == life) {
                let _ = self.run(&mut state, &id);
            }
        }
        drop(state);
        self.set_link(super::Link::Up);
    }
}

/// What an engine that is off starts again.
#[derive(Debug)]
#[must_use = "the engine stays off"]
pub struct Outage {
    again: Vec<(String, u64)>,
}
