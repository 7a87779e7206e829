//! The catalog's one error type, shaped by what a caller can do about it.

/// A result of the catalog.
pub type Result<T> = std::result::Result<T, CatalogError>;

/// What went wrong in the catalog. Messages are lowercase and quote names, as PostgreSQL's do.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The named object does not exist.
    #[error("{kind} \"{name}\" does not exist")]
    NotFound {
        /// What was looked for: `database`, `relation`, `partition`, `schema`, `crawler`, `classifier`.
        kind: &'static str,
        /// Its name as the user knows it.
        name: String,
    },
    /// The named object exists already.
    #[error("{kind} \"{name}\" already exists")]
    AlreadyExists {
        /// What was to be made.
        kind: &'static str,
        /// Its name as the user knows it.
        name: String,
    },
    /// Somebody else changed the object since it was read; reading again and retrying may succeed.
    #[error("{0}")]
    Conflict(String),
    /// What a transaction read or changed was changed by another that committed first, and the two have no order in
    /// which each could have run alone (Redshift's ERROR 1023). The transaction may be tried again from its start.
    #[error("serializable isolation violation on table - {table_id}")]
    Serialization {
        /// The managed table's number.
        table_id: i64,
    },
    /// A user cannot go while tables and views belong to it.
    #[error("user \"{user}\" cannot be dropped because some objects depend on it")]
    OwnsObjects {
        /// The user's name.
        user: String,
        /// `owner of table s.t`, one for each.
        objects: Vec<String>,
    },
    /// The request itself is wrong.
    #[error("{0}")]
    InvalidArgument(String),
    /// The catalog cannot be written: a read-only file or directory.
    #[error("the catalog is read-only: {0}")]
    ReadOnly(String),
    /// The catalog's database cannot be used now: locked for too long, disk full, connection lost.
    #[error("the catalog is unavailable: {message}")]
    Unavailable {
        /// What happened, in words for the user.
        message: String,
        /// The database's own error.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The connection was lost while a transaction committed, and the database could not be asked since: the changes
    /// are either all there or none of them.
    #[error("it is not known whether the transaction was committed: {message}")]
    UnknownOutcome {
        /// What happened, in words for the user.
        message: String,
        /// The database's own error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The catalog's file is damaged or of a version this program does not know.
    #[error("{0}")]
    Damaged(String),
}

impl CatalogError {
    /// A [`CatalogError::NotFound`].
    pub fn not_found(kind: &'static str, name: impl Into<String>) -> Self {
        Self::NotFound { kind, name: name.into() }
    }

    /// A [`CatalogError::AlreadyExists`].
    pub fn already_exists(kind: &'static str, name: impl Into<String>) -> Self {
        Self::AlreadyExists { kind, name: name.into() }
    }

    /// The same for another whom it befell, too; of what is behind it only the words.
    pub(crate) fn repeated(&self) -> Self {
        let words = |source: &(dyn std::error::Error + Send + Sync)| source.to_string().into();
        match self {
            Self::NotFound { kind, name } => Self::NotFound { kind, name: name.clone() },
            Self::AlreadyExists { kind, name } => Self::AlreadyExists { kind, name: name.clone() },
            Self::Conflict(message) => Self::Conflict(message.clone()),
            Self::Serialization { table_id } => Self::Serialization { table_id: *table_id },
            Self::OwnsObjects { user, objects } => Self::OwnsObjects { user: user.clone(), objects: objects.clone() },
            Self::InvalidArgument(message) => Self::InvalidArgument(message.clone()),
            Self::ReadOnly(place) => Self::ReadOnly(place.clone()),
            Self::Unavailable { message, source } => {
                Self::Unavailable { message: message.clone(), source: source.as_deref().map(words) }
            }
            Self::UnknownOutcome { message, source } => {
                Self::UnknownOutcome { message: message.clone(), source: words(source.as_ref()) }
            }
            Self::Damaged(message) => Self::Damaged(message.clone()),
        }
    }
}
