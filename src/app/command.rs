//! The one registry of commands. Keys, hints, help, the palette and the documentation all come from this table.

use super::screen::View;

/// Where a command is at home. A narrower scope wins over a wider one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Every view.
    Everywhere,
    /// Every list.
    List,
    /// Overview and stacks.
    Stacks,
    /// Hosts.
    Hosts,
    /// Services.
    Services,
    /// Replicas.
    Replicas,
    /// Logs.
    Logs,
    /// The graph.
    Graph,
    /// Charts.
    Charts,
    /// Events.
    Events,
    /// What hosts keep.
    Storage,
    /// Operations, and the page of one operation.
    Operations,
    /// The open plan.
    Plan,
    /// A choice: where something moves to, which revision it runs again.
    Picker,
    /// A container or an engine from the inside.
    Inspect,
}

impl Scope {
    /// All of them, in the order of help.
    pub const ALL: [Self; 15] = [
        Self::Everywhere,
        Self::List,
        Self::Hosts,
        Self::Stacks,
        Self::Services,
        Self::Replicas,
        Self::Logs,
        Self::Graph,
        Self::Charts,
        Self::Events,
        Self::Storage,
        Self::Operations,
        Self::Plan,
        Self::Picker,
        Self::Inspect,
    ];

    /// Its name in key files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::List => "list",
            Self::Stacks => "stacks",
            Self::Hosts => "hosts",
            Self::Services => "services",
            Self::Replicas => "replicas",
            Self::Logs => "logs",
            Self::Graph => "graph",
            Self::Charts => "charts",
            Self::Events => "events",
            Self::Storage => "storage",
            Self::Operations => "operations",
            Self::Plan => "plan",
            Self::Picker => "choice",
            Self::Inspect => "inspect",
        }
    }

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// Its heading in help.
    pub fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::List => "any list",
            Self::Stacks => "overview and stacks",
            Self::Hosts => "hosts",
            Self::Services => "services",
            Self::Replicas => "replicas",
            Self::Logs => "logs",
            Self::Graph => "graph",
            Self::Charts => "charts",
            Self::Events => "events",
            Self::Storage => "storage",
            Self::Operations => "operations",
            Self::Plan => "the open plan",
            Self::Picker => "a choice",
            Self::Inspect => "inspect",
        }
    }

    /// The scope of a view's own commands.
    pub fn of(view: View) -> Self {
        match view {
            View::Overview | View::Stacks => Self::Stacks,
            View::Hosts => Self::Hosts,
            View::Services => Self::Services,
            View::Replicas => Self::Replicas,
            View::Logs => Self::Logs,
            View::Graph => Self::Graph,
            View::Charts => Self::Charts,
            View::Events => Self::Events,
            View::Operations | View::Operation => Self::Operations,
            View::Storage => Self::Storage,
            View::Wall => Self::Everywhere,
        }
    }
}

/// What a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Nothing in particular.
    None,
    /// The selected row, whatever it is.
    Row,
    /// The host of the selected row.
    Host,
    /// The region of the host of the selected row.
    Region,
    /// The service of the selected row, in the region of the row or under the region cursor.
    Place,
    /// The stack or service of the selected row.
    Service,
    /// The selected operation.
    Operation,
}

/// One row of the registry.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Which command.
    pub command: Command,
    /// Its name for key files and the palette.
    pub name: &'static str,
    /// Its default keys.
    pub keys: &'static [&'static str],
    /// Where those keys work.
    pub scopes: &'static [Scope],
    /// What it is about.
    pub target: Target,
    /// True when it drafts or makes a change.
    pub mutates: bool,
    /// Its place in the hint line, lowest first; 0 keeps it out.
    pub hint: u8,
    /// Two or three words.
    pub title: &'static str,
    /// One sentence.
    pub help: &'static str,
}

