//! This program as a target: Millrace or plain DataFusion behind the protocol.

use super::{Kind, Reply, Request, Used};
use crate::{compare, side};
use anyhow::{Result, bail};
use arrow::record_batch::RecordBatch;
use datafusion::prelude::SessionContext;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::time::Instant;

/// What a target is started with, by the benchmark that measures it.
#[derive(Debug, clap::Args, Clone, PartialEq, Eq)]
pub struct SideOptions {
    /// Which target
    kind: String,
    /// Where its files are
    home: PathBuf,
    /// On how many threads it works
    threads: usize,
}

/// Runs the statements of standard input until it ends.
pub async fn serve(options: &SideOptions) -> Result<()> {
    let kind = Kind::parse(&options.kind)?;
    let mut engine = Engine::open(kind, options).await?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}", engine.version())?;
    out.flush()?;
    for line in io::stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        let begin = Instant::now();
        let outcome = engine.run(&request.sql).await;
        let seconds = begin.elapsed().as_secs_f64();
        let mut reply = Reply { seconds, used: Used::of_this_process(), ..Reply::default() };
        match outcome {
            Ok(batches) if request.rows => reply.rows = Some(compare::rows(&batches)?),
            Ok(_) => {}
            Err(error) => reply.error = Some(format!("{error:#}")),
        }
        writeln!(out, "{}", serde_json::to_string(&reply)?)?;
        out.flush()?;
    }
    Ok(())
}

enum Engine {
    Millrace(Box<side::Ours>),
    DataFusion(SessionContext),
}

impl Engine {
    async fn open(kind: Kind, options: &SideOptions) -> Result<Self> {
        match kind {
            Kind::Managed | Kind::External => {
                let ours = side::Ours::open(&options.home.join("warehouse"), options.threads).await?;
                Ok(Self::Millrace(Box::new(ours)))
            }
            Kind::DataFusion => Ok(Self::DataFusion(side::plain(options.threads))),
            Kind::DuckDb | Kind::DuckDbParquet => bail!("{} is not a part of this program", kind.name()),
        }
    }

    fn version(&self) -> String {
        match self {
            Self::Millrace(_) => concat!("millrace ", env!("CARGO_PKG_VERSION")).to_owned(),
            Self::DataFusion(_) => format!("DataFusion {}", datafusion::DATAFUSION_VERSION),
        }
    }

    async fn run(&mut self, sql: &str) -> Result<Vec<RecordBatch>> {
        match self {
            Self::Millrace(ours) => ours.run(sql).await,
            Self::DataFusion(context) => side::run_plain(context, sql).await,
        }
    }
}
