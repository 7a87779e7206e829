//! Users, groups, roles and rights: `CREATE USER`, `GRANT` and their kin.
//!
//! Each statement is one change of all principals ([`Catalog::change_principals`](millrace_catalog::Catalog)), made at
//! once and not with the transaction that it may stand in.

use super::privileges::{check_grantees, defaults, privileges, securables};
use super::{done, skipping};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{UserRecord, now_us};
use crate::password;
use crate::resolve::{self, rights};
use crate::result::{CommandTag, Notice, StatementResult};
use crate::session::Context;
use crate::sql::{PrincipalStatement, UserChange, UserOptions, UserPassword};
use millrace_catalog::CatalogError;
use millrace_catalog::model::{ADMIN, DefaultGrant, Grant, Grantee, Group, Principals, Role, Securable, User};
use std::ops::RangeInclusive;
use std::sync::Arc;

/// What SESSION TIMEOUT may be, as in Redshift: a minute to twenty days.
const SESSION_TIMEOUTS_SEC: RangeInclusive<u32> = 60..=1_728_000;

/// Executes a statement about users or rights.
pub(crate) async fn execute(context: &Context, statement: &PrincipalStatement) -> Result<StatementResult> {
    let mut notices = Vec::new();
    let user = context.who().user.clone();
    let before = Arc::clone(context.snapshot().await?.principals());
    if is_of_users(statement) {
        context.warehouse().audit().check_users()?;
    }
    let tag = match statement {
        PrincipalStatement::Privileges(change) => {
            let objects = securables(context, change).await?;
            change_principals(context, |principals| privileges(principals, &user, change, &objects)).await?;
            if change.grant { "GRANT" } else { "REVOKE" }
        }
        PrincipalStatement::SchemaOwner { name, owner } => {
            rights::check_superuser(context, "change the owner of a schema").await?;
            let snapshot = context.snapshot().await?;
            if snapshot.resolve_schema(name).is_none() {
                return Err(resolve::unknown_database(&snapshot, name));
            }
            change_principals(context, |principals| {
                known_user(principals, owner)?;
                principals.schema_owners.insert(name.clone(), owner.clone());
                Ok(())
            })
            .await?;
            "ALTER SCHEMA"
        }
        PrincipalStatement::DefaultPrivileges { creators, schemas, change } => {
            let own = creators.is_empty() || creators.iter().all(|creator| *creator == user);
            if !own {
                rights::check_superuser(context, "change the default privileges of others").await?;
            }
            let snapshot = context.snapshot().await?;
            if let Some(unknown) = schemas.iter().find(|name| snapshot.resolve_schema(name).is_none()) {
                return Err(resolve::unknown_database(&snapshot, unknown));
            }
            let creators = if creators.is_empty() { vec![user] } else { creators.clone() };
            change_principals(context, |principals| defaults(principals, &creators, schemas, change)).await?;
            "ALTER DEFAULT PRIVILEGES"
        }
        PrincipalStatement::AlterUser { name, change: UserChange::Options(options) }
            if *name == user && only_password(options) =>
        {
            change_principals(context, |principals| set_options(principals, name, options)).await?;
            "ALTER USER"
        }
        PrincipalStatement::Authorization(_) => return Err(Error::internal("the session changes its own user")),
        statement => {
            rights::check_superuser(context, "manage users, groups and roles").await?;
            change_principals(context, |principals| {
                notices.clear();
                manage(principals, &user, statement, &mut notices)
            })
            .await?
        }
    };
    note_users(context, &before, statement).await?;
    Ok(done(CommandTag::Verb(tag), notices))
}

/// Whether it makes, changes or drops users, which is audited.
fn is_of_users(statement: &PrincipalStatement) -> bool {
    matches!(
        statement,
        PrincipalStatement::CreateUser { .. }
            | PrincipalStatement::AlterUser { .. }
            | PrincipalStatement::DropUsers { .. }
    )
}

