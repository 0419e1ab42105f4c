//! Commands about where things run and which revision: migrate, rollback, rebalance.

use std::process::ExitCode;

use super::{
    Context, Failure,
    act::{carry_out, named},
    args::{MigrateArgs, RebalanceArgs, RollbackArgs},
    targets,
};
use crate::{
    model::{RegionName, Scope},
    plan,
    text::Text,
};

/// `wharf migrate`.
pub(super) async fn migrate(context: Context, args: MigrateArgs) -> Result<ExitCode, Failure> {
    let from = targets::site(&args.from, &context.fleet).map_err(Failure::Input)?;
    let to = targets::site(&args.to, &context.fleet).map_err(Failure::Input)?;
    targets::scope(&args.what, None).map_err(Failure::Input)?;
    carry_out(context, &args.act, |seen| {
        let what = targets::scope(&args.what, Some(&seen.desired)).map_err(plan::Refusal::Invalid)?;
        plan::migrate(&seen.world(), &what, &from, &to)
    })
    .await
}

/// `wharf rollback`.
pub(super) async fn rollback(context: Context, args: RollbackArgs) -> Result<ExitCode, Failure> {
    let form = targets::scope(&args.what, None).map_err(Failure::Input)?;
    let to = args.to.as_deref().map(|to| number(to, &form)).transpose()?;
    let who = context.who.clone();
    carry_out(context, &args.act, |seen| {
        let what = targets::scope(&args.what, Some(&seen.desired)).map_err(plan::Refusal::Invalid)?;
        plan::rollback(&seen.world(), &what, to, &who)
    })
    .await
}

/// `r5` for a service, `5` for both.
fn number(text: &str, what: &Scope) -> Result<u32, Failure> {
    let wrong = |form: &str| {
        Failure::Input(format!("--to {}: write {form}; `wharf history {what}` lists them", Text::new(text)))
    };
    match (text.strip_prefix('r'), what) {
        (Some(_), Scope::Stack(_)) => Err(wrong("the number of a version of the stack, such as 5")),
        (Some(digits), _) => digits.parse().map_err(|_| wrong("a revision such as r5")),
        (None, _) => text.parse().map_err(|_| wrong("a number such as 5")),
    }
}

/// `wharf rebalance`.
pub(super) async fn rebalance(context: Context, args: RebalanceArgs) -> Result<ExitCode, Failure> {
    let region: Option<RegionName> = match &args.region {
        Some(region) => Some(region.parse().map_err(|error| named(region, "a region", &error))?),
        None => None,
    };
    carry_out(context, &args.act, |seen| plan::rebalance(&seen.world(), region.as_ref())).await
}
