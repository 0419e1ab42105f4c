//! What floats above a view and takes the keys.

use jiff::Timestamp;

use super::{
    input::Input,
    inspect::InspectPage,
    picker::{MovePicker, RevisionPicker},
};
use crate::{
    model::{CommandId, Evidence, RegionName, ServiceKey, StackName},
    plan::Explanation,
};

/// What floats above a view.
#[derive(Debug, Clone, PartialEq)]
pub enum Overlay {
    /// All keys.
    Help {
        /// The first line that is shown.
        top: usize,
    },
    /// Every command by name.
    Palette {
        /// What was typed.
        input: Input,
        /// The selected entry.
        at: usize,
    },
    /// A filter being typed; the screen's filter follows.
    Filter {
        /// What was typed.
        input: Input,
        /// The filter before, for going back.
        before: String,
    },
    /// A column to sort by being chosen.
    Sort {
        /// The selected column.
        at: usize,
    },
    /// Why something is not well.
    Explain(ExplainPage),
    /// A container or an engine from the inside.
    Inspect(Box<InspectPage>),
    /// What can be done with the selected row.
    Actions {
        /// The selected entry.
        at: usize,
    },
    /// The plan of the draft.
    Plan(PlanPage),
    /// Where something could move.
    Move(MovePicker),
    /// Which revision something could run again.
    Rollback(RevisionPicker),
    /// A service's replicas in all regions.
    Scale(ScaleForm),
    /// A number being typed.
    Exact {
        /// For which services, in which regions.
        places: Vec<(ServiceKey, RegionName)>,
        /// What was typed.
        input: Input,
    },
    /// A name being typed before something is taken away.
    Remove {
        /// The stack.
        stack: StackName,
        /// Only this service of it.
        service: Option<ServiceKey>,
        /// What was typed.
        input: Input,
    },
    /// Names being typed before a plan that touches what is guarded is applied.
    Confirm {
        /// Those that are still to be typed, the next one first.
        names: Vec<String>,
        /// What was typed.
        input: Input,
        /// The version of the plan that it is about.
        version: u64,
    },
    /// An operation about to be ended.
    Abort {
        /// Which.
        id: CommandId,
    },
    /// Whose lines are shown.
    Sources {
        /// The selected source.
        at: usize,
    },
    /// Leaving while a draft would be lost or operations run.
    Quit,
}

/// Why something is not well, as it was when it was asked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExplainPage {
    /// By service; those of a stack that are well are left out.
    pub services: Vec<Explanation>,
    /// What engines told since.
    pub evidence: Vec<Evidence>,
    /// Containers that were asked and have not answered.
    pub asked: usize,
    /// The first line that is shown.
    pub top: usize,
}

/// The open plan.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PlanPage {
    /// The selected line of the draft.
    pub at: usize,
    /// The first line that is shown.
    pub top: usize,
    /// The version of the plan that was last handed to the terminal.
    pub shown: Option<u64>,
    /// When the plan last became another while it was open.
    pub changed: Option<Timestamp>,
}

/// A service's replicas in all regions, being edited.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaleForm {
    /// Which service.
    pub service: ServiceKey,
    /// Per region: wanted now, and what was typed.
    pub rows: Vec<(RegionName, u32, Input)>,
    /// The selected row.
    pub at: usize,
    /// The row was just selected: what is typed replaces its number.
    pub fresh: bool,
}
