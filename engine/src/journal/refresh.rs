//! The record of a refresh of one materialized view.

use super::Record;
use serde::{Deserialize, Serialize};

/// A materialized view was refreshed, or could not be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct RefreshRecord {
    /// Whoever asked for it; the view's owner where nobody did.
    pub(crate) user: String,
    pub(crate) xid: i64,
    pub(crate) pid: i32,
    pub(crate) schema: String,
    pub(crate) view: String,
    pub(crate) view_id: i64,
    pub(crate) start_us: i64,
    pub(crate) end_us: i64,
    /// How it ended, in Redshift's words.
    pub(crate) status: String,
    /// Nobody asked for it.
    pub(crate) automatic: bool,
}

impl Record for RefreshRecord {
    const KIND: &'static str = "refresh";

    fn at_us(&self) -> i64 {
        self.end_us
    }
}
