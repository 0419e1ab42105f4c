//! Pure: relations between entries, services, replicas and hosts, and the questions that they answer.
//!
//! [`Web`] holds who needs whom, from the entry, `depends_on`, what was seen and shared networks. [`around`] and [`whole`]
//! put a part of it into ordered [`Layers`], [`wires`] draws the edges between two of these, [`export`] writes it for others.
//! [`loss_of`] says what goes when something goes.

mod export;
mod layers;
mod loss;
mod needs;
mod web;
mod wires;

pub use export::{Format, export};
pub use layers::{Edge, Layers, Spot, Way, around, whole};
pub use loss::{Below, EntryLoss, Gone, Ground, Loss, loss_of};
pub use needs::{Need, Needs, needs};
pub use web::{End, Web};
pub use wires::{Cell, GUTTER, Wire, wires};
