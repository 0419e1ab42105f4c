//! A value that many wait for. Like [`tokio::sync::watch`], but all are woken in the order in which they began to wait;
//! that one wakes them by lot, and then no two runs of a simulation are the same.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

#[derive(Debug)]
struct Shared<T> {
    /// How often it was set, and what it is.
    value: Mutex<(u64, T)>,
    rings: Notify,
    listeners: AtomicUsize,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, (u64, T)> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value, and who waits for it.
#[derive(Debug)]
pub(super) struct Bell<T>(Arc<Shared<T>>);

impl<T: Copy> Bell<T> {
    pub(super) fn new(value: T) -> Self {
        let value = Mutex::new((0, value));
        Self(Arc::new(Shared { value, rings: Notify::new(), listeners: AtomicUsize::new(0) }))
    }

    /// The value now.
    pub(super) fn get(&self) -> T {
        self.0.lock().1
    }

    /// Another value, or the same again: all who wait look at it.
    pub(super) fn ring(&self, value: T) {
        {
            let mut now = self.0.lock();
            *now = (now.0.wrapping_add(1), value);
        }
        self.0.rings.notify_waiters();
    }

    /// One who has heard all until now.
    pub(super) fn listen(&self) -> Ear<T> {
        self.0.listeners.fetch_add(1, Ordering::Relaxed);
        Ear { heard: self.0.lock().0, shared: self.0.clone() }
    }

    /// How many listen.
    pub(super) fn listeners(&self) -> usize {
        self.0.listeners.load(Ordering::Relaxed)
    }
}

/// One who listens.
#[derive(Debug)]
pub struct Ear<T> {
    shared: Arc<Shared<T>>,
    heard: u64,
}

impl<T> Drop for Ear<T> {
    fn drop(&mut self) {
        self.shared.listeners.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<T: Copy> Ear<T> {
    /// The value now. What rang until now counts as heard.
    pub(super) fn look(&mut self) -> T {
        let now = self.shared.lock();
        self.heard = now.0;
        now.1
    }

    /// Waits until it has rung since it was last heard.
    pub async fn rung(&mut self) {
        loop {
            let rings = self.shared.rings.notified();
            tokio::pin!(rings);
            // Before the look, so that nothing in between is missed.
            rings.as_mut().enable();
            let heard = std::mem::replace(&mut self.heard, self.shared.lock().0);
            if heard != self.heard {
                return;
            }
            rings.await;
        }
    }

    /// Waits until the value is as wanted.
    pub(super) async fn until(&mut self, wanted: impl Fn(T) -> bool) {
        while !wanted(self.look()) {
            self.rung().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_are_woken_in_the_order_in_which_they_began_to_wait() {
        let bell = Bell::new(0_u32);
        let woken = Arc::new(Mutex::new(Vec::new()));
        let mut all = tokio::task::JoinSet::new();
        for number in 0..50 {
            let (mut ear, woken) = (bell.listen(), woken.clone());
            all.spawn(async move {
                ear.until(|value| value == 7).await;
                woken.lock().unwrap().push(number);
            });
        }
        tokio::task::yield_now().await;
        assert_eq!(bell.listeners(), 50);
        bell.ring(3);
        bell.ring(7);
        all.join_all().await;
        assert_eq!(*woken.lock().unwrap(), (0..50).collect::<Vec<_>>());
        assert_eq!((bell.get(), bell.listeners()), (7, 0));
    }

    #[tokio::test]
    async fn what_rang_before_it_was_waited_for_is_heard() {
        let bell = Bell::new(());
        let mut ear = bell.listen();
        bell.ring(());
        ear.rung().await;
        let mut late = bell.listen();
        assert!(tokio::time::timeout(std::time::Duration::from_millis(1), late.rung()).await.is_err());
    }
}
