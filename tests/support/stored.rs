//! What the hosts of the usual fleet keep.

use std::collections::BTreeMap;

use wharf::{
    app::{Msg, State, update},
    model::{ContainerId, HostName, Kept, Storage, Stored, label},
    text::Text,
};

use super::fleet::{before, now};

pub fn thing(kind: Kept, id: &str, name: &str, size: Option<u64>) -> Stored {
    Stored {
        kind,
        id: Text::new(id),
        name: Text::new(name),
        more: Vec::new(),
        driver: Text::new(if kind == Kept::Image { "" } else { "local" }),
        size,
        created: Some(before(86_400 * 40)),
        users: Vec::new(),
        labels: BTreeMap::new(),
    }
}

/// What a host says: used and unused things, with hostile names among them. The second answer has everything counted.
pub fn storage(state: &State, host: &str, counted: bool) -> Storage {
    let name: HostName = host.parse().unwrap();
    let here = &state.observed().hosts[&name].containers;
    let of = |image: &str| -> Vec<ContainerId> {
        here.values().filter(|it| it.image.as_str() == image).map(|it| it.id.clone()).collect()
    };
    let with = |stored: Stored, users: Vec<ContainerId>| Stored { users, ..stored };
    let ours = |stored: Stored, stack: &str| Stored {
        labels: [(label::FLEET, "acme"), (label::STACK, stack)].map(|(k, v)| (Text::new(k), Text::new(v))).into(),
        ..stored
    };
    let image = |tag: &str, size: u64| thing(Kept::Image, &format!("sha256:{tag}"), tag, Some(size << 20));
    let digest = format!("acme/old@sha256:{}", "9c".repeat(32));
    let mut things = vec![
        with(image("nginx:1.27", 70), of("nginx:1.27")),
        with(image("acme/pay-api:12", 310), of("acme/pay-api:12")),
        image("acme/search-index:5", 120),
        Stored { more: vec![Text::new("acme/old:7")], ..image(&digest, 290) },
        image("evil\u{1b}[31m\u{202e}gpj.exe:1", 1),
        image("港湾/服务:一", 80),
        thing(Kept::Image, "sha256:77aa77aa77aa77aa", "", Some(12 << 20)),
        thing(Kept::Volume, &"ab".repeat(32), &"ab".repeat(32), counted.then_some(52 << 20)),
        ours(thing(Kept::Volume, "payments_data", "payments_data", counted.then_some(4 << 30)), "payments"),
        ours(thing(Kept::Volume, "gone_data", "gone_data", None), "gone"),
        thing(Kept::Volume, "backup", "backup", counted.then_some(900 << 20)),
        thing(Kept::Network, "n1", "bridge", None),
        ours(thing(Kept::Network, "n2", "gone_default", None), "gone"),
    ];
    if counted {
        things.push(thing(Kept::Files, "files", "what containers wrote", Some(3 << 20)));
        things.push(thing(Kept::Cache, "cache", "what builds left", Some(0)));
    }
    things.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    Storage { host: name, at: now(), things, layers: counted.then_some(640 << 20) }
}

/// A host answers.
pub fn tell(state: &mut State, host: &str, answer: Result<Storage, &str>) {
    let answer = answer.map_err(Text::new);
    update(state, Msg::Storage(host.parse().unwrap(), Box::new(answer)));
    state.settle();
}
