//! Starting and stopping by call: the parts of a container's life that an API client asks for.

use super::container::{Busy, Status, not_running};
use super::engine::{Engine, State};
use super::query::Query;
use super::reply::{self, Answer, Refusal};
use super::script::Behaviour;
use bytes::Bytes;
use futures::stream;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Docker's own stop grace, in seconds.
const GRACE: i64 = 10;

/// How a signal by name or number ends a container: exit code, or `None` when it does not.
fn deadly(signal: &str, behaviour: Behaviour) -> Option<i64> {
    match signal.to_ascii_uppercase().trim_start_matches("SIG") {
        "9" | "KILL" | "" => Some(137),
        "15" | "TERM" if behaviour != Behaviour::Stubborn => Some(143),
        "2" | "INT" if behaviour != Behaviour::Stubborn => Some(130),
        "3" | "QUIT" if behaviour != Behaviour::Stubborn => Some(131),
        _ => None,
    }
}

fn number(signal: &str) -> Result<u8, Refusal> {
    const NAMES: [(&str, u8); 9] = [
        ("HUP", 1),
        ("INT", 2),
        ("QUIT", 3),
        ("KILL", 9),
        ("USR1", 10),
        ("USR2", 12),
        ("TERM", 15),
        ("CONT", 18),
        ("STOP", 19),
    ];
    let upper = signal.to_ascii_uppercase();
    let name = upper.trim_start_matches("SIG");
    let by_name = NAMES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    by_name
        .or_else(|| name.parse().ok().filter(|number| (1..=64).contains(number)))
        .ok_or_else(|| Refusal::bad(format!("Invalid signal: {signal}")))
}

impl Engine {
    /// Waits until nobody else works on the container, then lets `act` see it.
    async fn turn<T>(
        &self,
        wanted: &str,
        mut act: impl FnMut(&mut State, &str) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.when(|state| {
            let id = match state.find(wanted) {
                Ok(id) => id,
                Err(refusal) => return Some(Err(refusal)),
            };
            let busy = state.containers.get(&id).is_some_and(|container| container.busy.is_some());
            if busy { None } else { Some(act(state, &id)) }
        })
        .await
    }

    pub(super) async fn start(&self, wanted: &str) -> Answer {
        let begun = self
            .turn(wanted, |state, id| {
                let container = state.container_mut(id)?;
                match container.status {
                    Status::Running => return Ok(None),
                    Status::Paused => {
                        return Err(Refusal::new(409, "cannot start a paused container, try unpause instead"));
                    }
                    Status::Removing => {
                        return Err(Refusal::new(409, "container is marked for removal and cannot be started"));
                    }
                    Status::Created | Status::Exited | Status::Restarting => {}
                }
                container.busy = Some(Busy::Starting);
                container.by_hand = false;
                container.life += 1;
                let span = state.script.start;
                Ok(Some((id.to_owned(), span.draw(&mut state.rng))))
            })
            .await?;
        let Some((id, pause)) = begun else { return Ok(reply::empty(304)) };
        super::engine::pause(pause).await;
        let mut state = self.lock();
        if let Some(container) = state.containers.get_mut(&id) {
            container.busy = None;
        }
        let result = self.run(&mut state, &id);
        self.touch();
        result.map(|()| reply::empty(204))
    }

    pub(super) async fn stop(&self, wanted: &str, query: &Query) -> Answer {
        let grace = query.number("t")?;
        let stopped = self.bring_down(wanted, grace).await?;
        Ok(reply::empty(if stopped { 204 } else { 304 }))
    }

