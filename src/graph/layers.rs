//! The neighbourhood of one end, or of a whole stack, in ordered layers.
//!
//! What needs stands left, what is needed right. Rows are ordered so that few edges cross: from the last order on, so
//! that nothing jumps.

use std::collections::{BTreeMap, BTreeSet};

use super::{End, Web};

/// Which relations are followed from the focus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Way {
    /// Both ways.
    #[default]
    Both,
    /// Only to what needs it.
    Up,
    /// Only to what it needs.
    Down,
}

/// What stands in one row of a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spot {
    /// One end.
    One {
        /// Which.
        end: End,
        /// What it needs that stands in its own layer or left of it: a way back, which is not drawn.
        back: Vec<End>,
    },
    /// Ends that have no room of their own.
    Fold(Vec<End>),
}

impl Spot {
    /// The ends in it.
    pub fn ends(&self) -> &[End] {
        match self {
            Self::One { end, .. } => std::slice::from_ref(end),
            Self::Fold(ends) => ends,
        }
    }
}

/// An edge between two neighbouring layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The left layer.
    pub layer: usize,
    /// The row in it.
    pub from: usize,
    /// The row in the layer to the right.
    pub to: usize,
    /// It only tells of a network that a stack's services share.
    pub is_faint: bool,
}

/// Ordered layers with the edges between neighbours.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layers {
    /// From left to right, each from top to bottom.
    pub layers: Vec<Vec<Spot>>,
    /// Edges, by layer.
    pub edges: Vec<Edge>,
}

impl Layers {
    /// Where an end stands: layer and row.
    pub fn place(&self, end: &End) -> Option<(usize, usize)> {
        self.layers
            .iter()
            .enumerate()
            .find_map(|(layer, spots)| Some((layer, spots.iter().position(|spot| spot.ends().contains(end))?)))
    }
}

/// Sweeps over all layers.
const SWEEPS: usize = 4;

/// The neighbourhood of an end, `depth` steps each way; layers longer than `most` are folded.
pub fn around(web: &Web, focus: &End, depth: usize, way: Way, most: usize, last: &Layers) -> Layers {
    let mut level: BTreeMap<&End, i32> = BTreeMap::from([(focus, 0)]);
    let mut walk = |step: i32| {
        let mut row = vec![focus];
        for at in (1i32..).take(depth) {
            let next: BTreeSet<&End> = row
                .iter()
                .flat_map(|end| -> Vec<&End> {
                    if step < 0 { web.needed_by(end).collect() } else { web.needs(end).collect() }
                })
                .collect();
            row = next.into_iter().filter(|end| !level.contains_key(end)).collect();
            level.extend(row.iter().map(|end| (*end, at * step)));
        }
    };
    if way != Way::Up {
        walk(1);
    }
    if way != Way::Down {
        walk(-1);
    }
    layered(web, &level, most, last)
}

/// Everything in a web, each end right of all that need it, as far as circles allow.
pub fn whole(web: &Web, most: usize, last: &Layers) -> Layers {
    let mut level: BTreeMap<&End, i32> = BTreeMap::new();
    let mut open = BTreeSet::new();
    for end in web.needs.keys() {
        depth_of(web, end, &mut level, &mut open);
    }
    layered(web, &level, most, last)
}

/// The longest way to an end from one that nothing needs; what is met again on the way is a circle and does not count.
fn depth_of<'a>(web: &'a Web, end: &'a End, level: &mut BTreeMap<&'a End, i32>, open: &mut BTreeSet<&'a End>) -> i32 {
    if let Some(known) = level.get(end) {
        return *known;
    }
    open.insert(end);
    let above: Vec<&End> = web.needed_by(end).filter(|above| !open.contains(above)).collect();
    let depth = above.into_iter().map(|above| depth_of(web, above, level, open) + 1).max().unwrap_or(0);
    open.remove(end);
    level.insert(end, depth);
    depth
}

fn layered(web: &Web, level: &BTreeMap<&End, i32>, most: usize, last: &Layers) -> Layers {
    let levels: BTreeSet<i32> = level.values().copied().collect();
    let before: BTreeMap<&End, usize> = last
        .layers
        .iter()
        .flat_map(|spots| {
            spots.iter().enumerate().flat_map(|(row, spot)| spot.ends().iter().map(move |end| (end, row)))
        })
        .collect();
    let mut columns: Vec<Vec<&End>> = levels
        .iter()
        .map(|at| {
            let mut column: Vec<&End> = level.iter().filter(|(_, l)| *l == at).map(|(end, _)| *end).collect();
            column.sort_by_key(|end| before.get(end).copied().unwrap_or(usize::MAX));
            column
        })
        .collect();
    for sweep in 0..SWEEPS {
        let forward = sweep % 2 == 0;
        for step in 1..columns.len() {
            let (at, by) = if forward { (step, step - 1) } else { (columns.len() - 1 - step, columns.len() - step) };
            straighten(web, &mut columns, at, by);
        }
    }
    fold(web, columns, most)
}

