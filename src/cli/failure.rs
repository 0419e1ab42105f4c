//! How a command fails: words, and an exit code that scripts rely on.

use std::fmt;

use crate::{compose, config::ConfigError, engine::EngineError, plan::Refusal, store::StoreError};

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// 1: failed or rolled back.
    Failed(String),
    /// 2: bad usage or input.
    Input(String),
    /// 3: refused: conflicts with newer state, or not allowed.
    Conflict(String),
    /// 4: the deadline passed; the work goes on.
    Deadline(String),
    /// 5: no host can be reached.
    Unreachable(String),
}

impl Failure {
    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::Input(_) => 2,
            Self::Conflict(_) => 3,
            Self::Deadline(_) => 4,
            Self::Unreachable(_) => 5,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(text)
            | Self::Input(text)
            | Self::Conflict(text)
            | Self::Deadline(text)
            | Self::Unreachable(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for Failure {}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Input(error.to_string())
    }
}

impl From<compose::Errors> for Failure {
    fn from(errors: compose::Errors) -> Self {
        Self::Input(errors.to_string())
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Input(refusal.to_string())
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { .. } | StoreError::Denied(_) => Self::Conflict(error.to_string()),
            error => Self::Failed(error.to_string()),
        }
    }
}
