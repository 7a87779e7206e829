//! A function over the facts of a query, as DataFusion calls it.

use crate::error::{Error, Result};
use crate::system::{Facts, Kind, Value, array};
use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Int64Type};
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A function: its name, what it gives for arguments of these types, and how.
pub(super) struct Definition {
    pub(super) name: &'static str,
    pub(super) gives: fn(&[DataType]) -> Kind,
    pub(super) call: fn(&Facts, &[Value]) -> Result<Value>,
}

/// A function that knows its query's facts.
pub(super) struct SystemFunction {
    definition: &'static Definition,
    facts: Arc<Facts>,
    signature: Signature,
}

impl SystemFunction {
    pub(super) fn new(definition: &'static Definition, facts: Arc<Facts>) -> Self {
        let volatility = if super::acts(definition.name) { Volatility::Volatile } else { Volatility::Stable };
        let signature = Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::VariadicAny], volatility);
        Self { definition, facts, signature }
    }
}

impl std::fmt::Debug for SystemFunction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.definition.name)
    }
}

// Within a query, the only place where they meet, the name says it all.
impl PartialEq for SystemFunction {
    fn eq(&self, other: &Self) -> bool {
        self.definition.name == other.definition.name && Arc::ptr_eq(&self.facts, &other.facts)
    }
}

impl Eq for SystemFunction {}

impl Hash for SystemFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.definition.name.hash(state);
    }
}

impl ScalarUDFImpl for SystemFunction {
    fn name(&self) -> &str {
        self.definition.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> DataFusionResult<DataType> {
        Ok((self.definition.gives)(arg_types).data_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DataFusionResult<ColumnarValue> {
        let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let types: Vec<DataType> = args.args.iter().map(ColumnarValue::data_type).collect();
        let columns = args.args.into_iter().map(|arg| values(&arg.into_array(rows)?, rows));
        let columns = columns.collect::<DataFusionResult<Vec<_>>>()?;
        let mut results = Vec::with_capacity(rows);
        for at in 0..rows {
            let row: Vec<Value> = columns.iter().map(|column| column[at].clone()).collect();
            results.push((self.definition.call)(&self.facts, &row)?);
        }
        let made = array((self.definition.gives)(&types), results).ok_or_else(|| {
            DataFusionError::from(Error::internal(format!("{}() gives a value of another type", self.definition.name)))
        })?;
        if constant {
            return Ok(ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(&made, 0)?));
        }
        Ok(ColumnarValue::Array(made))
    }
}

/// An array's values, whatever its type: integers, booleans, lists of integers; all else as text.
fn values(array: &dyn Array, rows: usize) -> DataFusionResult<Vec<Value>> {
    let whole = |of: &dyn Fn(usize) -> Value| {
        (0..rows).map(|at| if array.is_null(at) { Value::Null } else { of(at) }).collect::<Vec<_>>()
    };
    Ok(match array.data_type() {
        DataType::Null => vec![Value::Null; rows],
        DataType::Boolean => {
            let array = array.as_boolean();
            whole(&|at| Value::Bool(array.value(at)))
        }
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64 => {
            let array = cast(array, &DataType::Int64)?;
            let array = array.as_primitive::<Int64Type>();
            whole(&|at| Value::Int(array.value(at)))
        }
        DataType::Float32 | DataType::Float64 | DataType::Decimal128(..) => {
            let array = cast(array, &DataType::Float64)?;
            let array = array.as_primitive::<Float64Type>();
            whole(&|at| Value::Double(array.value(at)))
        }
        DataType::List(_) => {
            let lists = array.as_list::<i32>();
            let mut found = Vec::with_capacity(rows);
            for at in 0..rows {
                if lists.is_null(at) {
                    found.push(Value::Null);
                    continue;
                }
                let items = cast(&lists.value(at), &DataType::Utf8)?;
                let items = items.as_string::<i32>();
                found.push(Value::Texts(items.iter().map(|item| item.unwrap_or_default().to_owned()).collect()));
            }
            found
        }
        _ => {
            let array = cast(array, &DataType::Utf8)?;
            let array = array.as_string::<i32>();
            whole(&|at| Value::Text(array.value(at).to_owned()))
        }
    })
}