    /// Stops a container in Docker's way: signal, grace, kill. False when it was not running.
    async fn bring_down(&self, wanted: &str, grace: Option<i64>) -> Result<bool, Refusal> {
        let begun = self
            .turn(wanted, |state, id| {
                let container = state.container_mut(id)?;
                if !container.up() {
                    return Ok(None);
                }
                container.by_hand = true;
                self.judge_stop(container);
                if container.status == Status::Restarting {
                    container.status = Status::Exited;
                    container.life += 1;
                    self.emit_container(state, id, "stop", &[]);
                    return Ok(Some((id.to_owned(), None)));
                }
                container.busy = Some(Busy::Stopping);
                let (stubborn, own) = (container.behaviour == Behaviour::Stubborn, container.spec.grace);
                self.emit_container(state, id, "kill", &[("signal", "15".to_owned())]);
                let span = state.script.stop;
                let needs = (!stubborn).then(|| span.draw(&mut state.rng));
                // A negative grace waits for ever; a year is that here.
                let grace = grace.or(own).unwrap_or(GRACE);
                let grace = Duration::from_secs(u64::try_from(grace).unwrap_or(31_536_000));
                let killed = needs.is_none_or(|needs| needs > grace);
                Ok(Some((id.to_owned(), Some((if killed { grace } else { needs.unwrap_or(grace) }, killed)))))
            })
            .await?;
        let Some((id, wait)) = begun else { return Ok(false) };
        let Some((wait, killed)) = wait else { return Ok(true) };
        let gone = |state: &mut State| state.containers.get(&id).is_none_or(|c| !c.alive()).then_some(());
        // It may also end by itself, or be killed by somebody else, meanwhile.
        let _ = tokio::time::timeout(wait, self.when(gone)).await;
        let mut state = self.lock();
        if let Some(container) = state.containers.get_mut(&id) {
            container.busy = None;
            if container.alive() {
                if killed {
                    self.emit_container(&mut state, &id, "kill", &[("signal", "9".to_owned())]);
                }
                self.end(&mut state, &id, if killed { 137 } else { 0 }, false);
            }
        }
        self.emit_container(&mut state, &id, "stop", &[]);
        Ok(true)
    }

    pub(super) async fn restart(&self, wanted: &str, query: &Query) -> Answer {
        self.bring_down(wanted, query.number("t")?).await?;
        self.start(wanted).await?;
        let mut state = self.lock();
        let id = state.find(wanted)?;
        self.emit_container(&mut state, &id, "restart", &[]);
        Ok(reply::empty(204))
    }

    pub(super) fn kill(&self, wanted: &str, query: &Query) -> Answer {
        let signal = query.text("signal").unwrap_or("KILL");
        let shown = number(signal)?;
        let mut state = self.lock();
        let id = state.find(wanted)?;
        let container = state.container_mut(&id)?;
        if !container.alive() {
            return Err(Refusal::new(409, format!("Cannot kill container: {wanted}: Container {id} is not running")));
        }
        let ends = deadly(signal, container.behaviour);
        container.by_hand |= ends.is_some();
        if ends.is_some() {
            self.judge_stop(container);
        }
        self.emit_container(&mut state, &id, "kill", &[("signal", shown.to_string())]);
        if self.signal_proxy(&state, &id, shown) {
            return Ok(reply::empty(204));
        }
        if let Some(code) = ends {
            self.end(&mut state, &id, code, false);
        }
        Ok(reply::empty(204))
    }

    pub(super) fn pause(&self, wanted: &str, pause: bool) -> Answer {
        let mut state = self.lock();
        let id = state.find(wanted)?;
        let container = state.container_mut(&id)?;
        match (container.status, pause) {
            (Status::Running, true) => container.status = Status::Paused,
            (Status::Paused, false) => container.status = Status::Running,
            (Status::Paused, true) => return Err(Refusal::new(409, format!("Container {id} is already paused"))),
            (_, true) => return Err(not_running(&id)),
            (_, false) => return Err(Refusal::new(500, format!("Container {id} is not paused"))),
        }
        self.announce(&state, &id);
        self.emit_container(&mut state, &id, if pause { "pause" } else { "unpause" }, &[]);
        Ok(reply::empty(204))
    }

    /// Answers its headers at once and the exit code when the condition is met, as Docker does.
    pub(super) fn wait(self: Arc<Self>, wanted: &str, query: &Query) -> Answer {
        #[derive(Clone, Copy, PartialEq)]
        enum For {
            NotRunning,
            NextExit,
            Removed,
        }
        let goal = match query.text("condition") {
            None | Some("not-running") => For::NotRunning,
            Some("next-exit") => For::NextExit,
            Some("removed") => For::Removed,
            Some(other) => return Err(Refusal::bad(format!("invalid condition: \"{other}\""))),
        };
        let (id, ends) = {
            let state = self.lock();
            let container = state.container(wanted)?;
            (container.id.clone(), container.ends)
        };
        let body = async move {
            let code = self
                .when(|state| {
                    let Some(container) = state.containers.get(&id) else {
                        let last = state.gone.iter().find(|(gone, _)| *gone == id);
                        return Some(last.map_or(0, |(_, code)| *code));
                    };
                    let met = match goal {
                        For::NotRunning => !container.up(),
                        For::NextExit => container.ends > ends,
                        For::Removed => false,
                    };
                    met.then_some(container.exit_code)
                })
                .await;
            self.awake().await;
            Ok::<Bytes, std::io::Error>(reply::line(&json!({"Error": null, "StatusCode": code})))
        };
        Ok(reply::stream("application/json", stream::once(body)))
    }
}
