//! `CREATE|ALTER|DROP USER|GROUP|ROLE` and `SET SESSION AUTHORIZATION`, as Redshift spells them.

use crate::error::Result;
use crate::sql::cursor::Cursor;
use crate::sql::{PrincipalStatement, Statement, UserChange, UserOptions, UserPassword, refuse};
use sqlparser::tokenizer::Token;

/// The statement when it is one of these; `None` leaves it to others.
pub(super) fn statement(cursor: &mut Cursor) -> Option<Result<Statement>> {
    let statement = match (cursor.peek_word()?.as_str(), cursor.peek_nth_word(1)?.as_str()) {
        ("CREATE", "USER") => create_user(cursor),
        ("ALTER", "USER") => alter_user(cursor),
        ("CREATE", "GROUP") => create_group(cursor),
        ("ALTER", "GROUP") => alter_group(cursor),
        ("CREATE", "ROLE") => create_role(cursor),
        ("ALTER", "ROLE") => alter_role(cursor),
        ("DROP", "USER" | "GROUP" | "ROLE") => drop(cursor),
        ("SET", "SESSION") if cursor.at("SET SESSION AUTHORIZATION") => authorization(cursor),
        ("RESET", "SESSION") if cursor.at("RESET SESSION AUTHORIZATION") => {
            cursor.expect("RESET SESSION AUTHORIZATION").map(|()| PrincipalStatement::Authorization(None))
        }
        _ => return None,
    };
    Some(statement.map(|statement| Statement::Principal(Box::new(statement))))
}

/// `a, b, …`
pub(super) fn names(cursor: &mut Cursor) -> Result<Vec<String>> {
    let mut names = vec![cursor.identifier()?];
    while cursor.eat_token(&Token::Comma) {
        names.push(cursor.identifier()?);
    }
    Ok(names)
}

/// The same of users, in quotes in their case.
pub(super) fn user_names(cursor: &mut Cursor) -> Result<Vec<String>> {
    let mut names = vec![cursor.user_name()?];
    while cursor.eat_token(&Token::Comma) {
        names.push(cursor.user_name()?);
    }
    Ok(names)
}

fn create_user(cursor: &mut Cursor) -> Result<PrincipalStatement> {
    cursor.expect("CREATE USER")?;
    let name = cursor.user_name()?;
    cursor.eat("WITH");
    let options = options(cursor)?;
    if options.password.is_none() {
        return Err(cursor.syntax_error("PASSWORD"));
    }
    Ok(PrincipalStatement::CreateUser { name, options })
}

fn alter_user(cursor: &mut Cursor) -> Result<PrincipalStatement> {
    cursor.expect("ALTER USER")?;
    let name = cursor.user_name()?;
    cursor.eat("WITH");
    let change = if cursor.eat("RENAME TO") {
        UserChange::Rename(cursor.user_name()?)
    } else if cursor.eat("SET") {
        let setting = super::session::setting_name(cursor)?;
        if !cursor.eat_token(&Token::Eq) {
            cursor.expect("TO")?;
        }
        let value = if cursor.eat("DEFAULT") { None } else { Some(super::session::values(cursor)?) };
        UserChange::Set(setting, value)
    } else if cursor.eat("RESET SESSION TIMEOUT") {
        UserChange::Options(Box::new(UserOptions { session_timeout_sec: Some(None), ..UserOptions::default() }))
    } else if cursor.eat("RESET") {
        UserChange::Set(super::session::setting_name(cursor)?, None)
    } else {
        if cursor.at_end() {
            return Err(cursor.syntax_error("an option of ALTER USER"));
        }
        UserChange::Options(Box::new(options(cursor)?))
    };
    Ok(PrincipalStatement::AlterUser { name, change })
}

