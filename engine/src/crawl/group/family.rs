//! Files that belong together: one layout, schemas alike.

use crate::crawl::schema::{self, Unknown};
use crate::crawl::{Layout, Recognized};
use crate::lake::hive_classes::{LAZY_SIMPLE_SERDE, OPEN_CSV_SERDE};
use millrace_catalog::model::{Column, SerDe, TableGrouping};

/// The share of two schemas that must be alike (Glue: "at least 70%").
pub(super) const LEAST_SIMILARITY: f64 = 0.7;

/// The JSON SerDe's property for a column that stands for a key of another name.
const MAPPING: &str = "mapping.";

/// What files or folders have in common.
#[derive(Debug, Clone)]
pub(super) struct Family {
    /// How they are read. Compressions may differ.
    pub(super) layout: Layout,
    /// Their columns together.
    pub(super) columns: Vec<Column>,
    /// Columns and fields without a value in any of them.
    pub(super) unknown: Unknown,
    /// How alike the least alike of them was to those before it, 0 to 1.
    pub(super) similarity: f64,
    /// Columns whose types did not go together.
    pub(super) conflicts: Vec<String>,
}

impl Family {
    /// A family of one.
    pub(super) fn new(file: &Recognized) -> Self {
        Self {
            layout: file.layout.clone(),
            columns: file.columns.clone(),
            unknown: file.unknown.clone(),
            similarity: 1.0,
            conflicts: Vec::new(),
        }
    }

    fn schema(&self) -> (&[Column], &Unknown) {
        (&self.columns, &self.unknown)
    }

    /// How alike another one is, when they may join.
    pub(super) fn admits(&self, other: &Self, policy: TableGrouping) -> Option<f64> {
        join_layouts(&self.layout, &other.layout).filter(|_| self.finds_as(other) && other.finds_as(self))?;
        let same = self.columns == other.columns;
        let similarity = if same { 1.0 } else { schema::similarity(self.schema(), other.schema()) };
        let alike = similarity >= LEAST_SIMILARITY || policy == TableGrouping::CombineCompatibleSchemas;
        alike.then_some(similarity)
    }

    /// Whether each column that stands for a key of another name stands for that key in `other` too, if it is there.
    fn finds_as(&self, other: &Self) -> bool {
        let other_key = |key: &str| other.layout.serde.parameters.get(key);
        self.layout
            .serde
            .parameters
            .iter()
            .filter_map(|(key, value)| Some((key, key.strip_prefix(MAPPING)?, value)))
            .all(|(key, name, value)| {
                other_key(key) == Some(value) || !other.columns.iter().any(|column| column.name == name)
            })
    }

    /// Takes in what [`Self::admits`] found to be this alike.
    pub(super) fn join(&mut self, other: &Self, similarity: f64) {
        if let Some(layout) = join_layouts(&self.layout, &other.layout) {
            self.layout = layout;
        }
        self.similarity = self.similarity.min(similarity);
        if self.schema() != other.schema() {
            let merged = schema::merge(&[self.schema(), other.schema()]);
            self.columns = merged.columns;
            self.unknown = merged.unknown;
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
        && a.serde.library == b.serde.library
        && without_mapping(&a.serde).eq(without_mapping(&b.serde))
        && a.input_format == b.input_format
        && a.output_format == b.output_format
        && a.parameters == b.parameters
}

/// The properties that say how rows are read, without those that belong to single columns.
fn without_mapping(serde: &SerDe) -> impl Iterator<Item = (&String, &String)> {
    serde.parameters.iter().filter(|(key, _)| !key.starts_with(MAPPING))
}

/// The layout that reads files of both. Of delimited text some files may have quotes and some not: the reader of quoted
/// text reads both.
fn join_layouts(a: &Layout, b: &Layout) -> Option<Layout> {
    if same_layout(a, b) {
        let mut both = b.clone();
        both.serde.parameters.extend(a.serde.parameters.clone());
        return Some(Layout { compression: a.compression.clone(), classifier: a.classifier.clone(), ..both });
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
