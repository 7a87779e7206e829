//! `CREATE`, `ALTER`, `REFRESH` and `DROP MATERIALIZED VIEW`.

use crate::error::Result;
use crate::sql::cursor::Cursor;
use crate::sql::{CreateTable, ObjectName, ParsedStatement, Statement, managed_table, refuse};
use sqlparser::tokenizer::Token;

/// A statement over materialized views.
#[derive(Debug, Clone)]
pub enum MaterializedViewStatement {
    /// `CREATE MATERIALIZED VIEW name [BACKUP …] [table attributes] [AUTO REFRESH YES|NO] AS query`
    Create {
        /// The table that holds its rows: name, attributes and query.
        table: Box<CreateTable>,
        /// The query as text, for the catalog.
        text: String,
        /// Whether it is refreshed by itself.
        auto_refresh: bool,
    },
    /// `ALTER MATERIALIZED VIEW name AUTO REFRESH YES|NO`
    Alter {
        /// Which.
        name: ObjectName,
        /// Whether it is refreshed by itself from now on.
        auto_refresh: bool,
    },
    /// `REFRESH MATERIALIZED VIEW name [RESTRICT|CASCADE]`
    Refresh {
        /// Which.
        name: ObjectName,
        /// Those that it reads first.
        cascade: bool,
        /// Nobody asked for it.
        automatic: bool,
    },
    /// `DROP MATERIALIZED VIEW [IF EXISTS] name, … [CASCADE|RESTRICT]`
    Drop {
        /// Which.
        names: Vec<ObjectName>,
        /// Do nothing for those that do not exist.
        if_exists: bool,
        /// What reads them goes too.
        cascade: bool,
    },
}

impl ParsedStatement {
    /// Whether nobody asked for it: what is done while nothing runs does not wait for it.
    pub(crate) fn is_automatic(&self) -> bool {
        let Statement::MaterializedView(statement) = &self.statement else { return false };
        matches!(statement, MaterializedViewStatement::Refresh { automatic: true, .. })
    }
}

/// The statement when it is one of these; `None` leaves it to others.
pub(super) fn statement(cursor: &mut Cursor) -> Option<Result<Statement>> {
    let statement = if cursor.eat("CREATE MATERIALIZED VIEW") {
        create(cursor)
    } else if cursor.eat("ALTER MATERIALIZED VIEW") {
        alter(cursor)
    } else if cursor.eat("REFRESH MATERIALIZED VIEW") {
        refresh(cursor)
    } else if cursor.eat("DROP MATERIALIZED VIEW") {
        drop(cursor)
    } else {
        return None;
    };
    Some(statement.map(Statement::MaterializedView))
}

fn create(cursor: &mut Cursor) -> Result<MaterializedViewStatement> {
    let name = cursor.object_name()?;
    let mut table = CreateTable { name, ..CreateTable::default() };
    managed_table::attributes(cursor, &mut table)?;
    let auto_refresh = cursor.eat("AUTO REFRESH YES");
    if !auto_refresh {
        cursor.eat("AUTO REFRESH NO");
    }
    cursor.expect("AS")?;
    let (query, text) = cursor.query()?;
    let text = text.to_owned();
    table.query = Some(query);
    Ok(MaterializedViewStatement::Create { table: Box::new(table), text, auto_refresh })
}

/// What Redshift can change of a materialized view, and is not changed.
const UNCHANGED: &[&str] =
    &["ROW LEVEL SECURITY", "ALTER DISTKEY", "ALTER DISTSTYLE", "ALTER SORTKEY", "ALTER COMPOUND SORTKEY", "OWNER TO"];

fn alter(cursor: &mut Cursor) -> Result<MaterializedViewStatement> {
    let name = cursor.object_name()?;
    if let Some(error) = refuse::option(cursor, "ALTER MATERIALIZED VIEW", UNCHANGED) {
        return Err(error);
    }
    let auto_refresh = cursor.eat("AUTO REFRESH YES");
    if !auto_refresh && !cursor.eat("AUTO REFRESH NO") {
        return Err(cursor.syntax_error("AUTO REFRESH YES or AUTO REFRESH NO"));
    }
    Ok(MaterializedViewStatement::Alter { name, auto_refresh })
}

fn refresh(cursor: &mut Cursor) -> Result<MaterializedViewStatement> {
    let name = cursor.object_name()?;
    Ok(MaterializedViewStatement::Refresh { name, cascade: cursor.eat_cascade(), automatic: false })
}

fn drop(cursor: &mut Cursor) -> Result<MaterializedViewStatement> {
    let if_exists = cursor.eat("IF EXISTS");
    let mut names = vec![cursor.object_name()?];
    while cursor.eat_token(&Token::Comma) {
        names.push(cursor.object_name()?);
    }
    Ok(MaterializedViewStatement::Drop { names, if_exists, cascade: cursor.eat_cascade() })
}
