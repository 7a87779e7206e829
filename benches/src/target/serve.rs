//! This program as a target: Millrace or plain DataFusion behind the protocol.

use super::wire::Wire;
use super::{Kind, Reply, Request, Used};
use crate::compare::Row;
use crate::{compare, side};
use anyhow::{Context, Result, bail};
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
    /// How to connect to the server that it asks
    #[arg(long)]
    connection: Option<String>,
    /// The process of that server
    #[arg(long, default_value_t = 0)]
    server: u32,
    /// Settings of Millrace's warehouse
    #[arg(long = "set", value_name = "NAME=VALUE")]
    settings: Vec<String>,
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
        let outcome = engine.run(&request).await;
        let seconds = begin.elapsed().as_secs_f64();
        let mut reply = Reply { seconds, ..Reply::default() };
        match outcome {
            Ok(answer) => {
                (reply.rows_read, reply.bytes_read) = engine.read();
                reply.rows = match answer {
                    _ if !request.rows => None,
                    Answer::Batches(batches) => Some(compare::rows(&batches)?),
                    Answer::Rows(rows) => Some(rows),
                };
            }
            Err(error) => reply.error = Some(format!("{error:#}")),
        }
        // Also what formatting the rows took, so that it is not counted to the next statement.
        reply.used = engine.used();
        writeln!(out, "{}", serde_json::to_string(&reply)?)?;
        out.flush()?;
    }
    Ok(())
}

/// Rows as they came.
enum Answer {
    Batches(Vec<RecordBatch>),
    Rows(Vec<Row>),
}

enum Engine {
    Millrace(Box<side::Ours>),
    DataFusion(SessionContext),
    Server(Box<Wire>),
}

impl Engine {
    async fn open(kind: Kind, options: &SideOptions) -> Result<Self> {
        match kind {
            Kind::Managed | Kind::External => {
                let warehouse = options.home.join("warehouse");
                let ours = side::Ours::open_with(&warehouse, options.threads, &options.settings).await?;
                Ok(Self::Millrace(Box::new(ours)))
            }
            Kind::DataFusion => Ok(Self::DataFusion(side::plain(options.threads))),
            Kind::Wire | Kind::Postgres => {
                let connection = options.connection.as_deref().context("no server is named")?;
                Ok(Self::Server(Box::new(Wire::connect(kind, connection, options.server).await?)))
            }
            Kind::DuckDb | Kind::DuckDbParquet | Kind::Polars | Kind::ChDb => {
                bail!("{} is not a part of this program", kind.name())
            }
        }
    }

    fn version(&self) -> String {
        match self {
            Self::Millrace(_) => concat!("millrace ", env!("CARGO_PKG_VERSION")).to_owned(),
            Self::DataFusion(_) => format!("DataFusion {}", datafusion::DATAFUSION_VERSION),
            Self::Server(wire) => wire.version.clone(),
        }
    }

    /// Rows and bytes that the last statement read.
    fn read(&self) -> (Option<u64>, Option<u64>) {
        match self {
            Self::Millrace(ours) => ours.scanned().map(|state| (state.rows_scanned, state.bytes_scanned)).unzip(),
            Self::DataFusion(_) | Self::Server(_) => (None, None),
        }
    }

    /// What it has used, in this process or its server's.
    fn used(&self) -> Used {
        match self {
            Self::Millrace(_) | Self::DataFusion(_) => Used::of_this_process(),
            Self::Server(wire) => wire.used(),
        }
    }

    async fn run(&mut self, request: &Request) -> Result<Answer> {
        Ok(match (self, &request.digest) {
            (Self::Millrace(ours), Some(ordered)) => {
                Answer::Rows(vec![ours.digest(&request.sql, ordered).await?.row()])
            }
            (_, Some(_)) => bail!("it makes no digest of rows"),
            (Self::Millrace(ours), None) => Answer::Batches(ours.run(&request.sql).await?),
            (Self::DataFusion(context), None) => Answer::Batches(side::run_plain(context, &request.sql).await?),
            (Self::Server(wire), None) => Answer::Rows(wire.run(request).await?),
        })
    }
}
