//! Benchmarks: each measures us and plain DataFusion in one process, in turns, after it has compared the answers.
//!
//! Data is generated once into a cache outside the tree. Numbers are medians; the machine's noise is seen in the
//! turns, not hidden by them.

pub mod cache;
pub mod compare;
pub mod crawl;
pub mod csv;
pub mod managed;
pub mod partitions;
pub mod report;
pub mod side;
pub mod start;
pub mod tpch;
pub mod wire;
