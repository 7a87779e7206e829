//! The warehouse: from the text of a statement to a stream of rows.
//!
//! Data flows one way: `sql` parses, `resolve` looks names up, `plan` decides, `exec` runs; `lake` reads and writes
//! files. A module imports only those that stand before it in `docs/architecture.md`.

pub mod error;
pub mod lake;
pub mod result;
pub mod sql;

pub use error::{Error, ErrorKind, Result};
pub use result::{CommandTag, Notice, Progress, ProgressState, Severity, StatementResult};
