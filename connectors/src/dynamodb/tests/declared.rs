//! Tables whose columns are declared: no sample is taken, and DynamoDB decides only what their values' types leave alone.

use super::*;
use crate::connector::Pushdown;
use crate::declared::{Declaration, Invalid};
use crate::typed::Type;
use Pushdown::{Exact, Inexact, Unsupported};

/// A connector to a table of these columns.
fn declare(endpoint: &str, columns: &[(&str, Type)], invalid: Invalid) -> Arc<dyn Connector> {
    let own = [("endpoint", endpoint), ("region", "eu-west-1"), ("access_key_id", "k"), ("secret_access_key", "s")];
    let options: Options = own.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let columns = columns.iter().map(|(name, to)| to.field(name)).collect();
    Registry::builtin().declare("dynamodb", &options, &Declaration { columns, invalid }).unwrap()
}

const COLUMNS: [(&str, Type); 6] = [
    ("PK", Type::Text),
    ("sk", Type::Int32),
    ("price", Type::Decimal(6, 2)),
    ("day", Type::Date),
    ("note", Type::Text),
    ("address.city", Type::Text),
];

fn at(column: &str, comparison: Comparison, value: Constant) -> Predicate {
    Predicate::Compare { column: column.to_owned(), comparison, value }
}

#[tokio::test]
async fn keys_are_found_whatever_their_case_and_nothing_is_sampled() {
    let stub = serve(|_, _, _| page(&[item("a", 1)], false)).await;
    let connector = declare(&stub.endpoint, &COLUMNS, Invalid::Error);
    let schema = connector.schema("orders").await.unwrap();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["pk", "sk", "price", "day", "note", "address.city"]);
    assert_eq!(schema.field(2).data_type(), &arrow::datatypes::DataType::Decimal128(6, 2));
    assert!(stub.requests("Scan").is_empty());
    let request = request(&["price", "address.city"], vec![text("pk", "a"), number("sk", Comparison::Eq, 1)]);
    assert_eq!(connector.pushdown("orders", &request.predicates), [Exact; 2]);
    assert_eq!(connector.describe(&request), "DynamoDB GetItem on orders: pk = 'a' AND sk = 1");
}

#[tokio::test]
async fn attributes_of_other_types_come_and_are_decided_again() {
    let items = |note: Value| json!({ "pk": { "S": "a" }, "sk": { "N": "1" }, "note": note });
    let answer = [items(json!({ "N": "5" })), items(json!({ "S": "5" }))];
    let (stub, connector) = {
        let stub = serve(move |_, _, _| page(&answer, false)).await;
        let connector = declare(&stub.endpoint, &COLUMNS, Invalid::Error);
        connector.schema("orders").await.unwrap();
        (stub, connector)
    };
    let is_five = text("note", "5");
    let date = at("day", Comparison::Gt, Constant::Timestamp(0));
    let city = text("address.city", "Paris");
    let decided = connector.pushdown("orders", &[is_five.clone(), date, city, Predicate::IsNull("day".to_owned())]);
    assert_eq!(decided, [Inexact, Unsupported, Unsupported, Exact]);
    let request = request(&["note"], vec![is_five]);
    let batches = read_all(&*connector, &request, &Arc::default()).await.unwrap();
    assert_eq!(rows(&batches), 4);
    assert_eq!(
        filled(&stub.requests("Scan")[0], "FilterExpression"),
        "(note = \"5\" OR (attribute_exists(note) AND NOT attribute_type(note, \"S\") AND NOT attribute_type(note, \"NULL\")))"
    );
    assert_eq!(
        connector.describe(&request),
        "DynamoDB Scan of orders in parallel segments, filter (note = '5' OR note is no S)"
    );
}

#[tokio::test]
async fn what_may_be_null_is_never_asked_for_as_null() {
    let bad = json!({ "pk": { "S": "a" }, "sk": { "N": "3000000000" }, "day": { "S": "soon" } });
    let stub = serve(move |_, _, _| page(std::slice::from_ref(&bad), false)).await;
    let connector = declare(&stub.endpoint, &COLUMNS, Invalid::Null);
    connector.schema("orders").await.unwrap();
    let (is_null, is_not) = (Predicate::IsNull("day".to_owned()), Predicate::IsNotNull("day".to_owned()));
    let decided = connector.pushdown("orders", &[text("pk", "a"), number("sk", Comparison::Lt, 5), is_null, is_not]);
    assert_eq!(decided, [Inexact, Inexact, Unsupported, Inexact]);
    let request = request(&["sk", "day"], vec![text("pk", "a")]);
    let batches = read_all(&*connector, &request, &Arc::default()).await.unwrap();
    assert_eq!(table(&batches), "+----+-----+\n| sk | day |\n+----+-----+\n|    |     |\n+----+-----+");
    let strict = declare(&stub.endpoint, &COLUMNS, Invalid::Error);
    let error = read_all(&*strict, &request, &Arc::default()).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "attribute \"sk\" of the item with pk = \"a\", sk = 3000000000 is a number that is no int: 3000000000; a table \
         with 'invalid.values' = 'null' reads it as NULL"
    );
}

