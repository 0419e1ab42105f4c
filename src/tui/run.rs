//! The loop: keys, messages and signals in, frames and effects out. Owns the terminal, and nothing else.

mod effects;

use std::{task::Poll, time::Duration};

use futures::{FutureExt, StreamExt};
use jiff::{Timestamp, tz::TimeZone};
use tokio::{
    signal::unix::Signal,
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use super::{
    alert::Alerts,
    frame::Frames,
    input,
    join::Joiner,
    outbox::Outbox,
    reader::Reader,
    signals::Signals,
    term::{self, TermError},
    theme::Theme,
    visit::{self, Visit},
    writer::Writer,
};
use crate::app::{Effect, Mode, Msg, Redraw, State, update};

/// How the screen was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The operator left.
    Quit,
    /// A signal asked for it.
    Signal,
    /// The terminal is gone: the window was closed, the SSH connection broke.
    HungUp,
}

/// Frames of data come at most this often.
const DATA_FRAME: Duration = Duration::from_millis(100);
/// The same for a wall.
const CALM_FRAME: Duration = Duration::from_secs(1);
/// The same for a window without the focus: nobody types there, and few look.
const ASIDE_FRAME: Duration = Duration::from_secs(5);
/// While the first answers come in, frames follow each other faster, so long …
const START: Duration = Duration::from_secs(1);
/// … and at this pace.
const START_FRAME: Duration = Duration::from_millis(20);
/// Working data out takes at most one part of so many of the time.
const COST_SHARE: u32 = 8;
/// The state hears the time this often when nothing else happens.
const TICK: Duration = Duration::from_secs(1);
/// Messages taken in at once before the screen and the keys get their turn.
const BATCH: usize = 256;
/// The frame under way may hold up leaving so long.
const SETTLE: Duration = Duration::from_millis(200);

/// How the screen looks and sounds.
#[derive(Debug)]
pub struct Look {
    /// The theme; a new one is shown at once.
    pub theme: watch::Receiver<Theme>,
    /// How alerts are told.
    pub alerts: Alerts,
}

impl From<Theme> for Look {
    /// A theme that stays, and no sound.
    fn from(theme: Theme) -> Self {
        Self { theme: watch::channel(theme).1, alerts: Alerts::default() }
    }
}

struct Loop {
    state: State,
    theme: Theme,
    alerts: Alerts,
    frames: Frames,
    writer: Writer,
    outbox: Outbox,
    redraw: Redraw,
    last_frame: Instant,
    last_data: Instant,
    begun: Instant,
    /// What the last frame of data took to work out.
    cost: Duration,
    /// Sequences that go out with the next frame.
    extra: Vec<u8>,
    /// The terminal was told to report the mouse.
    mouse: bool,
    suspend: bool,
    quit: bool,
}

/// Runs the dashboard until it is left. Everything but keys comes through `inbox`; what is to be done, apart from
/// drawing, clipboard and files of dumps, goes to `outbox`. The first frame is drawn before anything is awaited.
/// Call [`term::hook_panics`] before.
pub async fn run(
    state: State,
    look: Look,
    inbox: mpsc::Receiver<Msg>,
    outbox: mpsc::Sender<Effect>,
) -> Result<Outcome, TermError> {
    Box::pin(run_with(state, look, inbox, outbox, mpsc::channel(1).1)).await
}

/// [`run`], with visits that are given the terminal when they come.
pub async fn run_with(
    mut state: State,
    look: Look,
    inbox: mpsc::Receiver<Msg>,
    outbox: mpsc::Sender<Effect>,
    visits: mpsc::Receiver<Visit>,
) -> Result<Outcome, TermError> {
    term::check()?;
    state.zone = TimeZone::system();
    let guard = term::enter()?;
    let signals = Signals::new()?;
    let writer = Writer::start(term::output()?)?;
    let ui = Loop {
        state,
        theme: look.theme.borrow().clone(),
        alerts: look.alerts,
        frames: Frames::default(),
        writer,
        outbox: Outbox::new(outbox),
        redraw: Redraw::Now,
        last_frame: Instant::now(),
        last_data: Instant::now(),
        begun: Instant::now(),
        cost: Duration::ZERO,
        extra: Vec::new(),
        mouse: false,
        suspend: false,
        quit: false,
    };
    let outcome = ui.turn(inbox, visits, signals, look.theme).await;
    drop(guard);
    outcome
}

