//! The warehouse: from the text of a statement to a stream of rows.
//!
//! Data flows one way: `sql` parses, `resolve` looks names up, `plan` decides, `exec` runs; `lake` reads and writes
//! files. A module imports only those that stand before it in `docs/architecture.md`.

mod background;
mod crawl;
pub mod error;
mod exec;
pub mod lake;
pub mod maintenance;
mod optimize;
mod physical;
mod plan;
mod resolve;
pub mod result;
pub mod retention;
pub mod session;
pub mod sql;
pub mod tables;
pub mod warehouse;

pub use error::{Error, ErrorKind, Result};
pub use exec::maintenance::VacuumReport;
pub use result::{CommandTag, Notice, Progress, ProgressState, Severity, StatementResult};
pub use session::{Names, Prepared, Session, TableNames, TransactionStatus};
pub use warehouse::{Warehouse, WarehouseConfig};
