//! COPY and UNLOAD from the outside: round trips, damaged files, large files, stores that fail.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod cancelled;
mod damaged;
mod encodings;
mod lines;
#[cfg(target_os = "linux")]
mod memory;
mod parts;
#[path = "../process/mod.rs"]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod process;
mod round_trip;
mod stores;
mod unload;

use millrace_engine::{Session, Warehouse, WarehouseConfig};
use tempfile::TempDir;

/// A warehouse in a folder of its own, a session of it, and the folder, with place for files.
async fn world() -> (TempDir, Session) {
    let folder = tempfile::tempdir().unwrap();
    let warehouse = Warehouse::open(WarehouseConfig::new(folder.path().join("warehouse"))).await.unwrap();
    (folder, Session::new(warehouse))
}
