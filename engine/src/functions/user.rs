//! Functions that users have made in SQL, as DataFusion calls them.
//!
//! A body is an expression over its arguments, which are the columns of a batch: each is computed once, however often the
//! body names it.

use super::kernel::{is_text, shown_type};
use crate::error::{Error, ErrorKind};
use crate::tables;
use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
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
    /// The body over the arguments, or why the user may not call it.
    pub(crate) body: crate::error::Result<Arc<dyn PhysicalExpr>>,
}

impl Overload {
    /// Its body.
    ///
    /// # Errors
    /// `InsufficientPrivilege`
    fn body(&self) -> crate::error::Result<&Arc<dyn PhysicalExpr>> {
        self.body.as_ref().map_err(Clone::clone)
    }
}

/// The functions of one name in a schema.
pub(crate) fn user_function(schema: &str, name: &str, overloads: Vec<Overload>) -> Arc<ScalarUDF> {
    function_of(schema.to_owned(), name.to_owned(), overloads.into_iter().map(Arc::new).collect())
}

fn function_of(schema: String, name: String, overloads: Vec<Arc<Overload>>) -> Arc<ScalarUDF> {
    let most = [Volatility::Volatile, Volatility::Stable];
    let is = |volatility: &Volatility| overloads.iter().any(|overload| overload.volatility == *volatility);
    let volatility = most.into_iter().find(is).unwrap_or(Volatility::Immutable);
    let signature = Signature::user_defined(volatility);
    Arc::new(ScalarUDF::new_from_impl(UserFunction { schema, name, overloads, signature }))
}

/// Whether a function is one that a user has made.
pub(crate) fn is_users(function: &ScalarUDF) -> bool {
    function.inner().downcast_ref::<UserFunction>().is_some()
}

/// A user's function as the one of its name that a call with such arguments means, and what it wants of them.
///
/// # Errors
/// `UndefinedFunction` when there is none for such arguments, or not one.
pub(crate) fn chosen_overload(function: &ScalarUDF, arguments: &[FieldRef]) -> Result<(Arc<ScalarUDF>, SchemaRef)> {
    let function = function.inner().downcast_ref::<UserFunction>();
    let function = function.ok_or_else(|| Error::internal("a function is no user's"))?;
    let overload = function.choose(arguments)?;
    let chosen = function_of(function.schema.clone(), function.name.clone(), vec![Arc::clone(overload)]);
    Ok((chosen, Arc::clone(&overload.arguments)))
}

#[derive(Debug)]
struct UserFunction {
    schema: String,
    name: String,
    overloads: Vec<Arc<Overload>>,
    signature: Signature,
}

impl PartialEq for UserFunction {
    fn eq(&self, other: &Self) -> bool {
        let same = |(ours, theirs): (&Arc<Overload>, &Arc<Overload>)| Arc::ptr_eq(ours, theirs);
        self.schema == other.schema
            && self.name == other.name
            && self.overloads.len() == other.overloads.len()
            && self.overloads.iter().zip(&other.overloads).all(same)
    }
}

impl Eq for UserFunction {}

impl Hash for UserFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.schema, &self.name).hash(state);
    }
}

/// How far an argument is from a parameter; `None` where it does not become it by itself.
fn distance(found: &Field, wanted: &Field) -> Option<usize> {
    match (tables::is_super(found), tables::is_super(wanted)) {
        (true, true) => Some(0),
        // A text that stands in a SUPER.
        (true, false) => is_text(wanted.data_type()).then_some(1),
        (false, true) => becomes_super(found.data_type()).then_some(9),
        (false, false) => distance_of_types(found.data_type(), wanted.data_type()),
    }
}

fn distance_of_types(found: &DataType, wanted: &DataType) -> Option<usize> {
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
    if found == wanted || (is_text(found) && is_text(wanted)) {
        return Some(0);
    }
    if let (Some(from), Some(to)) = (rank(found), rank(wanted)) {
        return (from <= to).then(|| to - from + usize::from(decimal(found) && decimal(wanted)));
    }
    match (found, wanted) {
        (DataType::Null, _) => Some(0),
        (DataType::Dictionary(_, value), wanted) => distance_of_types(value, wanted),
        (DataType::Date32 | DataType::Timestamp(..), DataType::Timestamp(..)) => Some(1),
        // A text in quotes has no type of its own.
        (text_type, DataType::Date32 | DataType::Timestamp(..) | DataType::Time64(_)) if is_text(text_type) => Some(8),
        (DataType::Binary | DataType::LargeBinary, DataType::BinaryView) => Some(0),
        _ => None,
    }
}

impl UserFunction {
    /// The overload for such arguments.
    fn choose(&self, found: &[FieldRef]) -> Result<&Arc<Overload>> {
        let fit = |overload: &Arc<Overload>| -> Option<usize> {
            let wanted = overload.arguments.fields();
            if wanted.len() != found.len() {
                return None;
            }
            found.iter().zip(wanted).map(|(found, wanted)| distance(found, wanted)).sum()
        };
        let mut fitting: Vec<(usize, &Arc<Overload>)> =
            self.overloads.iter().filter_map(|overload| Some((fit(overload)?, overload))).collect();
        fitting.sort_by_key(|(distance, _)| *distance);
        let undefined = |problem: &str, hint: &str| {
            let types: Vec<String> = found.iter().map(|field| shown(field)).collect();
            let message = format!("function {}({}) {problem}", self.name, types.join(", "));
            Err(Error::new(ErrorKind::UndefinedFunction, message).with_hint(hint).into())
        };
        match fitting.as_slice() {
            [(first, _), (second, _), ..] if first == second => undefined("is not unique", "cast the arguments"),
            [(_, overload), ..] => Ok(overload),
            [] => undefined("does not exist", "no function matches the given name and argument types"),
        }
    }
}

/// Whether values of a type become SUPER by themselves.
fn becomes_super(found: &DataType) -> bool {
    is_text(found) || found.is_numeric() || matches!(found, DataType::Boolean | DataType::Null)
}

fn shown(field: &Field) -> String {
    if tables::is_super(field) { "super".to_owned() } else { shown_type(field.data_type()) }
}

impl ScalarUDFImpl for UserFunction {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, found: &[DataType]) -> Result<Vec<DataType>> {
        // What is SUPER is not known of a type: it is left as it is, until [`chosen_overload`] knows more.
        let found: Vec<FieldRef> = found.iter().map(|found| Arc::new(Field::new("", found.clone(), true))).collect();
        let overload = self.choose(&found)?;
        let wanted = overload.arguments.fields().iter().zip(found);
        let cast_to = wanted.map(|(wanted, found)| {
            if tables::is_super(wanted) && !is_text(found.data_type()) { found } else { Arc::clone(wanted) }
        });
        Ok(cast_to.map(|field| field.data_type().clone()).collect())
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Err(Error::internal("a user's function gives what its arguments' fields say").into())
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let overload = self.choose(args.arg_fields)?;
        // Not told where types are coerced: DataFusion would make a text of it.
        overload.body()?;
        Ok(Arc::clone(&overload.returns))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let overload = self.choose(&args.arg_fields)?;
        let is_constant = overload.volatility != Volatility::Volatile
            && args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if is_constant { 1 } else { args.number_rows };
        let columns = args.args.iter().map(|arg| arg.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&overload.arguments), columns, &options)?;
        match overload.body()?.evaluate(&batch)? {
            ColumnarValue::Array(array) if is_constant => {
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
            }
            value => Ok(value),
        }
    }
}
