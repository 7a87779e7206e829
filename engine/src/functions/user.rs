//! Functions that users have made in SQL, as DataFusion calls them.
//!
//! A body is an expression over its arguments, which are the columns of a batch: each is computed once, however often the
//! body names it.

use super::kernel::shown_type;
use super::semistructured::as_documents;
use crate::error::{Error, ErrorKind};
use crate::tables;
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{DataType, FieldRef, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::PhysicalExpr;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// One of the functions of a name: they differ in their arguments' types.
#[derive(Debug)]
pub(crate) struct Overload {
    /// The arguments.
    pub(crate) arguments: SchemaRef,
    /// The result.
    pub(crate) returns: FieldRef,
    /// Whether it gives the same for the same arguments.
    pub(crate) volatility: Volatility,
    /// The body over the arguments.
    pub(crate) body: Arc<dyn PhysicalExpr>,
}

/// The functions of one name in a schema.
pub(crate) fn user_function(schema: &str, name: &str, overloads: Vec<Overload>) -> Arc<ScalarUDF> {
    let most = [Volatility::Volatile, Volatility::Stable];
    let is = |volatility: &Volatility| overloads.iter().any(|overload| overload.volatility == *volatility);
    let volatility = most.into_iter().find(is).unwrap_or(Volatility::Immutable);
    let signature = Signature::user_defined(volatility);
    let (schema, name) = (schema.to_owned(), name.to_owned());
    Arc::new(ScalarUDF::new_from_impl(UserFunction { schema, name, overloads, signature }))
}

/// Whether an argument of a user's function stays SUPER.
pub(crate) fn user_takes_super(function: &ScalarUDF, at: usize) -> bool {
    let Some(function) = function.inner().downcast_ref::<UserFunction>() else { return false };
    let takes = |overload: &Overload| overload.arguments.fields().get(at).is_some_and(|field| tables::is_super(field));
    function.overloads.iter().any(takes)
}

/// Whether a user's function gives SUPER values.
pub(crate) fn user_gives_super(function: &ScalarUDF) -> bool {
    let Some(function) = function.inner().downcast_ref::<UserFunction>() else { return false };
    function.overloads.iter().any(|overload| tables::is_super(&overload.returns))
}

#[derive(Debug)]
struct UserFunction {
    schema: String,
    name: String,
    overloads: Vec<Overload>,
    signature: Signature,
}

// A query has one function of a name.
impl PartialEq for UserFunction {
    fn eq(&self, other: &Self) -> bool {
        self.schema == other.schema && self.name == other.name
    }
}

impl Eq for UserFunction {}

impl Hash for UserFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.schema, &self.name).hash(state);
    }
}

/// How far an argument's type is from a parameter's; `None` where it does not become it by itself.
fn distance(found: &DataType, wanted: &DataType) -> Option<usize> {
    let text = |t: &DataType| matches!(t, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let decimal =
        |t: &DataType| matches!(t, DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..));
    let rank = |t: &DataType| match t {
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => Some(1),
        DataType::Int32 | DataType::UInt16 => Some(2),
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => Some(3),
        t if decimal(t) => Some(4),
        DataType::Float32 => Some(5),
        DataType::Float64 => Some(6),
        _ => None,
    };
    if found == wanted || (text(found) && text(wanted)) {
        return Some(0);
    }
    if let (Some(from), Some(to)) = (rank(found), rank(wanted)) {
        return (from <= to).then(|| to - from + usize::from(decimal(found) && decimal(wanted)));
    }
    match (found, wanted) {
        (DataType::Null, _) => Some(0),
        (DataType::Dictionary(_, value), wanted) => distance(value, wanted),
        (DataType::Date32 | DataType::Timestamp(..), DataType::Timestamp(..)) => Some(1),
        // A text in quotes has no type of its own.
        (text_type, DataType::Date32 | DataType::Timestamp(..) | DataType::Time64(_)) if text(text_type) => Some(8),
        (DataType::Binary | DataType::LargeBinary, DataType::BinaryView) => Some(0),
        _ => None,
    }
}

impl UserFunction {
    /// The overload for arguments of these types.
    fn choose(&self, found: &[DataType]) -> Result<&Overload> {
        let fit = |overload: &&Overload| -> Option<usize> {
            let wanted = overload.arguments.fields();
            if wanted.len() != found.len() {
                return None;
            }
            found.iter().zip(wanted).map(|(found, wanted)| distance(found, wanted.data_type())).sum()
        };
        let mut fitting: Vec<(usize, &Overload)> =
            self.overloads.iter().filter_map(|overload| Some((fit(&overload)?, overload))).collect();
        fitting.sort_by_key(|(distance, _)| *distance);
        let types: Vec<String> = found.iter().map(shown_type).collect();
        let called = format!("{}({})", self.name, types.join(", "));
        match fitting.as_slice() {
            [(first, _), (second, _), ..] if first == second => {
                let message = format!("function {called} is not unique");
                Err(Error::new(ErrorKind::UndefinedFunction, message).with_hint("cast the arguments").into())
            }
            [(_, overload), ..] => Ok(overload),
            [] => {
                let message = format!("function {called} does not exist");
                Err(Error::new(ErrorKind::UndefinedFunction, message)
                    .with_hint("no function matches the given name and argument types")
                    .into())
            }
        }
    }

    fn of(&self, fields: &[FieldRef]) -> Result<&Overload> {
        let types: Vec<DataType> = fields.iter().map(|field| field.data_type().clone()).collect();
        self.choose(&types)
    }
}

impl ScalarUDFImpl for UserFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, found: &[DataType]) -> Result<Vec<DataType>> {
        let overload = self.choose(found)?;
        // What becomes SUPER does so when the function is called.
        let wanted = overload.arguments.fields().iter().zip(found);
        Ok(wanted
            .map(|(wanted, found)| if tables::is_super(wanted) { found.clone() } else { wanted.data_type().clone() })
            .collect())
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(self.choose(types)?.returns.data_type().clone())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::clone(&self.of(args.arg_fields)?.returns))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let overload = self.of(&args.arg_fields)?;
        let is_constant = overload.volatility != Volatility::Volatile
            && args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(args.args.len());
        for ((arg, field), wanted) in args.args.iter().zip(&args.arg_fields).zip(overload.arguments.fields()) {
            let array = arg.to_array(rows)?;
            columns.push(if tables::is_super(wanted) {
                Arc::new(as_documents(&array, Some(field)).map_err(DataFusionError::from)?)
            } else {
                array
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&overload.arguments), columns, &options)?;
        match overload.body.evaluate(&batch)? {
            ColumnarValue::Array(array) if is_constant => {
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
            }
            value => Ok(value),
        }
    }
}
