//! The engine's one error: what happened, in PostgreSQL's shape, whatever layer it came from.
//!
//! Every error that leaves the engine carries a SQLSTATE, a message in PostgreSQL's style and, where known, a detail,
//! a hint and a position in the statement's text. Errors of DataFusion, Arrow, object stores, the parser and the
//! catalog are translated here and nowhere else.

mod translate;
mod types;

pub(crate) use translate::{nearest, other_region, span_of};
pub(crate) use types::shown_type;

use std::fmt;

/// A result of the engine.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of thing went wrong; each kind is one SQLSTATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// 42601: the text is not a statement.
    Syntax,
    /// 0A000: a statement or option that this version does not support.
    Unsupported,
    /// 42P01: no such table or view.
    UndefinedTable,
    /// 42703: no such column.
    UndefinedColumn,
    /// 42702: a column name that fits several tables.
    AmbiguousColumn,
    /// 42883: no such function, or not with these arguments.
    UndefinedFunction,
    /// 3F000: no such schema or database.
    UndefinedSchema,
    /// 3D000: a database to connect to that does not exist.
    UndefinedDatabase,
    /// 42704: no such object of another kind (partition, setting).
    UndefinedObject,
    /// 42P07: a table or view of that name exists.
    DuplicateTable,
    /// 42P06: a schema or database of that name exists.
    DuplicateSchema,
    /// 42701: a column named twice.
    DuplicateColumn,
    /// 42723: a function of that name and arguments exists.
    DuplicateFunction,
    /// 42P13: a function's definition that makes no sense.
    InvalidFunctionDefinition,
    /// 42710: another object of that name exists.
    DuplicateObject,
    /// 2BP01: something else depends on the object.
    DependentObjects,
    /// 42803: a column that is neither grouped nor aggregated.
    Grouping,
    /// 42804: types that do not go together.
    DatatypeMismatch,
    /// 42809: the object is of another kind (a view where a table is needed).
    WrongObjectType,
    /// 42P16: a table definition that makes no sense.
    InvalidTableDefinition,
    /// 22P02: a text that is not a value of the type.
    InvalidText,
    /// 22007: a text that is no date or time.
    InvalidDateTime,
    /// 22008: a date, time or interval out of range.
    DateTimeOverflow,
    /// 22P04: rows of COPY that are not laid out as they should be.
    BadCopyFormat,
    /// 22001: a text longer than its column.
    StringTruncation,
    /// 23502: a NULL where there may be none.
    NotNull,
    /// 21000: a row that matches several where it may match one.
    CardinalityViolation,
    /// 25001: a statement that cannot run in a transaction block.
    ActiveTransaction,
    /// 25P01: a statement that means nothing outside of a transaction block.
    NoActiveTransaction,
    /// 25P02: a statement after an error in a transaction block.
    FailedTransaction,
    /// 22023: an option with a value it does not take.
    InvalidParameter,
    /// 22003: a number out of range.
    NumericOverflow,
    /// 22012: division by zero.
    DivisionByZero,
    /// 22000: another error in the data at run time.
    Data,
    /// 58030: a file that is damaged or not of the table's format.
    BadFile,
    /// 58P01: a file, bucket or folder that is not there.
    UndefinedFile,
    /// 42501: no right to do it, or credentials refused.
    InsufficientPrivilege,
    /// 0LP01: a right that the object cannot have, or that cannot be given so.
    InvalidGrant,
    /// 25006: the warehouse or transaction is read-only.
    ReadOnly,
    /// 40001: another session was first; retrying may succeed.
    Serialization,
    /// 53200: the memory limit is reached.
    OutOfMemory,
    /// 53100: no space left.
    DiskFull,
    /// 53400: a queue of WLM has no room for another statement.
    QueueFull,
    /// 57014: cancelled by the user.
    Cancelled,
    /// 08006: a server that does not answer.
    Connection,
    /// 08007: a transaction of which nobody can say whether it was committed.
    UnknownOutcome,
    /// 08P01: a message that the protocol does not allow.
    ProtocolViolation,
    /// 28000: a login that is not allowed.
    InvalidAuthorization,
    /// 28P01: a wrong password or user.
    InvalidPassword,
    /// 53300: no room for another connection.
    TooManyConnections,
    /// 57P01: the server is shutting down.
    Shutdown,
    /// 25P03: a transaction that was idle for too long.
    IdleTransaction,
    /// 57P05: a connection that was idle for too long.
    IdleTimeout,
    /// 22021: bytes that are no text in the connection's encoding.
    InvalidEncoding,
    /// 22P03: bytes that are not a value of the type in its binary form.
    InvalidBinary,
    /// 42P02: a parameter that nobody gives a value.
    UndefinedParameter,
    /// 42P18: a parameter whose type does not follow from the statement.
    IndeterminateType,
    /// 26000: no such prepared statement.
    UndefinedPrepared,
    /// 42P05: a prepared statement of that name exists.
    DuplicatePrepared,
    /// 34000: no such cursor or portal.
    UndefinedCursor,
    /// 42P03: a cursor or portal of that name exists.
    DuplicateCursor,
    /// 24000: a cursor that cannot be moved so.
    InvalidCursorState,
    /// 55000: an object that is not in the state for it.
    ObjectState,
    /// 55006: an object that another uses now.
    ObjectInUse,
    /// 55P02: a setting that cannot be changed.
    CannotChange,
    /// XX001: the catalog is damaged.
    DataCorrupted,
    /// 54000: a limit of the program.
    LimitExceeded,
    /// XX000: a defect of this program.
    Internal,
}

