//! Where traffic comes in: who shares a port of the edge, and who cannot.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::{
    Refusal, World,
    links::{entries, entry_speech},
};
use crate::model::{EntryProtocol, EntrySpec, PortMode, Protocol, RegionName, ServiceKey, ServiceSpec, Speech};

/// A certificate that ends within this is worth a word: two weeks are enough to get another.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// What is wrong with the entries of a region's services, each in a sentence; and what to know all the same.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings {
    /// Why it cannot be.
    pub errors: Vec<String>,
    /// What to know.
    pub warnings: Vec<String>,
}

/// Judges the entries of all services that a region will run. Only what concerns `ours` is told.
pub(crate) fn judge(
    services: &BTreeMap<&ServiceKey, &ServiceSpec>,
    ours: impl Fn(&ServiceKey) -> bool,
    now: Timestamp,
) -> Findings {
    let mut findings = Findings::default();
    let mut by_port: BTreeMap<u16, Vec<(&ServiceKey, &ServiceSpec, EntrySpec)>> = BTreeMap::new();
    for (key, spec) in services {
        for entry in entries(spec) {
            if ours(key) {
                certificate(key, &entry, now, &mut findings);
            }
            by_port.entry(entry.port).or_default().push((key, spec, entry));
        }
    }
    let held = fixed_ports(services);
    for (port, sharers) in &by_port {
        if let Some(holder) = held.get(port)
            && (ours(holder) || sharers.iter().any(|(key, ..)| ours(key)))
        {
            let names = names(sharers);
            findings.errors.push(format!(
                "port {port} of the edge is wanted by {names}, and {holder} holds it on its own hosts (mode: host): change one of the two"
            ));
        }
        if sharers.iter().any(|(key, ..)| ours(key)) {
            shared(*port, sharers, &mut findings);
        }
    }
    findings
}

type Services<'s> = BTreeMap<&'s ServiceKey, &'s ServiceSpec>;

/// Judges the entries of every region, with the services that run there now as `change` changes them. Gives warnings;
/// what cannot be is a refusal.
pub(crate) fn judge_all<'s>(
    world: &World<'s>,
    change: impl Fn(&RegionName, &mut Services<'s>),
    ours: impl Fn(&ServiceKey) -> bool,
) -> Result<BTreeSet<String>, Refusal> {
    let (mut errors, mut warnings) = (BTreeSet::new(), BTreeSet::new());
    for region in &world.fleet.regions {
        let mut services: Services<'s> = BTreeMap::new();
        for (key, regions) in &world.desired.services {
            let places = regions.get(&region.name).into_iter().flat_map(|assignment| assignment.slots.values());
            let newest = places.map(|place| place.revision).max();
            let revision = newest.and_then(|no| world.desired.revision(key, no));
            services.extend(revision.map(|revision| (key, &revision.spec)));
        }
        change(&region.name, &mut services);
        let found = judge(&services, &ours, world.now);
        errors.extend(found.errors);
        warnings.extend(found.warnings);
    }
    if errors.is_empty() {
        Ok(warnings)
    } else {
        Err(Refusal::Invalid(errors.into_iter().collect::<Vec<_>>().join("; ")))
    }
}

fn names(sharers: &[(&ServiceKey, &ServiceSpec, EntrySpec)]) -> String {
    let names: BTreeSet<String> = sharers.iter().map(|(key, ..)| key.to_string()).collect();
    names.into_iter().collect::<Vec<_>>().join(" and ")
}

/// Ports that replicas hold on their own hosts.
fn fixed_ports<'a>(services: &BTreeMap<&'a ServiceKey, &ServiceSpec>) -> BTreeMap<u16, &'a ServiceKey> {
    let mut held = BTreeMap::new();
    for (key, spec) in services {
        let host = spec.ports.iter().filter(|port| port.mode == PortMode::Host && port.protocol == Protocol::Tcp);
        for port in host.filter_map(|port| port.published) {
            held.entry(port).or_insert(*key);
        }
    }
    held
}

