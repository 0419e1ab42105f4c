use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::model::{
    Attachment, Certificate, EntryProtocol, EntrySpec, ExposedPort, FileMount, HealthCheck, Logging, Mount,
    NetworkSpec, Port, PortMode, Protocol, Restart, VolumeSpec, WharfSpec,
};

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn pairs<T: From<String>>(pairs: &[(&str, &str)]) -> BTreeMap<String, T> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), T::from((*value).to_owned()))).collect()
}

impl From<String> for Sensitive {
    fn from(text: String) -> Self {
        Self(text)
    }
}

fn rich() -> ServiceSpec {
    let certificate = Certificate {
        pem: Sensitive("-----BEGIN PRIVATE KEY-----".into()),
        not_after: Timestamp::UNIX_EPOCH,
        names: words(&["shop.example.com"]),
    };
    ServiceSpec {
        image: "acme/web:1".into(),
        command: Some(words(&["run", "--token", "hunter2"])),
        entrypoint: Some(Vec::new()),
        environment: pairs(&[("PASSWORD", "hunter2"), ("EMPTY", "")]),
        labels: pairs(&[("auth", "hunter2")]),
        healthcheck: Some(HealthCheck {
            test: words(&["CMD", "check", "hunter2"]),
            interval: Some(Duration::from_millis(1500)),
            ..HealthCheck::default()
        }),
        ports: vec![Port {
            target: 8080,
            published: Some(80),
            host_ip: None,
            protocol: Protocol::Tcp,
            mode: PortMode::Ingress,
        }],
        expose: vec![ExposedPort { port: 9000, protocol: Protocol::Udp }],
        mounts: vec![
            Mount {
                target: "/data".into(),
                source: MountSource::Volume { name: "data".into(), nocopy: true, subpath: None },
                read_only: false,
            },
            Mount { target: "/tmp".into(), source: MountSource::Anonymous, read_only: false },
        ],
        networks: [("back".to_owned(), Attachment { aliases: words(&["www"]), ..Attachment::default() })].into(),
        files: vec![FileMount {
            name: "key".into(),
            target: "/run/secrets/key".into(),
            content: Sensitive("hunter2".into()),
            secret: true,
            uid: 0,
            gid: 0,
            mode: 0o400,
        }],
        restart: Restart::OnFailure { max: Some(3) },
        logging: Some(Logging { driver: Some("splunk".into()), options: pairs(&[("splunk-token", "hunter2")]) }),
        wharf: WharfSpec {
            entry: vec![EntrySpec {
                port: 443,
                target: 8080,
                protocol: Some(EntryProtocol::Https),
                tls: Some("shop.pem".into()),
                certificate: Some(certificate),
                ..EntrySpec::default()
            }],
            test: Some(words(&["check", "it"])),
            canary: Some(Duration::from_secs(120)),
            ..WharfSpec::default()
        },
        ..ServiceSpec::default()
    }
}

fn revision(spec: ServiceSpec) -> Revision {
    Revision {
        service: "shop/web".parse().unwrap(),
        no: RevisionNo(7),
        spec,
        image: "acme/web@sha256:ab".into(),
        at: Timestamp::UNIX_EPOCH,
        by: "ana@bastion".into(),
        note: "deploy".into(),
        version: 3,
        restores: Some(RevisionNo(5)),
    }
}

fn shared() -> StackShared {
    StackShared {
        networks: [("back".to_owned(), NetworkSpec::default()), ("unused".to_owned(), NetworkSpec::default())].into(),
        volumes: [(
            "data".to_owned(),
            VolumeSpec { driver_opts: pairs(&[("o", "password=hunter2")]), ..VolumeSpec::default() },
        )]
        .into(),
        addresses: [("web".parse().unwrap(), "10.211.0.2".parse().unwrap())].into(),
    }
}

