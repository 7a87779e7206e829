//! Trino's casts of JSON, which is text here: what is JSON is told by how it is written.

use super::calls::take;
use crate::sql::{call, trino_json::is_json};
use datafusion::sql::sqlparser::ast::{CastKind, DataType, Expr};

/// Spells a cast to JSON, which makes a text of JSON of other texts, or of JSON to a scalar, which has no quotes; `None`
/// where the cast is one of other values. Arrays, maps and rows are read from JSON by the cast itself.
pub(super) fn respell_cast(kind: &CastKind, value: &mut Box<Expr>, data_type: &DataType) -> Option<Expr> {
    match data_type {
        DataType::JSON if is_json(value) => Some(Expr::Nested(Box::new(take(value)))),
        DataType::JSON => Some(call("$json", vec![take(value)])),
        DataType::Array(_) | DataType::Map(..) | DataType::Struct(..) => None,
        _ => {
            if is_json(value) {
                let name = if *kind == CastKind::TryCast { "$try_json_text" } else { "$json_text" };
                **value = call(name, vec![take(value)]);
            }
            None
        }
    }
}
