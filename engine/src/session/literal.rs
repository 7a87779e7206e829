//! Parameters' values as expressions: a text and the type that it is meant as, to a literal or a cast of one.

use crate::error::{Error, ErrorKind, Result};
use datafusion::arrow::datatypes::{DataType, IntervalUnit};
use datafusion::sql::sqlparser::ast::{self, Array, CastKind, Expr, TimezoneInfo, UnaryOperator, Value};

/// The expression of a parameter's value; `None` is NULL.
///
/// # Errors
/// `InvalidText` for a text that is none of the type; `Unsupported` for a type that no parameter has.
pub(super) fn literal(value: Option<&str>, data_type: &DataType) -> Result<Expr> {
    let Some(text) = value else { return Ok(cast(Expr::Value(Value::Null.into()), type_name(data_type)?)) };
    let invalid =
        |what: &str| Error::new(ErrorKind::InvalidText, format!("invalid input syntax for type {what}: \"{text}\""));
    Ok(match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => string(text),
        DataType::Boolean => Expr::Value(Value::Boolean(boolean(text).ok_or_else(|| invalid("boolean"))?).into()),
        DataType::Int64 => integer(text.trim().parse().map_err(|_| invalid("bigint"))?),
        DataType::Int8 | DataType::Int16 | DataType::Int32 => {
            let number: i64 = text.trim().parse().map_err(|_| invalid("integer"))?;
            cast(integer(number), type_name(data_type)?)
        }
        DataType::Decimal32(..) | DataType::Decimal64(..) | DataType::Decimal128(..) | DataType::Decimal256(..) => {
            decimal(text.trim()).ok_or_else(|| invalid("numeric"))?
        }
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => {
            Expr::Value(Value::HexStringLiteral(hex(text).ok_or_else(|| invalid("bytea"))?).into())
        }
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            let elements = array_elements(text).ok_or_else(|| invalid("array"))?;
            let elements = elements.iter().map(|element| literal(element.as_deref(), item.data_type()));
            let elements = elements.collect::<Result<_>>()?;
            cast(Expr::Array(Array { elem: elements, named: true }), type_name(data_type)?)
        }
        _ => cast(string(text), type_name(data_type)?),
    })
}

/// A value of the type that a plan can be made with where only NULL will not do.
pub(super) fn sample(data_type: &DataType) -> Result<Expr> {
    let text = match data_type {
        DataType::Boolean => "true",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null => "day",
        DataType::Date32 | DataType::Date64 => "2000-01-01",
        DataType::Time32(_) | DataType::Time64(_) => "00:00:00",
        DataType::Timestamp(..) => "2000-01-01 00:00:00",
        DataType::Interval(IntervalUnit::YearMonth) => "1 month",
        DataType::Interval(_) | DataType::Duration(_) => "1 day",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "00",
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => "{}",
        _ => "1",
    };
    literal(Some(text), data_type)
}

/// NULL of a type.
pub(super) fn null(data_type: &DataType) -> Result<Expr> {
    literal(None, data_type)
}

/// An expression cast to a type.
pub(super) fn cast(expr: Expr, data_type: ast::DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

fn string(text: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(text.to_owned()).into())
}

fn number(digits: String) -> Expr {
    Expr::Value(Value::Number(digits, false).into())
}

fn integer(value: i64) -> Expr {
    // The smallest number's magnitude is no number of the type.
    if value == i64::MIN {
        return cast(string(&value.to_string()), ast::DataType::BigInt(None));
    }
    signed(value < 0, value.unsigned_abs().to_string())
}

fn signed(negative: bool, digits: String) -> Expr {
    if negative { Expr::UnaryOp { op: UnaryOperator::Minus, expr: Box::new(number(digits)) } } else { number(digits) }
}

