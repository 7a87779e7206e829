//! `CREATE VIEW`.

use crate::error::Result;
use crate::sql::cursor::Cursor;
use crate::sql::{CreateView, Statement, refuse};
use sqlparser::tokenizer::Token;

/// `CREATE [OR REPLACE] VIEW [IF NOT EXISTS] v [(columns)] [COMMENT '…'] AS query [WITH NO SCHEMA BINDING]`
pub(super) fn create(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("CREATE")?;
    let or_replace = cursor.eat("OR REPLACE");
    cursor.expect("VIEW")?;
    let if_not_exists = cursor.if_not_exists();
    let name = cursor.object_name()?;
    let columns = if *cursor.peek() == Token::LParen { cursor.list(Cursor::identifier)? } else { Vec::new() };
    let comment = if cursor.eat("COMMENT") { Some(cursor.string()?) } else { None };
    if let Some(error) = refuse::option(cursor, "CREATE VIEW …", &["SECURITY", "TBLPROPERTIES", "PARTITIONED"]) {
        return Err(error);
    }
    cursor.expect("AS")?;
    let (query, text) = cursor.query()?;
    let late_binding = cursor.eat("WITH NO SCHEMA BINDING");
    Ok(Statement::CreateView(Box::new(CreateView {
        name,
        or_replace,
        if_not_exists,
        columns,
        query_text: text.to_owned(),
        query,
        late_binding,
        comment,
    })))
}
