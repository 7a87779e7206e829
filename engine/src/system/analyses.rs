//! Which tables were analyzed: `stl_analyze`.

use super::activity::declare;
use super::table::Kind::{Double, Int4, Int8, Text, Time};
use super::table::NULL;
use super::{DATABASE, Rows, SystemTable, row, sees_all};
use crate::error::Result;
use crate::journal::AnalyzeRecord;
use crate::session::Context;

async fn stl_analyze(context: &Context) -> Result<Rows> {
    let (everything, snapshot) = (sees_all(context).await?, context.snapshot().await?);
    let mut records: Vec<AnalyzeRecord> = context.warehouse().journal().read().await?;
    records.retain(|record| everything || record.user == context.who().user);
    let none = None::<i64>;
    let letter = |yes: bool| if yes { "t" } else { "f" };
    let rows = records.into_iter().map(|record| {
        row![
            if record.automatic { 1 } else { snapshot.principals().user_id(&record.user) },
            record.xid,
            DATABASE,
            record.table_id,
            if record.predicate_columns { "PredicateColumn" } else { "Full" },
            record.rows.map(|rows| rows as f64),
            record.changed_rows.map(|rows| rows as f64),
            none,
            letter(record.automatic),
            record.start_us,
            record.end_us,
            record.before_us,
            none,
            none,
            letter(record.automatic),
            NULL
        ]
    });
    Ok(rows.collect())
}

pub(super) const TABLES: &[SystemTable] = &[declare(
    "stl_analyze",
    &[
        ("userid", Int4),
        ("xid", Int8),
        ("database", Text),
        ("table_id", Int4),
        ("status", Text),
        ("rows", Double),
        ("modified_rows", Double),
        ("threshold_percent", Int4),
        ("is_auto", Text),
        ("starttime", Time),
        ("endtime", Time),
        ("prevtime", Time),
        ("num_predicate_cols", Int4),
        ("num_new_predicate_cols", Int4),
        ("is_background", Text),
        ("auto_analyze_phase", Text),
    ],
    |context| Box::pin(stl_analyze(context)),
)];