/// Orders a layer by the middle of each end's neighbours in another. Ends without any keep their row.
fn straighten(web: &Web, columns: &mut [Vec<&End>], at: usize, by: usize) {
    let rows: BTreeMap<&End, usize> =
        columns.get(by).into_iter().flatten().enumerate().map(|(row, end)| (*end, row)).collect();
    let Some(column) = columns.get_mut(at) else { return };
    let middle = |(row, end): (usize, &&End)| {
        let near: Vec<usize> = if by < at { web.needed_by(end).collect::<Vec<_>>() } else { web.needs(end).collect() }
            .into_iter()
            .filter_map(|end| rows.get(end).copied())
            .collect();
        if near.is_empty() { row as f64 } else { near.iter().sum::<usize>() as f64 / near.len() as f64 }
    };
    let mut keyed: Vec<(f64, &End)> = column.iter().enumerate().map(|it| (middle((it.0, it.1)), *it.1)).collect();
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    *column = keyed.into_iter().map(|(_, end)| end).collect();
}

fn fold(web: &Web, columns: Vec<Vec<&End>>, most: usize) -> Layers {
    let layers: Vec<Vec<Spot>> = columns
        .into_iter()
        .map(|column| {
            let keep = if column.len() > most { most.saturating_sub(1) } else { column.len() };
            let (shown, rest) = column.split_at(keep);
            let mut spots: Vec<Spot> =
                shown.iter().map(|end| Spot::One { end: (*end).clone(), back: Vec::new() }).collect();
            if !rest.is_empty() {
                spots.push(Spot::Fold(rest.iter().map(|end| (*end).clone()).collect()));
            }
            spots
        })
        .collect();
    let mut out = Layers { layers, edges: Vec::new() };
    let place: BTreeMap<End, (usize, usize)> = out
        .layers
        .iter()
        .enumerate()
        .flat_map(|(layer, spots)| {
            spots
                .iter()
                .enumerate()
                .flat_map(move |(row, spot)| spot.ends().iter().map(move |end| (end.clone(), (layer, row))))
        })
        .collect();
    let mut edges = BTreeSet::new();
    for (end, (layer, row)) in &place {
        for to in web.needs(end) {
            let is_faint = web.inner.contains(to);
            match place.get(to) {
                Some((there, to)) if *there == layer + 1 => {
                    edges.insert(Edge { layer: *layer, from: *row, to: *to, is_faint });
                }
                Some(_) => {
                    let spot = out.layers.get_mut(*layer).and_then(|spots| spots.get_mut(*row));
                    if let Some(Spot::One { back, .. }) = spot {
                        back.push(to.clone());
                    }
                }
                None => {}
            }
        }
    }
    out.edges = edges.into_iter().collect();
    out
}

#[cfg(test)]
mod tests {
    use super::super::web::tests::{end, web};
    use super::*;

    fn shown(layers: &Layers) -> Vec<String> {
        let home = "s".parse().unwrap();
        let name = |spot: &Spot| match spot {
            Spot::One { end, back } => {
                let back: String = back.iter().flat_map(|end| ["~".to_owned(), end.name(Some(&home))]).collect();
                format!("{}{back}", end.name(Some(&home)))
            }
            Spot::Fold(ends) => format!("+{}", ends.len()),
        };
        layers.layers.iter().map(|spots| spots.iter().map(name).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn a_neighbourhood_has_its_focus_between_what_needs_it_and_what_it_needs() {
        let web =
            web(&[(":80", "web"), ("web", "api"), ("job", "api"), ("api", "db"), ("api", "cache"), ("db", "api")]);
        let of = |depth, way| shown(&around(&web, &end("api"), depth, way, 9, &Layers::default()));
        assert_eq!(of(1, Way::Both), ["job web", "api", "cache db~api"]);
        assert_eq!(of(2, Way::Up), [":80", "db web job", "api~db"]);
        assert_eq!(of(1, Way::Down), ["api", "cache db~api"]);
        assert_eq!(shown(&whole(&web, 9, &Layers::default())).len(), 4);
    }

    #[test]
    fn what_has_no_room_is_folded_and_keeps_one_edge() {
        let names: Vec<String> = (0..20).map(|n| format!("w{n:02}")).collect();
        let edges: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "db")).collect();
        let layers = around(&web(&edges), &end("db"), 1, Way::Both, 5, &Layers::default());
        assert_eq!(shown(&layers), ["w00 w01 w02 w03 +16", "db"]);
        assert_eq!(layers.edges.len(), 5);
    }

    #[test]
    fn edges_are_straightened_and_the_order_is_kept() {
        let web = web(&[("a", "z"), ("b", "y"), ("c", "x"), ("r", "a"), ("r", "b"), ("r", "c")]);
        let first = around(&web, &end("r"), 2, Way::Down, 9, &Layers::default());
        let pairs: Vec<bool> = first.edges.iter().filter(|edge| edge.layer == 1).map(|e| e.from == e.to).collect();
        assert_eq!(pairs, [true; 3]);
        assert_eq!(around(&web, &end("r"), 2, Way::Down, 9, &first), first);
    }
}
