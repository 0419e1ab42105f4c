//! Ports that an image says it listens on, for services whose file names none: what is between containers on one host
//! without a word has to be known where it goes through proxies.

use std::collections::{BTreeMap, BTreeSet};

use super::{World, deploy::same_rules, links::links, lookup};
use crate::model::{ExposedPort, Protocol, ServiceKey, ServiceName, ServiceSpec, StackSpec};

/// Services of a stack that others reach only by what their images expose.
pub fn silent(stack: &StackSpec) -> Vec<ServiceName> {
    // One that is alone has nobody to be reached by.
    if stack.services.len() < 2 {
        return Vec::new();
    }
    stack.services.iter().filter(|(_, spec)| is_silent(spec)).map(|(name, _)| name.clone()).collect()
}

/// True when a spec names no port at which others reach the service through proxies, though it has a network of its own.
pub(crate) fn is_silent(spec: &ServiceSpec) -> bool {
    links(spec).is_empty() && spec.network_mode.is_none()
}

/// Lets the silent services of a stack expose what their images do, as far as hosts know it. What runs and does not
/// change otherwise stays as it is, for a file that is the same shall change nothing; a warning says what it misses.
pub fn expose(
    world: &World<'_>,
    stack: &mut StackSpec,
    images: &BTreeMap<ServiceName, String>,
    known: &BTreeMap<ServiceName, BTreeSet<u16>>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    for name in silent(stack) {
        let key = ServiceKey { stack: stack.name.clone(), service: name.clone() };
        let Some(spec) = stack.services.get_mut(&name) else { continue };
        let ports = known.get(&name).filter(|ports| !ports.is_empty());
        let image = images.get(&name).unwrap_or(&spec.image);
        let same = lookup::current(world, &key).filter(|current| {
            let as_it_runs = ServiceSpec { expose: current.spec.expose.clone(), ..spec.clone() };
            current.image == *image && same_rules(&current.spec, &as_it_runs)
        });
        if let Some(current) = same {
            spec.expose.clone_from(&current.spec.expose);
            if let Some(ports) = ports.filter(|_| spec.expose.is_empty()) {
                let ports: Vec<String> = ports.iter().map(ToString::to_string).collect();
                warnings.push(format!(
                    "{key}: its image exposes {}, where other hosts reach it from its next change on, or once its file names it under `expose`",
                    ports.join(", ")
                ));
            }
        } else if let Some(ports) = ports {
            spec.expose = ports.iter().map(|port| ExposedPort { port: *port, protocol: Protocol::Tcp }).collect();
        }
    }
    warnings
}