fn is_tls(entry: &EntrySpec) -> bool {
    entry.protocol == Some(EntryProtocol::Https) || entry.tls.is_some()
}

/// Services may share a port by host name and path, when all speak the same there.
fn shared(port: u16, sharers: &[(&ServiceKey, &ServiceSpec, EntrySpec)], findings: &mut Findings) {
    if sharers.len() < 2 {
        return;
    }
    let all = names(sharers);
    if sharers.iter().any(|(_, spec, entry)| entry_speech(spec, entry) == Speech::Tcp) {
        findings.errors.push(format!(
            "port {port} of the edge is wanted by {all}: only HTTP can be told apart by host name and path; give each another port"
        ));
        return;
    }
    let differ =
        |what: fn(&EntrySpec) -> bool| sharers.iter().map(|(.., entry)| what(entry)).collect::<BTreeSet<_>>().len() > 1;
    if differ(is_tls) {
        findings.errors.push(format!(
            "port {port} of the edge is wanted by {all}, some with TLS and some without: give them different ports"
        ));
    }
    if differ(|entry| entry.accept_proxy) {
        findings.errors.push(format!(
            "port {port} of the edge is wanted by {all}, and only some expect the PROXY protocol: make them agree"
        ));
    }
    let mut routes: BTreeMap<(Option<&str>, &str), &ServiceKey> = BTreeMap::new();
    for (key, _, entry) in sharers {
        let path = entry.path.as_deref().unwrap_or("/");
        if let Some(other) = routes.insert((entry.host.as_deref(), path), key) {
            let host = entry.host.as_deref().unwrap_or("any host name");
            findings.errors.push(format!(
                "{other} and {key} both want {host}, path {path}, on port {port} of the edge: give them different host names or paths"
            ));
        }
    }
}

fn certificate(key: &ServiceKey, entry: &EntrySpec, now: Timestamp, findings: &mut Findings) {
    if !is_tls(entry) {
        return;
    }
    let port = entry.port;
    let Some(certificate) = &entry.certificate else {
        findings.errors.push(format!(
            "{key} wants https on port {port} and has no certificate: name a PEM file with certificate and key under `tls` of its entry"
        ));
        return;
    };
    let file = entry.tls.as_deref().unwrap_or("its certificate");
    let until = certificate.not_after.strftime("%Y-%m-%d");
    if certificate.not_after <= now {
        findings.errors.push(format!("{key}: {file} expired on {until}: renew it and deploy again"));
    } else if certificate.not_after.duration_since(now) < SOON {
        findings.warnings.push(format!("{key}: {file} ends on {until}: renew it and deploy again before"));
    }
    if let Some(host) = entry.host.as_deref().filter(|host| !is_for(&certificate.names, host)) {
        let names = certificate.names.join(", ");
        findings.warnings.push(format!("{key}: {file} is for {names}, not for {host}: clients will refuse it"));
    }
}

