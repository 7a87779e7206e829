//! Our physical optimizer rules and operators, beside DataFusion's and in their places where those go wrong for us; and the
//! threads of what lets others go before.

mod afresh;
mod common_subplans;
mod computed;
mod counted_windows;
mod decimal;
mod foreign_aggregates;
mod forward;
mod found_filters;
mod found_keys;
mod handed;
mod heard_loops;
mod joined_texts;
mod kept_statistics;
mod layout;
mod memory;
mod patient_threads;
mod rooms;
mod rules;
mod small_groups;
mod spilling_join;
mod statistics;

pub(crate) use common_subplans::{CommonSubplanExec, counted_children};
pub(crate) use decimal::arithmetic_of;
pub(crate) use joined_texts::joins_of;
pub(crate) use layout::is_copied;
pub(crate) use memory::{exchanges_write_apart, fit_to_memory};
pub(crate) use patient_threads::PatientThreads;
pub(crate) use rules::rules;
pub(crate) use small_groups::aggregate_of;
