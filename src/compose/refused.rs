//! Keys of Compose that wharf does not carry out: ignored with a warning where that is harmless, refused where
//! the service would behave differently.

use super::typed::Val;

/// Harmless to ignore, and why.
const IGNORED: &[(&str, &str)] = &[
    (
        "container_name",
        "ignored: wharf names containers STACK-SERVICE-SLOT-rREVISION, and other services reach it by the service's name",
    ),
    ("develop", "ignored: it is for development on one machine"),
    ("attach", "ignored: it only matters to `docker compose up`"),
    ("pull_policy", "ignored: wharf pulls images on every target before a deploy begins"),
    ("cpu_count", "ignored: it only exists on Windows, use `cpus`"),
    ("cpu_percent", "ignored: it only exists on Windows, use `cpus`"),
    ("isolation", "ignored: it only exists on Windows"),
];

/// Would change what the service does, and what to do instead.
const REFUSED: &[(&str, &str)] = &[
    ("external_links", "not possible: put both services on one external network"),
    ("volumes_from", "not possible: declare a volume under `volumes:` and mount it in both services"),
    ("mac_address", "not possible: replicas cannot share a MAC address; remove it"),
    ("blkio_config", "not supported: remove it"),
    ("cpu_rt_period", "not supported: remove it, or use `cpus`"),
    ("cpu_rt_runtime", "not supported: remove it, or use `cpus`"),
    ("credential_spec", "not supported: it only exists on Windows; remove it"),
    ("post_start", "not supported: do it in the image's entry point, or in a service of its own"),
    ("pre_stop", "not supported: let the process handle `stop_signal`"),
    ("provider", "not supported: wharf only runs containers"),
    ("models", "not supported: run the model as a service of its own"),
    ("use_api_socket", "not supported: mount the socket under `volumes:`"),
    ("net", "from the first version of Compose: use `network_mode`"),
    ("log_driver", "from the first version of Compose: use `logging: {driver: …}`"),
    ("log_opt", "from the first version of Compose: use `logging: {options: …}`"),
    ("dockerfile", "build and push the image, and set `image:`"),
    ("replicas", "belongs under `deploy:`"),
    ("resources", "belongs under `deploy:`"),
    ("placement", "belongs under `deploy:`"),
    ("update_config", "belongs under `deploy:`"),
    ("rollback_config", "belongs under `deploy:`"),
    ("restart_policy", "belongs under `deploy:`"),
    ("regions", "belongs under `x-wharf:`"),
    ("entry", "belongs under `x-wharf:`"),
];

/// Keys that have their own rule.
const OWN: &[&str] = &["build", "links"];

/// All keys of this page.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    IGNORED.iter().chain(REFUSED).map(|(key, _)| *key).chain(OWN.iter().copied())
}

/// Says what becomes of such a key.
pub(super) fn refuse(key: &str, v: &Val<'_>) {
    let find = |list: &[(&str, &'static str)]| list.iter().find(|(name, _)| *name == key).map(|(_, why)| *why);
    if key == "links" {
        links(v);
    } else if let Some(why) = find(IGNORED) {
        v.warn(why);
    } else if let Some(why) = find(REFUSED) {
        v.error(why);
    } else if key != "build" {
        v.error("not supported: remove it");
    }
}

/// Services of one network find one another by name, so a link is only needed for another name.
fn links(v: &Val<'_>) {
    for item in v.items() {
        let Some(text) = item.text() else { continue };
        match text.split_once(':') {
            Some((service, alias)) if service != alias => item.error(format!(
                "a link under another name is not possible: give `{service}` the alias under `networks:` (`aliases: [{alias}]`)"
            )),
            _ => item.warn("ignored: services of one network reach one another by name"),
        }
    }
}

/// `build` cannot be carried out; without `image` there is nothing to run.
pub(super) fn build(service: &Val<'_>, no_image: bool) {
    match (service.get("build"), no_image) {
        (Some(build), true) => {
            build.error(
                "wharf does not build: build the image, push it to a registry that all hosts reach, and set `image:`",
            );
        }
        (Some(build), false) => {
            build.warn("ignored: wharf runs the `image:`, so build and push it before you deploy");
        }
        (None, true) => service.error("`image` is missing: say what to run, like `image: redis:7`"),
        (None, false) => {}
    }
}
