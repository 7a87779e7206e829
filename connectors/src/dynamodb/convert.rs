//! Items as record batches.
//!
//! A missing attribute and one of type NULL are both NULL. What is of another type than its column is an error that
//! names the item's key, never a NULL unless the column is declared so. In SUPER, numbers keep all digits, bytes are
//! base64, sets are arrays, maps have their names in order.

use super::Item;
use super::column::{Column, Compared, Declared, Kind, Scalar as Attribute};
use super::table::Keys;
use crate::declared::Invalid;
use crate::error::{ConnectorError, Result};
use crate::number::{Number, plain_unscaled};
use crate::typed::{Builder, Scalar, Type};
use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanBuilder, Decimal128Builder, Int64Builder, RecordBatch, RecordBatchOptions,
    StringViewBuilder,
};
use arrow::datatypes::{Schema, SchemaRef};
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::Arc;

/// How much of a value that does not fit an error shows.
const SHOWN_CHARS: usize = 60;

/// The most columns whose names are compared one by one.
const COMPARED_COLUMNS: usize = 16;

/// The schema of these columns.
pub(super) fn schema(columns: &[Column]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(Column::field).collect::<Vec<_>>()))
}

/// A batch of rows without columns.
pub(super) fn rows(count: usize) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    RecordBatch::try_new_with_options(schema(&[]), vec![], &options).map_err(bad)
}

/// A batch of the columns of items.
///
/// # Errors
/// `BadData` when an attribute is not of its column's type.
pub(super) fn batch(columns: &[Column], schema: &SchemaRef, keys: &Keys, items: &[Item]) -> Result<RecordBatch> {
    if columns.is_empty() {
        return rows(items.len());
    }
    if columns.iter().all(|column| column.kind == Kind::Item) {
        let documents = documents(items)?;
        return RecordBatch::try_new(Arc::clone(schema), vec![documents; columns.len()]).map_err(bad);
    }
    let cells = cells(columns, items);
    let arrays = columns.iter().enumerate().map(|(place, column)| {
        let values = cells.iter().skip(place).step_by(columns.len()).copied();
        array(column, values).map_err(|at| mismatch(column, keys, items, at))
    });
    RecordBatch::try_new(Arc::clone(schema), arrays.collect::<Result<_>>()?).map_err(bad)
}

fn bad(error: arrow::error::ArrowError) -> ConnectorError {
    ConnectorError::BadData(error.to_string())
}

/// The attributes of items, row after row, NULL for those that are missing. Few columns are found quicker by comparing
/// names than by hashing each for each item.
fn cells<'a>(columns: &[Column], items: &'a [Item]) -> Vec<Option<&'a AttributeValue>> {
    let mut cells = vec![None; columns.len() * items.len()];
    let has_paths = columns.iter().any(|column| column.kind.is_nested());
    for (item, row) in items.iter().zip(cells.chunks_exact_mut(columns.len())) {
        if columns.len() <= COMPARED_COLUMNS && !has_paths {
            for (name, value) in item.iter().filter(|(_, value)| !value.is_null()) {
                if let Some(place) = columns.iter().position(|column| column.name == *name) {
                    row[place] = Some(value);
                }
            }
        } else {
            for (column, cell) in columns.iter().zip(row) {
                *cell = column.value(item);
            }
        }
    }
    cells
}

