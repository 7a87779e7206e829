//! Filters that joins and top-k sorts find while a query runs, as Vortex can use them within a file.
//!
//! vortex-datafusion skips whole files by such filters and looks at nothing below. Here the bounds that a filter sets
//! to a sort key become Vortex's own dynamic comparisons, which are read again for each block: so blocks are skipped by
//! their zone maps as the filter gets tighter. And the filter itself is asked for the rows of its columns before any
//! other column is decoded ([`super::members`]). What is left out of a filter here is right to leave out, because
//! whoever made it checks its rows again.

use super::members;
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, DynamicFilterPhysicalExpr, Literal};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use vortex::array::VortexSessionExecute;
use vortex::arrow::ArrowSessionExt;
use vortex::expr::{Expression, and_collect, dynamic, get_item, lit, root};
use vortex::scalar::ScalarValue as VortexValue;
use vortex::scalar_fn::fns::operators::CompareOperator;
use vortex::session::VortexSession;

/// What a dynamic filter says of its columns.
#[derive(Debug, Clone)]
pub(super) struct DynamicCondition {
    filter: Arc<dyn PhysicalExpr>,
    /// Whether blocks can be skipped by the bounds of one of its columns.
    skips_blocks: bool,
}

impl PartialEq for DynamicCondition {
    fn eq(&self, other: &Self) -> bool {
        self.filter.eq(&other.filter) && self.skips_blocks == other.skips_blocks
    }
}

impl Eq for DynamicCondition {}

impl Hash for DynamicCondition {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.filter.hash(state);
        self.skips_blocks.hash(state);
    }
}

impl DynamicCondition {
    /// `None` for a filter that is not dynamic; `is_sorted_by` says by which columns, by place, blocks can be skipped.
    pub(super) fn of(filter: &Arc<dyn PhysicalExpr>, is_sorted_by: impl Fn(usize) -> bool) -> Option<Self> {
        let dynamic = filter.downcast_ref::<DynamicFilterPhysicalExpr>()?;
        let mut columns = dynamic.children().into_iter().filter_map(|child| child.downcast_ref::<Column>());
        let skips_blocks = columns.any(|column| is_sorted_by(column.index()));
        Some(Self { filter: Arc::clone(filter), skips_blocks })
    }

    /// What a file's columns are asked.
    pub(super) fn convert(&self, schema: &Schema, session: &VortexSession) -> Expression {
        let bounds = if self.skips_blocks { self.bounds(schema, session) } else { Vec::new() };
        and_collect(bounds.into_iter().chain(members::expression(&self.filter, schema))).unwrap_or_else(|| lit(true))
    }

    fn bounds(&self, schema: &Schema, session: &VortexSession) -> Vec<Expression> {
        let comparisons = self.filter.children().into_iter().filter_map(|operand| {
            let column = members::column(operand)?;
            let stored_type = schema.fields().get(column.index())?.data_type();
            if !has_bounds(&operand.data_type(schema).ok()?, stored_type) {
                return None;
            }
            let field = Field::new(column.name(), stored_type.clone(), false);
            let dtype = session.arrow().from_arrow_field(&field).ok()?;
            let name = field.name().clone();
            let compare = |side: Side| {
                let (filter, operand, field) = (Arc::clone(&self.filter), Arc::clone(operand), field.clone());
                let session = session.clone();
                let value = move || {
                    let current = filter.downcast_ref::<DynamicFilterPhysicalExpr>()?.current().ok()?;
                    stored(&bound(&current, &operand, side)?, &field, &session)
                };
                dynamic(side.operator(), value, dtype.clone(), true, get_item(name.as_str(), root()))
            };
            and_collect([compare(Side::Lower), compare(Side::Upper)])
        });
        comparisons.collect()
    }
}

/// Types whose order is the same here and there. Floating point has NaN.
fn has_bounds(data_type: &DataType, stored: &DataType) -> bool {
    if let DataType::Timestamp(TimeUnit::Microsecond, _) = data_type {
        return *stored == DataType::Int64;
    }
    data_type == stored
        && (data_type.is_integer()
            || matches!(data_type, DataType::Date32 | DataType::Decimal128(..) | DataType::Utf8View | DataType::Utf8))
}

/// A value as Vortex has it.
fn stored(value: &ScalarValue, field: &Field, session: &VortexSession) -> Option<VortexValue> {
    let value = match value {
        ScalarValue::TimestampMicrosecond(micros, _) => ScalarValue::Int64(*micros),
        value => value.clone(),
    };
    if value.data_type() != *field.data_type() {
        return None;
    }
    let array = session.arrow().from_arrow_array(value.to_array().ok()?, field).ok()?;
    array.execute_scalar(0, &mut session.create_execution_ctx()).ok()?.into_value()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Lower,
    Upper,
}

impl Side {
    fn operator(self) -> CompareOperator {
        match self {
            Self::Lower => CompareOperator::Gte,
            Self::Upper => CompareOperator::Lte,
        }
    }

