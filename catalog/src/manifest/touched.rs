//! Which tables the latest commits touched.

use super::log::parse_effects;
use crate::error::Result;
use crate::store::{Catalog, sql};
use std::collections::BTreeSet;

impl Catalog {
    /// The tables whose rows, files or definition the snapshots after `from` up to `to` changed; `None` when one of
    /// these has expired, since nobody knows any more.
    pub async fn touched_tables(&self, from: i64, to: i64) -> Result<Option<BTreeSet<i64>>> {
        let mut lease = self.read().await?;
        let query = "SELECT changes_made FROM ducklake_snapshot_changes WHERE snapshot_id > $1 AND snapshot_id <= $2";
        let rows: Vec<(Option<String>,)> = lease.all(sql(query).bind(from).bind(to)).await?;
        lease.release();
        if rows.len() as i64 != to - from {
            return Ok(None);
        }
        let effects = rows.iter().filter_map(|(text,)| text.as_deref()).flat_map(parse_effects);
        Ok(Some(effects.filter_map(|effect| effect.touched()).collect()))
    }
}
