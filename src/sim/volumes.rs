//! Volumes.

use super::engine::{Engine, State};
use super::events::Kind;
use super::networks::{find, label_json};
use super::num;
use super::query::Query;
use super::reply::{self, Answer, Refusal};
use super::spec::{Pairs, pairs};
use jiff::Timestamp;
use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub(super) struct Volume {
    created: Timestamp,
    driver: String,
    labels: Pairs,
    options: Value,
}

impl Volume {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { created: now, driver: "local".to_owned(), labels: Vec::new(), options: Value::Null }
    }

    fn json(&self, name: &str) -> Value {
        json!({
            "CreatedAt": self.created.to_string(), "Driver": self.driver,
            "Labels": if self.labels.is_empty() { Value::Null } else { label_json(&self.labels) },
            "Mountpoint": format!("/var/lib/docker/volumes/{name}/_data"), "Name": name, "Options": self.options, "Scope": "local",
        })
    }
}

impl State {
    /// Adds a volume unless it is there; answers whether it was added.
    pub(super) fn ensure_volume(&mut self, name: &str, volume: Volume) -> bool {
        let fresh = !self.volumes.contains_key(name);
        self.volumes.entry(name.to_owned()).or_insert(volume);
        fresh
    }
}

impl Engine {
    /// A volume that is there and that nothing mounts.
    pub(super) fn leave_volume(&self, name: &str) {
        self.lock().ensure_volume(name, Volume::new(self.clock.now()));
    }

    pub(super) fn volumes_list(&self, query: &Query) -> Answer {
        let filters = query.filters()?;
        let state = self.lock();
        let wanted = |(name, volume): &(&String, &Volume)| {
            filters.any("name", |part| name.contains(part))
                && filters.any("driver", |driver| driver == volume.driver)
                && filters.any("dangling", |on| matches!(on, "true" | "1") != state.volume_used(name))
                && filters.labels(|key| find(&volume.labels, key))
        };
        let list: Vec<Value> = state.volumes.iter().filter(wanted).map(|(name, volume)| volume.json(name)).collect();
        Ok(reply::ok(&json!({"Volumes": list, "Warnings": null})))
    }

    pub(super) fn volume_inspect(&self, name: &str) -> Answer {
        let state = self.lock();
        let volume = state.volumes.get(name).ok_or_else(|| no_volume(name))?;
        Ok(reply::ok(&volume.json(name)))
    }

    pub(super) fn volume_create(&self, body: &Value) -> Answer {
        let mut state = self.lock();
        let name = match body.get("Name").and_then(Value::as_str) {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => num::hex(&mut state.rng, 32),
        };
        let volume = Volume {
            created: self.clock.now(),
            driver: body.get("Driver").and_then(Value::as_str).filter(|d| !d.is_empty()).unwrap_or("local").to_owned(),
            labels: body.get("Labels").and_then(Value::as_object).map(pairs).transpose()?.unwrap_or_default(),
            options: body.get("DriverOpts").filter(|opts| opts.is_object()).cloned().unwrap_or(Value::Null),
        };
        if state.ensure_volume(&name, volume) {
            self.emit(&mut state, Kind::Volume, "create", &name, json!({"driver": "local"}));
        }
        let json = state.volumes.get(&name).map(|volume| volume.json(&name)).unwrap_or_default();
        Ok(reply::json_status(201, &json))
    }

    pub(super) fn volume_remove(&self, name: &str) -> Answer {
        let mut state = self.lock();
        if !state.volumes.contains_key(name) {
            return Err(no_volume(name));
        }
        let users = state.volume_users(name);
        if !users.is_empty() {
            let users = users.join(", ");
            return Err(Refusal::new(409, format!("remove {name}: volume is in use - [{users}]")));
        }
        state.volumes.remove(name);
        self.emit(&mut state, Kind::Volume, "destroy", name, json!({"driver": "local"}));
        Ok(reply::empty(204))
    }

    /// Removes the volumes that no container mounts.
    pub(super) fn volumes_prune(&self, query: &Query) -> Answer {
        let filters = query.filters()?.only(&["label", "label!", "all"])?;
        let mut state = self.lock();
        let unused = |(name, volume): &(&String, &Volume)| {
            !state.volume_used(name) && filters.labels(|key| find(&volume.labels, key))
        };
        let victims: Vec<String> = state.volumes.iter().filter(unused).map(|(name, _)| name.clone()).collect();
        for name in &victims {
            state.volumes.remove(name);
            self.emit(&mut state, Kind::Volume, "destroy", name, json!({"driver": "local"}));
        }
        let deleted = if victims.is_empty() { Value::Null } else { json!(victims) };
        Ok(reply::ok(&json!({"VolumesDeleted": deleted, "SpaceReclaimed": 0})))
    }
}

fn no_volume(name: &str) -> Refusal {
    Refusal::new(404, format!("get {name}: no such volume"))
}
