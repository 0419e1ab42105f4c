//! Carries out one action on one host.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::{
    engine::{CreateRequest, EngineError, Handle, NetworkInfo, PullProgress},
    model::{
        ContainerId, Defaults, Desired, Fleet, HostName, Kept, Observed, Record, ReplicaKey, RevisionNo, ServiceKey,
        Slot, label,
    },
    plan::{Action, Needs, World},
    store::{Fence, Learned, Store},
    text::Text,
};

use super::region::{Done, Failed};

/// What an action needs to know beside itself.
pub(super) struct Job {
    pub fleet: Arc<Fleet>,
    pub desired: Arc<Desired>,
    pub store: Arc<dyn Store>,
    pub fence: Fence,
    pub action: Action,
    /// Where to tell how far a pull is, in percent.
    pub pulling: mpsc::Sender<(HostName, String, u8)>,
}

/// Does it. Gives the container that was made or ended.
pub(super) async fn run(job: &Job, handle: &Handle) -> Result<Done, Failed> {
    let region = job.fleet.region(&job.fence.region);
    let defaults = region.map(|region| region.defaults.clone()).unwrap_or_default();
    match &job.action {
        Action::Pull { image, host, .. } => {
            let tell = |progress: PullProgress| {
                // Only for the screen: when the loop is busy, the next one will do.
                let _ = job.pulling.try_send((host.clone(), image.clone(), progress.percent));
            };
            match tokio::time::timeout(defaults.pull_deadline, handle.pull(image, tell)).await {
                Ok(result) => result.map_err(|error| failed(&error))?,
                Err(_) => {
                    return Err(lost(&format!(
                        "the pull took longer than {}; raise pull_deadline or look at the registry",
                        crate::text::duration(defaults.pull_deadline)
                    )));
                }
            }
            Ok(Done::Nothing)
        }
        Action::Learn { host, service, revision } => learn(job, handle, host, service, *revision).await,
        Action::Create { host, replica, revision } => {
            Box::pin(make(job, handle, &defaults, host, (replica, *revision), false)).await.map(Done::Container)
        }
        Action::Test { host, service, revision } => {
            // It has no slot; where it shares another service's namespaces, those of the first will do.
            let any = ReplicaKey { region: job.fence.region.clone(), service: service.clone(), slot: Slot(1) };
            Box::pin(make(job, handle, &defaults, host, (&any, *revision), true)).await.map(Done::Container)
        }
        Action::Clear { container, .. } => {
            handle.remove(container, true).await.or_else(|error| gone_is_fine(&error))?;
            Ok(Done::Container(container.clone()))
        }
        Action::Start { container, .. } => {
            start(handle, container).await?;
            Ok(Done::Container(container.clone()))
        }
        Action::Stop { replica, container, .. } => {
            let spec_grace = job
                .desired
                .revisions
                .get(&replica.service)
                .and_then(|revisions| revisions.values().next_back())
                .and_then(|revision| revision.spec.stop_grace_period);
            handle
                .stop(container, spec_grace.unwrap_or(defaults.stop_grace))
                .await
                .or_else(|error| gone_is_fine(&error))?;
            handle.remove(container, true).await.or_else(|error| gone_is_fine(&error))?;
            Ok(Done::Container(container.clone()))
        }
        Action::Tidy { stack, .. } => {
            let labelled = |network: &NetworkInfo, label: &str, value: &str| {
                network.labels.get(label).is_some_and(|found| found.as_str() == value)
            };
            for network in handle.networks().await.map_err(|error| failed(&error))? {
                if labelled(&network, label::FLEET, job.fleet.name.as_str())
                    && labelled(&network, label::STACK, stack.as_str())
                {
                    handle
                        .remove_network(&job.fleet.name, network.name.as_str())
                        .await
                        .or_else(|error| gone_is_fine(&error))?;
                }
            }
            Ok(Done::Nothing)
        }
        Action::Prune { what, id, .. } => discard(job, handle, *what, id).await.map(Done::Removed),
    }
}

