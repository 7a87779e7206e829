//! `millrace bench`: the benchmarks that are for users.

use crate::args::Suite;
use millrace_benches::{target, tpch};
use std::path::Path;

/// The arguments by which this program becomes what is measured.
const SIDE: [&str; 2] = ["bench", "side"];

/// Runs a suite whose data is generated into `cache`.
pub(crate) async fn run(cache: &Path, suite: &Suite) -> anyhow::Result<()> {
    match suite {
        Suite::Tpch(options) => tpch::run(options, cache, &SIDE).await,
        Suite::Side(options) => target::serve(options).await,
    }
}
