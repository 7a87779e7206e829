//! Reading a struct, array or map of a file as the one the table declares.
//!
//! Arrow's cast pairs the fields of structs by their exact names and does not look inside maps. Here fields are paired
//! as columns are: by name in any letter case, a missing one is NULL, and a map's values may be structs too.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, MapArray, StructArray, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;

use super::types::{entry, position};

/// A column of a file with its nested values laid out as the table declares.
#[derive(Debug, Eq)]
pub(super) struct NestedCast {
    input: Arc<dyn PhysicalExpr>,
    target: FieldRef,
}

impl NestedCast {
    pub(super) fn new(input: Arc<dyn PhysicalExpr>, target: FieldRef) -> Self {
        Self { input, target }
    }
}

// Derived implementations do not compile for a field of type `Arc<dyn PhysicalExpr>` (rust-lang/rust#78808).
impl PartialEq for NestedCast {
    fn eq(&self, other: &Self) -> bool {
        self.input.eq(&other.input) && self.target == other.target
    }
}

impl Hash for NestedCast {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.input.hash(state);
        self.target.hash(state);
    }
}

impl fmt::Display for NestedCast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CAST({} AS {})", self.input, self.target.data_type())
    }
}

impl PhysicalExpr for NestedCast {
    fn return_field(&self, _input_schema: &Schema) -> Result<FieldRef> {
        Ok(Arc::clone(&self.target))
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let array = self.input.evaluate(batch)?.into_array(batch.num_rows())?;
        Ok(ColumnarValue::Array(adapt(&array, self.target.data_type())?))
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.input]
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        let input = children.pop().unwrap_or_else(|| Arc::clone(&self.input));
        Ok(Arc::new(Self::new(input, Arc::clone(&self.target))))
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CAST(")?;
        self.input.fmt_sql(f)?;
        write!(f, " AS {})", self.target.data_type())
    }
}

/// The array as the target type; the types were found to fit before.
fn adapt(array: &ArrayRef, target: &DataType) -> Result<ArrayRef> {
    if array.data_type() == target {
        return Ok(Arc::clone(array));
    }
    match (array.data_type(), target) {
        (DataType::Struct(_), DataType::Struct(fields)) => adapt_struct(array.as_struct(), fields),
        (DataType::List(_), DataType::List(item)) => {
            let list = array.as_list::<i32>();
            let values = adapt(list.values(), item.data_type())?;
            let list = ListArray::try_new(Arc::clone(item), list.offsets().clone(), values, list.nulls().cloned())?;
            Ok(Arc::new(list))
        }
        (DataType::LargeList(item) | DataType::FixedSizeList(item, _), DataType::List(_)) => {
            adapt(&cast(array, &DataType::List(Arc::clone(item)))?, target)
        }
        (DataType::Map(_, _), DataType::Map(entries, sorted)) => adapt_map(array.as_map(), entries, *sorted),
        _ => cast(array, target),
    }
}

fn adapt_struct(array: &StructArray, fields: &Fields) -> Result<ArrayRef> {
    let columns = fields
        .iter()
        .map(|field| match position(array.fields(), field.name()) {
            Some(index) => adapt(array.column(index), field.data_type()),
            None => Ok(new_null_array(field.data_type(), array.len())),
        })
        .collect::<Result<Vec<_>>>()?;
    // A length of its own, because a struct may have no fields.
    let adapted = StructArray::try_new_with_length(fields.clone(), columns, array.nulls().cloned(), array.len())?;
    Ok(Arc::new(adapted))
}

fn adapt_map(array: &MapArray, entries: &FieldRef, sorted: bool) -> Result<ArrayRef> {
    let Some([key, value]) = entry(entries) else {
        return cast(&(Arc::new(array.clone()) as ArrayRef), &DataType::Map(Arc::clone(entries), sorted));
    };
    let columns = vec![adapt(array.keys(), key.data_type())?, adapt(array.values(), value.data_type())?];
    let fields = Fields::from(vec![Arc::clone(key), Arc::clone(value)]);
    let rows = StructArray::try_new(fields, columns, array.entries().nulls().cloned())?;
    let map = MapArray::try_new(Arc::clone(entries), array.offsets().clone(), rows, array.nulls().cloned(), sorted)?;
    Ok(Arc::new(map))
}

fn cast(array: &ArrayRef, target: &DataType) -> Result<ArrayRef> {
    Ok(cast_with_options(array, target, &CastOptions { safe: false, ..CastOptions::default() })?)
}

/// Whether a value of this type has others inside.
pub(super) fn is_nested(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Struct(_)
            | DataType::List(_)
            | DataType::LargeList(_)
            | DataType::FixedSizeList(_, _)
            | DataType::Map(_, _)
    )
}

/// The field a path of names leads to inside a struct, and the names as the struct itself spells them.
pub(super) fn descend<'a>(field: &'a Field, path: &[String]) -> Descent<'a> {
    let mut field = field;
    let mut names = Vec::with_capacity(path.len());
    for name in path {
        let DataType::Struct(fields) = field.data_type() else { return Descent::NotAStruct };
        let Some(index) = position(fields, name) else { return Descent::Missing };
        field = &fields[index];
        names.push(field.name().clone());
    }
    Descent::Found(field, names)
}

/// Where a path inside a struct ends.
pub(super) enum Descent<'a> {
    /// At this field, under these names.
    Found(&'a Field, Vec<String>),
    /// A struct on the way has no such field.
    Missing,
    /// Something on the way is no struct: a map's key, an array's index.
    NotAStruct,
}
