//! Pure state of the terminal program: messages in, effects out.
