//! A file that all streams of a load read together, for a large file that cannot be read in parts: whichever stream is
//! free cuts the next block of records out of it, and makes rows of it while another cuts on.

use super::files::File;
use super::progress::LoadProgress;
use crate::lake::decompress::{ByteStream, Codec, decompress};
use crate::lake::records::open_listed;
use crate::load::{Cut, Cutter, LoadErrors, Loader, LoaderSpec};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::error::{DataFusionError, Result as DfResult};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use std::sync::Arc;
use tokio::sync::Mutex;

/// The file and how far it is cut.
pub(super) struct Shared {
    file: File,
    codec: Codec,
    spec: Arc<LoaderSpec>,
    errors: Arc<LoadErrors>,
    progress: Arc<LoadProgress>,
    /// Held while a block is cut, never while rows are made.
    cutting: Mutex<Cutting>,
}

enum Cutting {
    Closed,
    Open(ByteStream, Box<Cutter>),
    Ended,
}

impl Shared {
    pub(super) fn new(
        file: File,
        codec: Codec,
        spec: &Arc<LoaderSpec>,
        errors: &Arc<LoadErrors>,
        progress: &Arc<LoadProgress>,
    ) -> Arc<Self> {
        let (spec, errors, progress) = (Arc::clone(spec), Arc::clone(errors), Arc::clone(progress));
        Arc::new(Self { file, codec, spec, errors, progress, cutting: Mutex::new(Cutting::Closed) })
    }

    /// The rows of the blocks that this stream gets hold of.
    pub(super) fn rows(self: Arc<Self>) -> BoxStream<'static, DfResult<RecordBatch>> {
        let batches = stream::try_unfold(self, |shared| async move {
            let Some(cuts) = shared.next().await? else { return Ok::<_, DataFusionError>(None) };
            let mut batches = Vec::new();
            for cut in cuts {
                batches.extend(shared.make(cut)?);
            }
            shared.progress.made(&shared.file.url(), batches.iter().map(RecordBatch::num_rows).sum());
            Ok(Some((batches, shared)))
        });
        batches.map_ok(|batches| stream::iter(batches.into_iter().map(Ok))).try_flatten().boxed()
    }

    /// The next blocks; `None` at the end.
    async fn next(&self) -> DfResult<Option<Vec<Cut>>> {
        let mut cutting = self.cutting.lock().await;
        if matches!(*cutting, Cutting::Closed) {
            let bytes = open_listed(&self.file.store, &self.file.meta, None).await?;
            let progress = Arc::clone(&self.progress);
            let bytes = bytes.inspect_ok(move |chunk| progress.read(chunk.len())).boxed();
            let plain = decompress(bytes, self.codec, &self.file.url().into());
            *cutting = Cutting::Open(plain, Box::new(Cutter::new(&self.spec)));
        }
        let Cutting::Open(plain, cutter) = &mut *cutting else { return Ok(None) };
        while let Some(chunk) = plain.try_next().await? {
            let cuts = cutter.feed(&chunk, false);
            if !cuts.is_empty() {
                return Ok(Some(cuts));
            }
        }
        let cuts = cutter.feed(&[], true);
        *cutting = Cutting::Ended;
        self.progress.file_done();
        Ok(Some(cuts).filter(|cuts| !cuts.is_empty()))
    }

    fn make(&self, cut: Cut) -> DfResult<Vec<RecordBatch>> {
        let loader = |line| Loader::of_block(Arc::clone(&self.spec), Arc::clone(&self.errors), self.file.url(), line);
        match cut {
            Cut::Block { bytes, line } => {
                let mut loader = loader(line);
                let mut batches = loader.feed(&bytes)?;
                batches.extend(loader.finish()?);
                Ok(batches)
            }
            Cut::TooLong { line } => {
                loader(line).too_long(line)?;
                Ok(Vec::new())
            }
        }
    }
}
