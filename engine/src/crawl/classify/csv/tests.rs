//! Delimited text as it comes: delimiters, quotes, headers, types, and that the readers take what was inferred.
#![allow(clippy::unwrap_used, clippy::float_cmp)]

use super::*;
use crate::lake::records::testing::Scan;
use crate::lake::text::{TextOptions, TextSerde};
use crate::lake::types::to_field;
use arrow::datatypes::Schema;
use datafusion::datasource::table_schema::TableSchema;
use millrace_catalog::model::StorageDescriptor;
use std::sync::Arc;

fn sample(name: &str, text: &str) -> Sample {
    Sample { name: name.to_owned(), bytes: text.to_owned().into(), truncated: false, compression: "none" }
}

fn found(text: &str) -> Recognized {
    recognize(&sample("data", text)).unwrap()
}

fn columns(recognized: &Recognized) -> String {
    recognized.columns.iter().map(|c| format!("{} {}", c.name, c.data_type)).collect::<Vec<_>>().join(", ")
}

fn parameter<'a>(recognized: &'a Recognized, key: &str) -> Option<&'a str> {
    recognized.layout.parameters.get(key).map(String::as_str)
}

fn options(recognized: &Recognized) -> TextOptions {
    let storage = StorageDescriptor { serde: recognized.layout.serde.clone(), ..StorageDescriptor::default() };
    TextOptions::from_serde(&storage, &recognized.layout.parameters).unwrap()
}

/// What the lake's reader makes of the text under the layout and columns found.
async fn read_back(recognized: &Recognized, text: &str) -> Vec<String> {
    let fields: Vec<_> = recognized.columns.iter().map(to_field).collect();
    let schema = TableSchema::from(Arc::new(Schema::new(fields)));
    let rows = Scan::new(options(recognized), schema, "data", text.as_bytes()).rows().await.unwrap();
    assert_eq!(rows.len() as u64, recognized.rows, "{text}");
    rows
}

/// Files as programs write them: what is found of each, and its rows as the reader reads them.
#[tokio::test]
async fn files_of_other_programs() {
    for (program, text, expected, rows) in [
        (
            "pandas, with its index",
            ",name,score,born\n0,\"O'Hara, \"\"Sam\"\"\",1.5,2001-02-03\n1,,,\n2,x,-2,2000-01-01\n",
            "col0 bigint, name string, score double, born date",
            vec!["0 | O'Hara, \"Sam\" | 1.5 | 2001-02-03", "1 |  | NULL | NULL", "2 | x | -2.0 | 2000-01-01"],
        ),
        (
            "Spark, which escapes quotes",
            "id,say\n1,\"he said \\\"no, no\\\"\"\n2,\"back \\\\ slash\"\n3,plain\n",
            "id bigint, say string",
            vec!["1 | he said \"no, no\"", "2 | back \\ slash", "3 | plain"],
        ),
        (
            "Excel in German: semicolons, decimal commas, CRLF",
            "Datum;Preis in €;Menge\r\n01.02.2024;1,5;7\r\n02.02.2024;2,25;8\r\n",
            "datum string, preis_in__ string, menge bigint",
            vec!["01.02.2024 | 1,5 | 7", "02.02.2024 | 2,25 | 8"],
        ),
        (
            "Excel: line breaks in values, also in a name",
            "id,\"note\r\n(long)\"\r\n1,\"two\nlines\"\r\n2,\"a,b\"\r\n",
            "id bigint, note___long_ string",
            vec!["1 | two\nlines", "2 | a,b"],
        ),
        (
            "Hive: Ctrl-A and \\N",
            "1\u{1}ann\u{1}2024-01-02 03:04:05\n\\N\u{1}\\N\u{1}\\N\n3\u{1}bob, jr\u{1}2024-01-02\n",
            "col0 bigint, col1 string, col2 timestamp",
            vec!["1 | ann | 2024-01-02T03:04:05", "NULL | NULL | NULL", "3 | bob, jr | 2024-01-02T00:00:00"],
        ),
        (
            "PostgreSQL's COPY",
            "1\tann\tt\n2\t\\N\tf\n",
            "col0 bigint, col1 string, col2 string",
            vec!["1 | ann | t", "2 | NULL | f"],
        ),
        (
            "MySQL: quoted, with \\N",
            "\"1\",\"a,b\",2.5\n\"2\",\\N,\\N\n",
            "col0 bigint, col1 string, col2 double",
            vec!["1 | a,b | 2.5", "2 | NULL | NULL"],
        ),
        (
            "Windows paths between quotes",
            "path,size\n\"C:\\new\\dir\",1\n\"D:\\x, y\\\",2\n",
            "path string, size bigint",
            vec!["C:\\new\\dir | 1", "D:\\x, y\\ | 2"],
        ),
        (
            "a pipe file with a trailing delimiter (TPC-H's dbgen)",
            "0|AFRICA|1.50|\n1|AMERICA|2.25|\n",
            "col0 bigint, col1 string, col2 double",
            vec!["0 | AFRICA | 1.5", "1 | AMERICA | 2.25"],
        ),
        (
            "everything quoted, with empty values",
            "\"id\",\"ok\",\"at\",\"zip\"\n\"1\",\"TRUE\",\"2024-01-02T03:04:05Z\",\"01234\"\n\"\",\"\",\"\",\"\"\n",
            "id bigint, ok boolean, at timestamp, zip string",
            vec!["1 | true | 2024-01-02T03:04:05 | 01234", "NULL | NULL | NULL | "],
        ),
        (
            "blanks around values, and digits that a double loses",
            "n, x, d\n1, 2.5, 0.123456789012345678\n 2 , .5 , 1.\n",
            "n bigint, x double, d decimal(38,18)",
            vec!["1 | 2.5 | 0.123456789012345678", "2 | 0.5 | 1.000000000000000000"],
        ),
        (
            "an inch is no quote",
            "size,name\n5\",pipe\n7\",hose\n",
            "size string, name string",
            vec!["5\" | pipe", "7\" | hose"],
        ),
        (
            "numbers of every form",
            "a,b\n1e3,NaN\n-5.,inf\n.5,-Infinity\n,2\n",
            "a double, b double",
            vec!["1000.0 | NaN", "-5.0 | inf", "0.5 | -inf", "NULL | 2.0"],
        ),
    ] {
        let recognized = found(text);
        assert_eq!(columns(&recognized), expected, "{program}");
        assert_eq!(recognized.certainty, 1.0, "{program}");
        assert_eq!(read_back(&recognized, text).await, rows, "{program}");
    }
}