/// Tells the journal what became of users, for `stl_userlog`.
async fn note_users(context: &Context, before: &Principals, statement: &PrincipalStatement) -> Result<()> {
    let changed: Vec<(&str, &str, &str)> = match statement {
        PrincipalStatement::CreateUser { name, .. } => vec![("create", name, "")],
        PrincipalStatement::AlterUser { name, change: UserChange::Rename(to) } => vec![("rename", to, name)],
        PrincipalStatement::AlterUser { name, .. } => vec![("alter", name, "")],
        PrincipalStatement::DropUsers { names, .. } => names
            .iter()
            .filter(|name| before.users.contains_key(*name))
            .map(|name| ("drop", name.as_str(), ""))
            .collect(),
        _ => return Ok(()),
    };
    // What the statement's own snapshot does not show yet.
    let now = context.catalog().snapshot().await?;
    for (action, name, old_name) in changed {
        let users = if action == "drop" { &before.users } else { &now.principals().users };
        let user = users.get(name).cloned().unwrap_or_default();
        let record = UserRecord {
            at_us: now_us(),
            id: user.id,
            name: name.to_owned(),
            old_name: old_name.to_owned(),
            action: action.to_owned(),
            create_database: user.create_database,
            superuser: user.superuser,
            valid_until: user.valid_until,
            pid: context.who().pid,
            xid: context.who().xid,
        };
        context.warehouse().journal().record(&record);
        context.warehouse().audit().user(&record)?;
    }
    Ok(())
}

async fn change_principals<T>(context: &Context, change: impl FnMut(&mut Principals) -> Result<T> + Send) -> Result<T> {
    context.catalog().change_principals(change).await?
}

/// Everybody may change the own password, and nothing else of it.
fn only_password(options: &UserOptions) -> bool {
    let rest = UserOptions { password: None, ..options.clone() };
    rest == UserOptions::default()
}

pub(super) fn unknown(kind: &str, name: &str) -> Error {
    Error::new(ErrorKind::UndefinedObject, format!("{kind} \"{name}\" does not exist"))
}

fn taken(kind: &str, name: &str) -> Error {
    Error::new(ErrorKind::DuplicateObject, format!("{kind} \"{name}\" already exists"))
}

pub(super) fn known_user<'a>(principals: &'a mut Principals, name: &str) -> Result<&'a mut User> {
    principals.users.get_mut(name).ok_or_else(|| unknown("user", name))
}

