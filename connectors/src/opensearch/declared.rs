//! A table's columns as they are declared, over those that its mapping has.
//!
//! A declared type that has all values of the field's own, in the same order, leaves everything to the server that it
//! decides of the field. With any other type the values are read from documents, converted here, and the server decides
//! nothing of them. So it is with fields that no mapping has.

use super::mapping::{Column, Mapping, Read};
use crate::declared::{Declaration, Invalid, distinct, named};
use crate::error::{ConnectorError, Result};
use crate::typed::Type;
use arrow::datatypes::{DataType, FieldRef, TimeUnit};

/// The mapping with the declared columns in place of its own.
///
/// # Errors
/// `Unsupported` for types that no column can have.
pub(super) fn declare(mapping: &Mapping, declared: &Declaration) -> Result<Mapping> {
    let columns = declared.columns.iter().map(|field| column(mapping, field, declared.invalid));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    distinct(&declared.columns, columns.iter().map(|column| column.name.as_str()), "field")?;
    Ok(Mapping::of(columns))
}

fn column(mapping: &Mapping, field: &FieldRef, invalid: Invalid) -> Result<Column> {
    let to = Type::of(field)?;
    let known = named(field.name(), mapping.columns.iter().map(|column| column.name.as_str()));
    let known = known.and_then(|name| mapping.column(name));
    if let Some(known) = known.filter(|known| holds(&known.read, to)) {
        let declared = Some(to.data_type()).filter(|declared| *declared != known.read.data_type());
        let lenient = known.lenient || invalid == Invalid::Null;
        return Ok(Column { lenient, declared, ..known.clone() });
    }
    let (name, path) = match known {
        Some(known) => (known.name.clone(), known.path.clone()),
        None => (field.name().clone(), field.name().clone()),
    };
    let read = match (to, known.map(|known| &known.read)) {
        // These stand outside of documents.
        (to, Some(Read::Id | Read::Index | Read::Score | Read::Source)) => return Err(mismatch(&name, to)),
        (Type::Super, _) => Read::Super,
        (to, _) => Read::Declared(to),
    };
    let constants = known.map(|known| known.constants.clone()).unwrap_or_default();
    Ok(Column { constants, lenient: invalid == Invalid::Null, ..Column::unread(name, path, read) })
}

fn mismatch(name: &str, to: Type) -> ConnectorError {
    ConnectorError::InvalidArgument(format!("\"{name}\" cannot be declared as {to}"))
}

/// Whether a declared type has all values that are read, told apart and ordered alike.
fn holds(read: &Read, to: Type) -> bool {
    if read.is_super() || to == Type::Super {
        return read.is_super() && to == Type::Super;
    }
    let holds_digits = |digits: u8, scale: i8, wanted: u8| i16::from(digits) - i16::from(scale) >= i16::from(wanted);
    match (read.data_type(), to.data_type()) {
        (DataType::Int16, DataType::Int32 | DataType::Int64)
        | (DataType::Int32, DataType::Int64)
        | (DataType::Int16 | DataType::Int32 | DataType::Float32, DataType::Float64) => true,
        (DataType::Int16, DataType::Decimal128(digits, scale)) => holds_digits(digits, scale, 5),
        (DataType::Int32, DataType::Decimal128(digits, scale)) => holds_digits(digits, scale, 10),
        (DataType::Int64, DataType::Decimal128(digits, scale)) => holds_digits(digits, scale, 19),
        (DataType::Decimal128(own, 0), DataType::Decimal128(digits, scale)) => holds_digits(digits, scale, own),
        // SQL's time without a zone is the time in UTC.
        (DataType::Timestamp(own, _), DataType::Timestamp(declared, None)) => {
            own == TimeUnit::Microsecond && declared == own
        }
        (own, declared) => own == declared,
    }
}
