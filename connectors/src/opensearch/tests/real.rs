//! Against a real server, when `MILLRACE_TEST_SEARCH` names one: conditions are decided as SQL decides them, over
//! documents whose values are known here; every document comes once, in order where one is asked for.

use super::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use std::cmp::Ordering;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

const TABLE: &str = "millrace-real";
const DOCUMENTS: usize = 600;

/// The value of each column of one document, as SQL sees it.
type Row = Vec<Option<Constant>>;

/// Whether the server has no unsigned_long, as Elasticsearch without its commercial part and OpenSearch before 2.8.
static SIGNED: AtomicBool = AtomicBool::new(false);

const COLUMNS: [&str; 17] = [
    "_id", "k", "short", "lower", "msg", "title", "status", "i", "big", "u", "d", "f", "price", "ok", "ip", "ts", "tn",
];

fn mapping() -> Value {
    json!({
        "settings": {"number_of_shards": 3, "number_of_replicas": 0, "refresh_interval": "-1", "analysis": {
            "normalizer": {"small": {"type": "custom", "filter": ["lowercase"]}},
        }},
        "mappings": {"properties": {
            "k": {"type": "keyword"},
            "short": {"type": "keyword", "ignore_above": 3},
            "lower": {"type": "keyword", "normalizer": "small"},
            "msg": {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 3}}},
            "title": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
            "status": {"type": "short"},
            "i": {"type": "integer"},
            "big": {"type": "long"},
            "d": {"type": "double"},
            "f": {"type": "float"},
            "price": {"type": "scaled_float", "scaling_factor": 10},
            "ok": {"type": "boolean"},
            "ip": {"type": "ip"},
            "ts": {"type": "date"},
            "tn": {"type": "date_nanos"},
            "day": {"type": "date", "format": "dd/MM/yyyy"},
            "u": {"type": "unsigned_long"},
        }},
    })
}

fn pick<T: Clone>(random: &mut StdRng, values: &[T]) -> T {
    values[random.random_range(0..values.len())].clone()
}

/// A value of a column, also as a constant of conditions.
fn value(random: &mut StdRng, column: &str) -> Constant {
    match column {
        "_id" => text(&random.random_range(0..DOCUMENTS).to_string()),
        "status" => Constant::Integer(pick(random, &[-32_768, -1, 0, 1, 200, 404, 500, 32_767])),
        "i" => Constant::Integer(pick(random, &[i64::from(i32::MIN), 0, 3, i64::from(i32::MAX)])),
        "big" => Constant::Integer(pick(random, &[i64::MIN, -5, 0, 7, 1 << 60, i64::MAX])),
        "u" => {
            let great = if SIGNED.load(Relaxed) { i64::MAX.into() } else { u64::MAX.into() };
            Constant::Decimal(pick(random, &[0, 5, 1 << 62, great - 1, great]), 0)
        }
        "d" => Constant::Float(pick(random, &[-1e300, -0.5, -0.0, 0.0, 0.1, 0.300_000_000_000_000_04, 2.5])),
        "f" => Constant::Float(pick(random, &[-2.5, 0.0, 0.5, f64::from(0.1_f32), 16_777_216.0])),
        "price" => Constant::Float(pick(random, &[-0.26, 0.0, 0.05, 0.25, 0.27, 1.0])),
        "ok" => Constant::Boolean(random.random()),
        "ip" => text(pick(random, &["10.0.0.1", "::1", "192.168.0.255", "2001:db8::1"])),
        "ts" => Constant::Timestamp(pick(random, &[-1_001_000, -1000, 0, 1000, 1_420_070_400_000_000])),
        "tn" => Constant::Timestamp(pick(random, &[0, 1, 999, 1_420_070_400_000_001])),
        _ => text(pick(random, &["", "a", "A", "ab", "abc", "abcd", "Abcd", "b", "é", "zz top"])),
    }
}

/// A constant that a condition on a column may have.
fn constant(random: &mut StdRng, column: &str) -> Constant {
    match (column, random.random_range(0..4)) {
        ("status", 0) => pick(random, &[Constant::Integer(100_000), Constant::Decimal(-5, 1), Constant::Float(200.5)]),
        ("ts", 0) => Constant::Timestamp(pick(random, &[-1500, -1, 500, 1_420_070_399_999_999])),
        ("ip", 0) => text(pick(random, &["0:0:0:0:0:0:0:1", "10.0.0.0/8", "x"])),
        _ => value(random, column),
    }
}

