//! The one database and its schemas.

use super::shown::access;
use super::table::Kind::{Bool, Int4, Oid, Text, Texts};
use super::table::NULL;
use super::{DATABASE, PG_CATALOG, Rows, SystemTable, Value, classes, external, oid, row};
use crate::error::Result;
use crate::session::Context;
use millrace_catalog::model::{ADMIN, Securable};

/// The one database, as `SHOW DATABASES` and `svv_redshift_databases` have it.
pub(super) async fn shown(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let principals = snapshot.principals();
    let access = access(principals, &Securable::Database);
    Ok(vec![row![DATABASE, principals.user_id(ADMIN), "local", access, NULL, "Snapshot Isolation"]])
}

/// The one row of `pg_database`, without collations.
async fn database(context: &Context) -> Result<Vec<Value>> {
    let snapshot = context.snapshot().await?;
    let principals = snapshot.principals();
    let access = classes::access_list(principals, &Securable::Database);
    let owner = principals.user_id(ADMIN);
    // 6 is UTF8.
    Ok(row![oid::DATABASE_OID, DATABASE, owner, 6, false, true, 0, 0, 0, 1663, NULL, access])
}

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_database",
        columns: &[
            ("oid", Oid),
            ("datname", Text),
            ("datdba", Int4),
            ("encoding", Int4),
            ("datistemplate", Bool),
            ("datallowconn", Bool),
            ("datlastsysoid", Oid),
            ("datvacuumxid", Int4),
            ("datfrozenxid", Int4),
            ("dattablespace", Oid),
            ("datconfig", Texts),
            ("datacl", Texts),
            ("datcollate", Text),
            ("datctype", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let mut row = database(context).await?;
                row.extend(row!["C", "C"]);
                Ok(vec![row])
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_database_info",
        columns: &[
            ("datid", Oid),
            ("datname", Text),
            ("datdba", Int4),
            ("encoding", Int4),
            ("datistemplate", Bool),
            ("datallowconn", Bool),
            ("datlastsysoid", Oid),
            ("datvacuumxid", Int4),
            ("datfrozenxid", Int4),
            ("dattablespace", Oid),
            ("datconfig", Texts),
            ("datacl", Texts),
            ("datconnlimit", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let mut row = database(context).await?;
                row.push("UNLIMITED".into());
                Ok(vec![row])
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_redshift_databases",
        columns: &[
            ("database_name", Text),
            ("database_owner", Int4),
            ("database_type", Text),
            ("database_acl", Text),
            ("database_options", Text),
            ("database_isolation_level", Text),
        ],
        rows: |context| Box::pin(shown(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_redshift_schemas",
        columns: &[
            ("database_name", Text),
            ("schema_name", Text),
            ("schema_owner", Int4),
            ("schema_type", Text),
            ("schema_acl", Text),
            ("schema_option", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let schemas = classes::schemas(context).await?;
                let local = schemas.iter().filter(|(name, _)| external::source_of(&snapshot, name).is_none());
                let principals = snapshot.principals();
                let rows = local.map(|(name, owner)| {
                    let access = access(principals, &Securable::Schema(name.clone()));
                    row![DATABASE, name, principals.user_id(owner), "local", access, NULL]
                });
                Ok(rows.collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_all_schemas",
        columns: &[
            ("database_name", Text),
            ("schema_name", Text),
            ("schema_owner", Int4),
            ("schema_type", Text),
            ("schema_acl", Text),
            ("source_database", Text),
            ("schema_option", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let schemas = classes::schemas(context).await?;
                let principals = snapshot.principals();
                let rows = schemas.iter().map(|(name, owner)| {
                    let source = external::source_of(&snapshot, name);
                    let kind = if source.is_some() { "external" } else { "local" };
                    let access = access(principals, &Securable::Schema(name.clone()));
                    row![DATABASE, name, principals.user_id(owner), kind, access, source, NULL]
                });
                Ok(rows.collect())
            })
        },
    },
];
