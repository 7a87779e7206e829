//! Benchmarks: each measures us and peers in turns, after it has compared the answers.
//!
//! A suite ([`tpch`], [`tpcds`], [`clickbench`], [`lake`], [`kernels`]) measures targets that are processes of their own ([`target`], [`run`]); the others measure
//! us and plain DataFusion in one process. Data is generated once into a cache outside the tree. Numbers are medians; the machine's
//! noise is seen in the turns, not hidden by them.

mod bar;
pub mod cache;
pub mod chart;
pub mod clickbench;
pub mod compare;
pub mod concurrency;
#[cfg(feature = "connectors")]
pub mod connectors;
#[cfg(feature = "crawl")]
pub mod crawl;
pub mod csv;
pub mod digest;
pub mod estimates;
pub mod journal;
pub mod kernels;
pub mod lake;
pub mod layout;
pub mod load;
pub mod machine;
pub mod managed;
pub mod many_tables;
pub mod numbers;
pub mod parallel;
mod parquet_file;
pub mod partitions;
pub mod proc;
pub mod progress;
#[cfg(feature = "crawl")]
pub mod queues;
pub mod report;
pub mod run;
pub mod server;
pub mod side;
pub mod start;
pub mod suite;
pub mod target;
pub mod tpcds;
pub mod tpch;
pub mod wire;
