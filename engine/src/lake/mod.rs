//! External tables: files at a place, read and written in the formats of Hive, Athena and Spectrum.

pub mod avro;
pub(crate) mod collect;
pub(crate) mod damage;
pub mod decompress;
pub mod evolve;
#[cfg(test)]
pub(crate) mod fixture;
pub mod format;
pub mod hive_classes;
mod inflate;
pub mod json;
pub mod listing;
pub mod location;
pub mod orc;
pub(crate) mod own_stores;
pub mod pattern;
pub mod projection;
mod prune;
pub mod records;
pub(crate) mod region;
pub(crate) mod sketch;
pub mod statistics;
pub mod stores;
pub mod table;
pub mod text;
pub mod types;
pub mod write;
mod zip;
