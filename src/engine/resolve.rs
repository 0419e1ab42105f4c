//! An image's name resolved to what it means now, so that all replicas of a revision run the same.

use std::{collections::BTreeSet, time::Duration};

use http::Method;

use super::{
    auth,
    error::{EngineError, ErrorKind, Fault},
    http::{encode, parse, within},
    image::{ImageName, is_digest},
    reader::{Reader, SHORT},
    wire,
};

/// The engine asks the registry meanwhile.
const ASK_REGISTRY: Duration = Duration::from_secs(30);

/// What an image's name means now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedImage {
    /// The name with its digest, `repo@sha256:…`; the name as written where only this host has the image.
    pub image_with_digest: String,
    /// No registry knows it; it is only on this host.
    pub local_only: bool,
}

impl Reader {
    /// Resolves an image's name: asks its registry through the engine, with the operator's credentials. Where the
    /// registry does not know it or cannot be asked, an image of that name on the host is taken.
    pub async fn resolve_digest(&self, image: &str) -> Result<ResolvedImage, EngineError> {
        let tried = "look up an image";
        let name = ImageName::parse(image);
        if let Some(digest) = name.digest {
            let fault = || Fault::new(ErrorKind::Invalid, "the digest of the image is no digest", "correct it");
            return if is_digest(digest) {
                Ok(ResolvedImage { image_with_digest: name.with_digest(digest), local_only: false })
            } else {
                Err(fault().at(&self.host, tried))
            };
        }
        let refusal = match self.ask_registry(&name, image).await {
            Ok(digest) => {
                return Ok(ResolvedImage { image_with_digest: name.with_digest(&digest), local_only: false });
            }
            // Credentials that are wrong must be mended, not hidden behind an old copy.
            Err(error) if error.is_link() => return Err(error),
            Err(error) => error,
        };
        match self.local_image(image).await {
            Ok(found) => {
                // A pulled image remembers what its registry called it.
                let pinned = found.digests.iter().find_map(|known| {
                    let known = ImageName::parse(known);
                    known.digest.filter(|digest| known.repository == name.repository && is_digest(digest))
                });
                Ok(match pinned {
                    Some(digest) if refusal.kind != ErrorKind::NoSuchImage => {
                        ResolvedImage { image_with_digest: name.with_digest(digest), local_only: false }
                    }
                    _ => ResolvedImage { image_with_digest: image.to_owned(), local_only: true },
                })
            }
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::NoSuchImage) => Err(refusal),
            Err(error) => Err(error),
        }
    }

    async fn ask_registry(&self, name: &ImageName<'_>, image: &str) -> Result<String, EngineError> {
        let tried = "look up an image in its registry";
        let session = self.session(tried)?;
        let asked = async {
            let headers = auth::headers(&session, image).await?;
            let path = format!("/distribution/{}:{}/json", slashes(name.repository), slashes(name.tag_or_latest()));
            let response = session.http.send(Method::GET, &path, headers, None).await?;
            let body = http_body_util::BodyExt::collect(http_body_util::Limited::new(response.into_body(), 1 << 20))
                .await
                .map_err(|error| super::http::broken(&*error))?
                .to_bytes();
            let found: wire::Distribution = parse(&body)?;
            if is_digest(&found.descriptor.digest) {
                Ok(found.descriptor.digest)
            } else {
                Err(Fault::new(ErrorKind::Garbage, "the registry names no digest", ""))
            }
        };
        within(ASK_REGISTRY, asked).await.map_err(|fault| {
            let kind = match fault.kind {
                ErrorKind::NotFound => ErrorKind::NoSuchImage,
                // Of this one path it is the registry that is late, not the engine.
                ErrorKind::Late => ErrorKind::RegistryUnreachable,
                ErrorKind::LostAnswer => ErrorKind::Unreachable,
                ErrorKind::Refused => ErrorKind::RegistryRefused,
                kind => kind,
            };
            Fault { kind, ..fault }.at(&self.host, tried)
        })
    }

    /// The TCP ports that an image of this host says it listens on; none when the host does not have it.
    pub async fn exposed(&self, image: &str) -> Result<Option<BTreeSet<u16>>, EngineError> {
        match self.local_image(image).await {
            Ok(found) => {
                let tcp = |key: &String| key.strip_suffix("/tcp").unwrap_or(key).parse().ok();
                Ok(Some(found.config.exposed.keys().filter_map(tcp).collect()))
            }
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::NoSuchImage) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// True when the host has the image already: nothing to pull.
    pub async fn has_image(&self, image: &str) -> Result<bool, EngineError> {
        match self.local_image(image).await {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::NoSuchImage) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn local_image(&self, image: &str) -> Result<wire::InspectedImage, EngineError> {
        let tried = "look up an image on the host";
        let session = self.session(tried)?;
        let found = session.http.json(&format!("/images/{}/json", slashes(image)), SHORT).await;
        found.map_err(|fault| fault.at(&self.host, tried))
    }
}

/// A name in a path: what separates its parts stays, as engines expect there.
fn slashes(name: &str) -> String {
    encode(name).replace("%2F", "/").replace("%3A", ":").replace("%40", "@")
}
