//! `wharf host import`.
