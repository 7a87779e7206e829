//! Columns and comments of managed tables in a commit.

use super::commit::Commit;
use super::types::{ducklake_default, ducklake_type};
use crate::error::{CatalogError, Result};
use crate::model::{ManagedColumn, ManagedTable};
use crate::store::{Write, sql};
use std::collections::BTreeSet;

impl Commit {
    pub(super) async fn insert_column(
        &mut self,
        write: &mut Write<'_>,
        table: i64,
        order: usize,
        column: &ManagedColumn,
    ) -> Result<()> {
        let (default, kind) = ducklake_default(column.default.as_deref());
        let query =
            "INSERT INTO ducklake_column VALUES ($1, $2, NULL, $3, $4, $5, $6, $7, $8, $9, NULL, $10, 'duckdb')";
        let query = sql(query).bind(column.id).bind(self.snapshot).bind(table).bind(order as i64 + 1);
        let query = query.bind(&column.name).bind(ducklake_type(&column.data_type)?).bind(column.initial.as_deref());
        write.execute(query.bind(default).bind(column.nullable).bind(kind)).await.map(drop)
    }

    /// Ends a column's row; one of this very commit has never been.
    pub(super) async fn end_column(&mut self, write: &mut Write<'_>, table: i64, column: i64) -> Result<()> {
        let gone = "DELETE FROM ducklake_column WHERE begin_snapshot = $1 AND table_id = $2 AND column_id = $3";
        let end = "UPDATE ducklake_column SET end_snapshot = $1 \
                   WHERE table_id = $2 AND column_id = $3 AND end_snapshot IS NULL";
        for statement in [gone, end] {
            write.execute(sql(statement).bind(self.snapshot).bind(table).bind(column)).await?;
        }
        Ok(())
    }

    pub(super) async fn set_comment(
        &mut self,
        write: &mut Write<'_>,
        id: i64,
        old: Option<&str>,
        new: Option<&str>,
    ) -> Result<()> {
        if old == new {
            return Ok(());
        }
        let query = "UPDATE ducklake_tag SET end_snapshot = $1 \
                     WHERE object_id = $2 AND \"key\" = 'comment' AND end_snapshot IS NULL";
        write.execute(sql(query).bind(self.snapshot).bind(id)).await?;
        if let Some(text) = new {
            let query = sql("INSERT INTO ducklake_tag VALUES ($1, $2, NULL, 'comment', $3)");
            write.execute(query.bind(id).bind(self.snapshot).bind(text)).await?;
        }
        Ok(())
    }

    pub(super) async fn set_column_comment(
        &mut self,
        write: &mut Write<'_>,
        table: i64,
        column: i64,
        old: Option<&str>,
        new: Option<&str>,
    ) -> Result<()> {
        if old == new {
            return Ok(());
        }
        let query = "UPDATE ducklake_column_tag SET end_snapshot = $1 \
                     WHERE table_id = $2 AND column_id = $3 AND \"key\" = 'comment' AND end_snapshot IS NULL";
        write.execute(sql(query).bind(self.snapshot).bind(table).bind(column)).await?;
        if let Some(text) = new {
            let query = sql("INSERT INTO ducklake_column_tag VALUES ($1, $2, $3, NULL, 'comment', $4)");
            write.execute(query.bind(table).bind(column).bind(self.snapshot).bind(text)).await?;
        }
        Ok(())
    }
}

/// Gives new columns their ids, and refuses ids that were another column's (below `first_new`, and not among those
/// `before`) and names that are not unique.
pub(super) fn number_columns(table: &mut ManagedTable, before: &BTreeSet<i64>, first_new: i64) -> Result<()> {
    let mut next = table.next_column_id.max(1);
    let wrong = |what: String| Err(CatalogError::InvalidArgument(what));
    let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
    // Ids that the caller chose count first, so that none is given twice.
    next = table.columns.iter().map(|column| column.id + 1).fold(next, i64::max);
    for column in &mut table.columns {
        if column.id == 0 {
            column.id = next;
            next += 1;
        } else if !before.contains(&column.id) && column.id < first_new {
            return wrong(format!("column \"{}\" has the number {} of an earlier one", column.name, column.id));
        }
        if !ids.insert(column.id) || !names.insert(column.name.clone()) {
            return wrong(format!("column \"{}\" specified more than once", column.name));
        }
    }
    table.next_column_id = next;
    Ok(())
}
