//! The journal: what happened in a warehouse, as typed records that outlive the process.
//!
//! [`Journal::record`] never waits: records go through a bounded channel to one task that writes them in batches. One
//! that finds the channel full, or cannot be written, is lost, and losses are counted. A kind of record is a type with
//! a name ([`Record`]); whoever has something to tell adds a type in a file of its own, and a system table that reads it.

mod analyze;
mod audit;
mod commit;
mod loads;
mod mask;
mod query;
mod refresh;
mod steps;
mod store;
mod streams;
mod vacuum;
mod wlm;

pub(crate) use analyze::AnalyzeRecord;
pub(crate) use audit::{Audit, Bucket};
pub use audit::{AuditConfig, AuditLog};
pub(crate) use commit::{CommitRecord, ConflictRecord};
pub(crate) use loads::{
    BadField, BadLine, FileRecord, LoadCommitRecord, LoadErrorRecord, OfStatement, Origin, ReplacedText,
    ReplacementRecord, UnloadRecord,
};
pub(crate) use mask::mask;
pub use query::ConnectionEvent;
pub(crate) use query::{QueryRecord, StatementClass, UserRecord};
pub(crate) use refresh::RefreshRecord;
pub(crate) use steps::{
    AlertRecord, ForeignRecord, MOST_STEPS, NodeRecord, ScanRecord, StepRecord, StepsRecord, TotalsRecord, skewness,
};
pub use store::{Journal, JournalConfig, now_us};
pub(crate) use streams::{BadStreamRecord, StreamPart, StreamScanRecord};
pub(crate) use vacuum::VacuumRecord;
pub(crate) use wlm::{RuleAction, Stay, WlmTrace};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Something that happened. Fields that are added later must have a default, for older records lack them.
pub trait Record: Serialize + DeserializeOwned + Send {
    /// The kind's name in the file; never changed.
    const KIND: &'static str;

    /// When it happened, in microseconds since the epoch, UTC.
    fn at_us(&self) -> i64;
}
