//! A process that stands still while time goes on, as after SIGSTOP, or on a machine that swaps: what comes to it waits, what
//! it asks the store for is not asked yet, and it believes what it believed. What it had sent is sent.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex, split},
    sync::Notify,
};

/// Bytes that a socket holds for a process that does not read.
const BUFFER: usize = 64 << 10;

/// Where everything that comes to one process has to pass.
#[derive(Clone, Default)]
pub struct Gate(Arc<State>);

/// Who waits is let through in the order of coming, so that a seed stays one history.
#[derive(Default)]
struct State {
    is_closed: AtomicBool,
    /// Its process was killed where it stood.
    is_dead: AtomicBool,
    opened: Notify,
}

impl Gate {
    /// An open one.
    pub fn open() -> Self {
        Self::default()
    }

    pub fn set(&self, is_open: bool) {
        if self.0.is_dead.load(Ordering::SeqCst) {
            return;
        }
        self.0.is_closed.store(!is_open, Ordering::SeqCst);
        if is_open {
            self.0.opened.notify_waiters();
        }
    }

    /// Nothing passes any more: of a process that was killed, what had begun must not go on.
    pub fn end(&self) {
        self.0.is_dead.store(true, Ordering::SeqCst);
        self.0.is_closed.store(true, Ordering::SeqCst);
    }

    /// Waits until it is open.
    pub async fn pass(&self) {
        while self.0.is_closed.load(Ordering::SeqCst) {
            self.0.opened.notified().await;
        }
    }

    /// The end of a connection that the process has, where this is its other one.
    pub fn connect(&self, far: DuplexStream) -> DuplexStream {
        let (near, here) = duplex(BUFFER);
        let (mut from_far, mut to_far) = split(far);
        let (mut from_near, mut to_near) = split(here);
        let gate = self.clone();
        tokio::spawn(async move {
            let mut buffer = vec![0; BUFFER];
            while let Ok(many @ 1..) = from_far.read(&mut buffer).await {
                gate.pass().await;
                if to_near.write_all(&buffer[..many]).await.is_err() {
                    return;
                }
            }
            gate.pass().await;
            let _ = to_near.shutdown().await;
        });
        tokio::spawn(async move {
            let _ = tokio::io::copy(&mut from_near, &mut to_far).await;
            let _ = to_far.shutdown().await;
        });
        near
    }
}
