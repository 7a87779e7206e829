//! `GRANT`, `REVOKE`, `ALTER DEFAULT PRIVILEGES`, `ALTER SCHEMA … OWNER TO`.

use super::user::{names, user_names};
use crate::error::Result;
use crate::sql::cursor::Cursor;
use crate::sql::{FunctionName, GrantObjects, PrincipalStatement, PrivilegesChange, Statement, function, refuse};
use millrace_catalog::model::{Grantee, Privilege};
use sqlparser::tokenizer::Token;

/// What else may be granted on, in Redshift.
const REFUSED_OBJECTS: &[&str] = &["MODEL", "EXTERNAL", "DATASHARE", "JOB", "COPY JOB", "TEMPLATE", "RLS POLICY"];

/// The statement when it is one of these; `None` leaves it to others.
pub(super) fn statement(cursor: &mut Cursor) -> Option<Result<Statement>> {
    let statement = match cursor.peek_word()?.as_str() {
        "GRANT" => change(cursor, true),
        "REVOKE" => change(cursor, false),
        "ALTER" if cursor.at("ALTER DEFAULT PRIVILEGES") => default_privileges(cursor),
        "ALTER" if cursor.at("ALTER SCHEMA") && cursor.mentions("owner") => schema_owner(cursor),
        _ => return None,
    };
    Some(statement.map(|statement| Statement::Principal(Box::new(statement))))
}

fn schema_owner(cursor: &mut Cursor) -> Result<PrincipalStatement> {
    cursor.expect("ALTER SCHEMA")?;
    let name = cursor.identifier()?;
    cursor.expect("OWNER TO")?;
    Ok(PrincipalStatement::SchemaOwner { name, owner: cursor.user_name()? })
}

fn change(cursor: &mut Cursor, grant: bool) -> Result<PrincipalStatement> {
    cursor.advance();
    if cursor.eat("ROLE") {
        let roles = names(cursor)?;
        let grantees = grantees(cursor, grant)?;
        return Ok(PrincipalStatement::Roles { grant, roles, grantees });
    }
    let option = !grant && cursor.eat("GRANT OPTION FOR");
    let (privileges, columns) = privileges(cursor)?;
    // Scoped: on all that is and will be in a schema or database.
    if let Some(error) =
        refuse::option(cursor, "GRANT …", &["FOR TABLES", "FOR SCHEMAS", "FOR FUNCTIONS", "FOR PROCEDURES"])
    {
        return Err(error);
    }
    cursor.expect("ON")?;
    let objects = objects(cursor)?;
    let grantees = grantees(cursor, grant)?;
    let option = grants_option(cursor, grant) || option;
    Ok(PrincipalStatement::Privileges(PrivilegesChange { grant, option, privileges, columns, objects, grantees }))
}

/// What stands at the end: `WITH GRANT OPTION`, or CASCADE and RESTRICT, which do the same here.
fn grants_option(cursor: &mut Cursor, grant: bool) -> bool {
    if grant {
        return cursor.eat("WITH GRANT OPTION");
    }
    let _ = cursor.eat_cascade();
    false
}

/// Rights on whole objects, `None` for ALL, and on columns.
type Privileges = (Option<Vec<Privilege>>, Vec<(Option<Privilege>, Vec<String>)>);

/// `{ALL [PRIVILEGES] | right, …} [(column, …)]`
fn privileges(cursor: &mut Cursor) -> Result<Privileges> {
    let mut columns = Vec::new();
    if cursor.eat("ALL") {
        cursor.eat("PRIVILEGES");
        return Ok(match named_columns(cursor)? {
            Some(names) => (Some(Vec::new()), vec![(None, names)]),
            None => (None, columns),
        });
    }
    let mut privileges = Vec::new();
    loop {
        let word = cursor.peek_word().unwrap_or_default();
        let word = if word == "TEMP" { "TEMPORARY" } else { word.as_str() };
        let Some(privilege) = Privilege::ALL.into_iter().find(|known| known.name() == word) else {
            let refused = &["RULE", "TRIGGER", "ASSUMEROLE", "ALTER DATASHARE", "SHARE", "EXPLAIN", "IGNORE"];
            return Err(refuse::option(cursor, "GRANT", refused).unwrap_or_else(|| cursor.syntax_error("a privilege")));
        };
        cursor.advance();
        match named_columns(cursor)? {
            Some(names) => columns.push((Some(privilege), names)),
            None => privileges.push(privilege),
        }
        if !cursor.eat_token(&Token::Comma) {
            return Ok((Some(privileges), columns));
        }
    }
}

/// `(a, b)`
fn named_columns(cursor: &mut Cursor) -> Result<Option<Vec<String>>> {
    if !cursor.eat_token(&Token::LParen) {
        return Ok(None);
    }
    let columns = names(cursor)?;
    cursor.expect_token(&Token::RParen)?;
    Ok(Some(columns))
}

