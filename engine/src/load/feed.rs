//! What COPY FROM STDIN reads: chunks of bytes that somebody else receives, a few of them at a time.

use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;
use datafusion::arrow::datatypes::SchemaRef;
use tokio::sync::{mpsc, oneshot};

/// Chunks that may wait: the sender waits for the reader.
const CHUNKS: usize = 4;

enum Chunk {
    Data(Bytes),
    /// All data is there.
    End,
    /// The sender gives up.
    Failed(Error),
}

/// The sender's side of a COPY FROM STDIN.
pub struct CopyFeed {
    columns: Option<oneshot::Receiver<SchemaRef>>,
    chunks: mpsc::Sender<Chunk>,
}

/// The statement's side of a COPY FROM STDIN.
pub struct CopyInput {
    columns: oneshot::Sender<SchemaRef>,
    chunks: mpsc::Receiver<Chunk>,
}

/// The two sides.
#[must_use]
pub fn copy_channel() -> (CopyFeed, CopyInput) {
    let (columns, told) = oneshot::channel();
    let (sender, receiver) = mpsc::channel(CHUNKS);
    (CopyFeed { columns: Some(told), chunks: sender }, CopyInput { columns, chunks: receiver })
}

impl CopyFeed {
    /// Waits until the statement wants data: the columns that it fills, by their types. Never ends for a statement that
    /// ends before that.
    pub async fn columns(&mut self) -> SchemaRef {
        if let Some(told) = &mut self.columns {
            let columns = told.await;
            self.columns = None;
            if let Ok(columns) = columns {
                return columns;
            }
        }
        std::future::pending().await
    }

    /// Gives a chunk; waits while enough of them wait. What nobody reads any more is lost, for the statement has ended.
    pub async fn send(&self, data: Bytes) {
        drop(self.chunks.send(Chunk::Data(data)).await);
    }

    /// Says that all data is there.
    pub async fn finish(&self) {
        drop(self.chunks.send(Chunk::End).await);
    }

    /// Gives up: the statement fails with this error.
    pub async fn fail(&self, error: Error) {
        drop(self.chunks.send(Chunk::Failed(error)).await);
    }
}

impl CopyInput {
    /// Asks for data.
    pub(crate) fn begin(self, columns: SchemaRef) -> CopyChunks {
        // A sender that is gone is seen at the first chunk.
        drop(self.columns.send(columns));
        CopyChunks(self.chunks)
    }
}

/// The chunks of a COPY FROM STDIN.
pub(crate) struct CopyChunks(mpsc::Receiver<Chunk>);

impl CopyChunks {
    /// The next chunk; `None` at the end.
    ///
    /// # Errors
    /// The sender's, or `Connection` when it is gone.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        match self.0.recv().await {
            Some(Chunk::Data(data)) => Ok(Some(data)),
            Some(Chunk::End) => Ok(None),
            Some(Chunk::Failed(error)) => Err(error),
            None => Err(Error::new(ErrorKind::Connection, "unexpected end of the data of COPY")),
        }
    }
}
