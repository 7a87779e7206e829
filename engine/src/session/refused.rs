//! Why a commit failed.

use crate::error::{Error, ErrorKind};
use millrace_catalog::CatalogError;

/// A commit's error.
pub(super) struct Refused {
    pub(super) error: Error,
    /// The table that another transaction changed.
    pub(super) conflict: Option<i64>,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { error, conflict: None }
    }
}

impl Refused {
    /// Redshift's words for a commit that came too late, and the catalog's for other errors.
    pub(super) fn of(error: CatalogError) -> Self {
        match error {
            CatalogError::Serialization { table_id } => {
                let message = format!("1023: Serializable isolation violation on table - {table_id}");
                let error = Error::new(ErrorKind::Serialization, message)
                    .with_detail("transactions on the same tables cannot be serialized in either order");
                Self { error, conflict: Some(table_id) }
            }
            other => Error::from(other).into(),
        }
    }
}
