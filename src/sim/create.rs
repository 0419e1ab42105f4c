//! Creating, renaming, updating and removing containers.

use super::container::{Container, Endpoint, Extra, Labels, Status};
use super::engine::{Engine, State};
use super::events::Kind;
use super::images;
use super::mounts;
use super::num;
use super::query::Query;
use super::reply::{self, Answer, Refusal};
use super::spec::Spec;
use super::volumes::Volume;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

fn name_taken(name: &str, id: &str) -> Refusal {
    Refusal::new(
        409,
        format!(
            "Conflict. The container name \"/{name}\" is already in use by container \"{id}\". You have to remove (or rename) that container to be able to reuse that name."
        ),
    )
}

/// Docker's rule for names.
fn check_name(name: &str) -> Result<(), Refusal> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if first && name.len() > 1 && name.chars().all(good) {
        return Ok(());
    }
    Err(Refusal::bad(format!("Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")))
}

impl State {
    /// Adds a container that is not started. The name is free and valid.
    pub(super) fn add(
        &mut self,
        name: &str,
        spec: Arc<Spec>,
        labels: Labels,
        now: jiff::Timestamp,
    ) -> Result<String, Refusal> {
        let image = self.image(&spec.image).ok_or_else(|| images::no_image(&spec.image))?;
        let (image_id, behaviour) = (image.id.clone(), self.script.behaviour(&image.name, &image.tag));
        let mut networks = BTreeMap::new();
        for (wanted, config) in &spec.networks {
            let network = self.network_name(wanted)?;
            let aliases = super::spec::strings(config.get("Aliases"));
            networks.insert(network, Endpoint { id: num::hex(&mut self.rng, 32), ip: None, aliases });
        }
        let id = num::hex(&mut self.rng, 32);
        self.names.insert(name.to_owned(), id.clone());
        let container = Container {
            id: id.clone(),
            name: name.to_owned(),
            created: now,
            labels,
            spec,
            image_id,
            behaviour,
            status: Status::Created,
            busy: None,
            health: None,
            started: None,
            finished: None,
            exit_code: 0,
            oom: false,
            error: String::new(),
            restarts: 0,
            by_hand: false,
            pid: 0,
            ports: Vec::new(),
            networks,
            extra: None,
            ends: 0,
            life: 0,
        };
        self.containers.insert(id.clone(), container);
        Ok(id)
    }

    /// A random name in the place of one that was not given.
    fn any_name(&mut self) -> String {
        const FIRST: &[&str] = &["brave", "calm", "eager", "gentle", "keen", "lucid", "quiet", "sharp", "vivid"];
        const SECOND: &[&str] = &["crane", "heron", "ibis", "lark", "otter", "plover", "seal", "tern", "wren"];
        let part = |rng: &mut fastrand::Rng, list: &[&'static str]| rng.choice(list).copied().unwrap_or("box");
        loop {
            let (first, second) = (part(&mut self.rng, FIRST), part(&mut self.rng, SECOND));
            let name = format!("{first}_{second}{}", self.rng.u16(..));
            if !self.names.contains_key(&name) {
                return name;
            }
        }
    }
}

impl Engine {
    pub(super) async fn create(&self, query: &Query, body: Value) -> Answer {
        let (spec, labels) = Spec::read(body)?;
        let pause = {
            let mut state = self.lock();
            let span = state.script.create;
            span.draw(&mut state.rng)
        };
        super::engine::pause(pause).await;
        let mut state = self.lock();
        let name = match query.text("name").map(|name| name.trim_start_matches('/')) {
            Some(name) => {
                check_name(name)?;
                if let Some(id) = state.names.get(name) {
                    return Err(name_taken(name, id));
                }
                name.to_owned()
            }
            None => state.any_name(),
        };
        let labels = labels.into_iter().map(|(key, value)| (Arc::from(key), Arc::from(value))).collect();
        let (now, volumes) = (self.clock.now(), mounts::volumes(&spec.host));
        let id = state.add(&name, Arc::new(spec), labels, now)?;
        for volume in volumes {
            if state.ensure_volume(&volume, Volume::new(now)) {
                self.emit(&mut state, Kind::Volume, "create", &volume, json!({"driver": "local"}));
            }
        }
        self.emit_container(&mut state, &id, "create", &[]);
        Ok(reply::json_status(201, &json!({"Id": id, "Warnings": []})))
    }

