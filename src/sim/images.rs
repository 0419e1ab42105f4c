//! Images that an engine has: finding, listing, inspecting, removing.

use super::clock;
use super::engine::{Engine, State};
use super::events::Kind;
use super::num;
use super::query::Query;
use super::registry::Reference;
use super::reply::{self, Answer, Refusal};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// An image on an engine.
#[derive(Debug, Clone)]
pub(super) struct Image {
    pub(super) id: Arc<str>,
    /// Name and tag it was built under; says how its containers behave even when it was pulled by digest.
    pub(super) name: String,
    pub(super) tag: String,
    pub(super) tags: Vec<String>,
    pub(super) digests: Vec<String>,
    pub(super) size: u64,
    pub(super) created: Timestamp,
}

impl Image {
    fn new(name: &str, tag: &str, now: Timestamp) -> Self {
        let seed = num::hash(&format!("{name}:{tag}"));
        Self {
            id: Arc::from(format!("sha256:{}", num::sha256(&format!("config of {name}:{tag}")))),
            name: name.to_owned(),
            tag: tag.to_owned(),
            tags: Vec::new(),
            digests: Vec::new(),
            size: 6_000_000 + seed % 340_000_000,
            created: clock::minus(now, Duration::from_secs(3600 + num::mix(seed) % 7_000_000)),
        }
    }

    fn matches(&self, wanted: &Reference, text: &str) -> bool {
        let hex = text.strip_prefix("sha256:").unwrap_or(text);
        let by_id = hex.len() >= 4 && self.id.strip_prefix("sha256:").is_some_and(|id| id.starts_with(hex));
        by_id
            || match &wanted.digest {
                Some(digest) => self.digests.contains(&format!("{}@{digest}", wanted.name)),
                None => self.tags.contains(&format!("{}:{}", wanted.name, wanted.tag())),
            }
    }

    fn list_json(&self) -> Value {
        json!({
            "Containers": -1, "Created": self.created.as_second(), "Id": self.id.as_ref(), "Labels": null, "ParentId": "",
            "RepoDigests": none_if_empty(&self.digests), "RepoTags": none_if_empty(&self.tags),
            "SharedSize": -1, "Size": self.size, "VirtualSize": self.size,
        })
    }

    fn inspect_json(&self, exposed: Vec<String>) -> Value {
        let layer = |n: u8| Value::from(format!("sha256:{}", num::sha256(&format!("{} layer {n}", self.id))));
        let exposed: serde_json::Map<String, Value> = exposed.into_iter().map(|port| (port, json!({}))).collect();
        json!({
            "Id": self.id.as_ref(), "RepoTags": self.tags, "RepoDigests": self.digests, "Parent": "", "Comment": "",
            "Created": self.created.to_string(), "Container": "", "DockerVersion": "", "Author": "",
            "Config": {
                "Hostname": "", "Domainname": "", "User": "", "AttachStdin": false, "AttachStdout": false, "AttachStderr": false,
                "Tty": false, "OpenStdin": false, "StdinOnce": false, "ExposedPorts": exposed,
                "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
                "Cmd": ["/entrypoint.sh"], "Image": "", "Volumes": null, "WorkingDir": "", "Entrypoint": null,
                "OnBuild": null, "Labels": null,
            },
            "Architecture": "amd64", "Os": "linux", "Size": self.size, "VirtualSize": self.size,
            "GraphDriver": {"Data": null, "Name": "overlay2"},
            "RootFS": {"Type": "layers", "Layers": [layer(0), layer(1), layer(2)]},
            "Metadata": {"LastTagTime": "0001-01-01T00:00:00Z"},
        })
    }
}

fn none_if_empty(list: &[String]) -> Value {
    if list.is_empty() { Value::Null } else { json!(list) }
}

/// `No such image`, with the tag that was looked for.
pub(super) fn no_image(text: &str) -> Refusal {
    let wanted = Reference::parse(text);
    let full = match &wanted.digest {
        None if wanted.tag.is_none() => format!("{}:latest", wanted.name),
        _ => text.to_owned(),
    };
    Refusal::new(404, format!("No such image: {full}"))
}

