//! What can go wrong at the store, in words that say what to do next.

use std::{fmt, path::Path};

use rusqlite::ErrorCode;

use crate::model::{CommandId, RegionName};

/// Why the store refused or could not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// What the change touches was changed by someone else meanwhile.
    #[error("{0}")]
    Conflict(Conflict),
    /// The change contradicts itself or the store; nothing was written.
    #[error("{0}")]
    Invalid(String),
    /// Who asks may not, or has not confirmed it as it has to be; nothing was written.
    #[error("{0}")]
    Denied(String),
    /// Another reconciler holds the region now; nothing was written.
    #[error("the lease of region {region} is no longer ours (epoch {epoch}): another reconciler took over")]
    LeaseLost {
        /// The region.
        region: RegionName,
        /// The epoch that was shown.
        epoch: u64,
    },
    /// No operation of that id.
    #[error("there is no operation {id}: `wharf ops` lists the known ones")]
    NoOperation {
        /// The id.
        id: CommandId,
    },
    /// Several operations end in the same digits.
    #[error("`{suffix}` fits several operations: {}; write more digits", ids.join(", "))]
    Ambiguous {
        /// What was written.
        suffix: String,
        /// The full ids.
        ids: Vec<String>,
    },
    /// The operation has ended already.
    #[error("operation {} is {word} already", id.short())]
    Final {
        /// Which.
        id: CommandId,
        /// Its state in a word or two.
        word: &'static str,
    },
    /// The file is of a newer schema.
    #[error(
        "the store {path} was written by a newer wharf (schema {found}, this one knows {known}): update wharf on this machine"
    )]
    Newer {
        /// The file.
        path: String,
        /// Its schema.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// The file is of an older schema, and a reader may not change it.
    #[error(
        "the store {path} was written by an older wharf (schema {found}, this one wants {known}): run any command that may write, such as `wharf ops`, to bring it up to date"
    )]
    Older {
        /// The file.
        path: String,
        /// Its schema.
        found: i64,
        /// The one that this program reads.
        known: i64,
    },
    /// Not one of our files.
    #[error("{path} is not a wharf store ({why}): set another `store` in the fleet file, or move that file away")]
    Foreign {
        /// The file.
        path: String,
        /// What it is instead.
        why: String,
    },
    /// The file is damaged.
    #[error(
        "the store {path} is damaged ({detail}): keep a copy of it with its -wal file, and restore it from a backup or move it away to start with an empty one"
    )]
    Corrupt {
        /// The file.
        path: String,
        /// What SQLite says.
        detail: String,
    },
    /// Rights are missing.
    #[error("no permission to use the store {path} ({detail}): {advice}")]
    Permission {
        /// The file.
        path: String,
        /// What was refused.
        detail: String,
        /// What to do.
        advice: String,
    },
    /// No space.
    #[error("no space left for the store {path}: nothing of this was saved; free some space and repeat")]
    Full {
        /// The file.
        path: String,
    },
    /// Others kept the file locked.
    #[error("the store {path} stayed locked by another process for 5 s: repeat, or look for a wharf that hangs")]
    Busy {
        /// The file.
        path: String,
    },
    /// The file was removed or swapped under us.
    #[error("the store {path} was removed or replaced while in use: start wharf again")]
    Replaced {
        /// The file.
        path: String,
    },
    /// Anything else of the file system or of SQLite.
    #[error("the store {path} failed: {detail}")]
    Io {
        /// The file.
        path: String,
        /// What was said.
        detail: String,
    },
    /// The store's thread is gone: the program is ending.
    #[error("the store is closed")]
    Closed,
}

/// What others changed since a plan was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// One clause per change: `shop/web in east was scaled 3 → 5 by ana@bastion 4s ago (op 01234567)`.
    pub changes: Vec<String>,
}

/// Clauses that are spelled out; the rest is counted.
const SHOWN: usize = 3;

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<&str> = self.changes.iter().take(SHOWN).map(String::as_str).collect();
        f.write_str(&shown.join("; "))?;
        match self.changes.len().saturating_sub(SHOWN) {
            0 => {}
            more => write!(f, "; and {more} more changes")?,
        }
        f.write_str("; look again and repeat")
    }
}

/// What goes wrong inside a transaction, before it is known for which file.
#[derive(Debug)]
pub(super) enum Fault {
    /// Already in words.
    Store(StoreError),
    /// From SQLite.
    Sql(rusqlite::Error),
    /// A stored value that does not read.
    Value(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::Value(error.to_string())
    }
}

impl Fault {
    /// A stored value that does not read, with what it was.
    pub(super) fn value(what: &str, error: impl fmt::Display) -> Self {
        Self::Value(format!("{what}: {error}"))
    }

    /// True when trying again soon may help.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Sql(error)
            if matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)))
    }

    /// True when SQLite could not open or make one of its files, or had no room for it.
    pub(super) fn lacks_side_files(&self) -> bool {
        let Self::Sql(error) = self else { return false };
        let has_no_room = error.sqlite_error().is_some_and(|e| e.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE);
        let code = error.sqlite_error_code();
        has_no_room || matches!(code, Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::DiskFull))
    }

    /// In words, for the file it happened to.
    pub(super) fn at(self, path: &Path) -> StoreError {
        let error = match self {
            Self::Store(error) => return error,
            Self::Value(detail) => {
                return StoreError::Corrupt { path: path.display().to_string(), detail };
            }
            Self::Sql(error) => error,
        };
        let detail = error.to_string();
        let path = path.display().to_string();
        let extended = error.sqlite_error().map_or(0, |e| e.extended_code);
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => StoreError::Full { path },
            // The shared-memory file could not grow: the same cause by another name.
            _ if extended == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => StoreError::Full { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy { path },
            Some(ErrorCode::NotADatabase) => StoreError::Foreign { path, why: "it is not an SQLite file".to_owned() },
            Some(ErrorCode::DatabaseCorrupt) => StoreError::Corrupt { path, detail },
            Some(ErrorCode::ReadOnly) if extended == rusqlite::ffi::SQLITE_READONLY_DBMOVED => {
                StoreError::Replaced { path }
            }
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => StoreError::Permission {
                path,
                detail,
                advice: "the file and its directory must be writable for the operators' group, or set another `store`"
                    .to_owned(),
            },
            _ => StoreError::Io { path, detail },
        }
    }
}