    pub(super) fn rename(&self, wanted: &str, query: &Query) -> Answer {
        let name = query.text("name").unwrap_or_default().trim_start_matches('/').to_owned();
        if name.is_empty() {
            return Err(Refusal::bad("Neither old nor new names may be empty"));
        }
        check_name(&name)?;
        let mut state = self.lock();
        let id = state.find(wanted)?;
        if let Some(other) = state.names.get(&name) {
            if *other == id {
                return Err(Refusal::bad("Renaming a container with the same name as its current name"));
            }
            return Err(name_taken(&name, other));
        }
        let old = std::mem::replace(&mut state.container_mut(&id)?.name, name.clone());
        state.names.remove(&old);
        state.names.insert(name, id.clone());
        self.emit_container(&mut state, &id, "rename", &[("oldName", format!("/{old}"))]);
        Ok(reply::empty(204))
    }

    /// `POST …/update`: the changes are shown by inspect; limits are not enforced.
    pub(super) fn update(&self, wanted: &str, body: &Value) -> Answer {
        let mut state = self.lock();
        let id = state.find(wanted)?;
        let extra: &mut Extra = state.container_mut(&id)?.extra();
        for (key, value) in body.as_object().into_iter().flatten() {
            extra.update.insert(key.clone(), value.clone());
        }
        self.emit_container(&mut state, &id, "update", &[]);
        Ok(reply::ok(&json!({"Warnings": null})))
    }

    pub(super) async fn remove(&self, wanted: &str, query: &Query) -> Answer {
        let (id, pause) = {
            let mut state = self.lock();
            let id = state.find(wanted)?;
            let container = state.container_mut(&id)?;
            if container.status == Status::Removing {
                return Err(Refusal::new(409, format!("removal of container {wanted} is already in progress")));
            }
            if container.up() && !query.flag("force") {
                let hint = if container.status == Status::Paused { "Unpause and then stop" } else { "Stop" };
                let what = container.status.word();
                return Err(Refusal::new(
                    409,
                    format!(
                        "You cannot remove a {what} container {id}. {hint} the container before attempting removal or force remove"
                    ),
                ));
            }
            if container.up() {
                container.by_hand = true;
                self.judge_stop(container);
                self.emit_container(&mut state, &id, "kill", &[("signal", "9".to_owned())]);
                self.end(&mut state, &id, 137, false);
            }
            if let Ok(container) = state.container_mut(&id) {
                container.status = Status::Removing;
                container.life += 1;
            }
            let span = state.script.remove;
            (id, span.draw(&mut state.rng))
        };
        super::engine::pause(pause).await;
        let mut state = self.lock();
        let volumes = query.flag("v");
        self.destroy(&mut state, &id, volumes);
        Ok(reply::empty(204))
    }

    /// Takes a container out of the books.
    pub(super) fn destroy(&self, state: &mut State, id: &str, volumes: bool) {
        self.emit_container(state, id, "destroy", &[]);
        let Some(container) = state.containers.remove(id) else { return };
        state.names.remove(&container.name);
        state.gone.truncate(63);
        state.gone.push_front((container.id.clone(), container.exit_code));
        state.execs.retain(|_, exec| exec.container != id);
        // Only nameless volumes go with a container.
        let anonymous = |name: &String| name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        for name in mounts::volumes(&container.spec.host).into_iter().filter(anonymous).filter(|_| volumes) {
            if !state.volume_used(&name) && state.volumes.remove(&name).is_some() {
                self.emit(state, Kind::Volume, "destroy", &name, json!({"driver": "local"}));
            }
        }
        self.touch();
    }

    pub(super) fn containers_prune(&self, query: &Query) -> Answer {
        let filters = query.filters()?.only(&["label", "label!", "until"])?;
        let mut state = self.lock();
        let idle =
            |c: &&Container| matches!(c.status, Status::Created | Status::Exited) && filters.labels(|key| c.label(key));
        let ids: Vec<String> = state.containers.values().filter(idle).map(|c| c.id.clone()).collect();
        for id in &ids {
            self.destroy(&mut state, id, false);
        }
        Ok(reply::ok(&json!({"ContainersDeleted": ids, "SpaceReclaimed": 0})))
    }
}
