//! Whose lines are followed: names, what became of each, and which are shown.

use jiff::Timestamp;

use crate::{
    app::ids::ReplicaId,
    model::{Container, ContainerId, ContainerState, HostName},
};

/// Different looks of sources.
const LOOKS: u32 = 6;

/// The life of a container's process, as last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It runs, since then where that is known, after so many restarts.
    Runs {
        /// When it last started.
        since: Option<Timestamp>,
        /// How often the engine restarted it.
        restarts: u32,
    },
    /// It does not run, and did not yet or will again.
    Waits,
    /// It ended.
    Ended {
        /// Its exit code.
        code: i64,
        /// The kernel ended it for want of memory.
        oom: bool,
    },
    /// The container is not there any more.
    Gone,
}

/// A start that is told a little differently by a list and by an inspection is the same.
const SAME_START_MS: i64 = 90_000;

impl Life {
    /// Of a container as it is seen.
    pub fn of(container: &Container) -> Self {
        match &container.state {
            ContainerState::Running | ContainerState::Paused => {
                Self::Runs { since: container.started, restarts: container.restarts }
            }
            ContainerState::Exited { code, oom, .. } => Self::Ended { code: *code, oom: *oom },
            ContainerState::Created | ContainerState::Restarting | ContainerState::Other(_) => Self::Waits,
            ContainerState::Removing | ContainerState::Dead => Self::Gone,
        }
    }

    /// True when it may print.
    pub fn runs(self) -> bool {
        matches!(self, Self::Runs { .. })
    }

    /// What happened between two looks, in words; none when nothing did.
    pub fn told(self, next: Self) -> Option<String> {
        match (self, next) {
            (Self::Runs { since, restarts }, Self::Runs { since: again, restarts: more }) => {
                let later = since
                    .zip(again)
                    .is_some_and(|(before, after)| after.as_millisecond() - before.as_millisecond() > SAME_START_MS);
                (more > restarts || later).then(|| "restarted".to_owned())
            }
            (_, Self::Runs { .. }) => Some("started".to_owned()),
            (Self::Runs { .. } | Self::Waits, Self::Ended { code, oom }) => {
                Some(format!("exited with {code}{}", if oom { " (out of memory)" } else { "" }))
            }
            (Self::Runs { .. }, Self::Waits) => Some("ended".to_owned()),
            (Self::Gone, _) | (_, Self::Waits | Self::Ended { .. }) => None,
            (_, Self::Gone) => Some("removed".to_owned()),
        }
    }
}

/// One container whose lines are followed.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// On which host.
    pub host: HostName,
    /// Which.
    pub container: ContainerId,
    /// The replica that it is.
    pub replica: ReplicaId,
    /// Its name in front of its lines.
    pub name: String,
    /// What became of it.
    pub life: Life,
    /// Its lines are shown.
    pub shown: bool,
}

/// The followed containers, by number.
#[derive(Debug, Default)]
pub struct Sources {
    list: Vec<Source>,
    /// Cells of the widest name.
    pub wide: usize,
}

/// Cells of a name at most.
const WIDEST: usize = 30;

impl Sources {
    /// All of them with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Source)> {
        (0..).zip(&self.list)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// One by its number.
    pub fn get(&self, number: u32) -> Option<&Source> {
        self.list.get(number as usize)
    }

    /// The same, to change.
    pub fn get_mut(&mut self, number: u32) -> Option<&mut Source> {
        self.list.get_mut(number as usize)
    }

    /// The number of a container.
    pub fn number(&self, host: &HostName, container: &ContainerId) -> Option<u32> {
        self.iter().find(|(_, source)| source.container == *container && source.host == *host).map(|(number, _)| number)
    }

    /// One more; its number.
    pub fn add(&mut self, source: Source) -> u32 {
        self.wide = self.wide.max(crate::text::width(&source.name)).min(WIDEST);
        self.list.push(source);
        u32::try_from(self.list.len() - 1).unwrap_or(u32::MAX)
    }

    /// True when its lines are shown.
    pub fn is_shown(&self, number: u32) -> bool {
        self.get(number).is_none_or(|source| source.shown)
    }

    /// Which of the looks it has.
    pub fn look(number: u32) -> u8 {
        u8::try_from(number % LOOKS).unwrap_or(0)
    }

    /// Shows or hides one.
    pub fn toggle(&mut self, number: u32) {
        if let Some(source) = self.get_mut(number) {
            source.shown = !source.shown;
        }
    }

    /// Shows only one, or all again when it is already the only one.
    pub fn only(&mut self, number: u32) {
        let alone = self.iter().all(|(at, source)| source.shown == (at == number));
        for (at, source) in (0..).zip(&mut self.list) {
            source.shown = alone || at == number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lives_are_told_in_words() {
        let runs = |restarts| Life::Runs { since: None, restarts };
        let ended = |code, oom| Life::Ended { code, oom };
        for (before, after, words) in [
            (runs(0), runs(0), None),
            (runs(0), runs(1), Some("restarted")),
            (runs(0), ended(0, false), Some("exited with 0")),
            (runs(0), ended(137, true), Some("exited with 137 (out of memory)")),
            (ended(1, false), ended(1, false), None),
            (ended(1, false), runs(1), Some("started")),
            (Life::Waits, runs(0), Some("started")),
            (runs(0), Life::Gone, Some("removed")),
            (Life::Gone, Life::Gone, None),
        ] {
            assert_eq!(before.told(after).as_deref(), words, "{before:?} {after:?}");
        }
    }
}
