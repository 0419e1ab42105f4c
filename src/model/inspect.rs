//! What is asked of an engine about one container, or about itself, and what it answers.

use jiff::Timestamp;
use serde::Serialize;

use super::{ContainerId, EngineEvent, Fact, HostName, Veil};
use crate::text::Text;

/// What is looked at from the inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A container of a host.
    Container {
        /// On which host.
        host: HostName,
        /// Which.
        id: ContainerId,
        /// The id of its image, as far as it is known.
        image: Text,
    },
    /// The engine of a host itself.
    Host(HostName),
}

impl Subject {
    /// The host that is asked.
    pub fn host(&self) -> &HostName {
        match self {
            Self::Container { host, .. } | Self::Host(host) => host,
        }
    }

    /// Everything that can be asked about it.
    pub fn parts(&self) -> &'static [Part] {
        match self {
            Self::Container { .. } => {
                &[Part::Container, Part::Processes, Part::Files, Part::Image, Part::Layers, Part::Events]
            }
            Self::Host(_) => &[Part::Info, Part::Version, Part::Events],
        }
    }
}

/// One of the calls that a subject is put together from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// All that the engine knows of the container.
    Container,
    /// What runs in it.
    Processes,
    /// What it changed of its image's files.
    Files,
    /// All that the engine knows of its image.
    Image,
    /// The steps that made its image.
    Layers,
    /// What the engine says of its machine and itself.
    Info,
    /// Versions of the engine's parts.
    Version,
    /// What the engine remembers of what happened to it.
    Events,
}

impl Part {
    /// Its name in documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::Container => "inspect",
            Self::Processes => "processes",
            Self::Files => "files",
            Self::Image => "image",
            Self::Layers => "layers",
            Self::Info => "info",
            Self::Version => "version",
            Self::Events => "events",
        }
    }

    /// True for what changes from second to second.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Container | Self::Processes | Self::Info)
    }
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Grows from question to question, so that a late answer can be told.
    pub number: u64,
    /// About what.
    pub subject: Subject,
    /// Which parts of it.
    pub parts: Vec<Part>,
}

/// What is answered, one part at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct PartTold {
    /// The number of the question.
    pub number: u64,
    /// Which part.
    pub part: Part,
    /// What was told, or why it cannot be.
    pub told: Result<Told, Text>,
}

/// The content of an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Told {
    /// A document of the engine.
    Facts(Fact),
    /// What runs in a container.
    Processes(Processes),
    /// What it changed.
    Files(Files),
    /// What made its image.
    Layers(Layers),
    /// What happened to it, in order.
    Events(Vec<EngineEvent>),
}

impl Told {
    /// The same without what is known to be confidential.
    #[must_use]
    pub fn veiled(self, veil: &Veil) -> Self {
        let hide = |text: Text| Text::new(&veil.hide(text.as_str()));
        match self {
            Self::Facts(fact) => Self::Facts(fact.veiled(veil)),
            Self::Processes(Processes { titles, rows, left_out }) => {
                let rows = rows.into_iter().map(|row| row.into_iter().map(hide).collect()).collect();
                Self::Processes(Processes { titles, rows, left_out })
            }
            Self::Files(files) => {
                let changes = files.changes.into_iter().map(|it| FileChange { path: hide(it.path), ..it }).collect();
                Self::Files(Files { changes, ..files })
            }
            Self::Layers(Layers { layers, left_out }) => {
                let layers = layers.into_iter().map(|layer| Layer { by: hide(layer.by), ..layer }).collect();
                Self::Layers(Layers { layers, left_out })
            }
            Self::Events(events) => {
                let event =
                    |event: EngineEvent| EngineEvent { action: hide(event.action), name: hide(event.name), ..event };
                Self::Events(events.into_iter().map(event).collect())
            }
        }
    }
}

/// The processes of a container, as its engine's `ps` tells them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Processes {
    /// The heads of the columns.
    pub titles: Vec<Text>,
    /// A cell for each of them.
    pub rows: Vec<Vec<Text>>,
    /// Processes that are not told.
    pub left_out: usize,
}

/// What a container changed of its image's files.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Files {
    /// By path.
    pub changes: Vec<FileChange>,
    /// Added in all.
    pub added: usize,
    /// Changed in all.
    pub changed: usize,
    /// Deleted in all.
    pub deleted: usize,
    /// Changes that are not told.
    pub left_out: usize,
}

/// One changed file or directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileChange {
    /// What became of it.
    pub change: Changed,
    /// Where.
    pub path: Text,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Changed {
    /// It is another than in the image; of a directory: something in it is.
    Changed,
    /// The image does not have it.
    Added,
    /// The image has it.
    Deleted,
}

impl Changed {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Added => "added",
            Self::Deleted => "deleted",
        }
    }
}

/// The steps that made an image, the last first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Layers {
    /// The steps.
    pub layers: Vec<Layer>,
    /// Steps that are not told.
    pub left_out: usize,
}

/// One step that made an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Layer {
    /// When.
    pub created: Option<Timestamp>,
    /// The command that made it.
    pub by: Text,
    /// Bytes that it added.
    pub size: u64,
    /// Names of the image up to here.
    pub tags: Vec<Text>,
}
