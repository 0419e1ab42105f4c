//! The open page: what was told, which branches are open, where the cursor is, what is looked for.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    choose::Chosen,
    parts::Parts,
    tree::{Folds, Node, Tree},
};
use crate::{
    app::{input::Input, logs::Pattern},
    model::{Part, PartTold, Question, Subject, Veil},
};

/// The open page.
#[derive(Debug, Clone, PartialEq)]
pub struct InspectPage {
    /// What is inspected.
    pub subject: Subject,
    /// Its name.
    pub name: String,
    /// Which of several it is.
    pub note: String,
    /// What was told.
    pub parts: Parts,
    /// What its service was given in confidence.
    veil: Veil,
    /// The number of the first question that was asked for this page.
    first: u64,
    /// The number of the last question, and when it was asked.
    last: u64,
    asked: Timestamp,
    tree: Arc<Tree>,
    folds: Folds,
    /// Places in the tree that are shown.
    rows: Vec<usize>,
    /// The row of the cursor.
    at: usize,
    /// The first row on the screen.
    top: usize,
    /// What is being typed, and what a change of mind goes back to.
    typing: Option<Typing>,
    /// What is looked for.
    sought: String,
    /// Places in the tree that have it.
    hits: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq)]
struct Typing {
    input: Input,
    folds: Folds,
    at: usize,
    top: usize,
    sought: String,
}

impl InspectPage {
    /// A page about which nothing is known yet; `open` names the branches that are open from the start.
    pub fn new(chosen: Chosen, number: u64, now: Timestamp, open: &[&str]) -> Self {
        let Chosen { subject, name, note, veil } = chosen;
        Self {
            subject,
            name,
            note,
            parts: Parts::default(),
            veil,
            first: number,
            last: number,
            asked: now,
            tree: Arc::default(),
            folds: Folds::open(open),
            rows: Vec::new(),
            at: 0,
            top: 0,
            typing: None,
            sought: String::new(),
            hits: Vec::new(),
        }
    }

    /// The next question: everything, or what changes from second to second.
    pub fn ask(&mut self, number: u64, everything: bool, now: Timestamp) -> Question {
        self.last = number;
        self.asked = now;
        let parts = self.subject.parts().iter().copied().filter(|part| everything || part.is_live()).collect();
        Question { number, subject: self.subject.clone(), parts }
    }

    /// Takes an answer in. False for one to a question that is not of this page, or that was answered better since.
    pub fn take(&mut self, answer: PartTold, now: Timestamp) -> bool {
        if answer.number < self.first || !self.subject.parts().contains(&answer.part) {
            return false;
        }
        let told = answer.told.map(|told| told.veiled(&self.veil));
        self.parts.take(PartTold { told, ..answer }, now)
    }

    /// When the last question was asked.
    pub fn asked(&self) -> Timestamp {
        self.asked
    }

    /// True while what changes from second to second has not been answered.
    pub fn is_waiting(&self) -> bool {
        self.live().any(|part| self.parts.answered(part).is_none_or(|number| number < self.last))
    }

    fn live(&self) -> impl Iterator<Item = Part> {
        self.subject.parts().iter().copied().filter(|part| part.is_live())
    }

    /// When its newest part was told.
    pub fn told_at(&self) -> Option<Timestamp> {
        self.subject.parts().iter().filter_map(|part| self.parts.at(*part)).max()
    }

    /// Takes the tree that was made again. Cursor, folds and what is looked for stay where they are.
    pub fn grow(&mut self, tree: Tree) {
        let before = self.tree.path(self.place().unwrap_or_default()).map(str::to_owned);
        self.tree = Arc::new(tree);
        self.rows = self.tree.rows(&self.folds);
        self.seek();
        let row = before.as_deref().and_then(|path| self.row_of(path)).unwrap_or(self.at);
        // The row under the cursor stays where it is on the screen, also when there are more above it now.
        self.top = (self.top + row).saturating_sub(self.at);
        self.at = row.min(self.rows.len().saturating_sub(1));
    }

    /// The row of a path. Where that is gone, the row that stands in its place, in the same branch.
    fn row_of(&self, path: &str) -> Option<usize> {
        if let Some(place) = self.tree.find(path) {
            return self.rows.binary_search(&place).ok();
        }
        let above = self.tree.nearest(path)?;
        let first = self.rows.binary_search(&above).ok()?;
        let end = self.tree.below(above).end;
        let last = self.rows.partition_point(|place| *place < end).saturating_sub(1);
        Some(self.at.clamp(first, last.max(first)))
    }

    /// The tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The rows from the top of the screen on: place, node, and whether it is open, for a branch.
    pub fn shown(&self, rows: usize) -> impl Iterator<Item = (usize, &Node, Option<bool>)> {
        let top = self.top_of(rows);
        self.rows.iter().enumerate().skip(top).take(rows).filter_map(|(row, place)| {
            let open = self.tree.is_branch(*place).then(|| self.tree.is_open(*place, &self.folds));
            Some((row, self.tree.node(*place)?, open))
        })
    }

    /// Rows in all.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True before anything was made.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The row of the cursor.
    pub fn row(&self) -> usize {
        self.at
    }

    /// The first row on a screen of so many rows: the cursor is in sight.
    fn top_of(&self, rows: usize) -> usize {
        let rows = rows.max(1);
        let lowest = (self.at + 1).saturating_sub(rows);
        self.top.clamp(lowest, self.at.max(lowest)).min(self.rows.len().saturating_sub(rows))
    }

    /// Keeps the cursor in sight on a screen of so many rows.
    pub fn settle(&mut self, rows: usize) {
        self.top = self.top_of(rows);
    }

    fn place(&self) -> Option<usize> {
        self.rows.get(self.at).copied()
    }