/// A column of these values, or the place of the one that is of another type.
fn array<'a>(
    column: &Column,
    values: impl ExactSizeIterator<Item = Option<&'a AttributeValue>>,
) -> std::result::Result<ArrayRef, usize> {
    let count = values.len();
    macro_rules! fill {
        ($builder:expr, $convert:expr) => {{
            let mut builder = $builder;
            let convert = $convert;
            for (at, value) in values.enumerate() {
                match value {
                    None => builder.append_null(),
                    Some(value) => builder.append_value(convert(value).ok_or(at)?),
                }
            }
            Ok(Arc::new(builder.finish()) as ArrayRef)
        }};
    }
    match column.kind {
        Kind::Text => fill!(StringViewBuilder::with_capacity(count), text),
        Kind::Integer => fill!(Int64Builder::with_capacity(count), integer),
        Kind::Decimal(scale) => fill!(
            Decimal128Builder::with_capacity(count).with_data_type(column.kind.data_type()),
            |value| decimal(value, usize::from(scale))
        ),
        Kind::Digits => {
            fill!(StringViewBuilder::with_capacity(count), |value| number(value).map(|number| number.to_string()))
        }
        Kind::Binary => fill!(BinaryBuilder::with_capacity(count, count * 16), bytes),
        Kind::Boolean => {
            fill!(BooleanBuilder::with_capacity(count), |value: &AttributeValue| value.as_bool().ok().copied())
        }
        Kind::Super | Kind::Item => fill!(StringViewBuilder::with_capacity(count), json),
        Kind::Declared(declared) => typed(declared, values),
    }
}

/// A declared column of these values, or the place of the one that does not fit.
fn typed<'a>(
    declared: Declared,
    values: impl Iterator<Item = Option<&'a AttributeValue>>,
) -> std::result::Result<ArrayRef, usize> {
    let mut builder = Builder::new(declared.to);
    for (at, value) in values.enumerate() {
        let Some(value) = value else {
            builder.null();
            continue;
        };
        match (add(&mut builder, declared, value), declared.invalid) {
            (Some(()), _) => {}
            (None, Invalid::Error) => return Err(at),
            (None, Invalid::Null) => builder.null(),
        }
    }
    Ok(builder.finish())
}

/// Adds an attribute's value to a declared column.
fn add(builder: &mut Builder, declared: Declared, value: &AttributeValue) -> Option<()> {
    let to = declared.to;
    if let Compared::Only(scalar) = declared.compared
        && Attribute::has(value) != Some(scalar)
    {
        return None;
    }
    if to == Type::Super {
        return builder.value(Scalar::Text(&json(value)?));
    }
    match value {
        AttributeValue::S(text) => builder.value(Scalar::Text(text)),
        // Digits are shown as they are in all other columns of text.
        AttributeValue::N(digits) if to == Type::Text => {
            builder.value(Scalar::Number(&Number::parse(digits)?.to_string()))
        }
        AttributeValue::N(digits) => builder.value(Scalar::Number(digits)),
        AttributeValue::Bool(truth) => builder.value(Scalar::Boolean(*truth)),
        AttributeValue::B(bytes) => builder.value(Scalar::Bytes(bytes.as_ref())),
        _ => None,
    }
}

/// Whole items as JSON, each attribute an object of its type and its value: `{"doc":{"M":{"a":1}},"id":{"N":7}}`. Types
/// within a value are lost as they are in SUPER.
fn documents(items: &[Item]) -> Result<ArrayRef> {
    let mut documents = StringViewBuilder::with_capacity(items.len());
    let mut document = String::new();
    for item in items {
        let mut attributes: Vec<_> = item.iter().collect();
        attributes.sort_unstable_by_key(|(name, _)| *name);
        document.clear();
        document.push('{');
        for (at, (name, value)) in attributes.into_iter().enumerate() {
            if at > 0 {
                document.push(',');
            }
            write_text(name, &mut document);
            document.push_str(":{");
            write_text(tag(value), &mut document);
            document.push(':');
            write_json(value, &mut document)
                .ok_or_else(|| ConnectorError::BadData(format!("attribute \"{name}\" cannot be read")))?;
            document.push('}');
        }
        document.push('}');
        documents.append_value(&document);
    }
    Ok(Arc::new(documents.finish()))
}

/// DynamoDB's name of a value's type.
fn tag(value: &AttributeValue) -> &'static str {
    match value {
        AttributeValue::S(_) => "S",
        AttributeValue::N(_) => "N",
        AttributeValue::B(_) => "B",
        AttributeValue::Bool(_) => "BOOL",
        AttributeValue::Null(_) => "NULL",
        AttributeValue::M(_) => "M",
        AttributeValue::L(_) => "L",
        AttributeValue::Ss(_) => "SS",
        AttributeValue::Ns(_) => "NS",
        AttributeValue::Bs(_) => "BS",
        _ => "?",
    }
}

