//! A tree of names and values in one list: a branch stands before what is below it.

use std::collections::BTreeSet;

use crate::{
    app::line::{Line, Role},
    text::width,
};

/// Between the names of a path; no text that was made safe has it.
const SEPARATOR: char = '\u{1f}';

/// Children of one node that are kept.
pub const WIDEST: usize = 1_000;

/// A branch or a leaf.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Node {
    /// Who it is: the keys from the root on. The same after the tree was made again.
    path: String,
    /// What is shown for its name; empty for a row of a table.
    pub name: String,
    /// What is shown beside it.
    pub value: Line,
    /// How many nodes are above it.
    pub depth: usize,
    /// The place behind its last descendant.
    end: usize,
    /// Cells of the longest name among its siblings.
    pub cells: usize,
}

impl Node {
    /// Name and value as one text.
    pub fn text(&self) -> String {
        format!("{} {}", self.name, self.value.text())
    }
}

/// Nodes in the order in which they are drawn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tree {
    nodes: Vec<Node>,
}

/// Which branches are open.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Folds {
    /// So many levels are, beside what was turned over one by one.
    pub level: usize,
    /// Paths that were opened or closed against that.
    turned: BTreeSet<String>,
}

impl Folds {
    /// Everything closed but some branches at the root.
    pub fn open(names: &[&str]) -> Self {
        Self { level: 0, turned: names.iter().map(|name| (*name).to_owned()).collect() }
    }

    fn is_open(&self, node: &Node) -> bool {
        (node.depth < self.level) != self.turned.contains(&node.path)
    }

    fn turn(&mut self, node: &Node) {
        if !self.turned.remove(&node.path) {
            self.turned.insert(node.path.clone());
        }
    }

    /// One level more of everything, or all of it closed.
    pub fn all(&mut self, deepest: usize) {
        self.turned.clear();
        self.level = if self.level >= deepest { 0 } else { self.level + 1 };
    }
}

impl Tree {
    /// A node by its place.
    pub fn node(&self, at: usize) -> Option<&Node> {
        self.nodes.get(at)
    }

    /// All nodes in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// True for a node with others below it.
    pub fn is_branch(&self, at: usize) -> bool {
        self.nodes.get(at).is_some_and(|node| node.end > at + 1)
    }

    /// The places below a node.
    pub fn below(&self, at: usize) -> std::ops::Range<usize> {
        let end = self.nodes.get(at).map_or(at, |node| node.end);
        (at + 1).min(end)..end
    }

    /// How deep the deepest branch is.
    pub fn deepest(&self) -> usize {
        self.nodes.iter().map(|node| node.depth).max().unwrap_or_default()
    }

    /// The place of the branch that a node is in.
    pub fn parent(&self, at: usize) -> Option<usize> {
        let depth = self.nodes.get(at)?.depth;
        (0..at).rev().find(|before| self.nodes.get(*before).is_some_and(|node| node.depth < depth))
    }

    /// True when a branch shows what is below it.
    pub fn is_open(&self, at: usize, folds: &Folds) -> bool {
        self.is_branch(at) && self.nodes.get(at).is_some_and(|node| folds.is_open(node))
    }

    /// Opens or closes a branch. False when it is so already, or is none.
    pub fn set(&self, at: usize, open: bool, folds: &mut Folds) -> bool {
        let Some(node) = self.nodes.get(at).filter(|_| self.is_branch(at)) else { return false };
        let turns = folds.is_open(node) != open;
        if turns {
            folds.turn(node);
        }
        turns
    }

    /// The places that are shown.
    pub fn rows(&self, folds: &Folds) -> Vec<usize> {
        let mut rows = Vec::new();
        let mut at = 0;
        while let Some(node) = self.nodes.get(at) {
            rows.push(at);
            at = if folds.is_open(node) { at + 1 } else { node.end };
        }
        rows
    }

