//! Names of images: which registry they are in, and how they are pinned to a digest.

/// The key of Docker Hub in credential files. It is older than the registry protocol in use.
pub(crate) const HUB: &str = "https://index.docker.io/v1/";

/// The parts of an image's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageName<'a> {
    /// The registry's host and port; none for Docker Hub.
    pub registry: Option<&'a str>,
    /// The name without tag and digest, registry included.
    pub repository: &'a str,
    /// The tag, where one is written.
    pub tag: Option<&'a str>,
    /// The digest, where one is written: `sha256:…`.
    pub digest: Option<&'a str>,
}

impl<'a> ImageName<'a> {
    /// Takes a name apart as engines do: the first part is a registry if it has a dot or a colon, or is `localhost`.
    pub(crate) fn parse(name: &'a str) -> Self {
        let (rest, digest) = name.split_once('@').map_or((name, None), |(rest, digest)| (rest, Some(digest)));
        let (repository, tag) = match rest.rsplit_once(':') {
            // A colon before a slash belongs to the registry's port.
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
            _ => (rest, None),
        };
        let registry = repository
            .split_once('/')
            .map(|(first, _)| first)
            .filter(|first| first.contains(['.', ':']) || *first == "localhost")
            .filter(|first| !matches!(*first, "docker.io" | "index.docker.io"));
        Self { registry, repository, tag, digest }
    }

    /// The key of its registry in credential files.
    pub(crate) fn credential_key(&self) -> &'a str {
        self.registry.unwrap_or(HUB)
    }

    /// The tag that is meant where neither tag nor digest is written.
    pub(crate) fn tag_or_latest(&self) -> &'a str {
        self.tag.unwrap_or("latest")
    }

    /// The name pinned to a digest.
    pub(crate) fn with_digest(&self, digest: &str) -> String {
        format!("{}@{digest}", self.repository)
    }
}

/// True for what a registry calls a digest: nothing else may get into a name.
pub(crate) fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(kind, hex)| {
        matches!(kind, "sha256" | "sha512") && hex.len() >= 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_as_engines_do() {
        for (name, registry, repository, tag, digest) in [
            ("redis", None, "redis", None, None),
            ("redis:7", None, "redis", Some("7"), None),
            ("library/redis:7", None, "library/redis", Some("7"), None),
            ("docker.io/library/redis", None, "docker.io/library/redis", None, None),
            ("10.77.0.1:5000/app:1", Some("10.77.0.1:5000"), "10.77.0.1:5000/app", Some("1"), None),
            ("localhost/app", Some("localhost"), "localhost/app", None, None),
            ("r.example/a/b@sha256:ab", Some("r.example"), "r.example/a/b", None, Some("sha256:ab")),
            ("r.example:443/a:1@sha256:ab", Some("r.example:443"), "r.example:443/a", Some("1"), Some("sha256:ab")),
        ] {
            assert_eq!(ImageName::parse(name), ImageName { registry, repository, tag, digest }, "{name}");
        }
        assert_eq!(ImageName::parse("redis:7").credential_key(), HUB);
        assert_eq!(ImageName::parse("r:5/a:1").with_digest("sha256:ff"), "r:5/a@sha256:ff");
    }

    #[test]
    fn only_digests_are_digests() {
        assert!(is_digest(&format!("sha256:{}", "0f".repeat(32))));
        for bad in ["", "sha256:", "sha256:zz", "md5:00", &format!("sha256:{}\x1b", "0f".repeat(32))] {
            assert!(!is_digest(bad), "{bad:?}");
        }
    }
}
