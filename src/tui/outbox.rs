//! Effects on their way to those who carry them out. None is lost while these are busy, and the loop waits for nobody.

use std::collections::VecDeque;

use tokio::sync::mpsc::{self, error::TrySendError};

use crate::{
    app::{Effect, Msg},
    text::Text,
};

/// Effects that wait at most.
const MOST: usize = 256;

/// Effects in order.
#[derive(Debug)]
pub(super) struct Outbox {
    sender: mpsc::Sender<Effect>,
    waiting: VecDeque<Effect>,
}

impl Outbox {
    pub(super) fn new(sender: mpsc::Sender<Effect>) -> Self {
        Self { sender, waiting: VecDeque::new() }
    }

    /// Takes an effect. Where too many wait, gives what is to be said of it.
    pub(super) fn put(&mut self, effect: Effect) -> Option<Msg> {
        if self.waiting.len() >= MOST {
            let why = Text::new("the program is busy: try again");
            return match effect {
                Effect::Apply(_) => Some(Msg::Applied(Err(why))),
                // The next change of the rows says it again.
                Effect::Sample { .. } => None,
                _ => Some(Msg::Failed(why)),
            };
        }
        self.waiting.push_back(effect);
        while let Some(effect) = self.waiting.pop_front() {
            if let Err(TrySendError::Full(effect)) = self.sender.try_send(effect) {
                self.waiting.push_front(effect);
                break;
            }
        }
        None
    }

    /// True while something waits.
    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Hands over the first that waits, when there is room. May be dropped and called again.
    pub(super) async fn pass(&mut self) {
        match self.sender.reserve().await {
            Ok(room) => {
                if let Some(effect) = self.waiting.pop_front() {
                    room.send(effect);
                }
            }
            // Nobody carries anything out any more.
            Err(_) => self.waiting.clear(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_does_not_fit_waits_in_order_and_too_much_is_said() {
        let (sender, mut receiver) = mpsc::channel(2);
        let mut outbox = Outbox::new(sender);
        let effect = |n: usize| Effect::Dump(n.to_string());
        for n in 0..MOST + 2 {
            assert_eq!(outbox.put(effect(n)), None, "{n}");
        }
        assert_eq!(outbox.put(Effect::Sample { shown: Vec::new(), round: None }), None);
        assert!(matches!(outbox.put(effect(0)), Some(Msg::Failed(_))));
        for n in 0..MOST + 2 {
            assert_eq!(receiver.recv().await, Some(effect(n)));
            if outbox.is_waiting() {
                outbox.pass().await;
            }
        }
        assert!(!outbox.is_waiting());
        drop(receiver);
        assert_eq!(outbox.put(effect(1)), None, "nobody is there: forgotten");
        assert!(!outbox.is_waiting());
    }
}