impl Loop {
    async fn turn(
        mut self,
        mut inbox: mpsc::Receiver<Msg>,
        mut visits: mpsc::Receiver<Visit>,
        mut signals: Signals,
        mut themes: watch::Receiver<Theme>,
    ) -> Result<Outcome, TermError> {
        let (w, h) = crossterm::terminal::size()?;
        self.take(Msg::Resize(w, h));
        self.draw()?;
        let mut events = Reader::new();
        let mut next_tick = Instant::now() + TICK;
        let mut open = true;
        let mut visit = None;
        let mut joiner = Joiner::default();
        loop {
            if self.quit {
                self.writer.settle(SETTLE);
                return Ok(Outcome::Quit);
            }
            if std::mem::take(&mut self.suspend) {
                drop(events);
                self.stop_and_go_on(&mut signals.resumed).await?;
                events = Reader::new();
            }
            if let Some(visit) = visit.take() {
                events.let_go();
                if let Some(outcome) = self.host(visit, &mut signals).await? {
                    return Ok(outcome);
                }
                events = Reader::new();
            }
            self.draw()?;
            if self.writer.is_lost() {
                return Ok(Outcome::HungUp);
            }
            let frame_due = self.frame_due();
            let waits = self.redraw != Redraw::No && self.writer.is_idle();
            tokio::select! {
                biased;
                _ = signals.hangup.recv() => return Ok(Outcome::HungUp),
                _ = signals.terminate.recv() => return Ok(Outcome::Signal),
                _ = signals.interrupt.recv() => return Ok(Outcome::Signal),
                _ = signals.stop.recv() => self.suspend = true,
                // Continued by someone else than `stop_and_go_on`, such as after a kill -STOP.
                _ = signals.resumed.recv() => self.repaint(),
                event = events.next() => {
                    self.take(Msg::Tick(Timestamp::now()));
                    let mut event = event;
                    loop {
                        match event {
                            Some(Ok(event)) => {
                                let joined = input::message(event).map(|msg| joiner.take(msg, Instant::now()));
                                joined.into_iter().flatten().for_each(|msg| self.take(msg));
                            }
                            // The terminal cannot be read any more.
                            Some(Err(_)) | None => return Ok(Outcome::HungUp),
                        }
                        // What has already been typed belongs to this frame; resizes melt into one. Asked in the name of
                        // this task: the stream remembers whom to wake, and would wake nobody at the next key.
                        match futures::poll!(events.next()) {
                            Poll::Ready(more) => event = more,
                            Poll::Pending => break,
                        }
                    }
                }
                msg = inbox.recv(), if open => match msg {
                    Some(msg) => {
                        self.take(Msg::Tick(Timestamp::now()));
                        self.take(msg);
                        for _ in 0..BATCH {
                            let Ok(msg) = inbox.try_recv() else { break };
                            self.take(msg);
                        }
                        self.keep_up();
                    }
                    None => open = false,
                },
                Some(come) = visits.recv() => visit = Some(come),
                Ok(()) = themes.changed() => {
                    self.theme = themes.borrow_and_update().clone();
                    self.repaint();
                }
                () = self.writer.done() => {}
                () = self.outbox.pass(), if self.outbox.is_waiting() => {}
                () = sleep_until(joiner.due().unwrap_or(next_tick)), if joiner.due().is_some() => {
                    joiner.release().into_iter().for_each(|msg| self.take(msg));
                }
                () = sleep_until(frame_due), if waits => {}
                () = sleep_until(next_tick) => {
                    next_tick = Instant::now() + TICK;
                    self.take(Msg::Tick(Timestamp::now()));
                }
            }
        }
    }

    /// One message into the state, and its effects out.
    fn take(&mut self, msg: Msg) {
        if matches!(msg, Msg::Resize(..)) {
            self.frames.repaint();
        }
        let done = update(&mut self.state, msg);
        self.redraw = self.redraw.max(done.redraw);
        for effect in done.effects {
            self.effect(effect);
        }
    }

