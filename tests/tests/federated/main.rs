//! Foreign systems through SQL: what they are asked, and what becomes of their answers. The system is one in memory that
//! remembers its requests.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod aggregates;
mod automatic;
mod copy;
mod declared;
mod given_up;
mod keys;
mod lookups;
mod memory;
#[path = "../process/mod.rs"]
#[allow(dead_code, reason = "some is for other binaries")]
mod process;
mod pushdown;
mod reading;
mod requests;
mod retyped;
mod schemas;
mod service;
mod stream;
mod streams;
mod streams_killed;
mod written;

use memory::{Memory, MemoryFactory};
use millrace_connectors::Registry;
use millrace_engine::{Error, Session, Warehouse, WarehouseConfig};
use millrace_tests::database::rows;
use std::sync::Arc;
use tempfile::TempDir;

/// A warehouse with a schema `mem` over a system in memory.
struct World {
    folder: TempDir,
    memory: Arc<Memory>,
    session: Session,
}

impl World {
    async fn new() -> Self {
        Self::with(|config| config).await
    }

    async fn with(change: impl FnOnce(WarehouseConfig) -> WarehouseConfig) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let memory = Arc::new(Memory::default());
        let config = WarehouseConfig { target_partitions: Some(2), ..WarehouseConfig::new(folder.path()) };
        let warehouse = Warehouse::open_with(change(config), registry(&memory)).await.unwrap();
        let mut session = Session::new(warehouse);
        rows(&mut session, "CREATE EXTERNAL SCHEMA mem FROM OPENSEARCH").await.unwrap();
        Self { folder, memory, session }
    }

    async fn rows(&mut self, text: &str) -> Result<Vec<Vec<String>>, Error> {
        rows(&mut self.session, text).await
    }

    /// The rows in one line: values with commas, rows with blanks.
    async fn line(&mut self, text: &str) -> String {
        let found = self.rows(text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        found.iter().map(|row| row.join(",")).collect::<Vec<_>>().join(" ")
    }

    async fn error(&mut self, text: &str) -> Error {
        self.rows(text).await.map(|rows| panic!("{text}: {rows:?}")).unwrap_err()
    }
}

/// The systems that there are: those of the syntax, all in one memory.
fn registry(memory: &Arc<Memory>) -> Registry {
    let mut registry = Registry::default();
    for kind in ["dynamodb", "kinesis", "opensearch"] {
        registry.register(Box::new(MemoryFactory { kind, memory: Arc::clone(memory) })).unwrap();
    }
    registry
}
