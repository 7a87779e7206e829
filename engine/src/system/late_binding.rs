//! `pg_get_late_binding_view_cols()`: the columns of views that know none until they are read.
//!
//! A function that gives rows, which stands here as a table. A view that cannot be read now gives no row, as in
//! Redshift; nor does one that itself asks for these columns.

use super::table::Kind::{Int4, Text};
use super::{PG_CATALOG, Rows, SystemTable, row, types};
use crate::error::Result;
use crate::lake::types::from_arrow;
use crate::resolve;
use crate::session::Context;
use millrace_catalog::Snapshot;
use millrace_catalog::model::{Table, TableKind};
use std::collections::BTreeSet;

/// The function.
const NAME: &str = "pg_get_late_binding_view_cols";

/// Views that read this table, themselves or through others: their columns depend on themselves.
fn circular(snapshot: &Snapshot, views: &[&Table]) -> BTreeSet<(String, String)> {
    let key = |view: &Table| (view.database.clone(), view.name.clone());
    let asks = |view: &&&Table| matches!(&view.kind, TableKind::VirtualView { text, .. } if text.to_lowercase().contains(NAME));
    let mut found: BTreeSet<_> = views.iter().filter(asks).map(|view| key(view)).collect();
    while !found.is_empty() {
        let reads = |view: &&&Table| resolve::names_in_view(snapshot, view).iter().any(|name| found.contains(name));
        let more: Vec<_> =
            views.iter().filter(reads).map(|view| key(view)).filter(|name| !found.contains(name)).collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    found
}

async fn rows(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let views: Vec<&Table> =
        snapshot.all_tables().map(AsRef::as_ref).filter(|table| table.kind != TableKind::ExternalTable).collect();
    let circular = circular(&snapshot, &views);
    let mut rows = Rows::new();
    for view in views.into_iter().filter(|view| view.storage.columns.is_empty()) {
        if circular.contains(&(view.database.clone(), view.name.clone())) {
            continue;
        }
        let Ok(fields) = resolve::fields_of_view(context, view).await else { continue };
        for (at, (name, data_type)) in fields.iter().enumerate() {
            let Ok(data_type) = from_arrow(data_type) else { continue };
            rows.push(row![&view.database, &view.name, name, types::of_hive(&data_type), at + 1]);
        }
    }
    Ok(rows)
}

pub(super) const TABLES: &[SystemTable] = &[SystemTable {
    schema: PG_CATALOG,
    name: NAME,
    columns: &[("view_schema", Text), ("view_name", Text), ("col_name", Text), ("col_type", Text), ("col_num", Int4)],
    rows: |context| Box::pin(rows(context)),
}];
