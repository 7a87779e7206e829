//! The VACUUM statement, and the vacuum of one table that it shares with the background.

use super::choose::choose_keys;
use super::look::{Look, look};
use super::plan::{Aim, Job, plan_vacuum};
use super::report::VacuumReport;
use super::rewrite::Rewriter;
use crate::background::Vacuums;
use crate::error::{Error, ErrorKind, Result};
use crate::exec::ddl::now_ms;
use crate::exec::done;
use crate::resolve::{self, Relation};
use crate::result::{CommandTag, Notice, Severity, StatementResult};
use crate::session::{Context, Turn, is_temporary};
use crate::sql::{Vacuum, VacuumMode};
use crate::tables::condition::{Piece, sort_form, sorted_percent};

/// `VACUUM …`: one table, or all managed tables of the warehouse. Of several, one that fails does not keep the others
/// from being vacuumed.
pub(crate) async fn vacuum(context: &Context, vacuum: &Vacuum) -> Result<StatementResult> {
    let warehouse = context.warehouse();
    if warehouse.catalog().is_read_only() {
        return Err(Error::new(ErrorKind::ReadOnly, "the warehouse is read-only"));
    }
    let _one_at_a_time = Vacuums::begin(&warehouse.config().directory)?;
    // Where others wait for it, it lets nobody go before.
    let rewriter = if vacuum.boost { Rewriter::new(warehouse) } else { Rewriter::patient(warehouse) };
    let slices = warehouse.base_state().config().target_partitions();
    let aim = Aim::of_statement(vacuum.mode, vacuum.threshold, slices);
    let report = |report: Option<VacuumReport>| {
        let Some(report) = report else { return Vec::new() };
        warehouse.journal().record(&report.record(&context.who().user, context.who().xid));
        report.notices()
    };
    let mut notices = Vec::new();
    let Some(name) = &vacuum.table else {
        let snapshot = context.snapshot().await?;
        for table in snapshot.all_managed_tables() {
            match rewriter.vacuum(table.id, &aim, None).await {
                Ok(done) => notices.extend(report(done)),
                Err(error) if error.kind == ErrorKind::Cancelled => return Err(error),
                Err(error) => {
                    let message = format!("could not vacuum \"{}.{}\": {}", table.schema, table.name, error.message);
                    notices.push(Notice { severity: Severity::Warning, message });
                }
            }
        }
        return Ok(done(CommandTag::Verb("VACUUM"), notices));
    };
    let table = match resolve::find_relation(context, name).await? {
        Relation::Managed(table) => table,
        Relation::Foreign(table) => return Err(table.unchangeable()),
        Relation::Catalog(table) => {
            let message = format!("cannot vacuum \"{}\": it is not a managed table", table.name);
            return Err(Error::new(ErrorKind::WrongObjectType, message));
        }
    };
    if is_temporary(&table) {
        // Its files go with the session.
        let message = format!("skipping \"{}\": temporary tables are not vacuumed", table.name);
        notices.push(Notice { severity: Severity::Notice, message });
        return Ok(done(CommandTag::Verb("VACUUM"), notices));
    }
    // Deletes and updates of this process wait for a vacuum with BOOST instead of making it do files again.
    let turn = if vacuum.boost { Some(warehouse.turns().wait([table.id].into()).await) } else { None };
    notices.extend(report(rewriter.vacuum(table.id, &aim, turn.as_ref()).await?));
    Ok(done(CommandTag::Verb("VACUUM"), notices))
}

impl Rewriter {
    /// Vacuums a table; `None` when there is none of this number.
    pub(crate) async fn vacuum(&self, table_id: i64, aim: &Aim, turn: Option<&Turn>) -> Result<Option<VacuumReport>> {
        let start_time_ms = now_ms();
        let Some(mut before) = look(self.warehouse(), table_id).await? else { return Ok(None) };
        let mut chosen_keys = Vec::new();
        if aim.mode != VacuumMode::DeleteOnly {
            (before, chosen_keys) = choose_keys(self.warehouse(), before, turn).await?;
        }
        let aim = Aim { has_keys: before.has_keys(), ..*aim };
        let worklist = plan_vacuum(&before.table, &before.pieces, &aim);
        let mut report = VacuumReport {
            table_id,
            schema: before.table.schema.clone(),
            table: before.table.name.clone(),
            mode: aim.mode.name(),
            automatic: self.is_in_background(),
            start_time_ms,
            rows_before: rows(&before),
            sorted_before: sorted(&before),
            sort_skipped: worklist.sort_skipped,
            files_before: before.files.len() as u64,
            bytes_before: bytes(&before),
            deleted_before: before.pieces.iter().map(Piece::deleted).sum(),
            rewrites: worklist.jobs.len() as u64,
            threshold: aim.threshold,
            chosen_keys,
            ..VacuumReport::default()
        };
        let noted = self.warehouse().vacuums().note(&report.table, report.mode, worklist.jobs.len());
        for job in &worklist.jobs {
            let done = self.run(table_id, job, turn).await?;
            noted.rewritten();
            report.rewritten_files += done.files;
            report.removed_rows += done.removed_rows;
            report.flushed_rows += done.flushed_rows;
            report.conflicts += done.conflicts;
        }
        // Another may have dropped it meanwhile.
        let after = look(self.warehouse(), table_id).await?.unwrap_or(before);
        report.rows_after = rows(&after);
        report.sorted_after = sorted(&after);
        report.files_after = after.files.len() as u64;
        report.bytes_after = bytes(&after);
        report.end_time_ms = now_ms();
        Ok(Some(report))
    }

    /// Moves a table's rows from the catalog into a file, and leaves its other files alone; how many have moved.
    pub(crate) async fn flush(&self, table_id: i64) -> Result<u64> {
        let job = Job { files: Vec::new(), inlined: true };
        Ok(self.run(table_id, &job, None).await?.flushed_rows)
    }
}

fn rows(seen: &Look) -> u64 {
    seen.pieces.iter().map(|piece| piece.rows).sum()
}

fn bytes(seen: &Look) -> u64 {
    seen.pieces.iter().map(|piece| piece.bytes).sum()
}

fn sorted(seen: &Look) -> Option<f64> {
    sorted_percent(&seen.pieces, sort_form(&seen.table))
}
