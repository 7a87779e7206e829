//! From one stream of rows to the files of its partitions and buckets.
//!
//! A router keeps a file open for each partition and bucket it meets, at most [`MAX_OPEN_FILES`] of them: the file
//! that was longest without rows is closed for a new one. So any number of partitions can be written, but a stream
//! whose rows jump between more partitions than that makes many small files, which has a limit of its own; a plan
//! that expects many partitions sorts by them first.

use super::bucket;
use super::columns::{self, Column};
use super::commit::StagedFile;
use super::encoder::Encoder;
use super::partition_path::partition_path;
use super::pieces::RowBytes;
use super::scalar_text::write_scalar;
use super::target::WriteTarget;
use super::upload::{Destination, Upload};
use crate::error::{Error, ErrorKind, Result};
use arrow::array::{ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::row::{RowConverter, SortField};
use object_store::path::Path;
use std::collections::HashMap;
use std::sync::Arc;

/// Files that one stream writes at a time; Athena's limit for all of a query.
const MAX_OPEN_FILES: usize = 100;

/// Files that one stream may make.
const MAX_FILES: usize = 100_000;

/// Files are filled in at least so many pieces: a file is larger than it should be by no more than a part of one.
const PIECES: u64 = 16;

/// Memory of all open files of a write, in bytes; the streams share it evenly.
const MEMORY_BYTES: usize = 512 * 1024 * 1024;

/// The least memory of one stream's files: below it, row groups would be too small to be of use.
const MIN_MEMORY_BYTES: usize = 32 * 1024 * 1024;

/// An encoder that holds less than this is closed rather than flushed when memory is short.
const MIN_FLUSH_BYTES: usize = 1024 * 1024;

/// A partition's values and folder.
type Partition = Arc<(Vec<Option<String>>, Path)>;

/// Writes one stream's rows.
pub(super) struct Router {
    target: Arc<WriteTarget>,
    destination: Arc<Destination>,
    /// Which of the write's streams this is; part of file names.
    stream: usize,
    memory_bytes: usize,
    rows: Option<RowConverter>,
    open: HashMap<Vec<u8>, OpenFile>,
    /// Counts batches and groups, to tell which file is the oldest.
    clock: u64,
    made_files: usize,
    /// How many files each partition and bucket has, for names of slices.
    parts: HashMap<Vec<u8>, usize>,
    staged: Vec<StagedFile>,
}

struct OpenFile {
    encoder: Encoder,
    upload: Upload,
    partition: Option<Partition>,
    rows: u64,
    last_used: u64,
}

/// Rows of a batch that go to one file.
struct Group {
    /// Partition values in Arrow's row format, then the bucket's number: what tells files apart.
    key: Vec<u8>,
    rows: Vec<u32>,
    bucket: Option<u32>,
}

impl OpenFile {
    fn memory_bytes(&self) -> usize {
        self.encoder.memory_bytes() + self.upload.memory_bytes()
    }

    /// Bytes of the file so far, those estimated that are not yet encoded.
    fn size_bytes(&self) -> u64 {
        self.upload.size_bytes() + self.encoder.pending_bytes() as u64
    }

    async fn drain(&mut self) -> Result<()> {
        let output = self.encoder.take_output();
        if output.is_empty() { Ok(()) } else { self.upload.write(output).await }
    }

    async fn close(mut self) -> Result<StagedFile> {
        self.encoder.finish().await?;
        self.drain().await?;
        let (path, size_bytes, body) = self.upload.close().await?;
        Ok(StagedFile { path, size_bytes, rows: self.rows, partition: self.partition, body })
    }
}

impl Router {
    pub(super) fn new(
        target: Arc<WriteTarget>,
        destination: Arc<Destination>,
        stream: usize,
        streams: usize,
    ) -> Result<Self> {
        let keys = &target.partition_columns;
        let sort_field =
            |column: &millrace_catalog::model::Column| SortField::new(crate::lake::types::to_arrow(&column.data_type));
        let rows = (!keys.is_empty())
            .then(|| RowConverter::new(keys.iter().map(sort_field).collect()))
            .transpose()
            .map_err(|e| Error::unsupported("partitioning by these columns").with_detail(e.to_string()))?;
        Ok(Self {
            target,
            destination,
            stream,
            memory_bytes: (MEMORY_BYTES / streams.max(1)).max(MIN_MEMORY_BYTES),
            rows,
            open: HashMap::new(),
            clock: 0,
            made_files: 0,
            parts: HashMap::new(),
            staged: Vec::new(),
        })
    }

    /// Writes a batch of data columns followed by partition columns.
    pub(super) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let width = self.target.data_schema.fields().len();
        let data = batch.project(&(0..width).collect::<Vec<_>>()).map_err(|e| Error::internal(e.to_string()))?;
        let keys: Vec<ArrayRef> = batch.columns()[width..].iter().map(columns::canonical).collect::<Result<_>>()?;
        let groups = self.groups(&data, &keys)?;
        let whole = groups.len() == 1;
        for group in groups {
            let part = if whole { data.clone() } else { take_rows(&data, &group)? };
            self.write_group(&group, &part, &keys).await?;
        }
        self.relieve_memory().await
    }

    /// Ends all files.
    pub(super) async fn finish(mut self) -> Result<Vec<StagedFile>> {
        for (_, file) in std::mem::take(&mut self.open) {
            self.staged.push(file.close().await?);
        }
        Ok(self.staged)
    }

    /// Writes the rows of a group into its file, and into the next ones when that is full.
    async fn write_group(&mut self, group: &Group, part: &RecordBatch, keys: &[ArrayRef]) -> Result<()> {
        let (most, count) = (self.target.max_file_size_bytes, part.num_rows());
        let piece_bytes = most / PIECES;
        let row_bytes = RowBytes::of(part);
        let (mut from, mut most_rows) = (0, usize::MAX);
        while from < count {
            if !self.open.contains_key(&group.key) {
                let first_row = group.rows.first().copied().unwrap_or(0) as usize;
                self.open_file(group, keys, first_row).await?;
            }
            self.clock += 1;
            let Some(file) = self.open.get_mut(&group.key) else {
                return Err(Error::internal("the file is not open"));
            };
            file.last_used = self.clock;
            let room = most.saturating_sub(file.size_bytes());
            // Half of the room at a time, down to the last row that has room: what rows take is known when they are
            // written.
            let rows =
                row_bytes.rows_within(from, piece_bytes.min(room / 2)).max(row_bytes.rows_within(from, room).min(1));
            let piece = part.slice(from, rows.min(most_rows).max(1));
            // A row for which no file is large enough has one of its own.
            let is_alone = file.rows == 0 && piece.num_rows() == 1;
            let has_room = rows > 0 || file.rows == 0;
            if !has_room || !file.encoder.encode(&piece, (!is_alone).then_some(room)).await? {
                // What is masked in a text, and what a layout adds, make it longer than was estimated.
                most_rows = if piece.num_rows() > 1 { piece.num_rows() / 2 } else { usize::MAX };
                if most_rows == usize::MAX {
                    self.close(&group.key).await?;
                }
                continue;
            }
            most_rows = usize::MAX;
            file.drain().await?;
            file.rows += piece.num_rows() as u64;
            from += piece.num_rows();
            if file.size_bytes() >= most {
                self.close(&group.key).await?;
            }
        }
        Ok(())
    }

    /// Parts the rows of a batch by the file they go to, in the order in which the files first appear.
    fn groups(&self, data: &RecordBatch, keys: &[ArrayRef]) -> Result<Vec<Group>> {
        let count = data.num_rows();
        let values = match &self.rows {
            Some(converter) => Some(converter.convert_columns(keys).map_err(|e| Error::internal(e.to_string()))?),
            None => None,
        };
        let buckets = match &self.target.bucketing {
            Some(bucketing) => {
                let columns: Vec<_> = bucketing.columns.iter().map(|&at| ArrayRef::clone(data.column(at))).collect();
                Some(bucket::buckets(&columns, count, bucketing.count)?)
            }
            None => None,
        };
        if values.is_none() && buckets.is_none() {
            return Ok(vec![Group { key: Vec::new(), rows: Vec::new(), bucket: None }]);
        }
        let mut groups: Vec<Group> = Vec::new();
        let mut by_key: HashMap<Vec<u8>, usize> = HashMap::new();
        let (mut key, mut last) = (Vec::new(), None);
        for row in 0..count {
            key.clear();
            if let Some(values) = &values {
                key.extend_from_slice(values.row(row).data());
            }
            let bucket = buckets.as_ref().map(|buckets| buckets[row]);
            key.extend_from_slice(&bucket.unwrap_or(0).to_be_bytes());
            // Rows of one partition mostly come together.
            let at = match last {
                Some(at) if groups.get(at).is_some_and(|group: &Group| group.key == key) => at,
                _ => {
                    if let Some(at) = by_key.get(&key) {
                        *at
                    } else {
                        by_key.insert(key.clone(), groups.len());
                        groups.push(Group { key: key.clone(), rows: Vec::new(), bucket });
                        groups.len() - 1
                    }
                }
            };
            groups[at].rows.push(row as u32);
            last = Some(at);
        }
        Ok(groups)
    }

    async fn open_file(&mut self, group: &Group, keys: &[ArrayRef], row: usize) -> Result<()> {
        if self.made_files >= MAX_FILES {
            return Err(Error::new(ErrorKind::LimitExceeded, format!("a write makes more than {MAX_FILES} files"))
                .with_hint("Add ORDER BY with the partition columns, or write fewer partitions or buckets."));
        }
        if self.open.len() >= MAX_OPEN_FILES {
            let oldest = self.open.iter().min_by_key(|(_, file)| file.last_used).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest {
                self.close(&oldest).await?;
            }
        }
        let partition = if keys.is_empty() { None } else { Some(self.partition(keys, row)?) };
        let folder = partition.as_deref().map_or(&self.target.prefix, |(_, folder)| folder);
        let part = self.parts.get(&group.key).copied().unwrap_or(0);
        let name = match &self.target.slices {
            Some(slices) => slices.name(self.stream, part),
            None => self.file_name(group.bucket),
        };
        self.parts.insert(group.key.clone(), part + 1);
        let path = child(folder, &name)?;
        self.made_files += 1;
        let file = OpenFile {
            encoder: {
                let target = &self.target;
                Encoder::new(&target.format, target.compression, &target.data_schema, target.row_group_bytes)?
            },
            upload: Upload::new(Arc::clone(&self.destination), path),
            partition,
            rows: 0,
            last_used: self.clock,
        };
        self.open.insert(group.key.clone(), file);
        Ok(())
    }

    /// Bucketed files are named as Hive's and Trino's are: the bucket's number in six digits, `_0_`, then the rest.
    fn file_name(&self, bucket: Option<u32>) -> String {
        let target = &self.target;
        let extension = target.format.extension();
        let codec = if extension == ".parquet" { "" } else { target.compression.extension() };
        let bucket = bucket.map_or_else(String::new, |bucket| format!("{bucket:06}_0_"));
        format!("{bucket}{}_{:05}_{:05}{extension}{codec}", target.file_name_prefix, self.stream, self.made_files)
    }

    fn partition(&self, keys: &[ArrayRef], row: usize) -> Result<Partition> {
        let values: Vec<Option<String>> = keys.iter().map(|key| partition_text(key, row)).collect::<Result<_>>()?;
        if let Some(folder) = self.target.partition_folders.get(&values) {
            return Ok(Arc::new((values, folder.clone())));
        }
        let names: Vec<_> = self.target.partition_columns.iter().map(|column| column.name.as_str()).collect();
        let folder = child(&self.target.prefix, &partition_path(&names, &values))?;
        Ok(Arc::new((values, folder)))
    }

    async fn close(&mut self, key: &[u8]) -> Result<()> {
        if let Some(file) = self.open.remove(key) {
            self.staged.push(file.close().await?);
        }
        Ok(())
    }

    /// Flushes the largest row groups, or closes files where that frees little, until memory is within its bound.
    async fn relieve_memory(&mut self) -> Result<()> {
        while self.open.values().map(OpenFile::memory_bytes).sum::<usize>() > self.memory_bytes {
            let largest = self.open.iter_mut().max_by_key(|(_, file)| file.memory_bytes());
            let Some((key, file)) = largest else { return Ok(()) };
            if file.encoder.memory_bytes() >= MIN_FLUSH_BYTES {
                file.encoder.flush()?;
                file.drain().await?;
            } else {
                let key = key.clone();
                self.close(&key).await?;
            }
        }
        Ok(())
    }
}

fn take_rows(data: &RecordBatch, group: &Group) -> Result<RecordBatch> {
    let rows = UInt32Array::from(group.rows.clone());
    take_record_batch(data, &rows).map_err(|e| Error::internal(e.to_string()))
}

/// A partition value as the catalog keeps it. The empty text is NULL, as its folder cannot tell them apart.
fn partition_text(key: &ArrayRef, row: usize) -> Result<Option<String>> {
    let column = Column::new(key)?;
    if column.is_null(row) {
        return Ok(None);
    }
    let mut text = Vec::new();
    write_scalar(&column, row, &mut text)?;
    let text = String::from_utf8(text).map_err(|e| Error::internal(e.to_string()))?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn child(folder: &Path, relative: &str) -> Result<Path> {
    let parsed =
        if folder.as_ref().is_empty() { Path::parse(relative) } else { Path::parse(format!("{folder}/{relative}")) };
    parsed.map_err(|e| Error::new(ErrorKind::InvalidParameter, format!("invalid path \"{folder}/{relative}\": {e}")))
}
