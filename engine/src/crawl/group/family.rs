//! Files that belong together: one layout, schemas alike.

use crate::crawl::{Layout, schema};
use crate::lake::hive_classes::{LAZY_SIMPLE_SERDE, OPEN_CSV_SERDE};
use millrace_catalog::model::{Column, TableGrouping};

/// The share of two schemas that must be alike (Glue: "at least 70%").
pub(super) const LEAST_SIMILARITY: f64 = 0.7;

/// What files or folders have in common.
#[derive(Debug, Clone)]
pub(super) struct Family {
    /// How they are read. Compressions may differ.
    pub(super) layout: Layout,
    /// Their columns together.
    pub(super) columns: Vec<Column>,
    /// How alike the least alike of them was to those before it, 0 to 1.
    pub(super) similarity: f64,
    /// Columns whose types did not go together.
    pub(super) conflicts: Vec<String>,
}

impl Family {
    /// A family of one.
    pub(super) fn new(layout: &Layout, columns: &[Column]) -> Self {
        Self { layout: layout.clone(), columns: columns.to_vec(), similarity: 1.0, conflicts: Vec::new() }
    }

    /// How alike files of this layout and these columns are, when they may join.
    pub(super) fn admits(&self, layout: &Layout, columns: &[Column], policy: TableGrouping) -> Option<f64> {
        join_layouts(&self.layout, layout)?;
        let similarity = if self.columns == columns { 1.0 } else { schema::similarity(&self.columns, columns) };
        let alike = similarity >= LEAST_SIMILARITY || policy == TableGrouping::CombineCompatibleSchemas;
        alike.then_some(similarity)
    }

    /// Takes in what [`Self::admits`] found to be this alike.
    pub(super) fn join(&mut self, layout: &Layout, columns: &[Column], similarity: f64) {
        if let Some(layout) = join_layouts(&self.layout, layout) {
            self.layout = layout;
        }
        self.similarity = self.similarity.min(similarity);
        if self.columns != columns {
            let merged = schema::merge(&[&self.columns, columns]);
            self.columns = merged.columns;
            self.conflict(merged.conflicts);
        }
    }

    /// Takes over conflicts, each once.
    pub(super) fn conflict(&mut self, conflicts: Vec<String>) {
        for conflict in conflicts {
            if !self.conflicts.contains(&conflict) {
                self.conflicts.push(conflict);
            }
        }
    }
}

/// Whether both are read in the same way, whatever their compression.
pub(super) fn same_layout(a: &Layout, b: &Layout) -> bool {
    a.classification == b.classification
        && a.serde == b.serde
        && a.input_format == b.input_format
        && a.output_format == b.output_format
        && a.parameters == b.parameters
}

/// The layout that reads files of both. Of delimited text some files may have quotes and some not: the reader of quoted
/// text reads both.
fn join_layouts(a: &Layout, b: &Layout) -> Option<Layout> {
    if same_layout(a, b) {
        return Some(a.clone());
    }
    let (quoted, plain) = match (a.serde.library.as_str(), b.serde.library.as_str()) {
        (OPEN_CSV_SERDE, LAZY_SIMPLE_SERDE) => (a, b),
        (LAZY_SIMPLE_SERDE, OPEN_CSV_SERDE) => (b, a),
        _ => return None,
    };
    let separator = quoted.serde.parameters.get("separatorChar").map_or(",", String::as_str);
    let delimiter = plain.serde.parameters.get("field.delim").map_or("\u{1}", String::as_str);
    let header = "skip.header.line.count";
    let alike = quoted.classification == plain.classification
        && separator == delimiter
        && quoted.parameters.get(header) == plain.parameters.get(header);
    alike.then(|| quoted.clone())
}
