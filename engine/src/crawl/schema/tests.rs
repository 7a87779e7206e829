//! Types that widen, schemas that merge, likeness and legal names, a table of cases each.
#![allow(clippy::unwrap_used)]

use super::merge::Merged;
use super::widen::widen;
use super::*;
use millrace_catalog::model::{Column, HiveType};

fn kind(text: &str) -> HiveType {
    text.parse().unwrap()
}

/// Columns from `name type` pairs divided by semicolons.
fn schema(text: &str) -> Vec<Column> {
    text.split(';')
        .filter(|column| !column.is_empty())
        .map(|column| column.trim().split_once(' ').unwrap())
        .map(|(name, data_type)| Column::new(name, kind(data_type)))
        .collect()
}

fn texts(columns: &[Column]) -> String {
    columns.iter().map(|column| format!("{} {}", column.name, column.data_type)).collect::<Vec<_>>().join("; ")
}

/// Sums of digits and scales as Spark's DecimalPrecision.widerDecimalType and Hive's common type have them.
#[test]
fn types_widen() {
    for (a, b, expected) in [
        ("tinyint", "bigint", "bigint"),
        ("smallint", "int", "int"),
        ("int", "double", "double"),
        ("bigint", "double", "double"),
        ("smallint", "float", "float"),
        ("int", "float", "double"),
        ("float", "double", "double"),
        ("decimal(10,2)", "decimal(8,4)", "decimal(12,4)"),
        ("decimal(10,2)", "int", "decimal(12,2)"),
        ("decimal(5,2)", "tinyint", "decimal(5,2)"),
        ("decimal(38,0)", "bigint", "decimal(38,0)"),
        ("decimal(38,20)", "bigint", "none"),
        ("decimal(38,0)", "decimal(10,2)", "none"),
        ("decimal(38,10)", "double", "double"),
        ("decimal(5,2)", "float", "double"),
        ("date", "timestamp", "timestamp"),
        ("varchar(3)", "varchar(7)", "varchar(7)"),
        ("char(3)", "varchar(2)", "varchar(3)"),
        ("char(3)", "char(2)", "char(3)"),
        ("varchar(3)", "string", "string"),
        ("string", "string", "string"),
        ("bigint", "string", "none"),
        ("boolean", "bigint", "none"),
        ("date", "bigint", "none"),
        ("binary", "string", "none"),
        ("array<int>", "array<double>", "array<double>"),
        ("array<int>", "array<boolean>", "array<string>"),
        ("array<int>", "int", "none"),
        ("map<string,int>", "map<string,bigint>", "map<string,bigint>"),
        ("struct<a:int,b:date>", "struct<c:string,A:bigint>", "struct<a:bigint,b:date,c:string>"),
        ("struct<a:struct<b:int>>", "struct<a:struct<b:boolean,c:int>>", "struct<a:struct<b:string,c:int>>"),
        ("struct<a:int>", "map<string,int>", "none"),
    ] {
        for (a, b) in [(a, b), (b, a)] {
            let found = widen(&kind(a), &kind(b));
            let same_fields = |text: &str| {
                let mut fields: Vec<String> = text.to_lowercase().split(['<', '>', ',']).map(str::to_owned).collect();
                fields.sort();
                fields
            };
            let found = found.map_or("none".to_owned(), |found| found.to_string());
            assert_eq!(same_fields(&found), same_fields(expected), "{a} and {b}: {found}");
        }
    }
}

#[test]
fn files_merge_to_one_schema() {
    let merged = |schemas: &[&str]| {
        let schemas: Vec<Vec<Column>> = schemas.iter().map(|text| schema(text)).collect();
        let known = Unknown::new();
        let schemas: Vec<_> = schemas.iter().map(|columns| (columns.as_slice(), &known)).collect();
        let Merged { columns, conflicts, .. } = merge(&schemas);
        (texts(&columns), conflicts)
    };
    assert_eq!(merged(&[]), (String::new(), vec![]));
    assert_eq!(
        merged(&["id int; name string", "name string; ID bigint; at date", "at timestamp; id tinyint"]),
        ("id bigint; name string; at timestamp".to_owned(), vec![])
    );
    assert_eq!(
        merged(&["id bigint; ok boolean", "id boolean; ok boolean", "id date", "id string"]),
        (
            "id string; ok boolean".to_owned(),
            vec!["column \"id\" is bigint in some files and boolean in others: it is a string".to_owned()]
        )
    );
    assert_eq!(
        merged(&["a struct<b:int,c:array<date>>", "a struct<b:boolean,c:array<int>,d:int>"]),
        (
            "a struct<b:string,c:array<string>,d:int>".to_owned(),
            vec![
                "column \"a.b\" is int in some files and boolean in others: it is a string".to_owned(),
                "column \"a.c[]\" is date in some files and int in others: it is a string".to_owned(),
            ]
        )
    );
}

