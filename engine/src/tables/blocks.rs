//! Which blocks of Vortex files a scan read, and which it left out.
//!
//! A block is a piece of a column's values, as the file has it; zone maps and dictionaries are none. A scan notes the
//! places that it reads when it is told to before it runs; which blocks there are is read from the files afterwards.

use super::adapt::TableColumn;
use super::encoding::data_blocks;
use super::format;
use super::memory::InMemory;
use super::source::ManagedSource;
use super::vortex::SESSION;
use crate::error::{Error, ErrorKind, Result};
use arrow::datatypes::{DataType, Field};
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::utils::collect_columns;
use datafusion_datasource::file_groups::FileGroup;
use futures::{StreamExt, TryStreamExt, stream};
use millrace_catalog::model::FileFormat;
use moka::future::Cache;
use object_store::ObjectStore;
use object_store::path::Path;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use vortex::error::{VortexError, VortexResult};
use vortex::file::OpenOptionsSessionExt;
use vortex::io::VortexReadAt;
use vortex::layout::LayoutChildType;
use vortex::layout::layouts::flat::Flat;

/// How many blocks' places are kept.
const KEPT_BLOCKS: u64 = 200_000;
/// How many files are asked for their blocks at a time.
const CONCURRENCY: usize = 16;

/// The blocks of a scan's files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadBlocks {
    /// Those that were read.
    pub read: u64,
    /// Those of the same columns that were not.
    pub skipped: u64,
}

/// The blocks of a file: the column's id, and where it is.
type Blocks = Arc<[(i64, Range<u64>)]>;

/// The blocks of files that were asked before; files never change under a name. Cloning it shares them.
#[derive(Clone)]
pub(super) struct BlockCache(Cache<Path, Blocks>);

impl Default for BlockCache {
    fn default() -> Self {
        let weigh = |_: &Path, blocks: &Blocks| u32::try_from(blocks.len() + 1).unwrap_or(u32::MAX);
        Self(Cache::builder().max_capacity(KEPT_BLOCKS).weigher(weigh).build())
    }
}

impl fmt::Debug for BlockCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockCache").field("blocks", &self.0.weighted_size()).finish_non_exhaustive()
    }
}

/// The places of files that a scan read, once it is told to note them.
#[derive(Debug, Default)]
pub(super) struct NotedReads(OnceLock<Mutex<Places>>);

/// Offsets of reads with their ends, by file.
type Places = BTreeMap<Path, BTreeMap<u64, u64>>;

impl NotedReads {
    /// Notes a read, if so told.
    pub(super) fn note(&self, path: &Path, offset: u64, length: usize) {
        if let Some(places) = self.0.get() {
            let mut places = places.lock().unwrap_or_else(PoisonError::into_inner);
            let end = places.entry(path.clone()).or_default().entry(offset).or_default();
            *end = offset.saturating_add(length as u64).max(*end);
        }
    }
}

/// Has a scan note what it will read, if it is one of Vortex files.
pub fn note_reads(scan: &FileScanConfig) {
    if let Some(source) = scan.file_source().downcast_ref::<ManagedSource>() {
        source.reads().0.get_or_init(Mutex::default);
    }
}

/// The blocks that a scan read since it was told to note them; `None` for one that does not.
///
/// # Errors
/// What the store says; `DataCorrupted` for a file that is not as its format is.
pub async fn read_blocks(scan: &FileScanConfig, store: Arc<dyn ObjectStore>) -> Result<Option<ReadBlocks>> {
    let Some(source) = scan.file_source().downcast_ref::<ManagedSource>() else { return Ok(None) };
    if source.format() != FileFormat::Vortex {
        return Ok(None);
    }
    let Some(places) = source.reads().0.get() else { return Ok(None) };
    let places = places.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let columns = columns_of(scan, source.columns());
    let files = scan.file_groups.iter().flat_map(FileGroup::iter);
    let files = files.filter(|file| file.extension::<InMemory>().is_none());
    let paths: BTreeSet<Path> = files.map(|file| file.object_meta.location.clone()).collect();
    let blocks = stream::iter(paths).map(|path| {
        let (store, source) = (Arc::clone(&store), source.clone());
        async move {
            if let Some(blocks) = source.blocks().0.get(&path).await {
                return Ok((path, blocks));
            }
            let reader = source.reader(store, &path)?;
            let blocks: Blocks = blocks_of(reader).await.map_err(|error| damaged(&path, &error))?.into();
            source.blocks().0.insert(path.clone(), Arc::clone(&blocks)).await;
            Ok::<_, Error>((path, blocks))
        }
    });
    let blocks: Vec<(Path, Blocks)> = blocks.buffer_unordered(CONCURRENCY).try_collect().await?;
    let mut counted = ReadBlocks::default();
    for (path, blocks) in blocks {
        let reads = places.get(&path);
        for (_, block) in blocks.iter().filter(|(column, _)| columns.contains(column)) {
            let is_read = reads.and_then(|reads| reads.range(..=block.start).next_back());
            // A read from storage far away covers several blocks.
            if is_read.is_some_and(|(_, end)| *end >= block.end) { counted.read += 1 } else { counted.skipped += 1 }
        }
    }
    Ok(Some(counted))
}

fn damaged(path: &Path, error: &VortexError) -> Error {
    Error::new(ErrorKind::DataCorrupted, format!("could not read the blocks of file \"{path}\""))
        .with_detail(error.to_string())
}

/// The ids of the columns that a scan gives or decides by.
fn columns_of(scan: &FileScanConfig, known: &[TableColumn]) -> BTreeSet<i64> {
    let source = scan.file_source();
    let mut names = BTreeSet::new();
    let mut note = |expr: &Arc<dyn PhysicalExpr>| {
        names.extend(collect_columns(expr).iter().map(|column| column.name().to_owned()));
    };
    match source.projection() {
        Some(projection) => projection.iter().for_each(|given| note(&given.expr)),
        None => return known.iter().map(|column| column.id).collect(),
    }
    source.filter().iter().for_each(note);
    known.iter().filter(|column| names.contains(&column.name)).map(|column| column.id).collect()
}

/// Where the blocks of all columns are in a file.
async fn blocks_of(file: Arc<dyn VortexReadAt>) -> VortexResult<Vec<(i64, Range<u64>)>> {
    let file = SESSION.open_options().open(file).await?;
    let (root, places) = (file.footer().layout(), file.footer().segment_map());
    let kinds: Vec<LayoutChildType> = root.child_types().collect();
    let mut found = Vec::new();
    let place = |(block, _): &(vortex::layout::LayoutRef, bool)| {
        let segment = places.get(*block.as_opt::<Flat>()?.segment_id() as usize)?;
        Some(segment.offset..segment.offset + u64::from(segment.length))
    };
    for (child, kind) in root.children()?.into_iter().zip(kinds) {
        let LayoutChildType::Field(name) = kind else { continue };
        let stored = Field::new(name.to_string(), DataType::Null, true);
        if let Some(id) = format::column_id(FileFormat::Vortex, &stored) {
            let mut blocks = Vec::new();
            data_blocks(&child, false, &mut blocks)?;
            found.extend(blocks.iter().filter_map(place).map(|place| (id, place)));
        }
    }
    Ok(found)
}