/// How a document holds a value.
fn source(column: &str, value: &Constant) -> Value {
    match value {
        Constant::Boolean(value) => json!(value),
        Constant::Integer(number) => json!(number),
        Constant::Float(number) if column == "f" => json!(*number as f32),
        Constant::Float(number) => json!(number),
        Constant::Text(text) if text == "::1" => json!("0:0:0:0:0:0:0:1"),
        Constant::Text(text) => json!(text),
        Constant::Timestamp(micros) if column == "ts" && micros % 2000 == 0 => json!(micros / 1000),
        Constant::Timestamp(micros) => json!(dates::write(*micros).unwrap()),
        Constant::Decimal(digits, _) => json!(*digits as u64),
        Constant::Binary(_) => Value::Null,
    }
}

fn number(value: &Constant) -> Option<f64> {
    match value {
        Constant::Integer(number) => Some(*number as f64),
        Constant::Float(number) => Some(*number),
        Constant::Decimal(digits, scale) => Some(*digits as f64 / 10_f64.powi(i32::from(*scale))),
        _ => None,
    }
}

fn order(one: &Constant, other: &Constant) -> Ordering {
    match (one, other) {
        (Constant::Text(one), Constant::Text(other)) => one.cmp(other),
        (Constant::Timestamp(one), Constant::Timestamp(other)) | (Constant::Integer(one), Constant::Integer(other)) => {
            one.cmp(other)
        }
        (Constant::Boolean(one), Constant::Boolean(other)) => one.cmp(other),
        (Constant::Decimal(one, 0), Constant::Decimal(other, 0)) => one.cmp(other),
        _ => number(one).unwrap().partial_cmp(&number(other).unwrap()).unwrap(),
    }
}

/// SQL's three truth values.
fn truth(predicate: &Predicate, row: &Row) -> Option<bool> {
    let get = |column: &String| row[COLUMNS.iter().position(|name| name == column).unwrap()].as_ref();
    match predicate {
        Predicate::Compare { column, comparison, value } => {
            let order = order(get(column)?, value);
            Some(match comparison {
                Comparison::Eq => order.is_eq(),
                Comparison::NotEq => order.is_ne(),
                Comparison::Lt => order.is_lt(),
                Comparison::LtEq => order.is_le(),
                Comparison::Gt => order.is_gt(),
                Comparison::GtEq => order.is_ge(),
            })
        }
        Predicate::In { column, values } => {
            let value = get(column)?;
            Some(values.iter().any(|other| order(value, other).is_eq()))
        }
        Predicate::InRows { .. } => unreachable!("the server is asked for no rows of several columns"),
        Predicate::Prefix { column, prefix } => match get(column)? {
            Constant::Text(text) => Some(text.starts_with(prefix)),
            _ => None,
        },
        Predicate::IsNull(column) => Some(get(column).is_none()),
        Predicate::IsNotNull(column) => Some(get(column).is_some()),
        Predicate::FullText { .. } => None,
        Predicate::And(parts) => {
            let truths: Vec<_> = parts.iter().map(|part| truth(part, row)).collect();
            if truths.contains(&Some(false)) {
                Some(false)
            } else {
                truths.into_iter().collect::<Option<Vec<_>>>().map(|_| true)
            }
        }
        Predicate::Or(parts) => {
            let truths: Vec<_> = parts.iter().map(|part| truth(part, row)).collect();
            if truths.contains(&Some(true)) {
                Some(true)
            } else {
                truths.into_iter().collect::<Option<Vec<_>>>().map(|_| false)
            }
        }
        Predicate::Not(part) => truth(part, row).map(|truth| !truth),
    }
}

