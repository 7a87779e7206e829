//! Each format over the same rows, over none, and over values that are hard to print.
#![allow(clippy::unwrap_used)]

use super::{End, Format, Layout, Rest, printer};
use arrow::array::*;
use arrow::datatypes::*;
use std::sync::Arc;

fn print_all(format: Format, layout: Layout, batches: &[RecordBatch], schema: &SchemaRef, end: Option<End>) -> String {
    let mut out = Vec::new();
    let mut printer = printer(format, Arc::clone(schema), layout);
    for batch in batches {
        printer.batch(batch, &mut out).unwrap();
    }
    let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
    printer.finish(end.unwrap_or(End::complete(rows)), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn print(format: Format, batch: &RecordBatch) -> String {
    print_all(format, Layout::default(), std::slice::from_ref(batch), &batch.schema(), None)
}

fn fitted(batch: &RecordBatch, width: usize) -> String {
    let layout = Layout { width: Some(width), null: None };
    print_all(Format::Table, layout, std::slice::from_ref(batch), &batch.schema(), None)
}

fn columns(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

/// Numbers, wide characters, NULL against the empty text, control characters.
fn sample() -> RecordBatch {
    columns(vec![
        ("id", Arc::new(Int32Array::from(vec![1, 20, 300]))),
        ("名前", Arc::new(StringArray::from(vec![Some("東京"), Some(""), None]))),
        ("note", Arc::new(StringArray::from(vec!["a,\"b\"", "tab\there\nline", "x|y<z\\\u{1b}[0m"]))),
        (
            "fare",
            Arc::new(Decimal128Array::from(vec![Some(1050), None, Some(-5)]).with_precision_and_scale(9, 2).unwrap()),
        ),
    ])
}

fn types() -> RecordBatch {
    let item = Arc::new(Field::new("item", DataType::Int32, true));
    let mut list = ListBuilder::new(Int32Builder::new()).with_field(item);
    list.append_value([Some(1), None, Some(3)]);
    list.append_null();
    let mut map = MapBuilder::new(None, Int32Builder::new(), StringBuilder::new());
    map.keys().append_value(7);
    map.values().append_value("seven");
    map.append(true).unwrap();
    map.append(false).unwrap();
    let names: ArrayRef = Arc::new(StringArray::from(vec![Some("q\"x"), None]));
    let record = StructArray::from(vec![(Arc::new(Field::new("name", DataType::Utf8, true)), names)]);
    columns(vec![
        ("b", Arc::new(BooleanArray::from(vec![Some(true), Some(false)]))),
        ("d", Arc::new(Date32Array::from(vec![15_706, 0]))),
        ("ts", Arc::new(TimestampMicrosecondArray::from(vec![1_357_016_400_000_000, 1_357_016_400_120_000]))),
        ("tz", Arc::new(TimestampMillisecondArray::from(vec![Some(1_357_016_400_000), None]).with_timezone("UTC"))),
        ("f", Arc::new(Float64Array::from(vec![f64::INFINITY, 0.1]))),
        (
            "dec",
            Arc::new(
                Decimal128Array::from(vec![12_345_678_901_234_567_890_123_456_789_i128, 1])
                    .with_precision_and_scale(38, 3)
                    .unwrap(),
            ),
        ),
        ("list", Arc::new(list.finish())),
        ("map", Arc::new(map.finish())),
        ("rec", Arc::new(record)),
    ])
}

#[test]
fn table() {
    insta::assert_snapshot!(print(Format::Table, &sample()), @r#"
     id  | 名前 |      note       | fare
    -----+------+-----------------+-------
       1 | 東京 | a,"b"           | 10.50
      20 |      | tab\there\nline |
     300 |      | x|y<z\\x1B[0m   | -0.05
    (3 rows)
    "#);
}

#[test]
fn vertical() {
    insta::assert_snapshot!(print(Format::Vertical, &sample()), @r#"
    -[ RECORD 1 ]
    id   | 1
    名前 | 東京
    note | a,"b"
    fare | 10.50
    -[ RECORD 2 ]---
    id   | 20
    名前 |
    note | tab\there
         | line
    fare |
    -[ RECORD 3 ]-------
    id   | 300
    名前 |
    note | x|y<z\\x1B[0m
    fare | -0.05
    "#);
}

#[test]
fn csv() {
    let expected =
        "id,名前,note,fare\n1,東京,\"a,\"\"b\"\"\",10.50\n20,\"\",\"tab\there\nline\",\n300,,x|y<z\\\u{1b}[0m,-0.05\n";
    assert_eq!(print(Format::Csv, &sample()), expected);
}

#[test]
fn tsv() {
    let expected = "id\t名前\tnote\tfare\n1\t東京\ta,\"b\"\t10.50\n20\t\ttab\\there\\nline\t\\N\n300\t\\N\tx|y<z\\\\\u{1b}[0m\t-0.05\n";
    assert_eq!(print(Format::Tsv, &sample()), expected);
}

#[test]
fn json() {
    insta::assert_snapshot!(print(Format::Json, &sample()), @r#"
    [{"id":1,"名前":"東京","note":"a,\"b\"","fare":10.50},
     {"id":20,"名前":"","note":"tab\there\nline","fare":null},
     {"id":300,"名前":null,"note":"x|y<z\\\u001b[0m","fare":-0.05}]
    "#);
}

#[test]
fn jsonl() {
    insta::assert_snapshot!(print(Format::Jsonl, &types()), @r#"
    {"b":true,"d":"2013-01-01","ts":"2013-01-01 05:00:00","tz":"2013-01-01 05:00:00+00:00","f":null,"dec":12345678901234567890123456.789,"list":[1,null,3],"map":{"7":"seven"},"rec":{"name":"q\"x"}}
    {"b":false,"d":"1970-01-01","ts":"2013-01-01 05:00:00.120","tz":null,"f":0.1,"dec":0.001,"list":null,"map":null,"rec":{"name":null}}
    "#);
}

#[test]
fn markdown() {
    insta::assert_snapshot!(print(Format::Markdown, &sample()), @r#"
    | id | 名前 | note | fare |
    | ---: | --- | --- | ---: |
    | 1 | 東京 | a,"b" | 10.50 |
    | 20 |  | tab\there<br>line |  |
    | 300 |  | x\|y&lt;z\\\x1B[0m | -0.05 |
    "#);
}

#[test]
fn every_type_in_a_block() {
    insta::assert_snapshot!(print(Format::Vertical, &types()), @r#"
    -[ RECORD 1 ]------------------------
    b    | true
    d    | 2013-01-01
    ts   | 2013-01-01 05:00:00
    tz   | 2013-01-01 05:00:00+00
    f    | Infinity
    dec  | 12345678901234567890123456.789
    list | [1, null, 3]
    map  | {7: seven}
    rec  | {name: q"x}
    -[ RECORD 2 ]-----------------
    b    | false
    d    | 1970-01-01
    ts   | 2013-01-01 05:00:00.120
    tz   |
    f    | 0.1
    dec  | 0.001
    list |
    map  |
    rec  | {name: null}
    "#);
}

#[test]
fn no_rows() {
    let schema = sample().schema();
    let empty = |format| print_all(format, Layout::default(), &[], &schema, None);
    assert_eq!(empty(Format::Csv), "id,名前,note,fare\n");
    assert_eq!(empty(Format::Tsv), "id\t名前\tnote\tfare\n");
    assert_eq!(empty(Format::Json), "[]\n");
    assert_eq!(empty(Format::Jsonl), "");
    assert_eq!(empty(Format::Vertical), "(0 rows)\n");
    assert_eq!(empty(Format::Markdown), "| id | 名前 | note | fare |\n| ---: | --- | --- | ---: |\n");
    assert_eq!(empty(Format::Table), " id | 名前 | note | fare\n----+------+------+------\n(0 rows)\n");
}

#[test]
fn null_is_shown_as_told() {
    let layout = || Layout { null: Some("NULL".into()), width: None };
    let schema = sample().schema();
    let last = |format| {
        let text = print_all(format, layout(), &[sample().slice(2, 1)], &schema, None);
        text.lines().nth(if matches!(format, Format::Csv | Format::Tsv) { 1 } else { 2 }).unwrap().to_owned()
    };
    assert_eq!(last(Format::Table), " 300 | NULL | x|y<z\\\\x1B[0m | -0.05");
    assert!(last(Format::Csv).starts_with("300,NULL,x|y"));
    assert!(last(Format::Tsv).starts_with("300\tNULL\tx|y"));
    assert!(last(Format::Vertical).ends_with("| NULL"));
    assert!(last(Format::Markdown).starts_with("| 300 | NULL |"));
}

#[test]
fn a_terminal_cuts_texts_but_not_numbers() {
    let batch = columns(vec![
        ("id", Arc::new(Int64Array::from(vec![1_234_567_890_123]))),
        ("text", Arc::new(StringArray::from(vec!["x".repeat(500)]))),
        ("last", Arc::new(StringArray::from(vec!["end"]))),
    ]);
    insta::assert_snapshot!(fitted(&batch, 60), @r#"
          id       |                text                 | last
    ---------------+-------------------------------------+------
     1234567890123 | xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… | end
    (1 row)
    "#);
    assert!(print(Format::Table, &batch).contains(&"x".repeat(500)));
}

#[test]
fn columns_that_do_not_fit_are_left_out_and_counted() {
    let names: Vec<String> = (1..=16).map(|n| format!("column_{n}")).collect();
    let batch =
        columns(names.iter().map(|name| (name.as_str(), Arc::new(Int32Array::from(vec![7])) as ArrayRef)).collect());
    insta::assert_snapshot!(fitted(&batch, 60), @r#"
     column_1 | column_2 | column_3 | … | column_15 | column_16
    ----------+----------+----------+---+-----------+-----------
            7 |        7 |        7 | … |         7 |         7
    (1 row)
    … 11 more columns: use \x or --format vertical
    "#);
}

#[test]
fn a_single_column_keeps_its_lines_and_its_length() {
    let text = format!("CREATE TABLE t (\n  a int\n){}", "x".repeat(100));
    let batch = columns(vec![("ddl", Arc::new(StringArray::from(vec![text.as_str()])))]);
    let shown = fitted(&batch, 40);
    assert!(shown.contains(&format!(" CREATE TABLE t (\n   a int\n ){}\n(1 row)", "x".repeat(100))), "{shown}");
}

#[test]
fn widths_come_from_the_first_rows_and_later_rows_stream() {
    let batch = |text: &str, rows: usize| {
        columns(vec![
            ("n", Arc::new(Int32Array::from(vec![1; rows])) as ArrayRef),
            ("t", Arc::new(StringArray::from(vec![text; rows]))),
            ("u", Arc::new(StringArray::from(vec!["u"; rows]))),
        ])
    };
    let batches = [batch("short", 1_000), batch("rather longer", 1)];
    let schema = batches[0].schema();
    let last = |width| {
        let shown = print_all(Format::Table, Layout { null: None, width }, &batches, &schema, None);
        shown.lines().nth(1_002).unwrap().to_owned()
    };
    assert_eq!(last(None), " 1 | rather longer | u");
    assert_eq!(last(Some(80)), " 1 | rath… | u");
    let mut out = Vec::new();
    let mut printer = printer(Format::Table, Arc::clone(&schema), Layout::default());
    printer.batch(&batches[0], &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap().lines().count(), 1_002, "nothing is held back once widths are known");
}

#[test]
fn a_result_that_was_cut_says_so() {
    let batch = sample();
    let shown = |format, rest| {
        let end = End { printed: 3, rest };
        print_all(format, Layout::default(), std::slice::from_ref(&batch), &batch.schema(), Some(end))
    };
    for format in [Format::Table, Format::Vertical, Format::Markdown] {
        assert!(shown(format, Rest::Exactly(4)).ends_with("(3 of 7 rows; \\pset rows 0 shows all)\n"), "{format:?}");
        assert!(shown(format, Rest::AtLeast(4)).ends_with("(3 of more than 7 rows; \\pset rows 0 shows all)\n"));
    }
}
