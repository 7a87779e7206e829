//! Damaged lines and the error of each (codes: Redshift's "Load error reference"), and chunks of any size.
#![allow(clippy::unwrap_used)]

use super::{Cut, Cutter, Layout, LoadErrors, Loader, LoaderSpec, Target};
use crate::lake::json::JsonPath;
use crate::sql::CopyOptions;
use datafusion::arrow::util::pretty::pretty_format_batches;
use std::sync::Arc;

fn target(data_type: &str) -> Target {
    Target { name: "c".to_owned(), data_type: data_type.parse().unwrap(), nullable: true }
}

/// The rows of a file read in chunks of `size`, and its bad lines.
fn load(layout: Layout, options: &CopyOptions, types: &[&str], file: &[u8], size: usize) -> (String, Vec<(u64, u32)>) {
    let targets = types.iter().map(|data_type| target(data_type)).collect();
    let spec = Arc::new(LoaderSpec::new(layout, options, targets).unwrap());
    let errors = Arc::new(LoadErrors::new(None));
    let mut loader = Loader::new(spec, Arc::clone(&errors), "f".to_owned());
    let mut batches = Vec::new();
    for chunk in file.chunks(size) {
        batches.extend(loader.feed(chunk).unwrap());
    }
    batches.extend(loader.finish().unwrap());
    let bad = errors.recorded().into_iter().map(|error| (error.line, error.code)).collect();
    (pretty_format_batches(&batches).unwrap().to_string(), bad)
}

#[test]
fn damaged_values() {
    let plain = CopyOptions::default();
    let cases: &[(&str, &[u8], u32)] = &[
        ("integer", b"x", 1207),
        ("integer", b"1x", 1207),
        ("integer", b"1.5", 1207),
        ("integer", b"-", 1207),
        ("integer", b"+", 1207),
        ("integer", b"--1", 1207),
        ("integer", b"1 2", 1207),
        ("integer", b"0x10", 1207),
        ("integer", b"2147483648", 1222),
        ("integer", b"-2147483649", 1222),
        ("smallint", b"32768", 1222),
        ("bigint", b"9223372036854775808", 1222),
        ("bigint", b"99999999999999999999999", 1222),
        ("integer", "１".as_bytes(), 1207),
        ("numeric(5,2)", b"x", 1209),
        ("numeric(5,2)", b"1.2.3", 1209),
        ("numeric(5,2)", b"1,5", 1209),
        ("numeric(5,2)", b".", 1209),
        ("numeric(5,2)", b"1000", 1204),
        ("numeric(5,2)", b"-1000.00", 1204),
        ("numeric(38,0)", b"999999999999999999999999999999999999999", 1204),
        ("numeric(5,2)", b"1e", 1209),
        ("numeric(5,2)", b"1e9", 1204),
        ("double precision", b"x", 1208),
        ("double precision", b"1.5.2", 1208),
        ("double precision", b"1e400", 1204),
        ("real", b"1e39", 1204),
        ("real", b"1,5", 1208),
        ("boolean", b"maybe", 1210),
        ("boolean", b"2", 1210),
        ("boolean", b"tr", 1210),
        ("date", b"2024-13-01", 1205),
        ("date", b"2023-02-29", 1205),
        ("date", b"2024/01/01", 1205),
        ("date", b"x", 1205),
        ("date", b"20240101", 1205),
        ("timestamp", b"2024-01-01 25:00:00", 1206),
        ("timestamp", b"2024-01-01 10:61:00", 1206),
        ("timestamp", b"yesterday", 1206),
        ("timestamptz", b"2024-01-01 10:00:00 Mars", 1206),
        ("time", b"25:00:00", 1206),
        ("time", b"noon", 1206),
        ("varchar(3)", b"abcd", 1204),
        ("varchar(3)", "ééé".as_bytes(), 1204),
        ("char(2)", b"abc", 1204),
        ("char(4)", "é".as_bytes(), 1220),
        ("varchar(9)", b"a\xa4b", 1220),
        ("varchar(9)", b"\xe0\xa1", 1220),
        ("varchar(9)", b"\xff", 1220),
        ("varchar(9)", b"\xf8\x88\x80\x80\x80", 1220),
        ("varchar(9)", b"\xed\xa0\x80", 1220),
        ("varchar(9)", b"\xc0\x80", 1220),
        ("super", b"{", 1224),
        ("super", b"hello", 1224),
        ("super", b"[1,]", 1224),
        ("varbyte(4)", b"abc", 1207),
        ("varbyte(4)", b"zz", 1207),
        ("varbyte(2)", b"aabbcc", 1204),
        ("integer", b"1|2", 1202),
        ("integer", b"1|2|3", 1202),
    ];
    for (data_type, line, code) in cases {
        let (_, bad) = load(Layout::Delimited, &plain, &[data_type], line, 7);
        assert_eq!(bad, [(1, *code)], "{data_type}: {}", String::from_utf8_lossy(line));
    }
}

