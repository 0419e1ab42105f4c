//! Image references and the simulated registry, which has every image that a script does not take out of it.

use super::num;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// `name:tag@digest`, taken apart. The name is in Docker's short form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reference {
    pub(super) name: String,
    pub(super) tag: Option<String>,
    pub(super) digest: Option<String>,
}

impl Reference {
    pub(super) fn parse(text: &str) -> Self {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.to_owned())),
            None => (text, None),
        };
        let colon = rest.rfind(':').filter(|colon| rest.rfind('/').is_none_or(|slash| slash < *colon));
        let (name, tag) = match colon.and_then(|at| rest.split_at_checked(at)) {
            Some((name, tag)) => (name, Some(tag.trim_start_matches(':').to_owned())),
            None => (rest, None),
        };
        let short = name.strip_prefix("docker.io/").unwrap_or(name);
        let short = short.strip_prefix("library/").unwrap_or(short);
        Self { name: short.to_owned(), tag: tag.filter(|tag| !tag.is_empty()), digest }
    }

    /// The tag, `latest` when none is given.
    pub(super) fn tag(&self) -> &str {
        self.tag.as_deref().unwrap_or("latest")
    }
}

/// All simulated engines of a fleet ask one registry, so a digest means the same everywhere.
/// Digests are the SHA-256 of `name:tag`.
#[derive(Debug, Default)]
pub struct Registry {
    known: Mutex<BTreeMap<String, (String, String)>>,
}

impl Registry {
    /// The digest (`sha256:…`) of `name:tag`; from then on the digest itself can be pulled too.
    pub fn digest(&self, name: &str, tag: &str) -> String {
        let digest = format!("sha256:{}", num::sha256(&format!("{name}:{tag}")));
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(digest.clone()).or_insert_with(|| (name.to_owned(), tag.to_owned()));
        digest
    }

    /// Which name and tag a digest was made from, if this registry ever told it.
    pub(super) fn origin(&self, digest: &str) -> Option<(String, String)> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(digest).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let parts = |text: &str| {
            let r = Reference::parse(text);
            (r.name.clone(), r.tag().to_owned(), r.digest)
        };
        assert_eq!(parts("nginx"), ("nginx".into(), "latest".into(), None));
        assert_eq!(parts("docker.io/library/nginx:1"), ("nginx".into(), "1".into(), None));
        assert_eq!(parts("10.0.0.1:5000/app"), ("10.0.0.1:5000/app".into(), "latest".into(), None));
        assert_eq!(parts("a/b:2@sha256:ff"), ("a/b".into(), "2".into(), Some("sha256:ff".into())));
    }

    #[test]
    fn digests_lead_back_to_their_tag() {
        let registry = Registry::default();
        let digest = registry.digest("app", "bad");
        assert_eq!(registry.origin(&digest), Some(("app".to_owned(), "bad".to_owned())));
        assert_eq!(registry.origin("sha256:00"), None);
        assert_eq!(digest, Registry::default().digest("app", "bad"));
    }
}
