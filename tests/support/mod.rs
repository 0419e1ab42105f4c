//! What the tests of the screen share.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod fleet;
pub mod inside;
pub mod lines;
pub mod moving;
pub mod past;
pub mod pty;
pub mod screen;
pub mod stored;
