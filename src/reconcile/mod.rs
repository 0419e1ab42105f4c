//! The process that makes desired and observed the same.
