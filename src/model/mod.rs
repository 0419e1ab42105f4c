//! The words of the design as types. Pure data: no I/O, no clock.
//!
//! [`Fleet`] is what the file says, [`Desired`] what shall be, [`Observed`] what is seen, an [`Operation`] how a
//! command turns the first into the second.

mod access;
mod address;
mod adopt;
mod audit;
mod command;
mod container;
mod desired;
mod evidence;
mod fact;
mod fleet;
mod ids;
mod inspect;
mod log;
mod mask;
mod observed;
mod operation;
mod proxy;
mod record;
mod spec;
mod spec_deploy;
mod spec_diff;
mod spec_parts;
mod storage;
mod update;

pub use access::*;
pub use address::free_address;
pub use adopt::*;
pub use audit::{Anchor, AuditEntry, Chain, Deed, NO_HASH, Origin, Walk};
pub use command::*;
pub use container::*;
pub use desired::*;
pub use evidence::*;
pub use fact::Fact;
pub use fleet::*;
pub use ids::*;
pub use inspect::*;
pub use log::*;
pub use mask::{MASKED, Veil, credentials, is_confident, mask, tells_of_next};
pub use observed::*;
pub use operation::*;
pub use proxy::*;
pub use record::{Inspection, Recalled, Record};
pub use spec::*;
pub use spec_deploy::*;
pub use spec_diff::{Change, diff};
pub use spec_parts::*;
pub use storage::*;
pub use update::*;
