//! What is really in a file: for each column the encodings of its blocks, read from the file itself.

use crate::error::{Error, ErrorKind, Result};
use crate::tables::vortex::SESSION;
use crate::tables::{TableStorage, format};
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use millrace_catalog::model::{DataFile, FileFormat, ManagedTable};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use vortex::array::dtype::DType;
use vortex::array::serde::SerializedArray;
use vortex::error::{VortexError, VortexResult};
use vortex::file::{OpenOptionsSessionExt, VortexFile};
use vortex::layout::layouts::flat::Flat;
use vortex::layout::{LayoutChildType, LayoutRef};
use vortex::session::registry::ReadContext;

/// The most blocks of a column that are looked at, spread over the file.
const MOST_BLOCKS: usize = 32;

/// A column in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnEncodings {
    /// The column's id.
    pub column: i64,
    /// Its bytes in the file, as the manifest has them.
    pub size_bytes: u64,
    /// Each way in which blocks of it are encoded, with how many of those that were looked at are so, most frequent
    /// first: outer encodings around inner ones, `vortex.zigzag(fastlanes.bitpacked)`; what stands before a dictionary
    /// of many blocks is `dictionary`. In a Parquet file the column's encodings and its compression, in all row groups.
    pub encodings: Vec<(String, usize)>,
}

/// The encodings of a managed table's file, by column in the order of the file.
///
/// Reads up to [`MOST_BLOCKS`] blocks of each column of a Vortex file, and the footer of a Parquet file.
///
/// # Errors
/// `DataCorrupted` for a file that is not as its format is; what the store says.
pub async fn describe(storage: &TableStorage, table: &ManagedTable, file: &DataFile) -> Result<Vec<ColumnEncodings>> {
    let path = storage.file_path(table, &file.path)?;
    let found = match file.format {
        FileFormat::Vortex => of_vortex(storage, path).await.map_err(|error| damaged(&file.path, &error))?,
        FileFormat::Parquet => of_parquet(storage, path).await?,
    };
    let found = found.into_iter().map(|(column, counts)| {
        let mut encodings: Vec<(String, usize)> = counts.into_iter().collect();
        encodings.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let size_bytes = file.columns.get(&column).map_or(0, |known| known.size_bytes);
        ColumnEncodings { column, size_bytes, encodings }
    });
    Ok(found.collect())
}

type Counts = BTreeMap<String, usize>;

fn damaged(path: &str, error: &VortexError) -> Error {
    Error::new(ErrorKind::DataCorrupted, format!("could not read the encodings of file \"{path}\""))
        .with_detail(error.to_string())
}

async fn of_vortex(storage: &TableStorage, path: Path) -> VortexResult<Vec<(i64, Counts)>> {
    let file = SESSION.open_options().open_object_store(&storage.store, path).await?;
    let root = file.footer().layout();
    let DType::Struct(fields, _) = root.dtype() else { return Ok(Vec::new()) };
    let types: Vec<LayoutChildType> = root.child_types().collect();
    let mut columns = Vec::new();
    for (child, kind) in root.children()?.into_iter().zip(types) {
        let LayoutChildType::Field(name) = kind else { continue };
        let stored = arrow::datatypes::Field::new(name.to_string(), arrow::datatypes::DataType::Null, true);
        let Some(id) = format::column_id(FileFormat::Vortex, &stored) else { continue };
        columns.push((id, column(&file, &child).await?));
    }
    debug_assert!(columns.len() <= fields.nfields());
    Ok(columns)
}

/// The encodings of one column's blocks.
async fn column(file: &VortexFile, layout: &LayoutRef) -> VortexResult<Counts> {
    let mut blocks = Vec::new();
    data_blocks(layout, false, &mut blocks)?;
    let step = blocks.len().div_ceil(MOST_BLOCKS).max(1);
    let mut counts = Counts::new();
    for (block, in_dictionary) in blocks.into_iter().step_by(step) {
        let Some(flat) = block.as_opt::<Flat>() else { continue };
        let segment = file.segment_source().request(flat.segment_id()).await?;
        let array = SerializedArray::try_from(segment)?;
        let tree = tree(&array, flat.array_ctx());
        let shown = if in_dictionary { format!("dictionary({tree})") } else { tree };
        *counts.entry(shown).or_default() += 1;
    }
    Ok(counts)
}

/// The layouts of a column's blocks of values, or of their codes; zone maps and the dictionaries themselves left out.
pub(in crate::tables) fn data_blocks(
    layout: &LayoutRef,
    in_dictionary: bool,
    blocks: &mut Vec<(LayoutRef, bool)>,
) -> VortexResult<()> {
    if layout.is::<Flat>() {
        blocks.push((Arc::clone(layout), in_dictionary));
        return Ok(());
    }
    let kinds: Vec<LayoutChildType> = layout.child_types().collect();
    for (child, kind) in layout.children()?.into_iter().zip(kinds) {
        match kind {
            LayoutChildType::Auxiliary(name) if name.as_ref() != "codes" => {}
            LayoutChildType::Auxiliary(_) => data_blocks(&child, true, blocks)?,
            LayoutChildType::Transparent(name) if name.as_ref() == "codes" => data_blocks(&child, true, blocks)?,
            _ => data_blocks(&child, in_dictionary, blocks)?,
        }
    }
    Ok(())
}

/// An array's encoding with those of the arrays within.
fn tree(array: &SerializedArray, ids: &ReadContext) -> String {
    let mut shown = ids.resolve(array.encoding_id()).map_or_else(|| "?".to_owned(), |id| id.to_string());
    let within: Vec<String> = (0..array.nchildren()).map(|at| tree(&array.child(at), ids)).collect();
    if !within.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(shown, "({})", within.join(", "));
    }
    shown
}

async fn of_parquet(storage: &TableStorage, path: Path) -> Result<Vec<(i64, Counts)>> {
    let object = storage.store.head(&path).await?;
    let metadata = DFParquetMetadata::new(storage.store.as_ref(), &object).fetch_metadata().await?;
    let schema = metadata.file_metadata().schema_descr();
    let mut columns = Vec::new();
    for at in 0..schema.num_columns() {
        let info = schema.column(at).self_type().get_basic_info().clone();
        if !info.has_id() {
            continue;
        }
        let mut counts = Counts::new();
        for group in metadata.row_groups() {
            let chunk = group.column(at);
            let mut names: Vec<String> = chunk.encodings().map(|encoding| format!("{encoding:?}")).collect();
            names.sort();
            *counts.entry(format!("{} ({:?})", names.join(", "), chunk.compression())).or_default() += 1;
        }
        columns.push((i64::from(info.id()), counts));
    }
    Ok(columns)
}
