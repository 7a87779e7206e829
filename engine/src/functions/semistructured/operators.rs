//! Operators over SUPER values: comparisons, order, arithmetic, casts. Values of other types beside them become SUPER.

use super::document::{number, value};
use super::number::{Number, Operator};
use crate::error::{Error, Result};
use crate::functions::kernel::{Call, Gives, Kind, REDSHIFT, Scalar, scalar};
use crate::functions::math::Way;
use crate::lake::json::{Json, quoted};
use datafusion::arrow::array::ArrayRef;
use std::cmp::Ordering;

use Kind::{Int, Super, Text};

pub(in crate::functions) const FUNCTIONS: &[Scalar] = &[
    scalar("$super_key", REDSHIFT, &[Super], Gives::Text, |call| {
        let values = call.text(0);
        call.texts(|row| Ok(key(&value(values.value(row)))))
    }),
    scalar("$super_compare", REDSHIFT, &[Super, Super], Gives::Int4, |call| {
        let (left, right) = (call.text(0), call.text(1));
        call.int4s(|row| {
            let order = compare(&value(left.value(row)), &value(right.value(row)));
            Ok(order.map(|order| order as i32))
        })
    }),
    scalar("$super_order", REDSHIFT, &[Super], Gives::Text, |call| {
        let values = call.text(0);
        call.texts(|row| Ok(order(&value(values.value(row)))))
    }),
    scalar("$super_written", REDSHIFT, &[Super], Gives::Text, |call| Ok(ArrayRef::clone(&call.args[0]))),
    // What a group shows: one of its values, where it has one.
    scalar("$super_shown", REDSHIFT, &[Text, Text], Gives::Super, |call| {
        let values = call.text(1);
        call.texts(|row| Ok(Some(values.value(row))))
    }),
    scalar("$super_floor", REDSHIFT, &[Super], Gives::Super, |call| cut(call, Way::Down)),
    scalar("$super_ceil", REDSHIFT, &[Super], Gives::Super, |call| cut(call, Way::Up)),
    scalar("$super_round", REDSHIFT, &[Super, Int], Gives::Super, |call| cut(call, Way::Half)).optional(1),
    scalar("$super_trunc", REDSHIFT, &[Super, Int], Gives::Super, |call| cut(call, Way::Cut)).optional(1),
    scalar("$super_scalar", REDSHIFT, &[Super, Text], Gives::Text, plain),
    scalar("$super_add", REDSHIFT, &[Super, Super], Gives::Super, |call| compute(call, Operator::Add)),
    scalar("$super_subtract", REDSHIFT, &[Super, Super], Gives::Super, |call| compute(call, Operator::Subtract)),
    scalar("$super_multiply", REDSHIFT, &[Super, Super], Gives::Super, |call| compute(call, Operator::Multiply)),
    scalar("$super_divide", REDSHIFT, &[Super, Super], Gives::Super, |call| compute(call, Operator::Divide)),
    scalar("$super_modulo", REDSHIFT, &[Super, Super], Gives::Super, |call| compute(call, Operator::Modulo)),
];

/// One text for all values that are equal, deeply; NULL of null.
fn key(value: &Json<'_>) -> Option<String> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(flag) => flag.to_string(),
        Json::Number(text) => number_key(text),
        Json::Text(text) => quoted(text.trim_end_matches(' ')),
        Json::Array(values) => format!("[{}]", values.iter().map(key_of).collect::<Vec<_>>().join(",")),
        Json::Object(members) => {
            let mut members: Vec<String> =
                members.iter().map(|(name, value)| format!("{}:{}", quoted(name), key_of(value))).collect();
            members.sort_unstable();
            format!("{{{}}}", members.join(","))
        }
    })
}

fn number_key(text: &str) -> String {
    Number::parse(text).map_or_else(|| text.to_owned(), Number::key)
}

/// The same where null is a value like others.
pub(super) fn key_of(value: &Json<'_>) -> String {
    key(value).unwrap_or_else(|| "null".to_owned())
}

/// The order of two values of one kind; others are neither smaller nor larger.
fn compare(left: &Json<'_>, right: &Json<'_>) -> Option<Ordering> {
    match (left, right) {
        (Json::Bool(left), Json::Bool(right)) => Some(left.cmp(right)),
        (Json::Text(left), Json::Text(right)) => Some(left.trim_end_matches(' ').cmp(right.trim_end_matches(' '))),
        _ => Some(number(left)?.compare(number(right)?)),
    }
}

/// A text that sorts as ORDER BY sorts values: truth values, numbers, texts, arrays, objects. NULL of null.
pub(super) fn order(value: &Json<'_>) -> Option<String> {
    Some(match value {
        Json::Null => return None,
        Json::Bool(flag) => format!("1{}", u8::from(*flag)),
        Json::Number(text) => format!("2{}", number_key(text)),
        Json::Text(text) => format!("3{}", text.trim_end_matches(' ')),
        Json::Array(values) => {
            let ordered = values.iter().map(|value| order(value).unwrap_or_default());
            format!("4{}", ordered.map(|value| value + "\u{1}").collect::<String>())
        }
        Json::Object(_) => format!("5{}", key_of(value)),
    })
}

/// A value that is neither array nor object as the text that a cast reads, for the kind of type that it becomes.
fn plain(call: &Call<'_>) -> Result<ArrayRef> {
    let (values, kinds) = (call.text(0), call.text(1));
    call.texts(|row| {
        let value = value(values.value(row));
        Ok(match (kinds.value(row), value) {
            (_, Json::Text(text)) => Some(text.into_owned()),
            ("text" | "truth", Json::Bool(flag)) => Some(flag.to_string()),
            ("text" | "number", Json::Number(text)) => Some(text.to_owned()),
            ("whole", Json::Bool(flag)) => Some(u8::from(flag).to_string()),
            ("whole", Json::Number(text)) => {
                Number::parse(text).and_then(Number::rounded).map(|whole| whole.to_string())
            }
            // Redshift's documentation of casts: 5::super::bool is true, 5.0::super::bool NULL.
            ("truth", Json::Number(text)) => match Number::parse(text) {
                Some(Number::Exact { digits, scale: 0 }) => Some((digits != 0).to_string()),
                _ => None,
            },
            _ => None,
        })
    })
}

/// A number with fewer digits; NULL of what is none.
fn cut(call: &Call<'_>, way: Way) -> Result<ArrayRef> {
    let values = call.text(0);
    call.texts(|row| {
        let places = if call.has(1) { call.int(1).value(row) } else { 0 };
        match number(&value(values.value(row))) {
            Some(number) => Ok::<_, Error>(Some(number.cut(way, places)?.text())),
            None => Ok(None),
        }
    })
}

fn compute(call: &Call<'_>, operator: Operator) -> Result<ArrayRef> {
    let (left, right) = (call.text(0), call.text(1));
    call.texts(|row| {
        let (left, right) = (value(left.value(row)), value(right.value(row)));
        if let (Operator::Add, Json::Text(left), Json::Text(right)) = (operator, &left, &right) {
            return Ok(Some(quoted(&format!("{left}{right}"))));
        }
        match (number(&left), number(&right)) {
            (Some(left), Some(right)) => Ok::<_, Error>(Some(left.compute(operator, right)?.text())),
            _ => Ok(None),
        }
    })
}