    /// The place of a path.
    pub fn find(&self, path: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.path == path)
    }

    /// The place of the nearest branch above a path that is still there.
    pub fn nearest(&self, path: &str) -> Option<usize> {
        let mut path = path;
        while let Some((above, _)) = path.rsplit_once(SEPARATOR) {
            if let Some(at) = self.find(above) {
                return Some(at);
            }
            path = above;
        }
        None
    }

    /// The names from the root to a node, for people.
    pub fn way(&self, at: usize) -> String {
        let mut names = Vec::new();
        let mut next = Some(at);
        while let Some(node) = next.and_then(|at| self.nodes.get(at)) {
            let key = node.path.rsplit(SEPARATOR).next().unwrap_or_default();
            names.push(if node.name.is_empty() { key } else { node.name.as_str() });
            next = next.and_then(|at| self.parent(at));
        }
        names.reverse();
        names.join(" › ")
    }

    /// Who a node is.
    pub fn path(&self, at: usize) -> Option<&str> {
        self.nodes.get(at).map(|node| node.path.as_str())
    }

    /// A node and everything below it as text, one line each.
    pub fn text(&self, at: usize) -> String {
        let depth = self.nodes.get(at).map_or(0, |node| node.depth);
        let own = self.nodes.get(at..self.below(at).end).unwrap_or_default();
        own.iter().map(|node| line(node, depth)).collect::<Vec<_>>().join("\n")
    }

    /// Everything as text.
    pub fn whole(&self) -> String {
        self.nodes.iter().map(|node| line(node, 0) + "\n").collect()
    }
}

/// A node as a line of text.
fn line(node: &Node, from: usize) -> String {
    let indent = "  ".repeat(node.depth - from.min(node.depth));
    let value = node.value.text();
    if node.name.is_empty() {
        return format!("{indent}{}", value.trim_end());
    }
    let cells = node.cells.min(40).max(width(&node.name));
    format!("{indent}{}  {value}", crate::text::pad_right(&node.name, cells)).trim_end().to_owned()
}

/// Makes a tree, node by node.
#[derive(Debug, Default)]
pub struct Grower {
    nodes: Vec<Node>,
    open: Vec<usize>,
}

impl Grower {
    /// A node without others below it.
    pub fn leaf(&mut self, name: &str, value: Line) {
        self.branch(name, value, |_| {});
    }

