//! ORC files: a scan of them for DataFusion over orc-rust's decoders.
//!
//! A file is read from its end: the tail (one request) names the stripes and their statistics; a stripe that survives
//! the predicate gives its footer, then its index if there is a predicate, then the streams of the wanted columns in
//! as few requests as the store can join. What orc-rust decodes is checked before, because it trusts its input, and
//! decoded under a guard: a damaged file is an error that names it.

mod bounds;
mod chunks;
mod opener;
mod prune;
mod source;
mod statistics;
mod stripe;
mod tail;
mod types;
mod wire;

#[cfg(test)]
mod tests;

pub use self::source::OrcSource;
pub use self::statistics::{infer_schema, statistics};