fn predicate(random: &mut StdRng, depth: usize) -> Predicate {
    let column = pick(random, &COLUMNS);
    let owned = column.to_owned();
    match random.random_range(0..if depth == 0 { 6 } else { 10 }) {
        0 => Predicate::IsNull(owned),
        1 => Predicate::IsNotNull(owned),
        2 => Predicate::In {
            column: owned,
            values: (0..random.random_range(1..4)).map(|_| constant(random, column)).collect(),
        },
        3 if matches!(column, "k" | "short" | "msg" | "title") => {
            Predicate::Prefix { column: owned, prefix: pick(random, &["a", "ab", "é"]).to_owned() }
        }
        3..6 => {
            use Comparison::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
            compare(column, pick(random, &[Eq, NotEq, Lt, LtEq, Gt, GtEq]), constant(random, column))
        }
        6 => Predicate::Not(Box::new(predicate(random, depth - 1))),
        7 | 8 => Predicate::And((0..2).map(|_| predicate(random, depth - 1)).collect()),
        _ => Predicate::Or((0..2).map(|_| predicate(random, depth - 1)).collect()),
    }
}

/// A server with documents, and their rows.
async fn filled(endpoint: &str) -> Vec<Row> {
    let mut random = StdRng::seed_from_u64(10);
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap();
    let url = format!("{endpoint}/{TABLE}");
    http.delete(&url).send().await.unwrap();
    let send = |request: reqwest::RequestBuilder, body: String, kind: &str| {
        let request = request.header("content-type", kind.to_owned()).body(body);
        async move { request.send().await.unwrap().error_for_status().unwrap().text().await.unwrap() }
    };
    let about = send(http.get(endpoint), String::new(), "application/json").await;
    let flavour = Flavour::new(&serde_json::from_str(&about).unwrap()).unwrap();
    SIGNED.store(!flavour.is_opensearch || flavour.version < (2, 8), Relaxed);
    let mut mapping = mapping();
    if SIGNED.load(Relaxed) {
        mapping["mappings"]["properties"]["u"] = json!({"type": "long"});
    }
    send(http.put(&url), mapping.to_string(), "application/json").await;
    let (mut rows, mut bulk) = (vec![], String::new());
    for id in 0..DOCUMENTS {
        let mut row: Row = vec![Some(text(&id.to_string()))];
        let mut document = json!({"day": "15/03/1960"});
        for column in &COLUMNS[1..] {
            let kept = (random.random_range(0..5) > 0).then(|| value(&mut random, column));
            match &kept {
                Some(value) if random.random_range(0..4) == 0 => document[*column] = json!([source(column, value)]),
                Some(value) => document[*column] = source(column, value),
                None => match random.random_range(0..3) {
                    0 => document[*column] = Value::Null,
                    1 => document[*column] = json!([]),
                    _ => {}
                },
            }
            row.push(kept);
        }
        let action = json!({"index": {"_id": id.to_string()}});
        bulk.extend([action.to_string(), "\n".to_owned(), document.to_string(), "\n".to_owned()]);
        rows.push(row);
    }
    let answer = send(http.post(format!("{url}/_bulk?refresh=true")), bulk, "application/x-ndjson").await;
    assert!(answer.contains("\"errors\":false"), "{}", answer.chars().take(2000).collect::<String>());
    rows
}

fn shown(value: Option<&Constant>, column: &str) -> String {
    match value {
        None => String::new(),
        Some(Constant::Text(text)) => text.clone(),
        Some(Constant::Boolean(value)) => value.to_string(),
        Some(Constant::Integer(number)) => number.to_string(),
        Some(Constant::Decimal(digits, _)) => digits.to_string(),
        Some(Constant::Float(number)) if column == "f" => format!("{:?}", *number as f32),
        Some(Constant::Float(number)) => format!("{number:?}"),
        Some(other) => format!("{other:?}"),
    }
}

/// The identifiers that a request gives, as numbers.
async fn found(connector: &dyn Connector, predicates: Vec<Predicate>) -> Vec<usize> {
    let request = ScanRequest { predicates, ..request(TABLE, &["_id"]) };
    let mut found: Vec<usize> =
        rows(connector, &request).await.unwrap().iter().map(|line| line.parse().unwrap()).collect();
    found.sort_unstable();
    found
}

