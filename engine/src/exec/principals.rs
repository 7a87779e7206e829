//! Users, groups, roles and rights: `CREATE USER`, `GRANT` and their kin.
//!
//! Each statement is one change of all principals ([`Catalog::change_principals`](millrace_catalog::Catalog)), made at
//! once and not with the transaction that it may stand in.

use super::{done, skipping};
use crate::error::{Error, ErrorKind, Result};
use crate::password;
use crate::resolve::{self, Relation, rights};
use crate::result::{CommandTag, Notice, StatementResult};
use crate::session::Context;
use crate::sql::{GrantObjects, PrincipalStatement, PrivilegesChange, UserChange, UserOptions, UserPassword};
use crate::system::DATABASE;
use millrace_catalog::model::{
    ADMIN, DefaultGrant, Grant, Grantee, Group, Principals, Privilege, Role, Securable, User,
};

/// Executes a statement about users or rights.
pub(crate) async fn execute(context: &Context, statement: &PrincipalStatement) -> Result<StatementResult> {
    let mut notices = Vec::new();
    let user = context.who().user.clone();
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
            change_principals(context, |principals| manage(principals, &user, statement, &mut notices)).await?
        }
    };
    Ok(done(CommandTag::Verb(tag), notices))
}

async fn change_principals<T>(
    context: &Context,
    change: impl FnOnce(&mut Principals) -> Result<T> + Send,
) -> Result<T> {
    context.catalog().change_principals(change).await?
}

/// Everybody may change the own password, and nothing else of it.
fn only_password(options: &UserOptions) -> bool {
    let rest = UserOptions { password: None, ..options.clone() };
    rest == UserOptions::default()
}

fn unknown(kind: &str, name: &str) -> Error {
    Error::new(ErrorKind::UndefinedObject, format!("{kind} \"{name}\" does not exist"))
}

fn taken(kind: &str, name: &str) -> Error {
    Error::new(ErrorKind::DuplicateObject, format!("{kind} \"{name}\" already exists"))
}

fn known_user<'a>(principals: &'a mut Principals, name: &str) -> Result<&'a mut User> {
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
    for owner in principals.schema_owners.values_mut().filter(|owner| *owner == name) {
        to.clone_into(owner);
    }
    rename_grantee(principals, &Grantee::User(name.to_owned()), &Grantee::User(to.to_owned()));
    Ok(())
}

fn rename_grantee(principals: &mut Principals, from: &Grantee, to: &Grantee) {
    let grants = std::mem::take(&mut principals.grants).into_iter();
    principals.grants = grants
        .map(|grant| if grant.grantee == *from { Grant { grantee: to.clone(), ..grant } } else { grant })
        .collect();
    for role in principals.roles.values_mut() {
        if role.members.remove(from) {
            role.members.insert(to.clone());
        }
    }
}

fn drop_user(principals: &mut Principals, name: &str) -> Result<()> {
    let grantee = Grantee::User(name.to_owned());
    let owns = principals.schema_owners.values().any(|owner| owner == name);
    let has = principals.grants.iter().any(|grant| grant.grantee == grantee);
    if owns || has {
        let what = if owns { "the user owns some object" } else { "the user has a privilege on some object" };
        let message = format!("user \"{name}\" cannot be dropped because {what}");
        return Err(Error::new(ErrorKind::DependentObjects, message));
    }
    principals.users.remove(name);
    for group in principals.groups.values_mut() {
        group.members.remove(name);
    }
    for role in principals.roles.values_mut() {
        role.members.remove(&grantee);
    }
    principals.defaults.retain(|default| default.creator != name && default.grantee != grantee);
    Ok(())
}

fn check_grantees(principals: &Principals, grantees: &[Grantee]) -> Result<()> {
    for grantee in grantees {
        match grantee {
            Grantee::User(name) if !principals.users.contains_key(name) => return Err(unknown("user", name)),
            Grantee::Group(name) if !principals.groups.contains_key(name) => return Err(unknown("group", name)),
            Grantee::Role(name) if !principals.roles.contains_key(name) => return Err(unknown("role", name)),
            _ => {}
        }
    }
    Ok(())
}

/// The privileges that an object may have, in the order of ALL.
fn possible(object: &Securable) -> &'static [Privilege] {
    use Privilege::{Alter, Create, Delete, Drop, Insert, References, Select, Temporary, Truncate, Update, Usage};
    match object {
        Securable::Database => &[Create, Temporary, Usage],
        Securable::Schema(_) => &[Create, Usage],
        Securable::Table(..) => &[Select, Insert, Update, Delete, References, Drop, Truncate, Alter],
    }
}

fn wanted(change: &PrivilegesChange, object: &Securable) -> Result<Vec<Privilege>> {
    let possible = possible(object);
    let Some(named) = &change.privileges else { return Ok(possible.to_vec()) };
    if let Some(wrong) = named.iter().find(|privilege| !possible.contains(privilege)) {
        let kind = match object {
            Securable::Database => "database",
            Securable::Schema(_) => "schema",
            Securable::Table(..) => "relation",
        };
        let message = format!("invalid privilege type {} for {kind}", wrong.name());
        return Err(Error::new(ErrorKind::InvalidGrant, message));
    }
    Ok(named.clone())
}