/// What an engine tells of a container of this spec.
fn told(spec: &ServiceSpec) -> Inspection {
    let image = [("PATH".to_owned(), "/bin".to_owned())];
    let environment = spec.environment.iter().map(|(name, value)| (name.clone(), value.reveal().to_owned()));
    Inspection {
        environment: environment.chain(image).collect(),
        labels: spec.labels.clone(),
        command: spec.command.clone().unwrap_or_default(),
        entrypoint: spec.entrypoint.clone().unwrap_or_default(),
        check: spec.healthcheck.clone().unwrap_or_default().test,
        log_options: spec.logging.clone().unwrap_or_default().options,
        volume_options: shared().volumes.into_iter().map(|(key, volume)| (key, volume.driver_opts)).collect(),
    }
}

#[test]
fn what_is_written_and_told_gives_the_revision_again() {
    let revision = revision(rich());
    let label = Record::of(&revision, &shared()).to_label();
    assert!(label.len() < 1400, "{}: {label}", label.len());
    let mut read = Record::read(&label, &revision.service, revision.no).unwrap();
    assert_eq!(read.fill(&told(&revision.spec)), Vec::<String>::new());
    read.revision.spec.files[0].content = Sensitive("hunter2".into());
    let pem = revision.spec.wharf.entry[0].certificate.as_ref().unwrap().pem.clone();
    let digests = read.certificates();
    assert_eq!(digests.len(), 1);
    assert_eq!(read.certify(&digests.into_iter().map(|digest| (digest, pem.clone())).collect()), [""; 0]);
    assert_eq!(read.revision, revision);
    let mut used = shared();
    used.networks.remove("unused");
    assert_eq!(read.shared, used);
    // The same again, byte for byte.
    assert_eq!(Record::of(&revision, &shared()).to_label(), label);
}

#[test]
fn a_plain_revision_is_short() {
    let plain = revision(ServiceSpec { image: "app:1".into(), ..ServiceSpec::default() });
    let label = Record::of(&plain, &StackShared::default()).to_label();
    assert!(label.len() < 200, "{label}");
    assert_eq!(Record::read(&label, &plain.service, plain.no).unwrap().revision, plain);
}

#[test]
fn nothing_in_confidence_is_on_the_label() {
    let mut spec = rich();
    spec.wharf.test = Some(words(&["check", "--password", "hunter2"]));
    let revision = revision(spec);
    let label = Record::of(&revision, &shared()).to_label();
    assert!(!label.contains("hunter2") && !label.contains("PRIVATE KEY"), "{label}");
    let mut read = Record::read(&label, &revision.service, revision.no).unwrap();
    assert_eq!(read.fill(&told(&revision.spec)), ["the command of its test, which names a confidence"]);
    assert_eq!(read.revision.spec.wharf.test, None);
    assert_eq!(read.certify(&BTreeMap::new()), ["the certificate of port 443"]);
    assert_eq!(read.revision.spec.wharf.entry[0].certificate, None);
}

#[test]
fn what_the_engine_does_not_tell_is_said() {
    let revision = revision(rich());
    let mut read = Record::of(&revision, &shared());
    let lacks = read.fill(&Inspection { command: words(&["run"]), ..Inspection::default() });
    assert_eq!(
        lacks,
        [
            "the value of $EMPTY",
            "the value of $PASSWORD",
            "the label auth",
            "the log option splunk-token",
            "the option of volume data, o",
        ]
    );
}

#[test]
fn labels_of_others_are_refused_with_words() {
    let service = "shop/web".parse().unwrap();
    let read = |label: &str| Record::read(label, &service, RevisionNo(1)).unwrap_err();
    assert!(read("{").starts_with("its record does not read"), "{}", read("{"));
    assert!(read("[]").starts_with("its record does not read"));
    let newer = r#"{"v":9,"revision":{}}"#;
    assert_eq!(read(newer), "its record is of a newer wharf (form 9, this one reads 1)");
}
