//! What is said of files that are not what their table says: not of the format, damaged, of a kind not supported.
//!
//! The decoders of ORC and Avro are other people's code and may panic on bytes that no writer wrote; [`guard`] turns
//! that into an ordinary error, so that a damaged file ends one statement and nothing more.

use std::any::Any;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};

use datafusion::common::DataFusionError;
use datafusion::execution::object_store::ObjectStoreUrl;
use object_store::path::Path;

use crate::{Error, ErrorKind};

/// The full URL of a file, as error messages name it: `s3://bucket/key`, `file:///folder/name`.
pub(crate) fn file_url(store: &ObjectStoreUrl, location: &Path) -> String {
    let root = store.as_str();
    let slash = if root.ends_with('/') { "" } else { "/" };
    format!("{root}{slash}{location}")
}

/// 58030: the file is of its format, but cannot be decoded.
pub(crate) fn damaged(file: &str, reason: impl Display) -> DataFusionError {
    external(Error::new(ErrorKind::BadFile, format!("file \"{file}\" is damaged")).with_detail(reason.to_string()))
}

/// 58030: the file is of another format; `format` carries its article: `an ORC file`.
pub(crate) fn not_of_format(file: &str, format: &str) -> DataFusionError {
    external(Error::new(ErrorKind::BadFile, format!("file \"{file}\" is not {format}")))
}

/// 0A000: the file is sound but uses something this version does not read.
pub(crate) fn unsupported(file: &str, what: impl Display) -> DataFusionError {
    external(Error::unsupported(format!("file \"{file}\" cannot be read: {what}")))
}

/// An error of ours inside a stream of DataFusion's; the engine takes it out again.
pub(crate) fn external(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// The other way: an error from reading a file's head or tail, outside any stream.
pub(crate) fn into_error(file: &str, error: DataFusionError) -> Error {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(error) => *error,
            Err(other) => Error::internal(other.to_string()),
        },
        DataFusionError::ObjectStore(inner) => store_error(file, &inner),
        other => Error::internal(other.to_string()),
    }
}

fn store_error(file: &str, error: &object_store::Error) -> Error {
    let (kind, message) = match error {
        object_store::Error::NotFound { .. } => (ErrorKind::UndefinedFile, format!("file \"{file}\" does not exist")),
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
            (ErrorKind::InsufficientPrivilege, format!("permission denied for file \"{file}\""))
        }
        _ => (ErrorKind::Connection, format!("could not read file \"{file}\"")),
    };
    Error::new(kind, message).with_detail(error.to_string())
}

/// Runs a decoder; a panic in it becomes an error with the panic's text.
pub(crate) fn guard<T>(decode: impl FnOnce() -> T) -> Result<T, String> {
    // What the decoder was working on is thrown away after a panic, so no broken invariant can be seen.
    catch_unwind(AssertUnwindSafe(decode)).map_err(|panic| panic_text(panic.as_ref()))
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    format!("the decoder failed: {text}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn urls_name_store_and_key() {
        let cases = [("s3://b", "k/x.orc", "s3://b/k/x.orc"), ("file://", "tmp/x.orc", "file:///tmp/x.orc")];
        for (store, key, url) in cases {
            assert_eq!(file_url(&ObjectStoreUrl::parse(store).unwrap(), &Path::from(key)), url);
        }
    }
}
