//! How alike two schemas are.

use super::widen::widen;
use millrace_catalog::model::{Column, HiveType};
use std::collections::HashMap;

/// How alike two schemas are, 0 to 1: the share of columns with the same name and types that go together.
///
/// The share is taken of the larger schema, so columns that one lacks count. Structs, arrays and maps count as their
/// scalars, each under its path. Names are compared without regard to case; the order does not matter. AWS Glue takes
/// schemas for similar from 0.7 on. Two schemas without columns are alike.
pub(crate) fn similarity(a: &[Column], b: &[Column]) -> f64 {
    let (a, b) = (flatten(a), flatten(b));
    let larger = a.len().max(b.len());
    if larger == 0 {
        return 1.0;
    }
    let alike = a.iter().filter(|(path, kind)| b.get(*path).is_some_and(|other| widen(kind, other).is_some()));
    alike.count() as f64 / larger as f64
}

/// The scalars of a schema by their path.
fn flatten(columns: &[Column]) -> HashMap<String, &HiveType> {
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
