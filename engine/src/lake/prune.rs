//! Which partitions and files a filter leaves: first through the catalog's index, then exactly.
//!
//! [`partition_filters`] turns what it can of a filter into index look-ups, a superset of what the filter leaves;
//! [`matching`] then evaluates the filter itself, for all candidates at once. Both see partition keys and the
//! pseudo-columns only.

use crate::error::Result;
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::prep_null_mask_filter;
use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::arrow::record_batch::{RecordBatch, RecordBatchOptions};
use datafusion::catalog::Session;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};
use millrace_catalog::model::{PartitionCondition, PartitionFilter};
use std::ops::Bound;
use std::sync::Arc;

/// Whether a filter reads only these columns, so that it can be decided without opening a file.
pub(crate) fn reads_only(filter: &Expr, columns: &[FieldRef]) -> bool {
    let references = filter.column_refs();
    !references.is_empty()
        && !filter.is_volatile()
        && references.iter().all(|c| columns.iter().any(|field| *field.name() == c.name))
}

/// The index look-ups that a conjunction of filters allows; each narrows the candidates and none loses a match.
pub(crate) fn partition_filters(filters: &[Expr], keys: &[FieldRef]) -> Vec<PartitionFilter> {
    let conjuncts = filters.iter().cloned().flat_map(split_conjunction_owned);
    conjuncts.filter_map(|filter| look_up(&filter, keys)).collect()
}