impl ErrorKind {
    /// The SQLSTATE, five characters (PostgreSQL's appendix A).
    pub fn sqlstate(self) -> &'static str {
        match self {
            Self::Syntax => "42601",
            Self::Unsupported => "0A000",
            Self::UndefinedTable => "42P01",
            Self::UndefinedColumn => "42703",
            Self::AmbiguousColumn => "42702",
            Self::UndefinedFunction => "42883",
            Self::UndefinedSchema => "3F000",
            Self::UndefinedDatabase => "3D000",
            Self::UndefinedObject => "42704",
            Self::DuplicateTable => "42P07",
            Self::DuplicateSchema => "42P06",
            Self::DuplicateColumn => "42701",
            Self::DuplicateFunction => "42723",
            Self::InvalidFunctionDefinition => "42P13",
            Self::DuplicateObject => "42710",
            Self::DependentObjects => "2BP01",
            Self::Grouping => "42803",
            Self::DatatypeMismatch => "42804",
            Self::WrongObjectType => "42809",
            Self::InvalidTableDefinition => "42P16",
            Self::InvalidText => "22P02",
            Self::InvalidDateTime => "22007",
            Self::DateTimeOverflow => "22008",
            Self::BadCopyFormat => "22P04",
            Self::StringTruncation => "22001",
            Self::NotNull => "23502",
            Self::CardinalityViolation => "21000",
            Self::ActiveTransaction => "25001",
            Self::NoActiveTransaction => "25P01",
            Self::FailedTransaction => "25P02",
            Self::InvalidParameter => "22023",
            Self::NumericOverflow => "22003",
            Self::DivisionByZero => "22012",
            Self::Data => "22000",
            Self::BadFile => "58030",
            Self::UndefinedFile => "58P01",
            Self::InsufficientPrivilege => "42501",
            Self::InvalidGrant => "0LP01",
            Self::ReadOnly => "25006",
            Self::Serialization => "40001",
            Self::OutOfMemory => "53200",
            Self::DiskFull => "53100",
            Self::QueueFull => "53400",
            Self::Cancelled => "57014",
            Self::Connection => "08006",
            Self::UnknownOutcome => "08007",
            Self::ProtocolViolation => "08P01",
            Self::InvalidAuthorization => "28000",
            Self::InvalidPassword => "28P01",
            Self::TooManyConnections => "53300",
            Self::Shutdown => "57P01",
            Self::IdleTransaction => "25P03",
            Self::IdleTimeout => "57P05",
            Self::InvalidEncoding => "22021",
            Self::InvalidBinary => "22P03",
            Self::UndefinedParameter => "42P02",
            Self::IndeterminateType => "42P18",
            Self::UndefinedPrepared => "26000",
            Self::DuplicatePrepared => "42P05",
            Self::UndefinedCursor => "34000",
            Self::DuplicateCursor => "42P03",
            Self::InvalidCursorState => "24000",
            Self::ObjectState => "55000",
            Self::ObjectInUse => "55006",
            Self::CannotChange => "55P02",
            Self::DataCorrupted => "XX001",
            Self::LimitExceeded => "54000",
            Self::Internal => "XX000",
        }
    }
}

/// An error of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What kind of error, and so which SQLSTATE.
    pub kind: ErrorKind,
    /// One line: lowercase first letter but where a service's words are documented, names quoted, no full stop.
    pub message: String,
    /// More about the circumstances: the file, the line, the value.
    pub detail: Option<String>,
    /// What the user may do.
    pub hint: Option<String>,
    /// Where in the statement's text, in characters from 1.
    pub position: Option<usize>,
}

impl Error {
    /// An error of a kind with its message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), detail: None, hint: None, position: None }
    }

    /// 0A000: `construct` is not supported.
    pub fn unsupported(construct: impl fmt::Display) -> Self {
        Self::new(ErrorKind::Unsupported, format!("{construct} is not supported"))
    }

    /// XX000: a defect of this program.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// The same error with a detail.
    #[must_use]
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The same error with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same error of a text that stands elsewhere: it names the place, and has no position in the statement.
    #[must_use]
    pub fn within(mut self, place: &str) -> Self {
        self.position = None;
        let detail = self.detail.take();
        self.with_detail(detail.map_or_else(|| place.to_owned(), |detail| format!("{place}: {detail}")))
    }

    /// The same error with a position: characters from 1.
    #[must_use]
    pub fn with_position(mut self, position: usize) -> Self {
        self.position = Some(position);
        self
    }

    /// The SQLSTATE.
    pub fn sqlstate(&self) -> &'static str {
        self.kind.sqlstate()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(detail) = &self.detail {
            write!(f, "\nDETAIL: {detail}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\nHINT: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