/// What only superusers do.
fn manage(
    principals: &mut Principals,
    user: &str,
    statement: &PrincipalStatement,
    notices: &mut Vec<Notice>,
) -> Result<&'static str> {
    match statement {
        PrincipalStatement::CreateUser { name, options } => {
            if name == "public" {
                return Err(Error::new(ErrorKind::InvalidParameter, "user name \"public\" is reserved"));
            }
            if principals.users.contains_key(name) {
                return Err(taken("user", name));
            }
            let id = principals.take_id();
            principals.users.insert(name.clone(), User { id, ..User::default() });
            set_options(principals, name, options)?;
            Ok("CREATE USER")
        }
        PrincipalStatement::AlterUser { name, change } => {
            known_user(principals, name)?;
            match change {
                UserChange::Options(options) => set_options(principals, name, options)?,
                UserChange::Rename(_) if name == user => {
                    return Err(Error::unsupported("renaming the session's own user"));
                }
                UserChange::Rename(to) => rename_user(principals, name, to)?,
                UserChange::Set(setting, value) => {
                    let settings = &mut known_user(principals, name)?.settings;
                    match value {
                        Some(value) => settings.insert(setting.clone(), value.clone()),
                        None => settings.remove(setting),
                    };
                }
            }
            Ok("ALTER USER")
        }
        PrincipalStatement::DropUsers { names, if_exists } => {
            for name in names {
                if name == ADMIN || name == user {
                    return Err(Error::new(ErrorKind::DependentObjects, format!("user \"{name}\" cannot be dropped")));
                }
                if !principals.users.contains_key(name) {
                    missing("user", name, *if_exists, notices)?;
                    continue;
                }
                drop_user(principals, name)?;
            }
            Ok("DROP USER")
        }
        PrincipalStatement::CreateGroup { name, members } => {
            if principals.groups.contains_key(name) {
                return Err(taken("group", name));
            }
            members.iter().try_for_each(|member| known_user(principals, member).map(drop))?;
            let id = principals.take_id();
            principals.groups.insert(name.clone(), Group { id, members: members.iter().cloned().collect() });
            Ok("CREATE GROUP")
        }
        PrincipalStatement::ChangeGroup { name, add, members } => {
            members.iter().try_for_each(|member| known_user(principals, member).map(drop))?;
            let group = principals.groups.get_mut(name).ok_or_else(|| unknown("group", name))?;
            for member in members {
                if *add {
                    group.members.insert(member.clone())
                } else {
                    group.members.remove(member)
                };
            }
            Ok("ALTER GROUP")
        }
        PrincipalStatement::RenameGroup { name, to } => {
            if principals.groups.contains_key(to) {
                return Err(taken("group", to));
            }
            let group = principals.groups.remove(name).ok_or_else(|| unknown("group", name))?;
            principals.groups.insert(to.clone(), group);
            rename_grantee(principals, &Grantee::Group(name.clone()), &Grantee::Group(to.clone()));
            Ok("ALTER GROUP")
        }
        PrincipalStatement::DropGroups { names, if_exists } => {
            for name in names {
                if !principals.groups.contains_key(name) {
                    missing("group", name, *if_exists, notices)?;
                    continue;
                }
                let grantee = Grantee::Group(name.clone());
                if principals.grants.iter().any(|grant| grant.grantee == grantee) {
                    let message =
                        format!("group \"{name}\" cannot be dropped because the group has privileges on some objects");
                    return Err(Error::new(ErrorKind::DependentObjects, message).with_hint("revoke them first"));
                }
                principals.groups.remove(name);
            }
            Ok("DROP GROUP")
        }
        PrincipalStatement::CreateRole(name) => {
            if principals.roles.contains_key(name) {
                return Err(taken("role", name));
            }
            let id = principals.take_id();
            principals.roles.insert(name.clone(), Role { id, owner: user.to_owned(), ..Role::default() });
            Ok("CREATE ROLE")
        }
        PrincipalStatement::RenameRole { name, to } => {
            if principals.roles.contains_key(to) {
                return Err(taken("role", to));
            }
            let role = principals.roles.remove(name).ok_or_else(|| unknown("role", name))?;
            principals.roles.insert(to.clone(), role);
            rename_grantee(principals, &Grantee::Role(name.clone()), &Grantee::Role(to.clone()));
            Ok("ALTER ROLE")
        }
        PrincipalStatement::RoleOwner { name, owner } => {
            known_user(principals, owner)?;
            let role = principals.roles.get_mut(name).ok_or_else(|| unknown("role", name))?;
            role.owner.clone_from(owner);
            Ok("ALTER ROLE")
        }
        PrincipalStatement::DropRoles { names, if_exists, force } => {
            for name in names {
                let Some(role) = principals.roles.get(name) else {
                    missing("role", name, *if_exists, notices)?;
                    continue;
                };
                let grantee = Grantee::Role(name.clone());
                let used = !role.members.is_empty() || principals.grants.iter().any(|grant| grant.grantee == grantee);
                if used && !force {
                    let message = format!("cannot drop role \"{name}\" because other objects depend on it");
                    return Err(Error::new(ErrorKind::DependentObjects, message).with_hint("use DROP ROLE … FORCE"));
                }
                principals.roles.remove(name);
                principals.grants.retain(|grant| grant.grantee != grantee);
                principals.defaults.retain(|default| default.grantee != grantee);
                for role in principals.roles.values_mut() {
                    role.members.remove(&grantee);
                }
            }
            Ok("DROP ROLE")
        }
        PrincipalStatement::Roles { grant, roles, grantees } => {
            check_grantees(principals, grantees)?;
            for name in roles {
                for grantee in grantees {
                    if let Grantee::Role(member) = grantee
                        && (member == name || is_member(principals, name, member))
                    {
                        let message = format!("role \"{name}\" is a member of role \"{member}\"");
                        return Err(Error::new(ErrorKind::InvalidParameter, message));
                    }
                    let role = principals.roles.get_mut(name).ok_or_else(|| unknown("role", name))?;
                    if *grant {
                        role.members.insert(grantee.clone())
                    } else {
                        role.members.remove(grantee)
                    };
                }
            }
            Ok(if *grant { "GRANT" } else { "REVOKE" })
        }
        _ => Err(Error::internal("a statement about users was lost")),
    }
}

