//! Operators over SUPER values: comparisons, order, arithmetic, casts. Values of other types beside them become SUPER.

use super::document::{Document, documents};
use super::json::{Json, quoted};
use super::number::{Number, Operator, Rounding};
use crate::error::{Error, Result};
use crate::functions::kernel::{Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use datafusion::arrow::array::{Array, ArrayRef};
use std::cmp::Ordering;

pub(in crate::functions) const FUNCTIONS: &[Scalar] = &[
    scalar("$super_key", REDSHIFT, &[Kind::Any], Gives::Text, |call| {
        let values = documents(call, 0)?;
        call.texts(|row| Ok(values.is_valid(row).then(|| key(&Document::of(values.value(row)))).flatten()))
    }),
    scalar("$super_compare", REDSHIFT, &[Kind::Any, Kind::Any], Gives::Int4, |call| {
        let (left, right) = (documents(call, 0)?, documents(call, 1)?);
        call.int4s(|row| {
            let order = compare(&Document::of(left.value(row)), &Document::of(right.value(row)));
            Ok(order.map(|order| order as i32))
        })
    }),
    scalar("$super_order", REDSHIFT, &[Kind::Any], Gives::Text, |call| {
        let values = documents(call, 0)?;
        call.texts(|row| Ok(order(&Document::of(values.value(row)))))
    }),
    scalar("$super_floor", REDSHIFT, &[Kind::Any], Gives::Super, |call| cut(call, Rounding::Down)),
    scalar("$super_ceil", REDSHIFT, &[Kind::Any], Gives::Super, |call| cut(call, Rounding::Up)),
    scalar("$super_round", REDSHIFT, &[Kind::Any, Kind::Int], Gives::Super, |call| cut(call, Rounding::Half))
        .optional(1),
    scalar("$super_trunc", REDSHIFT, &[Kind::Any, Kind::Int], Gives::Super, |call| cut(call, Rounding::Cut))
        .optional(1),
    scalar("$super_scalar", REDSHIFT, &[Kind::Any, Kind::Text], Gives::Text, plain),
    scalar("$super_add", REDSHIFT, &[Kind::Any, Kind::Any], Gives::Super, |call| compute(call, Operator::Add)),
    scalar("$super_subtract", REDSHIFT, &[Kind::Any, Kind::Any], Gives::Super, |call| {
        compute(call, Operator::Subtract)
    }),
    scalar("$super_multiply", REDSHIFT, &[Kind::Any, Kind::Any], Gives::Super, |call| {
        compute(call, Operator::Multiply)
    }),
    scalar("$super_divide", REDSHIFT, &[Kind::Any, Kind::Any], Gives::Super, |call| compute(call, Operator::Divide)),
    scalar("$super_modulo", REDSHIFT, &[Kind::Any, Kind::Any], Gives::Super, |call| compute(call, Operator::Modulo)),
];

/// One text for all values that are equal, deeply; NULL of null.
fn key(document: &Document<'_>) -> Option<String> {
    Some(match document {
        Document::Null => return None,
        Document::Bool(flag) => flag.to_string(),
        Document::Number(text) => Number::parse(text).map_or_else(|| (*text).to_owned(), Number::canonical),
        Document::Text(text) => quoted(text.trim_end_matches(' ')),
        Document::Array(values) => keys(values),
        Document::Object(members) => {
            let mut members: Vec<String> =
                members.iter().map(|(name, value)| format!("{}:{}", quoted(name), key_of(value))).collect();
            members.sort();
            format!("{{{}}}", members.join(","))
        }
    })
}

fn keys(values: &[Json]) -> String {
    format!("[{}]", values.iter().map(key_of).collect::<Vec<_>>().join(","))
}

pub(super) fn key_of(value: &Json) -> String {
    key(&Document::from(value)).unwrap_or_else(|| "null".to_owned())
}

/// The order of two values of one kind; others are neither smaller nor larger.
fn compare(left: &Document<'_>, right: &Document<'_>) -> Option<Ordering> {
    match (left, right) {
        (Document::Bool(left), Document::Bool(right)) => Some(left.cmp(right)),
        (Document::Text(left), Document::Text(right)) => {
            Some(left.trim_end_matches(' ').cmp(right.trim_end_matches(' ')))
        }
        _ => left.number()?.compare(right.number()?),
    }
}

/// A text that sorts as ORDER BY sorts values: truth values, numbers, texts, arrays, objects.
pub(super) fn order(document: &Document<'_>) -> Option<String> {
    Some(match document {
        Document::Null => return None,
        Document::Bool(flag) => format!("1{}", u8::from(*flag)),
        Document::Number(text) => format!("2{}", Number::parse(text).map(Number::sortable).unwrap_or_default()),
        Document::Text(text) => format!("3{}", text.trim_end_matches(' ')),
        Document::Array(values) => {
            let ordered = values.iter().map(|value| order(&Document::from(value)).unwrap_or_default());
            format!("4{}", ordered.map(|value| value + "\u{1}").collect::<String>())
        }
        Document::Object(_) => format!("5{}", key(document).unwrap_or_default()),
    })
}

/// A value that is neither array nor object as the text that a cast reads, for the kind of type that it becomes.
fn plain(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, kinds) = (documents(call, 0)?, call.text(1));
    call.texts(|row| {
        let document = Document::of(values.value(row));
        Ok(match (kinds.value(row), document) {
            (_, Document::Text(text)) => Some(text.into_owned()),
            ("text", Document::Bool(flag)) => Some(flag.to_string()),
            ("text" | "number", Document::Number(text)) => Some(text.to_owned()),
            ("whole", Document::Bool(flag)) => Some(u8::from(flag).to_string()),
            ("whole", Document::Number(text)) => {
                Number::parse(text).and_then(Number::rounded).map(|whole| whole.to_string())
            }
            ("truth", Document::Bool(flag)) => Some(flag.to_string()),
            // Redshift's documentation of casts: 5::super::bool is true, 5.0::super::bool NULL.
            ("truth", Document::Number(text)) => match Number::parse(text) {
                Some(Number::Exact { digits, scale: 0 }) => Some((digits != 0).to_string()),
                _ => None,
            },
            _ => None,
        })
    })
}

/// A number with fewer digits; NULL of what is none.
fn cut(call: &Call<'_>, how: Rounding) -> Result<ArrayRef> {
    let values = documents(call, 0)?;
    call.texts(|row| {
        let places = if call.has(1) { call.int(1).value(row) } else { 0 };
        match Document::of(values.value(row)).number() {
            Some(number) => Ok::<_, Error>(Some(number.cut(how, places)?.text())),
            None => Ok(None),
        }
    })
}

fn compute(call: &Call<'_>, operator: Operator) -> Result<ArrayRef> {
    let (left, right) = (documents(call, 0)?, documents(call, 1)?);
    call.texts(|row| {
        let (left, right) = (Document::of(left.value(row)), Document::of(right.value(row)));
        if let (Operator::Add, Document::Text(left), Document::Text(right)) = (operator, &left, &right) {
            return Ok(Some(quoted(&format!("{left}{right}"))));
        }
        match (left.number(), right.number()) {
            (Some(left), Some(right)) => Ok::<_, Error>(Some(left.compute(operator, right)?.text())),
            _ => Ok(None),
        }
    })
}
