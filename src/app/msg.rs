//! What comes in and what goes out. Everything that changes the state is a message; everything that the program
//! wants done is an effect, run by the shell.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{key::Key, prefs::Prefs};
use crate::{
    model::{
        CommandId, ContainerId, Desired, Evidence, HostName, HostUpdate, JournalEntry, Lease, LogBatch, LogQuery,
        Operation, PartTold, Proposal, Question, RegionName, ServiceKey, Storage,
    },
    text::Text,
};

/// What the program may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Everything.
    #[default]
    Normal,
    /// Looks, and says so when asked to act.
    ReadOnly,
    /// A screen on a wall: looks, and knows no action at all.
    Watch,
    /// Everything, on simulated hosts.
    Demo,
}

impl Mode {
    /// True when changes can be drafted.
    pub fn can_act(self) -> bool {
        matches!(self, Self::Normal | Self::Demo)
    }
}

/// One reading of the store.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StoreView {
    /// What shall be.
    pub desired: Arc<Desired>,
    /// The latest operations, any order.
    pub operations: Vec<Operation>,
    /// Who reconciles which region.
    pub leases: Vec<Lease>,
    /// The newest lines of the journal, any order.
    pub journal: Vec<JournalEntry>,
}

impl StoreView {
    /// Leases by region.
    pub fn leases_by_region(&self) -> BTreeMap<&RegionName, &Lease> {
        self.leases.iter().map(|lease| (&lease.region, lease)).collect()
    }
}

/// What a mouse does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MouseAct {
    /// A notch of the wheel, away from the hand.
    WheelUp,
    /// A notch towards the hand.
    WheelDown,
    /// The left button goes down.
    Click,
}

/// What a mouse does, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mouse {
    /// What.
    pub act: MouseAct,
    /// Cells from the left edge.
    pub x: u16,
    /// Rows from the top.
    pub y: u16,
}

/// What comes in.
#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    /// A key.
    Key(Key),
    /// The mouse, where somebody asked for it.
    Mouse(Mouse),
    /// Pasted text: goes into an input or nowhere.
    Paste(String),
    /// The terminal's new size, in columns and rows.
    Resize(u16, u16),
    /// The terminal window gained or lost the focus.
    Focus(bool),
    /// What observers tell, in order.
    Hosts(Vec<HostUpdate>),
    /// A new reading of the store.
    Store(Arc<StoreView>),
    /// The store could not be read.
    StoreFailed(Text),
    /// Lines of what is followed.
    Logs(Box<LogBatch>),
    /// The answer to an [`Effect::Apply`], in the order of the effects.
    Applied(Result<Box<Operation>, Text>),
    /// The answer to an [`Effect::Ask`].
    Evidence(Box<Evidence>),
    /// What a host keeps, or why it does not say: an answer to an [`Effect::Survey`]. It comes twice, the second time
    /// with everything counted.
    Storage(HostName, Box<Result<Storage, Text>>),
    /// A part of the answer to an [`Effect::Inspect`].
    Inspected(Box<PartTold>),
    /// What the shell wants to say in one line, such as the outcome of a copy or dump.
    Say(Text),
    /// What the shell could not do.
    Failed(Text),
    /// The time. Comes before other messages and about once a second.
    Tick(Timestamp),
    /// The last frame that was drawn has been handed to the terminal.
    Shown,
}

/// A container that gets the terminal for a while. That changes nothing that is wanted, but a container can be changed
/// from its inside: who only looks may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// On which host.
    pub host: HostName,
    /// Which.
    pub container: ContainerId,
    /// Its name, for people.
    pub name: String,
    /// The service that it is of, for ours.
    pub service: Option<ServiceKey>,
    /// Its own process is talked with, instead of a shell beside it.
    pub attach: bool,
}

/// What the shell shall do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Ask the store to accept a change. Answered by [`Msg::Applied`].
    Apply(Box<Proposal>),
    /// List a host again.
    Resync(HostName),
    /// Connect to a host now.
    Reconnect(HostName),
    /// Sample containers fast that are on the screen, and the others slowly.
    Sample {
        /// What is on the screen.
        shown: Vec<(HostName, ContainerId)>,
        /// All others once in this time; none is not yet.
        round: Option<Duration>,
    },
    /// Follow what these containers print, and nothing else. Answered by [`Msg::Logs`], again and again.
    Follow(LogQuery),
    /// Follow nothing any more.
    Unfollow,
    /// Ask an engine what a container says of why it is not well. Answered by [`Msg::Evidence`].
    Ask(HostName, ContainerId),
    /// Ask engines what they keep. Answered by [`Msg::Storage`].
    Survey(Vec<HostName>),
    /// Ask an engine about a container or itself. Answered by one [`Msg::Inspected`] for each part.
    Inspect(Question),
    /// Put text into the clipboard of the terminal.
    Copy(String),
    /// Write the screen's text to a file. Answered by [`Msg::Say`] or [`Msg::Failed`].
    Dump(String),
    /// Keep how views are liked, for the next time.
    Remember(Prefs),
    /// Give the terminal to a container, and take it back when that ends. Answered by [`Msg::Say`] or [`Msg::Failed`].
    Visit(Visit),
    /// These things are newly wrong: ring, notify, run the hook, as far as that is asked for.
    Alert(Vec<String>),
    /// End an operation.
    Abort(CommandId),
    /// Let an operation stand still.
    Pause(CommandId),
    /// Let a paused operation go on.
    Resume(CommandId),
    /// Draw everything again.
    Repaint,
    /// Stop, and give the terminal back until the process is continued.
    Suspend,
    /// Leave.
    Quit,
}

impl Effect {
    /// True when it changes something outside of this program.
    pub fn mutates(&self) -> bool {
        matches!(self, Self::Apply(_) | Self::Visit(_) | Self::Abort(_) | Self::Pause(_) | Self::Resume(_))
    }
}

/// How soon a change must be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Redraw {
    /// Nothing visible changed.
    #[default]
    No,
    /// With the next frame of data.
    Soon,
    /// At once: an answer to a key.
    Now,
}

/// What an update leads to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Update {
    /// What to do, in order.
    pub effects: Vec<Effect>,
    /// How soon to draw.
    pub redraw: Redraw,
}
