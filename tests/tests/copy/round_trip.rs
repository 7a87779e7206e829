//! UNLOAD and COPY of what it wrote give the same rows: every type, in every format, with all that could be mistaken.

use crate::world;
use millrace_engine::Session;
use millrace_tests::database::rows;
use std::path::Path;

/// The columns, each with values that are extreme or look like something else; as SQL.
const COLUMNS: [(&str, &[&str]); 20] = [
    ("smallint", &["-32768", "32767", "0"]),
    ("int", &["-2147483648", "2147483647", "-1"]),
    ("bigint", &["-9223372036854775808", "9223372036854775807", "0"]),
    ("decimal(5,2)", &["999.99", "-999.99", "0.01", "-0.01"]),
    ("decimal(18,0)", &["999999999999999999", "-999999999999999999"]),
    (
        "decimal(38,10)",
        &["9999999999999999999999999999.9999999999", "-9999999999999999999999999999.9999999999", "0.0000000001"],
    ),
    ("real", &["'1.5'", "'-0.1'", "'3.4028235e38'", "'1.17549435e-38'", "'1e-45'", "'16777217'", "'0'", "'1e-37'"]),
    (
        "double precision",
        &[
            "'0.1'",
            "'-1e300'",
            "'1.7976931348623157e308'",
            "'-1.7976931348623157e308'",
            "'-2.2250738585072014e-308'",
            "'5e-324'",
            "'123456789.123456789'",
            "'9007199254740993'",
            "'0.30000000000000004'",
            "'1e22'",
            "'1e-7'",
        ],
    ),
    ("boolean", &["true", "false"]),
    (
        "varchar(100)",
        &[
            "''",
            "' '",
            "' a '",
            "'\\\\N'",
            "'\\\\'",
            "'\\\\\\\\N'",
            "'N'",
            "'NULL'",
            "'null'",
            "'a|b'",
            "'a,b'",
            "'\"'",
            "'\"\"'",
            "'\"a\"'",
            "''''",
            "'it''s'",
            "'a' || chr(10) || 'b'",
            "chr(10)",
            "chr(13)",
            "'a' || chr(13)",
            "'a' || chr(13) || chr(10)",
            "chr(9)",
            "'tab' || chr(9) || 'tab'",
            "'😀 ümlaut 漢字'",
            "'{\"a\": 1}'",
            "'a\\\\'",
            "'a\\\\' || chr(10)",
            "'-'",
            "'#'",
            "'0'",
            "'2024-01-01'",
            "repeat('x', 100)",
        ],
    ),
    ("char(3)", &["'abc'", "'a'", "''", "'\"'", "'|'"]),
    ("date", &["'0001-01-01'", "'9999-12-31'", "'1970-01-01'", "'2024-02-29'"]),
    ("time", &["'00:00:00'", "'23:59:59.999999'", "'12:30:00.5'"]),
    ("timestamp", &["'0001-01-01 00:00:00'", "'9999-12-31 23:59:59.999999'", "'1969-12-31 23:59:59.5'"]),
    ("timestamptz", &["'1970-01-01 00:00:00+00'", "'2024-06-30 23:59:59.000001+05:30'"]),
    ("varbyte(20)", &["X''", "X'00ff7c0a5c22'"]),
    (
        "interval year to month",
        &["'1 year 2 mons'", "'178956970 years 7 mons'", "'-178956970 years -8 mons'", "'0 mons'"],
    ),
    (
        "interval day to second",
        &[
            "'1 day 02:03:04.5678'",
            "'106751991 days 04:00:54.775807'",
            "'-106751991 days -04:00:54.775808'",
            "'-00:00:00.000001'",
            "'0 s'",
        ],
    ),
    (
        "super",
        &[
            "json_parse('{\"a\":[1,null,\"x|y,z\"]}')",
            "json_parse('\"it''s\"')",
            "json_parse('[]')",
            "json_parse('1.50')",
            "json_parse('true')",
            "json_parse('\"[1]\"')",
            "json_parse('\"\"')",
        ],
    ),
    ("timetz", &["'00:00:00+00'", "'23:59:59.999999+00'", "'12:30:00.5+05:30'"]),
];

/// What UNLOAD is told, and what COPY.
const FORMATS: [(&str, &str); 11] = [
    ("ESCAPE NULL AS '\\\\N'", "ESCAPE NULL AS '\\\\N'"),
    ("DELIMITER ',' ESCAPE NULL AS '\\\\N' PARALLEL OFF", "DELIMITER ',' ESCAPE NULL AS '\\\\N'"),
    ("ADDQUOTES ESCAPE NULL AS '\\\\N' BZIP2", "REMOVEQUOTES ESCAPE NULL AS '\\\\N' BZIP2"),
    ("DELIMITER '\\t' ADDQUOTES ESCAPE NULL AS 'nothing'", "DELIMITER '\\t' REMOVEQUOTES ESCAPE NULL AS 'nothing'"),
    ("CSV NULL AS '\\\\N'", "CSV NULL AS '\\\\N'"),
    ("CSV DELIMITER '|' NULL AS 'NULL' HEADER GZIP", "CSV DELIMITER '|' NULL AS 'NULL' IGNOREHEADER 1 GZIP"),
    ("CSV NULL AS '\\\\N' ZSTD MANIFEST", "MANIFEST CSV NULL AS '\\\\N' ZSTD"),
    ("JSON", "JSON 'auto'"),
    ("JSON GZIP", "JSON 'auto ignorecase' GZIP"),
    ("PARQUET", "PARQUET"),
    ("ESCAPE EXTENSION 'txt' NULL AS '\\\\N' ZSTD", "ESCAPE NULL AS '\\\\N' ZSTD"),
];

