//! A chain of `||` as one expression of a plan.

use super::kernel::{self, Texts};
use arrow::datatypes::{DataType, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::{ScalarValue, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::BinaryExpr;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::iter;
use std::sync::Arc;

/// Two texts or more in a row; one that is NULL makes all of it NULL.
#[derive(Debug, Eq)]
pub(super) struct JoinedTexts {
    first: Arc<dyn PhysicalExpr>,
    rest: Vec<Arc<dyn PhysicalExpr>>,
    /// What DataFusion's chain gives.
    gives: DataType,
}

impl PartialEq for JoinedTexts {
    fn eq(&self, other: &Self) -> bool {
        self.first.eq(&other.first) && self.rest == other.rest && self.gives == other.gives
    }
}

impl Hash for JoinedTexts {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.first.hash(state);
        self.rest.hash(state);
        self.gives.hash(state);
    }
}

impl JoinedTexts {
    /// An expression in the place of DataFusion's, if it is a chain of texts over these columns.
    pub(super) fn of(expr: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Result<Option<Self>> {
        if step(expr).is_none() {
            return Ok(None);
        }
        let (mut open, mut first, mut rest) = (vec![Arc::clone(expr)], None, Vec::new());
        while let Some(next) = open.pop() {
            match step(&next) {
                Some(binary) => open.extend([Arc::clone(binary.right()), Arc::clone(binary.left())]),
                None if !is_text(&next.data_type(schema)?) => return Ok(None),
                None if first.is_none() => first = Some(next),
                None => rest.push(next),
            }
        }
        let gives = expr.data_type(schema)?;
        Ok(first.filter(|_| is_text(&gives)).map(|first| Self { first, rest, gives }))
    }

    /// DataFusion's steps.
    pub(super) fn plain(&self) -> Arc<dyn PhysicalExpr> {
        self.rest.iter().fold(Arc::clone(&self.first), |all, next| {
            Arc::new(BinaryExpr::new(all, Operator::StringConcat, Arc::clone(next)))
        })
    }

    fn parts(&self) -> impl Iterator<Item = &Arc<dyn PhysicalExpr>> {
        iter::once(&self.first).chain(&self.rest)
    }
}

fn step(expr: &Arc<dyn PhysicalExpr>) -> Option<&BinaryExpr> {
    expr.downcast_ref::<BinaryExpr>().filter(|binary| *binary.op() == Operator::StringConcat)
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View)
}

impl fmt::Display for JoinedTexts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.plain())
    }
}

impl PhysicalExpr for JoinedTexts {
    fn data_type(&self, _input_schema: &Schema) -> Result<DataType> {
        Ok(self.gives.clone())
    }

    fn nullable(&self, input_schema: &Schema) -> Result<bool> {
        for part in self.parts() {
            if part.nullable(input_schema)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let values = self.parts().map(|part| part.evaluate(batch)).collect::<Result<Vec<_>>>()?;
        let texts = values.iter().map(Texts::of).collect::<Result<Option<Vec<_>>>>()?;
        let Some(texts) = texts else { return Ok(ColumnarValue::Scalar(ScalarValue::try_from(&self.gives)?)) };
        if values.iter().any(|value| matches!(value, ColumnarValue::Array(_))) {
            return Ok(ColumnarValue::Array(kernel::joined(&texts, batch.num_rows(), &self.gives)?));
        }
        let one = kernel::joined(&texts, 1, &self.gives)?;
        Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&one, 0)?))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        self.parts().collect()
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let mut children = children.into_iter();
        let Some(first) = children.next() else { return internal_err!("texts are joined of parts") };
        Ok(Arc::new(Self { first, rest: children.collect(), gives: self.gives.clone() }))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plain().fmt_sql(f)
    }
}
