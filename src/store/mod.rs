//! Desired state, revisions, commands, journal and leases, on disk, for many processes.
