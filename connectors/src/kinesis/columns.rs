//! A payload's columns as an option declares them: `id bigint, "At" timestamp, price decimal(10, 2)`.

use crate::connector::SUPER_METADATA;
use crate::error::{ConnectorError, Result};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field, Fields, TimeUnit};
use std::collections::HashMap;

/// Redshift's DECIMAL without more.
const DECIMAL: DataType = DataType::Decimal128(18, 0);

/// The declared columns, all of them nullable.
///
/// Names without quotes are folded to lower case. The types are Redshift's: BOOLEAN, SMALLINT, INTEGER, BIGINT, REAL,
/// DOUBLE PRECISION, DECIMAL(p, s), VARCHAR, DATE, TIMESTAMP, VARBYTE, SUPER and their other names.
///
/// # Errors
/// `InvalidArgument` for a text that is no list of columns, or a name that comes twice.
pub(super) fn parse(text: &str) -> Result<Fields> {
    let mut fields: Vec<Field> = vec![];
    for declared in split(text) {
        let field = field(declared.trim())?;
        if fields.iter().any(|known| known.name() == field.name()) {
            return Err(invalid(&format!("declares \"{}\" twice", field.name())));
        }
        fields.push(field);
    }
    Ok(fields.into())
}

fn invalid(why: &str) -> ConnectorError {
    ConnectorError::InvalidArgument(format!("option \"columns\" {why}"))
}

/// The text between commas that stand in no quotes and no parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth, mut quoted) = (vec![], 0, 0_usize, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'(' if !quoted => depth += 1,
            b')' if !quoted => depth = depth.saturating_sub(1),
            b',' if !quoted && depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn field(declared: &str) -> Result<Field> {
    let wanted = || invalid(&format!("takes name type, name type, ..., not \"{declared}\""));
    let (name, rest) = if let Some(quoted) = declared.strip_prefix('"') {
        let (name, rest) = quoted.split_once('"').ok_or_else(wanted)?;
        (name.to_owned(), rest)
    } else {
        let (name, rest) = declared.split_once(char::is_whitespace).ok_or_else(wanted)?;
        (name.to_ascii_lowercase(), rest)
    };
    if name.is_empty() || rest.trim().is_empty() {
        return Err(wanted());
    }
    let spelled = rest.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase();
    let data_type = data_type(&spelled)?;
    let metadata = (spelled == "super").then(|| HashMap::from([(SUPER_METADATA.to_owned(), String::new())]));
    Ok(Field::new(name, data_type, true).with_metadata(metadata.unwrap_or_default()))
}

fn data_type(spelled: &str) -> Result<DataType> {
    Ok(match spelled {
        "boolean" | "bool" => DataType::Boolean,
        "smallint" | "int2" => DataType::Int16,
        "integer" | "int" | "int4" => DataType::Int32,
        "bigint" | "int8" => DataType::Int64,
        "real" | "float4" => DataType::Float32,
        "double precision" | "double" | "float" | "float8" => DataType::Float64,
        "varchar" | "character varying" | "text" | "super" => DataType::Utf8View,
        "varbyte" | "varbinary" => DataType::Binary,
        "date" => DataType::Date32,
        "timestamp" | "timestamp without time zone" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "decimal" | "numeric" => DECIMAL,
        _ => return decimal(spelled).ok_or_else(|| invalid(&format!("knows no type \"{spelled}\""))),
    })
}

/// `decimal(p)` and `decimal(p, s)`.
fn decimal(spelled: &str) -> Option<DataType> {
    let digits = spelled.strip_prefix("decimal").or_else(|| spelled.strip_prefix("numeric"))?;
    let digits = digits.trim().strip_prefix('(')?.strip_suffix(')')?;
    let (precision, scale) = digits.split_once(',').unwrap_or((digits, "0"));
    let precision = precision.trim().parse::<u8>().ok().filter(|p| (1..=DECIMAL128_MAX_PRECISION).contains(p))?;
    let scale = scale.trim().parse::<u8>().ok().filter(|scale| *scale <= precision)?;
    Some(DataType::Decimal128(precision, scale as i8))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::declared::is_super;

    #[test]
    fn columns_are_names_and_types() {
        let fields = parse(
            "Id BIGINT, \"At, exactly\" timestamp,price decimal( 10 , 2 ),d numeric, x double  precision, j super",
        );
        let fields = fields.unwrap();
        let fields: Vec<_> = fields.iter().map(|f| (f.name().as_str(), f.data_type().clone(), is_super(f))).collect();
        assert_eq!(
            fields,
            [
                ("id", DataType::Int64, false),
                ("At, exactly", DataType::Timestamp(TimeUnit::Microsecond, None), false),
                ("price", DataType::Decimal128(10, 2), false),
                ("d", DECIMAL, false),
                ("x", DataType::Float64, false),
                ("j", DataType::Utf8View, true),
            ]
        );
    }

    #[test]
    fn what_is_no_column_is_named() {
        for (text, error) in [
            ("id", "option \"columns\" takes name type, name type, ..., not \"id\""),
            ("id bigint,", "option \"columns\" takes name type, name type, ..., not \"\""),
            ("id bigint, ID int", "option \"columns\" declares \"id\" twice"),
            ("\"id bigint", "option \"columns\" takes name type, name type, ..., not \"\"id bigint\""),
            ("id geometry", "option \"columns\" knows no type \"geometry\""),
            ("id decimal(39, 2)", "option \"columns\" knows no type \"decimal(39, 2)\""),
            ("id decimal(5, 6)", "option \"columns\" knows no type \"decimal(5, 6)\""),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), error);
        }
    }
}
