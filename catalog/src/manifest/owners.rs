//! The owners of managed tables. Ownership is by name: it follows a user to another name, in definitions of the past
//! too, and a name that nobody has any more owns nothing there.

use super::change::CommitNote;
use super::commit::Commit;
use crate::error::Result;
use crate::model::{ManagedTable, TableAttributes};
use crate::store::{Lease, Write, decode};

const SELECT_OWNED: &str = "SELECT table_id, document FROM millrace_managed_table \
     WHERE end_snapshot IS NULL AND json_extract(document, '$.attributes.owner') = $1 ORDER BY table_id";

/// The managed tables that a user owns now, without what another program has dropped.
pub(crate) async fn owned_by(write: &mut Write<'_>, user: &str) -> Result<Vec<ManagedTable>> {
    // This brings the documents up to date.
    Commit::begin(write, None).await?;
    documented(write, user).await
}

async fn documented(lease: &mut Lease<'_>, user: &str) -> Result<Vec<ManagedTable>> {
    let rows: Vec<(i64, String)> = lease.all(sqlx::query_as(SELECT_OWNED).bind(user)).await?;
    rows.iter().map(|(id, document)| decode(lease.path(), &format!("managed table {id}"), document)).collect()
}

/// Gives a user's tables to the user's new name: one snapshot of the manifest, so that nobody keeps the old one.
pub(crate) async fn change_owner(write: &mut Write<'_>, from: &str, to: &str) -> Result<()> {
    let mut commit = Commit::begin(write, None).await?;
    for table in documented(write, from).await? {
        let attributes = TableAttributes { owner: Some(to.to_owned()), ..table.attributes };
        commit.alter_table(write, &ManagedTable { attributes, ..table }).await?;
    }
    commit.finish(write, &CommitNote::default()).await?;
    let query = "UPDATE millrace_managed_table SET document = json_set(document, '$.attributes.owner', $2) \
                 WHERE json_extract(document, '$.attributes.owner') = $1";
    write.execute(sqlx::query(query).bind(from).bind(to)).await.map(drop)
}

/// Takes a user who owns no table any more out of the definitions of the past, whose owner `admin` becomes.
pub(crate) async fn forget_owner(write: &mut Write<'_>, user: &str) -> Result<()> {
    let query = "UPDATE millrace_managed_table SET document = json_remove(document, '$.attributes.owner') \
                 WHERE json_extract(document, '$.attributes.owner') = $1";
    write.execute(sqlx::query(query).bind(user)).await.map(drop)
}
