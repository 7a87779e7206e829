//! Who was granted what: `svv_relation_privileges`, `svv_schema_privileges`, `svv_database_privileges`,
//! `svv_default_privileges`, `information_schema.table_privileges`.

use super::table::Kind::{Bool, Int4, Oid, Text, Texts};
use super::table::NULL;
use super::{DATABASE, INFORMATION_SCHEMA, PG_CATALOG, SystemTable, oid, row};
use millrace_catalog::model::{Grantee, Principals, Securable};

/// A grantee's number, name and kind, as Redshift's views give them.
pub(super) fn identity(principals: &Principals, grantee: &Grantee) -> (i32, String, &'static str) {
    match grantee {
        Grantee::User(name) => (principals.user_id(name), name.clone(), "user"),
        Grantee::Group(name) => (principals.groups.get(name).map_or(0, |group| group.id), name.clone(), "group"),
        Grantee::Role(name) => (principals.roles.get(name).map_or(0, |role| role.id), name.clone(), "role"),
        Grantee::Public => (0, "public".to_owned(), "public"),
    }
}

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_relation_privileges",
        columns: &[
            ("namespace_name", Text),
            ("relation_name", Text),
            ("privilege_type", Text),
            ("identity_id", Int4),
            ("identity_name", Text),
            ("identity_type", Text),
            ("admin_option", Bool),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let principals = snapshot.principals();
                let rows = principals.grants.iter().filter_map(|grant| {
                    let Securable::Table(schema, name) = &grant.object else { return None };
                    let (id, who, kind) = identity(principals, &grant.grantee);
                    Some(row![schema, name, grant.privilege.name(), id, who, kind, grant.grant_option])
                });
                Ok(rows.collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_column_privileges",
        columns: &[
            ("namespace_name", Text),
            ("relation_name", Text),
            ("column_name", Text),
            ("privilege_type", Text),
            ("identity_id", Int4),
            ("identity_name", Text),
            ("identity_type", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let principals = snapshot.principals();
                let rows = principals.grants.iter().filter_map(|grant| {
                    let Securable::Column(schema, name, column) = &grant.object else { return None };
                    let (id, who, kind) = identity(principals, &grant.grantee);
                    Some(row![schema, name, column, grant.privilege.name(), id, who, kind])
                });
                Ok(rows.collect())
            })
        },
    },
    SystemTable {
        schema: INFORMATION_SCHEMA,
        name: "column_privileges",
        columns: &[
            ("grantor", Text),
            ("grantee", Text),
            ("table_catalog", Text),
            ("table_schema", Text),
            ("table_name", Text),
            ("column_name", Text),
            ("privilege_type", Text),
            ("is_grantable", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let principals = snapshot.principals();
                let rows = principals.grants.iter().filter_map(|grant| {
                    let Securable::Column(schema, name, column) = &grant.object else { return None };
                    let (_, who, _) = identity(principals, &grant.grantee);
                    let grantable = if grant.grant_option { "YES" } else { "NO" };
                    let right = grant.privilege.name();
                    Some(row![&grant.grantor, who, DATABASE, schema, name, column, right, grantable])
                });
                Ok(rows.collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_default_acl",
        columns: &[
            ("oid", Oid),
            ("defacluser", Int4),
            ("defaclrole", Oid),
            ("defaclnamespace", Oid),
            ("defaclobjtype", Text),
            ("defaclacl", Texts),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let principals = snapshot.principals();
                let rows = principals.defaults.iter().enumerate().map(|(at, default)| {
                    let (_, who, kind) = identity(principals, &default.grantee);
                    let who = match kind {
                        "public" => String::new(),
                        "user" => who,
                        kind => format!("{kind} {who}"),
                    };
                    let star = if default.grant_option { "*" } else { "" };
                    let list = vec![format!("{who}={}{star}/{}", default.privilege.letter(), default.creator)];
                    let creator = principals.user_id(&default.creator);
                    let schema = default.schema.as_deref().map_or(0, oid::schema);
                    row![at + 1, creator, creator, schema, "r", list]
                });
                Ok(rows.collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_schema_privileges",
        columns: &[
            ("namespace_name", Text),
            ("privilege_type", Text),
            ("identity_id", Int4),
            ("identity_name", Text),
            ("identity_type", Text),
            ("admin_option", Bool),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let principals = snapshot.principals();
                let rows = principals.grants.iter().filter_map(|grant| {
                    let Securable::Schema(schema) = &grant.object else { return None };
                    let (id, who, kind) = identity(principals, &grant.grantee);
                    Some(row![schema, grant.privilege.name(), id, who, kind, grant.grant_option])
                });
                Ok(rows.collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_database_privileges",
        columns: &[
            ("database_name", Text),
            ("privilege_type", Text),
            ("identity_id", Int4),
            ("identity_name", Text),
            ("identity_type", Text),
            ("admin_option", Bool),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let principals = snapshot.principals();
                let rows = principals.grants.iter().filter(|grant| grant.object == Securable::Database).map(|grant| {
                    let (id, who, kind) = identity(principals, &grant.grantee);
                    row![DATABASE, grant.privilege.name(), id, who, kind, grant.grant_option]
                });
                Ok(rows.collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_default_privileges",
        columns: &[
            ("schema_name", Text),
            ("object_type", Text),
            ("owner_id", Int4),
            ("owner_name", Text),
            ("owner_type", Text),
            ("privilege_type", Text),
            ("grantee_id", Int4),
            ("grantee_name", Text),
            ("grantee_type", Text),
            ("admin_option", Bool),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let principals = snapshot.principals();
                let rows = principals.defaults.iter().map(|default| {
                    let (id, who, kind) = identity(principals, &default.grantee);
                    row![
                        default.schema.as_ref(),
                        "RELATION",
                        principals.user_id(&default.creator),
                        &default.creator,
                        "user",
                        default.privilege.name(),
                        id,
                        who,
                        kind,
                        default.grant_option
                    ]
                });
                Ok(rows.collect())
            })
        },
    },
    SystemTable {
        schema: INFORMATION_SCHEMA,
        name: "table_privileges",
        columns: &[
            ("grantor", Text),
            ("grantee", Text),
            ("table_catalog", Text),
            ("table_schema", Text),
            ("table_name", Text),
            ("privilege_type", Text),
            ("is_grantable", Text),
            ("with_hierarchy", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let principals = snapshot.principals();
                let rows = principals.grants.iter().filter_map(|grant| {
                    let Securable::Table(schema, name) = &grant.object else { return None };
                    let (_, who, _) = identity(principals, &grant.grantee);
                    let grantable = if grant.grant_option { "YES" } else { "NO" };
                    let right = grant.privilege.name();
                    Some(row![&grant.grantor, who, DATABASE, schema, name, right, grantable, NULL])
                });
                Ok(rows.collect())
            })
        },
    },
];
