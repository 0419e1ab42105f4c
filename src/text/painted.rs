//! Log lines with the colours that their programs gave them, as data.

use std::fmt;

use super::safe::{Filter, Text};

/// How a piece of a line was meant to look. Colours are places in the table of 256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ink {
    /// The colour of the characters; none is the terminal's own.
    pub fg: Option<u8>,
    /// The colour behind them.
    pub bg: Option<u8>,
    /// Heavier.
    pub bold: bool,
    /// Paler.
    pub dim: bool,
    /// Slanted.
    pub italic: bool,
    /// With a line below.
    pub underline: bool,
    /// With its two colours exchanged.
    pub reverse: bool,
}

/// A safe line and how its pieces were meant to look. Escape sequences never get further than here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Painted {
    text: Text,
    /// Where each piece ends, in bytes, and its looks; nothing where the whole line is plain.
    pieces: Box<[(u32, Ink)]>,
}

impl Painted {
    /// Makes `raw` safe as [`Text::new`] does, and reads its colours.
    pub fn new(raw: &str) -> Self {
        if !raw.bytes().any(|byte| byte == 0x1b) {
            return Self { text: Text::new(raw), pieces: Box::default() };
        }
        let mut painter = Painter::default();
        vte::Parser::new().advance(&mut painter, raw.as_bytes());
        painter.end_piece();
        let plain = painter.pieces.iter().all(|(_, ink)| *ink == Ink::default());
        let pieces = if plain { Box::default() } else { painter.pieces.into_boxed_slice() };
        Self { text: Text::filtered(painter.filter), pieces }
    }

    /// The text alone.
    pub fn text(&self) -> &Text {
        &self.text
    }

    /// The text alone.
    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }

    /// Pieces with their looks, from the byte `from` up to `to`. Places inside of a character give nothing.
    pub fn pieces(&self, from: usize, to: usize) -> impl Iterator<Item = (&str, Ink)> {
        let to = to.min(self.as_str().len());
        let plain = self.pieces.is_empty().then_some((to, Ink::default()));
        let ends = self.pieces.iter().map(|(end, ink)| (*end as usize, *ink)).chain(plain);
        ends.scan(0, move |start, (end, ink)| {
            let piece = (*start, end, ink);
            *start = end;
            Some(piece)
        })
        .filter_map(move |(start, end, ink)| {
            let (start, end) = (start.max(from), end.min(to));
            if start < end { Some((self.as_str().get(start..end)?, ink)) } else { None }
        })
    }

    /// Bytes that it takes in memory, about.
    pub fn size(&self) -> usize {
        self.as_str().len() + self.pieces.len() * size_of::<(u32, Ink)>()
    }
}

impl From<&str> for Painted {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}

impl fmt::Display for Painted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// Collects text, and where its looks change.
#[derive(Default)]
struct Painter {
    filter: Filter,
    ink: Ink,
    pieces: Vec<(u32, Ink)>,
}

impl Painter {
    /// The piece before this place has the present looks.
    fn end_piece(&mut self) {
        let end = u32::try_from(self.filter.len()).unwrap_or(u32::MAX);
        let begin = self.pieces.last().map_or(0, |(end, _)| *end);
        match self.pieces.last_mut() {
            _ if begin == end => {}
            Some((last, ink)) if *ink == self.ink => *last = end,
            _ => self.pieces.push((end, self.ink)),
        }
    }
}

impl vte::Perform for Painter {
    fn print(&mut self, c: char) {
        self.filter.print(c);
    }

    fn execute(&mut self, byte: u8) {
        self.filter.execute(byte);
    }

    fn csi_dispatch(&mut self, params: &vte::Params, intermediates: &[u8], _: bool, action: char) {
        if action != 'm' || !intermediates.is_empty() {
            return;
        }
        self.end_piece();
        // `38;5;1` and `38:5:1` mean the same.
        let mut codes = params.iter().flatten().copied();
        if params.is_empty() {
            self.ink = Ink::default();
        }
        while let Some(code) = codes.next() {
            self.ink = change(self.ink, code, &mut codes);
        }
    }
}

