//! `wharf doctor`.
