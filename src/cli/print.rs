//! Output for people and pipes. A closed pipe ends the program quietly.

use std::io::{self, IsTerminal, Write};

use crate::text;

/// Writes to standard output. A reader that went away is success: it has what it wanted.
pub(super) fn out(text: &str) {
    let mut stdout = io::stdout().lock();
    if let Err(error) = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        let code = i32::from(error.kind() != io::ErrorKind::BrokenPipe);
        std::process::exit(code);
    }
}

/// A line on standard output.
pub(super) fn line(text: &str) {
    out(&format!("{text}\n"));
}

/// A line of complaint on standard error.
pub(super) fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "wharf: {text}");
}

/// A line of information on standard error, so that standard output stays for scripts.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Overwrites one line on the terminal; nothing where standard error is not one.
pub(super) fn status(text: &str) {
    if is_live() {
        let columns = columns_of_stderr();
        let _ = write!(io::stderr().lock(), "\r\x1b[2K{}", text::fit(text, columns.saturating_sub(1)));
    }
}

/// Clears the line of [`status`].
pub(super) fn clear_status() {
    if is_live() {
        let _ = write!(io::stderr().lock(), "\r\x1b[2K");
    }
}

/// True when standard error is a terminal on which a line can be overwritten.
pub(super) fn is_live() -> bool {
    io::stderr().is_terminal() && std::env::var("TERM").is_ok_and(|term| term != "dumb")
}

/// Columns of the terminal on standard error.
fn columns_of_stderr() -> usize {
    rustix::termios::tcgetwinsize(io::stderr()).map_or(80, |size| usize::from(size.ws_col).max(20))
}

/// Columns of the terminal on standard output; as many as a page of paper has where it is none.
pub(super) fn columns() -> usize {
    rustix::termios::tcgetwinsize(io::stdout()).map_or(120, |size| usize::from(size.ws_col).max(40))
}

/// A document as JSON.
pub(super) fn json(document: &impl serde::Serialize) {
    match serde_json::to_string_pretty(document) {
        Ok(text) => line(&text),
        Err(error) => complain(&format!("the answer cannot be written as JSON: {error}")),
    }
}

/// A table: columns are as wide as their widest cell; headings in capitals; numbers to the right.
pub(super) struct Table {
    heads: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

/// Which side a column hugs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

impl Table {
    pub(super) fn new(heads: &[(&str, Align)]) -> Self {
        Self { heads: heads.iter().map(|(head, align)| ((*head).to_owned(), *align)).collect(), rows: Vec::new() }
    }

    pub(super) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    pub(super) fn print(&self) {
        out(&self.to_text());
    }

    fn to_text(&self) -> String {
        let mut widths: Vec<usize> = self.heads.iter().map(|(head, _)| text::width(head)).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(text::width(cell));
            }
        }
        let heads: Vec<String> = self.heads.iter().map(|(head, _)| head.clone()).collect();
        let mut out = String::new();
        for row in std::iter::once(&heads).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, width), (_, align)) in row.iter().zip(&widths).zip(&self.heads) {
                let cell = match align {
                    Align::Left => text::pad_right(cell, *width),
                    Align::Right => text::pad_left(cell, *width),
                };
                line.push_str(&cell);
                line.push_str("  ");
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&[("NAME", Align::Left), ("N", Align::Right)]);
        table.row(vec!["港口".into(), "7".into()]);
        table.row(vec!["payments".into(), "1,204".into()]);
        assert_eq!(table.to_text(), "NAME          N\n港口          7\npayments  1,204\n");
    }
}
