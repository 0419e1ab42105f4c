//! Display width in terminal cells, and text fitted to it.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Cells that `text` takes on a terminal.
pub fn width(text: &str) -> usize {
    // Nearly all of a screen is plain, and measured several times in each frame.
    if is_plain(text) { text.len() } else { text.width() }
}

/// True for text in which each byte is a character of one cell.
pub fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// `text` in at most `cells` cells; what is cut ends in `…`. Characters are never split.
pub fn fit(text: &str, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let Some(room) = cells.checked_sub(1) else {
        return String::new();
    };
    let mut used = 0;
    let mut out = String::new();
    for grapheme in text.graphemes(true) {
        used += grapheme.width();
        if used > room {
            break;
        }
        out.push_str(grapheme);
    }
    out.push('…');
    out
}

/// [`fit`], then filled with spaces on the right to exactly `cells`.
pub fn pad_right(text: &str, cells: usize) -> String {
    let mut out = fit(text, cells);
    out.extend(std::iter::repeat_n(' ', cells.saturating_sub(width(&out))));
    out
}

/// [`fit`], then filled with spaces on the left to exactly `cells`: for numbers.
pub fn pad_left(text: &str, cells: usize) -> String {
    let out = fit(text, cells);
    let mut padded = " ".repeat(cells.saturating_sub(width(&out)));
    padded.push_str(&out);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_text_fits_and_says_so() {
        for (text, cells, fitted) in [
            ("payments", 8, "payments"),
            ("payments", 5, "paym…"),
            ("payments", 1, "…"),
            ("payments", 0, ""),
            ("港口港口", 5, "港口…"),
            ("港口港口", 4, "港…"),
        ] {
            assert_eq!(fit(text, cells), fitted);
        }
        assert_eq!(pad_right("港", 4), "港  ");
        assert_eq!(pad_left("7", 3), "  7");
    }

    #[test]
    fn plain_text_is_measured_as_any_other() {
        for text in ["", "a ~", "a\u{7f}", "a\tb", "é", "e\u{301}", "港", "\u{1f468}\u{200d}\u{1f469}"] {
            assert_eq!(width(text), text.width(), "{text:?}");
        }
    }
}