/// The objects of a GRANT with their owners.
async fn securables(context: &Context, change: &PrivilegesChange) -> Result<Vec<(Securable, String)>> {
    let snapshot = context.snapshot().await?;
    let mut found = Vec::new();
    match &change.objects {
        GrantObjects::Tables(names) => {
            for name in names {
                let (schema, table, owner) = match resolve::find_relation(context, name).await? {
                    Relation::Managed(table) => {
                        (table.schema.clone(), table.name.clone(), table.attributes.owner.clone())
                    }
                    Relation::Catalog(table) => (table.database.clone(), table.name.clone(), table.owner.clone()),
                };
                found.push((Securable::Table(schema, table), owner.unwrap_or_else(|| ADMIN.to_owned())));
            }
        }
        GrantObjects::AllTables(schemas) => {
            let all = crate::system::relations(context).await?;
            for name in schemas {
                let database =
                    snapshot.resolve_schema(name).ok_or_else(|| resolve::unknown_database(&snapshot, name))?;
                let tables = all.iter().filter(|relation| relation.schema == database.name);
                found.extend(tables.map(|relation| {
                    (Securable::Table(relation.schema.clone(), relation.name.clone()), relation.owner.clone())
                }));
            }
        }
        GrantObjects::Schemas(names) => {
            for name in names {
                if snapshot.resolve_schema(name).is_none() {
                    return Err(resolve::unknown_database(&snapshot, name));
                }
                let owner = snapshot.principals().schema_owners.get(name).map_or(ADMIN, String::as_str);
                found.push((Securable::Schema(name.clone()), owner.to_owned()));
            }
        }
        GrantObjects::Databases(names) => {
            if let Some(name) = names.iter().find(|name| *name != DATABASE) {
                return Err(Error::new(ErrorKind::UndefinedSchema, format!("database \"{name}\" does not exist")));
            }
            found.push((Securable::Database, ADMIN.to_owned()));
        }
    }
    Ok(found)
}

/// Gives or takes rights; who is neither owner nor superuser needs the grant option of each.
fn privileges(
    principals: &mut Principals,
    user: &str,
    change: &PrivilegesChange,
    objects: &[(Securable, String)],
) -> Result<()> {
    check_grantees(principals, &change.grantees)?;
    if change.grant && change.option && change.grantees.iter().any(|grantee| !matches!(grantee, Grantee::User(_))) {
        let message = "grant options can only be granted to individual users";
        return Err(Error::new(ErrorKind::InvalidGrant, message));
    }
    let identities = principals.identities(user);
    for (object, owner) in objects {
        let all = principals.is_superuser(user) || owner == user;
        for privilege in wanted(change, object)? {
            let may = all
                || principals.grants.iter().any(|grant| {
                    grant.object == *object
                        && grant.privilege == privilege
                        && grant.grant_option
                        && identities.contains(&grant.grantee)
                });
            if !may {
                let (kind, name) = match object {
                    Securable::Database => ("database", DATABASE),
                    Securable::Schema(name) => ("schema", name.as_str()),
                    Securable::Table(_, name) => ("relation", name.as_str()),
                };
                return Err(rights::denied(kind, name));
            }
            for grantee in &change.grantees {
                let same = |grant: &Grant| {
                    grant.object == *object && grant.privilege == privilege && grant.grantee == *grantee
                };
                let before = principals.grants.iter().find(|grant| same(grant)).cloned();
                principals.grants.retain(|grant| !same(grant));
                let after = match (change.grant, before) {
                    (true, before) => Some(Grant {
                        object: object.clone(),
                        grantee: grantee.clone(),
                        privilege,
                        grant_option: change.option || before.as_ref().is_some_and(|grant| grant.grant_option),
                        grantor: before.map_or_else(|| user.to_owned(), |grant| grant.grantor),
                    }),
                    (false, Some(before)) if change.option => Some(Grant { grant_option: false, ..before }),
                    (false, _) => None,
                };
                principals.grants.extend(after);
            }
        }
    }
    Ok(())
}

fn defaults(
    principals: &mut Principals,
    creators: &[String],
    schemas: &[String],
    change: &PrivilegesChange,
) -> Result<()> {
    check_grantees(principals, &change.grantees)?;
    let places: Vec<Option<String>> =
        if schemas.is_empty() { vec![None] } else { schemas.iter().cloned().map(Some).collect() };
    let any_table = Securable::Table(String::new(), String::new());
    for creator in creators {
        known_user(principals, creator)?;
        for schema in &places {
            for privilege in wanted(change, &any_table)? {
                for grantee in &change.grantees {
                    principals.defaults.retain(|default| {
                        default.creator != *creator
                            || default.schema != *schema
                            || default.privilege != privilege
                            || default.grantee != *grantee
                    });
                    if change.grant || change.option {
                        principals.defaults.insert(DefaultGrant {
                            creator: creator.clone(),
                            schema: schema.clone(),
                            grantee: grantee.clone(),
                            privilege,
                            grant_option: change.grant && change.option,
                        });
                    }
                }
            }
        }
    }
    Ok(())
}
