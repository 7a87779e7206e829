//! What this process keeps in memory, brought to a commit of its own without reading back what it wrote.
//!
//! Only what was right just before the commit is brought on; whatever else is read when it is next asked for. Other
//! processes' commits are read as before: they are found out by the number of the newest snapshot.

use super::change::{Committed, InlinedRow, InlinedRows};
use super::head::Head;
use super::log::Effect;
use super::state::TableState;
use crate::store::Catalog;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// Commits of this process that are remembered.
const MOST_COMMITS: usize = 1_000;

/// Rows of the catalog that a commit ended and began.
#[derive(Debug, Default)]
pub(super) struct ChangedRows {
    ended: BTreeSet<i64>,
    begun: Vec<InlinedRows>,
}

impl ChangedRows {
    /// Notes that rows ended.
    pub(super) fn end(&mut self, row_ids: &[i64]) {
        let Self { ended, begun } = self;
        ended.extend(row_ids);
        // Of the same commit, too.
        for group in begun {
            group.rows.retain(|row| !ended.contains(&row.row_id));
        }
    }

    /// Notes rows that began, with the columns that they have.
    pub(super) fn begin(&mut self, columns: Vec<i64>, rows: Vec<InlinedRow>) {
        self.begun.push(InlinedRows { columns, rows: rows.into_iter().map(Arc::new).collect() });
    }
}

/// What a commit did.
#[derive(Debug)]
pub(super) struct Done {
    /// The snapshot that it made; the one before where it did nothing.
    pub(super) snapshot: i64,
    /// What the next commit goes on from.
    pub(super) head: Head,
    /// The ids of the tables that it made, by the negative numbers that they had.
    pub(super) made: BTreeMap<i64, i64>,
    /// The tables touched, by id.
    pub(super) tables: HashMap<i64, TableState>,
    pub(super) effects: BTreeSet<Effect>,
    pub(super) rows: BTreeMap<i64, ChangedRows>,
}

/// The last commits of this process, with the tables that each touched.
#[derive(Debug, Default)]
pub(crate) struct OwnCommits(Mutex<BTreeMap<i64, BTreeSet<i64>>>);

impl OwnCommits {
    fn note(&self, snapshot: i64, touched: BTreeSet<i64>) {
        let mut commits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        commits.insert(snapshot, touched);
        if commits.len() > MOST_COMMITS {
            commits.pop_first();
        }
    }

    /// Whether all commits after the snapshot `from` up to `to` are this process's, and none touched the table.
    pub(super) fn passed_over(&self, table: i64, from: i64, to: i64) -> bool {
        let Ok(count) = usize::try_from(to - from) else { return false };
        let commits = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        count > 0
            && commits.len() >= count
            && commits.range(from + 1..=to).filter(|(_, touched)| !touched.contains(&table)).count() == count
    }
}

impl Catalog {
    /// Brings what is kept in memory to a commit that was made; what is told of it.
    pub(super) async fn follow(&self, done: Done) -> Committed {
        let Done { snapshot, made, tables, effects, mut rows, .. } = done;
        let committed = Committed { snapshot_id: snapshot, tables: made };
        if effects.is_empty() {
            return committed;
        }
        if effects.iter().all(Effect::is_of_rows) {
            self.follow_manifest(snapshot);
        }
        let touched: BTreeSet<i64> = effects.iter().filter_map(Effect::touched).collect();
        for table in &touched {
            let of_table = || effects.iter().filter(|effect| effect.touched() == Some(*table));
            if of_table().any(|effect| matches!(effect, Effect::DroppedTable(_))) {
                self.files().forget(*table).await;
                self.inlined().forget(*table).await;
                continue;
            }
            if of_table().all(Effect::is_of_inlined_rows) {
                self.files().follow(snapshot, *table).await;
            }
            // What deletes from files may end all rows, and what alters the table gives new ones other columns.
            if of_table().all(|effect| !matches!(effect, Effect::Deleted(_) | Effect::Altered(_))) {
                let ChangedRows { ended, begun } = rows.remove(table).unwrap_or_default();
                self.inlined().follow(snapshot, *table, &ended, begun).await;
            }
        }
        for (table, state) in tables {
            self.settled().put(table, snapshot, state).await;
        }
        self.own_commits().note(snapshot, touched);
        committed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_passed_over_by_commits_that_are_all_known() {
        let commits = OwnCommits::default();
        for (snapshot, tables) in [(3, &[1][..]), (4, &[2]), (5, &[2, 3]), (7, &[1])] {
            commits.note(snapshot, tables.iter().copied().collect());
        }
        for (table, from, to, expected) in [
            (1, 3, 5, true),
            (1, 3, 4, true),
            (1, 2, 5, false),
            (2, 3, 5, false),
            // The sixth was another process's.
            (2, 5, 7, false),
            (2, 6, 7, true),
            (1, 5, 3, false),
        ] {
            assert_eq!(commits.passed_over(table, from, to), expected, "{table} from {from} to {to}");
        }
        for snapshot in 8..=2_000 {
            commits.note(snapshot, BTreeSet::new());
        }
        assert!(commits.passed_over(1, 1_000, 2_000) && !commits.passed_over(1, 999, 2_000), "the last thousand");
    }
}