/// Whether the first role has been granted to the second, at any distance: then it gets that one's rights.
fn is_member(principals: &Principals, role: &str, of: &str) -> bool {
    let mut waiting = vec![role.to_owned()];
    let mut seen = std::collections::BTreeSet::new();
    while let Some(next) = waiting.pop() {
        if next == of {
            return true;
        }
        if seen.insert(next.clone()) {
            let holders =
                principals.roles.iter().filter(|(_, holder)| holder.members.contains(&Grantee::Role(next.clone())));
            waiting.extend(holders.map(|(name, _)| name.clone()));
        }
    }
    false
}

fn missing(kind: &str, name: &str, if_exists: bool, notices: &mut Vec<Notice>) -> Result<()> {
    if !if_exists {
        return Err(unknown(kind, name));
    }
    notices.push(skipping(kind, name, "does not exist"));
    Ok(())
}

fn set_options(principals: &mut Principals, name: &str, options: &UserOptions) -> Result<()> {
    for group in &options.groups {
        let group = principals.groups.get_mut(group).ok_or_else(|| unknown("group", group))?;
        group.members.insert(name.to_owned());
    }
    let user = known_user(principals, name)?;
    match &options.password {
        Some(UserPassword::Disable) => user.verifiers = millrace_catalog::model::Verifiers::default(),
        Some(UserPassword::Text(text)) => user.verifiers = password::verifiers(name, text)?,
        None => {}
    }
    user.create_database = options.create_database.unwrap_or(user.create_database);
    user.superuser = options.superuser.unwrap_or(user.superuser);
    user.syslog_unrestricted = options.syslog_unrestricted.unwrap_or(user.syslog_unrestricted);
    user.connection_limit = options.connection_limit.unwrap_or(user.connection_limit);
    if let Some(limit) = options.session_timeout_sec {
        if limit.is_some_and(|limit| !SESSION_TIMEOUTS_SEC.contains(&limit)) {
            let (least, most) = (SESSION_TIMEOUTS_SEC.start(), SESSION_TIMEOUTS_SEC.end());
            let message = format!("SESSION TIMEOUT must be between {least} and {most} seconds");
            return Err(Error::new(ErrorKind::InvalidParameter, message));
        }
        user.session_timeout_sec = limit;
    }
    if options.external_id.is_some() {
        user.external_id.clone_from(&options.external_id);
    }
    if let Some(until) = &options.valid_until {
        if until != "infinity" && crate::login::parse_time(until).is_none() {
            let message = format!("invalid input syntax for type timestamp: \"{until}\"");
            return Err(Error::new(ErrorKind::InvalidText, message));
        }
        user.valid_until = (until != "infinity").then(|| until.clone());
    }
    if name == ADMIN && !user.superuser {
        let message = format!("user \"{ADMIN}\" must stay a superuser");
        return Err(Error::new(ErrorKind::InvalidParameter, message));
    }
    Ok(())
}

