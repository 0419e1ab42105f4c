//! What can go wrong between us and an engine, in words that say what to do next.

use std::{borrow::Cow, fmt};

use crate::{model::HostName, text::Text};

/// A call to an engine that did not do what it should. It prints as one line: the host, what was tried, why it
/// failed, what to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineError {
    /// On which host.
    pub host: HostName,
    /// What was tried, as a phrase after "could not": `list its containers`.
    pub tried: Cow<'static, str>,
    /// Which sort of failure, for decisions.
    pub kind: ErrorKind,
    /// Why, in words; what the engine or the system said is in it.
    pub why: Text,
    /// What to do next, in words; empty when waiting is all there is to do.
    pub next: Cow<'static, str>,
}

/// Sorts of failure, for decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// There is no link to the host now; nothing was sent.
    Unreachable,
    /// The host or the engine refuses who we are: key, certificate, permission on the socket.
    Refused,
    /// The host is not the one that is known: host key or certificate.
    Untrusted,
    /// The engine's API and ours have no version in common.
    ApiVersion,
    /// The fleet file names something that cannot be used: a certificate file, a program that is missing.
    Setup,
    /// No answer in time to something that changes nothing.
    Late,
    /// No answer to something that may have been done all the same: look before trying again.
    LostAnswer,
    /// The answer is not what an engine says.
    Garbage,
    /// The thing is not there.
    NotFound,
    /// The image is neither on the host nor in its registry.
    NoSuchImage,
    /// The registry refuses the credentials, or wants some.
    RegistryRefused,
    /// The registry cannot be reached by the host.
    RegistryUnreachable,
    /// The thing is in another state than the call needs, or its name belongs to something else.
    Conflict,
    /// A port is already in use on the host.
    PortTaken,
    /// The host has no disk space left.
    DiskFull,
    /// The engine says that the request itself is wrong.
    Invalid,
    /// Any other failure that the engine reports.
    Failed,
}

/// A failure that does not know its host yet: what dialling, TLS and SSH report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub kind: ErrorKind,
    pub why: Text,
    pub next: Cow<'static, str>,
}

impl Fault {
    pub(crate) fn new(kind: ErrorKind, why: &str, next: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, why: Text::new(why), next: next.into() }
    }

    /// The failure of a named try on a named host.
    pub(crate) fn at(self, host: &HostName, tried: impl Into<Cow<'static, str>>) -> EngineError {
        EngineError { host: host.clone(), tried: tried.into(), kind: self.kind, why: self.why, next: self.next }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why.as_str())
    }
}

impl std::error::Error for Fault {}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: could not {}: {}", self.host, self.tried, self.why)?;
        if !self.next.is_empty() {
            write!(f, "; {}", self.next)?;
        }
        Ok(())
    }
}

impl std::error::Error for EngineError {}

impl EngineError {
    /// Why and what to do next, without host and try: the reason of a link's state.
    pub fn reason(&self) -> Text {
        if self.next.is_empty() { self.why.clone() } else { Text::from(format!("{}; {}", self.why, self.next)) }
    }

    /// True when trying again cannot help until a person changes something.
    pub fn is_final(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Refused
                | ErrorKind::Untrusted
                | ErrorKind::ApiVersion
                | ErrorKind::Setup
                | ErrorKind::NoSuchImage
                | ErrorKind::RegistryRefused
                | ErrorKind::Invalid
        )
    }

    /// The thing is not there; of a removal that means it is done.
    pub fn is_not_found(&self) -> bool {
        self.kind == ErrorKind::NotFound
    }

    /// The thing is in another state than the call needs, or its name belongs to something else.
    pub fn is_conflict(&self) -> bool {
        self.kind == ErrorKind::Conflict
    }

    /// A port of the container is in use on this host.
    pub fn is_port_taken(&self) -> bool {
        self.kind == ErrorKind::PortTaken
    }

    /// The host has no disk space left.
    pub fn is_disk_full(&self) -> bool {
        self.kind == ErrorKind::DiskFull
    }

    /// The image is neither on the host nor in its registry.
    pub fn is_no_such_image(&self) -> bool {
        self.kind == ErrorKind::NoSuchImage
    }

    /// Nobody knows whether it was done: look at the host before trying again.
    pub fn is_lost_answer(&self) -> bool {
        self.kind == ErrorKind::LostAnswer
    }

    /// The fault is the link's or the host's, not the request's: the same call may succeed later.
    pub fn is_link(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Unreachable
                | ErrorKind::Refused
                | ErrorKind::Untrusted
                | ErrorKind::ApiVersion
                | ErrorKind::Setup
                | ErrorKind::Late
                | ErrorKind::LostAnswer
                | ErrorKind::Garbage
        )
    }
}
