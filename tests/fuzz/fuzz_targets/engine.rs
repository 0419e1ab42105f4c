//! Whatever an engine answers becomes containers and events that are safe to show, or nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wharf::{
    engine::{read_event, read_inspection, read_list},
    model::{FleetName, HostName},
};

fn safe(words: &str) {
    assert!(words.chars().all(|c| !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}')), "{words:?}");
}

fuzz_target!(|bytes: &[u8]| {
    let (Ok(fleet), Ok(host)) = (FleetName::new("acme"), HostName::new("e-1")) else { return };
    for container in read_list(&fleet, bytes).into_iter().flatten().chain(read_inspection(&fleet, bytes)) {
        safe(container.name.as_str());
        safe(container.image.as_str());
        safe(container.state.word());
        safe(&format!("{:?}", container.owner));
    }
    if let Some(event) = read_event(&host, bytes) {
        safe(event.action.as_str());
        safe(event.name.as_str());
    }
});