#[tokio::test]
async fn a_real_server_decides_as_sql_does() {
    let Ok(endpoint) = std::env::var("MILLRACE_TEST_SEARCH") else { return };
    let expected = filled(&endpoint).await;

    // Every document once, however it is divided and paged; values as they went in.
    for options in [&[("slices", "1"), ("page_size", "7")][..], &[("slices", "2")], &[("slices", "5")], &[]] {
        let connector = connect(&endpoint, options);
        assert_eq!(found(connector.as_ref(), vec![]).await, (0..DOCUMENTS).collect::<Vec<_>>(), "{options:?}");
    }
    let connector = connect(&endpoint, &[]);
    for (at, column) in COLUMNS.iter().enumerate().filter(|(_, column)| !matches!(**column, "ts" | "tn")) {
        for line in rows(connector.as_ref(), &request(TABLE, &["_id", column])).await.unwrap() {
            let (id, actual) = line.split_once('|').unwrap();
            let row = &expected[id.trim().parse::<usize>().unwrap()];
            assert_eq!(actual.trim(), shown(row[at].as_ref(), column).trim(), "{column} of {id}");
        }
    }
    let one = ScanRequest { limit: Some(1), ..request(TABLE, &["day"]) };
    assert_eq!(rows(connector.as_ref(), &one).await.unwrap(), ["1960-03-15T00:00:00Z"]);
    assert_eq!(connector.row_count(TABLE).await.unwrap(), Some(DOCUMENTS as u64));
    assert!(connector.tables().await.unwrap().contains(&TABLE.to_owned()));

    // A value that many documents have: more than the one page that is tried.
    let status = COLUMNS.iter().position(|column| *column == "status").unwrap();
    let five_hundred = |row: &Vec<Option<Constant>>| row[status] == Some(Constant::Integer(500));
    let right: Vec<usize> = (0..DOCUMENTS).filter(|id| five_hundred(&expected[*id])).collect();
    for options in [&[("page_size", "7"), ("slices", "2")][..], &[("page_size", "7"), ("slices", "5")]] {
        let paged = connect(&endpoint, options);
        let named = vec![compare("status", Comparison::Eq, Constant::Integer(500))];
        assert_eq!(found(paged.as_ref(), named).await, right, "{options:?}");
    }

    // Conditions.
    let (mut random, mut answers) = (StdRng::seed_from_u64(4), [0, 0, 0]);
    for _ in 0..1500 {
        let predicate = predicate(&mut random, 3);
        let pushdown = connector.pushdown(TABLE, std::slice::from_ref(&predicate))[0];
        answers[pushdown as usize] += 1;
        if pushdown == Pushdown::Unsupported {
            continue;
        }
        let right: Vec<usize> = (0..DOCUMENTS).filter(|id| truth(&predicate, &expected[*id]) == Some(true)).collect();
        let found = found(connector.as_ref(), vec![predicate.clone()]).await;
        match pushdown {
            Pushdown::Exact => assert_eq!(found, right, "{predicate:?}"),
            _ => assert!(right.iter().all(|id| found.binary_search(id).is_ok()), "{predicate:?}"),
        }
        if pushdown == Pushdown::Exact {
            let request = ScanRequest { predicates: vec![predicate], ..request(TABLE, &[]) };
            let counted = count(&read_all(connector.as_ref(), &request).await.unwrap().0);
            assert_eq!(counted, right.len(), "{:?}", request.predicates);
        }
    }
    assert!(answers.iter().all(|number| *number > 100), "exact, inexact, unsupported: {answers:?}");

    // Orders, over several pages.
    let paged = connect(&endpoint, &[("slices", "1"), ("page_size", "50")]);
    paged.schema(TABLE).await.unwrap();
    for (at, column) in COLUMNS.iter().enumerate() {
        for (descending, nulls_first) in [(false, false), (true, true), (false, true), (true, false)] {
            let key = [Order { column: (*column).to_owned(), descending, nulls_first }];
            if !paged.orders(TABLE, &key) {
                continue;
            }
            let request = ScanRequest { order: key.to_vec(), ..request(TABLE, &["_id"]) };
            let lines = rows(paged.as_ref(), &request).await.unwrap();
            let ids: Vec<usize> = lines.iter().map(|line| line.parse().unwrap()).collect();
            assert_eq!(ids.len(), DOCUMENTS);
            let sorted = ids.windows(2).all(|pair| match (&expected[pair[0]][at], &expected[pair[1]][at]) {
                (None, None) => true,
                (None, Some(_)) => nulls_first,
                (Some(_), None) => !nulls_first,
                (Some(one), Some(other)) if descending => order(one, other).is_ge(),
                (Some(one), Some(other)) => order(one, other).is_le(),
            });
            assert!(sorted, "{column} {descending} {nulls_first}");
        }
    }

    // Full text, with its score.
    let top = Predicate::FullText {
        kind: crate::predicate::FullText::Match,
        column: Some("title".to_owned()),
        text: "TOP".to_owned(),
    };
    let order = vec![Order { column: "_score".to_owned(), descending: true, nulls_first: true }];
    let scored = ScanRequest { predicates: vec![top.clone()], order, ..request(TABLE, &["title", "_score"]) };
    let lines = rows(paged.as_ref(), &scored).await.unwrap();
    let title = COLUMNS.iter().position(|column| *column == "title").unwrap();
    assert_eq!(lines.len(), expected.iter().filter(|row| row[title] == Some(text("zz top"))).count());
    let scores: Vec<f32> = lines.iter().map(|line| line.split_once(" | ").unwrap().1.parse().unwrap()).collect();
    assert!(scores.iter().all(|score| *score > 0.0) && scores.is_sorted_by(|one, other| one >= other));
    let without = found(connector.as_ref(), vec![Predicate::Not(Box::new(top))]).await;
    assert_eq!(without.len(), DOCUMENTS - lines.len());

    // Another index beside it, where a text is a number, and an alias of a part of both.
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let send = async |request: reqwest::RequestBuilder, body: Value| {
        let request = request.header("content-type", "application/json").body(body.to_string());
        request.send().await.unwrap().error_for_status().unwrap();
    };
    let second = format!("{endpoint}/{TABLE}-2");
    http.delete(&second).send().await.unwrap();
    send(http.put(&second), json!({"mappings": {"properties": {"k": {"type": "long"}, "status": {"type": "long"}}}}))
        .await;
    send(http.put(format!("{second}/_doc/x?refresh=true")), json!({"k": 7, "status": 500})).await;
    let add = |index: &str| {
        let filter = json!({"term": {"status": 500}});
        json!({"add": {"index": index, "alias": "millrace-alias", "filter": filter}})
    };
    let actions = json!({"actions": [add(TABLE), add(&format!("{TABLE}-2"))]});
    send(http.post(format!("{endpoint}/_aliases")), actions).await;
    let five_hundred = expected.iter().filter(|row| row[6] == Some(Constant::Integer(500))).count();
    let equals = compare("status", Comparison::Eq, Constant::Integer(500));
    for (table, predicates, right) in [
        ("millrace-real*", vec![], DOCUMENTS + 1),
        ("millrace-real,millrace-real-2", vec![equals.clone()], five_hundred + 1),
        ("millrace-alias", vec![], five_hundred + 1),
        ("millrace-alias", vec![equals], five_hundred + 1),
    ] {
        let request = ScanRequest { predicates, ..request(table, &["_id", "k", "status"]) };
        let lines = rows(connector.as_ref(), &request).await.unwrap();
        assert_eq!(lines.len(), right, "{table}");
        assert!(lines.contains(&"x | 7 | 500".to_owned()));
        // What names a value is tried in one page.
        let parts = if request.predicates.is_empty() { 2 } else { 1 };
        assert_eq!(connector.splits(&request, 4).await.unwrap().len(), parts);
        let counted = ScanRequest { columns: vec![], ..request };
        assert_eq!(count(&read_all(connector.as_ref(), &counted).await.unwrap().0), right);
    }
    http.delete(&second).send().await.unwrap();

    // An index that goes while it is read; nothing stays open.
    let split = paged.splits(&request(TABLE, &["_id"]), 1).await.unwrap().remove(0);
    let mut stream = paged.scan(&request(TABLE, &["_id"]), &split, &Arc::default()).await.unwrap();
    stream.next().await.unwrap().unwrap();
    http.delete(format!("{endpoint}/{TABLE}")).send().await.unwrap();
    let error = loop {
        // The end would mean that a part of the index is missing.
        if let Err(error) = stream.next().await.unwrap() {
            break error;
        }
    };
    assert!(matches!(error, ConnectorError::NotFound { .. } | ConnectorError::Unavailable { .. }), "{error}");
    drop(stream);
    assert!(matches!(paged.schema(TABLE).await, Err(ConnectorError::NotFound { .. })));
}
