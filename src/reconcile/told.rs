//! What the journal says of an action.

use jiff::Timestamp;

use super::region::{Done, Ended};
use crate::{model::JournalEntry, plan::Action, text::Text};

/// The journal's line for an action that ended; none for one that was never begun.
pub(super) fn entry_of(ended: &Ended, at: Timestamp) -> Option<JournalEntry> {
    let result = ended.result.as_ref()?;
    let (what, service) = match &ended.action {
        Action::Pull { image, service, .. } => (format!("pull {image}"), Some(service.clone())),
        Action::Learn { service, revision, .. } => {
            (format!("read what the image of {service} r{revision} exposes"), Some(service.clone()))
        }
        Action::Test { service, revision, .. } => (format!("test {service} at r{revision}"), Some(service.clone())),
        Action::Clear { service, .. } => (format!("remove the test of {service}"), Some(service.clone())),
        Action::Create { replica, revision, .. } => {
            (format!("start {replica} at r{revision}"), Some(replica.service.clone()))
        }
        Action::Start { replica, .. } => (format!("start {replica} again"), Some(replica.service.clone())),
        Action::Stop { replica, why, .. } => (format!("stop {replica}: {why}"), Some(replica.service.clone())),
        Action::Tidy { stack, .. } => (format!("remove the networks of {stack}"), None),
        Action::Prune { what, id, .. } => (format!("remove {} {id}", what.word()), None),
    };
    let (what, is_error) = match result {
        Ok(Done::Removed(told)) => (format!("{what}: {told}"), false),
        Ok(_) => (what, false),
        Err(failed) => (format!("{what}: {}", failed.error), true),
    };
    Some(JournalEntry {
        at,
        command: None,
        region: Some(ended.fence.region.clone()),
        service,
        host: Some(ended.action.host().clone()),
        what: Text::new(&what),
        is_error,
    })
}
