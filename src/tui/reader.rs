//! The library's reader of the terminal, and how it is made to let go.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use crossterm::event::{Event, EventStream};
use futures::{Stream, StreamExt, task::AtomicWaker};

/// Between two calls to let go.
const CALL: Duration = Duration::from_millis(1);
/// A reader that has not let go by then sits on a terminal that is gone.
const LET_GO: Duration = Duration::from_secs(1);

/// Wakes whoever asked last. The library's thread holds a copy for as long as it waits for the terminal.
#[derive(Debug, Default)]
struct Bell(AtomicWaker);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.wake();
    }
}

/// The terminal's events. Dropping [`EventStream`] calls its thread once, but a thread that had not begun to wait by
/// then misses the call, waits on, and takes the next key from whoever has the terminal now. [`Reader::let_go`] calls
/// until the thread has answered.
#[derive(Debug)]
pub(super) struct Reader {
    events: EventStream,
    bell: Arc<Bell>,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self { events: EventStream::new(), bell: Arc::default() }
    }

    /// Ends the reading. What was typed until now and not yet obeyed is forgotten: it was not meant for the dashboard
    /// that comes back later.
    pub(super) fn let_go(self) {
        let Self { events, bell } = self;
        drop(events);
        let begun = Instant::now();
        while Arc::strong_count(&bell) > 1 && begun.elapsed() < LET_GO {
            std::thread::sleep(CALL);
            drop(EventStream::new());
        }
        while matches!(crossterm::event::poll(Duration::ZERO), Ok(true)) {
            if crossterm::event::read().is_err() {
                break;
            }
        }
    }
}

impl Stream for Reader {
    type Item = io::Result<Event>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.bell.0.register(context.waker());
        let waker = Waker::from(Arc::clone(&self.bell));
        self.events.poll_next_unpin(&mut Context::from_waker(&waker))
    }
}
