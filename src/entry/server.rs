//! One server of a backend, as the file and the runtime API take it: the same words in both.

use std::{fmt::Write as _, time::Duration};

use super::address::endpoint;
use crate::model::{Backend, Server};

/// The server that nothing answers: requests that are given to it wait, and are given again once a second.
pub(crate) const HOLD: &str = "hold";
/// Where it is. Port 1 of the loopback address refuses.
pub(crate) const HOLD_AT: &str = "127.0.0.1:1";

/// While a server's state is in doubt (it was just added, or a check just failed) it is checked so often.
const IN_DOUBT: Duration = Duration::from_millis(500);
/// A server that is down is checked at least so often.
const DOWN: Duration = Duration::from_secs(1);
/// So many failed connections in a row make a server down at once, before its next check: of a host that dies, only
/// what is in flight is lost.
const ERROR_LIMIT: u32 = 5;

/// The server's address and options; none where its address is a name that was not resolved.
///
/// Not among them: cutting the sessions of a server whose check fails. An application that is busy with a long
/// request fails its check too, and would lose the request for it. The sessions of a host that is gone are cut by
/// wharf, which tells the two apart (see `steps`).
pub(crate) fn words(backend: &Backend, server: &Server) -> Option<String> {
    let at = endpoint(&server.address, server.port)?;
    let interval = backend.check_interval.max(Duration::from_millis(100));
    let mut words = format!(
        "{at} check inter {} fastinter {} downinter {} fall 3 rise 1 observe layer4 error-limit {ERROR_LIMIT} \
         on-error mark-down pool-purge-delay 2s",
        ms(interval),
        ms(interval.min(IN_DOUBT)),
        ms(interval.min(DOWN)),
    );
    // Writing to a String cannot fail.
    let _: std::fmt::Result = match (server.check_port, backend.send_proxy) {
        // What answers checks on a port of its own need not know the PROXY protocol.
        (Some(port), true) => write!(words, " port {port} send-proxy-v2"),
        (Some(port), false) => write!(words, " port {port}"),
        (None, true) => write!(words, " send-proxy-v2 check-send-proxy"),
        (None, false) => Ok(()),
    };
    Some(words)
}

/// Milliseconds, with their unit.
pub(crate) fn ms(time: Duration) -> String {
    format!("{}ms", time.as_millis().max(1))
}

/// How often a connection is tried before a request is given up: once a second while it is held.
pub(crate) fn retries(backend: &Backend) -> u64 {
    backend.hold.as_secs().saturating_add(1).clamp(3, 3600)
}