impl State {
    pub(super) fn image(&self, text: &str) -> Option<&Image> {
        let wanted = Reference::parse(text);
        self.images.values().find(|image| image.matches(&wanted, text))
    }

    /// Makes a tag point at an image, and at no other.
    fn point(&mut self, full: &str, id: &str) {
        for image in self.images.values_mut() {
            image.tags.retain(|tag| tag != full);
            if image.id.as_ref() == id {
                image.tags.push(full.to_owned());
            }
        }
    }

    fn image_users(&self, id: &str) -> Vec<(String, bool)> {
        let users = self.containers.values().filter(|c| c.image_id.as_ref() == id);
        users.map(|c| (c.id.clone(), c.up())).collect()
    }
}

impl Engine {
    /// Somebody removes every image, also those that containers run from: these go on.
    pub fn forget_images(&self) {
        let mut state = self.lock();
        let gone: Vec<Arc<str>> = std::mem::take(&mut state.images).into_keys().collect();
        for id in gone {
            self.emit_image(&mut state, "delete", &id, &id);
        }
    }

    /// Puts an image on the engine without a pull, as `docker load` would. Takes `name:tag`.
    pub fn load_image(&self, reference: &str) {
        let wanted = Reference::parse(reference);
        let mut state = self.lock();
        self.install(&mut state, &wanted);
    }

    /// Adds the image of a reference (by tag or by digest) and answers its id.
    pub(super) fn install(&self, state: &mut State, wanted: &Reference) -> Arc<str> {
        let now = self.clock.now();
        let origin = wanted.digest.as_deref().and_then(|digest| self.registry.origin(digest));
        // A digest leads back to the tag it was made from; an unknown one is its own tag.
        let tag = match (origin, &wanted.digest) {
            (Some((_, tag)), _) => tag,
            (None, Some(digest)) => wanted.tag.clone().unwrap_or_else(|| digest.clone()),
            (None, None) => wanted.tag().to_owned(),
        };
        let name = wanted.name.clone();
        let digest = wanted.digest.clone().unwrap_or_else(|| self.registry.digest(&name, &tag));
        let fresh = Image::new(&name, &tag, now);
        let image = state.images.entry(fresh.id.clone()).or_insert(fresh);
        let repo_digest = format!("{name}@{digest}");
        if !image.digests.contains(&repo_digest) {
            image.digests.push(repo_digest);
        }
        let id = image.id.clone();
        if wanted.digest.is_none() {
            let full = format!("{name}:{tag}");
            state.point(&full, &id);
        }
        id
    }

    pub(super) fn images_list(&self, query: &Query) -> Answer {
        let filters = query.filters()?.only(&["dangling", "label", "reference", "before", "since"])?;
        let state = self.lock();
        let wanted = |image: &&Image| {
            filters
                .any("dangling", |on| matches!(on, "true" | "1") == (image.tags.is_empty() && image.digests.is_empty()))
                && filters.any("reference", |pattern| {
                    let wanted = Reference::parse(pattern);
                    wanted.name == image.name && wanted.tag.as_ref().is_none_or(|tag| *tag == image.tag)
                })
                && filters.labels(|_| None)
        };
        let mut list: Vec<&Image> = state.images.values().filter(wanted).collect();
        list.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        Ok(reply::ok(&list.into_iter().map(Image::list_json).collect()))
    }

    pub(super) fn image_inspect(&self, name: &str) -> Answer {
        let state = self.lock();
        let inspect = |image: &Image| reply::ok(&image.inspect_json(state.script.exposes(&image.name, &image.tag)));
        state.image(name).map(inspect).ok_or_else(|| {
            let plain = no_image(name);
            Refusal { message: format!("no such image: {name}: {}", plain.message), ..plain }
        })
    }