fn text(value: &AttributeValue) -> Option<&str> {
    value.as_s().ok().map(String::as_str)
}

fn number(value: &AttributeValue) -> Option<Number> {
    Number::parse(value.as_n().ok()?)
}

fn integer(value: &AttributeValue) -> Option<i64> {
    let text = value.as_n().ok()?;
    text.parse().ok().or_else(|| Number::parse(text)?.integer())
}

fn decimal(value: &AttributeValue, scale: usize) -> Option<i128> {
    let text = value.as_n().ok()?;
    plain_unscaled(text, scale).or_else(|| Number::parse(text)?.unscaled(scale))
}

fn bytes(value: &AttributeValue) -> Option<&[u8]> {
    value.as_b().ok().map(AsRef::as_ref)
}

/// An attribute's JSON.
fn json(value: &AttributeValue) -> Option<String> {
    let mut out = String::new();
    write_json(value, &mut out)?;
    Some(out)
}

fn write_json(value: &AttributeValue, out: &mut String) -> Option<()> {
    match value {
        AttributeValue::Null(_) => out.push_str("null"),
        AttributeValue::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
        AttributeValue::S(text) => write_text(text, out),
        AttributeValue::N(text) => write_number(text, out)?,
        AttributeValue::B(bytes) => write_text(&STANDARD.encode(bytes), out),
        AttributeValue::Ss(texts) => write_list(texts, out, |text, out| {
            write_text(text, out);
            Some(())
        })?,
        AttributeValue::Ns(texts) => write_list(texts, out, |text, out| write_number(text, out))?,
        AttributeValue::Bs(list) => write_list(list, out, |bytes, out| {
            write_text(&STANDARD.encode(bytes), out);
            Some(())
        })?,
        AttributeValue::L(list) => write_list(list, out, write_json)?,
        AttributeValue::M(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(name, _)| *name);
            out.push('{');
            for (at, (name, value)) in entries.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_text(name, out);
                out.push(':');
                write_json(value, out)?;
            }
            out.push('}');
        }
        _ => return None,
    }
    Some(())
}

fn write_list<T>(list: &[T], out: &mut String, write: impl Fn(&T, &mut String) -> Option<()>) -> Option<()> {
    out.push('[');
    for (at, value) in list.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(value, out)?;
    }
    out.push(']');
    Some(())
}

fn write_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}

fn write_number(text: &str, out: &mut String) -> Option<()> {
    out.push_str(&Number::parse(text)?.to_string());
    Some(())
}

fn mismatch(column: &Column, keys: &Keys, items: &[Item], at: usize) -> ConnectorError {
    let item = &items[at];
    let value = column.value(item);
    let found = value.map_or("nothing", type_name);
    let key = |name: &String| item.get(name).and_then(json).map(|value| format!("{name} = {value}"));
    let key: Vec<String> = [Some(&keys.partition), keys.sort.as_ref()].into_iter().flatten().filter_map(key).collect();
    let place = if key.is_empty() { String::new() } else { format!(" of the item with {}", key.join(", ")) };
    if let Kind::Declared(declared) = column.kind {
        let shown: String = value.and_then(json).unwrap_or_default().chars().take(SHOWN_CHARS).collect();
        let message = format!(
            "attribute \"{}\"{place} is {found} that is no {}: {shown}; a table with 'invalid.values' = 'null' reads it \
             as NULL",
            column.name, declared.to
        );
        return ConnectorError::BadData(message);
    }
    ConnectorError::BadData(format!(
        "attribute \"{}\"{place} is {found}, which is not the {} that a sample of the table showed; a larger option \
         \"sample\", or \"attributes\" as super, reads it",
        column.name,
        column.kind.describe()
    ))
}

