//! The owners of managed tables. Ownership is by name: it follows a user to another name, in definitions of the past
//! too, and a name that nobody has any more owns nothing there.

use super::change::CommitNote;
use super::commit::Commit;
use super::definition::decode_document;
use crate::error::Result;
use crate::model::{ManagedTable, TableAttributes};
use crate::store::{Lease, Write, encode, sql};

/// Those that have an owner at all: which one is read from the document.
const SELECT_OWNED: &str = "SELECT table_id, document FROM millrace_managed_table \
     WHERE end_snapshot IS NULL AND document LIKE '%\"owner\":%' ORDER BY table_id";

/// The managed tables that a user owns now, without what another program has dropped.
pub(crate) async fn owned_by(write: &mut Write<'_>, user: &str) -> Result<Vec<ManagedTable>> {
    Commit::describe_others(write).await?;
    documented(write, user).await
}

async fn documented(lease: &mut Lease<'_>, user: &str) -> Result<Vec<ManagedTable>> {
    let rows: Vec<(i64, String)> = lease.all(sql(SELECT_OWNED)).await?;
    let tables = rows.iter().map(|(id, document)| decode_document(lease, *id, document));
    let owned = tables.filter(|table| table.as_ref().map_or(true, |table| is_owned(table, user)));
    owned.collect()
}

fn is_owned(table: &ManagedTable, user: &str) -> bool {
    table.attributes.owner.as_deref() == Some(user)
}

/// Gives the definitions that a user owns, those of the past too, another owner or none.
async fn rewrite(write: &mut Write<'_>, user: &str, owner: Option<&str>) -> Result<()> {
    let query = "SELECT table_id, begin_snapshot, document FROM millrace_managed_table \
                 WHERE document LIKE '%\"owner\":%'";
    let rows: Vec<(i64, i64, String)> = write.all(sql(query)).await?;
    for (id, begin_snapshot, document) in rows {
        let mut table = decode_document(write, id, &document)?;
        if is_owned(&table, user) {
            table.attributes.owner = owner.map(str::to_owned);
            let query = "UPDATE millrace_managed_table SET document = $1 WHERE table_id = $2 AND begin_snapshot = $3";
            write.execute(sql(query).bind(encode(&table)?).bind(id).bind(begin_snapshot)).await?;
        }
    }
    Ok(())
}

/// Gives a user's tables to the user's new name: one snapshot of the manifest, so that nobody keeps the old one.
pub(crate) async fn change_owner(write: &mut Write<'_>, from: &str, to: &str) -> Result<()> {
    let mut commit = Commit::begin(write, None).await?;
    for table in documented(write, from).await? {
        let attributes = TableAttributes { owner: Some(to.to_owned()), ..table.attributes };
        commit.alter_table(write, &ManagedTable { attributes, ..table }).await?;
    }
    commit.finish(write, &CommitNote::default()).await?;
    rewrite(write, from, Some(to)).await
}

/// Takes a user who owns no table any more out of the definitions of the past, whose owner `admin` becomes.
pub(crate) async fn forget_owner(write: &mut Write<'_>, user: &str) -> Result<()> {
    rewrite(write, user, None).await
}
