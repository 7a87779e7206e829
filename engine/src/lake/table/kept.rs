//! What was kept of a table's rows, for the planner: `ANALYZE`'s and crawlers' statistics, or the row count that a
//! table property gives.
//!
//! Nothing of it is ever exact. Files may have changed since, so that row counts go by the bytes there are now; bounds
//! are given only while the files are those that were looked at, because DataFusion takes a filter beyond Inexact
//! bounds for a proof that a column has no values. What footers tell goes before all of it, but for distinct counts.

use super::{Files, LakeTable, Selected};
use crate::error::Result;
use crate::lake::collect::Merged;
use crate::lake::statistics::usual_width;
use crate::lake::types::parse_partition_value;
use datafusion::arrow::datatypes::{DataType, Schema};
use datafusion::common::stats::Precision;
use datafusion::common::{ScalarValue, Statistics};
use millrace_catalog::model::{Column, Parameters, PartitionFilter, TableStatistics};
use object_store::ObjectMeta;
use std::collections::HashSet;
use std::sync::Arc;

/// Where more partitions than this are read, the table's statistics stand for theirs.
const MOST_PARTITIONS: usize = 1_000;

/// A file this much older than the look is the one that was seen, clocks being what they are.
const CLOCK_SKEW_MS: i64 = 1_000;

/// The properties that give a number of rows with those that give the bytes they take: Spectrum and Hive, Glue.
const ROW_COUNTS: [(&str, &str); 2] = [("numRows", "totalSize"), ("recordCount", "sizeKey")];

/// What was kept of the rows that a scan selected.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    statistics: Arc<TableStatistics>,
    columns: Arc<[Column]>,
    /// Rows per byte of a file, once it was compared with the files.
    density: f64,
    /// Whether the files are those that were looked at.
    unchanged: bool,
}

impl LakeTable {
    /// What was kept of the selected folders, in at most one look-up.
    pub(super) async fn kept(&self, look_ups: &[PartitionFilter], selected: &[Selected]) -> Result<Option<Kept>> {
        let Files::Catalog { catalog, table, .. } = &self.files else { return Ok(None) };
        let columns = Arc::from(table.storage.columns.as_slice());
        let kept = |statistics| Some(Kept { statistics, columns, density: 0., unchanged: false });
        let few = !look_ups.is_empty() && selected.len() <= MOST_PARTITIONS;
        if few && self.partitions_analyzed {
            let found = catalog.partition_statistics_without_sketches(table, look_ups).await?;
            let wanted: HashSet<&[ScalarValue]> = selected.iter().map(|folder| folder.values.as_slice()).collect();
            let mut merged = Merged::default();
            for (values, part) in &found {
                let typed = table.partition_keys.iter().zip(values);
                let typed = typed.map(|(key, value)| parse_partition_value(value.as_deref(), &key.data_type));
                if wanted.contains(typed.collect::<Result<Vec<_>>>()?.as_slice()) {
                    merged.add(part, &table.storage.columns)?;
                }
            }
            let mut merged = merged.finish()?;
            if merged.file_count > 0 {
                if let Some(whole) = &self.statistics {
                    cap_distinct(&mut merged, whole);
                }
                return Ok(kept(Arc::new(merged)));
            }
        }
        if let Some(whole) = &self.statistics {
            return Ok(kept(Arc::clone(whole)));
        }
        let Some((row_count, size_bytes)) = counted(&table.parameters) else { return Ok(None) };
        if size_bytes == 0 && !look_ups.is_empty() {
            return Ok(None);
        }
        Ok(kept(Arc::new(TableStatistics { row_count, size_bytes, ..TableStatistics::default() })))
    }
}

/// Partitions have no more different values together than the whole table has.
fn cap_distinct(part: &mut TableStatistics, whole: &TableStatistics) {
    for (name, column) in &mut part.columns {
        if let (Some(count), Some(all)) =
            (&mut column.distinct_count, whole.columns.get(name).and_then(|column| column.distinct_count))
        {
            *count = (*count).min(all);
        }
    }
}

