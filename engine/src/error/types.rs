//! Types as messages name them, from Arrow's and from the names that libraries write.

use datafusion::arrow::datatypes::{DataType, IntervalUnit};

/// A type as users know it, for messages.
pub(crate) fn shown_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 => "smallint".to_owned(),
        DataType::Int32 => "integer".to_owned(),
        DataType::Int64 | DataType::UInt64 => "bigint".to_owned(),
        DataType::Float32 => "real".to_owned(),
        DataType::Float64 => "double precision".to_owned(),
        DataType::Decimal128(precision, scale) => format!("numeric({precision},{scale})"),
        DataType::LargeUtf8 => "json".to_owned(),
        DataType::Utf8 | DataType::Utf8View => "character varying".to_owned(),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "varbyte".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Date32 | DataType::Date64 => "date".to_owned(),
        DataType::Timestamp(_, None) => "timestamp without time zone".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone".to_owned(),
        DataType::Time32(_) | DataType::Time64(_) => "time without time zone".to_owned(),
        DataType::Interval(IntervalUnit::YearMonth) => "interval year to month".to_owned(),
        DataType::Duration(_) => "interval day to second".to_owned(),
        DataType::Interval(_) => "interval".to_owned(),
        DataType::Null => "unknown".to_owned(),
        DataType::List(element) | DataType::LargeList(element) => format!("array({})", shown_type(element.data_type())),
        other => other.to_string().to_lowercase(),
    }
}

/// A call as DataFusion writes it, `f(Int32, Utf8)`, with the types' names in SQL.
pub(super) fn shown_call(called: &str) -> String {
    let Some((name, types)) = called.strip_suffix(')').and_then(|called| called.split_once('(')) else {
        return called.to_owned();
    };
    let types: Vec<String> = parts(types).map(shown_name).collect();
    format!("{name}({})", types.join(", "))
}

/// A type by Arrow's name of it; one that is not known stays as it is written.
pub(super) fn shown_name(name: &str) -> String {
    name.parse::<DataType>().map_or_else(|_| name.to_owned(), |data_type| shown_type(&data_type))
}

/// What commas part that stand in no parentheses.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_libraries_in_sql() {
        for (called, expected) in [
            ("f()", "f()"),
            ("repeat(Int32, Utf8View)", "repeat(integer, character varying)"),
            ("round(Decimal128(10, 2), Boolean)", "round(numeric(10,2), boolean)"),
            ("f(Surprise, UInt64)", "f(Surprise, bigint)"),
            ("no call", "no call"),
        ] {
            assert_eq!(shown_call(called), expected);
        }
    }
}