#[tokio::test]
async fn a_path_comes_with_the_attribute_that_holds_it() {
    let city = json!({ "M": { "city": { "S": "Paris" } } });
    let nested = json!({ "pk": { "S": "a" }, "sk": { "N": "1" }, "address": city });
    let stub = serve(move |_, _, _| page(std::slice::from_ref(&nested), false)).await;
    let connector = declare(&stub.endpoint, &COLUMNS, Invalid::Error);
    connector.schema("orders").await.unwrap();
    let batches = read_all(&*connector, &request(&["address.city"], vec![text("pk", "a")]), &Arc::default()).await;
    assert_eq!(rows(&batches.unwrap()), 1);
    assert_eq!(filled(&stub.requests("Query")[0], "ProjectionExpression"), "address.city,address,pk,sk");
}

/// A table may have items from before a global index, which are not in it when their types are others.
#[tokio::test]
async fn keys_of_global_indexes_are_what_the_index_has() {
    let old = json!({ "pk": { "S": "a" }, "sk": { "N": "1" }, "state": { "N": "5" }, "day": { "S": "2026-01-01" } });
    let stub = serve(move |_, _, _| page(std::slice::from_ref(&old), false)).await;
    let columns = [("state", Type::Text), ("day", Type::Text)];
    let strict = declare(&stub.endpoint, &columns, Invalid::Error);
    strict.schema("orders").await.unwrap();
    let after = at("day", Comparison::Gt, Constant::Text("2026".to_owned()));
    let open = request(&["day"], vec![text("state", "open"), after]);
    assert_eq!(strict.pushdown("orders", &open.predicates), [Exact; 2]);
    assert_eq!(strict.describe(&open), "DynamoDB Query on index by_state: state = 'open' AND day > '2026'");
    let all = request(&["state"], vec![]);
    assert_eq!(
        read_all(&*strict, &all, &Arc::default()).await.unwrap_err().to_string(),
        "attribute \"state\" of the item with pk = \"a\", sk = 1 is a number that is no varchar: 5; a table with \
         'invalid.values' = 'null' reads it as NULL"
    );
    let lenient = declare(&stub.endpoint, &columns, Invalid::Null);
    lenient.schema("orders").await.unwrap();
    assert_eq!(lenient.pushdown("orders", &open.predicates), [Inexact; 2]);
    let batches = read_all(&*lenient, &all, &Arc::default()).await.unwrap();
    assert_eq!(table(&batches), "+-------+\n| state |\n+-------+\n|       |\n|       |\n+-------+");
}

#[tokio::test]
async fn two_sources_of_one_attribute_are_refused() {
    let stub = serve(|_, _, _| page(&[], false)).await;
    let twice = declare(&stub.endpoint, &[("PK", Type::Text), ("pk", Type::Text)], Invalid::Error);
    let error = twice.schema("orders").await.unwrap_err().to_string();
    assert_eq!(error, "the sources \"PK\" and \"pk\" are one attribute, \"pk\"");
    // No attribute is known of these, so there may be both.
    let both = declare(&stub.endpoint, &[("Note", Type::Text), ("note", Type::Text)], Invalid::Error);
    assert_eq!(both.schema("orders").await.unwrap().fields().len(), 2);
}

#[test]
fn what_cannot_be_declared_is_refused() {
    let declared = |options: &[(&str, &str)], columns: arrow::datatypes::Fields| {
        let options: Options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let declared = Declaration { columns, invalid: Invalid::Error };
        Registry::builtin().declare("dynamodb", &options, &declared).map(drop).unwrap_err().to_string()
    };
    let list = arrow::datatypes::DataType::new_list(arrow::datatypes::DataType::Int32, true);
    let fields = arrow::datatypes::Fields::from(vec![arrow::datatypes::Field::new("l", list, true)]);
    assert!(declared(&[], fields).ends_with("of the declared column \"l\" is not supported"));
    assert_eq!(
        declared(&[("items", "documents")], arrow::datatypes::Fields::empty()),
        "whole items (option \"items\") have no declared columns"
    );
}
