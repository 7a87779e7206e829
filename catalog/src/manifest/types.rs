//! Redshift's types as DuckLake's, and defaults of columns.

use crate::error::{CatalogError, Result};

/// DuckLake's name of a type of Redshift.
pub(super) fn ducklake_type(redshift: &str) -> Result<String> {
    let text = redshift.trim().to_ascii_lowercase();
    let (base, arguments) = match text.split_once('(') {
        Some((base, rest)) => (base.trim(), rest.split(')').next().unwrap_or_default()),
        None => (text.as_str(), ""),
    };
    let zoned = text.ends_with("with time zone");
    let name = match base {
        "smallint" | "int2" => "int16",
        "integer" | "int" | "int4" => "int32",
        "bigint" | "int8" => "int64",
        "real" | "float4" => "float32",
        "double precision" | "float8" | "float" => "float64",
        "boolean" | "bool" => "boolean",
        "date" => "date",
        "numeric" | "decimal" => {
            let mut parts = arguments.split(',').map(str::trim).filter(|part| !part.is_empty());
            let (precision, scale) = (parts.next().unwrap_or("18"), parts.next().unwrap_or("0"));
            return Ok(format!("decimal({precision},{scale})"));
        }
        "timestamptz" | "timestamp with time zone" => "timestamptz",
        "timestamp" if zoned => "timestamptz",
        "timestamp" | "timestamp without time zone" => "timestamp",
        "timetz" | "time with time zone" => "timetz",
        "time" if zoned => "timetz",
        "time" | "time without time zone" => "time",
        // A sketch is kept as its text.
        "character" | "char" | "nchar" | "bpchar" | "character varying" | "varchar" | "nvarchar" | "text"
        | "hllsketch" => "varchar",
        "super" => "json",
        "varbyte" | "varbinary" | "binary varying" | "geometry" | "geography" => "blob",
        interval if interval.starts_with("interval") => "interval",
        _ => {
            return Err(CatalogError::InvalidArgument(format!(
                "type \"{redshift}\" cannot be stored in a managed table"
            )));
        }
    };
    Ok(name.to_owned())
}

/// Redshift's type for a type of DuckLake. One that Redshift lacks keeps DuckLake's name.
pub(super) fn redshift_type(ducklake: &str) -> String {
    if let Some(arguments) = ducklake.strip_prefix("decimal") {
        return format!("numeric{arguments}");
    }
    match ducklake {
        "int8" | "uint8" | "int16" => "smallint",
        "uint16" | "int32" => "integer",
        "uint32" | "int64" => "bigint",
        "uint64" => "numeric(20,0)",
        "float32" => "real",
        "float64" => "double precision",
        "timestamp_s" | "timestamp_ms" | "timestamp_us" | "timestamp_ns" | "timestamp" => "timestamp without time zone",
        "timestamptz" => "timestamp with time zone",
        "time" => "time without time zone",
        "timetz" => "time with time zone",
        "varchar" => "character varying(65535)",
        "json" => "super",
        "blob" => "binary varying(1024000)",
        other => other,
    }
    .to_owned()
}

/// `default_value` and `default_value_type` of a default's SQL text: a plain literal's value, or an expression, which
/// DuckDB understands only where its functions are the same.
pub(super) fn ducklake_default(sql: Option<&str>) -> (String, &'static str) {
    let Some(sql) = sql.map(str::trim) else { return ("NULL".to_owned(), "literal") };
    let lower = sql.to_ascii_lowercase();
    if lower == "null" {
        return ("NULL".to_owned(), "literal");
    }
    if lower == "true" || lower == "false" || sql.parse::<f64>().is_ok_and(f64::is_finite) {
        return (lower, "literal");
    }
    let quoted = sql.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')).map(|inner| inner.replace("''", ""));
    match quoted {
        Some(inner) if !inner.contains(['\'', '\\']) => {
            let text = sql[1..sql.len() - 1].replace("''", "'");
            // As a literal this would be no default at all.
            if text == "NULL" { (sql.to_owned(), "expression") } else { (text, "literal") }
        }
        _ => (sql.to_owned(), "expression"),
    }
}

/// The SQL text of a default that another program stored.
pub(super) fn redshift_default(value: Option<&str>, kind: Option<&str>, ducklake_type: &str) -> Option<String> {
    let value = value?;
    match kind {
        Some("expression") => Some(value.to_owned()),
        _ if value == "NULL" => None,
        _ if is_number(ducklake_type) || ducklake_type == "boolean" => Some(value.to_owned()),
        _ => Some(format!("'{}'", value.replace('\'', "''"))),
    }
}

/// Whether the values of a type of DuckLake are numbers.
pub(super) fn is_number(ducklake: &str) -> bool {
    ["int", "uint", "float", "decimal"].iter().any(|prefix| ducklake.starts_with(prefix)) && ducklake != "interval"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn types_are_mapped_both_ways() {
        for (redshift, ducklake) in [
            ("integer", "int32"),
            ("numeric(18,2)", "decimal(18,2)"),
            ("numeric", "decimal(18,0)"),
            ("character varying(256)", "varchar"),
            ("timestamp with time zone", "timestamptz"),
            ("timestamp(6) without time zone", "timestamp"),
            ("double precision", "float64"),
            ("interval day to second", "interval"),
            ("super", "json"),
        ] {
            assert_eq!(ducklake_type(redshift).unwrap(), ducklake, "{redshift}");
        }
        assert!(ducklake_type("money").is_err());
        for ducklake in ["int16", "int32", "int64", "float32", "decimal(5,1)", "timestamp", "timetz", "blob", "json"] {
            assert_eq!(ducklake_type(&redshift_type(ducklake)).unwrap(), ducklake);
        }
    }

    #[test]
    fn defaults_are_literals_where_they_can_be() {
        for (sql, value, kind) in [
            (None, "NULL", "literal"),
            (Some("5"), "5", "literal"),
            (Some("-1.5"), "-1.5", "literal"),
            (Some("'it''s'"), "it's", "literal"),
            (Some("'NULL'"), "'NULL'", "expression"),
            (Some("'a' || 'b'"), "'a' || 'b'", "expression"),
            (Some("getdate()"), "getdate()", "expression"),
        ] {
            assert_eq!(ducklake_default(sql), (value.to_owned(), kind), "{sql:?}");
        }
        assert_eq!(redshift_default(Some("it's"), Some("literal"), "varchar").as_deref(), Some("'it''s'"));
        assert_eq!(redshift_default(Some("5"), Some("literal"), "int32").as_deref(), Some("5"));
        assert_eq!(redshift_default(Some("5"), Some("literal"), "interval").as_deref(), Some("'5'"));
        assert_eq!(redshift_default(Some("NULL"), Some("literal"), "int32"), None);
    }
}
