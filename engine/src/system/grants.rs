//! Who was granted what: `svv_relation_privileges`, `svv_schema_privileges`, `svv_database_privileges`,
//! `svv_function_privileges`, `svv_default_privileges`, `information_schema.table_privileges`. Only what was granted is
//! there, not what everybody has from the start.

use super::table::Kind::{Bool, Int4, Oid, Text, Texts};
use super::table::NULL;
use super::{DATABASE, INFORMATION_SCHEMA, PG_CATALOG, SystemTable, oid, row};
use crate::error::Result;
use crate::session::Context;
use millrace_catalog::model::{DefaultObjects, Grant, Grantee, Principals, Securable};

/// A grantee's number, name and kind, as Redshift's views give them.
pub(super) fn identity(principals: &Principals, grantee: &Grantee) -> (i32, String, &'static str) {
    match grantee {
        Grantee::User(name) => (principals.user_id(name), name.clone(), "user"),
        Grantee::Group(name) => (principals.groups.get(name).map_or(0, |group| group.id), name.clone(), "group"),
        Grantee::Role(name) => (principals.roles.get(name).map_or(0, |role| role.id), name.clone(), "role"),
        Grantee::Public => (0, "public".to_owned(), "public"),
    }
}

/// Grants that the user may know of, each with the number, name and kind of whom it reaches: a superuser all, others those
/// that reach them.
pub(super) async fn seen(context: &Context) -> Result<Vec<(Grant, (i32, String, &'static str))>> {
    let snapshot = context.snapshot().await?;
    let principals = snapshot.principals();
    let user = &context.who().user;
    let identities = principals.identities(user);
    let seen =
        principals.grants.iter().filter(|grant| principals.is_superuser(user) || identities.contains(&grant.grantee));
    Ok(seen.map(|grant| (grant.clone(), identity(principals, &grant.grantee))).collect())
}

/// What default rights are on, as `svv_default_privileges` and `pg_default_acl` tell it.
fn shown_objects(objects: DefaultObjects) -> (&'static str, &'static str) {
    match objects {
        DefaultObjects::Tables => ("RELATION", "r"),
        DefaultObjects::Functions => ("FUNCTION", "f"),
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
                    row![at + 1, creator, creator, schema, shown_objects(default.objects).1, list]
                });
                // What everybody would have of functions and has not: the owner's own rights are left.
                let withholding = principals.withholding.iter().enumerate().map(|(at, name)| {
                    let creator = principals.user_id(name);
                    let list = vec![format!("{name}=X/{name}")];
                    row![principals.defaults.len() + at + 1, creator, creator, 0, "f", list]
                });
                Ok(rows.chain(withholding).collect())
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
            ("privilege_scope", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let principals = snapshot.principals();
                let rows = principals.grants.iter().filter_map(|grant| {
                    let Securable::Schema(schema) = &grant.object else { return None };
                    let (id, who, kind) = identity(principals, &grant.grantee);
                    Some(row![schema, grant.privilege.name(), id, who, kind, grant.grant_option, "SCHEMA"])
                });
                Ok(rows.collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_function_privileges",
        columns: &[
            ("namespace_name", Text),
            ("function_name", Text),
            ("argument_types", Text),
            ("privilege_type", Text),
            ("identity_id", Int4),
            ("identity_name", Text),
            ("identity_type", Text),
            ("admin_option", Bool),
        ],
        rows: |context| {
            Box::pin(async {
                let rows = seen(context).await?.into_iter().filter_map(|(grant, (id, who, kind))| {
                    let Securable::Function(schema, name, types) = &grant.object else { return None };
                    let types = types.join(", ");
                    Some(row![schema, name, types, grant.privilege.name(), id, who, kind, grant.grant_option])
                });
                Ok(rows.collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_language_privileges",
        columns: &[
            ("language_name", Text),
            ("privilege_type", Text),
            ("identity_id", Int4),
            ("identity_name", Text),
            ("identity_type", Text),
            ("admin_option", Bool),
        ],
        rows: |context| {
            Box::pin(async {
                let rows = seen(context).await?.into_iter().filter_map(|(grant, (id, who, kind))| {
                    let Securable::Language(name) = &grant.object else { return None };
                    Some(row![name, grant.privilege.name(), id, who, kind, grant.grant_option])
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
                        shown_objects(default.objects).0,
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
