//! What new revisions change, for people.

use super::{Difference, World, lookup};
use crate::{
    model::{Revision, diff},
    text::{Text, short_image},
};

/// What each new revision changes against the one that runs now. A service that is new has nothing to compare with.
pub(crate) fn differences(world: &World<'_>, fresh: &[Revision]) -> Vec<Difference> {
    fresh
        .iter()
        .filter_map(|revision| {
            let current = lookup::current(world, &revision.service)?;
            let mut lines: Vec<String> = diff(&current.spec, &revision.spec)
                .iter()
                .map(|change| Text::new(&change.to_string()).to_string())
                .collect();
            // One tag may mean another content by now.
            if current.image != revision.image && current.spec.image == revision.spec.image {
                let line = format!("image: {} → {}", short_image(&current.image), short_image(&revision.image));
                lines.push(Text::new(&line).to_string());
            }
            Some(Difference { service: revision.service.clone(), before: current.no, after: revision.no, lines })
        })
        .filter(|difference| !difference.lines.is_empty())
        .collect()
}