fn rename_user(principals: &mut Principals, name: &str, to: &str) -> Result<()> {
    if name == ADMIN {
        return Err(Error::new(ErrorKind::InvalidParameter, format!("user \"{ADMIN}\" cannot be renamed")));
    }
    if principals.users.contains_key(to) {
        return Err(taken("user", to));
    }
    if let Some(mut user) = principals.users.remove(name) {
        // MD5 is salted with the name.
        user.verifiers.md5 = None;
        principals.users.insert(to.to_owned(), user);
    }
    for group in principals.groups.values_mut() {
        if group.members.remove(name) {
            group.members.insert(to.to_owned());
        }
    }
    let owners = principals.roles.values_mut().map(|role| &mut role.owner);
    for owner in owners.chain(principals.schema_owners.values_mut()).filter(|owner| *owner == name) {
        to.clone_into(owner);
    }
    let renamed = |known: String| if known == name { to.to_owned() } else { known };
    let given = std::mem::take(&mut principals.grants).into_iter();
    principals.grants = given.map(|grant| Grant { grantor: renamed(grant.grantor), ..grant }).collect();
    let given = std::mem::take(&mut principals.defaults).into_iter();
    principals.defaults = given.map(|given| DefaultGrant { creator: renamed(given.creator), ..given }).collect();
    if principals.withholding.remove(name) {
        principals.withholding.insert(to.to_owned());
    }
    rename_grantee(principals, &Grantee::User(name.to_owned()), &Grantee::User(to.to_owned()));
    Ok(())
}

fn rename_grantee(principals: &mut Principals, from: &Grantee, to: &Grantee) {
    let grants = std::mem::take(&mut principals.grants).into_iter();
    principals.grants = grants
        .map(|grant| if grant.grantee == *from { Grant { grantee: to.clone(), ..grant } } else { grant })
        .collect();
    let defaults = std::mem::take(&mut principals.defaults).into_iter();
    principals.defaults = defaults
        .map(|given| if given.grantee == *from { DefaultGrant { grantee: to.clone(), ..given } } else { given })
        .collect();
    for role in principals.roles.values_mut() {
        if role.members.remove(from) {
            role.members.insert(to.clone());
        }
    }
}

/// An object as PostgreSQL names it among those that depend on a user.
fn shown(object: &Securable) -> String {
    match object {
        Securable::Database => format!("database {}", crate::system::DATABASE),
        Securable::Schema(schema) => format!("schema {schema}"),
        Securable::Table(schema, name) => format!("table {schema}.{name}"),
        Securable::Column(schema, name, column) => format!("column {column} of table {schema}.{name}"),
        Securable::Function(schema, name, types) => format!("function {schema}.{name}({})", types.join(", ")),
        Securable::Language(name) => format!("language {name}"),
    }
}

fn drop_user(principals: &mut Principals, name: &str) -> Result<()> {
    let grantee = Grantee::User(name.to_owned());
    let schemas = principals.schema_owners.iter().filter(|(_, owner)| *owner == name);
    let roles = principals.roles.iter().filter(|(_, role)| role.owner == name);
    let grants = principals.grants.iter().filter(|grant| grant.grantee == grantee);
    let mut objects: Vec<String> = schemas.map(|(schema, _)| format!("owner of schema {schema}")).collect();
    objects.extend(roles.map(|(role, _)| format!("owner of role {role}")));
    objects.extend(grants.map(|grant| format!("privileges for {}", shown(&grant.object))));
    objects.dedup();
    if !objects.is_empty() {
        let user = name.to_owned();
        return Err(CatalogError::OwnsObjects { user, objects }.into());
    }
    principals.users.remove(name);
    for group in principals.groups.values_mut() {
        group.members.remove(name);
    }
    for role in principals.roles.values_mut() {
        role.members.remove(&grantee);
    }
    principals.defaults.retain(|default| default.creator != name && default.grantee != grantee);
    principals.withholding.remove(name);
    Ok(())
}
