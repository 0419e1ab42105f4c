//! `wharf adopt`: a stack that Docker Compose runs becomes wharf's, as it runs.

use std::process::ExitCode;

use futures::{StreamExt, stream};

use super::{Context, Failure, act, args::AdoptArgs, look, print, wait};
use crate::{
    compose, engine,
    model::{Owner, StackName, Tool},
    plan,
    text::Text,
};

/// Hosts looked at at once.
const AT_ONCE: usize = 16;

/// Looks at the stack's containers, shows what they would be as services, then goes on as all acting commands do.
pub(super) async fn run(context: Context, args: AdoptArgs) -> Result<ExitCode, Failure> {
    let deadline = wait::parse(&args.act.wait)?;
    let stack: StackName = args
        .stack
        .parse()
        .map_err(|error| Failure::Input(format!("`{}`: {error}; write STACK", Text::new(&args.stack))))?;
    let file = if args.files.is_empty() { None } else { Some(load(&args, &stack)?) };
    let store = context.store()?;
    let seen = look::look(context, store.as_ref()).await?.or_blind()?;
    other_tool(&seen, &stack)?;
    let found = find(&seen, &stack).await?;
    let who = &seen.context.who;
    let plan = plan::adopt(&seen.world(), &stack, &found.containers, &found.left, file.as_ref(), who)?;
    act::finish(&seen.context, store, &args.act, plan, deadline).await
}

fn load(args: &AdoptArgs, stack: &StackName) -> Result<crate::model::StackSpec, Failure> {
    let loaded = compose::load(&compose::Source {
        files: args.files.clone(),
        env: std::env::vars().collect(),
        profiles: args.profiles.clone(),
        project: Some(stack.to_string()),
        env_files: args.env_files.clone(),
    })?;
    for warning in &loaded.warnings {
        print::complain(&warning.to_string());
    }
    Ok(loaded.stack)
}

/// Refuses what Swarm or Rancher runs: they would make anew whatever leaves them.
fn other_tool(seen: &look::Seen, stack: &StackName) -> Result<(), Failure> {
    let theirs = seen.observed.containers().find_map(|(_, container)| match &container.owner {
        Owner::Foreign { tool, stack: name, .. } if *tool != Tool::Compose && name.as_str() == stack.as_str() => {
            Some(*tool)
        }
        _ => None,
    });
    match theirs {
        Some(tool) => Err(Failure::Input(format!(
            "stack `{stack}` is run by {}, which would put back whatever is changed: take it away there, and deploy its file",
            tool.word()
        ))),
        None => Ok(()),
    }
}

/// What runs of the stack, over all hosts that can be seen. A host that fails to say it ends the command: half a stack
/// is not taken over.
async fn find(seen: &look::Seen, stack: &StackName) -> Result<engine::Found, Failure> {
    let hosts = seen.observed.hosts.values().filter(|host| host.is_seen());
    let readers: Vec<_> = hosts.filter_map(|host| seen.observer.reader(&host.name)).collect();
    let asked = stream::iter(readers).map(|reader| async move { reader.adoptable(stack).await }).buffered(AT_ONCE);
    let answers: Vec<_> = asked.collect().await;
    let mut found = engine::Found::default();
    for answer in answers {
        let answer = answer.map_err(|error| Failure::Failed(format!("{error}\nnothing was changed")))?;
        found.containers.extend(answer.containers);
        found.left.extend(answer.left);
    }
    Ok(found)
}
