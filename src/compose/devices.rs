//! `devices`, `gpus`, and reservations of devices.

use super::typed::Val;
use crate::model::{DeviceRequest, ServiceSpec};

/// `devices` of a service: paths of the hosts, and CDI names.
pub(super) fn devices(v: &Val<'_>, spec: &mut ServiceSpec) {
    for item in v.items() {
        let device = if item.node.map().is_some() {
            let (mut source, mut target, mut permissions) = (None, None, None);
            item.keys(&["source", "target", "permissions"], |key, value| match key {
                "source" => source = value.filled(),
                "target" => target = value.filled(),
                _ => permissions = value.filled(),
            });
            source.map(|source| {
                let target = target.unwrap_or_else(|| source.clone());
                format!("{source}:{target}:{}", permissions.unwrap_or_else(|| "rwm".into()))
            })
        } else {
            item.filled()
        };
        match device {
            Some(device) if device.starts_with('/') => {
                let parts: Vec<&str> = device.split(':').collect();
                match parts.as_slice() {
                    [path] => spec.devices.push(format!("{path}:{path}:rwm")),
                    [path, modes] if !modes.starts_with('/') => spec.devices.push(format!("{path}:{path}:{modes}")),
                    [path, target] => spec.devices.push(format!("{path}:{target}:rwm")),
                    [_, _, _] => spec.devices.push(device),
                    _ => item.error("must be HOST[:CONTAINER[:PERMISSIONS]]"),
                }
            }
            // The form VENDOR/CLASS=NAME of the Container Device Interface.
            Some(device) if device.contains('/') && device.contains('=') => spec.device_requests.push(DeviceRequest {
                driver: Some("cdi".into()),
                device_ids: vec![device],
                ..DeviceRequest::default()
            }),
            Some(device) => item.error(format!("`{device}` is no device: write /dev/NAME, or VENDOR/CLASS=NAME")),
            None if item.get("source").is_none() => item.error("`source`, the device on the host, is missing"),
            None => {}
        }
    }
}

/// `gpus` of a service.
pub(super) fn gpus(v: &Val<'_>, spec: &mut ServiceSpec) {
    let gpu = |count| DeviceRequest { count, capabilities: vec!["gpu".into()], ..DeviceRequest::default() };
    if v.node.scalar().is_some() {
        match v.text() {
            Some("all") => spec.device_requests.push(gpu(Some(-1))),
            _ => v.error("must be `all`, or a list with `driver`, `count`, `device_ids`"),
        }
        return;
    }
    for item in v.items() {
        let mut request = request(&item);
        if request.capabilities.is_empty() {
            request.capabilities = vec!["gpu".into()];
        }
        spec.device_requests.push(request);
    }
}

/// A request for devices.
pub(super) fn request(item: &Val<'_>) -> DeviceRequest {
    let mut request = DeviceRequest::default();
    item.keys(&["capabilities", "count", "device_ids", "driver", "options"], |key, value| match key {
        "capabilities" => request.capabilities = value.strings(),
        "count" => {
            request.count =
                if value.node.scalar() == Some("all") { Some(-1) } else { value.number("a number, or `all`") };
        }
        "device_ids" => request.device_ids = value.strings(),
        "driver" => request.driver = value.filled(),
        _ => request.options = value.table(),
    });
    match (request.count, request.device_ids.is_empty()) {
        (Some(_), false) => item.error("`count` and `device_ids` exclude each other: keep one"),
        // As the engines take it: all of them.
        (None, true) => request.count = Some(-1),
        _ => {}
    }
    request
}
