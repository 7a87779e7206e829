//! Whose files a place in an object store holds: an object there names the catalog.
//!
//! Two catalogs over one place would each remove the other's files as orphans, so the first one claims it.

use crate::error::{Error, ErrorKind, Result};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

/// The object's name below the data path.
const NAME: &str = "millrace_catalog";

/// Claims a place for the catalog of this identity; the same one may claim it again.
///
/// # Errors
/// `ObjectInUse` when the place is another catalog's, and what the store says.
pub(crate) async fn claim(store: &dyn ObjectStore, root: &Path, identity: &str) -> Result<()> {
    let path = root.clone().join(NAME);
    let options = PutOptions::from(PutMode::Create);
    match store.put_opts(&path, PutPayload::from(identity.to_owned()), options).await {
        Ok(_) => return Ok(()),
        Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    if is_claimed(store, root, identity).await? {
        return Ok(());
    }
    let message = format!("the files in {root} belong to another warehouse's catalog");
    Err(Error::new(ErrorKind::ObjectInUse, message)
        .with_hint("open that warehouse by its directory, or name another place"))
}

/// Whether a place is that of the catalog of this identity.
///
/// # Errors
/// What the store says.
pub(crate) async fn is_claimed(store: &dyn ObjectStore, root: &Path, identity: &str) -> Result<bool> {
    match store.get(&root.clone().join(NAME)).await {
        Ok(found) => Ok(found.bytes().await? == identity.as_bytes()),
        Err(object_store::Error::NotFound { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
