//! The warehouse: from the text of a statement to a stream of rows.
//!
//! Data flows one way: `sql` parses, `resolve` looks names up, `plan` decides, `exec` runs; `lake` reads and writes
//! files. A module imports only those that stand before it in `docs/architecture.md`.

mod background;
mod builtin;
mod crawl;
pub mod error;
mod exec;
mod federated;
mod functions;
pub mod interval;
pub mod journal;
mod kept_plans;
pub mod lake;
mod load;
mod login;
pub mod maintenance;
mod optimize;
mod password;
mod physical;
mod plan;
mod resolve;
pub mod result;
mod result_cache;
pub mod retention;
pub mod session;
pub mod sql;
mod system;
pub mod tables;
mod texts;
pub mod warehouse;
mod wlm;
mod zone;

pub use error::{Error, ErrorKind, Result};
pub use exec::maintenance::VacuumReport;
pub use functions::{FunctionDocument, function_documents, functions_page};
pub use load::{CopyFeed, CopyInput, copy_channel};
pub use login::{Login, login_failed};
pub use plan::{LENGTH_METADATA, STACK_BYTES, TYPE_METADATA};
pub use result::{CommandTag, Notice, Progress, ProgressState, Severity, StatementResult};
pub use session::{Names, Prepared, Session, TableNames, TransactionStatus};
pub use warehouse::{Warehouse, WarehouseConfig};
