//! Where the manifest stands: its newest snapshot, from which the next one is made, and what the snapshots before did.

use super::load::document;
use super::log::{Effect, parse_effects};
use super::time::parse_time;
use crate::error::{CatalogError, Result};
use crate::store::{Catalog, FromRow, Row, Write, sql};
use std::collections::BTreeSet;

const SELECT_NEWEST: &str = "SELECT snapshot_id, snapshot_time, schema_version, next_catalog_id, next_file_id, \
     (SELECT documented FROM millrace_manifest), (SELECT statistics_version FROM millrace_manifest), \
     (SELECT version FROM millrace_meta) FROM ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1";

/// The newest snapshot as it is stored, with what else the catalog counts.
#[derive(Debug)]
pub(super) struct Newest {
    head: Head,
    /// The snapshot up to which documents are right.
    documented: i64,
    statistics_version: i64,
    catalog_version: i64,
}

impl FromRow for Newest {
    fn from_row(row: Row<'_>) -> sqlx::Result<Self> {
        let time: String = row.get(1)?;
        let head = Head {
            snapshot: row.get(0)?,
            time_us: parse_time(&time).unwrap_or(0),
            schema_version: row.get(2)?,
            next_catalog_id: row.get(3)?,
            next_file_id: row.get(4)?,
        };
        let (documented, statistics_version, catalog_version) = (row.get(5)?, row.get(6)?, row.get(7)?);
        Ok(Self { head, documented, statistics_version, catalog_version })
    }
}

impl Newest {
    /// Begins a transaction of the database with it: the lock of all writers is held.
    pub(super) async fn begin(catalog: &Catalog) -> Result<(Write<'_>, Option<Self>)> {
        catalog.write_with(sql(SELECT_NEWEST)).await
    }

    /// The versions of the catalog, of the manifest, and of estimates.
    pub(super) fn versions(&self) -> (i64, i64, i64) {
        (self.catalog_version, self.head.snapshot, self.statistics_version)
    }
}

/// What the next snapshot goes on from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// The newest snapshot.
    pub(super) snapshot: i64,
    /// When it was made, in microseconds since the epoch.
    pub(super) time_us: i64,
    /// The number of its schema.
    pub(super) schema_version: i64,
    /// The next number for a schema or table.
    pub(super) next_catalog_id: i64,
    /// The next number for a data file or delete file.
    pub(super) next_file_id: i64,
}

impl Head {
    /// Reads it, and brings the documents up to date with what another program did.
    pub(super) async fn read(write: &mut Write<'_>) -> Result<Self> {
        let newest = write.first(sql(SELECT_NEWEST)).await?;
        Self::of(write, newest).await
    }

    /// The same of what was read.
    pub(super) async fn of(write: &mut Write<'_>, newest: Option<Newest>) -> Result<Self> {
        let Some(Newest { head, documented, .. }) = newest else {
            let place = write.place();
            return Err(CatalogError::Damaged(format!("the manifest in the catalog {place} has no snapshot")));
        };
        document(write, documented, head.snapshot).await?;
        Ok(head)
    }
}

/// What the latest snapshots did, in order.
#[derive(Debug, Default)]
pub(super) struct Past(Vec<(i64, Vec<Effect>)>);

impl Past {
    /// Reads what those after `from` up to `to` did, as far as they have not expired.
    pub(super) async fn read(write: &mut Write<'_>, from: i64, to: i64) -> Result<Self> {
        if from >= to {
            return Ok(Self::default());
        }
        let query = "SELECT snapshot_id, changes_made FROM ducklake_snapshot_changes \
                     WHERE snapshot_id > $1 AND snapshot_id <= $2 ORDER BY snapshot_id";
        let rows: Vec<(i64, Option<String>)> = write.all(sql(query).bind(from).bind(to)).await?;
        let effects = |text: Option<String>| text.as_deref().map(parse_effects).into_iter().flatten().collect();
        Ok(Self(rows.into_iter().map(|(snapshot, text)| (snapshot, effects(text))).collect()))
    }

    /// Adds what one more did.
    pub(super) fn add(&mut self, snapshot: i64, effects: &BTreeSet<Effect>) {
        self.0.push((snapshot, effects.iter().cloned().collect()));
    }

    /// What those after `base` up to `last` did, each thing once; a conflict where one of them has expired, since nobody
    /// knows.
    pub(super) fn since(&self, base: i64, last: i64) -> Result<Vec<Effect>> {
        let snapshots = || self.0.iter().filter(|(snapshot, _)| (base + 1..=last).contains(snapshot));
        if snapshots().count() as i64 != last - base {
            return Err(CatalogError::Conflict(format!(
                "snapshot {base}, at which the transaction began, has expired"
            )));
        }
        let effects: BTreeSet<&Effect> = snapshots().flat_map(|(_, effects)| effects).collect();
        Ok(effects.into_iter().cloned().collect())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn what_came_between_is_known_unless_a_snapshot_has_expired() {
        let mut past = Past(vec![(4, vec![Effect::Inserted(1)]), (6, vec![Effect::Inserted(2), Effect::Deleted(1)])]);
        past.add(7, &[Effect::Inserted(2)].into());
        assert!(past.since(7, 7).unwrap().is_empty());
        assert_eq!(past.since(6, 7).unwrap(), [Effect::Inserted(2)]);
        assert_eq!(past.since(5, 7).unwrap(), [Effect::Inserted(2), Effect::Deleted(1)]);
        assert_eq!(past.since(3, 4).unwrap(), [Effect::Inserted(1)]);
        // The fifth is not there any more; what is to come is not there yet.
        for (base, last) in [(4, 7), (3, 6), (7, 8), (8, 7)] {
            assert!(matches!(past.since(base, last), Err(CatalogError::Conflict(_))), "{base} to {last}");
        }
    }
}
