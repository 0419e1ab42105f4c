//! Sequences for the operator's own terminal, through the multiplexer that is in between.

/// The sequence, wrapped for tmux or screen.
pub(super) fn wrapped(plain: &str, tmux: bool, screen: bool) -> Vec<u8> {
    match (tmux, screen) {
        (true, _) => format!("\x1bPtmux;{}\x1b\\", plain.replace('\x1b', "\x1b\x1b")),
        (_, true) => format!("\x1bP{plain}\x1b\\"),
        _ => plain.to_owned(),
    }
    .into_bytes()
}

/// Whether tmux or screen is in between, as the environment tells.
pub(super) fn here() -> (bool, bool) {
    let tmux = std::env::var_os("TMUX").is_some();
    let screen = std::env::var("TERM").is_ok_and(|term| term.starts_with("screen"));
    (tmux, screen)
}