/// What one code makes of the looks. Blinking, hiding and fonts mean nothing here.
fn change(mut ink: Ink, code: u16, more: &mut impl Iterator<Item = u16>) -> Ink {
    let small = |code: u16, base: u16| u8::try_from(code - base).ok();
    match code {
        0 => ink = Ink::default(),
        1 => ink.bold = true,
        2 => ink.dim = true,
        3 => ink.italic = true,
        4 => ink.underline = true,
        7 => ink.reverse = true,
        22 => (ink.bold, ink.dim) = (false, false),
        23 => ink.italic = false,
        24 => ink.underline = false,
        27 => ink.reverse = false,
        30..=37 => ink.fg = small(code, 30),
        38 => ink.fg = colour(more).or(ink.fg),
        39 => ink.fg = None,
        40..=47 => ink.bg = small(code, 40),
        48 => ink.bg = colour(more).or(ink.bg),
        49 => ink.bg = None,
        90..=97 => ink.fg = small(code, 90 - 8),
        100..=107 => ink.bg = small(code, 100 - 8),
        _ => {}
    }
    ink
}

/// `5;N` or `2;R;G;B`.
fn colour(codes: &mut impl Iterator<Item = u16>) -> Option<u8> {
    match codes.next()? {
        5 => u8::try_from(codes.next()?).ok(),
        2 => {
            // The nearest of the table's cube of six steps each.
            let mut step = || Some((codes.next()?.min(255) * 5 + 127) / 255);
            let (red, green, blue) = (step()?, step()?, step()?);
            u8::try_from(16 + 36 * red + 6 * green + blue).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ink(fg: u8) -> Ink {
        Ink { fg: Some(fg), ..Ink::default() }
    }

    #[test]
    fn colours_become_data() {
        let plain = Ink::default();
        for (raw, pieces) in [
            ("plain", vec![("plain", plain)]),
            ("\x1b[31mred\x1b[0m plain", vec![("red", ink(1)), (" plain", plain)]),
            ("\x1b[91mbright\x1b[m", vec![("bright", ink(9))]),
            ("\x1b[38;5;208morange\x1b[39m.", vec![("orange", ink(208)), (".", plain)]),
            ("\x1b[38:2:255:0:0mred", vec![("red", ink(196))]),
            ("\x1b[1;32mok\x1b[22m!", vec![("ok", Ink { bold: true, ..ink(2) }), ("!", ink(2))]),
            ("a\x1b[2Jb\x1b]0;title\x07c", vec![("abc", plain)]),
            ("\x1b[38;5mx\x1b[999my", vec![("xy", plain)]),
            ("\x1b[31m\x1b[0m", vec![]),
        ] {
            let painted = Painted::new(raw);
            let got: Vec<(&str, Ink)> = painted.pieces(0, usize::MAX).collect();
            assert_eq!(got, pieces, "{raw:?}");
        }
    }

    #[test]
    fn a_part_of_a_line_keeps_its_looks() {
        let painted = Painted::new("ab\x1b[31mcd港\x1b[0mef");
        let part = |from, to| painted.pieces(from, to).map(|(text, _)| text).collect::<Vec<_>>();
        assert_eq!(part(1, 3), ["b", "c"]);
        assert_eq!(part(3, 9), ["d港", "ef"]);
        assert_eq!(part(9, 9), [""; 0]);
    }

    proptest! {
        #[test]
        fn colours_change_no_text(raw in "[ -~港\u{202e}\x07]*(\x1b\\[[0-9;:]{0,12}m[ -~é\u{9b}\t]*){0,6}") {
            let painted = Painted::new(&raw);
            prop_assert_eq!(painted.text(), &Text::new(&raw));
            let joined: String = painted.pieces(0, usize::MAX).map(|(text, _)| text).collect();
            prop_assert_eq!(joined, painted.as_str());
        }
    }
}
