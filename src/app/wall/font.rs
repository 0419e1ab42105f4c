//! Large letters, for those who stand five metres away: three pixels wide as a rule, five high.
//!
//! Two ways to draw a pixel: half a cell high and one wide, so that a letter takes three rows; or a cell high and two
//! wide, so that it takes five.

/// How large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// Three rows.
    Half,
    /// Five rows.
    Full,
}

impl Size {
    /// Rows of a letter.
    pub(super) fn rows(self) -> usize {
        match self {
            Self::Half => 3,
            Self::Full => 5,
        }
    }
}

/// Five rows of pixels; a bit each, the leftmost the highest of the width.
type Glyph = (u8, [u8; 5]);

/// The letter's pixels. What has none is a box, so that it is seen to be there.
fn glyph(c: char) -> Glyph {
    match c.to_ascii_uppercase() {
        '0' => (3, [0b111, 0b101, 0b101, 0b101, 0b111]),
        '1' => (3, [0b010, 0b110, 0b010, 0b010, 0b111]),
        '2' => (3, [0b111, 0b001, 0b111, 0b100, 0b111]),
        '3' => (3, [0b111, 0b001, 0b111, 0b001, 0b111]),
        '4' => (3, [0b101, 0b101, 0b111, 0b001, 0b001]),
        '5' => (3, [0b111, 0b100, 0b111, 0b001, 0b111]),
        '6' => (3, [0b111, 0b100, 0b111, 0b101, 0b111]),
        '7' => (3, [0b111, 0b001, 0b001, 0b010, 0b010]),
        '8' => (3, [0b111, 0b101, 0b111, 0b101, 0b111]),
        '9' => (3, [0b111, 0b101, 0b111, 0b001, 0b111]),
        'A' => (3, [0b010, 0b101, 0b111, 0b101, 0b101]),
        'B' => (3, [0b110, 0b101, 0b110, 0b101, 0b110]),
        'C' => (3, [0b011, 0b100, 0b100, 0b100, 0b011]),
        'D' => (3, [0b110, 0b101, 0b101, 0b101, 0b110]),
        'E' => (3, [0b111, 0b100, 0b110, 0b100, 0b111]),
        'F' => (3, [0b111, 0b100, 0b110, 0b100, 0b100]),
        'G' => (3, [0b011, 0b100, 0b101, 0b101, 0b011]),
        'H' => (3, [0b101, 0b101, 0b111, 0b101, 0b101]),
        'I' => (3, [0b111, 0b010, 0b010, 0b010, 0b111]),
        'J' => (3, [0b001, 0b001, 0b001, 0b101, 0b010]),
        'K' => (3, [0b101, 0b101, 0b110, 0b101, 0b101]),
        'L' => (3, [0b100, 0b100, 0b100, 0b100, 0b111]),
        'M' => (5, [0b10001, 0b11011, 0b10101, 0b10001, 0b10001]),
        'N' => (4, [0b1001, 0b1101, 0b1011, 0b1001, 0b1001]),
        'O' => (3, [0b010, 0b101, 0b101, 0b101, 0b010]),
        'P' => (3, [0b110, 0b101, 0b110, 0b100, 0b100]),
        'Q' => (4, [0b0110, 0b1001, 0b1001, 0b1010, 0b0101]),
        'R' => (3, [0b110, 0b101, 0b110, 0b101, 0b101]),
        'S' => (3, [0b011, 0b100, 0b010, 0b001, 0b110]),
        'T' => (3, [0b111, 0b010, 0b010, 0b010, 0b010]),
        'U' => (3, [0b101, 0b101, 0b101, 0b101, 0b111]),
        'V' => (3, [0b101, 0b101, 0b101, 0b101, 0b010]),
        'W' => (5, [0b10001, 0b10001, 0b10101, 0b11011, 0b10001]),
        'X' => (3, [0b101, 0b101, 0b010, 0b101, 0b101]),
        'Y' => (3, [0b101, 0b101, 0b010, 0b010, 0b010]),
        'Z' => (3, [0b111, 0b001, 0b010, 0b100, 0b111]),
        ' ' => (2, [0; 5]),
        '.' => (1, [0, 0, 0, 0, 1]),
        ',' => (2, [0, 0, 0, 0b01, 0b10]),
        ':' => (1, [0, 1, 0, 1, 0]),
        '-' | '–' => (3, [0, 0, 0b111, 0, 0]),
        '_' => (3, [0, 0, 0, 0, 0b111]),
        '/' => (3, [0b001, 0b001, 0b010, 0b100, 0b100]),
        '%' => (3, [0b101, 0b001, 0b010, 0b100, 0b101]),
        '+' => (3, [0, 0b010, 0b111, 0b010, 0]),
        '?' => (3, [0b111, 0b001, 0b011, 0b000, 0b010]),
        '!' => (1, [1, 1, 1, 0, 1]),
        _ => (3, [0b111, 0b101, 0b101, 0b101, 0b111]),
    }
}

/// Cells that a text takes.
pub(super) fn width(text: &str, size: Size) -> usize {
    let pixels: usize = text.chars().map(|c| usize::from(glyph(c).0) + 1).sum();
    let pixels = pixels.saturating_sub(1);
    if size == Size::Full { pixels * 2 } else { pixels }
}

/// The text in rows of cells.
pub(super) fn large(text: &str, size: Size) -> Vec<String> {
    let mut pixels: [Vec<bool>; 6] = Default::default();
    for (at, c) in text.chars().enumerate() {
        let (wide, rows) = glyph(c);
        // The sixth row is empty: half cells come in pairs.
        for (row, line) in pixels.iter_mut().enumerate() {
            let bits = rows.get(row).copied().unwrap_or_default();
            if at > 0 {
                line.push(false);
            }
            line.extend((0..wide).rev().map(|bit| bits >> bit & 1 == 1));
        }
    }
    let [a, b, c, d, e, f] = pixels;
    let full = |line: Vec<bool>| line.into_iter().map(|on| if on { "██" } else { "  " }).collect();
    let half = |(upper, lower): (Vec<bool>, Vec<bool>)| {
        let cell = |(upper, lower)| match (upper, lower) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        upper.into_iter().zip(lower).map(cell).collect()
    };
    match size {
        Size::Full => [a, b, c, d, e].into_iter().map(full).collect(),
        Size::Half => [(a, b), (c, d), (e, f)].into_iter().map(half).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_as_wide_as_is_said() {
        let all: String = (' '..='~').chain(['–', '港']).collect();
        for size in [Size::Half, Size::Full] {
            let rows = large(&all, size);
            assert_eq!(rows.len(), size.rows());
            assert!(rows.iter().all(|row| row.chars().count() == width(&all, size)), "{rows:#?}");
        }
        assert_eq!(large("1.7", Size::Half), ["▄█    ▀▀█", " █     ▄▀", "▀▀▀ ▀  ▀ "]);
    }
}
