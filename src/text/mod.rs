//! Untrusted text made safe, display width, and units.
//!
//! Everything that a host says (names, labels, errors, log lines) becomes a [`Text`] once, at the
//! engine boundary. The model asks for `Text`, so nothing else can reach a screen or a log file.

mod painted;
mod safe;
mod units;
mod width;

pub use painted::{Ink, Painted};
pub use safe::{MAX_TEXT_BYTES, Text};
pub use units::{age, bytes, count, duration, percent, short_image};
pub use width::{fit, is_plain, pad_left, pad_right, width};
