//! Avro object container files: a scan of them for DataFusion over arrow-avro's decoders.
//!
//! DataFusion's own source takes columns by exact name, fetches whole files into memory, does not split them and
//! reports a damaged file by what its decoder stumbled on. This one pairs columns as every format here does, fetches
//! blocks as it goes, and splits files at the sync markers between blocks (Avro specification 1.11, "Object Container
//! Files").

mod blocks;
mod header;
mod opener;
mod source;

#[cfg(test)]
mod tests;

pub use self::header::infer_schema;
pub use self::source::avro_source;
