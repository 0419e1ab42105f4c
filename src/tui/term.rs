//! Taking the terminal and giving it back, whatever happens in between.

use std::{
    fs::File,
    io::{IsTerminal, Write},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
    thread::ThreadId,
    time::Duration,
};

use crossterm::{
    cursor::{Hide, Show},
    event::{DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange},
    execute,
    terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
};

/// Why there is no screen.
#[derive(Debug, thiserror::Error)]
pub enum TermError {
    /// Input or output is a file or a pipe.
    #[error(
        "the dashboard needs a terminal, and {0} is none; for scripts there are `wharf stacks`, `wharf ps` and `wharf hosts`, each with --json"
    )]
    NoTerminal(&'static str),
    /// The terminal cannot place its cursor.
    #[error(
        "the dashboard needs a terminal that can place its cursor, and TERM is `dumb`; `wharf stacks` and `wharf ps` print plain lines"
    )]
    Dumb,
    /// The system refused something.
    #[error("the terminal could not be set up: {0}")]
    Io(#[from] std::io::Error),
}

/// True while the terminal is ours.
static OURS: AtomicBool = AtomicBool::new(false);
/// The thread that draws.
static UI: Mutex<Option<ThreadId>> = Mutex::new(None);
/// A reader that stalls may hold up leaving so long.
const LEAVE_LIMIT: Duration = Duration::from_millis(500);

/// Gives the terminal back when it goes out of scope.
#[derive(Debug)]
pub struct Guard(());

impl Drop for Guard {
    fn drop(&mut self) {
        leave();
    }
}

/// Says why no dashboard can be drawn here, before anything is touched.
pub fn check() -> Result<(), TermError> {
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return Err(TermError::Dumb);
    }
    if !std::io::stdout().is_terminal() {
        return Err(TermError::NoTerminal("the output"));
    }
    if !std::io::stdin().is_terminal() {
        return Err(TermError::NoTerminal("the input"));
    }
    Ok(())
}

/// Takes the terminal: raw keys, its second screen, pastes and focus told apart from keys.
pub fn enter() -> Result<Guard, TermError> {
    *UI.lock().unwrap_or_else(PoisonError::into_inner) = Some(std::thread::current().id());
    // Without this, NO_COLOR makes the library write resets that also take the selection away. Our own theme
    // honours it.
    crossterm::style::force_color_output(true);
    enable_raw_mode()?;
    OURS.store(true, Ordering::SeqCst);
    let guard = Guard(());
    execute!(output()?, EnterAlternateScreen, Hide, EnableBracketedPaste, EnableFocusChange)?;
    Ok(guard)
}

/// Reports of clicks and of the wheel, in cells; none of mere movement, which would send bytes without end.
pub const MOUSE_ON: &[u8] = b"\x1b[?1000h\x1b[?1006h";
/// None any more.
pub const MOUSE_OFF: &[u8] = b"\x1b[?1006l\x1b[?1000l";

/// Undoes what a program may have left behind that ended without a word: half a sequence, the second screen, reports of
/// the mouse, keys in other alphabets, a region, colours.
const QUIET: &[u8] = b"\x18\x1b\\\x1b[?1049l\x1b[!p\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\
    \x1b[?1004l\x1b[?2004l\x1b[?1l\x1b>\x1b[r\x1b(B\x0f\x1b[?7h\x1b[?25h\x1b[0m\r\n";

/// Gives the first screen to someone else, who gets keys as they are typed.
pub fn lend(words: &str) -> std::io::Result<()> {
    let mut out = output()?;
    out.write_all(MOUSE_OFF)?;
    execute!(out, DisableFocusChange, DisableBracketedPaste, LeaveAlternateScreen, Show)?;
    out.write_all(words.as_bytes())
}

/// Whatever someone else left behind is undone. Every step is tried.
pub fn quiet() {
    if let Ok(mut out) = output() {
        let _ = out.write_all(QUIET);
    }
}

/// Takes the screen again that was lent.
pub fn take_back() -> std::io::Result<()> {
    quiet();
    // The other may have set the terminal's own modes.
    enable_raw_mode()?;
    execute!(output()?, EnterAlternateScreen, Hide, EnableBracketedPaste, EnableFocusChange)
}

/// The terminal as a file of its own, without a buffer in between.
pub fn output() -> std::io::Result<File> {
    Ok(File::from(rustix::io::dup(std::io::stdout())?))
}

/// Gives the terminal back. Every step is tried whatever became of the others; a second call does nothing.
pub fn leave() {
    if !OURS.swap(false, Ordering::SeqCst) {
        return;
    }
    let (done, wait) = channel();
    // In a thread: a terminal whose reader stalls would block the write, and us with it.
    let spawned = std::thread::Builder::new().name("terminal-leave".into()).spawn(move || {
        if let Ok(mut out) = output() {
            // An update that was begun is ended first, or the terminal may hold back what follows.
            let _ = out.write_all(b"\x1b[?2026l\x1b[0m");
            let _ = out.write_all(MOUSE_OFF);
            let _ = execute!(out, DisableFocusChange, DisableBracketedPaste, LeaveAlternateScreen, Show);
        }
        let _ = done.send(());
    });
    if spawned.is_ok() {
        let _ = wait.recv_timeout(LEAVE_LIMIT);
    }
    let _ = disable_raw_mode();
}

/// Puts a hook before the one that is installed: a panic of the drawing thread gives the terminal back first; one of
/// a background task is written to the log while the screen stays. Call it once, after other hooks.
pub fn hook_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let ui = *UI.lock().unwrap_or_else(PoisonError::into_inner) == Some(std::thread::current().id());
        if ui {
            leave();
            before(info);
        } else if OURS.load(Ordering::SeqCst) {
            tracing::error!("a background task panicked: {info}");
        } else {
            before(info);
        }
    }));
}