macro_rules! registry {
    ($($command:ident $name:literal [$($key:literal)*] [$($scope:ident)*] $target:ident $effect:ident $hint:literal $title:literal $help:literal;)*) => {
        /// Everything that a key or the palette can ask for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Command {
            $(#[doc = $help] $command,)*
        }

        /// The registry, in the order of help.
        pub const REGISTRY: &[Entry] = &[$(registry!(row $command $name [$($key)*] [$($scope)*] $target $effect $hint $title $help)),*];

        impl Command {
            /// Its row in the registry.
            pub fn entry(self) -> &'static Entry {
                match self {
                    $(Self::$command => {
                        const ROW: &Entry =
                            &registry!(row $command $name [$($key)*] [$($scope)*] $target $effect $hint $title $help);
                        ROW
                    })*
                }
            }
        }
    };
    (row $command:ident $name:literal [$($key:literal)*] [$($scope:ident)*] $target:ident $effect:ident $hint:literal $title:literal $help:literal) => {
        Entry {
            command: Command::$command,
            name: $name,
            keys: &[$($key),*],
            scopes: &[$(Scope::$scope),*],
            target: Target::$target,
            mutates: registry!(@ $effect),
            hint: $hint,
            title: $title,
            help: $help,
        }
    };
    (@ looks) => { false };
    (@ drafts) => { true };
}

