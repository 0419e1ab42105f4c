//! The terminal: taking it and giving it back, keys, frames, colours. Draws what [`crate::app`] holds and knows
//! nothing of engines or stores: what they tell comes as messages, what they shall do goes out as effects.
//!
//! [`run`] is the whole of it. [`Frames`] and [`draw::draw`] serve tests and benchmarks as well.

pub mod alert;
pub mod clipboard;
pub mod draw;
mod dump;
mod frame;
mod input;
mod join;
mod outbox;
mod passthrough;
mod reader;
mod ready;
mod run;
mod signals;
pub mod term;
pub mod theme;
mod visit;
mod writer;

pub use frame::Frames;
pub use run::{Look, Outcome, run, run_with};
pub use term::TermError;
pub use theme::Theme;
pub use visit::{Visit, visit};
