//! Payloads of each format, whole, compressed and malformed.
#![allow(clippy::unwrap_used)]
use super::*;
use arrow::util::display::array_value_to_string;
use flate2::{Compression, write::GzEncoder};
use std::io::Write;

fn payload(options: &[(&str, &str)]) -> Result<Payload> {
    let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Ok(Payload::parse(&options)?.unwrap())
}

/// The values of all columns, a row a line; NULL is a dash.
fn decoded(payload: &Payload, payloads: &[&[u8]]) -> std::result::Result<Vec<String>, String> {
    let bytes: Vec<Bytes> = payloads.iter().map(|payload| Bytes::copy_from_slice(payload)).collect();
    let wanted: Vec<usize> = (0..payload.fields.len()).collect();
    let columns = payload.decode(&bytes.iter().collect::<Vec<_>>(), &wanted);
    let columns = columns.map_err(|error| format!("{}: {}", error.row, error.reason))?.columns;
    for (column, field) in columns.iter().zip(&payload.fields) {
        assert_eq!(column.data_type(), field.data_type());
    }
    let value = |column: &ArrayRef, row| {
        if column.is_null(row) { "-".to_owned() } else { array_value_to_string(column, row).unwrap() }
    };
    let row = |row| columns.iter().map(|column| value(column, row)).collect::<Vec<_>>().join("|");
    Ok((0..payloads.len()).map(row).collect())
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(vec![], Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn options_go_together() {
    for (options, error) in [
        (&[("columns", "a int")][..], "option \"columns\" needs \"format\""),
        (&[("format", "orc")], "option \"format\" takes json, csv, avro or raw, not \"orc\""),
        (&[("format", "json")], "the format json needs the option \"columns\""),
        (&[("format", "json"), ("columns", "a varbyte")], "the format json has no VARBYTE"),
        (&[("format", "raw"), ("columns", "a int, b int")], "the format raw has one column"),
        (&[("format", "json"), ("columns", "a int"), ("delimiter", ";")], "option \"delimiter\" needs the format csv"),
        (&[("format", "csv"), ("columns", "a int"), ("delimiter", ";;")], "option \"delimiter\" takes one character"),
        (&[("format", "avro")], "the format avro needs the option \"avro_schema\""),
        (
            &[("format", "json"), ("columns", "a int"), ("compression", "zip")],
            "option \"compression\" takes gzip or none, not \"zip\"",
        ),
        (
            &[("format", "json"), ("columns", "a int"), ("malformed", "drop")],
            "option \"malformed\" takes error, null or skip, not \"drop\"",
        ),
    ] {
        let options: Options = options.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        assert_eq!(Payload::parse(&options).unwrap_err().to_string(), error);
    }
    assert!(Payload::parse(&Options::new()).unwrap().is_none());
}

#[test]
fn json_objects_become_rows() {
    let columns = "id bigint, price decimal(10, 2), name varchar, at timestamp, ok boolean, doc super, \"Day\" date";
    let json = payload(&[("format", "JSON"), ("columns", columns)]).unwrap();
    let rows = decoded(
        &json,
        &[
            br#"{"id": 9007199254740993, "price": 12345678.90, "name": "caf\u00e9", "at": "2024-05-06T07:08:09.123456",
                "ok": true, "doc": {"a": [1, 2]}, "Day": "2024-05-06", "more": [[[]]]}"#,
            br#"{"id": null, "name": {"x": 1}, "day": "2024-05-06", "ok": "false", "doc": "text", "price": "0.5"}"#,
            b"{}",
        ],
    );
    assert_eq!(
        rows.unwrap(),
        [
            "9007199254740993|12345678.90|café|2024-05-06T07:08:09.123456|true|{\"a\": [1, 2]}|2024-05-06",
            "-|0.50|{\"x\": 1}|-|false|\"text\"|-",
            "-|-|-|-|-|-|-",
        ]
    );
}

#[test]
fn malformed_payloads_are_errors_or_rows_of_nulls() {
    let bad: &[&[u8]] = &[b"{\"id\": 1, \"n\": \"a\"}", b"{\"id\": \"x\", \"n\": \"b\"}", b"{\"id\": 2", b"\xFF"];
    let options = [("format", "json"), ("columns", "n varchar, id int")];
    let strict = payload(&options).unwrap();
    assert_eq!(decoded(&strict, bad).unwrap_err(), "1: \"id\" cannot hold \"x\"");
    assert!(decoded(&strict, &bad[2..]).unwrap_err().starts_with("0: it is no JSON object: "));
    assert_eq!(decoded(&strict, &bad[3..]).unwrap_err(), "0: it is no UTF-8");
    let lenient = payload(&[&options[..], &[("malformed", "null")]].concat()).unwrap();
    assert_eq!(decoded(&lenient, bad).unwrap(), ["a|1", "-|-", "-|-", "-|-"]);
}

/// A number is the column's exactly, or its payload is malformed.
#[test]
fn numbers_are_not_rounded() {
    let columns = "d decimal(10, 2), n decimal, x double precision, r real, i int";
    let options = [("format", "json"), ("columns", columns)];
    let (strict, lenient) = (payload(&options).unwrap(), [&options[..], &[("malformed", "null")]].concat());
    let fits = br#"{"d": 1.50, "n": 1e3, "x": 0.1, "r": -1.5E2, "i": 7}"#;
    assert_eq!(decoded(&strict, &[fits]).unwrap(), ["1.50|1000|0.1|-150.0|7"]);
    for (text, error) in [
        (r#"{"d": 1.555}"#, "0: \"d\" cannot hold \"1.555\""),
        (r#"{"d": 123456789.5}"#, "0: \"d\" cannot hold \"123456789.5\""),
        (r#"{"d": "."}"#, "0: \"d\" cannot hold \".\""),
        (r#"{"n": 0.5}"#, "0: \"n\" cannot hold \"0.5\""),
        (r#"{"n": 1e-2147483648}"#, "0: \"n\" cannot hold \"1e-2147483648\""),
        (r#"{"x": 1e400}"#, "0: \"x\" cannot hold \"1e400\""),
        (r#"{"r": 1e39}"#, "0: \"r\" cannot hold \"1e39\""),
        (r#"{"i": 2147483648}"#, "0: \"i\" cannot hold \"2147483648\""),
        (r#"{"i": 7.5}"#, "0: \"i\" cannot hold \"7.5\""),
    ] {
        assert_eq!(decoded(&strict, &[text.as_bytes()]).unwrap_err(), error);
        let lenient = payload(&lenient).unwrap();
        assert_eq!(decoded(&lenient, &[text.as_bytes()]).unwrap(), ["-|-|-|-|-"], "{text}");
    }
}

#[test]
fn lines_of_csv_become_rows() {
    let csv = payload(&[("format", "csv"), ("columns", "a int, b varchar, c date"), ("delimiter", ";")]).unwrap();
    let rows = decoded(&csv, &[b"1;\"x;\"\"y\"\"\";2024-01-02\r\n", b";;", b"-3;\"two\nlines\";"]);
    assert_eq!(rows.unwrap(), ["1|x;\"y\"|2024-01-02", "-||-", "-3|two\nlines|-"]);
    for (line, error) in [
        (&b"1;2"[..], "0: it does not have 3 fields"),
        (b"1;2;2024-01-02;4;5", "0: it does not have 3 fields"),
        (b"1;2;\n1;2;", "0: it has more than one line"),
        (b"", "0: it does not have 3 fields"),
        (b"1;2;yesterday", "0: \"c\" cannot hold \"yesterday\""),
    ] {
        assert_eq!(decoded(&csv, &[line]).unwrap_err(), error);
    }
}

#[test]
fn raw_payloads_are_one_column_and_gzip_is_unpacked() {
    let text = payload(&[("format", "raw"), ("columns", "line varchar"), ("compression", "gzip")]).unwrap();
    let twice = [gzip(b"two "), gzip(b"members")].concat();
    assert_eq!(decoded(&text, &[&gzip(b"a line"), &twice]).unwrap(), ["a line", "two members"]);
    assert!(decoded(&text, &[b"a line"]).unwrap_err().starts_with("0: it is no gzip: "));
    let bytes = payload(&[("format", "raw"), ("columns", "b varbyte")]).unwrap();
    assert_eq!(decoded(&bytes, &[b"\xFF\x00"]).unwrap(), ["ff00"]);
    let json = payload(&[("format", "raw"), ("columns", "j super"), ("malformed", "null")]).unwrap();
    assert_eq!(decoded(&json, &[b"[1]", b"[1"]).unwrap(), ["[1]", "-"]);
    let large = payload(&[("format", "raw"), ("columns", "b varbyte"), ("compression", "gzip")]).unwrap();
    let error = decoded(&large, &[&gzip(&vec![0; (LARGEST_BYTES + 1) as usize])]).unwrap_err();
    assert_eq!(error, "0: it unpacks to more than 67108864 bytes");
}

/// The bytes are those of the Avro specification's own example: a record of a = 27 and b = "foo" is `36 06 66 6f 6f`.
#[test]
fn avro_values_become_rows() {
    let schema = r#"{"type": "record", "name": "test", "fields": [{"name": "a", "type": "long"},
        {"name": "b", "type": "string"}]}"#;
    let avro = payload(&[("format", "avro"), ("avro_schema", schema)]).unwrap();
    let value = b"\x36\x06foo";
    let Format::Avro(inner) = &avro.format else { panic!("not avro") };
    let framed = [&inner.header()[..], value].concat();
    assert_eq!(decoded(&avro, &[value, &framed, b"\x01\x00"]).unwrap(), ["27|foo", "27|foo", "-1|"]);
    for bad in [&b"\x36"[..], b"\x36\x06fo", b"\x36\x06foo\x00", b"", b"\x36\x04\xFF\xFE"] {
        let error = decoded(&avro, &[value, bad, value]).unwrap_err();
        assert!(error.starts_with("1: "), "{error}");
    }
    let lenient = payload(&[("format", "avro"), ("avro_schema", schema), ("malformed", "null")]).unwrap();
    assert_eq!(decoded(&lenient, &[b"\x36", value, b"\x36\x06"]).unwrap(), ["-|-", "27|foo", "-|-"]);
    for schema in ["{", "\"long\"", r#"{"type": "record", "name": "r", "fields": []}"#] {
        let error = payload(&[("format", "avro"), ("avro_schema", schema)]).unwrap_err().to_string();
        assert!(error.starts_with("option \"avro_schema\": "), "{error}");
    }
}
