//! Why the commit of a transaction failed, in Redshift's words where another one was first.

use crate::error::{Error, ErrorKind};
use millrace_catalog::CatalogError;

/// Why a commit failed.
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

/// Redshift's words for a commit that came too late.
pub(super) fn serialization(error: CatalogError) -> Refused {
    match error {
        CatalogError::Serialization { table_id } => {
            let message = format!("1023: Serializable isolation violation on table - {table_id}");
            let error = Error::new(ErrorKind::Serialization, message)
                .with_detail("transactions on the same tables cannot be serialized in either order");
            Refused { error, conflict: Some(table_id) }
        }
        other => Error::from(other).into(),
    }
}
