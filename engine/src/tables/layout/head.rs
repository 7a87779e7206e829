//! The first rows of streams, looked at before the rest is read.

use crate::error::Result;
use arrow::array::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, future, stream};

/// Streams with their first rows.
pub(crate) struct Head {
    parts: Vec<Part>,
}

struct Part {
    first: Vec<RecordBatch>,
    rest: SendableRecordBatchStream,
    ended: bool,
}

impl Head {
    /// Reads more than `rows` rows of each stream, all at once, or all of them where a stream has no more.
    pub(crate) async fn read(streams: Vec<SendableRecordBatchStream>, rows: usize) -> Result<Self> {
        let parts = future::try_join_all(streams.into_iter().map(|stream| Part::read(stream, rows))).await?;
        Ok(Self { parts })
    }

    /// Whether these rows are all.
    pub(crate) fn is_all(&self) -> bool {
        self.parts.iter().all(|part| part.ended)
    }

    /// How many streams there are.
    pub(crate) fn width(&self) -> usize {
        self.parts.len()
    }

    /// How many rows were read.
    pub(crate) fn row_count(&self) -> usize {
        self.batches().map(RecordBatch::num_rows).sum()
    }

    /// The rows that were read.
    pub(crate) fn batches(&self) -> impl Iterator<Item = &RecordBatch> {
        self.parts.iter().flat_map(|part| &part.first)
    }

    /// The streams from their beginning.
    pub(crate) fn into_streams(self) -> Vec<SendableRecordBatchStream> {
        self.parts.into_iter().map(Part::into_stream).collect()
    }
}

impl Part {
    async fn read(mut rest: SendableRecordBatchStream, rows: usize) -> Result<Self> {
        let (mut first, mut count) = (Vec::new(), 0);
        while count <= rows {
            match rest.try_next().await? {
                None => return Ok(Self { first, rest, ended: true }),
                Some(batch) => {
                    count += batch.num_rows();
                    first.push(batch);
                }
            }
        }
        Ok(Self { first, rest, ended: false })
    }

    fn into_stream(self) -> SendableRecordBatchStream {
        let schema = self.rest.schema();
        let first = stream::iter(self.first.into_iter().map(Ok));
        if self.ended {
            return Box::pin(RecordBatchStreamAdapter::new(schema, first));
        }
        Box::pin(RecordBatchStreamAdapter::new(schema, first.chain(self.rest)))
    }
}
