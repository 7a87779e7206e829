//! What a write leaves behind: after a commit, after errors, after it was dropped.

#![allow(clippy::unwrap_used)]

use super::*;
use arrow::array::{ArrayRef, AsArray, Int32Array, RecordBatch, StringViewArray};
use arrow::datatypes::{Field, Int32Type, SchemaRef};
use datafusion::error::DataFusionError;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use millrace_catalog::model::{Column, HiveType, SerDe};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result as StoreResult, UploadPart,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio_util::task::TaskTracker;

fn batch(numbers: &[i32], texts: &[Option<&str>]) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int32Array::from(numbers.to_vec()));
    let texts: ArrayRef = Arc::new(StringViewArray::from(texts.to_vec()));
    RecordBatch::try_from_iter([("n", numbers), ("t", texts)]).unwrap()
}

type Item = std::result::Result<RecordBatch, DataFusionError>;

fn stream(items: Vec<Item>) -> SendableRecordBatchStream {
    let schema = batch(&[], &[]).schema();
    Box::pin(RecordBatchStreamAdapter::new(schema, futures::stream::iter(items)))
}

fn schema(fields: &[(&str, DataType)]) -> SchemaRef {
    Arc::new(Schema::new(fields.iter().map(|(n, t)| Field::new(*n, t.clone(), true)).collect::<Vec<_>>()))
}

fn target(store: Arc<dyn ObjectStore>, url: &str, prefix: Path) -> WriteTarget {
    WriteTarget {
        existing: Vec::new(),
        store,
        url: ObjectStoreUrl::parse(url).unwrap(),
        prefix,
        format: WriteFormat::Parquet,
        compression: Compression::default(),
        data_schema: schema(&[("n", DataType::Int32), ("t", DataType::Utf8View)]),
        partition_columns: Vec::new(),
        partition_folders: HashMap::new(),
        bucketing: None,
        max_file_size_bytes: DEFAULT_MAX_FILE_SIZE_BYTES,
        file_name_prefix: "q1".to_owned(),
        slices: None,
        row_group_bytes: None,
        cleanup: TaskTracker::new(),
    }
}

fn memory_target() -> (Arc<dyn ObjectStore>, WriteTarget) {
    let store: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    (Arc::clone(&store), target(store, "s3://bucket", Path::from("db/t")))
}

fn local_target(folder: &tempfile::TempDir) -> WriteTarget {
    let root = Path::from_filesystem_path(folder.path()).unwrap();
    target(Arc::new(LocalFileSystem::new()), "file:///", Path::parse(format!("{root}/db/t")).unwrap())
}

fn partitioned(mut target: WriteTarget) -> WriteTarget {
    target.data_schema = schema(&[("n", DataType::Int32)]);
    target.partition_columns = vec![Column::new("t", HiveType::String)];
    target
}

/// Everything under a folder of the local disk, folders too.
fn entries(folder: &std::path::Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        found.push(entry.file_name().to_string_lossy().into_owned());
        if entry.file_type().unwrap().is_dir() {
            found.extend(entries(&entry.path()));
        }
    }
    found
}

async fn names(store: &dyn ObjectStore) -> Vec<String> {
    let mut names: Vec<_> = store.list(None).map_ok(|meta| meta.location.to_string()).try_collect().await.unwrap();
    names.sort();
    names
}

async fn content(store: &dyn ObjectStore, path: &Path) -> bytes::Bytes {
    store.get(path).await.unwrap().bytes().await.unwrap()
}

#[tokio::test]
async fn files_are_visible_only_after_the_commit() {
    let (store, target) = memory_target();
    let items = vec![Ok(batch(&[1, 2], &[Some("a"), None])), Ok(batch(&[3], &[Some("c")]))];
    let files = write(target, vec![stream(items), stream(vec![])]).await.unwrap();
    assert_eq!(files.rows(), 3);
    assert!(names(store.as_ref()).await.is_empty());
    let written = files.commit().await.unwrap();
    assert_eq!((written.rows, written.files.len(), written.partitions.len()), (3, 1, 0));
    assert_eq!(names(store.as_ref()).await, ["db/t/q1_00000_00000.parquet"]);

    let bytes = content(store.as_ref(), &written.files[0].path).await;
    assert_eq!(written.files[0].size_bytes, bytes.len() as u64);
    let metadata = SerializedFileReader::new(bytes.clone()).unwrap().metadata().clone();
    let column = metadata.row_group(0).column(0);
    assert!(matches!(column.compression(), parquet::basic::Compression::GZIP(_)));
    assert!(column.statistics().is_some() && column.column_index_offset().is_some());
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
    let batches: Vec<_> = reader.map(|batch| batch.unwrap()).collect();
    assert_eq!(batches[0].column(0).as_primitive::<Int32Type>().values(), &[1, 2, 3]);
    assert_eq!(batches[0].column(1).as_string::<i32>().iter().collect::<Vec<_>>(), [Some("a"), None, Some("c")]);
}

