//! Image names: when two are the same, and whether a host has one.

use super::Memory;
use crate::{
    model::{HostView, Stored},
    text::Text,
};

/// An image name taken apart, with what Docker leaves out put back.
#[derive(Debug, PartialEq, Eq)]
struct Name<'a> {
    /// `docker.io/library/redis`, without tag and digest.
    registry: &'a str,
    path: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

fn parse(name: &str) -> Name<'_> {
    let (rest, digest) = match name.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (name, None),
    };
    // A colon after the last slash begins a tag; one before it a registry's port.
    let (repository, tag) = match rest.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
        _ => (rest, None),
    };
    let (registry, path) = match repository.split_once('/') {
        Some((first, path)) if first.contains(['.', ':']) || first == "localhost" => (first, path),
        _ => ("docker.io", repository),
    };
    let registry = if registry == "index.docker.io" { "docker.io" } else { registry };
    let path = if registry == "docker.io" { path.strip_prefix("library/").unwrap_or(path) } else { path };
    Name { registry, path, tag, digest }
}

/// True when the name pins the content: `repo@sha256:…` or an image id.
pub(crate) fn is_pinned(name: &str) -> bool {
    name.contains("@sha256:") || name.starts_with("sha256:")
}

/// True when a host has the image, as it was last listed or as this reconciler pulled it.
pub(crate) fn is_present(view: &HostView, wanted: &str, memory: Option<&Memory>) -> bool {
    let pulled = |memory: &Memory| memory.pulled.contains(&(view.name.clone(), wanted.to_owned()));
    let is_bare = memory.is_some_and(|memory| memory.bare.contains(&view.name));
    memory.is_some_and(pulled) || listed(view, wanted) || (!is_bare && in_use(view, wanted))
}

fn listed(view: &HostView, wanted: &str) -> bool {
    view.images.iter().any(|image| {
        let names = image.digests.iter().chain(&image.tags);
        is_called(image.id.as_str(), names.map(Text::as_str), wanted)
    })
}

/// True when what a host keeps is the image of that name.
pub(crate) fn is_image(thing: &Stored, wanted: &str) -> bool {
    is_called(thing.id.as_str(), [&thing.name].into_iter().chain(&thing.more).map(Text::as_str), wanted)
}

/// True when an image of that id and these names, tags and digests, is the wanted one.
fn is_called<'a>(id: &str, mut names: impl Iterator<Item = &'a str>, wanted: &str) -> bool {
    if wanted.starts_with("sha256:") {
        return id == wanted;
    }
    let want = parse(wanted);
    names.any(|name| {
        let have = parse(name);
        let same = have.registry == want.registry && have.path == want.path;
        same && if want.digest.is_some() {
            have.digest == want.digest
        } else {
            have.digest.is_none() && have.tag.unwrap_or("latest") == want.tag.unwrap_or("latest")
        }
    })
}

/// No engine removes an image that a container uses without being forced to, so a container proves it while the image list
/// is late.
fn in_use(view: &HostView, wanted: &str) -> bool {
    view.containers.values().any(|container| container.image.as_str() == wanted)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{model::Image, text::Text};

    fn view(tags: &[&str], digests: &[&str]) -> HostView {
        let name = "e-1".parse().unwrap();
        let mut view = HostView::unseen(name, "east".parse().unwrap(), "unix:///x".into(), Timestamp::UNIX_EPOCH);
        view.images = vec![Image {
            id: Text::new("sha256:77"),
            tags: tags.iter().copied().map(Text::new).collect(),
            digests: digests.iter().copied().map(Text::new).collect(),
            size: 1,
        }];
        view
    }

    #[test]
    fn names_are_compared_as_docker_reads_them() {
        let host =
            view(&["redis:7", "10.0.0.5:5000/app:2", "redis:latest"], &["redis@sha256:aa", "ghcr.io/a/b@sha256:cc"]);
        for here in [
            "redis:7",
            "docker.io/library/redis:7",
            "index.docker.io/library/redis",
            "redis",
            "10.0.0.5:5000/app:2",
            "redis@sha256:aa",
            "redis:7@sha256:aa",
            "ghcr.io/a/b@sha256:cc",
            "sha256:77",
        ] {
            assert!(is_present(&host, here, None), "{here}");
        }
        for absent in ["redis:8", "10.0.0.5:5000/app", "other@sha256:aa", "redis@sha256:bb", "sha256:78", "a/redis:7"] {
            assert!(!is_present(&host, absent, None), "{absent}");
        }
    }

    #[test]
    fn a_pull_that_succeeded_counts_before_it_is_listed() {
        let mut memory = Memory::default();
        memory.pulled.insert(("e-1".parse().unwrap(), "app:9".into()));
        assert!(is_present(&view(&[], &[]), "app:9", Some(&memory)));
        assert!(!is_present(&view(&[], &[]), "app:9", None));
    }
}