/// The rule that AWS documents: schemas are similar when at least 70% of the columns are.
#[test]
fn likeness() {
    for (a, b, expected) in [
        ("", "", 1.0),
        ("a int", "", 0.0),
        ("a int; b string", "B string; a bigint", 1.0),
        ("a int; b string", "a boolean; b string", 0.5),
        ("a int; b int; c int; d int; e int; f int; g int; h int; i int; j int", "a int; b int; c int", 0.3),
        ("a struct<x:int,y:string>; b int", "a struct<x:double,z:string>; b int", 2.0 / 3.0),
        ("a array<struct<x:int>>", "a array<struct<x:bigint>>", 1.0),
        ("a map<string,int>", "a map<string,boolean>", 0.5),
        ("a struct<x:int>", "a int", 0.0),
    ] {
        for (a, b) in [(a, b), (b, a)] {
            let found = similarity((&schema(a), &Unknown::new()), (&schema(b), &Unknown::new()));
            assert!((found - expected).abs() < 1e-9, "{a} and {b}: {found}");
        }
    }
}

/// What has no value says nothing about its type, at any depth.
#[test]
fn columns_without_a_value_give_way() {
    let unknown = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Unknown>();
    for (a, of_a, b, of_b, expected, still) in [
        ("x string; y int", &["x"][..], "x bigint; y int", &[][..], "x bigint; y int", &[][..]),
        ("x string", &["x"], "x string", &["x"], "x string", &["x"]),
        ("x string", &["x"], "y int", &[], "x string; y int", &["x"]),
        ("x string", &["x"], "x struct<a:int>", &[], "x struct<a:int>", &[]),
        (
            "x struct<a:string,b:array<string>>",
            &["x.a", "x.b[]"],
            "x struct<A:date,b:array<int>>",
            &[],
            "x struct<a:date,b:array<int>>",
            &[],
        ),
    ] {
        let (of_a, of_b) = (unknown(of_a), unknown(of_b));
        let (a, b) = (schema(a), schema(b));
        for (a, b) in [((&*a, &of_a), (&*b, &of_b)), ((&*b, &of_b), (&*a, &of_a))] {
            let merged = merge(&[a, b]);
            assert_eq!(merged.conflicts, Vec::<String>::new());
            assert_eq!(merged.unknown, unknown(still));
            let sorted = |columns: &[Column]| {
                let mut texts: Vec<_> = texts(columns).to_lowercase().split("; ").map(str::to_owned).collect();
                texts.sort();
                texts
            };
            assert_eq!(sorted(&merged.columns), sorted(&schema(expected)));
        }
    }
    let (none, x) = (Unknown::new(), unknown(&["x"]));
    let (a, b) = (schema("x string; y int"), schema("x struct<a:int,b:int>; y int"));
    assert!((similarity((&a, &x), (&b, &none)) - 1.0).abs() < 1e-9);
    assert!((similarity((&a, &none), (&b, &none)) - 1.0 / 3.0).abs() < 1e-9);
}

#[test]
fn names_become_legal_and_different() {
    let legal = |names: &[&str]| legal_names(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(
        legal(&["Id", " Name ", "straße", "select", "_x", "2013"]).0,
        ["id", "name", "straße", "select", "_x", "2013"]
    );
    assert!(legal(&["Id", " Name "]).1.is_empty());
    let (names, notes) = legal(&["", "Price (USD)", "a.b", "%"]);
    assert_eq!(names, ["col0", "price__usd_", "a_b", "_"]);
    assert_eq!(notes[0], "column 1 is named \"col0\": it has no name");
    assert_eq!(notes[1], "column 2 is named \"price__usd_\": \"Price (USD)\" is no legal name");
    let (names, notes) = legal(&["a", "A", "a_2", "a", "a-2"]);
    assert_eq!(names, ["a", "a_3", "a_2", "a_4", "a_2_2"]);
    assert_eq!(notes.len(), 3);
    assert_eq!(notes[0], "column 2 is named \"a_3\": the name \"A\" repeats");
    let (names, _) = legal(&["col1", ""]);
    assert_eq!(names, ["col1", "col1_2"]);
    assert_eq!(legal(&[&"ä".repeat(300)]).0[0].chars().count(), 255);
}

#[test]
fn table_names() {
    for (name, expected) in [
        ("Flights", "flights"),
        ("airports.csv", "airports_csv"),
        ("my-data 2013", "my_data_2013"),
        ("year=2013", "year_2013"),
        ("", "_"),
        ("データ", "データ"),
    ] {
        assert_eq!(legal_table_name(name), expected);
    }
}