    pub(super) fn image_remove(&self, name: &str, query: &Query) -> Answer {
        let mut state = self.lock();
        let image = state.image(name).cloned().ok_or_else(|| no_image(name))?;
        let wanted = Reference::parse(name);
        let reference = format!("{}:{}", wanted.name, wanted.tag());
        let by_name = image.tags.contains(&reference);
        let other_tags = image.tags.iter().filter(|tag| **tag != reference).count();
        let users = state.image_users(&image.id);
        let user = users.iter().max_by_key(|(_, running)| *running);
        let forced = query.flag("force");
        let blocks = |running: bool| if by_name { other_tags == 0 && !forced } else { running || !forced };
        let in_the_way = user.filter(|(_, running)| blocks(*running));
        if let Some((user, running)) = in_the_way {
            let user = user.get(..12).unwrap_or(user);
            let short = image.id.strip_prefix("sha256:").and_then(|id| id.get(..12)).unwrap_or(&image.id);
            let why = match (by_name, running) {
                (true, _) => format!(
                    "unable to remove repository reference \"{name}\" (must force) - container {user} is using its referenced image {short}"
                ),
                (false, true) => format!(
                    "unable to delete {short} (cannot be forced) - image is being used by running container {user}"
                ),
                (false, false) => {
                    format!(
                        "unable to delete {short} (must be forced) - image is being used by stopped container {user}"
                    )
                }
            };
            return Err(Refusal::new(409, format!("conflict: {why}")));
        }
        // A name that is not the last, or whose image is in use, goes alone.
        let report = if by_name && (other_tags > 0 || !users.is_empty()) {
            if let Some(image) = state.images.get_mut(&image.id) {
                image.tags.retain(|tag| *tag != reference);
            }
            self.emit_image(&mut state, "untag", &image.id, &reference);
            vec![json!({"Untagged": reference})]
        } else {
            self.drop_image(&mut state, &image)
        };
        Ok(reply::ok(&Value::from(report)))
    }

    fn drop_image(&self, state: &mut State, image: &Image) -> Vec<Value> {
        state.images.remove(&image.id);
        let mut report: Vec<Value> =
            image.tags.iter().chain(&image.digests).map(|name| json!({"Untagged": name})).collect();
        for tag in &image.tags {
            self.emit_image(state, "untag", &image.id, tag);
        }
        report.push(json!({"Deleted": image.id.as_ref()}));
        self.emit_image(state, "delete", &image.id, &image.id);
        report
    }

    /// `POST /images/{name}/tag`: one more name for an image.
    pub(super) fn image_tag(&self, name: &str, query: &Query) -> Answer {
        let repo = query.text("repo").ok_or_else(|| Refusal::bad("invalid reference format"))?;
        let wanted = Reference::parse(repo);
        let full = format!("{}:{}", wanted.name, query.text("tag").unwrap_or(wanted.tag()));
        let mut state = self.lock();
        let id = state.image(name).map(|image| image.id.clone()).ok_or_else(|| no_image(name))?;
        state.point(&full, &id);
        self.emit_image(&mut state, "tag", &id, &full);
        Ok(reply::empty(201))
    }

    pub(super) fn images_prune(&self, query: &Query) -> Answer {
        let filters = query.filters()?.only(&["dangling", "label", "label!", "until"])?;
        let all = filters.has("dangling") && !filters.any("dangling", |on| matches!(on, "true" | "1"));
        let mut state = self.lock();
        let unused = |image: &&Image| {
            (all || (image.tags.is_empty() && image.digests.is_empty())) && state.image_users(&image.id).is_empty()
        };
        let victims: Vec<Image> = state.images.values().filter(unused).cloned().collect();
        let space: u64 = victims.iter().map(|image| image.size).sum();
        let deleted: Vec<Value> = victims.iter().flat_map(|image| self.drop_image(&mut state, image)).collect();
        let deleted = if deleted.is_empty() { Value::Null } else { Value::from(deleted) };
        Ok(reply::ok(&json!({"ImagesDeleted": deleted, "SpaceReclaimed": space})))
    }

    pub(super) fn emit_image(&self, state: &mut State, action: &str, id: &str, name: &str) {
        self.emit(state, Kind::Image, action, id, json!({"name": name}));
    }
}
