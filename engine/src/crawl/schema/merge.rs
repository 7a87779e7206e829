//! One schema for the files of a table or partition.

use super::widen::{Conflict, join};
use millrace_catalog::model::{Column, HiveType};
use std::collections::{HashMap, HashSet};

/// The columns of several files as one schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Merged {
    /// In the order of the first file, new ones behind.
    pub(crate) columns: Vec<Column>,
    /// Columns that became strings because their types do not go together, in words for the user.
    pub(crate) conflicts: Vec<String>,
}

/// One schema for files of these: each column as wide as its files need it, see [`super::widen`]. Where no type but
/// string is, the column (or a field within it) is a string, told once with the first two types that do not go
/// together. Columns are the same by name, without regard to case.
pub(crate) fn merge(schemas: &[&[Column]]) -> Merged {
    let mut merged = Merged::default();
    let mut positions: HashMap<String, usize> = HashMap::new();
    let mut told: HashSet<String> = HashSet::new();
    for column in schemas.iter().copied().flatten() {
        let Some(known) = positions.get(&column.name.to_lowercase()).and_then(|at| merged.columns.get_mut(*at)) else {
            positions.insert(column.name.to_lowercase(), merged.columns.len());
            merged.columns.push(column.clone());
            continue;
        };
        let mut conflicts: Vec<Conflict> = Vec::new();
        known.data_type = join(&known.name, &known.data_type, &column.data_type, &mut conflicts).unwrap_or_else(|| {
            conflicts.push((known.name.clone(), known.data_type.clone(), column.data_type.clone()));
            HiveType::String
        });
        if known.comment.is_none() {
            known.comment.clone_from(&column.comment);
        }
        for (place, a, b) in conflicts {
            if told.insert(place.clone()) {
                merged
                    .conflicts
                    .push(format!("column \"{place}\" is {a} in some files and {b} in others: it is a string"));
            }
        }
    }
    merged
}
