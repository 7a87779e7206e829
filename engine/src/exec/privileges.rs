//! What GRANT gives and REVOKE takes, of objects and of columns.

use super::function;
use super::principals::{known_user, unknown};
use crate::error::{Error, ErrorKind, Result};
use crate::federated::Definition;
use crate::resolve::{self, Relation, rights};
use crate::session::Context;
use crate::sql::{GrantObjects, PrivilegesChange};
use crate::system::DATABASE;
use millrace_catalog::model::{ADMIN, DefaultGrant, DefaultObjects, Grant, Grantee, Principals, Privilege, Securable};

/// Refuses grantees that do not exist.
pub(super) fn check_grantees(principals: &Principals, grantees: &[Grantee]) -> Result<()> {
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
    use Privilege::{
        Alter, Create, Delete, Drop, Execute, Insert, References, Select, Temporary, Truncate, Update, Usage,
    };
    match object {
        Securable::Database => &[Create, Temporary, Usage],
        Securable::Schema(_) => &[Create, Usage],
        Securable::Table(..) => &[Select, Insert, Update, Delete, References, Drop, Truncate, Alter],
        Securable::Column(..) => &[Select, Update],
        Securable::Function(..) => &[Execute],
        Securable::Language(_) => &[Usage],
    }
}

/// An object's kind and name for messages.
fn shown(object: &Securable) -> (&'static str, &str) {
    match object {
        Securable::Database => ("database", DATABASE),
        Securable::Schema(name) => ("schema", name),
        Securable::Table(_, name) => ("relation", name),
        Securable::Column(_, _, name) => ("column", name),
        Securable::Function(_, name, _) => ("function", name),
        Securable::Language(name) => ("language", name),
    }
}

/// What a statement gives or takes on an object: rights on the whole and on columns of it.
fn targets(change: &PrivilegesChange, object: &Securable) -> Result<Vec<(Securable, Privilege)>> {
    let mut found: Vec<_> = wanted(change, object)?.into_iter().map(|right| (object.clone(), right)).collect();
    for (right, names) in &change.columns {
        let Securable::Table(schema, table) = object else {
            return Err(Error::new(ErrorKind::InvalidGrant, "column privileges are only valid for relations"));
        };
        for name in names {
            let column = Securable::Column(schema.clone(), table.clone(), name.clone());
            let rights = right.map_or_else(|| possible(&column).to_vec(), |right| vec![right]);
            if let Some(wrong) = rights.iter().find(|right| !possible(&column).contains(right)) {
                let message = format!("invalid privilege type {} for column", wrong.name());
                return Err(Error::new(ErrorKind::InvalidGrant, message));
            }
            found.extend(rights.into_iter().map(|right| (column.clone(), right)));
        }
    }
    if !change.grant && !change.option {
        // As in PostgreSQL, what is taken from a table is taken from each of its columns.
        let of_columns = |right: &Privilege| matches!(right, Privilege::Select | Privilege::Update);
        let rights: Vec<Privilege> = found.iter().map(|(_, right)| *right).filter(of_columns).collect();
        if let Securable::Table(schema, table) = object {
            found.extend(
                rights
                    .iter()
                    .filter(|_| change.columns.is_empty())
                    .map(|right| (Securable::Column(schema.clone(), table.clone(), EVERY_COLUMN.to_owned()), *right)),
            );
        }
    }
    Ok(found)
}

/// Stands for all columns of a table where rights are taken.
const EVERY_COLUMN: &str = "";

fn wanted(change: &PrivilegesChange, object: &Securable) -> Result<Vec<Privilege>> {
    let possible = possible(object);
    let Some(named) = &change.privileges else { return Ok(possible.to_vec()) };
    if let Some(wrong) = named.iter().find(|privilege| !possible.contains(privilege)) {
        let (kind, _) = shown(object);
        let message = format!("invalid privilege type {} for {kind}", wrong.name());
        return Err(Error::new(ErrorKind::InvalidGrant, message));
    }
    Ok(named.clone())
}

/// Refuses columns that a table does not have; a late-binding view has none to name.
fn check_columns(relation: &Relation, columns: &[(Option<Privilege>, Vec<String>)]) -> Result<()> {
    let known = |name: &String| match relation {
        Relation::Managed(table) => table.columns.iter().any(|column| column.name == *name),
        Relation::Foreign(table) => table.columns().field_with_name(name).is_ok(),
        Relation::Catalog(table) => {
            table.storage.columns.iter().chain(&table.partition_keys).any(|column| column.name == *name)
        }
    };
    match columns.iter().flat_map(|(_, names)| names).find(|name| !known(name)) {
        Some(name) => Err(Error::new(ErrorKind::UndefinedColumn, format!("column \"{name}\" does not exist"))),
        None => Ok(()),
    }
}

/// The one language that functions are written in.
const LANGUAGE: &str = "sql";