/// Numbers from a seed (splitmix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 16
}

/// The table `source`: every value of every column at least once, NULLs, and texts put together at random.
async fn fill(session: &mut Session) -> u64 {
    let columns: Vec<String> =
        COLUMNS.iter().enumerate().map(|(at, (data_type, _))| format!("c{at} {data_type}")).collect();
    rows(session, &format!("CREATE TABLE source (id int, {})", columns.join(", "))).await.unwrap();
    let mut state = 42;
    let mut values = Vec::new();
    for id in 0..150_usize {
        let mut row = vec![id.to_string()];
        for (at, (data_type, choices)) in COLUMNS.into_iter().enumerate() {
            // SQL casts nothing to VARBYTE and SUPER, and moments by way of nanoseconds, which do not reach far.
            let plain = ["varbyte", "timestamp", "super"].iter().any(|name| data_type.starts_with(name));
            let cast = if plain { String::new() } else { format!("::{data_type}") };
            let value = match next(&mut state) % 5 {
                _ if id < choices.len() => format!("{}{cast}", literal(choices[id])),
                0 => format!("NULL{cast}"),
                1 if data_type.starts_with("varchar") => random_text(&mut state),
                _ => format!("{}{cast}", literal(choices[(next(&mut state) % choices.len() as u64) as usize])),
            };
            row.push(format!("{value} AS c{at}"));
        }
        values.push(format!("SELECT {}", row.join(", ")));
    }
    for part in values.chunks(25) {
        rows(session, &format!("INSERT INTO source {}", part.join(" UNION ALL "))).await.unwrap();
    }
    values.len() as u64
}

/// A number between quotes: a minus before one would be taken after its cast.
fn literal(choice: &str) -> String {
    let number = choice.starts_with(|c: char| c.is_ascii_digit() || c == '-');
    if number { format!("'{choice}'") } else { choice.to_owned() }
}

/// A few of the characters that mean something somewhere.
fn random_text(state: &mut u64) -> String {
    let parts =
        ["chr(10)", "chr(13)", "chr(9)", "'\\\\'", "'\"'", "''''", "'|'", "','", "'N'", "' '", "'a'", "'é'", "'{'"];
    let length = 1 + next(state) % 8;
    let chosen: Vec<&str> = (0..length).map(|_| parts[(next(state) % parts.len() as u64) as usize]).collect();
    format!("({})::varchar(100)", chosen.join(" || "))
}

/// The rows as texts that differ when the values do; `c15`, the binary, in hexadecimal. Documents that are only kept as
/// the texts that they are in Parquet are read again.
async fn shown(session: &mut Session, table: &str, documents_as_texts: bool) -> Vec<Vec<String>> {
    let columns: Vec<String> = COLUMNS
        .iter()
        .enumerate()
        .map(|(at, (data_type, _))| match *data_type {
            _ if at == 15 => format!("encode(c{at}, 'hex')"),
            "super" if documents_as_texts => format!("json_parse(c{at}::varchar)"),
            _ => format!("c{at}"),
        })
        .collect();
    rows(session, &format!("SELECT id, {} FROM {table} ORDER BY id", columns.join(", "))).await.unwrap()
}

/// Unloads in one time zone and loads in another.
async fn round_trip(
    session: &mut Session,
    folder: &Path,
    number: usize,
    (unload, copy): (&str, &str),
    zones: [&str; 2],
) {
    let place = folder.join(format!("out{number}/part_")).display().to_string();
    let unload = format!("UNLOAD ('select * from source') TO '{place}' {unload}");
    rows(session, &format!("SET timezone TO '{}'", zones[0])).await.unwrap();
    rows(session, &unload).await.unwrap_or_else(|error| panic!("{unload}: {error}"));
    let table = format!("target{number}");
    rows(session, &format!("CREATE TABLE {table} (LIKE source)")).await.unwrap();
    let manifest = if copy.contains("MANIFEST") { "manifest" } else { "" };
    let copy = format!("COPY {table} FROM '{place}{manifest}' {copy}");
    rows(session, &format!("SET timezone TO '{}'", zones[1])).await.unwrap();
    rows(session, &copy).await.unwrap_or_else(|error| panic!("{copy}: {error}"));
    rows(session, "RESET timezone").await.unwrap();
    let before = shown(session, "source", false).await;
    let after = shown(session, &table, copy.ends_with(" PARQUET")).await;
    assert_eq!(before.len(), after.len(), "{copy}");
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after, "{copy}");
    }
}

#[tokio::test]
async fn a_round_trip_is_the_identity() {
    let (folder, mut session) = world().await;
    assert_eq!(fill(&mut session).await, 150);
    for (number, way) in FORMATS.into_iter().enumerate() {
        round_trip(&mut session, folder.path(), number, way, ["UTC"; 2]).await;
    }
}

// What UNLOAD writes has its offset from UTC, so that it does not matter where it is read.
#[tokio::test]
async fn moments_cross_zones() {
    let (folder, mut session) = world().await;
    fill(&mut session).await;
    for number in [0, 4, 7, 9] {
        let zones = ["America/New_York", "Asia/Kolkata"];
        round_trip(&mut session, folder.path(), number, FORMATS[number], zones).await;
    }
}
