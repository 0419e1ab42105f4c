//! A working connection to one engine: the way there, the API version both sides know, and the clocks' difference.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use bollard::Docker;
use jiff::{SignedDuration, Timestamp};

use super::{
    convert::Convert,
    dial::{Dial, MemoryDial},
    error::{EngineError, ErrorKind, Fault},
    http::{self, Http},
    network::Ensured,
    ssh::Forward,
    tls, wire,
};
use crate::clock::Clock;
use crate::model::{Connect, FleetName, Host, HostName, Tls};

/// Oldest API minor version that is spoken: Docker 20.10.
pub const MIN_API: u32 = 41;
/// Newest API minor version that is spoken: Docker 27.
pub const MAX_API: u32 = 47;

/// The first answer must come by then. Tests of silent engines do not wait so long.
const VERSION_DEADLINE: Duration = if cfg!(test) { Duration::from_secs(2) } else { Duration::from_secs(8) };

/// Clocks that differ less are not set right: the measurement is not that good either.
const FAR_OFF_MS: i64 = 500;

/// A connection. Its SSH forward, where there is one, lives as long as it.
pub(crate) struct Session {
    fleet: FleetName,
    pub clock: Clock,
    pub http: Http,
    /// The engine is simulated by this process.
    pub is_in_process: bool,
    pub docker: Docker,
    /// The API's minor version in use.
    pub minor: u32,
    pub version: wire::Version,
    /// The engine's clock when it answered first, in whole seconds.
    pub date: Option<Timestamp>,
    skew_ms: AtomicI64,
    pub ensured: Ensured,
    forward: Option<Forward>,
}

/// What a connection is opened with.
#[derive(Clone)]
pub(crate) enum Way {
    /// As the fleet file says.
    Connect(Connect),
    /// To an engine in this process.
    Memory(MemoryDial),
}

impl Session {
    /// Opens the way to the engine and agrees on the API version: one round trip after the connection stands.
    pub(crate) async fn open(
        fleet: &FleetName,
        host: &HostName,
        way: &Way,
        clock: Clock,
    ) -> Result<Arc<Self>, EngineError> {
        Self::try_open(fleet, way, clock).await.map(Arc::new).map_err(|fault| {
            // Nothing was asked for yet, so nothing can be lost.
            let kind = if fault.kind == ErrorKind::LostAnswer { ErrorKind::Unreachable } else { fault.kind };
            Fault { kind, ..fault }.at(host, "reach the engine")
        })
    }

    async fn try_open(fleet: &FleetName, way: &Way, clock: Clock) -> Result<Self, Fault> {
        let mut forward = None;
        let dial = match way {
            Way::Memory(dial) => Dial::Memory(dial.clone()),
            Way::Connect(Connect::Unix(path)) => Dial::Unix(path.clone()),
            Way::Connect(Connect::Tcp { host, port, tls: None }) => Dial::Tcp { host: host.clone(), port: *port },
            Way::Connect(Connect::Tcp { host, port, tls: Some(tls) }) => {
                let (connector, name) = tls::connector(host, tls)?;
                Dial::Tls { host: host.clone(), port: *port, connector, name }
            }
            Way::Connect(Connect::Ssh(ssh)) => {
                let opened = Forward::open(ssh).await?;
                Dial::Forward(forward.insert(opened).path().to_owned())
            }
        };
        let http = Http::new(dial);
        let mut asked = clock.now();
        let mut first = http::within(VERSION_DEADLINE, http.bytes("/version")).await;
        if let (Err(fault), Some(forward)) = (&first, &forward) {
            match explain(forward, fault.clone()).await {
                // It does not answer through the forward, but there. It may have started just now: once more.
                Some(fault) if fault.kind == ErrorKind::Refused => {
                    asked = clock.now();
                    first = http::within(VERSION_DEADLINE, http.bytes("/version")).await.map_err(|_| fault);
                }
                Some(fault) => first = Err(fault),
                None => {}
            }
        }
        let (headers, body) = first.map_err(|fault| no_engine(way, fault))?;
        let answered = clock.now();
        let version: wire::Version = http::parse(&body)?;
        let minor = agree(&version)?;
        let date = headers.get(::http::header::DATE).and_then(|date| date.to_str().ok()).and_then(http_date);
        let middle = asked + answered.duration_since(asked) / 2;
        // The header counts whole seconds: half of one is the best guess.
        let skew = date.map_or(0, |date| date.as_millisecond() + 500 - middle.as_millisecond());
        // Less than that is the header's own coarseness. A better measurement follows with the machine's facts.
        let skew = if skew.abs() <= 1000 { 0 } else { skew };
        let http = http.versioned(minor);
        let docker = http.bollard()?;
        Ok(Self {
            fleet: fleet.clone(),
            clock,
            http,
            is_in_process: matches!(way, Way::Memory(_)),
            docker,
            minor,
            version,
            date,
            skew_ms: AtomicI64::new(skew),
            ensured: Ensured::default(),
            forward,
        })
    }

