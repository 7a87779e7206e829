//! What work in the background goes by: whether statements run, its settings, and which vacuum runs. The work itself is
//! [`maintenance`](crate::maintenance).

mod activity;
mod config;
mod vacuums;

pub(crate) use activity::{Activity, Busy};
pub use config::MaintenanceConfig;
pub(crate) use vacuums::Vacuums;