#[test]
fn parameters_are_those_of_glue() {
    let plain = found("a|b\n1|x\n2|y\n");
    assert_eq!(plain.layout.serde.library, LAZY_SIMPLE_SERDE);
    assert_eq!(plain.layout.serde.parameters.get("field.delim").unwrap(), "|");
    for (key, value) in [
        ("classification", "csv"),
        ("delimiter", "|"),
        ("areColumnsQuoted", "false"),
        ("columnsOrdered", "true"),
        ("typeOfData", "file"),
        ("skip.header.line.count", "1"),
    ] {
        assert_eq!(parameter(&plain, key), Some(value), "{key}");
    }
    assert_eq!((plain.rows, plain.rows_exact, plain.row_bytes), (2, true, 8));
    let quoted = found("1;\"x\"\n2;\"y\"\n");
    assert_eq!(quoted.layout.serde.library, OPEN_CSV_SERDE);
    assert_eq!(quoted.layout.serde.parameters.get("separatorChar").unwrap(), ";");
    assert_eq!(parameter(&quoted, "areColumnsQuoted"), Some("true"));
    assert_eq!(parameter(&quoted, "skip.header.line.count"), None);
    assert_eq!(options(&quoted).serde, TextSerde::OpenCsv);
}

/// The rules of AWS Glue's documentation, and names above strings.
#[test]
fn headers() {
    let long = "x".repeat(150);
    for (text, expected) in [
        ("id,name\n1,x\n2,y\n".to_owned(), "id bigint, name string"),
        ("1,x\n2,y\n".to_owned(), "col0 bigint, col1 string"),
        ("carrier,name\n9E,Endeavor Air Inc.\nAA,American Airlines Inc.\n".to_owned(), "carrier string, name string"),
        ("Rome,Italy\nParis,France\nMilan,Italy\n".to_owned(), "col0 string, col1 string"),
        ("a,a,B\n1,2,3\n".to_owned(), "a bigint, a_2 bigint, b bigint"),
        ("a,,c\n1,2,3\n".to_owned(), "col0 string, col1 bigint, col2 string"),
        (format!("{long},b\n1,2\n"), "col0 string, col1 string"),
        (format!("a,{long}\n1,2\n"), &format!("a bigint, {long} bigint")),
        ("2013,2014\n1,2\n".to_owned(), "col0 bigint, col1 bigint"),
        ("\n\nid,name\n1,x\n".to_owned(), "id bigint, name string"),
        ("a,b,\n1,2,\n3,4,\n".to_owned(), "a bigint, b bigint"),
        ("a,b\n1,2,\n3,4,\n5,6,\n".to_owned(), "a bigint, b bigint"),
        ("a,b,c\n,1,\n,2,\n".to_owned(), "a string, b bigint, c string"),
    ] {
        assert_eq!(columns(&found(&text)), expected, "{text}");
    }
    assert_eq!(parameter(&found("\n\nid,name\n1,x\n"), "skip.header.line.count"), Some("3"));
    let renamed = found("a b,a-b\n1,2\n");
    assert_eq!(columns(&renamed), "a_b bigint, a_b_2 bigint");
    assert_eq!(
        renamed.notes,
        [
            "column 1 is named \"a_b\": \"a b\" is no legal name",
            "column 2 is named \"a_b_2\": the name \"a-b\" repeats"
        ]
    );
}

