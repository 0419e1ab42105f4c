//! The table: faults by operations, and what each cell says in full.

use std::{any::Any, collections::BTreeMap, fmt::Write as _, fs};

use super::{super::support::World, cell::Cell, fault::Fault, job::Job};

/// What was run, or why not.
#[derive(Default)]
pub struct Table {
    cells: Vec<(Fault, Job, Result<Cell, String>)>,
}

impl Table {
    pub fn add(&mut self, fault: Fault, job: Job, cell: Cell) {
        println!("\n{} × {}: {cell}", fault.title(), job.word());
        self.cells.push((fault, job, Ok(cell)));
    }

    /// A cell that panicked.
    pub fn fails(&mut self, fault: Fault, job: Job, why: &(dyn Any + Send)) {
        let text = why.downcast_ref::<String>().cloned();
        let why = text.or_else(|| why.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default();
        println!("\n{} × {}: FAILED, as said above", fault.title(), job.word());
        self.cells.push((fault, job, Err(why)));
    }

    /// Prints the table, and writes it beside the world's others.
    pub fn report(&self) {
        let mut text = String::from("| fault |");
        for job in Job::ALL {
            let _ = write!(text, " {} |", job.word());
        }
        text.push_str("\n|---|---|---|---|---|---|---|---|\n");
        for fault in Fault::ALL {
            let of: BTreeMap<&str, &Result<Cell, String>> =
                self.cells.iter().filter(|it| it.0 == fault).map(|(_, job, cell)| (job.word(), cell)).collect();
            if of.is_empty() {
                continue;
            }
            let _ = write!(text, "| {} |", fault.title());
            for job in Job::ALL {
                let said = match of.get(job.word()) {
                    Some(Ok(cell)) => cell.short(),
                    Some(Err(_)) => "FAILED".into(),
                    None => "–".into(),
                };
                let _ = write!(text, " {said} |");
            }
            text.push('\n');
        }
        println!("\n{text}");
        let path = World::get().dir().join("matrix.md");
        let before = fs::read_to_string(&path).unwrap_or_default();
        fs::write(&path, format!("{before}{text}\n")).unwrap();
    }

    /// Fails where a cell did.
    pub fn assert_good(&self) {
        let bad: Vec<String> = self
            .cells
            .iter()
            .filter_map(|(fault, job, cell)| Some((fault, job, cell.as_ref().err()?)))
            .map(|(fault, job, why)| {
                format!("{} × {}: {}", fault.title(), job.word(), why.lines().next().unwrap_or_default())
            })
            .collect();
        assert!(bad.is_empty(), "{} of {} cells failed:\n{}", bad.len(), self.cells.len(), bad.join("\n"));
    }
}
