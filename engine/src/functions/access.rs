//! `has_table_privilege` and its kin: what a user may do, asked in a query.

use super::catalog::relation;
use super::routines;
use super::system::Definition;
use crate::error::{Error, ErrorKind, Result};
use crate::resolve::rights;
use crate::system::{self, Facts, Kind, Relation, Value};
use millrace_catalog::model::{ADMIN, Grantee, Privilege, Securable};

/// The user asked for and the arguments after it: `f([user,] object, privilege)`.
fn user_and_rest<'a>(facts: &'a Facts, args: &'a [Value], most: usize) -> Result<Option<(String, &'a [Value])>> {
    if args.contains(&Value::Null) {
        return Ok(None);
    }
    if args.len() < most {
        return Ok(Some((facts.who.user.clone(), args)));
    }
    let principals = facts.snapshot.principals();
    let user = match &args[0] {
        Value::Text(name) => principals.users.contains_key(name).then(|| name.clone()),
        Value::Int(id) => {
            principals.users.iter().find(|(_, user)| i64::from(user.id) == *id).map(|(name, _)| name.clone())
        }
        _ => None,
    };
    match user {
        Some(user) => Ok(Some((user, &args[1..]))),
        None => Err(Error::new(ErrorKind::UndefinedObject, "user does not exist")),
    }
}

/// The privileges of a list such as `select, insert with grant option`.
pub(super) fn privileges(written: Option<&Value>) -> Result<Vec<Privilege>> {
    let Some(Value::Text(list)) = written else { return Ok(Vec::new()) };
    let each = list.split(',').map(|word| {
        let word = word.trim().to_uppercase();
        let word = word.trim_end_matches(" WITH GRANT OPTION").trim();
        let word = match word {
            "TEMP" => "TEMPORARY",
            // PostgreSQL's word for what Redshift calls USAGE of a database.
            "CONNECT" => "USAGE",
            word => word,
        };
        Privilege::ALL.into_iter().find(|known| known.name() == word).ok_or_else(|| unrecognized(word))
    });
    each.collect()
}

fn unrecognized(right: &str) -> Error {
    Error::new(ErrorKind::InvalidParameter, format!("unrecognized privilege type: \"{right}\""))
}

/// Refuses rights that a kind of object has not, but this one.
fn check_only(wanted: &[Privilege], right: Privilege) -> Result<()> {
    match wanted.iter().find(|wanted| **wanted != right) {
        Some(other) => Err(unrecognized(other.name())),
        None => Ok(()),
    }
}

/// `has_function_privilege([user,] function, 'execute')`: by its number, or as `s.f(int)`. What is always there everybody may
/// call.
fn function(facts: &Facts, args: &[Value]) -> Result<Value> {
    let Some((user, rest)) = user_and_rest(facts, args, 3)? else { return Ok(Value::Null) };
    check_only(&privileges(rest.get(1))?, Privilege::Execute)?;
    let snapshot = &facts.snapshot;
    let found = match rest.first() {
        Some(Value::Text(written)) => routines::of_text(facts, written)?,
        Some(Value::Int(number)) => match system::users_function(snapshot, *number) {
            Some((schema, function)) => Some((schema.as_str(), function)),
            None if system::function_name(snapshot, &facts.path, *number).is_some() => None,
            None => return Ok(Value::Null),
        },
        _ => return Ok(Value::Null),
    };
    let principals = snapshot.principals();
    let may = found.is_none_or(|(schema, function)| rights::may_execute(principals, &user, schema, function));
    Ok(Value::Bool(may))
}

/// `has_language_privilege([user,] language, 'usage')`, by its name or its number in `pg_language`.
fn language(facts: &Facts, args: &[Value]) -> Result<Value> {
    let Some((user, rest)) = user_and_rest(facts, args, 3)? else { return Ok(Value::Null) };
    check_only(&privileges(rest.get(1))?, Privilege::Usage)?;
    let known = [(12, "internal"), (14, "sql")];
    let name = match rest.first() {
        Some(Value::Text(name)) => match known.iter().find(|(_, known)| *known == name.to_lowercase()) {
            Some((_, known)) => *known,
            None => {
                let message = format!("language \"{name}\" does not exist");
                return Err(Error::new(ErrorKind::UndefinedObject, message));
            }
        },
        Some(Value::Int(number)) => match known.iter().find(|(known, _)| known == number) {
            Some((_, known)) => *known,
            None => return Ok(Value::Null),
        },
        _ => return Ok(Value::Null),
    };
    let object = Securable::Language(name.to_owned());
    Ok(Value::Bool(rights::may(facts.snapshot.principals(), &user, &object, ADMIN, Privilege::Usage)))
}

