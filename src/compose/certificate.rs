//! Certificates of entries: read together with the stack file, as its secrets are, so that what is wrong with one is
//! told before anything begins, and every proxy gets the same bytes.

use std::sync::Arc;

use jiff::Timestamp;
use rustls::{
    InconsistentKeys,
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    sign::CertifiedKey,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::{
    env::read_text,
    load::{File, file},
    typed::Val,
};
use crate::model::{Certificate, Sensitive};

/// `tls` of an entry: a PEM file with certificate, chain and key, or `{cert: FILE, key: FILE}`. Gives the
/// certificate's file and what it holds; what cannot be used was told.
pub(super) fn tls(v: &Val<'_>) -> (Option<String>, Option<Certificate>) {
    let (mut cert, mut key) = (None, None);
    if v.node.map().is_some() {
        v.keys(&["cert", "key"], |name, value| if name == "cert" { cert = Some(value) } else { key = Some(value) });
        if cert.is_none() {
            v.error("`cert`, the file with the certificate and its chain, is missing");
        }
    } else {
        cert = Some(v.clone());
    }
    let Some((place, at)) = cert.and_then(|place| Some((named(&place)?, place))) else { return (None, None) };
    let path = place.path.to_string_lossy().into_owned();
    let pair = || {
        let text = read(&at, &place)?;
        let key = match &key {
            Some(value) => {
                let file = named(value)?;
                Some((read(value, &file)?, file, value))
            }
            None => None,
        };
        certificate(&at, &place, text, key)
    };
    (Some(path), pair())
}

fn named(v: &Val<'_>) -> Option<File> {
    Some(file(&v.node.at.file, &v.filled()?))
}

fn read(v: &Val<'_>, file: &File) -> Option<String> {
    let text = read_text(&file.path);
    text.map_err(|why| v.error(format!("{} cannot be read: {why}", file.shown.display()))).ok()
}

/// Takes certificate and key out of their texts. `key` is the file of its own, where there is one.
fn certificate(at: &Val<'_>, place: &File, text: String, key: Option<(String, File, &Val<'_>)>) -> Option<Certificate> {
    let shown = place.shown.display();
    let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let chain = chain.map_err(|error| at.error(format!("{shown} is no good PEM file: {error}"))).ok()?;
    let Some(first) = chain.first() else {
        at.error(format!("{shown} holds no certificate: it must be in PEM form, `-----BEGIN CERTIFICATE-----`"));
        return None;
    };
    let Some(facts) = facts(first) else {
        at.error(format!("the first certificate in {shown} cannot be read"));
        return None;
    };
    let (key_text, key_shown, key_at) = match &key {
        Some((text, file, at)) => (text.as_str(), file.shown.display(), *at),
        None => (text.as_str(), place.shown.display(), at),
    };
    let Ok(private) = PrivateKeyDer::from_pem_slice(key_text.as_bytes()) else {
        key_at.error(if key_text.contains("ENCRYPTED") {
            format!("the key in {key_shown} needs a password, which nobody could type: store it without one")
        } else if key.is_some() {
            format!("{key_shown} holds no private key in PEM form")
        } else {
            format!("{key_shown} holds no private key: add it there, or write `tls: {{cert: FILE, key: FILE}}`")
        });
        return None;
    };
    // A kind of key that this library does not know may well be one that the proxy does.
    if let Ok(signing) = any_supported_type(&private)
        && matches!(
            CertifiedKey::new(chain.clone(), Arc::clone(&signing)).keys_match(),
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch))
        )
    {
        key_at.error(format!("the key in {key_shown} does not belong to the certificate in {shown}"));
        return None;
    }
    let (not_after, names) = facts;
    let pem = match key {
        Some((key, ..)) => format!("{}\n{key}", text.trim_end()),
        None => text,
    };
    Some(Certificate { pem: Sensitive(pem), not_after, names })
}

/// Until when a certificate is good, and for which host names.
fn facts(der: &CertificateDer<'_>) -> Option<(Timestamp, Vec<String>)> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let not_after = Timestamp::from_second(certificate.validity().not_after.timestamp()).unwrap_or(Timestamp::MAX);
    let others = certificate.subject_alternative_name().ok().flatten();
    let mut names: Vec<String> = others
        .iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            GeneralName::IPAddress(bytes) => address(bytes),
            _ => None,
        })
        .collect();
    // Old certificates carry their name in the subject alone.
    if names.is_empty() {
        let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
        names.extend(common.map(str::to_ascii_lowercase));
    }
    let safe = |name: String| crate::text::Text::new(&name).to_string();
    Some((not_after, names.into_iter().map(safe).collect()))
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).ok().map(std::net::IpAddr::from);
    let address = four.or_else(|| <[u8; 16]>::try_from(bytes).ok().map(std::net::IpAddr::from));
    address.map(|address| address.to_string())
}
