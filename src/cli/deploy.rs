//! `wharf deploy`: a Compose file becomes a plan.

use std::{collections::BTreeMap, process::ExitCode};

use futures::{StreamExt, stream};

use super::{Context, Failure, act, args::DeployArgs, look, print, wait};
use crate::{
    compose,
    engine::Reader,
    model::{RegionName, ServiceName, StackSpec},
    plan,
};

/// Images resolved at once.
const AT_ONCE: usize = 8;

/// Reads the file, resolves images to digests through the hosts' own registries, then goes on as all acting
/// commands do.
pub(super) async fn run(context: Context, args: DeployArgs) -> Result<ExitCode, Failure> {
    let deadline = wait::parse(&args.act.wait)?;
    let loaded = compose::load(&compose::Source {
        files: args.files.clone(),
        env: std::env::vars().collect(),
        profiles: args.profiles.clone(),
        project: args.stack.clone(),
        env_files: args.env_files.clone(),
    })?;
    for warning in &loaded.warnings {
        print::complain(&warning.to_string());
    }
    let store = context.store()?;
    let seen = look::look(context, store.as_ref()).await?.or_blind()?;
    let images = resolve(&seen, &loaded.stack).await?;
    let plan = plan::deploy(&seen.world(), &loaded.stack, &images, &seen.context.who)?;
    act::finish(&seen.context, store, &args.act, plan, deadline).await
}

/// Each service's image with its digest, as a host of the service's own regions resolves it.
async fn resolve(seen: &look::Seen, stack: &StackSpec) -> Result<BTreeMap<ServiceName, String>, Failure> {
    let wanted: Vec<(&ServiceName, &str, Vec<Reader>)> = stack
        .services
        .iter()
        .map(|(name, spec)| (name, spec.image.as_str(), readers(seen, &spec.wharf.regions)))
        .collect();
    let mut resolved: BTreeMap<&str, String> = BTreeMap::new();
    let unique: BTreeMap<&str, &Vec<Reader>> = wanted.iter().map(|(_, image, readers)| (*image, readers)).collect();
    let results: Vec<_> = stream::iter(unique)
        .map(|(image, readers)| async move { (image, resolve_one(image, readers).await) })
        .buffered(AT_ONCE)
        .collect()
        .await;
    let mut errors = Vec::new();
    for (image, result) in results {
        match result {
            Ok(digest) => {
                resolved.insert(image, digest);
            }
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(Failure::Failed(format!("{}\nnothing was changed", errors.join("\n"))));
    }
    Ok(wanted
        .iter()
        .filter_map(|(name, image, _)| resolved.get(image).map(|digest| ((*name).clone(), digest.clone())))
        .collect())
}

/// Asks one host after the other: the first that knows the image decides for all.
async fn resolve_one(image: &str, readers: &[Reader]) -> Result<String, String> {
    let mut last = format!("image {image}: no host can be asked for its digest");
    for reader in readers {
        match reader.resolve_digest(image).await {
            Ok(found) => return Ok(found.image_with_digest),
            // The engine's words name the image only now and then.
            Err(error) => last = format!("image {image}: {error}"),
        }
    }
    Err(last)
}

/// Hosts to ask: seen ones of the service's regions, three at most.
fn readers(seen: &look::Seen, regions: &[RegionName]) -> Vec<Reader> {
    seen.observed
        .hosts
        .values()
        .filter(|host| host.is_seen() && (regions.is_empty() || regions.contains(&host.region)))
        .filter_map(|host| seen.observer.reader(&host.name))
        .take(3)
        .collect()
}