registry! {
    Overview "overview" ["1"] [Everywhere] None looks 0 "overview" "Stacks by region, what is wrong, what is going on.";
    Hosts "hosts" ["2"] [Everywhere] None looks 0 "hosts" "Every host with its state, load and engine.";
    Stacks "stacks" ["3"] [Everywhere] None looks 0 "stacks" "Every stack, also those of other tools.";
    Services "services" ["4"] [Everywhere] None looks 0 "services" "Every service with its replicas per region.";
    Replicas "replicas" ["5"] [Everywhere] None looks 0 "replicas" "Every container with its state and load.";
    Logs "logs" ["7"] [Everywhere] None looks 0 "logs" "What the selected row's containers print, merged, as it comes.";
    Graph "graph" ["6"] [Everywhere] None looks 0 "graph" "What hangs together: stacks, services, replicas, hosts, regions; begins at what is selected.";
    Events "events" ["8"] [Everywhere] None looks 0 "events" "What engines and reconcilers told, newest first.";
    Operations "operations" ["9"] [Everywhere] None looks 0 "operations" "What was asked for, and how far it is.";
    Wall "wall" ["0"] [Everywhere] None looks 0 "wall" "What a team reads from five metres away: figures, what is wrong, stacks by regions.";
    Storage "storage" ["V"] [Everywhere] None looks 0 "storage" "Images, volumes and networks of the selected host, or of all: what uses them, what they take.";
    StorageImages "images" [] [Everywhere] None looks 0 "images" "Images of all hosts, and what uses them.";
    StorageVolumes "volumes" [] [Everywhere] None looks 0 "volumes" "Volumes of all hosts, and what uses them.";
    StorageNetworks "networks" [] [Everywhere] None looks 0 "networks" "Networks of all hosts, and what uses them.";
    Help "help" ["?"] [Everywhere] None looks 99 "help" "All keys of this view.";
    Palette "palette" [":"] [Everywhere] None looks 98 "command" "Every command by name, with what it would act on.";
    Filter "filter" ["/"] [Everywhere] None looks 97 "filter" "Show only rows that match: words, `!word` for rows without it, `~pattern` for a regular expression, `cpu>80 region=eu state!=running` for what has a name.";
    Faults "faults-only" ["!"] [Everywhere] None looks 0 "faults only" "Show only what is not well.";
    Back "back" ["esc"] [Everywhere] None looks 0 "back" "One level back: marks, then filter, then view.";
    Leave "leave" ["q"] [Everywhere] None looks 0 "back, quit" "One view back; at the first view, quit.";
    Quit "quit" ["ctrl-c"] [Everywhere] None looks 0 "quit" "Leave. Operations go on without this screen.";
    HistoryBack "history-back" ["["] [Everywhere] None looks 0 "earlier view" "The view before this one.";
    HistoryForward "history-forward" ["]"] [Everywhere] None looks 0 "later view" "Forward again.";
    LastView "last-view" ["'"] [Everywhere] None looks 0 "last view" "Between this view and the one before.";
    OpenPlan "plan" ["."] [Everywhere] None looks 0 "open plan" "Show what the draft would do.";
    Undo "undo" ["z"] [Everywhere] None drafts 0 "undo" "Take the last step of the draft back.";
    Redo "redo" ["Z"] [Everywhere] None drafts 0 "redo" "Put it in again.";
    DropDraft "drop-draft" [] [Everywhere] None drafts 0 "drop draft" "Throw the whole draft away. `undo` brings it back.";
    Tour "tour" [] [Everywhere] None looks 0 "tour" "A short tour, one line at a time; again to end it.";
    Mouse "mouse" [] [Everywhere] None looks 0 "mouse" "Listen to the mouse, or leave it to the terminal: the wheel moves, a click selects, a second one opens.";
    Freeze "freeze" ["P"] [Everywhere] None looks 0 "freeze" "Hold the picture still while data goes on arriving; press again to go on.";
    NextPane "next-pane" ["tab"] [Everywhere] None looks 0 "next pane" "Move keys to the details pane and back.";
    Resync "resync" ["ctrl-r"] [Everywhere] Host looks 0 "list again" "Ask the selected row's host for everything again.";
    Redraw "redraw" ["ctrl-l"] [Everywhere] None looks 0 "redraw" "Paint the whole screen again.";
    Dump "dump" ["ctrl-s"] [Everywhere] None looks 0 "save view" "Write all rows of this view to a text file.";
    Suspend "suspend" ["ctrl-z"] [Everywhere] None looks 0 "suspend" "Back to the shell; `fg` comes back.";
    Drill "open" ["enter"] [List] Row looks 10 "open" "One level down: stack, service, replica, details.";
    Up "up" ["k" "up"] [List] None looks 0 "up" "One row up.";
    Down "down" ["j" "down"] [List] None looks 0 "down" "One row down.";
    Top "top" ["g" "home"] [List] None looks 0 "first" "The first row.";
    Bottom "bottom" ["G" "end"] [List] None looks 0 "last" "The last row.";
    HalfUp "half-page-up" ["ctrl-u"] [List] None looks 0 "half page up" "Half a page up.";
    HalfDown "half-page-down" ["ctrl-d"] [List] None looks 0 "half page down" "Half a page down.";
    PageUp "page-up" ["pgup"] [List] None looks 0 "page up" "A page up.";
    PageDown "page-down" ["pgdn"] [List] None looks 0 "page down" "A page down.";
    Left "left" ["h" "left"] [List] None looks 0 "left" "Columns to the left; in services the region to the left.";
    Right "right" ["right"] [List] None looks 0 "right" "Columns to the right; in services the region to the right.";
    Mark "mark" ["space"] [List] Row looks 0 "mark" "Mark the row; what edits a draft then acts on all marked rows.";
    MarkRange "mark-range" ["v"] [List] Row looks 0 "mark range" "Mark all rows from the one that was marked last to this one.";
    MarkAll "mark-all" ["*"] [List] None looks 0 "mark all" "Mark all rows that are shown, or none.";
    Sort "sort" ["S"] [List] None looks 0 "sort" "Choose the column to sort by.";
    Invert "invert" ["I"] [List] None looks 0 "invert" "Turn the order round.";
    Wide "wide" ["w"] [List] None looks 0 "wide" "All columns; scroll them with the arrow keys.";
    Details "details" ["d"] [List] Row looks 20 "details" "Everything known about the selected row.";
    Spec "spec" ["y"] [Services Replicas] Service looks 0 "spec" "What the service is to run; secrets are masked.";
    Actions "actions" ["x"] [List] Row looks 30 "actions" "What can be done with the selected row.";
    Copy "copy" ["c"] [List] Row looks 0 "copy name" "Send the name to the terminal's clipboard.";
    CopyRow "copy-row" ["Y"] [List] Row looks 0 "copy row" "Send the whole row to the terminal's clipboard.";
    OwnerOf "owner" ["o"] [List] Row looks 0 "owner" "Jump to what it belongs to: replica to service, service to stack, host to its region's hosts.";
    EventsOf "events-of" ["e"] [List] Row looks 0 "events of it" "What was told about it.";
    LogsOf "logs-of" ["l"] [Stacks Hosts Services Replicas Events] Row looks 15 "logs" "What its containers print, merged, as it comes.";
    Along "along" ["l"] [Graph] None looks 0 "along" "Along the relation to the right; `h` goes back to the left.";
    LogsOfNode "logs-of-node" ["L"] [Graph] Row looks 15 "logs" "What its containers print, merged, as it comes.";
    Previous "previous-life" ["p"] [Replicas Logs] None looks 0 "previous life" "What a replica's process printed before it last started; again for the present one.";
    Shell "shell" ["E"] [Replicas] Row drafts 8 "shell" "A shell in the replica's container, in this terminal; the dashboard comes back when it ends.";
    Attach "attach" ["a"] [Replicas] Row drafts 0 "attach" "This terminal for the container's own process; ctrl-p ctrl-q comes back.";
    Autoscroll "autoscroll" ["s"] [Logs] None looks 1 "autoscroll" "Show new lines as they come, or stand still; scrolling up stands still.";
    PauseLogs "pause-logs" ["space"] [Logs] None looks 2 "pause" "Read nothing for now; again goes on where it was.";
    Wrap "wrap" ["w"] [Logs] None looks 3 "wrap" "Long lines in several rows, or cut at the edge.";
    Times "times" ["t"] [Logs] None looks 4 "times" "Times in front of lines: none, by your clock, in UTC.";
    NextHit "next-match" ["n"] [Logs Inspect] None looks 0 "next match" "The next line that has what is looked for.";
    LastHit "previous-match" ["N"] [Logs Inspect] None looks 0 "match before" "The one before.";
    Around "around" ["&"] [Logs] None looks 0 "around" "What `/` does with other lines: leaves them out, keeps those around, shows all and marks.";
    MarkLine "mark-line" ["m"] [Logs] None looks 5 "mark" "Draw a line below what is there.";
    Clear "clear" ["C"] [Logs] None looks 0 "clear" "Forget all lines that are kept here.";
    SourcesMenu "sources" ["A"] [Logs] None looks 6 "sources" "Whose lines are shown: on and off.";
    CopyScreen "copy-screen" ["c"] [Logs] None looks 7 "copy" "Send the lines on the screen to the terminal's clipboard.";
    Tail "tail" ["0"] [Logs] None looks 0 "tail" "The last lines, and what comes.";
    HeadOf "head" ["1"] [Logs] None looks 0 "head" "The first lines that the host has.";
    Since1 "since-1m" ["2"] [Logs] None looks 0 "last minute" "Lines of the last minute, and what comes.";
    Since5 "since-5m" ["3"] [Logs] None looks 0 "last 5 minutes" "Lines of the last 5 minutes, and what comes.";
    Since15 "since-15m" ["4"] [Logs] None looks 0 "last 15 minutes" "Lines of the last 15 minutes, and what comes.";
    Since30 "since-30m" ["5"] [Logs] None looks 0 "last 30 minutes" "Lines of the last 30 minutes, and what comes.";
    Since60 "since-1h" ["6"] [Logs] None looks 0 "last hour" "Lines of the last hour, and what comes.";
    Plus "more" ["+"] [Services Replicas] Place drafts 1 "one more" "One replica more, in the draft.";
    Minus "fewer" ["-"] [Services Replicas] Place drafts 2 "one fewer" "One replica fewer, in the draft.";
    Exact "exact" ["="] [Services Replicas] Place drafts 3 "exactly" "Type the number of replicas, for the draft.";
    ScaleForm "scale" ["s"] [Services Replicas] Place drafts 4 "scale" "All regions of the service in a form: now, target, capacity.";
    Restart "restart" ["r"] [Stacks Services Replicas] Service drafts 5 "restart" "Replace every container, one batch after the other, in the draft.";
    Migrate "migrate" ["m"] [Stacks Services Replicas] Service drafts 6 "migrate" "Choose another host or region for a stack, a service or one replica: the new copy first.";
    Rollback "rollback" ["B"] [Stacks Services Replicas] Service drafts 7 "roll back" "Choose a kept revision and see what differs: it runs again as a new one.";
    Remove "remove" [] [Stacks Services] Service drafts 0 "remove" "Take a service or a stack away. Asks for its name.";
    Cordon "cordon" ["u"] [Hosts] Host drafts 1 "cordon, open" "Close the host for new replicas, or open it again, in the draft.";
    Drain "drain" ["D"] [Hosts] Host drafts 2 "drain" "Empty the host: shows what moves where and what cannot, then it is safe to switch off.";
    Rebalance "rebalance" ["b"] [Hosts] Region drafts 3 "rebalance" "Spread replicas over the hosts of the host's region anew: shows cost and spread.";
    RebalanceAll "rebalance-all" [] [Everywhere] None drafts 0 "rebalance all" "Spread replicas over the hosts of every region anew: shows cost and spread.";
    Reconnect "reconnect" ["R"] [Hosts] Host looks 6 "reconnect" "Connect now instead of waiting.";
    Explain "explain" ["X"] [Stacks Services Replicas] Service looks 8 "explain" "Why it is not well: the chain of causes with evidence; a healthy one is said to be so.";
    Inspect "inspect" ["i"] [Hosts Services Replicas] Row looks 9 "inspect" "Its container or engine from the inside: checks, processes, ports, environment, files, image, everything.";
    GraphTree "graph-tree" ["t"] [Graph] None looks 12 "tree" "The tree with the columns of a table; again: by hosts instead of by stacks.";
    GraphForm "graph-form" ["T"] [Graph] None looks 13 "next form" "Columns, focus, tree, matrix: the same selection in the next form.";
    GraphShallower "graph-shallower" ["<"] [Graph] None looks 0 "one step less" "Show the neighbourhood one step less deep.";
    GraphDeeper "graph-deeper" [">"] [Graph] None looks 14 "one step more" "Show the neighbourhood one step deeper, up to three.";
    GraphUp "graph-up" ["i"] [Graph] None looks 0 "upstream only" "Only what needs the focus, or both ways again.";
    GraphDown "graph-down" ["o"] [Graph] None looks 0 "downstream only" "Only what the focus needs, or both ways again.";
    Fold "fold" ["\\"] [Graph Inspect] None looks 0 "fold" "Close or open the selected branch of the tree.";
    FoldAll "fold-all" ["|"] [Graph Inspect] None looks 16 "fold all" "One level more of the whole tree, or all of it closed.";
    GraphDot "graph-dot" [] [Everywhere] None looks 0 "graph as dot" "Write the relations of the selected stack or service to a file for Graphviz.";
    GraphMermaid "graph-mermaid" [] [Everywhere] None looks 0 "graph as mermaid" "Write the relations of the selected stack or service to a file in Mermaid's words.";
    GraphText "graph-text" [] [Everywhere] None looks 0 "graph as text" "Write the relations of the selected stack or service to a file as text.";
    Prune "prune" ["p"] [Storage] Row drafts 1 "prune" "Remove what nothing needs, in the draft: the marked rows, or the selected one; a host's row stands for its images and networks.";
    Charts "charts" ["C"] [Stacks Hosts Services Replicas Graph Charts] Row looks 40 "charts" "Its CPU, memory, network, disk and requests over time, and what uses most of it.";
    FleetCharts "charts-fleet" [] [Everywhere] None looks 0 "charts of all" "The charts of the whole fleet.";
    ChartsOpen "charts-open" ["enter"] [Charts] None looks 1 "zoom" "The selected chart over the whole page and back; in the list, the row where it is at home.";
    ChartsShorter "charts-shorter" ["<" "h" "left"] [Charts] None looks 2 "less" "Less of the past: 3 hours, 1 hour, 30 minutes, 10 minutes.";
    ChartsLonger "charts-longer" [">" "l" "right"] [Charts] None looks 3 "more" "More of the past: 10 minutes, 30 minutes, 1 hour, 3 hours.";
    ChartsList "charts-list" ["tab" "backtab"] [Charts] None looks 4 "largest" "Keys to the list of what uses most, and back to the charts.";
    ChartsOrder "charts-order" ["s" "S"] [Charts] None looks 5 "order" "The list by CPU, memory, network or requests.";
    ChartsKind "charts-kind" ["t"] [Charts] None looks 6 "list what" "List hosts, services or replicas.";
    ChartsAbove "charts-above" ["o"] [Charts] None looks 7 "one up" "The charts of what it belongs to: replica, service, stack, fleet; host, region, fleet.";
    CopyFigures "copy-figures" ["c"] [Charts] None looks 8 "copy" "Send the figures of all charts to the terminal's clipboard.";
    Hold "hold" ["space"] [Operations] Operation drafts 4 "pause, resume" "Let the operation stand still, or go on: nothing new begins meanwhile.";
    Abort "abort" ["A"] [Operations] Operation drafts 5 "abort" "End the operation; says first what stays.";
    Apply "apply" ["enter"] [Plan] None drafts 1 "apply" "Accept exactly what is shown.";
    DropLine "drop-line" ["x"] [Plan] None drafts 2 "drop a line" "Take the selected change out of the draft.";
    CopyCommand "copy-command" ["y"] [Plan] None looks 3 "copy" "Send the same as a command line to the terminal's clipboard.";
    Choose "choose" ["enter"] [Picker] None drafts 1 "show the plan" "Take the selected one into the draft and show the plan.";
    NextSource "next-source" ["l" "right" "tab"] [Picker] None looks 2 "from elsewhere" "Move from the next region or host where it runs.";
    LastSource "last-source" ["h" "left" "backtab"] [Picker] None looks 0 "from the one before" "Move from the region or host before.";
    ClosePicker "close-choice" ["esc" "q"] [Picker] None looks 4 "back" "Back to the view; nothing was changed.";
    OpenBranch "open-branch" ["l" "right" "enter"] [Inspect] None looks 1 "open" "Open the branch; an open one is entered.";
    CloseBranch "close-branch" ["h" "left"] [Inspect] None looks 2 "close" "Close the branch; again: to the branch above.";
    Search "search" ["/"] [Inspect] None looks 5 "search" "Look for words, `!word`, `~pattern`: branches that hold them open.";
    CopyValue "copy-value" ["c"] [Inspect] None looks 6 "copy" "Send the value to the terminal's clipboard; of a branch, all of it.";
    CopyPath "copy-path" ["Y"] [Inspect] None looks 0 "copy with path" "Send the value with the names that lead to it.";
    DumpTree "save-tree" ["ctrl-s"] [Inspect] None looks 7 "save" "Write the whole tree, all branches open, to a text file.";
    AskAgain "ask-again" ["R" "ctrl-r"] [Inspect] None looks 8 "ask again" "Ask its host for all of it again.";
    CloseInspect "close-inspect" ["esc" "q"] [Inspect] None looks 3 "back" "Back to the view.";
    ClosePlan "close-plan" ["esc" "q"] [Plan] None looks 4 "back" "Back to the view; the draft stays.";
}

