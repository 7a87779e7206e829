//! `pg_type`, and types as PostgreSQL's numbers.

use super::table::Kind::{Bool, Int2, Int4, Oid, Text};
use super::{PG_CATALOG, SystemTable, oid, row};
use crate::interval::Qualifier;
use millrace_catalog::model::HiveType;

/// A type: number, name, name as `format_type` writes it, bytes (-1: variable), category, array's number.
pub(crate) struct PgType {
    pub(crate) oid: i64,
    pub(crate) name: &'static str,
    pub(crate) formatted: &'static str,
    length: i64,
    category: char,
    array: i64,
}

const fn pg(oid: i64, name: &'static str, formatted: &'static str, length: i64, category: char, array: i64) -> PgType {
    PgType { oid, name, formatted, length, category, array }
}

/// Redshift's numbers of the intervals with a qualifier.
const INTERVALY2M: i64 = 1188;
const INTERVALD2S: i64 = 1190;

/// PostgreSQL's numbers; SUPER, VARBYTE, HLLSKETCH and the intervals have Redshift's.
const TYPES: &[PgType] = &[
    pg(16, "bool", "boolean", 1, 'B', 1000),
    pg(17, "bytea", "bytea", -1, 'U', 1001),
    pg(18, "char", "\"char\"", 1, 'S', 1002),
    pg(19, "name", "name", 64, 'S', 1003),
    pg(20, "int8", "bigint", 8, 'N', 1016),
    pg(21, "int2", "smallint", 2, 'N', 1005),
    pg(22, "int2vector", "int2vector", -1, 'A', 1006),
    pg(23, "int4", "integer", 4, 'N', 1007),
    pg(24, "regproc", "regproc", 4, 'N', 1008),
    pg(25, "text", "text", -1, 'S', 1009),
    pg(26, "oid", "oid", 4, 'N', 1028),
    pg(30, "oidvector", "oidvector", -1, 'A', 1013),
    pg(700, "float4", "real", 4, 'N', 1021),
    pg(701, "float8", "double precision", 8, 'N', 1022),
    pg(705, "unknown", "unknown", -2, 'X', 0),
    pg(1042, "bpchar", "character", -1, 'S', 1014),
    pg(1043, "varchar", "character varying", -1, 'S', 1015),
    pg(1082, "date", "date", 4, 'D', 1182),
    pg(1083, "time", "time without time zone", 8, 'D', 1183),
    pg(1114, "timestamp", "timestamp without time zone", 8, 'D', 1115),
    pg(1184, "timestamptz", "timestamp with time zone", 8, 'D', 1185),
    pg(INTERVALY2M, "intervaly2m", "interval year to month", 4, 'T', 1189),
    pg(INTERVALD2S, "intervald2s", "interval day to second", 8, 'T', 1191),
    pg(1186, "interval", "interval", 16, 'T', 1187),
    pg(1266, "timetz", "time with time zone", 12, 'D', 1270),
    pg(1700, "numeric", "numeric", -1, 'N', 1231),
    pg(2205, "regclass", "regclass", 4, 'N', 2210),
    pg(2206, "regtype", "regtype", 4, 'N', 2211),
    pg(2249, "record", "record", -1, 'P', 2287),
    pg(2276, "any", "\"any\"", 4, 'P', 0),
    pg(2279, "trigger", "trigger", 4, 'P', 0),
    pg(2278, "void", "void", 4, 'P', 0),
    pg(2935, "hllsketch", "hllsketch", -1, 'U', 0),
    pg(3000, "geometry", "geometry", -1, 'U', 0),
    pg(3001, "geography", "geography", -1, 'U', 0),
    pg(4000, "super", "super", -1, 'U', 0),
    pg(6551, "varbyte", "binary varying", -1, 'U', 0),
];

/// Bytes of a length's header in `atttypmod`, as in PostgreSQL.
const HEADER: i64 = 4;

/// The qualifier of an interval's type.
pub(super) fn interval(text: &str) -> Option<Qualifier> {
    text.strip_prefix("interval ")?.parse().ok()
}

