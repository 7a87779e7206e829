//! `COPY … FROM 'dynamodb://table'`: how items become rows, by Redshift's Database Developer Guide, "Loading data from an
//! Amazon DynamoDB table".

use crate::World;

const COPY: &str = "COPY t FROM 'dynamodb://items' READRATIO 50";

async fn world(items: &[&'static str]) -> World {
    let mut world = World::new().await;
    world.line("CREATE TABLE t (id int, name varchar(5), price decimal(5,2), flag boolean, doc super)").await;
    *world.memory.items.lock().unwrap() = items.to_vec();
    world
}

#[tokio::test]
async fn attributes_fill_columns_of_their_names() {
    let mut world = world(&[
        // In any case and order; what no column has is left out, whatever it is.
        r#"{"ID":{"N":1},"Name":{"S":"a\"b"},"bin":{"B":"AP8="},"doc":{"M":{"a":[1,null]}},"price":{"N":12.345}}"#,
        // A text that is missing is empty; NULL is NULL.
        r#"{"flag":{"BOOL":true},"id":{"N":2},"doc":{"S":"x"}}"#,
        r#"{"id":{"N":3},"name":{"NULL":null},"price":{"S":"7"},"doc":{"L":[]}}"#,
    ])
    .await;
    world.line(&format!("{COPY} REGION 'eu-west-1' ENDPOINT 'http://localhost:1' ROUNDEC")).await;
    let text = "SELECT id, '<' || name || '>', price, flag, json_serialize(doc) FROM t ORDER BY id";
    let rows = ["1,<a\"b>,12.35,NULL,{\"a\":[1,null]}", "2,<>,NULL,true,\"x\"", "3,NULL,7.00,NULL,[]"];
    assert_eq!(world.line(text).await, rows.join(" "));
    let options = world.memory.options.lock().unwrap().clone();
    let shown: Vec<String> = options.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(shown, ["endpoint=http://localhost:1", "items=documents", "read_ratio=50", "region=eu-west-1"]);
    let text = "SELECT trim(filename), lines_scanned FROM stl_load_commits";
    assert_eq!(world.line(text).await, "dynamodb://items,3");
    let text = "SELECT data_source, file_format, loaded_rows, source_file_count FROM sys_load_history";
    assert_eq!(world.line(text).await, "dynamodb://items,dynamodb,3,1");
}

#[tokio::test]
async fn empty_texts_may_be_null_and_columns_chosen() {
    let mut world = world(&[r#"{"id":{"N":1}}"#, r#"{"id":{"N":2},"name":{"S":""},"price":{"N":1}}"#]).await;
    world.line("COPY t (name, id) FROM 'dynamodb://items' READRATIO 1 EMPTYASNULL").await;
    assert_eq!(world.line("SELECT id, name, price FROM t ORDER BY id").await, "1,NULL,NULL 2,NULL,NULL");
    world.line(&format!("{COPY} NOLOAD")).await;
    assert_eq!(world.line("SELECT count(*) FROM t").await, "2");
}

#[tokio::test]
async fn items_that_do_not_fit_fail_the_load() {
    let cases = [
        (r#"{"name":{"B":"AP8="}}"#, "Attribute \"name\" is binary, which COPY does not load into this column"),
        (r#"{"id":{"NS":[1]}}"#, "Attribute \"id\" is a set, which COPY does not load into this column"),
        (r#"{"name":{"M":{}}}"#, "Attribute \"name\" is a map, which COPY does not load into this column"),
        (r#"{"doc":{"SS":["a"]}}"#, "Attribute \"doc\" is a set, which COPY does not load into this column"),
        (r#"{"NAME":{"S":"a"},"name":{"S":"b"}}"#, "Two attributes of the item differ only in case: \"name\""),
        (r#"{"name":{"S":"longer"}}"#, "String length exceeds DDL length"),
        (r#"{"id":{"S":"x"}}"#, "Invalid digit, Value 'x', Pos 0, Type: Integer"),
    ];
    for (item, reason) in cases {
        let mut world = world(&[r#"{"id":{"N":1}}"#, item]).await;
        let error = world.error(COPY).await;
        assert!(error.message.starts_with("Load into table 't' failed."), "{error}");
        let text = "SELECT trim(filename), trim(err_reason) FROM stl_load_errors";
        assert_eq!(world.line(text).await, format!("dynamodb://items,{reason}"));
        assert_eq!(world.line("SELECT count(*) FROM t").await, "0");
        world.line(&format!("{COPY} MAXERROR 5")).await;
        assert_eq!(world.line("SELECT id FROM t").await, "1");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let mut world = world(&[]).await;
    for (text, message) in [
        ("COPY t FROM 'dynamodb://items'", "COPY from DynamoDB needs READRATIO"),
        ("COPY t FROM '/tmp/x' READRATIO 5", "READRATIO needs COPY from DynamoDB"),
        (
            "COPY t FROM 'dynamodb://items' READRATIO 0",
            "invalid value for READRATIO: expected a whole number from 1 to 200",
        ),
        (
            "COPY t FROM 'dynamodb://items' READRATIO 201",
            "invalid value for READRATIO: expected a whole number from 1 to 200",
        ),
        ("COPY t FROM 'dynamodb://items' READRATIO 5 CSV", "CSV is not compatible with COPY from DynamoDB"),
        (
            "COPY t FROM 'dynamodb://items' READRATIO 5 FILLRECORD",
            "FILLRECORD is not compatible with COPY from DynamoDB",
        ),
        ("COPY t FROM 'dynamodb://absent' READRATIO 5", "index \"absent\" does not exist"),
    ] {
        assert_eq!(world.error(text).await.message, message, "{text}");
    }
    // A table without items loads nothing.
    world.line(COPY).await;
    assert_eq!(world.line("SELECT count(*) FROM t").await, "0");
}
