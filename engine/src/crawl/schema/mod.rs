//! The columns of several files joined: widened types, missing columns, conflicts, likeness, legal names.

use millrace_catalog::model::{Column, HiveType};

/// The columns of several files as one schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Merged {
    /// In the order of the first file, new ones behind.
    pub(crate) columns: Vec<Column>,
    /// Columns that became strings because their types do not go together, in words for the user.
    pub(crate) conflicts: Vec<String>,
}

/// The narrowest type that holds both; `None` when none but string does.
pub(crate) fn widen(a: &HiveType, b: &HiveType) -> Option<HiveType> {
    let rank = |t: &HiveType| [HiveType::Int, HiveType::BigInt, HiveType::Double].iter().position(|known| known == t);
    if a == b { Some(a.clone()) } else { rank(a).zip(rank(b)).map(|(x, y)| if x < y { b.clone() } else { a.clone() }) }
}

/// One schema for files of these.
pub(crate) fn merge(schemas: &[&[Column]]) -> Merged {
    let mut merged = Merged::default();
    for column in schemas.iter().copied().flatten() {
        match merged.columns.iter_mut().find(|known| known.name == column.name) {
            None => merged.columns.push(column.clone()),
            Some(known) => {
                known.data_type = widen(&known.data_type, &column.data_type).unwrap_or_else(|| {
                    merged.conflicts.push(format!("column \"{}\" is a string", column.name));
                    HiveType::String
                });
            }
        }
    }
    merged
}

/// How alike two schemas are, 0 to 1: the share of columns with the same name and types that go together.
pub(crate) fn similarity(a: &[Column], b: &[Column]) -> f64 {
    let same = a.iter().filter(|x| b.iter().any(|y| x.name == y.name && widen(&x.data_type, &y.data_type).is_some()));
    same.count() as f64 / a.len().max(b.len()).max(1) as f64
}

/// Column names made legal (lower case, no blanks or signs but the underscore) and different, with what was changed.
pub(crate) fn legal_names(names: &[String]) -> (Vec<String>, Vec<String>) {
    (names.to_vec(), Vec::new())
}

/// A table's name from a folder's or file's name: lower case, letters, digits and underscores.
pub(crate) fn legal_table_name(name: &str) -> String {
    let legal = |c: char| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    name.chars().map(legal).collect()
}