impl Command {
    /// The view that it opens, when that is what it does.
    pub fn view(self) -> Option<View> {
        Some(match self {
            Self::Overview => View::Overview,
            Self::Hosts => View::Hosts,
            Self::Stacks => View::Stacks,
            Self::Services => View::Services,
            Self::Replicas => View::Replicas,
            Self::Graph => View::Graph,
            Self::Events => View::Events,
            Self::Operations => View::Operations,
            Self::Wall => View::Wall,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::app::key::Key;

    #[test]
    fn every_key_is_readable_and_stands_for_one_command_in_its_scope() {
        let mut taken = BTreeSet::new();
        let mut names = BTreeSet::new();
        for entry in REGISTRY {
            assert!(names.insert(entry.name), "two commands named {}", entry.name);
            assert!(entry.help.ends_with('.'), "{}", entry.name);
            assert!(!entry.scopes.is_empty(), "{}", entry.name);
            for text in entry.keys {
                let key = Key::parse(text).unwrap();
                for scope in entry.scopes {
                    assert!(taken.insert((*scope, key)), "{text} twice in {scope:?}");
                }
            }
        }
    }

    #[test]
    fn no_change_hangs_on_a_control_key() {
        for entry in REGISTRY.iter().filter(|entry| entry.mutates) {
            assert!(entry.keys.iter().all(|key| !key.contains("ctrl")), "{}", entry.name);
        }
    }
}
