//! The words of HAProxy's command line. Most answers end with an empty line; some do not.

/// Nothing to say.
pub(super) const DONE: &str = "\n";
pub(super) const NO_SERVER: &str = "No such server.\n\n";
pub(super) const NO_BACKEND: &str = "No such backend.\n\n";
pub(super) const NO_BACKEND_TO_ADD: &str = "No such backend.\n";
pub(super) const NO_SERVER_TO_DELETE: &str = "No such server.\n";
pub(super) const NO_PROXY: &str = "No such proxy.\n\n";
pub(super) const NO_STATE_OF: &str = "Can't find backend.\n\n";
pub(super) const WHICH: &str = "Require 'backend/server'.\n\n";
pub(super) const WHICH_TO_ADD: &str = "Require 'backend/server'.\n";
pub(super) const ADDED: &str = "New server registered.\n\n";
pub(super) const EXISTS: &str = "Already exists a server with the same name in backend.\n\n";
pub(super) const NOT_IN_MAINTENANCE: &str = "Only servers in maintenance mode can be deleted.\n";
pub(super) const STILL_USED: &str = "Server still has connections attached to it, cannot remove it.\n";
pub(super) const DELETED: &str = "Server deleted.\n";
pub(super) const NO_CHECK: &str = "Health check was not configured on this server, cannot enable.\n\n";
pub(super) const CHECK_PORT: &str = "health check port updated.\n\n";
pub(super) const WHICH_STATE: &str = "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n\n";
/// What every command about servers of a worker that leaves is answered with.
pub(super) const LEAVING: &str = "Proxy is disabled.\n\n";
pub(super) const VERSION: &str = "2.6.12-1+deb12u4";

pub(super) fn unknown() -> String {
    "Unknown command, but maybe one of the following ones is a better match:\n  \
     help [<command>]                        : list matching or all commands\n  \
     prompt                                  : toggle interactive mode with prompt\n  \
     quit                                    : disconnect\n\n"
        .to_owned()
}

/// What `set server … addr … port …` says it did.
pub(super) fn moved(address: (&str, &str), port: (u16, u16)) -> String {
    let address = match address {
        (old, new) if old == new => "no need to change the addr".to_owned(),
        (old, new) => format!("IP changed from '{old}' to '{new}'"),
    };
    let port = match port {
        (old, new) if old == new => "no need to change the port".to_owned(),
        (old, new) => format!("port changed from '{old}' to '{new}'"),
    };
    format!("{address}, {port} by 'stats socket command'\n\n")
}
