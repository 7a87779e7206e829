//! Streams whose columns are declared: some of the stream's own, some of the payload's.

use super::*;
use crate::connector::{Pushdown, SUPER_METADATA};
use crate::declared::{Declaration, Invalid};
use crate::predicate::{Comparison, Predicate, Value};
use arrow::datatypes::{DataType, Field, TimeUnit};
use arrow::util::pretty::pretty_format_batches;

fn declared(columns: &[(&str, DataType)], invalid: Invalid) -> Declaration {
    let columns = columns.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true)).collect();
    Declaration { columns, invalid }
}

fn declare(stub: &Stub, columns: &[(&str, DataType)], invalid: Invalid, more: &[(&str, &str)]) -> Arc<dyn Connector> {
    KinesisFactory.declare(&options(stub, more), &declared(columns, invalid)).unwrap()
}

async fn table(connector: &dyn Connector, wanted: &ScanRequest) -> Result<String> {
    let mut batches = vec![];
    for split in connector.splits(wanted, 1).await? {
        batches.extend(read(connector, wanted, &split).await?.0);
    }
    Ok(pretty_format_batches(&batches).unwrap().to_string())
}

#[tokio::test]
async fn payloads_are_read_by_paths() {
    let stub = Stub::start().await;
    stub.state().create("events", 1);
    stub.state().put("events", 0, "k", br#"{"userId": 7, "user": {"name": "Ann", "tags": ["a"]}, "at": "2026-01-31"}"#);
    stub.state().put("events", 0, "l", br#"{"userId": "8", "user": {}, "at": null}"#);
    let date = DataType::Date32;
    let columns = [
        ("partition_key", DataType::Utf8View),
        ("userId", DataType::Int64),
        ("user.name", DataType::Utf8View),
        ("at", date),
    ];
    let connector = declare(&stub, &columns, Invalid::Error, &[]);
    let schema = connector.schema("events").await.unwrap();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["partition_key", "userId", "user.name", "at"]);
    let seen = table(&*connector, &request(&["userId", "user.name", "at", "partition_key"])).await.unwrap();
    assert_eq!(
        seen,
        "+--------+-----------+------------+---------------+\n\
         | userId | user.name | at         | partition_key |\n\
         +--------+-----------+------------+---------------+\n\
         | 7      | Ann       | 2026-01-31 | k             |\n\
         | 8      |           |            | l             |\n\
         +--------+-----------+------------+---------------+"
    );
    // What the payload holds is decided by nobody but the engine.
    let at = |column: &str, value| Predicate::Compare { column: column.to_owned(), comparison: Comparison::Eq, value };
    let decided = [at("shard_id", Value::Text("s".to_owned())), at("userId", Value::Integer(7))];
    assert_eq!(connector.pushdown("events", &decided), [Pushdown::Exact, Pushdown::Unsupported]);
}

#[tokio::test]
async fn what_does_not_fit_is_an_error_or_null() {
    let stub = Stub::start().await;
    stub.state().create("events", 1);
    stub.state().put("events", 0, "k", br#"{"id": "one"}"#);
    let columns = [("id", DataType::Int64)];
    let strict = declare(&stub, &columns, Invalid::Error, &[]);
    let error = table(&*strict, &request(&["id"])).await.unwrap_err().to_string();
    assert!(error.ends_with("cannot be read: \"id\" cannot hold \"one\""), "{error}");
    let lenient = declare(&stub, &columns, Invalid::Null, &[]);
    assert_eq!(table(&*lenient, &request(&["id"])).await.unwrap(), "+----+\n| id |\n+----+\n|    |\n+----+");
    // Nothing is rounded to fit.
    stub.state().create("prices", 1);
    for price in ["1.50", "1.505", "\"2.25\"", "7"] {
        stub.state().put("prices", 0, "k", format!(r#"{{"price": {price}}}"#).as_bytes());
    }
    let prices = declare(&stub, &[("price", DataType::Decimal128(5, 2))], Invalid::Null, &[]);
    let wanted = ScanRequest { table: "prices".to_owned(), ..request(&["price"]) };
    assert_eq!(
        table(&*prices, &wanted).await.unwrap(),
        "+-------+\n| price |\n+-------+\n| 1.50  |\n|       |\n| 2.25  |\n| 7.00  |\n+-------+"
    );
    // The schema's own option says more.
    let skipping = declare(&stub, &columns, Invalid::Null, &[("format", "json"), ("malformed", "skip")]);
    assert_eq!(table(&*skipping, &request(&["id"])).await.unwrap(), "++\n++");
}

#[test]
fn what_a_stream_has_not_is_refused() {
    let refused = |columns: &[(&str, DataType)], more: &[(&str, &str)]| {
        let options: Options = more.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        KinesisFactory.declare(&options, &declared(columns, Invalid::Error)).map(drop).unwrap_err().to_string()
    };
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    assert_eq!(
        refused(&[("sequence_number", DataType::Int64)], &[]),
        "\"sequence_number\" is not what the stream or its payload has"
    );
    let avro = r#"{"type": "record", "name": "r", "fields": [{"name": "id", "type": "long"}]}"#;
    let avro = [("format", "avro"), ("avro_schema", avro)];
    assert_eq!(refused(&[("id", time)], &avro), "\"id\" is not what the stream or its payload has");
    assert_eq!(
        refused(&[("a", DataType::Utf8View), ("b", DataType::Utf8View)], &[("format", "raw")]),
        "the format raw has one column"
    );
    assert_eq!(refused(&[("b", DataType::Binary)], &[]), "the format json has no VARBYTE");
}

#[tokio::test]
async fn documents_of_a_payload_are_super() {
    let stub = Stub::start().await;
    stub.state().create("events", 1);
    stub.state().put("events", 0, "k", br#"{"user": {"name": "Ann"}}"#);
    let document =
        Field::new("user", DataType::Utf8View, true).with_metadata([(SUPER_METADATA.to_owned(), String::new())].into());
    let declared = Declaration { columns: vec![document].into(), invalid: Invalid::Error };
    let connector = KinesisFactory.declare(&options(&stub, &[]), &declared).unwrap();
    let schema = connector.schema("events").await.unwrap();
    assert!(schema.field(0).metadata().contains_key(SUPER_METADATA));
    let seen = table(&*connector, &request(&["user"])).await.unwrap();
    assert!(seen.contains(r#"{"name": "Ann"}"#), "{seen}");
}