#[test]
fn damaged_lines() {
    let plain = CopyOptions::default();
    let csv = CopyOptions { delimiter: b",".to_vec(), ..CopyOptions::default() };
    let quotes = CopyOptions { remove_quotes: true, ..CopyOptions::default() };
    let two = ["integer", "varchar(9)"];
    let cases: &[(Layout, &CopyOptions, &[u8], u64, u32)] = &[
        (Layout::Delimited, &plain, b"1|a\n2", 2, 1214),
        (Layout::Delimited, &plain, b"1|a\n\n", 2, 1214),
        (Layout::Delimited, &plain, b"1|a|b\n", 1, 1202),
        (Layout::Delimited, &quotes, b"1|\"a\n", 1, 1216),
        (Layout::Csv(b'"'), &csv, b"1,\"a\n", 1, 1216),
        (Layout::Csv(b'"'), &csv, b"1,\"a\"b\n", 1, 1216),
        (Layout::Csv(b'"'), &csv, b"1,a\n2,a,b\n", 2, 1202),
        (Layout::FixedWidth(vec![2, 3]), &plain, b"1 abc\n1\n", 2, 1203),
        (Layout::FixedWidth(vec![2, 3]), &plain, b"1 abcd\n", 1, 1202),
        (Layout::JsonNames { ignore_case: false }, &plain, b"{\"c\": }", 1, 1216),
        (Layout::JsonNames { ignore_case: false }, &plain, b"{\"c\": 1", 1, 1216),
        (Layout::JsonNames { ignore_case: false }, &plain, b"nonsense\n", 1, 1216),
    ];
    for (layout, options, file, line, code) in cases {
        for size in [1, 3, 1000] {
            let (_, bad) = load(layout.clone(), options, &two, file, size);
            assert_eq!(bad, [(*line, *code)], "{}", String::from_utf8_lossy(file));
        }
    }
}

/// Quotes, line ends and delimiters within fields, whatever the chunks.
#[test]
fn chunks_of_any_size() {
    let csv = CopyOptions { delimiter: b",".to_vec(), null_as: Vec::new(), ..CopyOptions::default() };
    let file = b"\xef\xbb\xbf1,\"a,\"\"b\"\"\nc\"\r\n2,\n3,\"\"\n4,\xf0\x9f\xa6\x80";
    let whole = load(Layout::Csv(b'"'), &csv, &["integer", "varchar(20)"], file, 1000);
    assert_eq!(whole.1, []);
    assert!(whole.0.contains("a,\"b\""), "{}", whole.0);
    for size in [4, 5, 7] {
        assert_eq!(load(Layout::Csv(b'"'), &csv, &["integer", "varchar(20)"], file, size), whole, "{size}");
    }
}

/// Delimiters of several bytes, of which fields hold parts, and blanks around quotes, whatever the chunks.
#[test]
fn delimiters_of_several_bytes() {
    let csv = CopyOptions { delimiter: b"|~|".to_vec(), ..CopyOptions::default() };
    let file = b"1|~|a|\"b\n2|~|\t\"c|~|\nd\" \n3|~|||~\n \"4\" |~||~\n5|~|";
    let types = ["integer", "varchar(20)"];
    let whole = load(Layout::Csv(b'"'), &csv, &types, file, 1000);
    assert_eq!(whole.1, []);
    for field in ["| 1 | a|\"b ", "| 2 | c|~|", "| 3 | ||~ ", "| 4 | |~ ", "| 5 |   "] {
        assert!(whole.0.contains(field), "{field}: {}", whole.0);
    }
    for size in 1..9 {
        assert_eq!(load(Layout::Csv(b'"'), &csv, &types, file, size), whole, "{size}");
    }
}

