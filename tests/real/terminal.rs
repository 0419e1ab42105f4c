//! The dashboard in a terminal, on real hosts.