fn look_up(filter: &Expr, keys: &[FieldRef]) -> Option<PartitionFilter> {
    let found = |(key, condition)| PartitionFilter { key, condition };
    match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => {
            let (left, right) = (look_up(left, keys)?, look_up(right, keys)?);
            match (left.condition, right.condition) {
                (PartitionCondition::In(mut values), PartitionCondition::In(more)) if left.key == right.key => {
                    values.extend(more);
                    Some(PartitionFilter { key: left.key, condition: PartitionCondition::In(values) })
                }
                _ => None,
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match (key_of(left, keys), key_of(right, keys)) {
            (Some(key), None) => compare(key, *op, literal(right, &keys[key])?).map(found),
            (None, Some(key)) => compare(key, op.swap()?, literal(left, &keys[key])?).map(found),
            _ => None,
        },
        Expr::InList(list) if !list.negated => {
            let key = key_of(&list.expr, keys)?;
            let values = list.list.iter().map(|value| literal(value, &keys[key])).collect::<Option<Vec<_>>>()?;
            Some(found((key, PartitionCondition::In(values))))
        }
        Expr::Between(Between { expr, negated: false, low, high }) => {
            let key = key_of(expr, keys)?;
            let (low, high) = (literal(low, &keys[key])?, literal(high, &keys[key])?);
            Some(found((key, PartitionCondition::Range(Bound::Included(low), Bound::Included(high)))))
        }
        Expr::IsNull(expr) => Some(found((key_of(expr, keys)?, PartitionCondition::IsNull))),
        Expr::IsNotNull(expr) => Some(found((key_of(expr, keys)?, PartitionCondition::IsNotNull))),
        _ => None,
    }
}

fn compare(key: usize, operator: Operator, value: String) -> Option<(usize, PartitionCondition)> {
    use Bound::{Excluded, Included, Unbounded};
    let condition = match operator {
        Operator::Eq => PartitionCondition::In(vec![value]),
        Operator::Lt => PartitionCondition::Range(Unbounded, Excluded(value)),
        Operator::LtEq => PartitionCondition::Range(Unbounded, Included(value)),
        Operator::Gt => PartitionCondition::Range(Excluded(value), Unbounded),
        Operator::GtEq => PartitionCondition::Range(Included(value), Unbounded),
        _ => return None,
    };
    Some((key, condition))
}

fn key_of(expr: &Expr, keys: &[FieldRef]) -> Option<usize> {
    match expr {
        Expr::Column(column) => keys.iter().position(|key| *key.name() == column.name),
        _ => None,
    }
}

/// A literal as the key's type writes it; `None` when the type cannot hold it exactly.
fn literal(expr: &Expr, key: &FieldRef) -> Option<String> {
    let Expr::Literal(value, _) = expr else { return None };
    if value.is_null() {
        return None;
    }
    let cast = value.cast_to(key.data_type()).ok()?;
    let exact = cast.cast_to(&value.data_type()).is_ok_and(|back| back == *value);
    if exact { value_text(&cast) } else { None }
}

/// A partition value as the catalog writes it; `None` is NULL.
pub(crate) fn value_text(value: &ScalarValue) -> Option<String> {
    if value.is_null() {
        return None;
    }
    if let Some(Some(text)) = value.try_as_str() {
        return Some(text.to_owned());
    }
    let array = value.to_array().ok()?;
    datafusion::arrow::util::display::array_value_to_string(&array, 0).ok().map(|text| match value {
        ScalarValue::TimestampMicrosecond(..) => text.replacen('T', " ", 1),
        _ => text,
    })
}

/// For each row of values of these columns, whether it satisfies all the filters (NULL counts as no).
pub(crate) fn matching<'a>(
    filters: &[Expr],
    columns: &[FieldRef],
    rows: &(impl ExactSizeIterator<Item = &'a [ScalarValue]> + Clone),
    session: &dyn Session,
) -> Result<Vec<bool>> {
    let count = rows.len();
    let Some(filter) = conjunction(filters.iter().cloned().map(unqualified)) else { return Ok(vec![true; count]) };
    if count == 0 {
        return Ok(Vec::new());
    }
    let arrays = (0..columns.len())
        .map(|column| ScalarValue::iter_to_array(rows.clone().map(|row| row[column].clone())))
        .collect::<DataFusionResult<Vec<_>>>()?;
    let schema = Arc::new(Schema::new(columns.iter().map(|field| field.as_ref().clone()).collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    let batch = RecordBatch::try_new_with_options(Arc::clone(&schema), arrays, &options)?;
    let filter = session.create_physical_expr(filter, &DFSchema::try_from(schema)?)?;
    let decided = filter.evaluate(&batch)?.into_array(count)?;
    let decided = decided.as_boolean();
    let decided = if decided.null_count() > 0 { prep_null_mask_filter(decided) } else { decided.clone() };
    Ok(decided.values().iter().collect())
}

/// The same filter with bare column names.
fn unqualified(filter: Expr) -> Expr {
    datafusion::logical_expr::expr_rewriter::unnormalize_col(filter)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::arrow::datatypes::{DataType, Field};
    use datafusion::prelude::{col, lit};

    fn keys() -> Vec<FieldRef> {
        vec![Arc::new(Field::new("year", DataType::Int32, true)), Arc::new(Field::new("day", DataType::Utf8View, true))]
    }

    #[test]
    fn comparisons_become_look_ups() {
        let filter = col("year").gt_eq(lit(2013_i64)).and(lit("x").eq(col("day"))).and(col("other").eq(lit(1)));
        let found = partition_filters(&[filter], &keys());
        assert_eq!(
            found,
            vec![
                PartitionFilter {
                    key: 0,
                    condition: PartitionCondition::Range(Bound::Included("2013".into()), Bound::Unbounded)
                },
                PartitionFilter { key: 1, condition: PartitionCondition::In(vec!["x".into()]) },
            ]
        );
    }

    #[test]
    fn or_of_one_key_is_a_list_and_of_two_keys_nothing() {
        let one = col("year").eq(lit(1)).or(col("year").eq(lit(2)));
        let two = col("year").eq(lit(1)).or(col("day").eq(lit("a")));
        let expected = PartitionCondition::In(vec!["1".into(), "2".into()]);
        assert_eq!(partition_filters(&[one], &keys()), vec![PartitionFilter { key: 0, condition: expected }]);
        assert_eq!(partition_filters(&[two], &keys()), vec![]);
    }

    #[test]
    fn a_literal_that_the_key_cannot_hold_is_left_to_evaluation() {
        assert_eq!(partition_filters(&[col("year").lt(lit(1.5))], &keys()), vec![]);
        assert_eq!(partition_filters(&[col("year").eq(lit(i64::MAX))], &keys()), vec![]);
    }
}
