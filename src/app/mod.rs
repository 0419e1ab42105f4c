//! The program without its terminal: state, messages, commands, views. Pure: time comes in with messages, what is
//! to be done goes out as effects.
//!
//! [`State`] takes a [`Msg`] in [`update`] and is brought up to date by [`State::settle`] before it is drawn. The
//! same messages give the same state. [`command`] holds the one registry of commands; [`views`] the tables,
//! [`pages`] everything else that is shown, both as text with meaning, without colours.

mod access;
pub mod alarms;
pub mod balance;
pub mod charts;
pub mod command;
pub mod draft;
pub mod drains;
pub mod faults;
pub mod filter;
pub mod flow;
pub mod graph;
pub mod history;
pub mod ids;
pub mod index;
pub mod input;
pub mod inspect;
pub mod key;
pub mod keymap;
pub mod layout;
pub mod line;
pub mod logs;
pub mod msg;
pub mod news;
pub mod overlay;
pub mod pace;
pub mod pages;
pub mod phases;
pub mod picker;
pub mod planning;
pub mod prefs;
mod recount;
pub mod rights;
pub mod rows;
pub mod screen;
pub mod series;
mod settle;
pub mod state;
pub mod status;
pub mod storage;
pub mod table;
pub mod term;
pub mod tour;
mod update;
pub mod views;
pub mod wall;

pub use msg::{Effect, Mode, Mouse, MouseAct, Msg, Redraw, StoreView, Update, Visit};
pub use state::State;
pub use update::update;

/// The stack that the selection is about.
pub fn access_stack(state: &State) -> Option<ids::StackId> {
    access::stack(state)
}
