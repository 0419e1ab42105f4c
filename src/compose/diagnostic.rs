//! What is wrong with a file, where, and what would be right.

use std::{borrow::Cow, cell::RefCell, collections::BTreeSet, fmt, path::PathBuf};

use super::origin::At;
use crate::text::Text;

/// More than this many diagnostics help nobody.
const MAX_DIAGNOSTICS: usize = 200;

/// Longest message, in characters.
const MAX_MESSAGE: usize = 500;

/// One thing that is wrong, or that is ignored, in a Compose file or a file it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as the person named it.
    pub file: PathBuf,
    /// The line, from 1; 0 when it is about the whole file.
    pub line: usize,
    /// The column, from 1; 0 when it is about the whole line or file.
    pub column: usize,
    /// The key's path: `services.web.ports[0]`; empty when it is about the whole file.
    pub key: String,
    /// What is wrong and what would be right. Safe to print.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", Text::new(&self.file.to_string_lossy()))?;
        if self.line > 0 {
            write!(f, "{}:", self.line)?;
            if self.column > 0 {
                write!(f, "{}:", self.column)?;
            }
        }
        if !self.key.is_empty() {
            write!(f, " {}:", self.key)?;
        }
        write!(f, " {}", self.message)
    }
}

/// Everything found wrong, in the order of files and lines. Never empty. `Display` gives one line for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Errors(pub Vec<Diagnostic>);

impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, diagnostic) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            write!(f, "{diagnostic}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Errors {}

/// Collects diagnostics while files are read, so that all are told at once.
#[derive(Default)]
pub(super) struct Sink {
    errors: RefCell<Vec<Diagnostic>>,
    warnings: RefCell<Vec<Diagnostic>>,
    unset: RefCell<BTreeSet<String>>,
}

impl Sink {
    /// Something that makes the file unusable.
    pub(super) fn error(&self, at: &At, key: &str, message: impl AsRef<str>) {
        push(&self.errors, diagnostic(at, key, message.as_ref()));
    }

    /// Something that is ignored.
    pub(super) fn warn(&self, at: &At, key: &str, message: impl AsRef<str>) {
        push(&self.warnings, diagnostic(at, key, message.as_ref()));
    }

    /// A variable without a value and without a default: told once.
    pub(super) fn unset(&self, at: &At, key: &str, variable: &str) {
        if self.unset.borrow_mut().insert(variable.to_owned()) {
            self.warn(
                at,
                key,
                format!(
                    "the variable `{variable}` is not set, so it counts as empty: set it or write `${{{variable}:-…}}`"
                ),
            );
        }
    }

    /// All errors, or else all warnings, each sorted by place and told once.
    pub(super) fn finish(self) -> Result<Vec<Diagnostic>, Errors> {
        let errors = sorted(self.errors.into_inner());
        if errors.is_empty() { Ok(sorted(self.warnings.into_inner())) } else { Err(Errors(errors)) }
    }
}

fn push(list: &RefCell<Vec<Diagnostic>>, diagnostic: Diagnostic) {
    let mut list = list.borrow_mut();
    if list.len() < MAX_DIAGNOSTICS {
        list.push(diagnostic);
    }
}

fn diagnostic(at: &At, key: &str, message: &str) -> Diagnostic {
    Diagnostic {
        file: at.file.path.clone(),
        line: at.line,
        column: at.column,
        key: Text::new(key).to_string(),
        message: Text::new(&shortened(message)).to_string(),
    }
}

/// A value that is quoted in a message may be of any length: its middle is left out.
fn shortened(message: &str) -> Cow<'_, str> {
    let length = message.chars().count();
    if length <= MAX_MESSAGE {
        return Cow::Borrowed(message);
    }
    let part = MAX_MESSAGE / 2;
    let (head, tail) = (message.chars().take(part), message.chars().skip(length - part));
    Cow::Owned(head.chain("…".chars()).chain(tail).collect())
}

fn sorted(mut list: Vec<Diagnostic>) -> Vec<Diagnostic> {
    // Stable: files stay in the order in which they were first read.
    let mut order: Vec<PathBuf> = Vec::new();
    for diagnostic in &list {
        if !order.contains(&diagnostic.file) {
            order.push(diagnostic.file.clone());
        }
    }
    list.sort_by_key(|d| (order.iter().position(|file| *file == d.file), d.line, d.column));
    list.dedup();
    list
}
