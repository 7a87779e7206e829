//! Parquet files written by the parquet crate, read through DataFusion's `ParquetSource` as tables that differ.

#![allow(clippy::unwrap_used)]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Float32Array, Int32Array, ListArray, MapBuilder, StringArray, StringBuilder, StructArray,
};
use arrow::array::{BinaryArray, Int32Builder, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema, TimeUnit};
use arrow::record_batch::RecordBatch;
use datafusion::datasource::physical_plan::ParquetSource;
use datafusion::datasource::table_schema::TableSchema;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::{pair_columns, table_schema};
use crate::ErrorKind;
use crate::lake::fixture::{Files, metric};

fn write(folder: &Path, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
    let batch = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)));
    let batch = batch.unwrap();
    let path = folder.join("data.parquet");
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(2)).build();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

fn table(fields: Vec<Field>, file: PathBuf) -> Files {
    let schema = TableSchema::from(Arc::new(Schema::new(fields)));
    Files::new(move || Arc::new(ParquetSource::new(schema.clone())), &[file])
}

fn field(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

fn people() -> Vec<(&'static str, ArrayRef)> {
    vec![
        ("UserId", Arc::new(Int32Array::from(vec![1, 2, 3, 4]))),
        ("Name", Arc::new(StringArray::from(vec!["ann", "bob", "cid", "dan"]))),
        ("Score", Arc::new(Float32Array::from(vec![1.5, 2.5, 3.5, 4.5]))),
    ]
}

#[tokio::test]
async fn columns_are_found_by_name_in_any_case() {
    let folder = tempfile::tempdir().unwrap();
    let fields = vec![
        field("score", DataType::Float64),
        field("added", DataType::Utf8View),
        field("userid", DataType::Int64),
        field("name", DataType::Utf8View),
    ];
    let people = table(fields, write(folder.path(), people()));
    let all = people.query("select * from t").await.unwrap();
    assert_eq!(all, ["1.5|NULL|1|ann", "2.5|NULL|2|bob", "3.5|NULL|3|cid", "4.5|NULL|4|dan"]);
    assert_eq!(people.query("select userid + 1 from t where name = 'dan'").await.unwrap(), ["5"]);
    assert_eq!(people.query("select count(*) from t where added is null").await.unwrap(), ["4"]);
    assert_eq!(people.query("select count(*) from t where added = 'x'").await.unwrap(), ["0"]);
    assert_eq!(people.query("select added from t limit 1").await.unwrap(), ["NULL"]);
}

#[tokio::test]
async fn renamed_and_widened_columns_still_prune() {
    let folder = tempfile::tempdir().unwrap();
    let fields = vec![field("userid", DataType::Int64), field("name", DataType::Utf8View)];
    let people = table(fields, write(folder.path(), people()));
    for predicate in ["userid = 4", "userid > 3", "name = 'dan'"] {
        let (rows, plan) = people.run(&format!("select name from t where {predicate}"), 1).await.unwrap();
        assert_eq!(rows, ["dan"], "{predicate}");
        let scan = format!("{:?}", plan_metrics(&plan));
        assert!(scan.contains("2 total → 1 matched"), "{predicate}: {scan}");
        assert!(metric(&plan, "bytes_scanned") > 0);
    }
}

fn plan_metrics(plan: &Arc<dyn datafusion::physical_plan::ExecutionPlan>) -> Vec<String> {
    let own = plan.metrics().and_then(|metrics| metrics.sum_by_name("row_groups_pruned_statistics"));
    let mut found: Vec<_> = own.iter().map(ToString::to_string).collect();
    found.extend(plan.children().into_iter().flat_map(plan_metrics));
    found
}

#[tokio::test]
async fn columns_are_found_by_position_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let fields = vec![
        field("name", DataType::Int64),
        field("userid", DataType::Utf8View),
        field("c", DataType::Float32),
        field("d", DataType::Int32),
    ];
    let mut people = table(fields, write(folder.path(), people()));
    people.by_index = true;
    assert_eq!(people.query("select * from t where userid = 'bob' and name = 2").await.unwrap(), ["2|bob|2.5|NULL"]);
}

