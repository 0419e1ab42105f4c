//! Pure planning: where replicas go, what a change means, what to do next, how far it is.