fn table(facts: &Facts, args: &[Value]) -> Result<Value> {
    let Some((user, rest)) = user_and_rest(facts, args, 3)? else { return Ok(Value::Null) };
    let wanted = privileges(rest.get(1))?;
    let principals = facts.snapshot.principals();
    let Some(found) = relation(facts, rest, 0) else {
        let is_system = match rest.first() {
            Some(Value::Text(name)) => {
                let (schema, name) = name.split_once('.').map_or((None, name.as_str()), |(s, t)| (Some(s), t));
                system::find(schema, name).is_some()
            }
            Some(Value::Int(oid)) => system::all().any(|table| system::table_oid(table) == *oid),
            _ => false,
        };
        if is_system {
            return Ok(Value::Bool(wanted.contains(&Privilege::Select)));
        }
        return match rest.first() {
            Some(Value::Text(name)) => {
                Err(Error::new(ErrorKind::UndefinedTable, format!("relation \"{name}\" does not exist")))
            }
            _ => Ok(Value::Null),
        };
    };
    let object = Securable::Table(found.schema.clone(), found.name.clone());
    Ok(Value::Bool(wanted.iter().any(|right| rights::may(principals, &user, &object, &found.owner, *right))))
}

fn schema(facts: &Facts, args: &[Value]) -> Result<Value> {
    let Some((user, rest)) = user_and_rest(facts, args, 3)? else { return Ok(Value::Null) };
    let name = match rest.first() {
        Some(Value::Text(name)) => name.clone(),
        Some(Value::Int(oid)) => {
            let mut names = crate::resolve::schema_names(&facts.snapshot);
            match names.find(|name| system::schema_oid(name) == *oid) {
                Some(name) => name.to_owned(),
                None if [system::PG_CATALOG, system::INFORMATION_SCHEMA]
                    .iter()
                    .any(|name| system::schema_oid(name) == *oid) =>
                {
                    system::PG_CATALOG.to_owned()
                }
                None => return Ok(Value::Null),
            }
        }
        _ => return Ok(Value::Null),
    };
    let wanted = privileges(rest.get(1))?;
    if system::is_schema(&name) {
        return Ok(Value::Bool(wanted.contains(&Privilege::Usage)));
    }
    if facts.snapshot.resolve_schema(&name).is_none() {
        return Err(Error::new(ErrorKind::UndefinedSchema, format!("schema \"{name}\" does not exist")));
    }
    let principals = facts.snapshot.principals();
    Ok(Value::Bool(wanted.iter().any(|right| rights::may_on_schema(principals, &user, &name, *right))))
}

fn database(facts: &Facts, args: &[Value]) -> Result<Value> {
    let Some((user, rest)) = user_and_rest(facts, args, 3)? else { return Ok(Value::Null) };
    let principals = facts.snapshot.principals();
    let wanted = privileges(rest.get(1))?;
    Ok(Value::Bool(wanted.iter().any(|right| rights::may_on_database(principals, &user, *right))))
}

const fn define(name: &'static str, call: fn(&Facts, &[Value]) -> Result<Value>) -> Definition {
    Definition { name, gives: |_| Kind::Bool, call }
}

