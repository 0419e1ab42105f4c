//! Text into the clipboard of the operator's own terminal, also through SSH and multiplexers.

use base64::{Engine, engine::general_purpose::STANDARD};

use super::passthrough::{here, wrapped};

/// Longest sequence that terminals take, by common practice.
const LONGEST: usize = 74_994;

/// The sequence (OSC 52), wrapped for the multiplexer that is in between. None when the text is too long.
pub fn sequence(text: &str, tmux: bool, screen: bool) -> Option<Vec<u8>> {
    let data = STANDARD.encode(text);
    if data.len() > LONGEST {
        return None;
    }
    Some(wrapped(&format!("\x1b]52;c;{data}\x07"), tmux, screen))
}

/// [`sequence`] for the terminal that the environment tells of.
pub fn for_this_terminal(text: &str) -> Option<Vec<u8>> {
    let (tmux, screen) = here();
    sequence(text, tmux, screen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_for_what_is_in_between() {
        assert_eq!(sequence("hi", false, false).unwrap(), b"\x1b]52;c;aGk=\x07");
        assert_eq!(sequence("hi", true, true).unwrap(), b"\x1bPtmux;\x1b\x1b]52;c;aGk=\x07\x1b\\");
        assert_eq!(sequence("hi", false, true).unwrap(), b"\x1bP\x1b]52;c;aGk=\x07\x1b\\");
        assert_eq!(sequence(&"x".repeat(80_000), false, false), None);
    }
}
