//! Owners of tables, views and functions as users come and go. Ownership is by name, so what a user owns follows the user to
//! another name, a user who owns something stays, and nothing new belongs to a name that nobody has.

use super::connection::{Lease, Write};
use super::databases::{all_databases, update_database};
use super::document::{TableRow, decode_table, encode};
use super::principals;
use super::sql::sql;
use super::tables::{change, qualified};
use crate::error::{CatalogError, Result};
use crate::manifest::{change_owner, forget_owner, owned_by};
use crate::model::{ADMIN, Principals, SqlFunction, Table, TableKind};

/// Keeps owners true when users are renamed, which their numbers tell, or dropped; `after` is stored already.
///
/// # Errors
/// [`CatalogError::OwnsObjects`] for a dropped user who owns something.
pub(super) async fn follow_users(write: &mut Write<'_>, before: &Principals, after: &Principals) -> Result<()> {
    for (name, user) in before.users.iter().filter(|(name, _)| !after.users.contains_key(*name)) {
        match after.users.iter().find(|(_, now)| now.id == user.id) {
            Some((now, _)) => rename(write, name, now).await?,
            None => release(write, name).await?,
        }
    }
    Ok(())
}

/// Refuses what would belong to a user who has gone since it was made.
pub(crate) async fn check_owner(write: &mut Write<'_>, owner: Option<&String>) -> Result<()> {
    match owner {
        Some(owner) if owner != ADMIN && !principals::load(write).await?.users.contains_key(owner) => {
            Err(CatalogError::not_found("user", owner))
        }
        _ => Ok(()),
    }
}

async fn rename(write: &mut Write<'_>, from: &str, to: &str) -> Result<()> {
    for table in views_of(write, from).await? {
        change(write, &table, Table { owner: Some(to.to_owned()), ..table.clone() }).await?;
    }
    for mut database in all_databases(write).await? {
        let owned = |function: &&mut SqlFunction| function.owner.as_deref() == Some(from);
        let mut changed = false;
        for function in database.functions.iter_mut().filter(owned) {
            function.owner = Some(to.to_owned());
            changed = true;
        }
        if changed {
            update_database(write, &database).await?;
        }
    }
    rewrite_versions(write, from, Some(to)).await?;
    change_owner(write, from, to).await
}

async fn release(write: &mut Write<'_>, user: &str) -> Result<()> {
    let managed = owned_by(write, user).await?;
    let mut objects: Vec<String> =
        managed.iter().map(|table| format!("owner of table {}", qualified(&table.schema, &table.name))).collect();
    objects.extend(views_of(write, user).await?.iter().map(|table| {
        let kind = if table.kind == TableKind::ExternalTable { "external table" } else { "view" };
        format!("owner of {kind} {}", qualified(&table.database, &table.name))
    }));
    for database in all_databases(write).await? {
        let owned = database.functions.iter().filter(|function| function.owner.as_deref() == Some(user));
        objects.extend(owned.map(|function| format!("owner of function {}.{}", database.name, function.signature())));
    }
    if !objects.is_empty() {
        return Err(CatalogError::OwnsObjects { user: user.to_owned(), objects });
    }
    rewrite_versions(write, user, None).await?;
    forget_owner(write, user).await
}

/// The views and external tables that a user owns.
async fn views_of(lease: &mut Lease<'_>, user: &str) -> Result<Vec<Table>> {
    // Those that have an owner at all: which one is read from the document.
    let query = "SELECT id, database_name, name, version, document FROM millrace_table \
                 WHERE document LIKE '%\"owner\":%' ORDER BY database_name, name";
    let rows: Vec<TableRow> = lease.all(sql(query)).await?;
    let tables = rows.into_iter().map(|row| decode_table(lease.place(), row));
    let owned = |table: &Result<Table>| table.as_ref().map_or(true, |table| table.owner.as_deref() == Some(user));
    tables.filter(owned).collect()
}

/// Gives the earlier definitions that a user owned another owner or none.
async fn rewrite_versions(write: &mut Write<'_>, user: &str, owner: Option<&str>) -> Result<()> {
    let query = "SELECT table_id, database_name, name, version, document FROM millrace_table_version \
                 WHERE document LIKE '%\"owner\":%'";
    let rows: Vec<TableRow> = write.all(sql(query)).await?;
    for row in rows {
        let table = decode_table(write.place(), row)?;
        if table.owner.as_deref() == Some(user) {
            let (id, version) = (table.id, table.version);
            let document = encode(&Table { owner: owner.map(str::to_owned), ..table })?;
            let query = "UPDATE millrace_table_version SET document = $1 WHERE table_id = $2 AND version = $3";
            write.execute(sql(query).bind(document).bind(id).bind(version)).await?;
        }
    }
    Ok(())
}
