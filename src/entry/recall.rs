//! Certificates as the proxies have them, for a store that was lost: nothing else on the hosts holds them.

use std::collections::{BTreeMap, BTreeSet};

use super::config::Layout;
use crate::{
    engine::{EngineError, Reader},
    model::{Sensitive, short_digest},
};

/// The contents of certificates by digest, as far as the proxies of a host have them.
pub async fn certificates(
    reader: &Reader,
    wanted: &BTreeSet<String>,
) -> Result<BTreeMap<String, Sensitive>, EngineError> {
    let mut found = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(found);
    }
    let layout = Layout::container();
    for proxy in reader.proxies().await? {
        for digest in wanted {
            if found.contains_key(digest) {
                continue;
            }
            let file = reader.file(&proxy.id, &layout.certificate(digest)).await?;
            if let Some(pem) = file.filter(|pem| short_digest(pem.reveal().as_bytes()) == *digest) {
                found.insert(digest.clone(), pem);
            }
        }
    }
    Ok(found)
}
