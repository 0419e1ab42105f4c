//! `wharf deploy`: a Compose file becomes a plan.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::ExitCode,
};

use futures::{StreamExt, stream};

use super::{Context, Failure, act, args::DeployArgs, look, print, wait};
use crate::{
    compose,
    engine::Reader,
    model::{RegionName, ServiceKey, ServiceName, StackName, StackSpec},
    plan,
    text::Text,
};

/// Images resolved at once.
const AT_ONCE: usize = 8;

/// Reads the file, resolves images to digests through the hosts' own registries, then goes on as all acting
/// commands do.
pub(super) async fn run(context: Context, args: DeployArgs) -> Result<ExitCode, Failure> {
    let deadline = wait::parse(&args.act.wait)?;
    if let Some(stack) = args.stack.as_ref().filter(|_| !args.images.is_empty()) {
        return images(context, &args, stack, deadline).await;
    }
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
    let mut stack = loaded.stack;
    let known = exposed(&seen, &stack, &images).await;
    let told = plan::expose(&seen.world(), &mut stack, &images, &known);
    let mut plan = plan::deploy(&seen.world(), &stack, &images, &seen.context.who)?;
    plan.warnings.extend(told);
    act::finish(&seen.context, store, &args.act, plan, deadline).await
}

/// New images for services of a stack that runs.
async fn images(
    context: Context,
    args: &DeployArgs,
    stack: &str,
    deadline: std::time::Duration,
) -> Result<ExitCode, Failure> {
    let stack: StackName = stack.parse().map_err(|error| act::named(stack, "the name of a stack", &error))?;
    let store = context.store()?;
    let seen = look::look(context, store.as_ref()).await?.or_blind()?;
    let mut wanted: BTreeMap<ServiceName, (String, Vec<Reader>)> = BTreeMap::new();
    for image in &args.images {
        let wrong = |why: &str| Failure::Input(format!("--image {}: {why}; write SERVICE=IMAGE", Text::new(image)));
        let (service, written) = image.split_once('=').ok_or_else(|| wrong("it has no `=`"))?;
        let service: ServiceName =
            service.parse().map_err(|error: crate::model::NameError| wrong(&error.to_string()))?;
        if written.is_empty() {
            return Err(wrong("it names no image"));
        }
        let key = ServiceKey { stack: stack.clone(), service: service.clone() };
        let spec = plan::current(&seen.world(), &key).map(|revision| &revision.spec);
        let written = spec.map_or_else(|| written.to_owned(), |spec| retagged(&spec.image, written));
        let regions = spec.map(|spec| spec.wharf.regions.clone()).unwrap_or_default();
        if wanted.insert(service.clone(), (written, readers(&seen, &regions))).is_some() {
            return Err(wrong("the service is given twice"));
        }
    }
    // What does not exist is refused before any registry is asked.
    let as_written = wanted.iter().map(|(name, (image, _))| (name.clone(), (image.clone(), image.clone()))).collect();
    plan::new_images(&seen.world(), &stack, &as_written, &seen.context.who)?;
    let mut resolved = BTreeMap::new();
    for (name, (image, readers)) in wanted {
        let digest = resolve_one(&image, &readers)
            .await
            .map_err(|error| Failure::Failed(format!("{error}\nnothing was changed")))?;
        resolved.insert(name, (image, digest));
    }
    let plan = plan::new_images(&seen.world(), &stack, &resolved, &seen.context.who)?;
    act::finish(&seen.context, store, &args.act, plan, deadline).await
}

/// What is meant by an image as written: a tag alone (`1.4.2`) is one of the repository that runs.
fn retagged(now: &str, written: &str) -> String {
    let is_tag = written.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        && written.chars().next().is_some_and(|first| first.is_ascii_digit() || first == 'v');
    if !is_tag {
        return written.to_owned();
    }
    let name = now.split_once('@').map_or(now, |(name, _)| name);
    let repository = match name.rsplit_once(':') {
        // A colon before a slash is a registry's port.
        Some((repository, tag)) if !tag.contains('/') => repository,
        _ => name,
    };
    format!("{repository}:{written}")
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

/// The ports that images expose, of services whose file names none, as far as a host has the image. It only helps: what
/// is not known is a warning of the plan.
async fn exposed(
    seen: &look::Seen,
    stack: &StackSpec,
    images: &BTreeMap<ServiceName, String>,
) -> BTreeMap<ServiceName, BTreeSet<u16>> {
    let silent = plan::silent(stack).into_iter().filter_map(|name| {
        let spec = stack.services.get(&name)?;
        let image = images.get(&name).unwrap_or(&spec.image).clone();
        Some((name, image, readers(seen, &spec.wharf.regions)))
    });
    let asked = stream::iter(silent).map(|(name, image, readers)| async move {
        for reader in readers {
            if let Ok(Some(ports)) = reader.exposed(&image).await {
                return Some((name, ports));
            }
        }
        None
    });
    asked.buffered(AT_ONCE).filter_map(|found| async { found }).collect().await
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

#[cfg(test)]
mod tests {
    use super::retagged;

    #[test]
    fn a_tag_alone_keeps_the_repository() {
        for (now, written, image) in [
            ("app:1", "2", "app:2"),
            ("reg:5000/team/app:1@sha256:ab", "1.4.2", "reg:5000/team/app:1.4.2"),
            ("reg:5000/team/app", "v2-rc.1", "reg:5000/team/app:v2-rc.1"),
            ("app:1", "other:2", "other:2"),
            ("app:1", "other/app", "other/app"),
            ("app:1", "nginx", "nginx"),
        ] {
            assert_eq!(retagged(now, written), image);
        }
    }
}
