//! The test harness: SQL scripts over fresh warehouses, an S3 server in the process, faults on demand.
//!
//! A script (`tests/sql/<topic>/*.slt`) sees the warehouse as a user does; [`script`] runs one. Only [`database`]
//! knows the engine's session.

pub mod database;
pub mod faults;
pub mod s3;
pub mod script;
pub mod stays;
pub mod values;
pub mod warehouses;

pub use database::Database;
pub use faults::{Effect, Fault, Faults, Operation};
pub use s3::{S3Server, s3_settings};
pub use warehouses::warehouse_config;
