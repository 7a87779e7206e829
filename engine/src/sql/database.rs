//! `CREATE DATABASE|SCHEMA` and Redshift's `CREATE EXTERNAL SCHEMA`.

use crate::error::{Error, ErrorKind, Result};
use crate::sql::cursor::Cursor;
use crate::sql::{Collation, Names, Statement, connector_schema, refuse};
use millrace_catalog::model::Parameters;

/// `CREATE DATABASE|SCHEMA`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateDatabase {
    /// Its name.
    pub name: String,
    /// Do nothing when it exists.
    pub if_not_exists: bool,
    /// `AUTHORIZATION user`
    pub owner: Option<String>,
    /// `COMMENT '…'`
    pub comment: Option<String>,
    /// `LOCATION '…'`
    pub location: Option<String>,
    /// `WITH DBPROPERTIES (…)`
    pub properties: Parameters,
    /// `COLLATE case_sensitive|case_insensitive`
    pub collation: Option<Collation>,
}

/// `CREATE EXTERNAL SCHEMA [IF NOT EXISTS] name FROM DATA CATALOG DATABASE 'd' …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateExternalSchema {
    /// The schema's name.
    pub name: String,
    /// Do nothing when it exists.
    pub if_not_exists: bool,
    /// The catalog's database.
    pub database: String,
    /// `CREATE EXTERNAL DATABASE IF NOT EXISTS`
    pub create_database: bool,
    /// `REGION`, `IAM_ROLE`, `CATALOG_ROLE` as written, keys folded.
    pub options: Parameters,
}

/// `CREATE DATABASE|SCHEMA [IF NOT EXISTS] {name [AUTHORIZATION user] | AUTHORIZATION user} [COMMENT '…'] [LOCATION '…'] [WITH DBPROPERTIES (…)]`
pub(super) fn create(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("CREATE")?;
    cursor.advance();
    let if_not_exists = cursor.if_not_exists();
    // A schema without a name has its owner's.
    let named = !cursor.at("AUTHORIZATION");
    let name = if named { Some(cursor.database_name()?) } else { None };
    let owner = if !cursor.is_athena() && cursor.eat("AUTHORIZATION") { Some(cursor.user_name()?) } else { None };
    let of_owner = |owner: &String| match cursor.names() {
        Names::Folded => owner.to_lowercase(),
        Names::Kept => owner.clone(),
    };
    let Some(name) = name.or_else(|| owner.as_ref().map(of_owner)) else { return Err(cursor.syntax_error("a name")) };
    let (mut comment, mut location, mut properties) = (None, None, None);
    loop {
        let place = if cursor.at("COMMENT") {
            &mut comment
        } else if cursor.at("LOCATION") {
            &mut location
        } else if cursor.at("WITH DBPROPERTIES") && properties.is_none() {
            cursor.expect("WITH DBPROPERTIES")?;
            properties = Some(cursor.properties()?);
            continue;
        } else {
            break;
        };
        if place.is_some() {
            return Err(refuse::redundant(cursor));
        }
        cursor.advance();
        *place = Some(cursor.string()?);
    }
    let position = cursor.position();
    let mut collation = None;
    if !cursor.is_athena() && cursor.eat("COLLATE") {
        let name = cursor.identifier()?;
        collation = Collation::parse(&name);
        if collation.is_none() {
            let error = Error::unsupported(format!("CREATE DATABASE … COLLATE {name}")).with_position(position);
            return Err(error.with_hint("collations are case_sensitive and case_insensitive"));
        }
    }
    let options =
        &["AUTHORIZATION", "COLLATE", "CONNECTION LIMIT", "FROM", "MANAGEDLOCATION", "OWNER", "QUOTA", "WITH"];
    if let Some(error) = refuse::option(cursor, "CREATE DATABASE …", options) {
        return Err(error);
    }
    let properties = properties.unwrap_or_default();
    let create = CreateDatabase { name, if_not_exists, owner, comment, location, properties, collation };
    Ok(Statement::CreateDatabase(create))
}

/// `CREATE EXTERNAL SCHEMA [IF NOT EXISTS] name FROM DATA CATALOG DATABASE 'd' …`
pub(super) fn create_external_schema(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("CREATE EXTERNAL SCHEMA")?;
    let if_not_exists = cursor.if_not_exists();
    let name = cursor.identifier()?;
    cursor.expect("FROM")?;
    if let Some(schema) = connector_schema::parse(cursor, &name, if_not_exists)? {
        return Ok(schema);
    }
    let sources = &["HIVE METASTORE", "POSTGRES", "MYSQL", "KAFKA", "MSK", "REDSHIFT"];
    if let Some(error) = refuse::option(cursor, "CREATE EXTERNAL SCHEMA … FROM", sources) {
        return Err(error);
    }
    cursor.eat("DATA");
    cursor.expect("CATALOG")?;
    let mut database = None;
    let mut create_database = false;
    let mut options = Parameters::new();
    while !cursor.at_end() {
        let position = cursor.position();
        if cursor.eat("CREATE EXTERNAL DATABASE IF NOT EXISTS") {
            create_database = true;
            continue;
        }
        let known = ["DATABASE", "REGION", "IAM_ROLE", "CATALOG_ROLE", "CATALOG_ID"].into_iter().find(|o| cursor.at(o));
        let Some(option) = known else {
            let unsupported = &["SCHEMA", "URI", "SECRET_ARN", "AUTHENTICATION", "CLUSTER_ARN"];
            let error = refuse::option(cursor, "CREATE EXTERNAL SCHEMA …", unsupported);
            return Err(error.unwrap_or_else(|| cursor.syntax_error("an option of CREATE EXTERNAL SCHEMA")));
        };
        cursor.advance();
        let value =
            if option.ends_with("_ROLE") && cursor.eat("DEFAULT") { "default".to_owned() } else { cursor.string()? };
        let before = if option == "DATABASE" {
            database.replace(value.to_lowercase())
        } else {
            options.insert(option.to_lowercase(), value)
        };
        if before.is_some() {
            return Err(Error::new(ErrorKind::Syntax, "conflicting or redundant options").with_position(position));
        }
    }
    let database = database.ok_or_else(|| cursor.syntax_error("DATABASE"))?;
    let schema = CreateExternalSchema { name, if_not_exists, database, create_database, options };
    Ok(Statement::CreateExternalSchema(schema))
}