/// A type as Redshift writes it, as `(number, atttypmod)`: `character varying(20)` is `(1043, 24)`.
pub(crate) fn of_text(text: &str) -> (i64, i64) {
    if let Some(qualifier) = interval(text) {
        return (if qualifier.is_months() { INTERVALY2M } else { INTERVALD2S }, qualifier.modifier());
    }
    let (base, arguments) = match text.split_once('(') {
        Some((base, rest)) => {
            let (inside, after) = rest.split_once(')').unwrap_or((rest, ""));
            (format!("{}{after}", base.trim_end()), Some(inside))
        }
        None => (text.to_owned(), None),
    };
    let base = match base.trim() {
        "varbyte" | "varbinary" => "binary varying",
        "character varying" | "varchar" | "nvarchar" | "string" => "character varying",
        "char" | "bpchar" | "nchar" => "character",
        "decimal" => "numeric",
        other => other,
    };
    let found = TYPES.iter().find(|known| known.formatted == base || known.name == base);
    let oid = found.map_or(705, |known| known.oid);
    let numbers: Vec<i64> =
        arguments.into_iter().flat_map(|list| list.split(',')).filter_map(|n| n.trim().parse().ok()).collect();
    let modifier = match (oid, numbers.as_slice()) {
        (1700, [precision]) => (precision << 16) + HEADER,
        (1700, [precision, scale]) => ((precision << 16) | scale) + HEADER,
        (1042 | 1043 | 6551, [length]) => length + HEADER,
        _ => -1,
    };
    (oid, modifier)
}

/// The name of a type with its modifier, as `format_type` gives it; `???` for a number that no type has.
pub(crate) fn format_type(oid: i64, modifier: Option<i64>) -> String {
    let Some(known) = TYPES.iter().find(|known| known.oid == oid) else {
        return match TYPES.iter().find(|known| known.array == oid && oid > 0) {
            Some(element) => format!("{}[]", element.formatted),
            None => "???".to_owned(),
        };
    };
    if matches!(oid, INTERVALY2M | INTERVALD2S)
        && let Some(qualifier) = modifier.and_then(Qualifier::of_modifier)
    {
        return format!("interval {qualifier}");
    }
    match modifier.filter(|modifier| *modifier >= HEADER).map(|modifier| modifier - HEADER) {
        Some(packed) if oid == 1700 => format!("numeric({},{})", packed >> 16, packed & 0xffff),
        Some(length) if matches!(oid, 1042 | 1043 | 6551) => format!("{}({length})", known.formatted),
        _ => known.formatted.to_owned(),
    }
}

/// A type by its name, as `'int4'::regtype` finds it.
pub(crate) fn by_name(name: &str) -> Option<i64> {
    let name = name.trim().to_lowercase();
    let (oid, _) = of_text(name.trim_start_matches("pg_catalog."));
    (oid != 705).then_some(oid)
}

/// A type's own name, as `pg_type.typname` has it.
pub(crate) fn name_of(oid: i64) -> &'static str {
    TYPES.iter().find(|known| known.oid == oid).map_or("unknown", |known| known.name)
}

/// The bytes of a value, -1 where they vary: `attlen`.
pub(crate) fn length_of(oid: i64) -> i64 {
    TYPES.iter().find(|known| known.oid == oid).map_or(-1, |known| known.length)
}

/// What a Hive type is in Redshift.
pub(crate) fn of_hive(hive: &HiveType) -> String {
    match hive {
        HiveType::Boolean => "boolean".to_owned(),
        HiveType::TinyInt | HiveType::SmallInt => "smallint".to_owned(),
        HiveType::Int => "integer".to_owned(),
        HiveType::BigInt => "bigint".to_owned(),
        HiveType::Float => "real".to_owned(),
        HiveType::Double => "double precision".to_owned(),
        HiveType::Decimal(precision, scale) => format!("numeric({precision},{scale})"),
        HiveType::String => "character varying(65535)".to_owned(),
        HiveType::Varchar(length) => format!("character varying({length})"),
        HiveType::Char(length) => format!("character({length})"),
        HiveType::Binary => "binary varying(64000)".to_owned(),
        HiveType::Date => "date".to_owned(),
        HiveType::Timestamp => "timestamp without time zone".to_owned(),
        HiveType::Array(_) | HiveType::Map(..) | HiveType::Struct(_) | HiveType::Super => "super".to_owned(),
    }
}