/// A number as its digits say; with an exponent, or as a word, it is a floating-point number.
fn decimal(text: &str) -> Option<Expr> {
    let digits = text.trim_start_matches(['-', '+']);
    if text.len() - digits.len() > 1 {
        return None;
    }
    let plain = digits.contains(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
        && digits.matches('.').count() <= 1;
    if plain {
        return Some(signed(text.starts_with('-'), digits.to_owned()));
    }
    text.parse::<f64>().ok()?;
    Some(cast(string(text), ast::DataType::DoublePrecision))
}

/// The spellings that PostgreSQL takes.
fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "on" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// Two digits a byte, out of `\x…` or digits alone.
fn hex(text: &str) -> Option<String> {
    let digits = text.strip_prefix("\\x").unwrap_or(text);
    let whole = digits.len().is_multiple_of(2) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then(|| digits.to_owned())
}

/// The elements of PostgreSQL's text form of an array of one dimension: `{1,"a b",NULL}`.
pub(crate) fn array_elements(text: &str) -> Option<Vec<Option<String>>> {
    let inside = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut elements = Vec::new();
    let mut chars = inside.chars().peekable();
    if inside.trim().is_empty() {
        return Some(elements);
    }
    loop {
        let (mut element, mut quoted) = (String::new(), false);
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        if chars.next_if_eq(&'"').is_some() {
            quoted = true;
            loop {
                match chars.next()? {
                    '"' => break,
                    '\\' => element.push(chars.next()?),
                    c => element.push(c),
                }
            }
            while chars.next_if(|c| c.is_whitespace()).is_some() {}
        } else {
            while let Some(c) = chars.next_if(|c| *c != ',') {
                match c {
                    '{' | '}' | '"' => return None,
                    '\\' => element.push(chars.next()?),
                    c => element.push(c),
                }
            }
            element.truncate(element.trim_end().len());
        }
        let null = !quoted && element.eq_ignore_ascii_case("null");
        elements.push((!null).then_some(element));
        match chars.next() {
            None => return Some(elements),
            Some(',') => {}
            Some(_) => return None,
        }
    }
}

/// A type as SQL names it.
fn type_name(data_type: &DataType) -> Result<ast::DataType> {
    Ok(match data_type {
        DataType::Boolean => ast::DataType::Boolean,
        DataType::Int8 | DataType::UInt8 | DataType::Int16 => ast::DataType::SmallInt(None),
        DataType::Int32 | DataType::UInt16 => ast::DataType::Int(None),
        DataType::Int64 | DataType::UInt32 => ast::DataType::BigInt(None),
        DataType::Float16 | DataType::Float32 => ast::DataType::Real,
        DataType::Float64 => ast::DataType::DoublePrecision,
        DataType::UInt64 => ast::DataType::Decimal(ast::ExactNumberInfo::PrecisionAndScale(20, 0)),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            ast::DataType::Decimal(ast::ExactNumberInfo::PrecisionAndScale(u64::from(*precision), i64::from(*scale)))
        }
        DataType::Null | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => ast::DataType::Varchar(None),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => ast::DataType::Bytea,
        DataType::Date32 | DataType::Date64 => ast::DataType::Date,
        DataType::Time32(_) | DataType::Time64(_) => ast::DataType::Time(None, TimezoneInfo::None),
        DataType::Timestamp(_, None) => ast::DataType::Timestamp(None, TimezoneInfo::None),
        DataType::Timestamp(_, Some(_)) => ast::DataType::Timestamp(None, TimezoneInfo::WithTimeZone),
        DataType::Interval(IntervalUnit::YearMonth) => {
            ast::DataType::Interval { fields: Some(ast::IntervalFields::YearToMonth), precision: None }
        }
        DataType::Duration(_) => {
            ast::DataType::Interval { fields: Some(ast::IntervalFields::DayToSecond), precision: None }
        }
        DataType::Interval(_) => ast::DataType::Interval { fields: None, precision: None },
        DataType::Dictionary(_, values) => type_name(values)?,
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            let element = Box::new(type_name(item.data_type())?);
            ast::DataType::Array(ast::ArrayElemTypeDef::SquareBracket(element, None))
        }
        other => return Err(Error::unsupported(format!("a parameter of type {other}"))),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use datafusion::arrow::datatypes::Field;
    use std::sync::Arc;

    #[test]
    fn values_are_literals_of_their_types() {
        let list = DataType::List(Arc::new(Field::new_list_field(DataType::Int32, true)));
        for (value, data_type, expected) in [
            ("it's", DataType::Utf8, "'it''s'"),
            ("-5", DataType::Int64, "-5"),
            ("-9223372036854775808", DataType::Int64, "CAST('-9223372036854775808' AS BIGINT)"),
            ("7", DataType::Int32, "CAST(7 AS INT)"),
            ("1.50", DataType::Decimal128(38, 10), "1.50"),
            ("-.5", DataType::Decimal128(38, 10), "-.5"),
            ("NaN", DataType::Decimal128(38, 10), "CAST('NaN' AS DOUBLE PRECISION)"),
            ("T", DataType::Boolean, "true"),
            ("\\x0aFF", DataType::Binary, "X'0aFF'"),
            ("2024-01-01", DataType::Date32, "CAST('2024-01-01' AS DATE)"),
            ("{1, NULL,\"3\"}", list, "CAST(ARRAY[CAST(1 AS INT), CAST(NULL AS INT), CAST(3 AS INT)] AS INT[])"),
        ] {
            assert_eq!(literal(Some(value), &data_type).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn texts_that_are_no_values_are_refused() {
        for (value, data_type) in [
            ("x", DataType::Int64),
            ("1; drop table t", DataType::Int32),
            ("1.2.3", DataType::Decimal128(38, 10)),
            ("--1", DataType::Decimal128(38, 10)),
            ("maybe", DataType::Boolean),
            ("\\x0", DataType::Binary),
        ] {
            assert_eq!(literal(Some(value), &data_type).unwrap_err().sqlstate(), "22P02", "{value}");
        }
        for text in ["1,2", "{1", "{\"a}", "{a}b}", "{{1},{2}}"] {
            assert!(array_elements(text).is_none(), "{text}");
        }
        assert_eq!(array_elements("{}").unwrap(), []);
        let expected = [Some("a,b"), Some("null"), None, Some("c\"")].map(|text| text.map(str::to_owned));
        assert_eq!(array_elements("{\"a,b\",\"null\",NULL,\"c\\\"\"}").unwrap(), expected);
    }
}