/// True when a certificate is for a host name; `*.example.com` stands for one label.
fn is_for(names: &[String], host: &str) -> bool {
    let wild = host.split_once('.').map(|(_, rest)| format!("*.{rest}"));
    names.iter().any(|name| {
        name.eq_ignore_ascii_case(host) || wild.as_deref().is_some_and(|wild| name.eq_ignore_ascii_case(wild))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Certificate, Port, Sensitive, WharfSpec};

    fn spec(entries: Vec<EntrySpec>) -> ServiceSpec {
        ServiceSpec { wharf: WharfSpec { entry: entries, ..WharfSpec::default() }, ..ServiceSpec::default() }
    }

    fn http(port: u16, host: Option<&str>, path: Option<&str>) -> EntrySpec {
        EntrySpec {
            port,
            target: 8080,
            host: host.map(str::to_owned),
            path: path.map(str::to_owned),
            protocol: Some(EntryProtocol::Http),
            ..EntrySpec::default()
        }
    }

    fn tls(until: &str) -> EntrySpec {
        let pem = Sensitive(String::new());
        let certificate = Certificate { pem, not_after: until.parse().unwrap(), names: vec!["*.acme.com".into()] };
        let tls = Some("shop.pem".to_owned());
        EntrySpec {
            protocol: Some(EntryProtocol::Https),
            tls,
            certificate: Some(certificate),
            ..http(443, Some("shop.acme.com"), None)
        }
    }

    fn judged(services: &[(&str, ServiceSpec)]) -> (Vec<String>, Vec<String>) {
        let keys: Vec<ServiceKey> = services.iter().map(|(key, _)| key.parse().unwrap()).collect();
        let services = keys.iter().zip(services.iter().map(|(_, spec)| spec)).collect();
        let found = judge(&services, |key| key.stack.as_str() == "shop", "2026-06-01T00:00:00Z".parse().unwrap());
        (found.errors, found.warnings)
    }

    #[test]
    fn ports_are_shared_by_host_and_path_only() {
        let none = (Vec::<String>::new(), Vec::<String>::new());
        let web = || spec(vec![http(80, Some("a.com"), None)]);
        assert_eq!(judged(&[("shop/web", web()), ("blog/web", spec(vec![http(80, Some("b.com"), None)]))]), none);
        assert_eq!(judged(&[("shop/web", web()), ("blog/web", spec(vec![http(80, Some("a.com"), Some("/b"))]))]), none);
        // What others have among themselves is not ours to tell.
        assert_eq!(judged(&[("x/web", web()), ("blog/web", web())]), none);
        let (errors, _) = judged(&[("shop/web", web()), ("blog/web", web())]);
        assert!(errors[0].contains("blog/web and shop/web both want a.com, path /, on port 80"), "{errors:?}");
        let tcp = EntrySpec { protocol: Some(EntryProtocol::Tcp), ..http(80, None, None) };
        let (errors, _) = judged(&[("shop/web", web()), ("mail/smtp", spec(vec![tcp]))]);
        assert!(errors[0].contains("only HTTP can be told apart"), "{errors:?}");
        let (errors, _) = judged(&[
            ("shop/web", web()),
            ("blog/web", spec(vec![EntrySpec { port: 80, ..tls("2027-01-01T00:00:00Z") }])),
        ]);
        assert!(errors[0].contains("some with TLS"), "{errors:?}");
        let port =
            Port { target: 80, published: Some(80), host_ip: None, protocol: Protocol::Tcp, mode: PortMode::Host };
        let (errors, _) =
            judged(&[("shop/web", web()), ("x/dns", ServiceSpec { ports: vec![port], ..ServiceSpec::default() })]);
        assert!(errors[0].contains("x/dns holds it on its own hosts"), "{errors:?}");
    }

    #[test]
    fn certificates_are_looked_at() {
        assert_eq!(judged(&[("shop/web", spec(vec![tls("2027-01-01T00:00:00Z")]))]), (vec![], vec![]));
        let (errors, _) = judged(&[("shop/web", spec(vec![tls("2026-05-01T00:00:00Z")]))]);
        assert_eq!(errors, ["shop/web: shop.pem expired on 2026-05-01: renew it and deploy again"]);
        let (_, warnings) = judged(&[("shop/web", spec(vec![tls("2026-06-05T00:00:00Z")]))]);
        assert!(warnings[0].contains("ends on 2026-06-05"), "{warnings:?}");
        let other = EntrySpec { host: Some("acme.org".into()), ..tls("2027-01-01T00:00:00Z") };
        let (_, warnings) = judged(&[("shop/web", spec(vec![other]))]);
        assert!(warnings[0].contains("is for *.acme.com, not for acme.org"), "{warnings:?}");
        let missing = EntrySpec { certificate: None, ..tls("2027-01-01T00:00:00Z") };
        let (errors, _) = judged(&[("shop/web", spec(vec![missing]))]);
        assert!(errors[0].contains("has no certificate"), "{errors:?}");
    }
}
