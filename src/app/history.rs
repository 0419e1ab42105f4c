//! The last hour of what comes through, for the fleet and for each stack.

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};

use super::{
    flow::{Flow, Sums},
    series::Series,
};
use crate::model::StackName;

/// A step of a minute, for an hour.
const STEP: u32 = 60;
/// Steps that are kept.
pub const STEPS: usize = 60;
/// A reading at most so often.
const EVERY_SECONDS: i64 = 5;

/// Requests, failures and answer times over the last hour.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// Requests a second.
    pub requests: Series,
    /// Percent of them that failed.
    pub failed: Series,
    /// Mean time to an answer, in milliseconds.
    pub answer: Series,
    stacks: BTreeMap<StackName, Series>,
    next: Option<Timestamp>,
}

impl Default for History {
    fn default() -> Self {
        let series = || Series::new(STEP, STEPS);
        Self { requests: series(), failed: series(), answer: series(), stacks: BTreeMap::new(), next: None }
    }
}

impl History {
    /// Takes a reading, where it is time for one.
    pub fn note(&mut self, now: Timestamp, sums: &Sums) {
        if self.next.is_some_and(|next| now < next) {
            return;
        }
        self.next = now.checked_add(EVERY_SECONDS.seconds()).ok();
        let total = sums.total();
        push(&mut self.requests, now, total.requests);
        push(&mut self.failed, now, total.failed_percent());
        push(&mut self.answer, now, total.answer().map(|ms| ms as f64));
        // Stacks that are gone take their hour with them.
        self.stacks.retain(|stack, _| sums.stack(stack).is_some());
        for (stack, flow) in sums.stacks() {
            if let Some(rate) = flow.requests {
                self.stacks.entry(stack.clone()).or_insert_with(|| Series::new(STEP, STEPS)).push(now, rate);
            }
        }
    }

    /// The requests of a stack.
    pub fn stack(&self, stack: &StackName) -> Option<&Series> {
        self.stacks.get(stack)
    }
}

fn push(series: &mut Series, now: Timestamp, value: Option<f64>) {
    if let Some(value) = value {
        series.push(now, value);
    }
}

impl Sums {
    /// Of the whole fleet.
    pub fn total(&self) -> Flow {
        self.stacks().fold(Flow::default(), |mut total, (_, flow)| {
            total.add(flow);
            total
        })
    }
}
