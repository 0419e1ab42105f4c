//! Terminal, input and drawing.