    /// Counts what came, when that is much, so that no key waits for more.
    fn keep_up(&mut self) {
        let begun = Instant::now();
        let Some(effects) = self.state.keep_up() else { return };
        self.state.counting = begun.elapsed();
        for effect in effects {
            self.effect(effect);
        }
    }

    fn repaint(&mut self) {
        self.frames.repaint();
        self.redraw = Redraw::Now;
    }

    /// When the next frame of data may be drawn.
    fn frame_due(&self) -> Instant {
        if self.redraw == Redraw::Now { self.last_frame } else { self.last_data + self.data_pause() }
    }

    /// The time between two frames of data. Where counting a very large fleet takes long, it is done less often, so
    /// that most of the time is left for everything else.
    fn data_pause(&self) -> Duration {
        let usual = if self.begun.elapsed() < START {
            START_FRAME
        } else if self.state.mode == Mode::Watch {
            CALM_FRAME
        } else if !self.state.focused {
            ASIDE_FRAME
        } else {
            DATA_FRAME
        };
        usual.max(self.cost * COST_SHARE)
    }

    /// Draws when something is to be seen, the last frame is through, and it is time.
    fn draw(&mut self) -> std::io::Result<()> {
        if self.redraw == Redraw::No || !self.writer.is_idle() || Instant::now() < self.frame_due() {
            return Ok(());
        }
        let begun = Instant::now();
        // Data waits for its own time; an answer to a key does not wait for data.
        let data = begun >= self.last_data + self.data_pause();
        let counts = data && self.state.is_stale();
        let effects = if data { self.state.settle() } else { self.state.settle_view() };
        if counts {
            self.state.counting = begun.elapsed();
        }
        for effect in effects {
            self.effect(effect);
        }
        self.redraw = if self.state.is_stale() { Redraw::Soon } else { Redraw::No };
        self.last_frame = begun;
        if data {
            self.last_data = begun;
            self.cost = begun.elapsed();
        }
        if self.state.wants_mouse() != self.mouse {
            self.mouse = !self.mouse;
            self.extra.extend(if self.mouse { term::MOUSE_ON } else { term::MOUSE_OFF });
        }
        let frame = self.frames.next(&self.state, &self.theme)?;
        let extra = std::mem::take(&mut self.extra);
        let mut bytes = frame.unwrap_or_default();
        bytes.extend(extra);
        if !bytes.is_empty() {
            self.writer.write(bytes);
        }
        self.take(Msg::Shown);
        Ok(())
    }

    /// Gives the terminal to a visit, and takes it again when that is over. Some outcome ends the program.
    async fn host(&mut self, visit: Visit, signals: &mut Signals) -> Result<Option<Outcome>, TermError> {
        self.writer.settle(SETTLE);
        term::lend(visit.banner())?;
        let stayed = visit::stay(visit, &self.writer, signals).await;
        self.writer.settle(SETTLE);
        let end = stayed?;
        if let visit::End::Outcome(outcome) = end {
            term::quiet();
            return Ok(Some(outcome));
        }
        term::take_back()?;
        self.mouse = false;
        let (w, h) = crossterm::terminal::size()?;
        self.take(Msg::Resize(w, h));
        self.take(Msg::Tick(Timestamp::now()));
        if let visit::End::Over(Some(msg)) = end {
            self.take(msg);
        }
        self.redraw = Redraw::Now;
        Ok(None)
    }

    /// Gives the terminal to the shell, stops, and takes it again when continued.
    async fn stop_and_go_on(&mut self, resumed: &mut Signal) -> Result<(), TermError> {
        self.writer.settle(SETTLE);
        term::leave();
        // One that came earlier, such as with the start from a shell, must not count as the one that continues us.
        while resumed.recv().now_or_never().is_some() {}
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
        // This thread may run on for a moment before the stop takes hold of it.
        resumed.recv().await;
        // The guard of `run` gives the terminal back in the end; one is enough.
        std::mem::forget(term::enter()?);
        self.mouse = false;
        let (w, h) = crossterm::terminal::size()?;
        self.take(Msg::Resize(w, h));
        Ok(())
    }
}
