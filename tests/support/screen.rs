//! Keys in, screens out.

use std::fmt::Write;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier},
};
use wharf::{
    app::{Effect, Msg, State, key::Key, update},
    tui::{Theme, draw::draw},
};

/// Types a script; every key is followed by a frame, as at a terminal.
pub fn type_keys(state: &mut State, script: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for key in Key::script(script).unwrap_or_else(|| panic!("`{script}` names a key that does not exist")) {
        effects.extend(update(state, Msg::Key(key)).effects);
        effects.extend(state.settle());
        effects.extend(update(state, Msg::Shown).effects);
    }
    effects
}

/// Draws a state.
pub fn screen(state: &State, theme: &Theme) -> Buffer {
    let mut buffer = Buffer::empty(Rect::new(0, 0, state.size.0, state.size.1));
    draw(state, theme, &mut buffer);
    buffer
}

/// The characters, line by line.
pub fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut hidden = 0;
        for x in 0..buffer.area.width {
            let symbol = buffer[(x, y)].symbol();
            if hidden > 0 {
                hidden -= 1;
                continue;
            }
            hidden = wharf::text::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Characters and, below them, runs of style: `line: from-to style`.
pub fn styled(buffer: &Buffer) -> String {
    let mut out = text(buffer);
    out.push_str("── styles\n");
    for y in 0..buffer.area.height {
        let mut runs: Vec<(u16, u16, String)> = Vec::new();
        for x in 0..buffer.area.width {
            let name = style_name(buffer, x, y);
            match runs.last_mut() {
                Some((_, to, last)) if *last == name => *to = x,
                _ => runs.push((x, x, name)),
            }
        }
        let runs: Vec<String> = runs
            .into_iter()
            .filter(|(.., name)| !name.is_empty())
            .map(|(from, to, name)| format!("{from}-{to} {name}"))
            .collect();
        if !runs.is_empty() {
            writeln!(out, "{y}: {}", runs.join(", ")).unwrap();
        }
    }
    out
}

fn style_name(buffer: &Buffer, x: u16, y: u16) -> String {
    let cell = &buffer[(x, y)];
    // A blank without background or line looks the same in every colour.
    let blank = cell.symbol() == " ";
    let mut words = Vec::new();
    let shows_colour = !blank || cell.modifier.contains(Modifier::REVERSED);
    if cell.fg != Color::Reset && shows_colour {
        words.push(cell.fg.to_string().to_lowercase());
    }
    if cell.bg != Color::Reset {
        words.push(format!("on-{}", cell.bg.to_string().to_lowercase()));
    }
    for (modifier, word) in [
        (Modifier::BOLD, "bold"),
        (Modifier::DIM, "dim"),
        (Modifier::UNDERLINED, "underline"),
        (Modifier::REVERSED, "reverse"),
    ] {
        let seen = !blank || matches!(modifier, Modifier::REVERSED | Modifier::UNDERLINED);
        if seen && cell.modifier.contains(modifier) {
            words.push(word.to_owned());
        }
    }
    words.join("+")
}
