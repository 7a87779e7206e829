//! Foreign systems as Arrow streams: streams, key-value tables and search indices that queries read.
//!
//! Owns the [`Connector`] trait that each system implements and the [`Registry`] that finds it by kind and checks its
//! options. Knows nothing of SQL or DataFusion: a scan arrives as a [`ScanRequest`] of columns, [`Predicate`]s and a
//! limit, and leaves as record batches, one stream a [`Split`].

#[cfg(any(feature = "dynamodb", feature = "kinesis"))]
mod aws;
mod backoff;
pub mod connector;
pub mod declared;
#[cfg(feature = "dynamodb")]
pub mod dynamodb;
pub mod error;
#[cfg(feature = "kinesis")]
pub mod kinesis;
#[cfg(any(feature = "dynamodb", feature = "kinesis", feature = "opensearch"))]
mod number;
#[cfg(feature = "opensearch")]
pub mod opensearch;
pub mod predicate;
pub mod registry;
#[cfg(any(feature = "dynamodb", feature = "kinesis", feature = "opensearch"))]
mod typed;

pub use connector::{
    Aggregate, AggregateRequest, BadRecord, BatchStream, Checkpoint, Connector, Measures, Order, Pushdown,
    SUPER_METADATA, ScanRequest, Split, SplitReport,
};
pub use declared::{Declaration, Invalid, named};
pub use error::{ConnectorError, Result};
pub use predicate::{Comparison, FullText, Predicate, Value};
pub use registry::{Factory, OptionSpec, Options, Registry};