/// `f([types]), g([types])`
fn functions(cursor: &mut Cursor) -> Result<Vec<FunctionName>> {
    let mut found = vec![function::named(cursor)?];
    while cursor.eat_token(&Token::Comma) {
        found.push(function::named(cursor)?);
    }
    Ok(found)
}

fn objects(cursor: &mut Cursor) -> Result<GrantObjects> {
    if cursor.eat("ALL TABLES IN SCHEMA") {
        return names(cursor).map(GrantObjects::AllTables);
    }
    if cursor.eat("ALL FUNCTIONS IN SCHEMA") {
        return names(cursor).map(GrantObjects::AllFunctions);
    }
    if cursor.eat("ALL PROCEDURES IN SCHEMA") {
        return names(cursor).map(GrantObjects::AllProcedures);
    }
    // A table may have such a name.
    let names_one = |cursor: &Cursor, kind: &str| {
        let ends = ["TO", "FROM"].iter().any(|word| cursor.at(&format!("{kind} {word}")));
        cursor.at(kind) && matches!(cursor.peek_nth(1), Token::Word(_)) && !ends
    };
    if names_one(cursor, "FUNCTION") {
        cursor.advance();
        return functions(cursor).map(GrantObjects::Functions);
    }
    if names_one(cursor, "PROCEDURE") {
        cursor.advance();
        return functions(cursor).map(GrantObjects::Procedures);
    }
    if names_one(cursor, "LANGUAGE") {
        cursor.advance();
        return names(cursor).map(GrantObjects::Languages);
    }
    if cursor.eat("SCHEMA") {
        return names(cursor).map(GrantObjects::Schemas);
    }
    if cursor.eat("DATABASE") {
        return names(cursor).map(GrantObjects::Databases);
    }
    let named = !matches!(cursor.peek_nth(1), Token::Comma | Token::Period | Token::EOF) && !cursor.at("TABLE");
    if named && let Some(error) = refuse::option(cursor, "GRANT ON", REFUSED_OBJECTS) {
        return Err(error);
    }
    cursor.eat("TABLE");
    let mut tables = vec![cursor.object_name()?];
    while cursor.eat_token(&Token::Comma) {
        tables.push(cursor.object_name()?);
    }
    Ok(GrantObjects::Tables(tables))
}

/// `TO|FROM {[USER] u | GROUP g | ROLE r | PUBLIC}, …`
fn grantees(cursor: &mut Cursor, grant: bool) -> Result<Vec<Grantee>> {
    cursor.expect(if grant { "TO" } else { "FROM" })?;
    let mut grantees = Vec::new();
    loop {
        let more = !matches!(cursor.peek_nth(1), Token::Comma | Token::EOF);
        grantees.push(if cursor.eat("PUBLIC") {
            Grantee::Public
        } else if more && cursor.eat("GROUP") {
            Grantee::Group(cursor.identifier()?)
        } else if more && cursor.eat("ROLE") {
            Grantee::Role(cursor.identifier()?)
        } else {
            let _ = more && cursor.eat("USER");
            Grantee::User(cursor.user_name()?)
        });
        if !cursor.eat_token(&Token::Comma) {
            return Ok(grantees);
        }
    }
}

/// `ALTER DEFAULT PRIVILEGES [FOR USER u, …] [IN SCHEMA s, …] {GRANT … TO … | REVOKE … FROM …}`, each `ON {TABLES|FUNCTIONS}`
fn default_privileges(cursor: &mut Cursor) -> Result<PrincipalStatement> {
    cursor.expect("ALTER DEFAULT PRIVILEGES")?;
    let creators = if cursor.eat("FOR USER") || cursor.eat("FOR ROLE") { user_names(cursor)? } else { Vec::new() };
    let schemas = if cursor.eat("IN SCHEMA") { names(cursor)? } else { Vec::new() };
    let grant = cursor.eat("GRANT");
    if !grant {
        cursor.expect("REVOKE")?;
    }
    let option = !grant && cursor.eat("GRANT OPTION FOR");
    let (privileges, columns) = privileges(cursor)?;
    if !columns.is_empty() {
        return Err(cursor.unsupported("ALTER DEFAULT PRIVILEGES on columns"));
    }
    cursor.expect("ON")?;
    if let Some(error) = refuse::option(cursor, "ALTER DEFAULT PRIVILEGES … ON", &["PROCEDURES", "SCHEMAS"]) {
        return Err(error);
    }
    let objects = if cursor.eat("FUNCTIONS") {
        GrantObjects::Functions(Vec::new())
    } else {
        cursor.expect("TABLES")?;
        GrantObjects::Tables(Vec::new())
    };
    let grantees = grantees(cursor, grant)?;
    let option = grants_option(cursor, grant) || option;
    let change = PrivilegesChange { grant, option, privileges, columns, objects, grantees };
    Ok(PrincipalStatement::DefaultPrivileges { creators, schemas, change })
}
