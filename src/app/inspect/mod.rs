//! A container or an engine from the inside, as one folded tree: built from what was told so far, searched, and kept
//! where it was when more is told.

mod choose;
mod container;
mod host;
mod image;
mod page;
mod parts;
mod raw;
mod tree;

pub use choose::{Chosen, chosen, veil_of};
pub use page::InspectPage;
pub use parts::{Look, Parts};
pub use tree::{Folds, Grower, Node, Tree};

use crate::model::Subject;

/// The tree of a subject.
pub fn tree_of(subject: &Subject, look: &Look<'_>) -> Tree {
    match subject {
        Subject::Container { .. } => container::tree(look),
        Subject::Host(_) => host::tree(look),
    }
}
