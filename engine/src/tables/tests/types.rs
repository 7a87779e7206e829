//! Names from Redshift's documentation ("Data types", "Numeric types", "Character types", "VARBYTE type"), DuckLake's
//! from its specification ("Data Types").

use crate::ErrorKind;
use crate::tables::{SqlType, ducklake_type, parse_value, value_text};
use datafusion::common::ScalarValue;

#[test]
fn synonyms_defaults_and_ducklake_names() {
    let cases = [
        ("INT2", "smallint", "int16"),
        ("int", "integer", "int32"),
        ("Int4", "integer", "int32"),
        ("int8", "bigint", "int64"),
        ("decimal", "numeric(18,0)", "decimal(18,0)"),
        ("NUMERIC(10)", "numeric(10,0)", "decimal(10,0)"),
        ("numeric( 38 , 37 )", "numeric(38,37)", "decimal(38,37)"),
        ("float4", "real", "float32"),
        ("float", "double precision", "float64"),
        ("float(24)", "real", "float32"),
        ("double   precision", "double precision", "float64"),
        ("bool", "boolean", "boolean"),
        ("char", "character(1)", "varchar"),
        ("bpchar", "character(256)", "varchar"),
        ("character varying (10)", "character varying(10)", "varchar"),
        ("varchar", "character varying(256)", "varchar"),
        ("varchar(max)", "character varying(65535)", "varchar"),
        ("text", "character varying(256)", "varchar"),
        ("date", "date", "date"),
        ("time", "time without time zone", "time"),
        ("timetz", "time with time zone", "timetz"),
        ("timestamp", "timestamp without time zone", "timestamp"),
        ("timestamp with time zone", "timestamp with time zone", "timestamptz"),
        ("varbyte", "binary varying(64000)", "blob"),
        ("super", "super", "json"),
        ("interval year to month", "interval year to month", "interval"),
        ("INTERVAL  MONTH", "interval month", "interval"),
        ("interval day to second (6)", "interval day to second", "interval"),
        ("interval day to second(3)", "interval day to second(3)", "interval"),
        ("interval hour to minute", "interval hour to minute", "interval"),
        ("HLLSKETCH", "hllsketch", "varchar"),
    ];
    for (text, printed, ducklake) in cases {
        let parsed: SqlType = text.parse().unwrap();
        assert_eq!(parsed.to_string(), printed, "{text}");
        assert_eq!(printed.parse::<SqlType>().unwrap(), parsed, "{printed}");
        assert_eq!(ducklake_type(text).unwrap(), ducklake, "{text}");
    }
}

#[test]
fn refused_types_are_named() {
    let cases = [
        ("interval", ErrorKind::Unsupported),
        ("interval month to day", ErrorKind::Syntax),
        ("interval second(7)", ErrorKind::Syntax),
        ("geometry", ErrorKind::Unsupported),
        ("money", ErrorKind::UndefinedObject),
        ("numeric(39)", ErrorKind::InvalidParameter),
        ("numeric(10,11)", ErrorKind::InvalidParameter),
        ("varchar(65536)", ErrorKind::InvalidParameter),
        ("char(0)", ErrorKind::InvalidParameter),
        ("int(4)", ErrorKind::Syntax),
        ("varchar(10", ErrorKind::Syntax),
    ];
    for (text, kind) in cases {
        assert_eq!(text.parse::<SqlType>().unwrap_err().kind, kind, "{text}");
    }
}

/// Texts as DuckDB casts such values to VARCHAR.
#[test]
fn values_have_duckdb_texts() {
    let cases = [
        ("numeric(10,2)", "-0.50"),
        ("boolean", "true"),
        ("double precision", "1.5"),
        ("date", "2024-02-29"),
        ("timestamp", "2024-02-29 23:59:59.123456"),
        ("timestamp", "2024-02-29 00:00:00"),
        ("timestamptz", "2024-02-29 00:00:00+00"),
        ("time", "23:59:59.999999"),
        ("varchar", " ü "),
        ("bigint", "-9223372036854775808"),
        ("interval year to month", "1 year 8 months"),
        ("interval year to month", "-1 year -1 month"),
        ("interval day to second", "2 days 01:01:00.5"),
        ("interval day to second", "-1 day -00:00:00.000001"),
        ("interval day to second", "00:00:00"),
    ];
    for (data_type, text) in cases {
        let value = parse_value(text, data_type.parse().unwrap()).unwrap();
        assert_eq!(value_text(&value).as_deref(), Some(text), "{data_type}");
    }
    assert_eq!(value_text(&ScalarValue::Float64(Some(f64::NAN))), None);
    assert_eq!(parse_value("x", SqlType::Integer).unwrap_err().kind, ErrorKind::InvalidText);
}
