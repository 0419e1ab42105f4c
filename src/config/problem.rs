//! What is wrong with a configuration, where, and what would be right.

use std::{fmt, ops::Range};

/// One thing that is wrong, at its place in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong and what would be right.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.what)
    }
}

/// Why there is no fleet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The file has mistakes; all that were found.
    #[error("{}", lines(.0))]
    Invalid(Vec<Problem>),
    /// A file that was named does not exist.
    #[error("{path}: no such file ({named}): check the name, or leave it out to use the current Docker context")]
    Missing {
        /// The file.
        path: String,
        /// Who named it: `--fleet`, `WHARF_FLEET`.
        named: &'static str,
    },
    /// A file cannot be read.
    #[error("{path}: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        why: String,
    },
    /// The Docker context cannot be used.
    #[error("{0}")]
    Docker(String),
    /// A directory that wharf needs for itself cannot be used.
    #[error("{path}: {why}")]
    Directory {
        /// The directory.
        path: String,
        /// Why not, and what to do.
        why: String,
    },
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A text with its name, in which byte offsets are places.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) file: &'a str,
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// A problem at a byte range.
    pub(super) fn problem(&self, at: &Range<usize>, what: impl Into<String>) -> Problem {
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Problem {
            file: self.file.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
            what: what.into(),
        }
    }

    /// The line number of a byte offset, from 1.
    pub(super) fn line(&self, at: usize) -> usize {
        self.text.get(..at).unwrap_or(self.text).matches('\n').count() + 1
    }
}
