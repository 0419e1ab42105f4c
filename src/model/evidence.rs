//! What a container itself says of why it is not well.

use serde::Serialize;

use super::{ContainerId, HostName, ServiceSpec, mask};
use crate::text::Text;

/// What only the engine can tell, asked for when somebody wants to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// On which host.
    pub host: HostName,
    /// Of which container.
    pub container: ContainerId,
    /// What its health check printed last; empty without one.
    pub check: Vec<Text>,
    /// The end of its log, or why that cannot be read.
    pub log: Vec<Text>,
}

impl Evidence {
    /// The same without what the service was given in confidence.
    #[must_use]
    pub fn masked(self, spec: Option<&ServiceSpec>) -> Self {
        let hide = |lines: Vec<Text>| lines.iter().map(|line| Text::new(&mask(line.as_str(), spec))).collect();
        Self { check: hide(self.check), log: hide(self.log), ..self }
    }
}
