//! What a vacuum did: told to the user, and kept for system tables.

use crate::journal::VacuumRecord;
use crate::result::{Notice, Severity};

/// What a vacuum of one table did. Rows and bytes are those of files and of the catalog's rows together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VacuumReport {
    /// The table's number.
    pub table_id: i64,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// What was done: `FULL`, `SORT ONLY`, ….
    pub mode: &'static str,
    /// Whether it was done in the background.
    pub automatic: bool,
    /// When it began: milliseconds since the epoch, UTC.
    pub start_time_ms: i64,
    /// When it ended.
    pub end_time_ms: i64,
    /// Rows before, deleted ones included.
    pub rows_before: u64,
    /// Rows after.
    pub rows_after: u64,
    /// Deleted rows that are no longer stored.
    pub removed_rows: u64,
    /// Rows that were moved from the catalog into files.
    pub flushed_rows: u64,
    /// Percent of the rows that were in order before; `None` without a sort key.
    pub sorted_before: Option<f64>,
    /// Percent of the rows that are in order now.
    pub sorted_after: Option<f64>,
    /// Whether the rows were left as they are because enough of them are in order.
    pub sort_skipped: bool,
    /// Files before.
    pub files_before: u64,
    /// Files after.
    pub files_after: u64,
    /// Files that were rewritten.
    pub rewritten_files: u64,
    /// The bytes of all files before.
    pub bytes_before: u64,
    /// The bytes of all files after.
    pub bytes_after: u64,
    /// Files and rows of the catalog that others changed again and again, so that they are as they were.
    pub conflicts: u64,
    /// Rows before that were deleted.
    pub deleted_before: u64,
    /// How often files were written anew.
    pub rewrites: u64,
    /// The percentage at which nothing is sorted.
    pub threshold: u8,
    /// The keys that were chosen for a table that leaves them to the warehouse, as `SORTKEY (a)`.
    pub chosen_keys: Vec<String>,
}

impl VacuumReport {
    /// The same for the journal: `user` is whoever asked for it in the transaction `xid`.
    pub(crate) fn record(&self, user: &str, xid: i64) -> VacuumRecord {
        VacuumRecord {
            user: user.to_owned(),
            xid,
            table_id: self.table_id,
            table: self.table.clone(),
            mode: self.mode.to_owned(),
            automatic: self.automatic,
            start_us: self.start_time_ms * 1000,
            end_us: self.end_time_ms * 1000,
            rows: (self.rows_before, self.rows_after),
            sorted: (self.sorted_before, self.sorted_after),
            bytes: (self.bytes_before, self.bytes_after),
            reclaimable_rows: self.deleted_before,
            rewrites: self.rewrites,
            sort_skipped: self.sort_skipped,
            threshold: self.threshold,
        }
    }

    /// The same for people.
    pub(super) fn notices(&self) -> Vec<Notice> {
        let name = format!("\"{}.{}\"", self.schema, self.table);
        let mut done: Vec<String> = self.chosen_keys.iter().map(|key| format!("{key} chosen by use")).collect();
        if self.rewritten_files > 0 {
            let files = counted(self.rewritten_files, "file");
            done.push(format!("{files} rewritten, {} before, {} now", self.files_before, self.files_after));
        }
        if self.removed_rows > 0 {
            done.push(format!("{} removed", counted(self.removed_rows, "deleted row")));
        }
        if self.flushed_rows > 0 {
            done.push(format!("{} moved from the catalog into files", counted(self.flushed_rows, "row")));
        }
        if let (Some(before), Some(after)) = (self.sorted_before, self.sorted_after)
            && (before - after).abs() >= 0.01
        {
            done.push(format!("{after}% sorted, {before}% before"));
        }
        if done.is_empty() {
            done.push("nothing to do".to_owned());
        }
        if self.sort_skipped {
            done.push("enough rows are sorted already".to_owned());
        }
        let info = Notice { severity: Severity::Info, message: format!("vacuum of {name}: {}", done.join("; ")) };
        let left = (self.conflicts > 0).then(|| {
            let what =
                if self.conflicts == 1 { "1 file is".to_owned() } else { format!("{} files are", self.conflicts) };
            let message = format!("vacuum of {name}: {what} left as before, since others kept changing them");
            Notice { severity: Severity::Warning, message }
        });
        [info].into_iter().chain(left).collect()
    }
}

fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