/// `has_column_privilege([user,] table, column, privilege)`: through the table or by itself.
fn column(facts: &Facts, args: &[Value]) -> Result<Value> {
    let Some((user, rest)) = user_and_rest(facts, args, 4)? else { return Ok(Value::Null) };
    let wanted = privileges(rest.get(2))?;
    let Some(found) = relation(facts, rest, 0) else {
        return table(facts, &[Value::Text(user), rest[0].clone(), rest.get(2).cloned().unwrap_or(Value::Null)]);
    };
    let named = match rest.get(1) {
        Some(Value::Text(name)) => found.columns.iter().find(|column| column.name == *name),
        Some(Value::Int(number)) => found.columns.iter().find(|column| column.number == *number),
        _ => None,
    };
    let Some(named) = named else {
        let message = format!("column of relation \"{}\" does not exist", found.name);
        return Err(Error::new(ErrorKind::UndefinedColumn, message));
    };
    Ok(Value::Bool(wanted.iter().any(|right| {
        may_read(facts, &user, found, *right)
            || facts
                .snapshot
                .principals()
                .granted_columns(&user, (&found.schema, &found.name), *right)
                .contains(&named.name)
    })))
}

fn may_read(facts: &Facts, user: &str, found: &Relation, right: Privilege) -> bool {
    let object = Securable::Table(found.schema.clone(), found.name.clone());
    rights::may(facts.snapshot.principals(), user, &object, &found.owner, right)
}

/// `has_any_column_privilege([user,] table, privilege)`
fn any_column(facts: &Facts, args: &[Value]) -> Result<Value> {
    let Some((user, rest)) = user_and_rest(facts, args, 3)? else { return Ok(Value::Null) };
    let Some(found) = relation(facts, rest, 0) else { return table(facts, args) };
    let wanted = privileges(rest.get(1))?;
    Ok(Value::Bool(wanted.iter().any(|right| {
        may_read(facts, &user, found, *right)
            || !facts.snapshot.principals().granted_columns(&user, (&found.schema, &found.name), *right).is_empty()
    })))
}

/// Refuses to tell of another user but to superusers.
fn check_may_ask(facts: &Facts, user: &str) -> Result<()> {
    let own = &facts.who.user;
    if user == own || facts.snapshot.principals().is_superuser(own) {
        return Ok(());
    }
    let message = format!("permission denied to see what user \"{user}\" is a member of");
    Err(Error::new(ErrorKind::InsufficientPrivilege, message))
}

pub(super) const FUNCTIONS: &[Definition] = &[
    define("has_column_privilege", column),
    define("has_any_column_privilege", any_column),
    define("has_function_privilege", function),
    define("has_language_privilege", language),
    define("has_table_privilege", table),
    define("has_schema_privilege", schema),
    define("has_database_privilege", database),
    define("user_is_member_of", |facts, args| {
        let [Value::Text(user), Value::Text(of)] = args else { return Ok(Value::Null) };
        let principals = facts.snapshot.principals();
        check_may_ask(facts, user)?;
        let known = principals.roles.contains_key(of) || principals.groups.contains_key(of);
        if !principals.users.contains_key(user) || !known {
            let missing = if known { format!("user \"{user}\"") } else { format!("role or group \"{of}\"") };
            return Err(Error::new(ErrorKind::UndefinedObject, format!("{missing} does not exist")));
        }
        let identities = principals.identities(user);
        let (role, group) = (Grantee::Role(of.clone()), Grantee::Group(of.clone()));
        Ok(Value::Bool(identities.contains(&role) || identities.contains(&group)))
    }),
    define("role_is_member_of", |facts, args| {
        let [Value::Text(role), Value::Text(of)] = args else { return Ok(Value::Null) };
        let principals = facts.snapshot.principals();
        if let Some(missing) = [role, of].into_iter().find(|role| !principals.roles.contains_key(*role)) {
            return Err(Error::new(ErrorKind::UndefinedObject, format!("role \"{missing}\" does not exist")));
        }
        Ok(Value::Bool(role != of && principals.roles_of(role).contains(&Grantee::Role(of.clone()))))
    }),
    define("pg_has_role", |facts, args| {
        let Some((user, rest)) = user_and_rest(facts, args, 3)? else { return Ok(Value::Null) };
        let principals = facts.snapshot.principals();
        let has = match rest.first() {
            Some(Value::Text(role)) => {
                let role = Grantee::Role(role.clone());
                principals.is_superuser(&user) || principals.identities(&user).contains(&role)
            }
            _ => principals.is_superuser(&user),
        };
        Ok(Value::Bool(has))
    }),
];
