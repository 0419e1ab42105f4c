//! Commands that change something: plan, show, ask, accept, wait.

use std::{process::ExitCode, sync::Arc};

use jiff::Timestamp;

use super::{
    Context, Failure,
    args::{AbortArgs, ActArgs, HostArgs, RestartArgs, RmArgs, ScaleArgs},
    confirm::{self, Answer, Bars},
    json::{OperationRow, PlanDocument},
    look::{self, Seen},
    plan_text, print, records,
    start::Starter,
    targets, wait,
};
use crate::{
    model::{HostIntent, RegionName, ServiceKey, StackName},
    plan::{self, Plan, Refusal},
    store::Store,
    text::Text,
};

/// `wharf scale`.
pub(super) async fn scale(context: Context, args: ScaleArgs) -> Result<ExitCode, Failure> {
    let wishes = args
        .targets
        .iter()
        .map(|target| targets::parse(target))
        .collect::<Result<Vec<_>, _>>()
        .map_err(Failure::Input)?;
    carry_out(context, &args.act, |seen| {
        let targets = targets::resolve(&wishes, &seen.desired).map_err(Refusal::Invalid)?;
        plan::scale(&seen.world(), &targets)
    })
    .await
}

/// `wharf restart`.
pub(super) async fn restart(context: Context, args: RestartArgs) -> Result<ExitCode, Failure> {
    let service: ServiceKey = args.what.parse().map_err(|error| named(&args.what, "STACK/SERVICE", &error))?;
    let region: Option<RegionName> =
        args.region.as_deref().map(str::parse).transpose().map_err(|error| named("--region", "a region", &error))?;
    carry_out(context, &args.act, |seen| plan::restart(&seen.world(), &service, region.as_ref())).await
}

/// `wharf rm`.
pub(super) async fn rm(context: Context, args: RmArgs) -> Result<ExitCode, Failure> {
    let (stack, service) = match args.what.split_once('/') {
        Some((stack, service)) => (stack, Some(service)),
        None => (args.what.as_str(), None),
    };
    let stack: StackName = stack.parse().map_err(|error| named(&args.what, "STACK or STACK/SERVICE", &error))?;
    let service =
        service.map(str::parse).transpose().map_err(|error| named(&args.what, "STACK or STACK/SERVICE", &error))?;
    carry_out(context, &args.act, |seen| plan::remove(&seen.world(), &stack, service.as_ref())).await
}

/// `wharf cordon`, `wharf drain` and `wharf uncordon`.
pub(super) async fn host(context: Context, args: HostArgs, intent: Option<HostIntent>) -> Result<ExitCode, Failure> {
    let host = args.host.parse().map_err(|error| named(&args.host, "a host's name", &error))?;
    carry_out(context, &args.act, |seen| plan::host(&seen.world(), &host, intent)).await
}

/// `wharf abort`.
pub(super) async fn abort(context: Context, args: AbortArgs) -> Result<ExitCode, Failure> {
    let store = context.store()?;
    let operation = records::find(store.as_ref(), &args.id).await?;
    if operation.state.is_final() {
        return Err(Failure::Input(format!(
            "operation {} is {} already: there is nothing to abort",
            operation.id.short(),
            operation.state.word()
        )));
    }
    store.abort(operation.id, Text::new(&context.who), Timestamp::now()).await?;
    let regions: Vec<RegionName> = operation.regions().into_iter().collect();
    Starter::new(&context).ensure(store.as_ref(), &regions).await?;
    print::line(&format!("aborted {}; what was wanted before is wanted again", operation.intent.summary()));
    Ok(ExitCode::SUCCESS)
}

pub(super) fn named(what: &str, form: &str, error: &crate::model::NameError) -> Failure {
    Failure::Input(format!("`{}`: {error}; write {form}", Text::new(what)))
}

/// Looks at the fleet, plans, shows, asks, accepts, waits.
pub(super) async fn carry_out(
    context: Context,
    act: &ActArgs,
    plan: impl Fn(&Seen) -> Result<Plan, Refusal>,
) -> Result<ExitCode, Failure> {
    let deadline = wait::parse(&act.wait)?;
    let store = context.store()?;
    let seen = look::look(context, store.as_ref()).await?.or_blind()?;
    let plan = plan(&seen)?;
    finish(&seen.context, store, act, plan, deadline).await
}

/// What follows once a plan is there.
pub(super) async fn finish(
    context: &Context,
    store: Arc<dyn Store>,
    act: &ActArgs,
    plan: Plan,
    deadline: std::time::Duration,
) -> Result<ExitCode, Failure> {
    let bars = Bars::new(context, &plan);
    if act.dry_run {
        if act.json {
            print::json(&PlanDocument::new(&plan).barred(&bars));
        } else {
            print::out(&plan_text::render(&plan));
            bars.lines().iter().for_each(|line| print::line(line));
        }
        return Ok(ExitCode::from(if plan.is_empty() { 0 } else { 10 }));
    }
    if plan.is_empty() {
        if act.json {
            print::json(&PlanDocument::new(&plan).barred(&bars));
        } else {
            print::line("nothing to do: it is as you want it");
            plan.warnings.iter().for_each(|warning| print::complain(warning));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut plan = plan;
    // What is not allowed is not asked about; the store refuses it, and writes that down.
    if bars.refused.is_none() {
        let confirmed = confirm::confirm(act, &bars.demand, || print::note(plan_text::render(&plan).trim_end()))?;
        let Answer::Yes(confirmed) = confirmed else {
            print::note("nothing was changed");
            return Ok(ExitCode::SUCCESS);
        };
        plan.proposal.confirmed = confirmed;
    }
    let operation = store.accept(plan.proposal, context.who.clone(), Timestamp::now()).await?;
    let regions: Vec<RegionName> = operation.regions().into_iter().collect();
    let starter = Starter::new(context);
    if !operation.state.is_final() {
        starter.ensure(store.as_ref(), &regions).await?;
    }
    if act.detach {
        if act.json {
            print::json(&OperationRow::new(&operation));
        } else {
            print::line(&operation.id.to_string());
        }
        return Ok(ExitCode::SUCCESS);
    }
    wait::until_final(store.as_ref(), &starter, operation, deadline, act.json).await
}