#[tokio::test]
async fn the_local_disk_gets_files_by_renaming() {
    let folder = tempfile::tempdir().unwrap();
    let items = vec![Ok(batch(&[1, 2], &[Some("a/b"), None]))];
    let files = write(partitioned(local_target(&folder)), vec![stream(items)]).await.unwrap();
    let staged: Vec<_> = entries(folder.path()).into_iter().filter(|name| name.contains("q1")).collect();
    assert_eq!(staged.len(), 2);
    assert!(staged.iter().all(|name| name.ends_with(".parquet#1")), "{staged:?}");
    let store = LocalFileSystem::new_with_prefix(folder.path()).unwrap();
    assert!(names(&store).await.is_empty());
    let written = files.commit().await.unwrap();
    assert_eq!(
        names(&store).await,
        ["db/t/t=__HIVE_DEFAULT_PARTITION__/q1_00000_00001.parquet", "db/t/t=a%2Fb/q1_00000_00000.parquet"]
    );
    assert_eq!(written.partitions[0].0, [None]);
    assert_eq!(written.partitions[1].0, [Some("a/b".to_owned())]);
    assert!(written.partitions[1].1.as_ref().ends_with("/db/t/t=a%2Fb"));
    written.remove(&LocalFileSystem::new()).await;
    assert!(names(&store).await.is_empty());
}

#[tokio::test]
async fn dropped_and_aborted_writes_leave_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let items = || vec![Ok(batch(&[1, 2], &[Some("x"), Some("y")]))];
    drop(write(partitioned(local_target(&folder)), vec![stream(items())]).await.unwrap());
    assert_eq!(entries(folder.path()), [""; 0]);
    write(local_target(&folder), vec![stream(items())]).await.unwrap().abort();
    assert_eq!(entries(folder.path()), [""; 0]);
}

#[tokio::test]
async fn a_failing_stream_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut failing = partitioned(local_target(&folder));
    failing.max_file_size_bytes = 1;
    let cancelled = Error::new(ErrorKind::Cancelled, "canceling statement due to user request");
    let items = vec![
        Ok(batch(&[1, 2], &[Some("x"), Some("y")])),
        Ok(batch(&[3], &[Some("x")])),
        Err(DataFusionError::External(Box::new(cancelled.clone()))),
    ];
    let other = vec![Ok(batch(&[4], &[Some("z")]))];
    let error = write(failing, vec![stream(items), stream(other)]).await.err();
    assert_eq!(error, Some(cancelled));
    assert_eq!(entries(folder.path()), [""; 0]);
}

#[tokio::test]
async fn a_cancelled_write_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut endless = local_target(&folder);
    endless.max_file_size_bytes = 1;
    let batches = futures::stream::unfold((), |()| async {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        Some((Ok(batch(&[1], &[None])), ()))
    });
    let endless_stream = Box::pin(RecordBatchStreamAdapter::new(batch(&[], &[]).schema(), batches));
    let writing = write(endless, vec![endless_stream]);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(100), writing).await.is_err());
    for _ in 0..100 {
        if entries(folder.path()).is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(entries(folder.path()), [""; 0]);
}

