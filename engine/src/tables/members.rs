//! The rows of a file that a dynamic filter lets through, found while the file is scanned: of the filter's columns all
//! rows are decoded, of the others only those rows.
//!
//! What a filter says is DataFusion's to evaluate, whatever it is: bounds, a list, a look-up in a join's hash table. A
//! filter that lets most rows through costs more than it saves, so it is asked no more until it changes. Of a moment or an
//! interval, which files hold as a number, it asks what a scan would make of the number.

use super::key_set::InKeySet;
use super::vortex::stores_otherwise;
use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::prep_null_mask_filter;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column, DynamicFilterPhysicalExpr, Literal};
use datafusion::physical_expr::split_conjunction;
use datafusion::physical_expr::utils::reassign_expr_columns;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use vortex::array::arrays::ConstantArray;
use vortex::array::{ArrayRef, ExecutionCtx, IntoArray};
use vortex::arrow::ArrowSessionExt;
use vortex::dtype::{DType, Nullability};
use vortex::error::{VortexResult, vortex_err};
use vortex::expr::{Expression, get_item, root};
use vortex::scalar_fn::{Arity, ChildName, ExecutionArgs, ScalarFnId, ScalarFnVTable, ScalarFnVTableExt};
use vortex::session::registry::CachedId;

/// Rows after which it is known what a filter is good for.
const TRIAL_ROWS: usize = 100_000;

/// The column of a file that an operand of a filter is: as it is, or cast to what the table has for it, which cannot fail.
pub(super) fn column(operand: &Arc<dyn PhysicalExpr>) -> Option<&Column> {
    match operand.downcast_ref::<CastExpr>() {
        Some(cast) if stores_otherwise(cast.cast_type()) => cast.expr().downcast_ref(),
        Some(_) => None,
        None => operand.downcast_ref(),
    }
}

/// What a filter is asked of a file whose columns are these. `None` where a column of the filter is not in the file as
/// the filter wants it.
pub(super) fn expression(filter: &Arc<dyn PhysicalExpr>, schema: &Schema) -> Option<Expression> {
    let children = filter.children();
    let mut fields = Vec::with_capacity(children.len());
    for child in children {
        let column = column(child)?;
        let field = schema.fields().get(column.index()).filter(|field| field.name() == column.name())?;
        fields.push(Field::new(field.name(), field.data_type().clone(), true));
    }
    if fields.is_empty() {
        return None;
    }
    let columns: Vec<_> = fields.iter().map(|field| get_item(field.name().as_str(), root())).collect();
    let asked = Asked { filter: Arc::clone(filter), schema: Arc::new(Schema::new(fields)), trial: Mutex::default() };
    Some(Members.new_expr(Question(Arc::new(asked)), columns))
}

/// Vortex's function: whether the filter lets a row through.
#[derive(Clone)]
struct Members;

/// A filter with what is known of its use.
#[derive(Clone)]
struct Question(Arc<Asked>);

struct Asked {
    filter: Arc<dyn PhysicalExpr>,
    /// The filter's columns.
    schema: SchemaRef,
    trial: Mutex<Trial>,
}

/// How the filter did since it changed last.
#[derive(Default)]
struct Trial {
    generation: Option<u64>,
    condition: Option<Arc<dyn PhysicalExpr>>,
    rows: usize,
    kept: usize,
}

impl Asked {
    /// What is to be evaluated now.
    fn condition(&self) -> Option<Arc<dyn PhysicalExpr>> {
        let generation = Some(self.filter.snapshot_generation());
        let mut trial = self.trial.lock().unwrap_or_else(PoisonError::into_inner);
        if trial.generation != generation {
            *trial = Trial { generation, condition: self.current(), ..Trial::default() };
        }
        let pays = trial.rows < TRIAL_ROWS || trial.kept < trial.rows / 4 * 3;
        trial.condition.clone().filter(|_| pays)
    }

    fn current(&self) -> Option<Arc<dyn PhysicalExpr>> {
        let current = self.filter.downcast_ref::<DynamicFilterPhysicalExpr>()?.current().ok()?;
        if current.is::<Literal>() {
            return None;
        }
        // The bounds beside a set of keys are those of the keys: for files and blocks, not for rows.
        let keys = split_conjunction(&current).into_iter().find(|part| part.is::<InKeySet>());
        let condition = keys.map_or_else(|| Arc::clone(&current), Arc::clone);
        reassign_expr_columns(condition, &self.schema).ok()
    }

    fn note(&self, kept: &BooleanArray) {
        let mut trial = self.trial.lock().unwrap_or_else(PoisonError::into_inner);
        trial.rows += kept.len();
        trial.kept += kept.true_count();
    }
}

impl ScalarFnVTable for Members {
    type Options = Question;

    fn id(&self) -> ScalarFnId {
        static ID: CachedId = CachedId::new("millrace.members");
        *ID
    }

    fn arity(&self, question: &Question) -> Arity {
        Arity::Exact(question.0.schema.fields().len())
    }

    fn child_name(&self, question: &Question, child: usize) -> ChildName {
        Arc::<str>::from(question.0.schema.field(child).name().as_str()).into()
    }

    fn return_dtype(&self, _: &Question, _: &[DType]) -> VortexResult<DType> {
        Ok(DType::Bool(Nullability::NonNullable))
    }

    fn execute(&self, question: &Question, args: &dyn ExecutionArgs, ctx: &mut ExecutionCtx) -> VortexResult<ArrayRef> {
        let (asked, rows) = (&question.0, args.row_count());
        let Some(condition) = asked.condition() else { return Ok(ConstantArray::new(true, rows).into_array()) };
        let session = ctx.session().clone();
        let mut columns = Vec::with_capacity(args.num_inputs());
        for (at, field) in asked.schema.fields().iter().enumerate() {
            columns.push(session.arrow().execute_arrow(args.get(at)?, Some(field), ctx)?);
        }
        let failed = |error: &dyn fmt::Display| vortex_err!("a filter of the query: {error}");
        let batch = RecordBatch::try_new(Arc::clone(&asked.schema), columns).map_err(|e| failed(&e))?;
        let value = condition.evaluate(&batch).and_then(|value| value.into_array(rows)).map_err(|e| failed(&e))?;
        let kept = value.as_boolean_opt().ok_or_else(|| failed(&"no truth values"))?;
        let kept = if kept.null_count() > 0 { prep_null_mask_filter(kept) } else { kept.clone() };
        asked.note(&kept);
        session.arrow().from_arrow_array(Arc::new(kept), &Field::new("", DataType::Boolean, false))
    }

    /// A filter is evaluated on values that the column's dictionary has and no row, and does not fail on them.
    fn is_infallible(&self, _: &Question) -> bool {
        true
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.filter, f)
    }
}

impl PartialEq for Question {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Question {}

impl Hash for Question {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}
