//! Planning, by tables (`tests/tables/plan/*.txt`) and by laws.

#[cfg(test)]
mod adopt;
#[cfg(test)]
mod command;
#[cfg(test)]
mod doubtful;
#[cfg(test)]
mod exposed;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod spec;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tell;
