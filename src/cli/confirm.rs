//! What stands between a plan and its acceptance: who may not, and what has to be confirmed.

use std::{
    collections::BTreeSet,
    io::{IsTerminal, Write},
};

use super::{Context, Failure, args::ActArgs};
use crate::{
    model::{Demand, HostName, Level, Rules, ServiceKey},
    plan::Plan,
    text::Text,
};

/// Who may enter containers.
#[derive(Clone)]
pub(super) struct Gate {
    rules: Rules,
    groups: BTreeSet<String>,
}

impl Gate {
    pub(super) fn new(context: &Context) -> Self {
        let rules = context.fleet.rules();
        let groups = context.origin().groups;
        Self { rules, groups }
    }

    /// Why somebody may not enter a container of a service on a host; none where it is allowed.
    pub(super) fn refuses(&self, who: &str, host: &HostName, service: Option<&ServiceKey>) -> Option<String> {
        let places = self.rules.inside(host, service.map(|service| &service.stack));
        self.rules.refusal(who, &self.groups, "exec", &places)
    }
}

/// What stands in the way of a plan.
pub(super) struct Bars {
    /// Why who asks may not do this; none where it is allowed.
    pub refused: Option<String>,
    /// What has to be confirmed.
    pub demand: Demand,
}

impl Bars {
    pub(super) fn new(context: &Context, plan: &Plan) -> Self {
        let Gate { rules, groups } = Gate::new(context);
        Self { refused: rules.refuses(&plan.proposal, &context.who, &groups), demand: rules.demand(&plan.proposal) }
    }

    /// For people, below the plan.
    pub(super) fn lines(&self) -> Vec<String> {
        let refused = self.refused.as_ref().map(|why| format!("✗ {why}"));
        let guarded = (self.demand.level == Level::Name)
            .then(|| format!("! {0} is guarded: `--confirm {0}` applies this", self.demand.name));
        refused.into_iter().chain(guarded).collect()
    }
}

/// What was answered.
pub(super) enum Answer {
    /// It shall not be done.
    No,
    /// It shall, with the name that was typed where one had to be.
    Yes(Option<String>),
}

/// Has it confirmed as it has to be. `show` prints the plan, before anybody is asked.
pub(super) fn confirm(act: &ActArgs, demand: &Demand, show: impl FnOnce()) -> Result<Answer, Failure> {
    let given = act.confirm.as_deref().or(act.yes.as_deref());
    match (demand.level, given) {
        (Level::Name, Some(name)) if name == demand.name => Ok(Answer::Yes(Some(name.to_owned()))),
        (Level::Name, Some("")) => Err(Failure::Input(format!(
            "{0} is guarded, so --yes alone is not enough: write --yes={0} or --confirm {0}; nothing was changed",
            demand.name
        ))),
        (Level::Name, Some(other)) => Err(Failure::Input(format!(
            "this has to be confirmed with `{}`, not `{}`; nothing was changed",
            demand.name,
            Text::new(other)
        ))),
        (Level::Name, None) => {
            show();
            let typed = read(&format!("{} is guarded. Type its name to apply this:", demand.name))?;
            Ok(if typed == demand.name { Answer::Yes(Some(typed)) } else { Answer::No })
        }
        (Level::Nothing, _) | (Level::Confirm, Some(_)) => Ok(Answer::Yes(None)),
        (Level::Confirm, None) => {
            show();
            Ok(if ask("apply?")? { Answer::Yes(None) } else { Answer::No })
        }
    }
}

/// Asks on the terminal. Without one, the answer must have been given by `--yes`.
pub(super) fn ask(question: &str) -> Result<bool, Failure> {
    Ok(matches!(read(&format!("{question} [y/N]"))?.as_str(), "y" | "Y" | "yes"))
}

fn read(question: &str) -> Result<String, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Input(
            "standard input is not a terminal, so nobody can say yes: add --yes (or --dry-run)".into(),
        ));
    }
    let _ = write!(std::io::stderr(), "{question} ");
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Failure::Input(format!("no answer could be read: {error}")))?;
    Ok(answer.trim().to_owned())
}
