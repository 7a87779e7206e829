//! Snapshots by name: `CREATE SNAPSHOT`, `DROP SNAPSHOT`, `RESTORE TABLE`.

use crate::error::Result;
use crate::sql::cursor::Cursor;
use crate::sql::{RestoreTable, Statement};

/// `CREATE SNAPSHOT name`
pub(super) fn create(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("CREATE SNAPSHOT")?;
    Ok(Statement::CreateSnapshot(cursor.identifier()?))
}

/// `DROP SNAPSHOT [IF EXISTS] name`
pub(super) fn drop(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("DROP SNAPSHOT")?;
    let if_exists = cursor.eat("IF EXISTS");
    Ok(Statement::DropSnapshot { name: cursor.identifier()?, if_exists })
}

/// `RESTORE TABLE t FROM SNAPSHOT s AS u`
pub(super) fn restore(cursor: &mut Cursor) -> Result<Statement> {
    cursor.expect("RESTORE TABLE")?;
    let table = cursor.object_name()?;
    cursor.expect("FROM SNAPSHOT")?;
    let snapshot = cursor.identifier()?;
    cursor.expect("AS")?;
    Ok(Statement::RestoreTable(RestoreTable { table, snapshot, restored: cursor.object_name()? }))
}
