//! Errors of stores, disks and streams, told apart by what the user can do about them.

use crate::error::{Error, ErrorKind, other_region};
use object_store::path::Path;
use std::fmt::Display;
use std::io;

/// An error of the disk while working on a file.
pub(super) fn io_error(error: &io::Error, path: impl Display) -> Error {
    let kind = io_kind(error).unwrap_or(ErrorKind::BadFile);
    Error::new(kind, format!("could not write file \"{path}\": {}", cause(kind, error)))
}

/// An error of an object store while working on a file.
pub(super) fn store_error(error: &object_store::Error, path: &Path) -> Error {
    if let Some(error) = other_region(&error.to_string()) {
        return error;
    }
    let kind = find_io(error).and_then(io_kind).unwrap_or(match error {
        object_store::Error::NotFound { .. } => ErrorKind::UndefinedFile,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            ErrorKind::InsufficientPrivilege
        }
        object_store::Error::NotSupported { .. } | object_store::Error::NotImplemented { .. } => ErrorKind::Unsupported,
        object_store::Error::InvalidPath { .. } => ErrorKind::InvalidParameter,
        _ => ErrorKind::Connection,
    });
    if let Some(elsewhere) = other_region(&error.to_string()) {
        return elsewhere;
    }
    Error::new(kind, format!("could not write file \"{path}\": {}", cause(kind, error)))
}

fn cause(kind: ErrorKind, error: &dyn Display) -> String {
    if kind == ErrorKind::DiskFull { "no space left on device".to_owned() } else { error.to_string() }
}

fn io_kind(error: &io::Error) -> Option<ErrorKind> {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(ErrorKind::DiskFull),
        io::ErrorKind::PermissionDenied => Some(ErrorKind::InsufficientPrivilege),
        io::ErrorKind::ReadOnlyFilesystem => Some(ErrorKind::ReadOnly),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Some(ErrorKind::UndefinedFile),
        _ => None,
    }
}

fn find_io<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<io::Error>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_other_errors() {
        for (code, kind) in [(28, ErrorKind::DiskFull), (13, ErrorKind::InsufficientPrivilege), (5, ErrorKind::BadFile)]
        {
            assert_eq!(io_error(&io::Error::from_raw_os_error(code), "f").kind, kind);
        }
        let full = Box::new(io::Error::from_raw_os_error(28));
        let error = object_store::Error::Generic { store: "LocalFileSystem", source: full };
        let error = store_error(&error, &Path::from("t/f"));
        assert_eq!(error.kind, ErrorKind::DiskFull);
        assert_eq!(error.message, "could not write file \"t/f\": no space left on device");
    }
}
