//! What work in the background goes by: whether statements run, and its settings. The work itself is
//! [`maintenance`](crate::maintenance).

mod activity;
mod config;

pub(crate) use activity::{Activity, Busy};
pub use config::MaintenanceConfig;
