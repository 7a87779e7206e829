//! How alike two schemas are.

use super::widen::widen;
use super::{Unknown, is_at};
use millrace_catalog::model::{Column, HiveType};
use std::collections::HashMap;

/// How alike two schemas are, 0 to 1: the share of columns with the same name and types that go together.
///
/// The share is taken of the larger schema, so columns that one lacks count. Structs, arrays and maps count as their
/// scalars, each under its path. Names are compared without regard to case; the order does not matter. What has no value
/// in one is like what it is in the other. AWS Glue takes schemas for similar from 0.7 on. Two schemas without columns
/// are alike.
pub(crate) fn similarity(a: (&[Column], &Unknown), b: (&[Column], &Unknown)) -> f64 {
    let (mut flat_a, mut flat_b) = (flatten(a.0), flatten(b.0));
    let mut alike = 0;
    for path in a.1.iter().chain(b.1) {
        let [in_a, in_b] = [&flat_a, &flat_b].map(|flat| flat.keys().any(|known| is_at(known, path)));
        if in_a && in_b {
            flat_a.retain(|known, _| !is_at(known, path));
            flat_b.retain(|known, _| !is_at(known, path));
            alike += 1;
        }
    }
    let larger = alike + flat_a.len().max(flat_b.len());
    if larger == 0 {
        return 1.0;
    }
    let together =
        flat_a.iter().filter(|(path, kind)| flat_b.get(*path).is_some_and(|other| widen(kind, other).is_some()));
    (alike + together.count()) as f64 / larger as f64
}

/// The scalars of a schema by their path.
pub(super) fn flatten(columns: &[Column]) -> HashMap<String, &HiveType> {
    let mut scalars = HashMap::new();
    for column in columns {
        flatten_type(column.name.to_lowercase(), &column.data_type, &mut scalars);
    }
    scalars
}

fn flatten_type<'a>(path: String, kind: &'a HiveType, scalars: &mut HashMap<String, &'a HiveType>) {
    match kind {
        HiveType::Array(element) => flatten_type(path + "[]", element, scalars),
        HiveType::Map(key, value) => {
            flatten_type(format!("{path}{{key}}"), key, scalars);
            flatten_type(format!("{path}{{value}}"), value, scalars);
        }
        HiveType::Struct(fields) => {
            for field in fields {
                flatten_type(format!("{path}.{}", field.name.to_lowercase()), &field.data_type, scalars);
            }
        }
        scalar => {
            scalars.insert(path, scalar);
        }
    }
}