/// The rows that a table property gives, and the bytes of the files that have them; 0 where that is not given.
fn counted(parameters: &Parameters) -> Option<(u64, u64)> {
    let number = |key: &str| parameters.get(key)?.trim().parse::<u64>().ok();
    let found = ROW_COUNTS.iter().find_map(|(rows, bytes)| Some((number(rows)?, number(bytes).unwrap_or(0))));
    found.filter(|(rows, _)| *rows > 0)
}

impl Kept {
    /// Compares what was looked at with the files that there are now.
    pub(super) fn compare<'a>(&mut self, files: impl Iterator<Item = &'a ObjectMeta>) {
        let (mut size_bytes, mut count, mut newest_ms) = (0_u64, 0_u64, i64::MIN);
        for file in files {
            size_bytes = size_bytes.saturating_add(file.size);
            count += 1;
            newest_ms = newest_ms.max(file.last_modified.timestamp_millis());
        }
        let known = &self.statistics;
        let then = if known.size_bytes == 0 { size_bytes } else { known.size_bytes };
        self.density = known.row_count as f64 / then.max(1) as f64;
        self.unchanged = known.exact
            && (known.size_bytes, known.file_count) == (size_bytes, count)
            && newest_ms.saturating_add(CLOCK_SKEW_MS) < known.analyzed_time_ms;
    }

    /// Adds what was kept to what is known of a scan of this many bytes: everything where the files have no footers or
    /// too many, else distinct counts.
    pub(super) fn refine(
        &self,
        statistics: &mut Statistics,
        schema: &Schema,
        projection: Option<&Vec<usize>>,
        size_bytes: u64,
    ) {
        let footers = matches!(statistics.num_rows, Precision::Exact(_));
        if !footers {
            statistics.num_rows = Precision::Inexact((self.density * size_bytes as f64).round() as usize);
            let at = |at: &usize| self.width(*at, schema.field(*at).data_type());
            let width: f64 = match projection {
                Some(projection) => projection.iter().map(at).sum(),
                None => (0..schema.fields().len()).map(|place| at(&place)).sum(),
            };
            let rows = self.density * size_bytes as f64;
            statistics.total_byte_size = Precision::Inexact((rows * width).round() as usize);
        }
        let rows = statistics.num_rows.get_value().copied().unwrap_or(0);
        let share = rows as f64 / self.statistics.row_count.max(1) as f64;
        for (column, known) in self.columns.iter().zip(&mut statistics.column_statistics) {
            let Some(kept) = self.statistics.columns.get(&column.name) else { continue };
            if let (Some(count), Precision::Absent) = (kept.distinct_count, &known.distinct_count) {
                known.distinct_count = Precision::Inexact(usize::try_from(count).unwrap_or(usize::MAX).min(rows));
            }
            if footers {
                continue;
            }
            if let Some(nulls) = kept.null_count {
                known.null_count = Precision::Inexact(((nulls as f64 * share).round() as usize).min(rows));
            }
            if self.unchanged {
                let bound = |text: &Option<String>| {
                    let value = parse_partition_value(Some(text.as_deref()?), &column.data_type).ok()?;
                    Some(Precision::Inexact(value))
                };
                known.min_value = bound(&kept.minimum).unwrap_or(Precision::Absent);
                known.max_value = bound(&kept.maximum).unwrap_or(Precision::Absent);
            }
        }
    }

    /// Bytes that a value of a column takes in memory, about.
    fn width(&self, at: usize, data_type: &DataType) -> f64 {
        /// What an Arrow view takes, beside a text that is too long for it.
        const VIEW_BYTES: f64 = 16.;
        if let Some(width) = data_type.primitive_width() {
            return width as f64;
        }
        let kept = self.columns.get(at).and_then(|column| self.statistics.columns.get(&column.name));
        match kept.and_then(|column| column.average_length) {
            Some(length) if length <= 12. => VIEW_BYTES,
            Some(length) => VIEW_BYTES + length,
            None => usual_width(data_type) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::arrow::datatypes::Field;
    use millrace_catalog::model::{ColumnStatistics, HiveType};

    /// 100 rows in a file of 1,000 bytes.
    fn kept(size_bytes: u64, modified_ms: i64) -> Kept {
        let column = ColumnStatistics {
            minimum: Some("1".to_owned()),
            maximum: Some("9".to_owned()),
            null_count: Some(10),
            distinct_count: Some(80),
            ..ColumnStatistics::default()
        };
        let statistics = TableStatistics {
            row_count: 100,
            size_bytes: 1_000,
            file_count: 1,
            exact: true,
            analyzed_time_ms: 1_000_000,
            columns: [("k".to_owned(), column)].into(),
        };
        let columns = [Column::new("k", HiveType::Int)];
        let mut kept =
            Kept { statistics: Arc::new(statistics), columns: Arc::from(columns), density: 0., unchanged: false };
        let file = ObjectMeta {
            location: "x".into(),
            last_modified: chrono::DateTime::from_timestamp_millis(modified_ms).unwrap(),
            size: size_bytes,
            e_tag: None,
            version: None,
        };
        kept.compare([&file].into_iter());
        kept
    }

    fn refined(kept: &Kept, size_bytes: u64, rows: Precision<usize>) -> Statistics {
        let schema = Schema::new(vec![Field::new("k", DataType::Int32, true)]);
        let mut statistics = Statistics { num_rows: rows, ..Statistics::new_unknown(&schema) };
        kept.refine(&mut statistics, &schema, None, size_bytes);
        statistics
    }

    #[test]
    fn unchanged_files_give_all_and_nothing_exact() {
        let found = refined(&kept(1_000, 0), 1_000, Precision::Inexact(7));
        assert_eq!((found.num_rows, found.total_byte_size), (Precision::Inexact(100), Precision::Inexact(400)));
        let column = &found.column_statistics[0];
        assert_eq!((column.null_count, column.distinct_count), (Precision::Inexact(10), Precision::Inexact(80)));
        assert_eq!(column.min_value, Precision::Inexact(ScalarValue::Int32(Some(1))));
        assert_eq!(column.max_value, Precision::Inexact(ScalarValue::Int32(Some(9))));
    }

    #[test]
    fn rows_go_by_bytes_and_changed_files_have_no_bounds() {
        // Twice the bytes; as many bytes in a file that is newer than the look.
        for (size_bytes, modified_ms, rows, nulls) in [(2_000, 0, 200, 20), (1_000, 1_000_000, 100, 10)] {
            let found = refined(&kept(size_bytes, modified_ms), size_bytes, Precision::Inexact(7));
            let column = &found.column_statistics[0];
            assert_eq!((found.num_rows, column.null_count), (Precision::Inexact(rows), Precision::Inexact(nulls)));
            assert_eq!((&column.min_value, &column.max_value), (&Precision::Absent, &Precision::Absent));
        }
        // A scan of a part of the files has no more distinct values than rows.
        let part = refined(&kept(1_000, 0), 500, Precision::Absent);
        assert_eq!(part.num_rows, Precision::Inexact(50));
        assert_eq!(part.column_statistics[0].distinct_count, Precision::Inexact(50));
    }

    #[test]
    fn footers_win_but_for_distinct_counts() {
        let found = refined(&kept(1_000, 0), 1_000, Precision::Exact(90));
        let column = &found.column_statistics[0];
        assert_eq!((found.num_rows, column.distinct_count), (Precision::Exact(90), Precision::Inexact(80)));
        assert_eq!((&column.null_count, &column.min_value), (&Precision::Absent, &Precision::Absent));
    }

    #[test]
    fn properties_of_spectrum_and_glue_count_rows() {
        let of = |pairs: &[(&str, &str)]| {
            counted(&pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
        };
        assert_eq!(of(&[("numRows", "5")]), Some((5, 0)));
        assert_eq!(of(&[("recordCount", "7"), ("sizeKey", "70")]), Some((7, 70)));
        assert_eq!((of(&[("numRows", "-1")]), of(&[("numRows", "0")]), of(&[])), (None, None, None));
    }
}
