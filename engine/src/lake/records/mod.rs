//! Files of records that stand one after another: what the text and JSON formats share.
//!
//! A file becomes rows in three steps. 1. `bytes` opens the file, or a range of it, as a stream and counts what was
//! read; `decompress` makes it plain. 2. `blocks` cuts the stream into blocks of whole records, about a megabyte
//! each, and knows at which line or offset each stands. 3. A format's [`BlockDecoder`] makes a block into batches: a
//! pure function without I/O, so a file that cannot be split by offset still uses several cores, a block each.
//!
//! A record belongs to the byte range that its first byte is in: whatever the ranges, each record is read once.

mod blocks;
mod bytes;
mod columns;
mod scalar;
mod source;
mod split;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use blocks::head;
pub use blocks::{Block, RecordError};
pub(crate) use bytes::open_listed;
pub(crate) use columns::{BadCell, Epoch, ScalarRules, check_scalar, scalar_array};
pub(crate) use scalar::{parse_date, parse_timestamp, parse_zoned_timestamp};
pub use source::{BlockDecoder, RecordFormat, RecordSource};

/// What a value becomes that its column's type cannot hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum InvalidValues {
    /// The query fails, and says where the value stands.
    #[default]
    Error,
    /// NULL
    Null,
}

/// Reads the settings of a table that say what becomes of invalid values: our `invalid.values` = `error` or `null`,
/// and Athena's `use.null.for.invalid.data` = `true` or `false`.
pub(crate) fn invalid_values(parameters: &millrace_catalog::model::Parameters) -> crate::Result<InvalidValues> {
    for (key, value) in parameters {
        let null = match key.to_ascii_lowercase().as_str() {
            "invalid.values" => "null",
            "use.null.for.invalid.data" => "true",
            _ => continue,
        };
        let error = if null == "null" { "error" } else { "false" };
        return match value.trim().to_ascii_lowercase() {
            value if value == null => Ok(InvalidValues::Null),
            value if value == error => Ok(InvalidValues::Error),
            _ => Err(crate::Error::new(
                crate::ErrorKind::InvalidParameter,
                format!("invalid value \"{value}\" for property \"{key}\": expected \"{error}\" or \"{null}\""),
            )),
        };
    }
    Ok(InvalidValues::Error)
}
