//! Edges between two layers as box-drawing characters. A cell knows only which of its four sides a line leaves by, so
//! that joins come out right by themselves.

/// Sides of a cell.
const UP: u8 = 1;
const DOWN: u8 = 2;
const LEFT: u8 = 4;
const RIGHT: u8 = 8;

/// Cells that a gutter is wide.
pub const GUTTER: usize = 6;

/// One cell of a gutter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cell {
    sides: u8,
    /// On the way from or to what is selected.
    pub hot: bool,
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
            s if s & (UP | DOWN) == 0 => '─',
            s if s & (LEFT | RIGHT) == 0 => '│',
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

/// The cells of a gutter, row by row, for edges between rows; hot ones lie above the others.
pub fn wires(edges: &[(usize, usize, bool)], rows: usize) -> Vec<[Cell; GUTTER]> {
    let mut grid = vec![[Cell::default(); GUTTER]; rows];
    let mut put = |row: usize, at: usize, sides: u8, hot: bool, arrow: bool| {
        if let Some(cell) = grid.get_mut(row).and_then(|row| row.get_mut(at)) {
            cell.sides |= sides;
            cell.hot |= hot;
            cell.arrow |= arrow;
        }
    };
    // What comes from one row shares a lane; neighbours take turns, so that few lanes carry two.
    let lanes = GUTTER - 3;
    for (from, to, hot) in edges {
        let lane = 1 + if from == to { 0 } else { from % lanes };
        for at in 0..lane {
            put(*from, at, LEFT | RIGHT, *hot, false);
        }
        if from == to {
            put(*from, lane, LEFT | RIGHT, *hot, false);
        } else {
            let (first, last) = (*from.min(to), *from.max(to));
            put(*from, lane, LEFT | if to > from { DOWN } else { UP }, *hot, false);
            for row in first + 1..last {
                put(row, lane, UP | DOWN, *hot, false);
            }
            put(*to, lane, RIGHT | if to > from { UP } else { DOWN }, *hot, false);
        }
        for at in lane + 1..GUTTER - 1 {
            put(*to, at, LEFT | RIGHT, *hot, false);
        }
        put(*to, GUTTER - 1, 0, *hot, true);
    }
    grid
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(edges: &[(usize, usize)], rows: usize) -> Vec<String> {
        let edges: Vec<_> = edges.iter().map(|(from, to)| (*from, *to, false)).collect();
        wires(&edges, rows).iter().map(|row| row.iter().map(|cell| cell.glyph()).collect()).collect()
    }

    #[test]
    fn joins_come_out_right() {
        assert_eq!(drawn(&[(0, 0)], 1), ["─────▸"]);
        assert_eq!(drawn(&[(0, 1), (1, 1), (2, 1)], 3), ["─┐    ", "─┴─┬─▸", "───┘  "]);
        assert_eq!(drawn(&[(1, 0), (1, 1), (1, 2)], 3), ["  ┌──▸", "──┼──▸", "  └──▸"]);
        assert_eq!(drawn(&[(0, 9)], 1), ["─┐    "], "what lies outside is left out");
    }
}
