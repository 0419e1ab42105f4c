//! Display width in terminal cells, and text fitted to it.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Cells that `text` takes on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` in at most `cells` cells; what is cut ends in `…`. Characters are never split.
pub fn fit(text: &str, cells: usize) -> String {
    if text.width() <= cells {
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
    out.extend(std::iter::repeat_n(' ', cells.saturating_sub(out.width())));
    out
}

/// [`fit`], then filled with spaces on the left to exactly `cells`: for numbers.
pub fn pad_left(text: &str, cells: usize) -> String {
    let out = fit(text, cells);
    let mut padded = " ".repeat(cells.saturating_sub(out.width()));
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
}