#[tokio::test]
async fn a_failing_commit_removes_what_was_visible() {
    let folder = tempfile::tempdir().unwrap();
    let items = vec![Ok(batch(&[1, 2, 3], &[Some("x"), Some("y"), Some("z")]))];
    let files = write(partitioned(local_target(&folder)), vec![stream(items)]).await.unwrap();
    // A folder in the way of the last file.
    let blocked = files.files.last().map(|file| std::path::PathBuf::from(format!("/{}", file.path))).unwrap();
    std::fs::create_dir_all(blocked.join("x")).unwrap();
    let error = files.commit().await.unwrap_err();
    assert!(error.message.starts_with("could not write file"), "{error}");
    std::fs::remove_dir_all(&blocked).unwrap();
    assert!(entries(folder.path()).iter().all(|name| !name.contains("q1")), "{:?}", entries(folder.path()));
}

#[tokio::test]
async fn large_files_go_up_in_parts_and_roll_over() {
    let (store, mut target) = memory_target();
    target.format = WriteFormat::Text(TextFormat::default());
    target.compression = Compression::None;
    target.max_file_size_bytes = 10 * 1024 * 1024;
    let line = "x".repeat(1021 * 1024);
    let items: Vec<Item> = (0..24).map(|n| Ok(batch(&[n], &[Some(line.as_str())]))).collect();
    let written = write(target, vec![stream(items)]).await.unwrap().commit().await.unwrap();
    assert_eq!((written.rows, written.files.len()), (24, 3));
    let mut lines = Vec::new();
    for file in &written.files {
        assert!(file.size_bytes <= 10 * 1024 * 1024);
        let bytes = content(store.as_ref(), &file.path).await;
        lines.extend(bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(<[u8]>::to_vec));
    }
    let expected: Vec<_> = (0..24).map(|n| format!("{n}\u{1}{line}").into_bytes()).collect();
    assert!(lines == expected);
}

/// A store in memory that refuses to make objects whose name ends in `refused`, and counts uploads under way.
#[derive(Debug)]
struct FaultyStore {
    inner: InMemory,
    refused: &'static str,
    uploads: Arc<AtomicUsize>,
}

impl std::fmt::Display for FaultyStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FaultyStore")
    }
}

impl FaultyStore {
    fn refuse() -> object_store::Error {
        object_store::Error::Generic { store: "FaultyStore", source: "connection reset".into() }
    }
}

#[async_trait::async_trait]
impl ObjectStore for FaultyStore {
    async fn put_opts(&self, path: &Path, payload: PutPayload, options: PutOptions) -> StoreResult<PutResult> {
        if path.as_ref().ends_with(self.refused) {
            return Err(Self::refuse());
        }
        self.inner.put_opts(path, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        path: &Path,
        options: PutMultipartOptions,
    ) -> StoreResult<Box<dyn MultipartUpload>> {
        let inner = self.inner.put_multipart_opts(path, options).await?;
        self.uploads.fetch_add(1, Ordering::SeqCst);
        let refuses = path.as_ref().ends_with(self.refused);
        Ok(Box::new(FaultyUpload { inner, refuses, uploads: Arc::clone(&self.uploads) }))
    }

    async fn get_opts(&self, path: &Path, options: GetOptions) -> StoreResult<GetResult> {
        self.inner.get_opts(path, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, StoreResult<Path>>) -> BoxStream<'static, StoreResult<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, StoreResult<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> StoreResult<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> StoreResult<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    refuses: bool,
    uploads: Arc<AtomicUsize>,
}

#[async_trait::async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> StoreResult<PutResult> {
        if self.refuses {
            return Err(FaultyStore::refuse());
        }
        self.uploads.fetch_sub(1, Ordering::SeqCst);
        self.inner.complete().await
    }

    async fn abort(&mut self) -> StoreResult<()> {
        self.uploads.fetch_sub(1, Ordering::SeqCst);
        self.inner.abort().await
    }
}