    /// What the cursor is on.
    pub fn node(&self) -> Option<&Node> {
        self.tree.node(self.place()?)
    }

    /// The names that lead to what the cursor is on.
    pub fn way(&self) -> String {
        self.place().map(|place| self.tree.way(place)).unwrap_or_default()
    }

    /// The value under the cursor; of a branch, everything below it.
    pub fn value(&self) -> Option<String> {
        let place = self.place()?;
        let node = self.tree.node(place)?;
        Some(if self.tree.is_branch(place) { self.tree.text(place) } else { node.value.text().trim().to_owned() })
    }

    /// To a row.
    pub fn step(&mut self, row: usize) {
        self.at = row.min(self.rows.len().saturating_sub(1));
    }

    /// Opens the branch under the cursor; an open one is entered.
    pub fn open(&mut self) {
        let Some(place) = self.place() else { return };
        if self.tree.set(place, true, &mut self.folds) {
            self.rows = self.tree.rows(&self.folds);
        } else if self.tree.is_branch(place) {
            self.step(self.at + 1);
        }
    }

    /// Closes the branch under the cursor; from what is none, or closed, to the branch above.
    pub fn close(&mut self) {
        let Some(place) = self.place() else { return };
        if self.tree.set(place, false, &mut self.folds) {
            self.rows = self.tree.rows(&self.folds);
        } else if let Some(row) = self.tree.parent(place).and_then(|above| self.rows.binary_search(&above).ok()) {
            self.at = row;
        }
    }

    /// Turns the branch under the cursor over; that of a leaf is closed.
    pub fn fold(&mut self) {
        let Some(place) = self.place() else { return };
        if !self.tree.is_branch(place) {
            self.close();
            return self.close();
        }
        let open = self.tree.is_open(place, &self.folds);
        self.tree.set(place, !open, &mut self.folds);
        self.rows = self.tree.rows(&self.folds);
    }

    /// One level more of everything, or all of it closed.
    pub fn fold_all(&mut self) {
        let place = self.place();
        self.folds.all(self.tree.deepest());
        self.show(place);
    }

    /// Makes the rows again, with the cursor on a place or on the branch that hides it.
    fn show(&mut self, place: Option<usize>) {
        self.rows = self.tree.rows(&self.folds);
        let row = place.map_or(0, |place| self.rows.partition_point(|row| *row <= place).saturating_sub(1));
        self.at = row.min(self.rows.len().saturating_sub(1));
    }

    /// What is looked for.
    pub fn sought(&self) -> &str {
        &self.sought
    }

    /// How many nodes have what is looked for, and which of them the cursor is on, from 1.
    pub fn hits(&self) -> (usize, Option<usize>) {
        let here = self.place().and_then(|place| self.hits.binary_search(&place).ok());
        (self.hits.len(), here.map(|at| at + 1))
    }

    /// The input of what is looked for, while it is typed.
    pub fn input(&self) -> Option<&Input> {
        self.typing.as_ref().map(|typing| &typing.input)
    }

    /// The same, to be typed into.
    pub fn input_mut(&mut self) -> Option<&mut Input> {
        self.typing.as_mut().map(|typing| &mut typing.input)
    }

    /// Begins to look for something.
    pub fn search(&mut self) {
        self.typing = Some(Typing {
            input: Input::default(),
            folds: self.folds.clone(),
            at: self.at,
            top: self.top,
            sought: std::mem::take(&mut self.sought),
        });
        self.hits.clear();
    }

    /// Looks for what is typed now, from where the search began: branches that hold it open.
    pub fn typed(&mut self) {
        let Some(typing) = &self.typing else { return };
        self.sought = typing.input.text();
        self.folds = typing.folds.clone();
        self.at = typing.at;
        self.rows = self.tree.rows(&self.folds);
        self.seek();
        let from = self.place().unwrap_or_default();
        let hit = self.hits.iter().find(|hit| **hit >= from).or(self.hits.first()).copied();
        if let Some(hit) = hit {
            self.open_to_hits();
            self.show(Some(hit));
        }
    }

    /// Ends typing. What was found stays, or everything goes back to where it was.
    pub fn end_search(&mut self, keep: bool) {
        let Some(typing) = self.typing.take() else { return };
        if !keep {
            (self.folds, self.at, self.top) = (typing.folds, typing.at, typing.top);
            self.sought = typing.sought;
            self.rows = self.tree.rows(&self.folds);
            self.seek();
        }
    }

    /// To the next hit, or the one before; after the last comes the first. False where there is none.
    pub fn next_hit(&mut self, forward: bool) -> bool {
        let here = self.place().unwrap_or_default();
        let next = if forward {
            self.hits.iter().find(|hit| **hit > here).or(self.hits.first())
        } else {
            self.hits.iter().rev().find(|hit| **hit < here).or(self.hits.last())
        };
        let Some(next) = next.copied() else { return false };
        self.open_to_hits();
        self.show(Some(next));
        true
    }

    /// Finds what is looked for.
    fn seek(&mut self) {
        let pattern = Pattern::new(&self.sought);
        self.hits.clear();
        if !pattern.is_empty() {
            let nodes = self.tree.nodes().iter().enumerate();
            self.hits.extend(nodes.filter(|(_, node)| pattern.fits(&node.text())).map(|(at, _)| at));
        }
    }

    /// Opens every branch that holds a hit.
    fn open_to_hits(&mut self) {
        let mut above: Vec<usize> = Vec::new();
        let mut hits = self.hits.iter().peekable();
        for (at, node) in self.tree.nodes().iter().enumerate() {
            above.truncate(node.depth);
            if hits.next_if_eq(&&at).is_some() {
                for branch in &above {
                    self.tree.set(*branch, true, &mut self.folds);
                }
            }
            above.push(at);
        }
    }
}