#[tokio::test]
async fn nested_fields_are_found_by_name_in_any_case() {
    let folder = tempfile::tempdir().unwrap();
    let number: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]));
    let text: ArrayRef = Arc::new(StringArray::from(vec!["a", "b", "c"]));
    let point = StructArray::from(vec![
        (Arc::new(field("X", DataType::Int32)), Arc::clone(&number)),
        (Arc::new(field("Label", DataType::Utf8)), text),
    ]);
    let outer = StructArray::from(vec![(
        Arc::new(field("Point", point.data_type().clone())),
        Arc::new(point.clone()) as ArrayRef,
    )]);
    let list =
        ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)]), None, Some(vec![None, Some(3)])]);
    let mut map = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    for row in 0..3 {
        map.keys().append_value("k");
        map.values().append_value(row);
        map.append(true).unwrap();
    }
    let file = write(
        folder.path(),
        vec![("St", Arc::new(point)), ("Outer", Arc::new(outer)), ("L", Arc::new(list)), ("M", Arc::new(map.finish()))],
    );
    let st = DataType::Struct(
        vec![field("label", DataType::Utf8View), field("x", DataType::Int64), field("y", DataType::Int64)].into(),
    );
    let entries = Field::new_struct(
        "entries",
        vec![Field::new("key", DataType::Utf8, false), field("value", DataType::Int64)],
        false,
    );
    let fields = vec![
        field("st", st.clone()),
        field("outer", DataType::Struct(vec![field("point", st)].into())),
        field("l", DataType::new_list(DataType::Int64, true)),
        field("m", DataType::Map(Arc::new(entries), false)),
    ];
    let nested = table(fields, file);
    let rows = nested.query("select st, l, m from t").await.unwrap();
    assert_eq!(
        rows,
        [
            "{label: a, x: 1, y: NULL}|[1]|{k: 0}",
            "{label: b, x: NULL, y: NULL}|NULL|{k: 1}",
            "{label: c, x: 3, y: NULL}|[NULL, 3]|{k: 2}",
        ]
    );
    let sql = "select st['x'], t.outer['point']['label'], st['y'], m['k'] from t where t.outer['point']['x'] = 3";
    assert_eq!(nested.query(sql).await.unwrap(), ["3|c|NULL|2"]);
    assert_eq!(nested.query("select t.outer from t limit 1").await.unwrap(), ["{point: {label: a, x: 1, y: NULL}}"]);
}

#[tokio::test]
async fn unmarked_texts_and_timestamps_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(
        folder.path(),
        vec![
            ("s", Arc::new(BinaryArray::from_vec(vec![b"old", b"impala"]))),
            ("t", Arc::new(TimestampMillisecondArray::from(vec![0, 1500]).with_timezone("UTC"))),
        ],
    );
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let old = table(vec![field("s", DataType::Utf8View), field("t", micros)], file);
    assert_eq!(
        old.query("select * from t").await.unwrap(),
        ["old|1970-01-01T00:00:00", "impala|1970-01-01T00:00:01.500"]
    );
}

#[tokio::test]
async fn types_that_do_not_fit_are_errors_only_when_read() {
    let folder = tempfile::tempdir().unwrap();
    let fields =
        vec![field("name", DataType::Int32), field("userid", DataType::Int16), field("score", DataType::Float32)];
    let people = table(fields, write(folder.path(), people()));
    assert_eq!(people.query("select count(*), sum(score) from t").await.unwrap(), ["4|12.0"]);
    let error = people.query("select name from t").await.unwrap_err();
    assert_eq!(error.message, "column \"name\" is string in the file and int in the table");
    assert_eq!(error.kind, ErrorKind::DatatypeMismatch);
    let error = people.query("select score from t where userid = 1").await.unwrap_err();
    assert_eq!(error.message, "column \"userid\" is int in the file and smallint in the table");
}

#[test]
fn columns_pair_by_exact_name_first() {
    let schema =
        |names: &str| Schema::new(names.split(' ').map(|name| field(name, DataType::Int32)).collect::<Vec<_>>());
    let cases = [
        ("a b", "B A", false, vec![Some(1), Some(0)]),
        ("a", "A a", false, vec![Some(1)]),
        ("a b c", "x y", true, vec![Some(0), Some(1), None]),
        ("a b", "_col0 _col1", false, vec![Some(0), Some(1)]),
        ("a _col1", "_col1 b", false, vec![None, Some(0)]),
    ];
    for (table, file, by_index, pairs) in cases {
        assert_eq!(pair_columns(&schema(table), &schema(file), by_index), pairs, "{table}, {file}");
    }
}

#[test]
fn tables_over_files_have_plain_types() {
    let file = Schema::new(vec![
        Field::new("s", DataType::LargeUtf8, false),
        field("u", DataType::UInt32),
        field("t", DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))),
    ]);
    let types: Vec<_> = table_schema(&file).fields().iter().map(|field| field.data_type().clone()).collect();
    assert_eq!(types, [DataType::Utf8View, DataType::Int64, DataType::Timestamp(TimeUnit::Microsecond, None)]);
}
