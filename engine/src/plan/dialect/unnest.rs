//! UNNEST in Athena's dialect (Trino, "UNNEST"): a column for each array, but of maps and of arrays of rows one for each part
//! of an entry.

use crate::builtin;
use crate::error::{Error, ErrorKind};
use datafusion::arrow::datatypes::{DataType, Fields};
use datafusion::common::{Column, DFSchema, NullHandling, UnnestOptions};
use datafusion::error::Result;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::logical_expr::planner::RelationPlannerContext;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast;

/// The plan of an UNNEST.
///
/// # Errors
/// What the planner says of its expressions; `DatatypeMismatch` for one that is no array and no map.
pub(super) fn plan(arrays: Vec<ast::Expr>, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let empty = DFSchema::empty();
    let mut items = Vec::with_capacity(arrays.len());
    let mut parts = Vec::with_capacity(arrays.len());
    for (at, array) in arrays.into_iter().enumerate() {
        let mut array = context.sql_expr_to_logical_expr(array, &empty)?;
        if let DataType::Map(..) = array.get_type(&empty)? {
            array = entries(array)?;
        }
        parts.push(fields_of(&array.get_type(&empty)?)?);
        items.push(array.alias(name(at)));
    }
    let columns = (0..items.len()).map(|at| Column::from_name(name(at))).collect();
    let options = UnnestOptions::default().with_null_handling(NullHandling::Drop);
    let rows = LogicalPlanBuilder::empty(true).project(items)?.unnest_columns_with_options(columns, options)?;
    let mut shown: Vec<Expr> = Vec::new();
    for (at, parts) in parts.into_iter().enumerate() {
        let column = Expr::Column(Column::from_name(name(at)));
        let values: Vec<Expr> = match parts {
            Some(fields) => fields.iter().map(|field| get_field(column.clone(), field.name().as_str())).collect(),
            None => vec![column],
        };
        for value in values {
            let shown_as = format!("_col{}", shown.len());
            shown.push(value.alias(shown_as));
        }
    }
    rows.project(shown)?.build()
}

/// What an array is called before its elements are rows.
fn name(at: usize) -> String {
    format!("$unnest{at}")
}

/// A map's entries as an array of rows.
fn entries(map: Expr) -> Result<Expr> {
    let missing = || Error::internal("the function map_entries is missing");
    Ok(builtin::functions().scalar.get("map_entries").ok_or_else(missing)?.call(vec![map]))
}

/// The parts of an array's elements, where these are rows.
fn fields_of(array: &DataType) -> Result<Option<Fields>, Error> {
    match array {
        DataType::List(element) | DataType::LargeList(element) | DataType::FixedSizeList(element, _) => {
            Ok(match element.data_type() {
                DataType::Struct(fields) => Some(fields.clone()),
                _ => None,
            })
        }
        DataType::Null => Err(Error::unsupported("UNNEST of NULL")),
        _ => Err(Error::new(ErrorKind::DatatypeMismatch, "UNNEST takes arrays and maps")),
    }
}
