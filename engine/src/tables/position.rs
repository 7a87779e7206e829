//! The position of a row in its file, for Vortex, whose DataFusion source has no column for it.
//!
//! The adapter of a file ([`super::adapt`]) puts a [`RowPosition`] where a scan asks for the hidden column; the
//! converter turns that into Vortex's own row index, which a scan keeps right through selections, filters and splits.
//! A position that would have to be computed after the scan is an error, never a guess. Decimals that are asked for as
//! numbers ([`super::unscaled`]) are given in the same way.

use super::dynamic::DynamicCondition;
use super::unscaled::{self, Unscaled};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::projection::ProjectionExprs;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use vortex::dtype::{DType, Nullability, PType};
use vortex::expr::{Expression, cast, get_item, pack, root};
use vortex::layout::layouts::row_idx::row_idx;
use vortex::session::VortexSession;
use vortex_datafusion::convert::{DefaultExpressionConverter, ExpressionConverter, ProcessedProjection};

/// The hidden column with the position of a row in its file, from 0.
pub const POSITION_COLUMN: &str = "_position";

/// The position of a row in the Vortex file that is being scanned.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RowPosition;

impl fmt::Display for RowPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(POSITION_COLUMN)
    }
}

impl PhysicalExpr for RowPosition {
    fn data_type(&self, _input_schema: &Schema) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn nullable(&self, _input_schema: &Schema) -> Result<bool> {
        Ok(false)
    }

    fn evaluate(&self, _batch: &RecordBatch) -> Result<ColumnarValue> {
        internal_err!("the position of a row is known within a scan only")
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        Vec::new()
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        Ok(self)
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }

    /// It differs by row, so that no simplifier computes it once.
    fn is_volatile_node(&self) -> bool {
        true
    }
}

/// Whether a date or a time is outside of what Vortex's types can say: years -9999 to 9999, timestamps a day less.
fn is_beyond(value: &ScalarValue) -> bool {
    let micros = match value {
        ScalarValue::TimestampSecond(Some(value), _) => i128::from(*value) * 1_000_000,
        ScalarValue::TimestampMillisecond(Some(value), _) => i128::from(*value) * 1_000,
        ScalarValue::TimestampMicrosecond(Some(value), _) => i128::from(*value),
        ScalarValue::Date32(Some(days)) => i128::from(*days) * 86_400_000_000,
        ScalarValue::Date64(Some(millis)) => i128::from(*millis) * 1_000,
        _ => return false,
    };
    !(-377_705_023_201_000_000..=253_402_207_200_000_000).contains(&micros)
}

/// Vortex's own conversion, row positions, and dynamic filters.
pub(super) struct PositionConverter {
    default: DefaultExpressionConverter,
    session: VortexSession,
}

impl PositionConverter {
    pub(super) fn new(session: VortexSession) -> Self {
        Self { default: DefaultExpressionConverter::new(session.clone()), session }
    }
}

impl ExpressionConverter for PositionConverter {
    fn try_convert(&self, expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Option<Expression>> {
        if let Some(condition) = expr.downcast_ref::<DynamicCondition>() {
            return Ok(Some(condition.convert(schema, &self.session)));
        }
        // Vortex panics on these.
        if expr.exists(|node| Ok(node.downcast_ref::<Literal>().is_some_and(|it| is_beyond(it.value()))))? {
            return Ok(None);
        }
        self.default.try_convert(expr, schema)
    }

    /// As Vortex does it: the columns that the projection needs are read, and DataFusion computes the rest. What Vortex
    /// makes up, positions and numbers of decimals, are more columns of the scan.
    fn no_pushdown_projection(
        &self,
        source_projection: ProjectionExprs,
        input_schema: &Schema,
    ) -> Result<ProcessedProjection> {
        let (mut read, mut made) = (BTreeSet::new(), Vec::<Made>::new());
        for projection in &source_projection {
            projection.expr.apply(|node| {
                if let Some(new) = Made::of(node, input_schema) {
                    if made.iter().all(|known| known.field.name() != new.field.name()) {
                        made.push(new);
                    }
                    return Ok(TreeNodeRecursion::Jump);
                }
                read.extend(node.downcast_ref::<Column>().map(Column::index));
                Ok(TreeNodeRecursion::Continue)
            })?;
        }
        if made.is_empty() {
            return self.default.no_pushdown_projection(source_projection, input_schema);
        }
        let read = input_schema.project(&read.into_iter().collect::<Vec<_>>())?;
        let mut columns: Vec<(String, Expression)> =
            read.fields().iter().map(|field| (field.name().clone(), get_item(field.name().as_str(), root()))).collect();
        let mut fields = read.fields().to_vec();
        for Made { field, expression } in made {
            columns.push((field.name().clone(), expression));
            fields.push(Arc::new(field));
        }
        // The opener finds the columns of what is left by their names, in what the scan gives.
        let scan_reference_schema = Schema::new(fields);
        let leftover_projection = source_projection.try_map_exprs(|expr| {
            expr.transform(|node| {
                Ok(match Made::of(&node, input_schema) {
                    Some(made) => Transformed::yes(Arc::new(Column::new(made.field.name(), 0)) as _),
                    None => Transformed::no(node),
                })
            })
            .data()
        })?;
        Ok(ProcessedProjection {
            scan_projection: pack(columns, Nullability::NonNullable),
            scan_reference_schema,
            leftover_projection,
        })
    }
}

/// A column that a scan makes up.
struct Made {
    field: Field,
    expression: Expression,
}

impl Made {
    /// The column for an expression, if it is for one.
    fn of(expr: &Arc<dyn PhysicalExpr>, file: &Schema) -> Option<Self> {
        if expr.is::<RowPosition>() {
            let signed = DType::Primitive(PType::I64, Nullability::NonNullable);
            let field = Field::new(POSITION_COLUMN, DataType::Int64, false);
            return Some(Self { field, expression: cast(row_idx(), signed) });
        }
        let column = file.fields().get(expr.downcast_ref::<Unscaled>()?.column()?.index())?;
        Unscaled::is_for(column.data_type())?;
        // A name that no column of a file has.
        let field = Field::new(format!("\u{1}{}", column.name()), DataType::Int64, column.is_nullable());
        Some(Self { field, expression: unscaled::expression(column.name()) })
    }
}
