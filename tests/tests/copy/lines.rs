//! Damaged lines: what is recorded of each. Codes are those of Redshift's "Load error reference", reasons as it words
//! them; where it is silent (JSON, SUPER, VARBYTE) ours.

use crate::world;
use millrace_tests::database::rows;
use std::fmt::Write;

/// The table's columns, COPY's options, the line, and of the recorded error the code, the column and a part of the reason.
type Line = (&'static str, &'static str, &'static [u8], u32, &'static str, &'static str);

const LINES: [Line; 93] = [
    ("a int", "", b"x", 1207, "a", "Invalid digit, Value 'x', Pos 0, Type: Integer"),
    ("a int", "", b"12a", 1207, "a", "Invalid digit, Value 'a', Pos 2, Type: Integer"),
    ("a int", "", b"1.5", 1207, "a", "Invalid digit, Value '.', Pos 1, Type: Integer"),
    ("a int", "", b"1 2", 1207, "a", "Invalid digit, Value ' ', Pos 1, Type: Integer"),
    ("a int", "", b"--1", 1207, "a", "Invalid digit, Value '-', Pos 1, Type: Integer"),
    ("a int", "", b"NULL", 1207, "a", "Invalid digit, Value 'N', Pos 0, Type: Integer"),
    ("a int", "", b"\xd9\xa1", 1207, "a", "Invalid digit"),
    ("a int", "", b"2147483648", 1222, "a", "Overflow, Value '2147483648', Type: Integer"),
    ("a int", "", b"-2147483649", 1222, "a", "Overflow, Value '-2147483649', Type: Integer"),
    ("a int", "TRUNCATECOLUMNS", b"99999999999", 1222, "a", "Overflow, Value '99999999999', Type: Integer"),
    ("a smallint", "", b"32768", 1222, "a", "Overflow, Value '32768', Type: Short"),
    ("a smallint", "", b"-", 1207, "a", "Invalid digit, Value '-', Pos 0, Type: Short"),
    ("a bigint", "", b"9223372036854775808", 1222, "a", "Overflow, Value '9223372036854775808', Type: Long"),
    ("a bigint", "", b"-9223372036854775809", 1222, "a", "Overflow, Value '-9223372036854775809', Type: Long"),
    ("a bigint", "", b"1,000", 1207, "a", "Invalid digit, Value ',', Pos 1, Type: Long"),
    ("a bigint", "", b"0x10", 1207, "a", "Invalid digit, Value 'x', Pos 1, Type: Long"),
    ("a decimal(5,2)", "", b"1000", 1204, "a", "Overflow for NUMERIC(5,2)"),
    ("a decimal(5,2)", "", b"-1000.00", 1204, "a", "Overflow for NUMERIC(5,2)"),
    ("a decimal(5,2)", "ROUNDEC", b"999.995", 1204, "a", "Overflow for NUMERIC(5,2)"),
    ("a decimal(38,0)", "", b"999999999999999999999999999999999999999", 1204, "a", "Overflow for NUMERIC(38,0)"),
    ("a decimal(5,2)", "", b"1.2.3", 1209, "a", "Invalid digit, Value '.', Pos 3, Type: Decimal"),
    ("a decimal(5,2)", "", b"abc", 1209, "a", "Invalid digit, Value 'a', Pos 0, Type: Decimal"),
    ("a decimal(5,2)", "", b"1,5", 1209, "a", "Invalid digit, Value ',', Pos 1, Type: Decimal"),
    ("a decimal(5,2)", "", b"1e", 1209, "a", "Invalid digit, Value 'e', Pos 1, Type: Decimal"),
    ("a decimal(5,2)", "", b".", 1209, "a", "Invalid digit, Value '.', Pos 0, Type: Decimal"),
    ("a real", "", b"1e39", 1204, "a", "Overflow, Value '1e39', Type: Float"),
    ("a real", "", b"1.5f", 1208, "a", "Invalid digit, Value 'f', Pos 3, Type: Float"),
    ("a double precision", "", b"1e309", 1204, "a", "Overflow, Value '1e309', Type: Double"),
    ("a double precision", "", b"abc", 1208, "a", "Invalid digit, Value 'a', Pos 0, Type: Double"),
    ("a double precision", "", b"1_0", 1208, "a", "Invalid digit, Value '_', Pos 1, Type: Double"),
    ("a double precision", "", b"0x1p3", 1208, "a", "Invalid digit, Value 'x', Pos 1, Type: Double"),
    ("a boolean", "", b"maybe", 1210, "a", "Unknown boolean format"),
    ("a boolean", "", b"2", 1210, "a", "Unknown boolean format"),
    ("a boolean", "", b"tru", 1210, "a", "Unknown boolean format"),
    ("a date", "", b"2024-13-01", 1205, "a", "Invalid date format"),
    ("a date", "", b"2023-02-29", 1205, "a", "Invalid date format"),
    ("a date", "", b"24-1-1", 1205, "a", "Invalid Date Format - length must be 10 or more"),
    ("a date", "", b"yesterday!", 1205, "a", "Invalid date format"),
    ("a date", "DATEFORMAT 'MM/DD/YYYY'", b"2024-01-01", 1205, "a", "Invalid date format"),
    ("a date", "DATEFORMAT 'auto'", b"32.01.2024", 1205, "a", "Invalid date format"),
    ("a date NOT NULL", "ACCEPTANYDATE", b"nope", 1213, "a", "Missing data for not-null field"),
    ("a timestamp", "", b"2024-01-01 25:00:00", 1206, "a", "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]"),
    ("a timestamp", "", b"now", 1206, "a", "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]"),
    (
        "a timestamp",
        "TIMEFORMAT 'epochsecs'",
        b"12x",
        1206,
        "a",
        "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]",
    ),
    (
        "a timestamp",
        "TIMEFORMAT 'YYYY.MM.DD HH24:MI:SS'",
        b"2024-01-01 00:00:00",
        1206,
        "a",
        "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]",
    ),
    (
        "a timestamptz",
        "",
        b"2024-01-01 00:00:00 Nowhere/Land",
        1206,
        "a",
        "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]",
    ),
    ("a time", "", b"24:61", 1206, "a", "Invalid time format or value"),
    ("a time", "", b"noon", 1206, "a", "Invalid time format or value"),
    ("a varchar(3)", "", b"abcd", 1204, "a", "String length exceeds DDL length"),
    ("a varchar(3)", "", b"\xc3\xa9\xc3\xa9", 1204, "a", "String length exceeds DDL length"),
    ("a char(3)", "", b"abcd", 1204, "a", "String length exceeds DDL length"),
    (
        "a char(5)",
        "",
        b"n\xc3\xa9",
        1220,
        "a",
        "Multibyte character not supported for CHAR (Hint: Try using VARCHAR). Invalid char: c3 a9",
    ),
    ("a varchar(9)", "", b"\xff", 1220, "a", "Bad UTF8 hex sequence: ff (error 3)"),
    ("a varchar(9)", "", b"\xc3", 1220, "a", "Bad UTF8 hex sequence: c3 (error 2)"),
    ("a varchar(9)", "", b"a\xf8\x88\x80\x80\x80", 1220, "a", "Bad UTF8 hex sequence: f8 (error 1)"),
    ("a varchar(9)", "", b"\xed\xa0\x80", 1220, "a", "Bad UTF8 hex sequence: ed (error 4)"),
    ("a varchar(9)", "", b"\xc0\x80", 1220, "a", "Bad UTF8 hex sequence: c0 (error 3)"),
    ("a varchar(2)", "ACCEPTINVCHARS AS '^'", b"\xff\xff\xff", 1204, "a", "String length exceeds DDL length"),
    ("a varbyte(2)", "", b"0aff01", 1204, "a", "Value length exceeds DDL length"),
    ("a varbyte(2)", "", b"0g", 1207, "a", "Invalid digit, Value 'g', Pos 1, Type: Varbyte"),
    ("a varbyte(2)", "", b"0a0", 1207, "a", "Type: Varbyte"),
    ("a super", "", b"{\"a\":", 1224, "a", "Invalid JSON for a column of type SUPER"),
    ("a super", "", b"[1,]", 1224, "a", "Invalid JSON for a column of type SUPER"),
    ("a super", "", b"nope", 1224, "a", "Invalid JSON for a column of type SUPER"),
    ("a int, b int", "", b"1", 1214, "", "Delimiter not found"),
    ("a int, b int", "", b"", 1214, "", "Delimiter not found"),
    ("a int, b int", "DELIMITER '||'", b"1|2", 1214, "", "Delimiter not found"),
    ("a int, b int", "", b"1|2|3", 1202, "", "Extra column(s) found"),
    ("a int NOT NULL", "", b"", 1213, "a", "Missing data for not-null field"),
    ("a int NOT NULL, b int", "", b"\\N|1", 1213, "a", "Missing data for not-null field"),
    ("a varchar(3) NOT NULL, b int", "EMPTYASNULL", b"|1", 1213, "a", "Missing data for not-null field"),
    ("a varchar(3) NOT NULL, b int", "BLANKSASNULL", b"  |1", 1213, "a", "Missing data for not-null field"),
    ("a int, b varchar(9) NOT NULL", "FILLRECORD EMPTYASNULL", b"1", 1213, "b", "Missing data for not-null field"),
    (
        "a int, b varchar(9)",
        "CSV",
        b"1,\"abc",
        1216,
        "",
        "Invalid quote formatting for CSV. Unterminated quote found at end of CSV",
    ),
    ("a int, b varchar(9)", "CSV", b"1,\"a\"b", 1216, "", "Invalid quote formatting for CSV"),
    (
        "a int, b varchar(9)",
        "CSV QUOTE '%'",
        b"1,%a",
        1216,
        "",
        "Invalid quote formatting for CSV. Unterminated quote found at end of CSV",
    ),
    ("a int, b varchar(9)", "CSV", b"1", 1214, "", "Delimiter not found"),
    ("a int, b varchar(9)", "CSV", b"1,2,3", 1202, "", "Extra column(s) found"),
    ("a int, b varchar(9)", "REMOVEQUOTES", b"1|\"a", 1216, "", "Missing closing quote"),
    ("a int, b varchar(9)", "ESCAPE", b"1|a\\|b|c", 1202, "", "Extra column(s) found"),
    ("a int, b int", "FIXEDWIDTH 'a:2,b:2'", b"12", 1203, "", "Input line has fewer columns than the fixed widths"),
    ("a int, b int", "FIXEDWIDTH 'a:2,b:2'", b"1 2 x", 1202, "", "Extra column(s) found"),
    ("a int, b int", "FIXEDWIDTH 'a:2,b:2'", b"x 2 ", 1207, "a", "Invalid digit, Value 'x', Pos 0, Type: Integer"),
    ("a int", "JSON 'auto'", b"{\"a\": 1", 1216, "", "Invalid JSON"),
    ("a int", "JSON 'auto'", b"{a: 1}", 1216, "", "Invalid JSON"),
    ("a int", "JSON 'auto'", b"nonsense", 1216, "", "Invalid JSON"),
    ("a int", "JSON 'auto'", b"{\"a\": 1, }", 1216, "", "Invalid JSON"),
    ("a int", "JSON 'auto'", b"{\"a\": \"x\"}", 1207, "a", "Invalid digit, Value 'x', Pos 0, Type: Integer"),
    ("a int", "JSON 'auto'", b"{\"a\": 1.5}", 1207, "a", "Invalid digit, Value '.', Pos 1, Type: Integer"),
    ("a int", "JSON 'auto'", b"{\"a\": true}", 1207, "a", "Invalid digit, Value 't', Pos 0, Type: Integer"),
    ("a int", "JSON 'auto'", b"{\"a\": {\"b\": 1}}", 1207, "a", "Invalid digit, Value '{', Pos 0, Type: Integer"),
    ("a int NOT NULL", "JSON 'auto'", b"{\"b\": 1}", 1213, "a", "Missing data for not-null field"),
    ("a varchar(2)", "JSON 'auto'", b"{\"a\": \"abc\"}", 1204, "a", "String length exceeds DDL length"),
];

#[tokio::test]
async fn every_damaged_line_is_recorded_with_its_error() {
    let (folder, mut session) = world().await;
    let mut wrong = String::new();
    for (at, (columns, options, line, code, column, reason)) in LINES.into_iter().enumerate() {
        let place = folder.path().join(format!("line{at}.txt"));
        std::fs::write(&place, [line, b"\n"].concat()).unwrap();
        let place = place.display();
        let shown = String::from_utf8_lossy(line);
        rows(&mut session, &format!("CREATE TABLE t{at} ({columns})")).await.unwrap();
        // As the only bad line it fails a load that takes none.
        let refused = rows(&mut session, &format!("COPY t{at} FROM '{place}' {options}")).await;
        let refused = refused.err().map(|error| error.sqlstate().to_owned());
        rows(&mut session, &format!("COPY t{at} FROM '{place}' {options} MAXERROR 2")).await.unwrap();
        let errors = format!(
            "SELECT (SELECT count(*) FROM t{at}), line_number, err_code, trim(colname), trim(err_reason) \
             FROM stl_load_errors WHERE query = pg_last_copy_id()"
        );
        let found = rows(&mut session, &errors).await.unwrap();
        let column = if column.is_empty() { "(empty)" } else { column };
        let right = |row: &Vec<String>| row[..4] == ["0", "1", &code.to_string(), column] && row[4].contains(reason);
        if refused.as_deref() != Some("22000") || found.len() != 1 || !right(&found[0]) {
            writeln!(wrong, "{columns} {options} {shown:?}: {refused:?} {found:?}, not {code} {column} {reason}")
                .unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
