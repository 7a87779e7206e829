//! Workload management: who may run now, with how much memory, and what becomes of who runs too long.
//!
//! - `config` reads Redshift's `wlm_json_configuration` into queues, `rules` their monitoring rules; `json` looks into
//!   the text and says where it is wrong; `priority` names the priorities of automatic WLM.
//! - `assign` chooses a statement's queue, pure.
//! - `queues` has the queues: slots, who waits, who runs. It is one lock that nobody waits in. `automatic` says how many
//!   run at once where no slots are configured, and who is next.
//! - `state` is what the queues tell of themselves, and who asks for slots.
//! - `predict` learns how long statements run, for short query acceleration.
//! - `admission` is one statement's stay in the queues: it waits, holds slots, hops, is watched; dropping it leaves.
//! - `memory` is the share of the memory that its slots are.
//! - `file` keeps the configuration in the warehouse and sees it change.
//!
//! Concurrency scaling is refused: there is one machine.

mod admission;
mod assign;
mod automatic;
mod config;
mod file;
mod json;
mod memory;
#[cfg(test)]
mod patience_tests;
mod predict;
mod priority;
mod queues;
#[cfg(test)]
mod rule_tests;
mod rules;
#[cfg(test)]
mod short_tests;
mod state;
#[cfg(test)]
mod tests;

pub(crate) use admission::{Admission, Decision, Kind, Phase};
pub(crate) use assign::Requester;
pub(crate) use config::{Configuration, SHORT_CLASS};
pub(crate) use memory::LittleForAll;
pub(crate) use predict::{Features, shape, text_hash};
pub(crate) use priority::Priority;
pub(crate) use queues::Wlm;
pub(crate) use rules::Measures;
pub(crate) use state::{Applicant, QueueState, TaskState};

/// The setting that configures it.
pub(crate) const SETTING: &str = "wlm_json_configuration";