/// The objects of a GRANT with their owners.
pub(super) async fn securables(context: &Context, change: &PrivilegesChange) -> Result<Vec<(Securable, String)>> {
    let snapshot = context.snapshot().await?;
    let mut found = Vec::new();
    match &change.objects {
        GrantObjects::Tables(names) => {
            for name in names {
                let relation = resolve::find_relation(context, name).await?;
                let (schema, table, owner) = match &relation {
                    Relation::Managed(table) => {
                        (table.schema.clone(), table.name.clone(), table.attributes.owner.clone())
                    }
                    Relation::Catalog(table) => (table.database.clone(), table.name.clone(), table.owner.clone()),
                    Relation::Foreign(table) => {
                        let owner = resolve::owner_of_foreign(&snapshot, table);
                        (table.schema.clone(), table.name.clone(), owner)
                    }
                };
                check_columns(&relation, &change.columns)?;
                found.push((Securable::Table(schema, table), owner.unwrap_or_else(|| ADMIN.to_owned())));
            }
        }
        GrantObjects::AllTables(schemas) => {
            let all = crate::system::relations(context).await?;
            for name in schemas {
                let database =
                    snapshot.resolve_schema(name).ok_or_else(|| resolve::unknown_database(&snapshot, name))?;
                if Definition::kind_of(database).is_some() {
                    let owner = snapshot.principals().schema_owners.get(&database.name).map_or(ADMIN, String::as_str);
                    let names = context.sources().names(database).await?;
                    found.extend(
                        names
                            .iter()
                            .map(|table| (Securable::Table(database.name.clone(), table.clone()), owner.to_owned())),
                    );
                }
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
        GrantObjects::Functions(names) => {
            for name in names {
                let (schema, function) = function::find(context, name).await?;
                let owner = function.owner.clone().unwrap_or_else(|| ADMIN.to_owned());
                found.push((function.securable(&schema), owner));
            }
        }
        GrantObjects::AllFunctions(schemas) => {
            for name in schemas {
                let database =
                    snapshot.resolve_schema(name).ok_or_else(|| resolve::unknown_database(&snapshot, name))?;
                found.extend(database.functions.iter().map(|function| {
                    let owner = function.owner.clone().unwrap_or_else(|| ADMIN.to_owned());
                    (function.securable(&database.name), owner)
                }));
            }
        }
        GrantObjects::Procedures(names) => {
            let name = names.first().map(|function| function.name.parts.join(".")).unwrap_or_default();
            let message = format!("procedure {name}() does not exist");
            return Err(Error::new(ErrorKind::UndefinedFunction, message));
        }
        GrantObjects::AllProcedures(schemas) => {
            if let Some(unknown) = schemas.iter().find(|name| snapshot.resolve_schema(name).is_none()) {
                return Err(resolve::unknown_database(&snapshot, unknown));
            }
        }
        GrantObjects::Languages(names) => {
            if let Some(name) = names.iter().find(|name| *name != LANGUAGE) {
                return Err(unknown("language", name));
            }
            found.push((Securable::Language(LANGUAGE.to_owned()), ADMIN.to_owned()));
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

/// Whether an object is this one, or one of the columns that this one stands for.
fn is_of(object: &Securable, this: &Securable) -> bool {
    match (object, this) {
        (Securable::Column(schema, table, _), Securable::Column(of, name, column)) if column == EVERY_COLUMN => {
            (schema, table) == (of, name)
        }
        _ => object == this,
    }
}

/// Gives or takes rights; who is neither owner nor superuser needs the grant option of each.
pub(super) fn privileges(
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
    for (whole, owner) in objects {
        let all = principals.is_superuser(user) || owner == user;
        for (object, privilege) in targets(change, whole)? {
            let may = all
                || principals.grants.iter().any(|grant| {
                    (grant.object == object || grant.object == *whole)
                        && grant.privilege == privilege
                        && grant.grant_option
                        && identities.contains(&grant.grantee)
                });
            if !may {
                let (kind, name) = shown(whole);
                return Err(rights::denied(kind, name));
            }
            for grantee in &change.grantees {
                let same = |grant: &Grant| {
                    is_of(&grant.object, &object) && grant.privilege == privilege && grant.grantee == *grantee
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
                if *grantee == Grantee::Public && object.right_of_all() == Some(privilege) {
                    match (change.grant, change.option) {
                        (true, _) => principals.withheld.remove(&object),
                        (false, false) => principals.withheld.insert(object.clone()),
                        (false, true) => false,
                    };
                }
            }
        }
    }
    Ok(())
}

/// Changes what is given on tables or functions that will be made.
pub(super) fn defaults(
    principals: &mut Principals,
    creators: &[String],
    schemas: &[String],
    change: &PrivilegesChange,
) -> Result<()> {
    check_grantees(principals, &change.grantees)?;
    let places: Vec<Option<String>> =
        if schemas.is_empty() { vec![None] } else { schemas.iter().cloned().map(Some).collect() };
    let (objects, any) = match change.objects {
        GrantObjects::Functions(_) => {
            (DefaultObjects::Functions, Securable::Function(String::new(), String::new(), Vec::new()))
        }
        _ => (DefaultObjects::Tables, Securable::Table(String::new(), String::new())),
    };
    let privileges = wanted(change, &any)?;
    for creator in creators {
        known_user(principals, creator)?;
        for schema in &places {
            for &privilege in &privileges {
                for grantee in &change.grantees {
                    principals.defaults.retain(|default| {
                        default.creator != *creator
                            || default.objects != objects
                            || default.schema != *schema
                            || default.privilege != privilege
                            || default.grantee != *grantee
                    });
                    // What everybody has of functions from the start is given and taken for all schemas only, as in
                    // PostgreSQL.
                    if *grantee == Grantee::Public && any.right_of_all() == Some(privilege) && schema.is_none() {
                        if change.grant {
                            principals.withholding.remove(creator);
                        } else if !change.option {
                            principals.withholding.insert(creator.clone());
                        }
                    }
                    if change.grant || change.option {
                        principals.defaults.insert(DefaultGrant {
                            creator: creator.clone(),
                            objects,
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