#[test]
fn a_line_without_an_end_is_one_error() {
    let mut file = vec![b'x'; 9 << 20];
    file.extend_from_slice(b"\n7\n");
    let (rows, bad) = load(Layout::Delimited, &CopyOptions::default(), &["integer"], &file, 1 << 20);
    assert_eq!(bad, [(1, 1216)]);
    assert!(rows.contains("| 7 |"), "{rows}");
}

/// Blocks of whole records give the rows and bad lines of the whole file, wherever chunks end.
#[test]
fn blocks_are_the_whole_file() {
    let csv = CopyOptions { delimiter: b",".to_vec(), ignore_header: 2, ..CopyOptions::default() };
    let file = b"\xef\xbb\xbfa,b\n\"x\ny\",z\n1,\"a\nb\"\nx,c\r\n\n3,\"d\"\"\n,\"\n4";
    let json = CopyOptions::default();
    let documents = b"{\"c\": 1,\n \"c\": 2}\n\n{\"c\": \"x\"} {\"c\": 3}\nnothing\n{\"c\": 4}";
    let escape = CopyOptions { escape: true, ..CopyOptions::default() };
    let cases: [(Layout, &CopyOptions, &[&str], &[u8]); 3] = [
        (Layout::Csv(b'"'), &csv, &["integer", "varchar(20)"], file),
        (Layout::JsonNames { ignore_case: false }, &json, &["integer"], documents),
        (Layout::Delimited, &escape, &["integer"], b"1\n\\\n2\nx\n3"),
    ];
    for (layout, options, types, file) in cases {
        let whole = load(layout.clone(), options, types, file, 1000);
        assert!(!whole.1.is_empty());
        let targets = types.iter().map(|data_type| target(data_type)).collect();
        let spec = Arc::new(LoaderSpec::new(layout, options, targets).unwrap());
        // The mark at the start of a file comes in one piece.
        for size in [4, 5, 9, 1000] {
            let errors = Arc::new(LoadErrors::new(None));
            let mut cutter = Cutter::new(&spec);
            let mut cuts = Vec::new();
            for chunk in file.chunks(size) {
                cuts.extend(cutter.feed(chunk, false));
            }
            cuts.extend(cutter.feed(&[], true));
            let mut batches = Vec::new();
            for cut in cuts {
                let Cut::Block { bytes, line } = cut else { panic!("no line is too long") };
                let mut loader = Loader::of_block(Arc::clone(&spec), Arc::clone(&errors), "f".to_owned(), line);
                batches.extend(loader.feed(&bytes).unwrap());
                batches.extend(loader.finish().unwrap());
            }
            let bad: Vec<_> = errors.recorded().into_iter().map(|error| (error.line, error.code)).collect();
            assert_eq!((pretty_format_batches(&batches).unwrap().to_string(), bad), whole, "{size}");
        }
    }
}

/// A line that looks like one object is cut at once, and with care where it is none: what comes of it is the same.
#[test]
fn lines_of_json_are_cut_as_any_json() {
    let file = b"{\"c\": 1}\n{\"c\": \"2\n3\"}\n{\"c\": 4} {\"c\": 5}\n\n  {\"c\": 6} \r\n{\"c\": \"}\n{\"}\n{\"c\": x}\nnothing\n\
        {\"c\": {\"d\": \"}\"}}\n{\"c\":\"\\u007d\"}\n[{\"c\": 8}]\n{\"c\": 7}\n{}\n{\"c\": 9";
    let options = CopyOptions::default();
    for layout in [
        Layout::JsonNames { ignore_case: false },
        Layout::JsonPaths(vec![JsonPath::parse("$.c").unwrap()]),
        Layout::JsonNames { ignore_case: true },
    ] {
        // Byte by byte there is never a line to be seen.
        let careful = load(layout.clone(), &options, &["varchar(20)"], file, 1);
        assert!(careful.1.contains(&(10, 1216)), "{:?}", careful.1);
        for size in [2, 9, 40, 1000] {
            assert_eq!(load(layout.clone(), &options, &["varchar(20)"], file, size), careful, "{size}");
        }
    }
}