fn type_name(value: &AttributeValue) -> &'static str {
    match value {
        AttributeValue::S(_) => "a string",
        AttributeValue::N(_) => "a number",
        AttributeValue::B(_) => "binary",
        AttributeValue::Bool(_) => "a boolean",
        AttributeValue::M(_) => "a map",
        AttributeValue::L(_) => "a list",
        AttributeValue::Ss(_) | AttributeValue::Ns(_) | AttributeValue::Bs(_) => "a set",
        _ => "of an unknown type",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use arrow::array::AsArray;
    use arrow::datatypes::{Decimal128Type, Int64Type};
    use aws_sdk_dynamodb::primitives::Blob;

    fn n(text: &str) -> AttributeValue {
        AttributeValue::N(text.to_owned())
    }

    fn s(text: &str) -> AttributeValue {
        AttributeValue::S(text.to_owned())
    }

    fn convert(kind: Kind, values: &[Option<AttributeValue>]) -> Result<ArrayRef> {
        let columns = [Column { name: "a".to_owned(), kind, required: false }];
        let keys = Keys { partition: "k".to_owned(), sort: None };
        let item = |(at, value): (usize, &Option<AttributeValue>)| -> Item {
            let key = ("k".to_owned(), n(&at.to_string()));
            value.iter().map(|value| ("a".to_owned(), value.clone())).chain([key]).collect()
        };
        let items: Vec<Item> = values.iter().enumerate().map(item).collect();
        Ok(Arc::clone(batch(&columns, &schema(&columns), &keys, &items)?.column(0)))
    }

    #[test]
    fn numbers_are_exact() {
        let integers =
            convert(Kind::Integer, &[Some(n("9223372036854775807")), None, Some(AttributeValue::Null(true))]);
        let integers = integers.unwrap();
        assert_eq!(integers.as_primitive::<Int64Type>().value(0), i64::MAX);
        assert_eq!(integers.null_count(), 2);
        let digits = "1234567890123456789012345678901234567.8";
        let decimals = convert(Kind::Decimal(1), &[Some(n(digits)), Some(n("-5"))]).unwrap();
        let decimals = decimals.as_primitive::<Decimal128Type>();
        assert_eq!((decimals.value_as_string(0).as_str(), decimals.value_as_string(1).as_str()), (digits, "-5.0"));
        for kind in [Kind::Integer, Kind::Decimal(1), Kind::Digits, Kind::Super] {
            for text in [".", "-.", "1E+2147483647", "1E-2147483648"] {
                assert!(convert(kind, &[Some(n(text))]).is_err(), "{kind:?} {text}");
            }
        }
        let texts = convert(Kind::Digits, &[Some(n("1E+40"))]).unwrap();
        assert_eq!(texts.as_string_view().value(0), format!("1{}", "0".repeat(40)));
    }

    #[test]
    fn nested_values_are_json() {
        let map = AttributeValue::M(
            [
                ("z".to_owned(), AttributeValue::L(vec![n("1.10"), AttributeValue::Null(true)])),
                ("a\"b".to_owned(), AttributeValue::B(Blob::new([0, 255]))),
                ("ns".to_owned(), AttributeValue::Ns(vec!["12345678901234567890123456789012345678".to_owned()])),
            ]
            .into(),
        );
        let values = convert(Kind::Super, &[Some(map), Some(s("x")), Some(AttributeValue::Bool(true)), None]).unwrap();
        assert_eq!(values.null_count(), 1);
        let values = values.as_string_view();
        assert_eq!(values.value(0), r#"{"a\"b":"AP8=","ns":[12345678901234567890123456789012345678],"z":[1.1,null]}"#);
        assert_eq!((values.value(1), values.value(2)), ("\"x\"", "true"));
    }

    fn declared(to: Type, invalid: Invalid) -> Kind {
        Kind::Declared(Declared { to, compared: Compared::None, invalid, nested: false })
    }

    #[test]
    fn declared_columns_take_what_fits() {
        let mixed = [Some(n("1.50")), Some(s("2.25")), None, Some(AttributeValue::Null(true))];
        let decimals = convert(declared(Type::Decimal(5, 2), Invalid::Error), &mixed).unwrap();
        assert_eq!(decimals.null_count(), 2);
        let decimals = decimals.as_primitive::<Decimal128Type>();
        assert_eq!((decimals.value(0), decimals.value(1)), (150, 225));
        let texts = convert(declared(Type::Text, Invalid::Error), &[Some(n("1.50")), Some(s("x"))]).unwrap();
        assert_eq!((texts.as_string_view().value(0), texts.as_string_view().value(1)), ("1.5", "x"));
        let misfits = [Some(n("1.555")), Some(s("x")), Some(AttributeValue::L(vec![])), Some(n("9"))];
        let nulls = convert(declared(Type::Decimal(5, 2), Invalid::Null), &misfits).unwrap();
        assert_eq!((nulls.null_count(), nulls.as_primitive::<Decimal128Type>().value(3)), (3, 900));
        for (to, text) in [(Type::Decimal(5, 2), "."), (Type::Int32, "."), (Type::Text, "."), (Type::Float64, "1E+400")]
        {
            let of = [Some(n(text))];
            assert!(convert(declared(to, Invalid::Error), &of).is_err(), "{to} {text}");
            assert_eq!(convert(declared(to, Invalid::Null), &of).unwrap().null_count(), 1, "{to} {text}");
        }
        // Digits of a string that no number has.
        assert_eq!(convert(declared(Type::Int64, Invalid::Null), &[Some(s("1e-2147483648"))]).unwrap().null_count(), 1);
        let error = convert(declared(Type::Decimal(5, 2), Invalid::Error), &misfits).unwrap_err().to_string();
        assert_eq!(
            error,
            "attribute \"a\" of the item with k = 0 is a number that is no decimal(5,2): 1.555; a table with \
             'invalid.values' = 'null' reads it as NULL"
        );
    }

    #[test]
    fn keys_of_global_indexes_take_what_the_index_has() {
        let key = |invalid| {
            let compared = Compared::Only(Attribute::S);
            Kind::Declared(Declared { to: Type::Text, compared, invalid, nested: false })
        };
        let values = [Some(s("5")), Some(n("5"))];
        let nulls = convert(key(Invalid::Null), &values).unwrap();
        assert_eq!(nulls.as_string_view().iter().collect::<Vec<_>>(), [Some("5"), None]);
        assert!(convert(key(Invalid::Error), &values).is_err());
    }

    #[test]
    fn paths_lead_into_maps() {
        let column = |name: &str| {
            let declared = Declared { to: Type::Text, compared: Compared::None, invalid: Invalid::Error, nested: true };
            Column { name: name.to_owned(), kind: Kind::Declared(declared), required: false }
        };
        let map = |name: &str, value| AttributeValue::M([(name.to_owned(), value)].into());
        let items: Vec<Item> = vec![
            [("a".to_owned(), map("b", map("c", s("deep"))))].into(),
            [("a".to_owned(), s("flat"))].into(),
            [("a.b.c".to_owned(), s("named so")), ("a".to_owned(), map("b", map("c", s("deep"))))].into(),
        ];
        let columns = [column("a.b.c")];
        let keys = Keys { partition: "k".to_owned(), sort: None };
        let batch = batch(&columns, &schema(&columns), &keys, &items).unwrap();
        let values: Vec<_> = batch.column(0).as_string_view().iter().collect();
        assert_eq!(values, [Some("deep"), None, Some("named so")]);
    }

    #[test]
    fn another_type_is_an_error_that_names_the_item() {
        let error = convert(Kind::Integer, &[Some(n("1")), Some(s("two"))]).unwrap_err().to_string();
        assert_eq!(
            error,
            "attribute \"a\" of the item with k = 1 is a string, which is not the bigint that a sample of the table \
             showed; a larger option \"sample\", or \"attributes\" as super, reads it"
        );
        assert!(convert(Kind::Integer, &[Some(n("1.5"))]).is_err());
        assert!(convert(Kind::Decimal(1), &[Some(n("1.55"))]).is_err());
        assert!(convert(Kind::Text, &[Some(n("1"))]).is_err());
        assert!(convert(Kind::Boolean, &[Some(s("true"))]).is_err());
    }
}
