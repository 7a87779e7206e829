//! Workload management: who may run now, with how much memory, and what becomes of who runs too long.
//!
//! - `config` reads Redshift's `wlm_json_configuration` into queues, `rules` their monitoring rules; `json` looks into
//!   the text and says where it is wrong.
//! - `assign` chooses a statement's queue, pure.
//! - `manager` has the queues: slots, who waits, who runs. It is one lock that nobody waits in.
//! - `admission` is one statement's stay in them: it waits, holds slots, hops, is watched; dropping it leaves.
//! - `memory` is the share of the memory that its slots are.
//! - `file` keeps the configuration in the warehouse and sees it change.

mod admission;
mod assign;
mod config;
mod file;
mod json;
mod manager;
mod memory;
mod rules;
#[cfg(test)]
mod tests;

pub(crate) use admission::{Admission, Decision, Entered, Kind, Phase};
pub(crate) use assign::Requester;
pub(crate) use config::{Configuration, QueueSettings};
pub(crate) use manager::{Applicant, QueueState, TaskState, Wlm};
pub(crate) use rules::Measures;

/// The setting that configures it.
pub(crate) const SETTING: &str = "wlm_json_configuration";