/// Removes something that nothing needs. Gives what came of it: what is needed by now stays.
async fn discard(job: &Job, handle: &Handle, what: Kept, id: &Text) -> Result<Text, Failed> {
    let storage = handle.storage().await.map_err(|error| failed(&error))?;
    let Some(thing) = storage.things.iter().find(|thing| thing.kind == what && thing.id == *id) else {
        return Ok(Text::new("gone already"));
    };
    let observed = Observed::default();
    let world = World { fleet: &job.fleet, desired: &job.desired, observed: &observed, now: storage.at };
    if let Some(need) = Needs::new(&world).of(&world, thing) {
        let why = need.words(ToString::to_string);
        return Ok(Text::new(&format!("stays, it is needed again: {why}")));
    }
    handle.discard(thing).await.or_else(|error| gone_is_fine(&error))?;
    Ok(Text::new("gone"))
}

/// Reads which ports an image exposes. Where there are any, the store is told, before anything is made that knows them.
async fn learn(
    job: &Job,
    handle: &Handle,
    host: &HostName,
    service: &ServiceKey,
    revision: RevisionNo,
) -> Result<Done, Failed> {
    let Some(wanted) = job.desired.revision(service, revision) else {
        return Err(lost("its revision is no longer kept"));
    };
    let found = handle.exposed(&wanted.image).await.map_err(|error| failed(&error))?;
    let ports = found.ok_or_else(|| lost(&format!("{host} has not the image {} any more", wanted.image)))?;
    if !ports.is_empty() {
        let learned = Learned { service: service.clone(), revision, ports: ports.clone() };
        let told = job.store.complete(job.fence.clone(), learned, job.fleet.link_pool.clone()).await;
        told.map_err(|error| lost(&error.to_string()))?;
    }
    Ok(Done::Ports(ports))
}

/// Makes the container of a replica, or of its revision's test, and starts it.
async fn make(
    job: &Job,
    handle: &Handle,
    defaults: &Defaults,
    host: &HostName,
    (replica, revision): (&ReplicaKey, RevisionNo),
    is_test: bool,
) -> Result<ContainerId, Failed> {
    let Some(wanted) = job.desired.revision(&replica.service, revision) else {
        return Err(lost("its revision is no longer kept"));
    };
    let test = wanted.spec.wharf.test.as_ref().filter(|_| is_test).map(|words| wanted.spec.one_off(words));
    let address = job.fleet.host(host).and_then(|(_, host)| host.address.clone());
    let shared = job.desired.stacks.get(&replica.service.stack).cloned().unwrap_or_default();
    let round = job.desired.assignment(&replica.service, &replica.region).map_or(0, |assignment| assignment.round);
    // A test is gone when it is over: nothing could be built again from it.
    let record = if is_test { String::new() } else { Record::of(wanted, &shared).to_label() };
    let request = CreateRequest {
        fleet: &job.fleet.name,
        replica,
        revision,
        image: &wanted.image,
        spec: test.as_ref().unwrap_or(&wanted.spec),
        shared: &shared,
        host_address: address.as_deref(),
        subnet_pool: &job.fleet.subnet_pool,
        round,
        is_test,
        defaults,
        record: &record,
    };
    // An image that was there a moment ago is pulled again, so its loss ends nothing.
    let again =
        |error: &EngineError| Failed { is_final: error.is_final() && !error.is_no_such_image(), ..failed(error) };
    let id = handle.create(&request).await.map_err(|error| again(&error))?;
    start(handle, &id).await?;
    Ok(id)
}

/// Starts a container. An engine that was killed in the middle of a start may refuse this one for ever, because the
/// runtime below it remembers the task and the engine does not: such a container is removed, to be made anew.
async fn start(handle: &Handle, container: &ContainerId) -> Result<(), Failed> {
    let Err(error) = handle.start(container).await else { return Ok(()) };
    let said = error.why.as_str();
    let is_known_below = said.contains("task") && said.contains("already exists");
    if is_known_below || said.contains("id already in use") {
        handle.remove(container, true).await.or_else(|error| gone_is_fine(&error))?;
        return Err(lost(&format!("{}: its engine lost track of the container; it is made anew", error.host)));
    }
    Err(failed(&error))
}

/// A container that is not there any more needs no ending.
fn gone_is_fine(error: &EngineError) -> Result<(), Failed> {
    if error.is_not_found() { Ok(()) } else { Err(failed(error)) }
}

fn failed(error: &EngineError) -> Failed {
    let is_hosts = error.is_port_taken() || error.is_disk_full();
    let lacks_image = error.is_no_such_image();
    Failed { is_final: error.is_final(), is_hosts, lacks_image, error: Text::new(&error.to_string()) }
}

pub(super) fn lost(why: &str) -> Failed {
    Failed { error: Text::new(why), is_final: false, is_hosts: false, lacks_image: false }
}
