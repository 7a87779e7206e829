//! Users, groups and roles.

use super::table::Kind::{Bool, Int4, Oid, Text, Texts};
use super::table::NULL;
use super::{Kind, PG_CATALOG, Rows, SystemTable, Value, row};
use crate::error::Result;
use crate::session::Context;
use millrace_catalog::model::{Grantee, User};

const USER: &[(&str, Kind)] = &[
    ("usename", Text),
    ("usesysid", Int4),
    ("usecreatedb", Bool),
    ("usesuper", Bool),
    ("usecatupd", Bool),
    ("passwd", Text),
    ("valuntil", Text),
    ("useconfig", Texts),
];

async fn users(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    Ok(snapshot.principals().users.iter().map(|(name, user)| user_row(name, user)).collect())
}

fn user_row(name: &str, user: &User) -> Vec<Value> {
    let settings: Vec<String> = user.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let settings = (!settings.is_empty()).then_some(settings);
    row![name, user.id, user.create_database, user.superuser, false, "********", user.valid_until.as_ref(), settings]
}

/// A user as `svl_user_info` and `svv_user_info` show it.
fn info_row(name: &str, user: &User) -> Vec<Value> {
    let limit = user.connection_limit.map_or("UNLIMITED".to_owned(), |limit| limit.to_string());
    let access = if user.syslog_unrestricted || user.superuser { "UNRESTRICTED" } else { "RESTRICTED" };
    let timeout_sec = i64::from(user.session_timeout_sec.unwrap_or(0));
    row![
        name,
        user.id,
        user.create_database,
        user.superuser,
        false,
        limit,
        access,
        NULL,
        timeout_sec,
        user.external_id.as_ref()
    ]
}

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable { schema: PG_CATALOG, name: "pg_user", columns: USER, rows: |context| Box::pin(users(context)) },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_user_info",
        columns: &[
            ("usename", Text),
            ("usesysid", Int4),
            ("usecreatedb", Bool),
            ("usesuper", Bool),
            ("usecatupd", Bool),
            ("passwd", Text),
            ("valuntil", Text),
            ("useconfig", Texts),
            ("useconnlimit", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let rows = snapshot.principals().users.iter().map(|(name, user)| {
                    let mut row = user_row(name, user);
                    row.push(user.connection_limit.map_or("UNLIMITED".to_owned(), |limit| limit.to_string()).into());
                    row
                });
                Ok(rows.collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svl_user_info",
        columns: &[
            ("usename", Text),
            ("usesysid", Int4),
            ("usecreatedb", Bool),
            ("usesuper", Bool),
            ("usecatupd", Bool),
            ("useconnlimit", Text),
            ("syslogaccess", Text),
            ("last_ddl_ts", Kind::Time),
            ("sessiontimeout", Int4),
            ("external_id", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                Ok(snapshot.principals().users.iter().map(|(name, user)| info_row(name, user)).collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_user_info",
        columns: &[
            ("user_name", Text),
            ("user_id", Int4),
            ("createdb", Bool),
            ("superuser", Bool),
            ("catalog_update", Bool),
            ("connection_limit", Text),
            ("syslog_access", Text),
            ("last_ddl_timestamp", Kind::Time),
            ("session_timeout", Int4),
            ("external_user_id", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let (all, own) = (super::sees_all(context).await?, &context.who().user);
                let seen = snapshot.principals().users.iter().filter(|(name, _)| all || *name == own);
                Ok(seen.map(|(name, user)| info_row(name, user)).collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_group",
        columns: &[("groname", Text), ("grosysid", Int4), ("grolist", Kind::Oids)],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let principals = snapshot.principals();
                let rows = principals.groups.iter().map(|(name, group)| {
                    let members: Vec<i64> =
                        group.members.iter().map(|member| principals.user_id(member).into()).collect();
                    row![name, group.id, members]
                });
                Ok(rows.collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_roles",
        columns: &[("role_id", Int4), ("role_name", Text), ("role_owner", Text), ("external_id", Text)],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let roles = snapshot.principals().roles.iter();
                Ok(roles.map(|(name, role)| row![role.id, name, &role.owner, NULL]).collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_user_grants",
        columns: &[
            ("user_id", Int4),
            ("user_name", Text),
            ("role_id", Int4),
            ("role_name", Text),
            ("admin_option", Bool),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let principals = snapshot.principals();
                let rows = principals.roles.iter().flat_map(|(name, role)| {
                    role.members.iter().filter_map(move |member| match member {
                        Grantee::User(user) => Some(row![principals.user_id(user), user, role.id, name, false]),
                        _ => None,
                    })
                });
                Ok(rows.collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "svv_role_grants",
        columns: &[("role_id", Int4), ("role_name", Text), ("granted_role_id", Int4), ("granted_role_name", Text)],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let principals = snapshot.principals();
                let rows = principals.roles.iter().flat_map(|(granted, role)| {
                    role.members.iter().filter_map(move |member| match member {
                        Grantee::Role(name) => {
                            let id = principals.roles.get(name).map(|member| member.id);
                            Some(row![id, name, role.id, granted])
                        }
                        _ => None,
                    })
                });
                Ok(rows.collect())
            })
        },
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_auth_members",
        columns: &[("roleid", Oid), ("member", Oid), ("grantor", Oid), ("admin_option", Bool)],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let principals = snapshot.principals();
                let number = |member: &Grantee| match member {
                    Grantee::User(name) => Some(principals.user_id(name)),
                    Grantee::Role(name) => principals.roles.get(name).map(|role| role.id),
                    Grantee::Group(_) | Grantee::Public => None,
                };
                let rows = principals.roles.values().flat_map(|role| {
                    let owner = principals.user_id(&role.owner);
                    role.members.iter().filter_map(number).map(move |member| row![role.id, member, owner, false])
                });
                Ok(rows.collect())
            })
        },
    },
    // PostgreSQL's view of the same: users and roles are both its roles.
    SystemTable {
        schema: PG_CATALOG,
        name: "pg_roles",
        columns: &[
            ("oid", Oid),
            ("rolname", Text),
            ("rolsuper", Bool),
            ("rolinherit", Bool),
            ("rolcreaterole", Bool),
            ("rolcreatedb", Bool),
            ("rolcanlogin", Bool),
            ("rolreplication", Bool),
            ("rolconnlimit", Int4),
            ("rolpassword", Text),
            ("rolvaliduntil", Text),
        ],
        rows: |context| {
            Box::pin(async {
                let snapshot = context.snapshot().await?;
                let principals = snapshot.principals();
                let users = principals.users.iter().map(|(name, user)| {
                    let limit = user.connection_limit.map_or(-1, i64::from);
                    let (all, until) = (user.superuser, user.valid_until.as_ref());
                    row![user.id, name, all, true, all, user.create_database, true, false, limit, "********", until]
                });
                let roles = principals.roles.iter().map(|(name, role)| {
                    row![role.id, name, false, true, false, false, false, false, -1, "********", NULL]
                });
                Ok(users.chain(roles).collect())
            })
        },
    },
];
