//! Terminal, input, drawing.
pub mod draw;
pub mod theme;