/// Objects that share lines, and those that take several, stand among more lines than a run has records.
#[test]
fn runs_of_json_are_cut_as_any_json() {
    let (options, layout) = (CopyOptions::default(), Layout::JsonNames { ignore_case: false });
    let shared = format!("{{\"c\": 0}}\n{}", "{\"c\": 1} {\"c\": 2}\n".repeat(600));
    let parted = "{\"c\": 0}\n{\"c\": \"}\n{\"}\n".repeat(600);
    for file in [shared, parted] {
        let careful = load(layout.clone(), &options, &["varchar(20)"], file.as_bytes(), 1);
        assert_eq!(careful.1, []);
        for size in [100, 5_000, 1 << 20] {
            assert_eq!(load(layout.clone(), &options, &["varchar(20)"], file.as_bytes(), size), careful, "{size}");
        }
    }
}

#[test]
fn long_records_of_json_behind_bad_ones() {
    let (options, layout) = (CopyOptions::default(), Layout::JsonNames { ignore_case: false });
    let (long, half) = ("a".repeat(6 << 20), "a".repeat(3 << 20));
    let file = format!(
        "{{\"c\": 1}}\n{{\"c\": x}}\n{{\"c\": \"{long}\"}}\n{{\"c\": 2}}\n\
        {{\"d\": \"{half}\", \"c\": 3}} {{\"d\": \"{half}\", \"c\": 4}}\n"
    );
    let expected = load(layout.clone(), &options, &["integer"], b"{\"c\": 1} {\"c\": 2} {\"c\": 3} {\"c\": 4}", 1).0;
    for size in [5 << 20, 64 << 20] {
        let loaded = load(layout.clone(), &options, &["integer"], file.as_bytes(), size);
        assert_eq!(loaded, (expected.clone(), vec![(2, 1216), (3, 1216)]), "{size}");
    }
}

/// Values that are read eight digits at a time, and by whole columns, are those that are read one by one, as all of a run
/// are that holds a bad line.
#[test]
fn runs_give_what_rows_give() {
    let types = [
        "smallint",
        "integer",
        "bigint",
        "numeric(18,2)",
        "numeric(38,10)",
        "date",
        "timestamp",
        "varchar(20)",
        "char(4)",
        "double precision",
        "boolean",
        "varchar(3)",
    ];
    let lines = [
        "1|2|3|4.50|5|2024-02-29|2024-02-29 12:34:56.5|a|b|1.5|t|x",
        "-1|-2147483648|-9223372036854775808|-0.01|-.5|2024-02-29 10:00:00|2024-02-29|é||1e3|f|",
        "\\N|\\N|\\N|\\N|\\N|\\N|\\N|\\N|\\N|\\N|\\N|\\N",
        "+1| 7 |000000000000000000012|1e2|12345678901234567890.1234567891| |2024-02-29T12:34:56Z| |abc |inf||  ",
        "32767|2147483647|9223372036854775807|9999999999999999.99|1|9999-12-31|1969-12-31 23:59:59.999999|🦀|    |-0|1|é",
        "-32768|12345678|123456789|12345678.12|0.0000000001|0001-01-01|2024-02-29 00:00:00+02|\\NN|N|nan|no|abc",
        "|||||||||||",
    ];
    let bad = "x|||||||||||";
    for options in [
        CopyOptions::default(),
        CopyOptions { round_decimals: true, trim_blanks: true, ..CopyOptions::default() },
        CopyOptions { blanks_as_null: true, date_format: Some("auto".to_owned()), ..CopyOptions::default() },
        CopyOptions { empty_as_null: true, time_format: Some("auto".to_owned()), ..CopyOptions::default() },
    ] {
        let good = lines.join("\n");
        let by_runs = load(Layout::Delimited, &options, &types, good.as_bytes(), 1 << 20);
        assert_eq!(by_runs.1, []);
        let by_rows = load(Layout::Delimited, &options, &types, format!("{good}\n{bad}").as_bytes(), 1 << 20);
        assert_eq!(by_rows, (by_runs.0, vec![(8, 1207)]));
    }
}
