//! Compose file to [`model::StackSpec`](crate::model::StackSpec), with errors that name file, line and key.
