//! What a table consists of, as VACUUM sees it: its files, and its rows in the catalog as one piece more.

use super::order::Range;
use crate::error::Result;
use crate::tables::layout::{bucket_now, effective_style, is_sorted};
use crate::tables::scan::InlinedRows;
use crate::tables::statistics::{bounds, live_rows};
use crate::tables::types::SqlType;
use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::min_max::{MaxAccumulator, MinAccumulator};
use datafusion::logical_expr::Accumulator;
use millrace_catalog::manifest::PastDefinition;
use millrace_catalog::model::{DataFile, DistributionStyle, ManagedTable, SortKey};

/// A file, or the rows in the catalog.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Piece {
    /// The file's id; `None` for the rows in the catalog.
    pub(crate) file: Option<i64>,
    /// Rows, deleted ones included.
    pub(crate) rows: u64,
    /// Rows that are not deleted.
    pub(crate) live: u64,
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// The bucket of all rows.
    pub(crate) bucket: Option<u32>,
    /// Whether the rows are in the order of the table's sort key.
    pub(crate) sorted: bool,
    /// Whether the file is written as the table is defined now: its format, the encodings of its columns, and its
    /// bucket where it is large enough to have one.
    pub(crate) current: bool,
    /// Between what the first column of the sort key lies; anything without a sort key.
    pub(crate) range: Range,
}

impl Piece {
    /// Rows that are deleted.
    pub(crate) fn deleted(&self) -> u64 {
        self.rows.saturating_sub(self.live)
    }
}

/// The pieces of a table: its files in their order, then its rows in the catalog if there are any. `past` are the
/// table's definitions, oldest first; rows are written in `slices`.
pub(crate) fn pieces(
    table: &ManagedTable,
    past: &[PastDefinition],
    files: &[DataFile],
    inlined: &[InlinedRows],
    slices: usize,
) -> Result<Vec<Piece>> {
    let first = match first_column(table) {
        Some((at, id)) => Some((at, id, table.columns[at].data_type.parse::<SqlType>()?)),
        None => None,
    };
    let buckets = Buckets::of(table, files, slices)?;
    let piece = |file: &DataFile| Piece {
        file: Some(file.id),
        rows: file.record_count,
        live: live_rows(file),
        bytes: file.size_bytes,
        bucket: buckets.bucket(table, file),
        sorted: is_sorted(table, file),
        current: is_current(table, past, file) && !buckets.lacks(table, file),
        range: first.map_or(Range::ANY, |(_, id, data_type)| file_range(file, id, data_type)),
    };
    let mut pieces: Vec<Piece> = files.iter().map(piece).collect();
    let rows: u64 = inlined.iter().map(|inlined| inlined.rows.num_rows() as u64).sum();
    if rows > 0 {
        let range = match first {
            Some((at, ..)) => inlined_range(inlined, at)?,
            None => Range::ANY,
        };
        pieces.push(Piece {
            file: None,
            rows,
            live: rows,
            bytes: 0,
            bucket: None,
            sorted: false,
            current: true,
            range,
        });
    }
    Ok(pieces)
}

/// How a table is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SortForm {
    /// By one column after the other.
    Compound,
    /// By several columns alike.
    Interleaved,
}

/// How a table is sorted; `None` without a sort key. An interleaved key of one column is as a compound one.
pub(crate) fn sort_form(table: &ManagedTable) -> Option<SortForm> {
    match &table.attributes.effective_sort_key() {
        SortKey::None | SortKey::Auto => None,
        SortKey::Interleaved { columns } if columns.len() > 1 => Some(SortForm::Interleaved),
        SortKey::Compound { .. } | SortKey::Interleaved { .. } => Some(SortForm::Compound),
    }
}

/// Place and id of the first column of a compound sort key.
fn first_column(table: &ManagedTable) -> Option<(usize, i64)> {
    let (SortKey::Compound { columns } | SortKey::Interleaved { columns }) = table.attributes.effective_sort_key()
    else {
        return None;
    };
    let id = *columns.first().filter(|_| sort_form(table) == Some(SortForm::Compound))?;
    Some((table.columns.iter().position(|column| column.id == id)?, id))
}

/// The buckets of a table's files.
struct Buckets {
    /// Of how many they are; files of another number count as without one.
    of: u32,
    /// Whether a large file without a bucket would get one.
    wanted: bool,
}

/// Rows from which on a file has a bucket.
const ROWS_WITH_BUCKET: u64 = 64 * 1024;

impl Buckets {
    fn of(table: &ManagedTable, files: &[DataFile], slices: usize) -> Result<Self> {
        let of = files.iter().filter_map(|file| bucket_now(table, file)).map(|(_, of)| of).max().unwrap_or_default();
        let size = files.iter().map(|file| file.size_bytes).sum();
        let wanted = match effective_style(table, size).style {
            DistributionStyle::Key { column } => {
                let key = table.columns.iter().find(|known| known.id == column);
                // Other types have no hash that equal values share.
                let hashed = |data_type| !matches!(data_type, SqlType::Real | SqlType::Double);
                slices > 1 && key.map(|key| key.data_type.parse()).transpose()?.is_some_and(hashed)
            }
            _ => false,
        };
        Ok(Self { of, wanted })
    }

    fn bucket(&self, table: &ManagedTable, file: &DataFile) -> Option<u32> {
        bucket_now(table, file).filter(|(_, of)| *of == self.of).map(|(bucket, _)| bucket)
    }

    fn lacks(&self, table: &ManagedTable, file: &DataFile) -> bool {
        self.wanted && file.record_count > ROWS_WITH_BUCKET && bucket_now(table, file).is_none()
    }
}

fn file_range(file: &DataFile, column: i64, data_type: SqlType) -> Range {
    let Some(known) = file.columns.get(&column) else { return Range::ANY };
    if known.value_count == 0 {
        return Range::NULLS;
    }
    let (minimum, maximum) = bounds(known, data_type);
    Range::new(minimum, maximum, known.null_count > 0)
}

fn inlined_range(inlined: &[InlinedRows], at: usize) -> Result<Range> {
    let arrays: Vec<_> = inlined.iter().map(|inlined| inlined.rows.column(at)).collect();
    let Some(first) = arrays.first() else { return Ok(Range::ANY) };
    let mut minimum = MinAccumulator::try_new(first.data_type())?;
    let mut maximum = MaxAccumulator::try_new(first.data_type())?;
    for array in &arrays {
        minimum.update_batch(&[std::sync::Arc::clone(array)])?;
        maximum.update_batch(&[std::sync::Arc::clone(array)])?;
    }
    let known = |value: ScalarValue| (!value.is_null()).then_some(value);
    let has_null = arrays.iter().any(|array| array.null_count() > 0);
    let (minimum, maximum) = (known(minimum.evaluate()?), known(maximum.evaluate()?));
    Ok(if minimum.is_none() { Range::NULLS } else { Range::new(minimum, maximum, has_null) })
}

/// Whether a file was written under a definition that writes as the table's present one does.
fn is_current(table: &ManagedTable, past: &[PastDefinition], file: &DataFile) -> bool {
    if file.format != table.attributes.format {
        return false;
    }
    let Some(last) = past.iter().rposition(|past| past.begin_snapshot <= file.begin_snapshot) else {
        // That definition has expired, or another program's was never noted. It is right where nothing is special.
        return table.columns.iter().all(|column| column.encoding.is_none());
    };
    table.columns.iter().all(|column| {
        let then = past[last].table.columns.iter().find(|then| then.id == column.id);
        // A column that was added since has no values in the file.
        then.is_none_or(|then| then.encoding == column.encoding)
    })
}
