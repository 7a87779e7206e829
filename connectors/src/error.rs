//! The connectors' one error type, shaped by what a caller can do about it.

/// A result of a connector.
pub type Result<T> = std::result::Result<T, ConnectorError>;

/// What went wrong at a foreign system. Messages are lowercase and never hold credentials.
#[derive(Debug, thiserror::Error)]
pub enum ConnectorError {
    /// The table, stream or index does not exist, or no longer.
    #[error("{kind} \"{name}\" does not exist")]
    NotFound {
        /// What was looked for.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A kind, option or request that makes no sense.
    #[error("{0}")]
    InvalidArgument(String),
    /// Something that the connector cannot do.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// Credentials missing or refused.
    #[error("access is denied: {0}")]
    AccessDenied(String),
    /// The system does not answer, or not in time; retrying may succeed.
    #[error("{message}")]
    Unavailable {
        /// What happened.
        message: String,
        /// The client's own error.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// A record that is not what its schema says.
    #[error("{0}")]
    BadData(String),
}