    /// What conversions need.
    pub(crate) fn convert(&self) -> Convert {
        Convert { fleet: self.fleet.clone() }
    }

    /// What the engine's clock shows now, as far as is known.
    pub(crate) fn engine_now(&self) -> Timestamp {
        let (now, skew) = (self.clock.now(), SignedDuration::from_millis(self.skew_ms.load(Ordering::Relaxed)));
        now.checked_add(skew).unwrap_or(now)
    }

    /// A moment of the engine's clock on ours. Clocks that are about right are taken as they are.
    pub(crate) fn ours(&self, theirs: Timestamp) -> Timestamp {
        let skew = self.skew_ms.load(Ordering::Relaxed);
        if skew.abs() < FAR_OFF_MS {
            return theirs;
        }
        theirs.checked_sub(SignedDuration::from_millis(skew)).unwrap_or(theirs)
    }

    /// A better measurement of the clocks' difference.
    pub(crate) fn set_skew(&self, milliseconds: i64) {
        self.skew_ms.store(milliseconds, Ordering::Relaxed);
    }

    /// A fault of a call, with the better words of a connection that ended underneath it.
    pub(crate) async fn explain(&self, fault: Fault) -> Fault {
        match &self.forward {
            Some(forward) if forward.has_ended() => forward.ended().await,
            _ => fault,
        }
    }
}

/// Why nothing answers behind a forward: ssh or the host itself know more than the connection.
async fn explain(forward: &Forward, fault: Fault) -> Option<Fault> {
    if forward.has_ended() {
        return Some(forward.ended().await);
    }
    // The local end accepts always; what is behind it shows only when bytes do not come.
    let silent = matches!(fault.kind, ErrorKind::LostAnswer | ErrorKind::Unreachable);
    if silent { Some(forward.diagnose().await) } else { None }
}

/// What the first request's failure means: every engine knows its path.
fn no_engine(way: &Way, fault: Fault) -> Fault {
    match (&fault.kind, way) {
        (ErrorKind::Refused, Way::Connect(Connect::Tcp { host, tls: Some(Tls { identity: None, .. }), .. })) => {
            Fault::new(
                ErrorKind::Refused,
                &format!("{host} wants a client certificate"),
                "set `tls.cert` and `tls.key` of this host",
            )
        }
        (ErrorKind::NotFound | ErrorKind::Invalid | ErrorKind::Conflict, _) => Fault::new(
            ErrorKind::Garbage,
            &format!("what answers is no Docker engine: {}", fault.why),
            "check the socket or port",
        ),
        _ => fault,
    }
}

/// The newest API version that both sides know.
fn agree(version: &wire::Version) -> Result<u32, Fault> {
    let minor = |text: &str| text.strip_prefix("1.").and_then(|minor| minor.parse::<u32>().ok());
    let Some(theirs) = minor(&version.api) else {
        return Err(Fault::new(
            ErrorKind::Garbage,
            &format!("the answer names no API version that is known (`{}`)", version.api),
            "check that this is a Docker engine's socket or port",
        ));
    };
    if theirs < MIN_API {
        return Err(Fault::new(
            ErrorKind::ApiVersion,
            &format!("the engine {} speaks API 1.{theirs}, which is too old: 1.{MIN_API} is needed", version.number),
            "update the engine to Docker 20.10 or later",
        ));
    }
    if minor(&version.min_api).is_some_and(|least| least > MAX_API) {
        return Err(Fault::new(
            ErrorKind::ApiVersion,
            &format!(
                "the engine {} speaks API {} and later only; this wharf speaks up to 1.{MAX_API}",
                version.number, version.min_api
            ),
            "update wharf",
        ));
    }
    Ok(theirs.min(MAX_API))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|at| at.timestamp())
}

/// The way that the fleet file gives for a host.
pub(crate) fn way_of(host: &Host) -> Way {
    Way::Connect(host.connect.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_agreed_on() {
        let says = |api: &str, min: &str| {
            agree(&wire::Version { api: api.into(), min_api: min.into(), ..wire::Version::default() })
        };
        assert_eq!(says("1.41", "1.12"), Ok(41));
        assert_eq!(says("1.52", "1.44"), Ok(47));
        assert_eq!(says("1.40", "1.12").unwrap_err().kind, ErrorKind::ApiVersion);
        assert_eq!(says("1.60", "1.50").unwrap_err().kind, ErrorKind::ApiVersion);
        for odd in ["", "2.0", "1.x", "one"] {
            assert_eq!(says(odd, "").unwrap_err().kind, ErrorKind::Garbage, "{odd}");
        }
    }

    #[test]
    fn dates_of_http_are_read() {
        assert_eq!(http_date("Sun, 01 Mar 2026 12:00:00 GMT"), Some("2026-03-01T12:00:00Z".parse().unwrap()));
        assert_eq!(http_date("soon"), None);
    }
}