pub(super) const TABLES: &[SystemTable] = &[SystemTable {
    schema: PG_CATALOG,
    name: "pg_type",
    columns: &[
        ("oid", Oid),
        ("typname", Text),
        ("typnamespace", Oid),
        ("typowner", Int4),
        ("typlen", Int2),
        ("typbyval", Bool),
        ("typtype", Text),
        ("typcategory", Text),
        ("typispreferred", Bool),
        ("typisdefined", Bool),
        ("typdelim", Text),
        ("typrelid", Oid),
        ("typelem", Oid),
        ("typarray", Oid),
        ("typinput", Text),
        ("typoutput", Text),
        ("typreceive", Text),
        ("typsend", Text),
        ("typalign", Text),
        ("typstorage", Text),
        ("typnotnull", Bool),
        ("typbasetype", Oid),
        ("typtypmod", Int4),
        ("typndims", Int4),
        ("typcollation", Oid),
        ("typdefaultbin", Text),
        ("typdefault", Text),
        ("typacl", Text),
    ],
    rows: |_| {
        Box::pin(async {
            let plain = TYPES
                .iter()
                .map(|known| (known.oid, known.name.to_owned(), known.length, known.category, 0, known.array));
            let arrays = TYPES.iter().filter(|known| known.array > 0);
            let arrays = arrays.map(|known| (known.array, format!("_{}", known.name), -1, 'A', known.oid, 0));
            let rows = plain.chain(arrays).map(|(oid, name, length, category, element, array)| {
                let kind = if category == 'P' { 'p' } else { 'b' };
                let by_value = (1..=8).contains(&length);
                let none: Option<&str> = None;
                let [input, output, receive, send] = function_names(&name, category);
                row![
                    oid,
                    name,
                    oid::PG_CATALOG_OID,
                    1,
                    length,
                    by_value,
                    kind,
                    category,
                    false,
                    true,
                    ",",
                    0,
                    element,
                    array,
                    input,
                    output,
                    receive,
                    send,
                    "i",
                    "p",
                    false,
                    0,
                    -1,
                    0,
                    0,
                    none,
                    none,
                    none
                ]
            });
            Ok(rows.collect())
        })
    },
}];

/// The names of the functions that read and write a type as text and in binary, as PostgreSQL has them: clients know
/// the binary form by them.
fn function_names(name: &str, category: char) -> [String; 4] {
    let name = if category == 'A' { "array" } else { name };
    // PostgreSQL's newer types put a line before the word.
    let newer = ["array", "date", "time", "timetz", "timestamp", "timestamptz", "interval", "numeric"];
    let line = if newer.contains(&name) { "_" } else { "" };
    ["in", "out", "recv", "send"].map(|word| format!("{name}{line}{word}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_types() {
        assert_eq!(function_names("int4", 'N'), ["int4in", "int4out", "int4recv", "int4send"]);
        assert_eq!(function_names("date", 'D')[2], "date_recv");
        assert_eq!(function_names("_int4", 'A')[2], "array_recv");
    }

    #[test]
    fn types_as_numbers_and_back() {
        for (text, number, modifier) in [
            ("integer", 23, -1),
            ("character varying(20)", 1043, 24),
            ("character(3)", 1042, 7),
            ("numeric(18,2)", 1700, (18 << 16) + 6),
            ("timestamp without time zone", 1114, -1),
            ("binary varying(10)", 6551, 14),
            ("super", 4000, -1),
            ("interval year to month", 1188, -1),
            ("interval month", 1188, 196_607),
            ("interval day to second", 1190, -1),
            ("interval day to second(3)", 1190, 470_286_339),
        ] {
            assert_eq!(of_text(text), (number, modifier), "{text}");
            assert_eq!(format_type(number, Some(modifier)), text);
        }
        assert_eq!(format_type(1007, None), "integer[]");
        assert_eq!(format_type(5, None), "???");
    }
}
