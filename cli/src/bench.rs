//! `millrace bench`: the benchmarks that are for users.

use crate::args::Suite;
use millrace_benches::{clickbench, concurrency, lake, load, start, target, tpcds, tpch};
use std::path::Path;

/// The arguments by which this program becomes what is measured.
const SIDE: [&str; 2] = ["bench", "side"];

/// Runs a suite whose data is generated into `cache`.
pub(crate) async fn run(cache: &Path, suite: &Suite) -> anyhow::Result<()> {
    match suite {
        Suite::Tpch(options) => tpch::run(options, cache, &SIDE).await,
        Suite::Tpcds(options) => tpcds::run(options, cache, &SIDE).await,
        Suite::Clickbench(options) => clickbench::run(options, cache, &SIDE).await,
        Suite::Lake(options) => lake::run(options, cache, &SIDE).await,
        Suite::Concurrency(options) => concurrency::run(options, cache).await,
        Suite::Load(options) => load::run(options, cache, &SIDE).await,
        Suite::Start(options) => start::run(options),
        Suite::Side(options) => target::serve(options).await,
    }
}
