//! TLS to an engine: only the fleet's own authority is trusted, the client certificate is read at once, and each
//! failure says which file or which side is at fault.

use std::{io, path::Path, sync::Arc};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, Error as TlsError, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};

use super::error::{ErrorKind, Fault};
use crate::model::Tls;

/// The connector for a host, and the name its certificate must carry.
pub(crate) fn connector(host: &str, tls: &Tls) -> Result<(tokio_rustls::TlsConnector, ServerName<'static>), Fault> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&tls.ca)? {
        roots.add(certificate).map_err(|error| bad_file(&tls.ca, &error.to_string()))?;
    }
    // The provider is named here so that no global one is needed, nor disturbed.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Fault::new(ErrorKind::Setup, &error.to_string(), "report this as a bug"))?
        .with_root_certificates(roots);
    let config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let private = PrivateKeyDer::from_pem_file(key).map_err(|error| bad_pem(key, error))?;
            builder
                .with_client_auth_cert(certificates(cert)?, private)
                .map_err(|error| bad_file(key, &format!("does not fit {}: {error}", cert.display())))?
        }
    };
    let name = tls.server_name.as_deref().unwrap_or(host);
    let name = ServerName::try_from(name.to_owned()).map_err(|_| {
        Fault::new(ErrorKind::Setup, &format!("`{name}` is no host name or address"), "correct it in the fleet file")
    })?;
    Ok((Arc::new(config).into(), name))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(|error| bad_pem(path, error))?.collect();
    let found = found.map_err(|error| bad_pem(path, error))?;
    if found.is_empty() { Err(bad_file(path, "holds no certificate")) } else { Ok(found) }
}

fn bad_pem(path: &Path, error: rustls::pki_types::pem::Error) -> Fault {
    use rustls::pki_types::pem::Error;
    match error {
        Error::Io(error) => bad_file(path, &format!("cannot be read: {error}")),
        Error::NoItemsFound => bad_file(path, "holds no key or certificate in PEM form"),
        other => bad_file(path, &format!("is no good PEM file: {other}")),
    }
}

fn bad_file(path: &Path, what: &str) -> Fault {
    Fault::new(
        ErrorKind::Setup,
        &format!("the file {} {what}", path.display()),
        "correct `tls` of this host in the fleet file",
    )
}

/// The TLS failure inside an I/O error, in words.
pub(crate) fn fault(host: &str, error: &io::Error) -> Fault {
    match tls_error(error) {
        Some(error) => words(host, error),
        None => Fault::new(
            ErrorKind::Unreachable,
            &format!("the TLS handshake with {host} broke off: {error}"),
            "check that this port of the engine speaks TLS",
        ),
    }
}

/// The TLS failure somewhere in a chain of errors. An engine that refuses a client certificate says so only after
/// the handshake, on the first read.
pub(crate) fn late_fault(error: &(dyn std::error::Error + 'static)) -> Option<Fault> {
    let mut next = Some(error);
    while let Some(error) = next {
        let found = error.downcast_ref::<TlsError>().or_else(|| error.downcast_ref::<io::Error>().and_then(tls_error));
        if let Some(found) = found {
            return Some(words("the engine", found));
        }
        next = error.source();
    }
    None
}

fn tls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>())
}

fn words(host: &str, error: &TlsError) -> Fault {
    match error {
        TlsError::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => Fault::new(
            ErrorKind::Untrusted,
            &format!("{host} shows a certificate that the file `tls.ca` did not sign"),
            "check that this is the right host, then set `tls.ca` to its authority",
        ),
        TlsError::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => Fault::new(
            ErrorKind::Untrusted,
            &format!("the certificate of {host} is for another name"),
            "set `tls.server_name` of this host to the name in the certificate",
        ),
        TlsError::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            Fault::new(ErrorKind::Untrusted, &format!("the certificate of {host} has expired"), "renew it on the host")
        }
        TlsError::InvalidCertificate(CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. }) => {
            Fault::new(
                ErrorKind::Untrusted,
                &format!("the certificate of {host} is not valid yet"),
                "compare the clocks of the host and of this machine",
            )
        }
        TlsError::InvalidCertificate(other) => {
            Fault::new(ErrorKind::Untrusted, &format!("the certificate of {host} is refused: {other}"), "renew it")
        }
        TlsError::AlertReceived(AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure) => {
            Fault::new(
                ErrorKind::Refused,
                &format!("{host} wants a client certificate"),
                "set `tls.cert` and `tls.key` of this host",
            )
        }
        TlsError::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::AccessDenied
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError,
        ) => Fault::new(
            ErrorKind::Refused,
            &format!("{host} refuses our client certificate: {error}"),
            "set `tls.cert` and `tls.key` to a pair that its authority signed",
        ),
        TlsError::InvalidMessage(_) => Fault::new(
            ErrorKind::Unreachable,
            &format!("{host} does not speak TLS on this port"),
            "check the port; an engine with TLS listens on 2376 as a rule",
        ),
        other => Fault::new(ErrorKind::Unreachable, &format!("TLS with {host} failed: {other}"), ""),
    }
}
