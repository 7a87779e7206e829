//! A server behind the protocol: Millrace or PostgreSQL, asked as drivers ask it.

use super::{Kind, Request, Used};
use crate::compare::Row;
use crate::server::{self, told};
use anyhow::{Context, Result};
use arrow::csv::WriterBuilder;
use futures::SinkExt;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::io::Cursor;
use std::path::Path;
use tokio_postgres::{Client, SimpleQueryMessage};

/// A connection to a server.
pub(crate) struct Wire {
    client: Client,
    server: u32,
    pub(crate) version: String,
}

impl Wire {
    /// Connects to the server of a kind and a process.
    pub(crate) async fn connect(kind: Kind, connection: &str, server: u32) -> Result<Self> {
        let client = server::connect(connection).await.context("cannot connect")?;
        let version = if kind.is_ours() {
            concat!("millrace ", env!("CARGO_PKG_VERSION")).to_owned()
        } else {
            let told = client.simple_query("SELECT version()").await?;
            let text = told.iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0),
                _ => None,
            });
            // What follows is how it was compiled.
            text.and_then(|text| text.split(" on ").next()).unwrap_or(kind.name()).to_owned()
        };
        Ok(Self { client, server, version })
    }

    /// Runs a statement; Parquet files that go with it are what a COPY from the client sends.
    pub(crate) async fn run(&self, request: &Request) -> Result<Vec<Row>> {
        if let Some(files) = &request.files {
            self.send(&request.sql, files).await?;
            return Ok(Vec::new());
        }
        let mut rows = Vec::new();
        for message in self.client.simple_query(&request.sql).await.map_err(|error| told(&error))? {
            if let SimpleQueryMessage::Row(row) = message
                && request.rows
            {
                rows.push((0..row.len()).map(|at| row.get(at).unwrap_or("NULL").to_owned()).collect());
            }
        }
        Ok(rows)
    }

    /// What the server's process has used.
    pub(super) fn used(&self) -> Used {
        Used::of_server(self.server)
    }

    /// The rows of a folder of Parquet files as CSV.
    async fn send(&self, copy: &str, folder: &Path) -> Result<()> {
        let sink = self.client.copy_in(copy).await.map_err(|error| told(&error))?;
        tokio::pin!(sink);
        for entry in std::fs::read_dir(folder)? {
            for batch in ParquetRecordBatchReaderBuilder::try_new(File::open(entry?.path())?)?.build()? {
                let mut text = Vec::new();
                WriterBuilder::new().with_header(false).with_null(NULL.to_owned()).build(&mut text).write(&batch?)?;
                sink.send(Cursor::new(text)).await.map_err(|error| told(&error))?;
            }
        }
        sink.finish().await.map_err(|error| told(&error))?;
        Ok(())
    }
}

/// Stands for NULL in what is sent.
pub(super) const NULL: &str = "\\N";
