//! What ends a message or a connection, and how errors and notices look on the wire.

use millrace_engine::sql::ParsedStatement;
use millrace_engine::{Error, Notice, Severity};
use pgwire::messages::response::{ErrorResponse, NoticeResponse};
use std::io;

/// Why something could not go on.
#[derive(Debug)]
pub(super) enum Failure {
    /// A statement or message failed; the connection goes on.
    Statement(Error),
    /// The connection ends with this error.
    Fatal(Error),
    /// The client is gone.
    Gone(io::Error),
}

impl Failure {
    /// The same with what a canceled statement leaves behind.
    pub(super) fn of(self, statement: &ParsedStatement) -> Self {
        match self {
            Self::Statement(error) => Self::Statement(statement.canceled(error)),
            other => other,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Statement(error)
    }
}

/// An error with all of its fields. Its severity is given twice, the second time in English, as version 3 wants it.
pub(super) fn error_response(severity: &str, error: &Error) -> ErrorResponse {
    let mut fields = vec![
        (b'S', severity.to_owned()),
        (b'V', severity.to_owned()),
        (b'C', error.sqlstate().to_owned()),
        (b'M', clean(&error.message)),
    ];
    fields.extend(error.detail.as_deref().map(|detail| (b'D', clean(detail))));
    fields.extend(error.hint.as_deref().map(|hint| (b'H', clean(hint))));
    fields.extend(error.position.map(|position| (b'P', position.to_string())));
    ErrorResponse::new(fields)
}

/// A notice.
pub(super) fn notice_response(notice: &Notice) -> NoticeResponse {
    let sqlstate = match notice.severity {
        Severity::Warning => "01000",
        Severity::Notice | Severity::Info => "00000",
    };
    let severity = notice.severity.to_string();
    NoticeResponse::new(vec![
        (b'S', severity.clone()),
        (b'V', severity),
        (b'C', sqlstate.to_owned()),
        (b'M', clean(&notice.message)),
    ])
}

/// A zero byte would end the field.
fn clean(text: &str) -> String {
    text.replace('\0', "\\0")
}
