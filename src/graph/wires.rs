//! Edges between two layers as box-drawing characters. A cell knows only which of its four sides a line leaves by, so
//! that joins come out right by themselves.

/// Sides of a cell.
const UP: u8 = 1;
const DOWN: u8 = 2;
const LEFT: u8 = 4;
const RIGHT: u8 = 8;

/// Cells that a gutter is wide.
pub const GUTTER: usize = 6;

/// An edge between a row on the left and one on the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wire {
    /// The row on the left.
    pub from: usize,
    /// The row on the right.
    pub to: usize,
    /// From or to what is selected.
    pub hot: bool,
    /// Requests were seen to take it.
    pub busy: bool,
    /// Drawn as dots.
    pub faint: bool,
}

/// One cell of a gutter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cell {
    sides: u8,
    /// On the way from or to what is selected.
    pub hot: bool,
    /// Requests were seen to come this way.
    pub busy: bool,
    solid: bool,
    arrow: bool,
}

impl Cell {
    /// Its character.
    pub fn glyph(self) -> char {
        if self.arrow {
            return '▸';
        }
        match self.sides {
            0 => ' ',
            s if s & (UP | DOWN) == 0 => {
                if self.solid {
                    '─'
                } else {
                    '┄'
                }
            }
            s if s & (LEFT | RIGHT) == 0 => {
                if self.solid {
                    '│'
                } else {
                    '┆'
                }
            }
            s => match (s & UP != 0, s & DOWN != 0, s & LEFT != 0, s & RIGHT != 0) {
                (true, true, true, true) => '┼',
                (true, true, true, false) => '┤',
                (true, true, false, _) => '├',
                (true, false, true, true) => '┴',
                (true, false, true, false) => '┘',
                (true, false, false, _) => '└',
                (false, _, true, true) => '┬',
                (false, _, true, false) => '┐',
                (false, ..) => '┌',
            },
        }
    }
}

/// The cells of a gutter, row by row; hot edges lie above the others, and what is solid above what is faint.
pub fn wires(wires: &[Wire], rows: usize) -> Vec<[Cell; GUTTER]> {
    let mut grid = vec![[Cell::default(); GUTTER]; rows];
    let mut put = |wire: &Wire, row: usize, at: usize, sides: u8, arrow: bool| {
        if let Some(cell) = grid.get_mut(row).and_then(|row| row.get_mut(at)) {
            cell.sides |= sides;
            cell.hot |= wire.hot;
            cell.busy |= wire.busy;
            cell.solid |= !wire.faint;
            cell.arrow |= arrow;
        }
    };
    // What comes from one row shares a lane; neighbours take turns, so that few lanes carry two.
    let lanes = GUTTER - 3;
    for wire in wires {
        let (from, to) = (wire.from, wire.to);
        let lane = 1 + if from == to { 0 } else { from % lanes };
        for at in 0..lane {
            put(wire, from, at, LEFT | RIGHT, false);
        }
        if from == to {
            put(wire, from, lane, LEFT | RIGHT, false);
        } else {
            let (first, last) = (from.min(to), from.max(to));
            put(wire, from, lane, LEFT | if to > from { DOWN } else { UP }, false);
            for row in first + 1..last {
                put(wire, row, lane, UP | DOWN, false);
            }
            put(wire, to, lane, RIGHT | if to > from { UP } else { DOWN }, false);
        }
        for at in lane + 1..GUTTER - 1 {
            put(wire, to, at, LEFT | RIGHT, false);
        }
        put(wire, to, GUTTER - 1, 0, true);
    }
    grid
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(edges: &[(usize, usize)], rows: usize) -> Vec<String> {
        let edges: Vec<_> = edges.iter().map(|(from, to)| Wire { from: *from, to: *to, ..Wire::default() }).collect();
        text(&wires(&edges, rows))
    }

    fn text(cells: &[[Cell; GUTTER]]) -> Vec<String> {
        cells.iter().map(|row| row.iter().map(|cell| cell.glyph()).collect()).collect()
    }

    #[test]
    fn joins_come_out_right() {
        assert_eq!(drawn(&[(0, 0)], 1), ["─────▸"]);
        assert_eq!(drawn(&[(0, 1), (1, 1), (2, 1)], 3), ["─┐    ", "─┴─┬─▸", "───┘  "]);
        assert_eq!(drawn(&[(1, 0), (1, 1), (1, 2)], 3), ["  ┌──▸", "──┼──▸", "  └──▸"]);
        assert_eq!(drawn(&[(0, 9)], 1), ["─┐    "], "what lies outside is left out");
    }

    #[test]
    fn faint_edges_are_dotted_where_no_other_runs_and_busy_ones_are_told() {
        let faint = Wire { from: 0, to: 2, faint: true, ..Wire::default() };
        assert_eq!(text(&wires(&[faint], 3)), ["┄┐    ", " ┆    ", " └┄┄┄▸"]);
        let busy = Wire { from: 0, to: 0, busy: true, ..Wire::default() };
        let cells = wires(&[faint, busy], 3);
        assert_eq!(text(&cells), ["─┬───▸", " ┆    ", " └┄┄┄▸"]);
        let told: Vec<usize> = cells.iter().map(|row| row.iter().filter(|cell| cell.busy).count()).collect();
        assert_eq!(told, [GUTTER, 0, 0]);
    }
}
