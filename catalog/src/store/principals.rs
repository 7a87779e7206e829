//! Users and rights, kept as one document that is changed as a whole.

use super::catalog::Catalog;
use super::connection::Lease;
use super::document::{decode, encode};
use super::owners::follow_users;
use super::sql::sql;
use super::tries::Tries;
use crate::error::Result;
use crate::model::Principals;

impl Catalog {
    /// Changes users or rights in one transaction, as they are then, and gives back what `change` gives, whose last call
    /// counts. What a renamed user owns goes with the user.
    ///
    /// # Errors
    /// What `change` finds wrong, which then changes nothing; [`OwnsObjects`](crate::CatalogError::OwnsObjects) where it
    /// takes away a user who owns a table or view; [`ReadOnly`](crate::CatalogError::ReadOnly).
    pub async fn change_principals<T, E>(
        &self,
        mut change: impl FnMut(&mut Principals) -> std::result::Result<T, E>,
    ) -> Result<std::result::Result<T, E>> {
        let mut tries = Tries::default();
        loop {
            let done = self.try_change_principals(&mut change).await;
            if !tries.again(&done) {
                return done;
            }
        }
    }

    async fn try_change_principals<T, E>(
        &self,
        change: &mut impl FnMut(&mut Principals) -> std::result::Result<T, E>,
    ) -> Result<std::result::Result<T, E>> {
        let mut write = self.write().await?;
        let mut principals = load(&mut write).await?;
        let before = principals.clone();
        let given = match change(&mut principals) {
            Ok(given) => given,
            Err(error) => {
                write.abandon().await?;
                return Ok(Err(error));
            }
        };
        if principals == before {
            write.abandon().await?;
            return Ok(Ok(given));
        }
        let query = sql("INSERT INTO millrace_principals (id, document) VALUES (1, $1)
            ON CONFLICT (id) DO UPDATE SET document = excluded.document");
        write.execute(query.bind(encode(&principals)?)).await?;
        follow_users(&mut write, &before, &principals).await?;
        write.commit().await?;
        Ok(Ok(given))
    }
}

pub(super) async fn load(lease: &mut Lease<'_>) -> Result<Principals> {
    let row: Option<(String,)> = lease.first(sql("SELECT document FROM millrace_principals")).await?;
    match row {
        Some((document,)) => decode(lease.place(), "the users", &document),
        None => Ok(Principals::default()),
    }
}
