//! Opening a file, or a byte range of it, as a stream of bytes.
//!
//! Local files are read in large pieces on the blocking pool: the store's own stream gives 8 KB at a time.

use crate::lake::decompress::ByteStream;
use bytes::Bytes;
use datafusion::common::runtime::SpawnedTask;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_plan::metrics::Count;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResultPayload, ObjectMeta, ObjectStore};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

/// How much of a local file is read at a time, in bytes.
const READ_SIZE: u64 = 1024 * 1024;

/// How far behind a range the first request reaches, to find the end of its last record, in bytes.
pub(super) const LOOK_AHEAD: u64 = 64 * 1024;

/// How much each further request asks for when a record is longer than that, in bytes.
const MORE: u64 = 1024 * 1024;

/// The whole file. `scanned` counts its bytes.
pub(crate) async fn open_whole(store: &Arc<dyn ObjectStore>, location: &Path, scanned: Count) -> Result<ByteStream> {
    Ok(counted(get(store, location, None).await?, scanned))
}

/// The bytes of a file as it was listed, from `range.start` on where there is a range, as far as they are asked for.
/// An object store refuses to give those of another file of the same name.
pub(crate) async fn open_listed(
    store: &Arc<dyn ObjectStore>,
    file: &ObjectMeta,
    range: Option<Range<u64>>,
) -> Result<ByteStream> {
    let (e_tag, size) = (file.e_tag.clone(), Some(file.size));
    let read = Request { store: Arc::clone(store), location: file.location.clone(), e_tag, size };
    match range {
        None => read.get(None).await,
        Some(range) => read.from(range, file.size).await,
    }
}

/// The bytes from `range.start` on, as far as they are asked for; what lies behind `range.end` is requested in small
/// parts. `size` is the file's.
pub(super) async fn open_range(
    store: &Arc<dyn ObjectStore>,
    location: &Path,
    range: Range<u64>,
    size: u64,
    scanned: Count,
) -> Result<ByteStream> {
    let read = Request { store: Arc::clone(store), location: location.clone(), e_tag: None, size: None };
    Ok(counted(read.from(range, size).await?, scanned))
}

fn counted(stream: ByteStream, scanned: Count) -> ByteStream {
    stream.inspect_ok(move |bytes| scanned.add(bytes.len())).boxed()
}

async fn get(store: &Arc<dyn ObjectStore>, location: &Path, range: Option<Range<u64>>) -> Result<ByteStream> {
    Request { store: Arc::clone(store), location: location.clone(), e_tag: None, size: None }.get(range).await
}

/// Which file is asked for.
#[derive(Clone)]
struct Request {
    store: Arc<dyn ObjectStore>,
    location: Path,
    /// What the file must still be.
    e_tag: Option<String>,
    /// How large it must still be: some stores' listings tell no tags.
    size: Option<u64>,
}

impl Request {
    async fn get(&self, range: Option<Range<u64>>) -> Result<ByteStream> {
        let if_match = self.e_tag.clone();
        let options = GetOptions { range: range.map(GetRange::Bounded), if_match, ..GetOptions::default() };
        let result = self.store.get_opts(&self.location, options).await?;
        if self.size.is_some_and(|size| size != result.meta.size) {
            let source = format!("it had {} bytes and has {}", self.size.unwrap_or_default(), result.meta.size).into();
            let path = self.location.to_string();
            return Err(object_store::Error::Precondition { path, source }.into());
        }
        let range = result.range.clone();
        Ok(match result.payload {
            GetResultPayload::File(file, _) => read_file(file, range),
            GetResultPayload::Stream(stream) => stream.map_err(DataFusionError::from).boxed(),
        })
    }

    /// From the range's start on; what lies behind its end is requested in small parts.
    async fn from(&self, range: Range<u64>, size: u64) -> Result<ByteStream> {
        let first_end = range.end.saturating_add(LOOK_AHEAD).min(size);
        let first = self.get(Some(range.start..first_end)).await?;
        let request = self.clone();
        let rest = futures::stream::try_unfold(first_end, move |at| {
            let request = request.clone();
            async move {
                if at >= size {
                    return Ok::<_, DataFusionError>(None);
                }
                let next = at.saturating_add(MORE).min(size);
                Ok(Some((request.get(Some(at..next)).await?, next)))
            }
        });
        Ok(first.chain(rest.try_flatten()).boxed())
    }
}

fn read_file(file: File, range: Range<u64>) -> ByteStream {
    futures::stream::try_unfold((file, range), |(file, range)| async move {
        if range.is_empty() {
            return Ok(None);
        }
        let (file, bytes) =
            SpawnedTask::spawn_blocking(move || read_piece(file, range.start, READ_SIZE.min(range.end - range.start)))
                .join_unwind()
                .await
                .map_err(|e| DataFusionError::External(Box::new(e)))??;
        let next = range.start + bytes.len() as u64..range.end;
        // A file that became shorter ends here.
        Ok(if bytes.is_empty() { None } else { Some((bytes, (file, next))) })
    })
    .boxed()
}

fn read_piece(mut file: File, start: u64, length: u64) -> std::io::Result<(File, Bytes)> {
    file.seek(SeekFrom::Start(start))?;
    let mut piece = Vec::with_capacity(length as usize);
    Read::by_ref(&mut file).take(length).read_to_end(&mut piece)?;
    Ok((file, piece.into()))
}