/// Three objects of which the second or third cannot be made, once as uploads in parts and once as single puts.
#[tokio::test]
async fn a_store_that_fails_at_the_commit_is_left_as_it_was() {
    for line_bytes in [9 * 1024 * 1024, 10] {
        let uploads = Arc::new(AtomicUsize::new(0));
        let inner = InMemory::new();
        let store: Arc<dyn ObjectStore> =
            Arc::new(FaultyStore { inner, refused: "_00001.json", uploads: Arc::clone(&uploads) });
        let mut target = target(Arc::clone(&store), "s3://bucket", Path::from("t"));
        target.format = WriteFormat::Json(JsonFormat::default());
        target.compression = Compression::None;
        target.max_file_size_bytes = 1;
        let cleanup = target.cleanup.clone();
        let line = "x".repeat(line_bytes);
        let items: Vec<Item> = (0..3).map(|n| Ok(batch(&[n], &[Some(line.as_str())]))).collect();
        let files = write(target, vec![stream(items)]).await.unwrap();
        let error = files.commit().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Connection);
        cleanup.close();
        cleanup.wait().await;
        assert_eq!(names(store.as_ref()).await, [""; 0]);
        assert_eq!(uploads.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn any_number_of_partitions_is_written() {
    let (store, target) = memory_target();
    let texts: Vec<String> = (0..250).map(|n| format!("p{n}")).collect();
    let mut batches = Vec::new();
    for _ in 0..2 {
        let numbers: Vec<i32> = (0..250).collect();
        batches.push(Ok(batch(&numbers, &texts.iter().map(|t| Some(t.as_str())).collect::<Vec<_>>())));
    }
    let written = write(partitioned(target), vec![stream(batches)]).await.unwrap().commit().await.unwrap();
    assert_eq!((written.rows, written.partitions.len()), (500, 250));
    assert!(written.files.len() <= 500);
    assert_eq!(names(store.as_ref()).await.len(), written.files.len());
}

#[tokio::test]
async fn existing_partitions_keep_their_folders() {
    let (store, target) = memory_target();
    let mut target = partitioned(target);
    target.partition_folders = HashMap::from([(vec![Some("x".to_owned())], Path::from("elsewhere"))]);
    let items = vec![Ok(batch(&[1, 2], &[Some("x"), Some("y")]))];
    write(target, vec![stream(items)]).await.unwrap().commit().await.unwrap();
    assert_eq!(names(store.as_ref()).await, ["db/t/t=y/q1_00000_00001.parquet", "elsewhere/q1_00000_00000.parquet"]);
}

/// Bucket numbers from Java's hash codes: of an `int` itself, of "hello" 99162322.
#[tokio::test]
async fn buckets_have_files_of_their_own() {
    let (store, mut target) = memory_target();
    target.format = WriteFormat::Json(JsonFormat::default());
    target.compression = Compression::None;
    target.bucketing = Some(Bucketing { columns: vec![1], count: 4 });
    let items = vec![Ok(batch(&[1, 2], &[Some("hello"), None]))];
    let written = write(target, vec![stream(items)]).await.unwrap().commit().await.unwrap();
    assert_eq!(names(store.as_ref()).await, ["db/t/000000_0_q1_00000_00001.json", "db/t/000002_0_q1_00000_00000.json"]);
    assert_eq!(content(store.as_ref(), &written.files[0].path).await, "{\"n\":2,\"t\":null}\n");
    assert_eq!(content(store.as_ref(), &written.files[1].path).await, "{\"n\":1,\"t\":\"hello\"}\n");
}

#[tokio::test]
async fn text_files_are_compressed_by_their_ending() {
    use async_compression::tokio::bufread::{BzDecoder, GzipDecoder, ZstdDecoder};
    use tokio::io::AsyncReadExt;
    for (compression, ending) in [
        (Compression::None, ".csv"),
        (Compression::Gzip, ".csv.gz"),
        (Compression::Bzip2, ".csv.bz2"),
        (Compression::Zstd(3), ".csv.zst"),
    ] {
        let (store, mut target) = memory_target();
        target.format = WriteFormat::OpenCsv(OpenCsvFormat { header: true, ..OpenCsvFormat::default() });
        target.compression = compression;
        let items = vec![Ok(batch(&[1], &[Some("a")])), Ok(batch(&[2], &[None]))];
        let written = write(target, vec![stream(items)]).await.unwrap().commit().await.unwrap();
        assert!(written.files[0].path.as_ref().ends_with(ending));
        let bytes = content(store.as_ref(), &written.files[0].path).await;
        let mut text = Vec::new();
        match compression {
            Compression::Gzip => GzipDecoder::new(bytes.as_ref()).read_to_end(&mut text).await.unwrap(),
            Compression::Bzip2 => BzDecoder::new(bytes.as_ref()).read_to_end(&mut text).await.unwrap(),
            Compression::Zstd(_) => ZstdDecoder::new(bytes.as_ref()).read_to_end(&mut text).await.unwrap(),
            _ => std::io::Read::read_to_end(&mut bytes.as_ref(), &mut text).unwrap(),
        };
        assert_eq!(String::from_utf8(text).unwrap(), "\"n\",\"t\"\n\"1\",\"a\"\n\"2\",\n");
    }
}

#[tokio::test]
async fn nested_columns_survive_parquet() {
    use datafusion::common::ScalarValue;
    let (store, mut target) = memory_target();
    let types = ["map<string,array<int>>", "struct<a:decimal(5,2),b:timestamp>", "binary"];
    let columns: Vec<_> = types.iter().map(|t| Column::new("c", t.parse().unwrap())).collect();
    let fields: Vec<_> = columns.iter().map(types::to_field).collect();
    target.data_schema = Arc::new(Schema::new(fields.clone()));
    let arrays: Vec<ArrayRef> = fields.iter().map(|f| arrow::array::new_null_array(f.data_type(), 2)).collect();
    let rows = RecordBatch::try_new(Arc::clone(&target.data_schema), arrays).unwrap();
    let items: Vec<Item> = vec![Ok(rows)];
    let adapter = RecordBatchStreamAdapter::new(Arc::clone(&target.data_schema), futures::stream::iter(items));
    let written = write(target, vec![Box::pin(adapter)]).await.unwrap().commit().await.unwrap();
    let bytes = content(store.as_ref(), &written.files[0].path).await;
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    for (field, hive) in builder.schema().fields().iter().zip(types) {
        assert_eq!(types::from_arrow(field.data_type()).unwrap().to_string(), hive);
    }
    let read = builder.build().unwrap().next().unwrap().unwrap();
    assert!(ScalarValue::try_from_array(read.column(1), 0).unwrap().is_null());
}

#[tokio::test]
async fn what_cannot_be_written_is_refused_before_it_starts() {
    let refuse = |change: fn(&mut WriteTarget)| async move {
        let (_, mut target) = memory_target();
        change(&mut target);
        write(target, vec![stream(vec![])]).await.err().map(|e| (e.kind, e.message)).unwrap()
    };
    let (kind, message) = refuse(|t| t.compression = Compression::Bzip2).await;
    assert_eq!(
        (kind, message.as_str()),
        (ErrorKind::Unsupported, "writing Parquet with BZIP2 compression is not supported")
    );
    let (kind, _) = refuse(|t| t.data_schema = schema(&[("n", DataType::Int64), ("t", DataType::Utf8View)])).await;
    assert_eq!(kind, ErrorKind::DatatypeMismatch);
    let (kind, _) = refuse(|t| t.max_file_size_bytes = 0).await;
    assert_eq!(kind, ErrorKind::InvalidParameter);
}

#[test]
fn formats_are_known_by_their_serde() {
    use millrace_catalog::model::{Parameters, StorageDescriptor, Table, TableKind};
    let format = |serde: &str, parameters: &[(&str, &str)]| {
        let serde = SerDe { library: serde.to_owned(), parameters: Parameters::new() };
        WriteFormat::of_table(&Table {
            id: 0,
            database: String::new(),
            name: String::new(),
            version: 1,
            kind: TableKind::ExternalTable,
            description: None,
            owner: None,
            storage: StorageDescriptor { serde, ..StorageDescriptor::default() },
            partition_keys: Vec::new(),
            parameters: parameters.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            create_time_ms: 0,
            update_time_ms: 0,
        })
    };
    assert_eq!(
        format("org.openx.data.jsonserde.JsonSerDe", &[]),
        Ok(WriteFormat::Json(JsonFormat { base64: true, ..JsonFormat::default() }))
    );
    let csv = format("org.apache.hadoop.hive.serde2.OpenCSVSerde", &[("skip.header.line.count", "1")]);
    assert_eq!(csv, Ok(WriteFormat::OpenCsv(OpenCsvFormat { header: true, ..OpenCsvFormat::default() })));
    let orc = format("org.apache.hadoop.hive.ql.io.orc.OrcSerde", &[]).unwrap_err();
    assert_eq!(orc.message, "writing ORC is not supported");
    assert!(format("org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe", &[("skip.header.line.count", "2")]).is_err());
}