/// The options of CREATE and ALTER USER, in any order.
fn options(cursor: &mut Cursor) -> Result<UserOptions> {
    let mut options = UserOptions::default();
    while !cursor.at_end() {
        if cursor.eat("PASSWORD") {
            if options.password.is_some() {
                return Err(refuse::redundant(cursor));
            }
            let disable = cursor.eat("DISABLE");
            options.password = Some(if disable { UserPassword::Disable } else { UserPassword::Text(cursor.string()?) });
        } else if cursor.eat("CREATEDB") {
            options.create_database = Some(true);
        } else if cursor.eat("NOCREATEDB") {
            options.create_database = Some(false);
        } else if cursor.eat("CREATEUSER") {
            options.superuser = Some(true);
        } else if cursor.eat("NOCREATEUSER") {
            options.superuser = Some(false);
        } else if cursor.eat("SYSLOG ACCESS") {
            options.syslog_unrestricted = Some(cursor.eat("UNRESTRICTED"));
            if options.syslog_unrestricted == Some(false) {
                cursor.expect("RESTRICTED")?;
            }
        } else if cursor.eat("IN GROUP") {
            options.groups = names(cursor)?;
        } else if cursor.eat("VALID UNTIL") {
            options.valid_until = Some(cursor.string()?);
        } else if cursor.eat("CONNECTION LIMIT") {
            options.connection_limit = Some(if cursor.eat("UNLIMITED") {
                None
            } else {
                let number = cursor.optional_number().and_then(|number| number.parse().ok());
                Some(number.ok_or_else(|| cursor.syntax_error("a number or UNLIMITED"))?)
            });
        } else if cursor.eat("SESSION TIMEOUT") {
            let number = cursor.optional_number().and_then(|number| number.parse().ok());
            options.session_timeout_sec = Some(Some(number.ok_or_else(|| cursor.syntax_error("a number of seconds"))?));
        } else if cursor.eat("EXTERNALID") {
            // Its case counts where it is quoted.
            options.external_id = Some(match cursor.optional_string() {
                Some(id) => id,
                None => cursor.identifier()?,
            });
        } else {
            return Err(cursor.syntax_error("an option of a user"));
        }
    }
    Ok(options)
}

fn create_group(cursor: &mut Cursor) -> Result<PrincipalStatement> {
    cursor.expect("CREATE GROUP")?;
    let name = cursor.identifier()?;
    cursor.eat("WITH");
    let members = if cursor.eat("USER") { user_names(cursor)? } else { Vec::new() };
    Ok(PrincipalStatement::CreateGroup { name, members })
}

fn alter_group(cursor: &mut Cursor) -> Result<PrincipalStatement> {
    cursor.expect("ALTER GROUP")?;
    let name = cursor.identifier()?;
    if cursor.eat("RENAME TO") {
        return Ok(PrincipalStatement::RenameGroup { name, to: cursor.identifier()? });
    }
    let add = cursor.eat("ADD USER");
    if !add {
        cursor.expect("DROP USER")?;
    }
    Ok(PrincipalStatement::ChangeGroup { name, add, members: user_names(cursor)? })
}

fn create_role(cursor: &mut Cursor) -> Result<PrincipalStatement> {
    cursor.expect("CREATE ROLE")?;
    let name = cursor.identifier()?;
    match refuse::option(cursor, "CREATE ROLE …", &["EXTERNALID"]) {
        Some(error) => Err(error),
        None => Ok(PrincipalStatement::CreateRole(name)),
    }
}

fn alter_role(cursor: &mut Cursor) -> Result<PrincipalStatement> {
    cursor.expect("ALTER ROLE")?;
    let name = cursor.identifier()?;
    cursor.eat("WITH");
    if cursor.eat("OWNER TO") {
        return Ok(PrincipalStatement::RoleOwner { name, owner: cursor.user_name()? });
    }
    cursor.expect("RENAME TO")?;
    Ok(PrincipalStatement::RenameRole { name, to: cursor.identifier()? })
}

fn drop(cursor: &mut Cursor) -> Result<PrincipalStatement> {
    cursor.expect("DROP")?;
    let kind = cursor.peek_word().unwrap_or_default();
    cursor.advance();
    let if_exists = cursor.eat("IF EXISTS");
    let names = if kind == "USER" { user_names(cursor)? } else { names(cursor)? };
    Ok(match kind.as_str() {
        "USER" => PrincipalStatement::DropUsers { names, if_exists },
        "GROUP" => PrincipalStatement::DropGroups { names, if_exists },
        _ => {
            let force = cursor.eat("FORCE");
            let _ = !force && cursor.eat("RESTRICT");
            PrincipalStatement::DropRoles { names, if_exists, force }
        }
    })
}

/// `SET SESSION AUTHORIZATION {user|'user'|DEFAULT}`
fn authorization(cursor: &mut Cursor) -> Result<PrincipalStatement> {
    cursor.expect("SET SESSION AUTHORIZATION")?;
    if cursor.eat("DEFAULT") {
        return Ok(PrincipalStatement::Authorization(None));
    }
    let user = match cursor.optional_string() {
        Some(user) => user,
        None => cursor.user_name()?,
    };
    Ok(PrincipalStatement::Authorization(Some(user)))
}