#[test]
fn what_is_no_delimited_text() {
    for text in [
        "",
        "a,b,c\n",
        "a,b,c",
        "one\ntwo\nthree\n",
        "Dear Sir,\nthank you, again, for the letter.\nIt came, I think, late, and\nwas read.\nYours\n",
        "{\"a\": 1,\n \"b\": [1, 2, 3],\n \"c\": 4\n}\n",
        "\"open,1\nb,2\n",
    ] {
        let recognized = recognize(&sample("data", text));
        let plain = text.starts_with("\"open")
            && recognized.as_ref().is_some_and(|r| r.layout.serde.library == LAZY_SIMPLE_SERDE);
        assert!(recognized.is_none() || plain, "{text}");
    }
}

#[tokio::test]
async fn records_of_other_widths() {
    let text = "id,a,b\n1,x,y\n2,x\n3,x,y,z\n4,x,y\n5,x,y\n6,x,y\n7,x,y\n8,x,y\n9,x,y\n";
    let recognized = found(text);
    assert_eq!(columns(&recognized), "id bigint, a string, b string");
    assert_eq!(recognized.certainty, 0.8);
    assert_eq!(recognized.notes, ["2 of the 10 records looked at have not 3 fields"]);
    let rows = read_back(&recognized, text).await;
    assert_eq!(rows[1..3], ["2 | x | NULL", "3 | x | y"]);
    let ragged = "a,b\n1,2,3\n4,5,6\n7\n8,9\n";
    assert!(recognize(&sample("data", ragged)).is_none());
    let half = "a,b\n1,2\n4,5\n7\n8,9,10\n";
    assert!(recognize(&sample("data", half)).is_none());
    assert_eq!(recognize(&sample("data.csv", half)).unwrap().certainty, 0.6);
}

#[test]
fn a_cut_sample() {
    let mut cut = sample("data", "id,n\n1,10\n2,20\n3,\"3");
    cut.truncated = true;
    let recognized = recognize(&cut).unwrap();
    assert_eq!(columns(&recognized), "id bigint, n bigint");
    assert_eq!((recognized.rows, recognized.rows_exact, recognized.row_bytes), (2, false, 10));
    let mut stray = sample("data", &format!("1,\"5\n{}", "2,x\n".repeat(100)));
    stray.truncated = true;
    assert_eq!(recognize(&stray).unwrap().layout.serde.library, LAZY_SIMPLE_SERDE);
}

fn custom<'a>() -> CustomCsv<'a> {
    CustomCsv {
        name: "mine",
        delimiter: None,
        quote: None,
        header: CsvHeader::Unknown,
        columns: &[],
        types: &[],
        keep_blanks: false,
        allow_single_column: false,
    }
}

#[test]
fn custom_classifiers() {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let (names, types) = (owned(&["Id", "when", "x"]), owned(&["short", "date"]));
    let found = |custom: &CustomCsv<'_>, text: &str| {
        recognize_custom(&sample("data", text), custom).unwrap().map(|found| columns(&found))
    };
    let some = |text: &str| Some(text.to_owned());
    let described = CustomCsv { columns: &names, types: &types, ..custom() };
    assert_eq!(found(&described, "1,2024-01-02,3\n2,,4\n"), some("id smallint, when date, x bigint"));
    assert_eq!(found(&described, "ID,When,X\n1,2024-01-02,3\n"), some("id smallint, when date, x bigint"));
    assert_eq!(found(&described, "1,2\n2,3\n"), None);
    let absent = CustomCsv { header: CsvHeader::Absent, ..custom() };
    assert_eq!(found(&absent, "id,name\n1,x\n"), some("col0 string, col1 string"));
    let present = CustomCsv { header: CsvHeader::Present, ..custom() };
    assert_eq!(found(&present, "2013,2014\n1,2\n"), some("2013 bigint, 2014 bigint"));
    assert_eq!(found(&present, "a,b\n"), some("a string, b string"));
    let colon = CustomCsv { delimiter: Some(':'), quote: Some('\''), ..custom() };
    assert_eq!(found(&colon, "a:b\n'1:2':3\n'x':4\n"), some("a string, b bigint"));
    let single = CustomCsv { allow_single_column: true, ..custom() };
    assert_eq!(found(&single, "id\n1\n2\n"), some("id bigint"));
    assert_eq!(found(&single, "id,x\n1,2\n2,3\n"), some("id bigint, x bigint"));
    assert_eq!(found(&custom(), "id\n1\n2\n"), None);
    let blanks = CustomCsv { keep_blanks: true, ..custom() };
    assert_eq!(found(&blanks, "a,b\n1, 2\n3, 4\n"), some("a bigint, b string"));
    let recognized = recognize_custom(&sample("data", "a:b\n1:2\n"), &colon).unwrap().unwrap();
    assert_eq!((recognized.layout.classifier.as_str(), recognized.layout.classification.as_str()), ("mine", "csv"));
    assert_eq!(options(&recognized).quote, Some(b'\''));
    for wrong in [
        CustomCsv { delimiter: Some('€'), ..custom() },
        CustomCsv { delimiter: Some('\n'), ..custom() },
        CustomCsv { delimiter: Some('"'), quote: Some('"'), ..custom() },
        CustomCsv { types: &owned(&["money"]), ..custom() },
        CustomCsv { types: &owned(&["array<int>"]), ..custom() },
    ] {
        assert!(recognize_custom(&sample("data", "a,b\n1,2\n"), &wrong).is_err());
    }
}
