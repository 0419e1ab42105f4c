//! Opens byte streams to an engine, by every way there is. One connector for the pooled HTTP client.

use std::{
    fmt, io,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::BoxFuture;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream},
    net::{TcpStream, UnixStream},
};

use super::{
    error::{ErrorKind, Fault},
    tls,
};

/// A TCP connection or a TLS handshake that takes longer has failed. The same as ssh's `ConnectTimeout` here.
const CONNECT_DEADLINE: Duration = Duration::from_secs(8);

/// Makes the client's end of an in-memory connection, for tests and simulated engines.
#[derive(Clone)]
pub struct MemoryDial(Arc<dyn Fn() -> io::Result<DuplexStream> + Send + Sync>);

impl MemoryDial {
    /// `connect` is called for every new connection; it hands the other end to a server.
    pub fn new(connect: impl Fn() -> io::Result<DuplexStream> + Send + Sync + 'static) -> Self {
        Self(Arc::new(connect))
    }
}

impl fmt::Debug for MemoryDial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryDial")
    }
}

/// How bytes get to the engine.
#[derive(Clone)]
pub(crate) enum Dial {
    /// A socket of this machine.
    Unix(PathBuf),
    /// The local end of an SSH forward.
    Forward(PathBuf),
    /// Plain TCP, where the fleet file says `insecure`.
    Tcp { host: String, port: u16 },
    /// TLS with our own authority only.
    Tls { host: String, port: u16, connector: tokio_rustls::TlsConnector, name: ServerName<'static> },
    /// In memory.
    Memory(MemoryDial),
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Dial {
    async fn open(&self) -> Result<Box<dyn Stream>, Fault> {
        match self {
            Self::Unix(path) => match UnixStream::connect(path).await {
                Ok(stream) => Ok(Box::new(stream)),
                Err(error) => Err(unix_fault(path, &error)),
            },
            Self::Forward(path) => match UnixStream::connect(path).await {
                Ok(stream) => Ok(Box::new(stream)),
                Err(_) => Err(Fault::new(ErrorKind::Unreachable, "the SSH connection ended", "")),
            },
            Self::Tcp { host, port } => Ok(Box::new(tcp(host, *port).await?)),
            Self::Tls { host, port, connector, name } => {
                let stream = tcp(host, *port).await?;
                match tokio::time::timeout(CONNECT_DEADLINE, connector.connect(name.clone(), stream)).await {
                    Ok(Ok(stream)) => Ok(Box::new(stream)),
                    Ok(Err(error)) => Err(tls::fault(host, &error)),
                    Err(_) => Err(silent(host, *port, "accepts connections but does not answer the TLS handshake")),
                }
            }
            Self::Memory(dial) => match (dial.0)() {
                Ok(stream) => Ok(Box::new(stream)),
                Err(error) => Err(Fault::new(ErrorKind::Unreachable, &error.to_string(), "")),
            },
        }
    }
}

async fn tcp(host: &str, port: u16) -> Result<TcpStream, Fault> {
    let stream = match tokio::time::timeout(CONNECT_DEADLINE, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(tcp_fault(host, port, &error)),
        Err(_) => return Err(silent(host, port, "does not answer")),
    };
    // Requests are small and each waits for its answer: Nagle's algorithm would only hold them back.
    drop(stream.set_nodelay(true));
    Ok(stream)
}

fn silent(host: &str, port: u16, what: &str) -> Fault {
    Fault::new(
        ErrorKind::Unreachable,
        &format!("{host}:{port} {what}"),
        "check the network, a firewall, and the engine",
    )
}

fn tcp_fault(host: &str, port: u16, error: &io::Error) -> Fault {
    let (why, next) = match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            (format!("{host}:{port} refuses connections"), "check that the engine runs and listens on that port")
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            (format!("there is no route to {host}"), "check the network and the address in the fleet file")
        }
        _ if error.to_string().contains("lookup") => {
            (format!("the name {host} does not resolve"), "correct it in the fleet file, or mend the name service")
        }
        _ => (format!("{host}:{port}: {error}"), "check the network and the address in the fleet file"),
    };
    Fault::new(ErrorKind::Unreachable, &why, next)
}

fn unix_fault(path: &std::path::Path, error: &io::Error) -> Fault {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => Fault::new(
            ErrorKind::Unreachable,
            &format!("there is no socket {path}"),
            "start the Docker engine, or correct the path",
        ),
        io::ErrorKind::PermissionDenied => Fault::new(
            ErrorKind::Refused,
            &format!("no permission on the socket {path}"),
            "add this user to the group of the socket (usually `docker`) and log in again",
        ),
        io::ErrorKind::ConnectionRefused => Fault::new(
            ErrorKind::Unreachable,
            &format!("nothing listens on the socket {path}"),
            "start the Docker engine",
        ),
        _ => Fault::new(ErrorKind::Unreachable, &format!("socket {path}: {error}"), "check the path"),
    }
}

/// A connection as the HTTP client wants it.
pub(crate) struct Conn(TokioIo<Box<dyn Stream>>);

impl tower_service::Service<http::Uri> for Dial {
    type Response = Conn;
    type Error = Fault;
    type Future = BoxFuture<'static, Result<Conn, Fault>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        let dial = self.clone();
        Box::pin(async move { dial.open().await.map(|stream| Conn(TokioIo::new(stream))) })
    }
}

impl Connection for Conn {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Conn {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl Write for Conn {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
