//! `CREATE EXTERNAL SCHEMA … FROM KINESIS|DYNAMODB|OPENSEARCH|ELASTICSEARCH`: a schema over a foreign system.

use crate::error::{Error, ErrorKind, Result};
use crate::sql::cursor::Cursor;
use crate::sql::{Statement, refuse};
use millrace_catalog::model::Parameters;
use sqlparser::tokenizer::Token;

/// The systems that a schema can be made over.
const KINDS: [&str; 4] = ["KINESIS", "DYNAMODB", "OPENSEARCH", "ELASTICSEARCH"];

/// Clauses that other external schemas have.
const UNSUPPORTED: [&str; 8] =
    ["AUTHENTICATION", "CATALOG_ROLE", "CLUSTER_ARN", "CREATE", "DATABASE", "SCHEMA", "SECRET_ARN", "URI"];

/// `CREATE EXTERNAL SCHEMA [IF NOT EXISTS] name FROM kind …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateConnectorSchema {
    /// The schema's name.
    pub name: String,
    /// Do nothing when it exists.
    pub if_not_exists: bool,
    /// The kind of system, in lower case.
    pub kind: String,
    /// What reaches it: `endpoint`, `region`, `iam_role`, `user`, `password` and those of `OPTIONS`, names in lower
    /// case. They may be secrets.
    pub options: Parameters,
}

/// The rest of the statement after `FROM`, when what comes next is a foreign system:
/// `kind ['endpoint'] [ENDPOINT 'e'] [REGION 'r'] [IAM_ROLE default|'arn'] [USER 'u'] [PASSWORD 'p'] [OPTIONS (name 'value', …)]`
pub(super) fn parse(cursor: &mut Cursor, name: &str, if_not_exists: bool) -> Result<Option<Statement>> {
    let Some(kind) = KINDS.into_iter().find(|kind| cursor.at(kind)) else { return Ok(None) };
    cursor.advance();
    let mut options = Parameters::new();
    if matches!(cursor.peek(), Token::SingleQuotedString(_)) {
        options.insert("endpoint".to_owned(), cursor.string()?);
    }
    while !cursor.at_end() {
        let position = cursor.position();
        if cursor.eat("OPTIONS") {
            for (position, name, value) in cursor.list(option)? {
                add(&mut options, name, value, position)?;
            }
            continue;
        }
        let known = ["ENDPOINT", "REGION", "IAM_ROLE", "USER", "PASSWORD"].into_iter().find(|known| cursor.at(known));
        let Some(known) = known else {
            let error = refuse::option(cursor, &format!("CREATE EXTERNAL SCHEMA … FROM {kind} …"), &UNSUPPORTED);
            return Err(error.unwrap_or_else(|| cursor.syntax_error("an option of CREATE EXTERNAL SCHEMA")));
        };
        cursor.advance();
        let is_default = known == "IAM_ROLE" && cursor.eat("DEFAULT");
        let value = if is_default { "default".to_owned() } else { cursor.string()? };
        add(&mut options, known.to_lowercase(), value, position)?;
    }
    let (name, kind) = (name.to_owned(), kind.to_lowercase());
    Ok(Some(Statement::CreateConnectorSchema(CreateConnectorSchema { name, if_not_exists, kind, options })))
}

/// `name 'value'`, and where it stands. Names are known in any case, also in quotes.
fn option(cursor: &mut Cursor) -> Result<(usize, String, String)> {
    let position = cursor.position();
    let name = cursor.identifier()?.to_ascii_lowercase();
    Ok((position, name, cursor.string()?))
}

fn add(options: &mut Parameters, name: String, value: String, position: usize) -> Result<()> {
    if options.insert(name, value).is_some() {
        return Err(Error::new(ErrorKind::Syntax, "conflicting or redundant options").with_position(position));
    }
    Ok(())
}
