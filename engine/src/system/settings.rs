//! `pg_settings`: the session's settings.

use super::table::Kind::Text;
use super::table::NULL;
use super::{PG_CATALOG, SystemTable, row};

pub(super) const TABLES: &[SystemTable] = &[SystemTable {
    schema: PG_CATALOG,
    name: "pg_settings",
    columns: &[
        ("name", Text),
        ("setting", Text),
        ("category", Text),
        ("short_desc", Text),
        ("extra_desc", Text),
        ("context", Text),
        ("vartype", Text),
        ("source", Text),
        ("min_val", Text),
        ("max_val", Text),
    ],
    rows: |context| {
        Box::pin(async {
            let rows = context.settings().into_iter().map(|(name, value, description)| {
                row![name, value, "Session", description, NULL, "user", "string", "session", NULL, NULL]
            });
            Ok(rows.collect())
        })
    },
}];