    /// Whether a comparison of a column with a value sets this bound.
    fn is_set_by(self, operator: Operator) -> bool {
        match operator {
            Operator::Eq => true,
            Operator::Lt | Operator::LtEq => self == Self::Upper,
            Operator::Gt | Operator::GtEq => self == Self::Lower,
            _ => false,
        }
    }

    /// Whether the first bound leaves more values than the other.
    fn is_wider(self, one: &ScalarValue, other: &ScalarValue) -> Option<bool> {
        let wider = if self == Self::Upper { Ordering::Greater } else { Ordering::Less };
        one.partial_cmp(other).map(|ordering| ordering == wider)
    }
}

/// A value that the operand is not beyond in any row for which the expression is true.
fn bound(expr: &Arc<dyn PhysicalExpr>, operand: &Arc<dyn PhysicalExpr>, side: Side) -> Option<ScalarValue> {
    let binary = expr.downcast_ref::<BinaryExpr>()?;
    let of = |expr| bound(expr, operand, side);
    match binary.op() {
        Operator::And => match (of(binary.left()), of(binary.right())) {
            (Some(one), Some(other)) => Some(if side.is_wider(&one, &other)? { other } else { one }),
            (one, other) => one.or(other),
        },
        Operator::Or => {
            let (one, other) = (of(binary.left())?, of(binary.right())?);
            Some(if side.is_wider(&one, &other)? { one } else { other })
        }
        operator => {
            let value = |expr: &Arc<dyn PhysicalExpr>| expr.downcast_ref::<Literal>().map(|it| it.value().clone());
            let (value, operator) = if binary.left() == operand {
                (value(binary.right())?, *operator)
            } else if binary.right() == operand {
                (value(binary.left())?, operator.swap()?)
            } else {
                return None;
            };
            (!value.is_null() && side.is_set_by(operator)).then_some(value)
        }
    }
}

impl fmt::Display for DynamicCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.filter, f)
    }
}

impl PhysicalExpr for DynamicCondition {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, schema: &Schema) -> Result<bool> {
        self.filter.nullable(schema)
    }

    /// The filter itself, for rows that no file holds.
    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        self.filter.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.filter]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        if let Ok([filter]) = <[_; 1]>::try_from(children) {
            return Ok(Arc::new(Self { filter, skips_blocks: self.skips_blocks }));
        }
        internal_err!("a condition is of one dynamic filter")
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{Side, bound};
    use datafusion::common::ScalarValue;
    use datafusion::logical_expr::Operator::{self, And, Eq, Gt, GtEq, Lt, LtEq, NotEq, Or};
    use datafusion::physical_expr::PhysicalExpr;
    use datafusion::physical_expr::expressions::{BinaryExpr, Column, IsNullExpr, Literal};
    use std::sync::Arc;

    type Expr = Arc<dyn PhysicalExpr>;

    fn binary(left: Expr, operator: Operator, right: Expr) -> Expr {
        Arc::new(BinaryExpr::new(left, operator, right))
    }

    fn a() -> Expr {
        Arc::new(Column::new("a", 0))
    }

    fn b() -> Expr {
        Arc::new(Column::new("b", 1))
    }

    fn value(value: Option<i64>) -> Expr {
        Arc::new(Literal::new(ScalarValue::Int64(value)))
    }

    #[test]
    fn bounds_of_filters() {
        let is = |operator, at| binary(a(), operator, value(Some(at)));
        let null: Expr = Arc::new(IsNullExpr::new(a()));
        let cases: Vec<(Expr, Option<i64>, Option<i64>)> = vec![
            (is(Lt, 5), None, Some(5)),
            (is(GtEq, 5), Some(5), None),
            (is(Eq, 5), Some(5), Some(5)),
            (is(NotEq, 5), None, None),
            (binary(value(Some(5)), Gt, a()), None, Some(5)),
            (binary(is(GtEq, 2), And, is(LtEq, 8)), Some(2), Some(8)),
            (binary(is(Lt, 3), And, is(Lt, 7)), None, Some(3)),
            (binary(is(Lt, 3), Or, is(Lt, 7)), None, Some(7)),
            (binary(is(Lt, 3), Or, null), None, None),
            // ORDER BY a, b LIMIT n
            (binary(is(Lt, 3), Or, binary(is(Eq, 3), And, binary(b(), Lt, value(Some(1))))), None, Some(3)),
            (binary(a(), Lt, value(None)), None, None),
            (binary(b(), Lt, value(Some(1))), None, None),
            (value(Some(1)), None, None),
        ];
        for (expr, lower, upper) in cases {
            let find = |side| bound(&expr, &a(), side).map(|value| i64::try_from(value).unwrap());
            assert_eq!((find(Side::Lower), find(Side::Upper)), (lower, upper), "{expr}");
        }
    }
}
