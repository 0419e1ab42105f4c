//! `wharf demo`.