    /// A leaf with a plain value; none where there is nothing to say.
    pub fn say(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.leaf(name, Line::of(Role::Plain, value));
        }
    }

    /// A row of a table: told from its siblings by `key`.
    pub fn row(&mut self, key: &str, value: Line) {
        self.grow(key, "", value, |_| {});
    }

    /// A node with what `grow` puts below it.
    pub fn branch(&mut self, name: &str, value: Line, grow: impl FnOnce(&mut Self)) {
        self.grow(name, name, value, grow);
    }

    /// [`Grower::branch`], told from its siblings by `key`.
    pub fn grow(&mut self, key: &str, name: &str, value: Line, grow: impl FnOnce(&mut Self)) {
        let at = self.nodes.len();
        let above = self.open.last().and_then(|at| self.nodes.get(*at));
        let path = above.map_or_else(|| key.to_owned(), |above| format!("{}{SEPARATOR}{key}", above.path));
        self.nodes.push(Node { path, name: name.to_owned(), value, depth: self.open.len(), end: at + 1, cells: 0 });
        self.open.push(at);
        grow(self);
        self.open.pop();
        let end = self.nodes.len();
        if let Some(node) = self.nodes.get_mut(at) {
            node.end = end;
        }
    }

    /// Says that so many are not shown.
    pub fn more(&mut self, count: usize) {
        if count > 0 {
            let words = format!("… and {} more", crate::text::count(count as u64));
            self.row("…", Line::of(Role::Dim, words));
        }
    }

    /// Puts what `grow` makes of each of the first [`WIDEST`] things here, and says how many more there are.
    pub fn each<T>(&mut self, things: &[T], left_out: usize, mut grow: impl FnMut(&mut Self, &T)) {
        for thing in things.iter().take(WIDEST) {
            grow(self, thing);
        }
        self.more(left_out + things.len().saturating_sub(WIDEST));
    }

    /// The tree.
    pub fn done(mut self) -> Tree {
        // Names of siblings stand in one column.
        let mut widest: Vec<usize> = Vec::new();
        let mut cells = vec![0; self.nodes.len()];
        let mut begins: Vec<Vec<usize>> = Vec::new();
        let close = |depth: usize, widest: &mut Vec<usize>, begins: &mut Vec<Vec<usize>>, cells: &mut Vec<usize>| {
            while widest.len() > depth {
                let wide = widest.pop().unwrap_or_default();
                for at in begins.pop().unwrap_or_default() {
                    if let Some(cell) = cells.get_mut(at) {
                        *cell = wide;
                    }
                }
            }
        };
        for (at, node) in self.nodes.iter().enumerate() {
            close(node.depth + 1, &mut widest, &mut begins, &mut cells);
            if widest.len() == node.depth {
                widest.push(0);
                begins.push(Vec::new());
            }
            if let (Some(wide), Some(siblings)) = (widest.last_mut(), begins.last_mut()) {
                *wide = (*wide).max(width(&node.name));
                siblings.push(at);
            }
        }
        close(0, &mut widest, &mut begins, &mut cells);
        for (node, cells) in self.nodes.iter_mut().zip(cells) {
            node.cells = cells;
        }
        Tree { nodes: self.nodes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        let mut grower = Grower::default();
        grower.branch("state", Line::of(Role::Plain, "running"), |grower| {
            grower.say("pid", "7");
            grower.branch("limits", Line::new(), |grower| grower.say("memory", "1 GiB"));
            grower.say("nothing", "");
        });
        grower.branch("files", Line::of(Role::Plain, "3"), |grower| {
            grower.each(&["/a", "/b"], 1, |grower, path| grower.row(path, Line::of(Role::Plain, *path)));
        });
        grower.leaf("labels", Line::of(Role::Dim, "none"));
        grower.done()
    }

    fn shown(tree: &Tree, folds: &Folds) -> String {
        let rows = tree.rows(folds).into_iter().filter_map(|at| tree.node(at));
        rows.map(|node| if node.name.is_empty() { node.value.text() } else { node.name.clone() })
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn branches_open_and_close() {
        let (tree, mut folds) = (tree(), Folds::default());
        assert_eq!(shown(&tree, &folds), "state files labels");
        assert!(tree.set(0, true, &mut folds) && !tree.set(0, true, &mut folds));
        assert_eq!(shown(&tree, &folds), "state pid limits files labels");
        let labels = tree.find("labels").unwrap();
        assert!(!tree.is_branch(labels) && !tree.set(labels, true, &mut folds));
        let levels: Vec<String> = (0..4)
            .map(|_| {
                folds.all(tree.deepest());
                shown(&tree, &folds)
            })
            .collect();
        assert_eq!(
            levels,
            [
                "state pid limits files /a /b … and 1 more labels",
                "state pid limits memory files /a /b … and 1 more labels",
                "state files labels",
                "state pid limits files /a /b … and 1 more labels",
            ]
        );
        assert!(tree.set(0, false, &mut folds));
        assert_eq!(shown(&tree, &folds), "state files /a /b … and 1 more labels");
    }

    #[test]
    fn every_node_is_told_by_its_path() {
        let tree = tree();
        for at in 0..tree.nodes().len() {
            assert_eq!(tree.find(tree.path(at).unwrap()), Some(at));
        }
        let memory = tree.nodes().iter().position(|node| node.name == "memory").unwrap();
        assert_eq!(tree.way(memory), "state › limits › memory");
        assert_eq!(tree.way(tree.find("files\u{1f}/a").unwrap()), "files › /a");
        assert_eq!(tree.parent(memory), tree.find("state\u{1f}limits"));
        assert_eq!(tree.parent(0), None);
        assert_eq!(tree.nearest("state\u{1f}gone\u{1f}deeper"), Some(0));
        assert_eq!(tree.nearest("gone"), None);
    }

    #[test]
    fn names_of_siblings_stand_in_a_column() {
        assert_eq!(
            tree().whole(),
            "state   running\n  pid     7\n  limits\n    memory  1 GiB\nfiles   3\n  /a\n  /b\n  … and 1 more\nlabels  none\n"
        );
        let one = tree();
        assert_eq!(one.text(one.find("state\u{1f}limits").unwrap()), "limits\n  memory  1 GiB");
    }

    #[test]
    fn what_is_endless_is_cut_with_a_word() {
        let mut grower = Grower::default();
        let many: Vec<usize> = (0..5_000).collect();
        grower.each(&many, 7, |grower, n| grower.say(&n.to_string(), "x"));
        let tree = grower.done();
        assert_eq!(tree.nodes().len(), WIDEST + 1);
        assert_eq!(tree.nodes().last().unwrap().value.text(), "… and 4,007 more");
    }
}
