//! One schema for the files of a table or partition.

use super::widen::Join;
use super::{Unknown, is_at, similarity};
use millrace_catalog::model::{Column, HiveType};
use std::collections::{HashMap, HashSet};

/// The columns of several files as one schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Merged {
    /// In the order of the first file, new ones behind.
    pub(crate) columns: Vec<Column>,
    /// Columns and fields without a value in any of the files.
    pub(crate) unknown: Unknown,
    /// Columns that became strings because their types do not go together, in words for the user.
    pub(crate) conflicts: Vec<String>,
}

/// One schema for files of these: each column as wide as its files need it, see [`super::widen`]. Where no type but
/// string is, the column (or a field within it) is a string, told once with the first two types that do not go
/// together. A column without a value in a file is of the others' type. Columns are the same by name, without regard to
/// case.
pub(crate) fn merge(schemas: &[(&[Column], &Unknown)]) -> Merged {
    let mut merged = Merged::default();
    let mut positions: HashMap<String, usize> = HashMap::new();
    let mut told: HashSet<String> = HashSet::new();
    for (columns, unknown) in schemas.iter().copied() {
        let before = merged.unknown.clone();
        merged.unknown = still_unknown((&merged.columns, &before), (columns, unknown));
        for column in columns {
            let Some(known) = positions.get(&column.name.to_lowercase()).and_then(|at| merged.columns.get_mut(*at))
            else {
                positions.insert(column.name.to_lowercase(), merged.columns.len());
                merged.columns.push(column.clone());
                continue;
            };
            let mut join = Join { unknown: [Some(&before), Some(unknown)], conflicts: Vec::new() };
            known.data_type = join.join(&known.name, &known.data_type, &column.data_type).unwrap_or_else(|| {
                join.conflicts.push((known.name.clone(), known.data_type.clone(), column.data_type.clone()));
                HiveType::String
            });
            if known.comment.is_none() {
                known.comment.clone_from(&column.comment);
            }
            for (place, a, b) in join.conflicts {
                if told.insert(place.clone()) {
                    merged
                        .conflicts
                        .push(format!("column \"{place}\" is {a} in some files and {b} in others: it is a string"));
                }
            }
        }
    }
    merged
}

/// What neither of two schemas knows.
fn still_unknown(a: (&[Column], &Unknown), b: (&[Column], &Unknown)) -> Unknown {
    let knows = |(columns, unknown): (&[Column], &Unknown), path: &str| {
        !unknown.contains(path) && similarity::flatten(columns).keys().any(|known| is_at(known, path))
    };
    let of_one = a.1.iter().filter(|path| !knows(b, path));
    of_one.chain(b.1.iter().filter(|path| !knows(a, path))).cloned().collect()
}
