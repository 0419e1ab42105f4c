//! Pure: relations between services and hosts, and the questions that they answer.
//!
//! Edges come from `depends_on` of the newest revisions and from where desired state places replicas.

mod loss;
mod needs;

pub use loss::{Loss, loss_of};
pub use needs::{Need, Needs, needs};
