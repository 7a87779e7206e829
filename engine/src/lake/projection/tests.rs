//! Projections of Athena's documentation, and conditions on ranges that are too large to list.

#![allow(clippy::unwrap_used)]

use super::*;
use std::ops::Bound;

const TABLE: &str = "s3://bucket/table/";

fn parameters(pairs: &[(&str, &str)]) -> Parameters {
    let enabled = [("projection.enabled", "true")];
    enabled.iter().chain(pairs).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn keys(columns: &[(&str, &str)]) -> Vec<Column> {
    columns.iter().map(|(name, data_type)| Column::new(*name, data_type.parse().unwrap())).collect()
}

fn projection(columns: &[(&str, &str)], pairs: &[(&str, &str)]) -> PartitionProjection {
    PartitionProjection::from_table(&parameters(pairs), &keys(columns), TABLE).unwrap().unwrap()
}

fn error(columns: &[(&str, &str)], pairs: &[(&str, &str)]) -> String {
    PartitionProjection::from_table(&parameters(pairs), &keys(columns), TABLE).unwrap_err().message
}

fn now() -> DateTime<Utc> {
    "2021-03-04T15:06:07Z".parse().unwrap()
}

fn is_in(key: usize, values: &[&str]) -> PartitionFilter {
    let values = values.iter().map(|value| (*value).to_owned()).collect();
    PartitionFilter { key, condition: PartitionCondition::In(values) }
}

fn between(key: usize, low: &str, high: &str) -> PartitionFilter {
    let bound = |text: &str| if text.is_empty() { Bound::Unbounded } else { Bound::Included(text.to_owned()) };
    PartitionFilter { key, condition: PartitionCondition::Range(bound(low), bound(high)) }
}

fn locations(projection: &PartitionProjection, filters: &[PartitionFilter]) -> Vec<String> {
    let partitions = projection.partitions(filters, now()).unwrap();
    partitions.into_iter().map(|partition| partition.location).collect()
}

/// The first value of each partition.
fn values(projection: &PartitionProjection, filters: &[PartitionFilter]) -> Vec<String> {
    let partitions = projection.partitions(filters, now()).unwrap();
    partitions.into_iter().map(|mut partition| partition.values.swap_remove(0).unwrap()).collect()
}

#[test]
fn projection_must_be_enabled() {
    let off = Parameters::from([("projection.enabled".into(), "false".into())]);
    for parameters in [Parameters::new(), off] {
        assert!(PartitionProjection::from_table(&parameters, &keys(&[("a", "int")]), TABLE).unwrap().is_none());
    }
    assert!(PartitionProjection::from_table(&parameters(&[]), &[], TABLE).unwrap().is_none());
}

/// "Supported types for partition projection": ranges, intervals and digits of integers.
#[test]
fn integers_have_ranges_steps_and_digits() {
    for (range, interval, digits, expected) in [
        ("1,3", "1", "1", vec!["1", "2", "3"]),
        ("1,3", "2", "1", vec!["1", "3"]),
        ("0,10", "5", "2", vec!["00", "05", "10"]),
        (" -1 , 1 ", "1", "1", vec!["-1", "0", "1"]),
        ("0008,0010", "1", "4", vec!["0008", "0009", "0010"]),
    ] {
        let projection = projection(
            &[("n", "string")],
            &[
                ("projection.n.type", "integer"),
                ("projection.n.range", range),
                ("projection.n.interval", interval),
                ("projection.n.digits", digits),
            ],
        );
        assert_eq!(values(&projection, &[]), expected);
    }
}

/// "Set up partition projection": the template of the documentation.
#[test]
fn templates_place_partitions() {
    let columns = [("a", "string"), ("b", "string"), ("c", "int")];
    let mut pairs = vec![
        ("projection.a.type", "enum"),
        ("projection.a.values", "x,y"),
        ("projection.b.type", "enum"),
        ("projection.b.values", "k=1"),
        ("projection.c.type", "integer"),
        ("projection.c.range", "7,8"),
    ];
    let hive = projection(&columns, &pairs);
    assert_eq!(locations(&hive, &[is_in(0, &["x"]), is_in(2, &["8"])]), ["s3://bucket/table/a=x/b=k%3D1/c=8/"]);
    pairs.push((
        "storage.location.template",
        "s3://amzn-s3-demo-bucket/table_root/a=${a}/${b}/some_static_subdirectory/${c}",
    ));
    let template = projection(&columns, &pairs);
    let root = "s3://amzn-s3-demo-bucket/table_root";
    assert_eq!(
        locations(&template, &[is_in(0, &["y"])]),
        [format!("{root}/a=y/k=1/some_static_subdirectory/7/"), format!("{root}/a=y/k=1/some_static_subdirectory/8/")]
    );
    assert_eq!(template.partitions(&[], now()).unwrap().len(), 4);
}

/// "Amazon Data Firehose example": hours in folders of their own.
#[test]
fn dates_run_up_to_now() {
    let firehose = projection(
        &[("datehour", "string")],
        &[
            ("storage.location.template", "s3://amzn-s3-demo-bucket/prefix/${datehour}/"),
            ("projection.datehour.type", "date"),
            ("projection.datehour.format", "yyyy/MM/dd/HH"),
            ("projection.datehour.range", "2021/01/01/00,NOW"),
            ("projection.datehour.interval", "1"),
            ("projection.datehour.interval.unit", "HOURS"),
        ],
    );
    let all = values(&firehose, &[]);
    assert_eq!((all.len(), all.last().unwrap().as_str()), (62 * 24 + 16, "2021/03/04/15"));
    assert_eq!(
        locations(&firehose, &[between(0, "2021/03/04/14", "")]),
        ["s3://amzn-s3-demo-bucket/prefix/2021/03/04/14/", "s3://amzn-s3-demo-bucket/prefix/2021/03/04/15/"]
    );
    assert_eq!(values(&firehose, &[is_in(0, &["2021/02/01/03", "2020/01/01/00", "x"])]), ["2021/02/01/03"]);
    assert_eq!(values(&firehose, &[between(0, "2021/02", "2021/02/01/01")]), ["2021/02/01/00", "2021/02/01/01"]);
}

#[test]
fn date_ranges_take_all_forms_of_the_documentation() {
    for (format, range, more, first, last, count) in [
        ("yyyyMM", "201701,201812", vec![], "201701", "201812", 24),
        ("dd-MM-yyyy", "01-01-2010,03-01-2010", vec![], "01-01-2010", "03-01-2010", 3),
        ("yyyy-MM-dd", "NOW-3YEARS,NOW", vec![], "2018-03-04", "2021-03-04", 1097),
        ("yyyyMM", "202012,NOW+1MONTH", vec![], "202012", "202104", 5),
        ("yyyy", "2019, now - 1 YEARS", vec![], "2019", "2020", 2),
        ("yyyy-MM-dd", "NOW-2DAYS,2021-03-05", vec![], "2021-03-02", "2021-03-05", 4),
        (
            "yyyy-MM-dd",
            "2021-01-01,2021-02-28",
            vec![("projection.d.interval.unit", "WEEKS")],
            "2021-01-01",
            "2021-02-26",
            9,
        ),
        (
            "yyyy-MM-dd",
            "2020-01-31,2020-04-30",
            vec![("projection.d.interval.unit", "MONTHS")],
            "2020-01-31",
            "2020-04-30",
            4,
        ),
        (
            "HH:mm",
            "00:00,23:59",
            vec![("projection.d.interval", "30"), ("projection.d.interval.unit", "MINUTES")],
            "00:00",
            "23:30",
            48,
        ),
    ] {
        let mut pairs =
            vec![("projection.d.type", "date"), ("projection.d.format", format), ("projection.d.range", range)];
        pairs.extend(more);
        let found = values(&projection(&[("d", "string")], &pairs), &[]);
        let ends = (found.first().unwrap().as_str(), found.last().unwrap().as_str(), found.len());
        assert_eq!(ends, (first, last, count), "{format} {range}");
    }
}

#[test]
fn typed_dates_keep_their_own_form() {
    let pairs = [
        ("projection.d.type", "date"),
        ("projection.d.format", "yyyy/MM/dd"),
        ("projection.d.range", "2000/01/01,NOW"),
    ];
    let projection = projection(&[("d", "date")], &pairs);
    let partitions = projection.partitions(&[is_in(0, &["2020-02-29"])], now()).unwrap();
    assert_eq!(partitions[0].values, [Some("2020-02-29".to_owned())]);
    assert_eq!(partitions[0].location, "s3://bucket/table/d=2020%2F02%2F29/");
    assert_eq!(values(&projection, &[between(0, "2021-03-03", "2022-01-01")]), ["2021-03-03", "2021-03-04"]);
}

#[test]
fn huge_ranges_cost_nothing_when_narrowed() {
    let range = [("projection.n.type", "integer"), ("projection.n.range", "-9223372036854775808,9223372036854775807")];
    let numbers = projection(&[("n", "bigint")], &range);
    assert_eq!(values(&numbers, &[is_in(0, &["0042", "-7", "x"])]), ["-7", "42"]);
    assert_eq!(values(&numbers, &[between(0, "1000000000", "1000000002")]).len(), 3);
    assert_eq!(numbers.partitions(&[between(0, "0", "2000000")], now()).unwrap_err().kind, ErrorKind::LimitExceeded);
    let error = numbers.partitions(&[], now()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::LimitExceeded);
    assert_eq!(
        error.hint.as_deref(),
        Some("Add conditions on the partition columns \"n\", or narrow their projection ranges.")
    );
    let unsorted = projection(&[("n", "string")], &range);
    assert_eq!(values(&unsorted, &[is_in(0, &["5", "05"])]), ["5"]);
    assert_eq!(unsorted.partitions(&[between(0, "5", "6")], now()).unwrap_err().kind, ErrorKind::LimitExceeded);

    let seconds = projection(
        &[("s", "timestamp")],
        &[
            ("projection.s.type", "date"),
            ("projection.s.format", "yyyyMMddHHmmss"),
            ("projection.s.range", "19000101000000,NOW"),
            ("projection.s.interval", "10"),
            ("projection.s.interval.unit", "SECONDS"),
        ],
    );
    assert_eq!(values(&seconds, &[is_in(0, &["2020-01-01 00:00:10", "2020-01-01 00:00:11"])]), ["2020-01-01 00:00:10"]);
    assert_eq!(values(&seconds, &[between(0, "2021-03-04 15:06:00", "")]), ["2021-03-04 15:06:00"]);
}

#[test]
fn conditions_compare_as_the_type_does() {
    let pairs = [("projection.n.type", "integer"), ("projection.n.range", "8,12")];
    let texts = projection(&[("n", "string")], &pairs);
    assert_eq!(values(&texts, &[between(0, "10", "8")]), ["8", "10", "11", "12"]);
    let numbers = projection(&[("n", "int")], &pairs);
    assert_eq!(values(&numbers, &[between(0, "", "09")]), ["8", "9"]);
    assert_eq!(values(&numbers, &[is_in(0, &["8", "9", "11"]), between(0, "9", "")]), ["9", "11"]);
    let condition = |condition| PartitionFilter { key: 0, condition };
    assert!(values(&numbers, &[condition(PartitionCondition::IsNull)]).is_empty());
    assert_eq!(values(&numbers, &[condition(PartitionCondition::IsNotNull)]).len(), 5);
    let excluded = PartitionCondition::Range(Bound::Excluded("8".into()), Bound::Excluded("10".into()));
    assert_eq!(values(&numbers, &[condition(excluded)]), ["9"]);
    let enums = projection(&[("e", "string")], &[("projection.e.type", "enum"), ("projection.e.values", "A,B, C,B")]);
    assert_eq!(values(&enums, &[]), ["A", "B", " C"]);
    assert_eq!(values(&enums, &[is_in(0, &["C", "B"])]), ["B"]);
}

#[test]
fn injected_columns_need_their_values() {
    let injected = projection(&[("id", "string")], &[("projection.id.type", "injected")]);
    let error = injected.partitions(&[between(0, "a", "b")], now()).unwrap_err();
    assert_eq!(
        error.message,
        "a static equality predicate on the partition column \"id\" is required (projection type injected)"
    );
    assert_eq!(values(&injected, &[is_in(0, &["b", "a", "b"])]), ["a", "b"]);
    assert_eq!(values(&injected, &[is_in(0, &["a", "b"]), is_in(0, &["b", "c"])]), ["b"]);
}

#[test]
fn errors_name_property_and_value() {
    let n = [("n", "int")];
    for (pairs, message) in [
        (vec![], "table property \"projection.n.type\" is missing"),
        (vec![("projection.n.type", "list")], "invalid value \"list\" for table property \"projection.n.type\""),
        (vec![("projection.n.type", "integer")], "table property \"projection.n.range\" is missing"),
        (
            vec![("projection.n.type", "integer"), ("projection.n.range", "1-10")],
            "invalid value \"1-10\" for table property \"projection.n.range\"",
        ),
        (
            vec![("projection.n.type", "integer"), ("projection.n.range", "1,10"), ("projection.n.interval", "0")],
            "invalid value \"0\" for table property \"projection.n.interval\"",
        ),
        (vec![("projection.n.type", "enum")], "table property \"projection.n.values\" is missing"),
        (
            vec![
                ("projection.n.type", "date"),
                ("projection.n.format", "yyyy-ww"),
                ("projection.n.range", "2020-01,NOW"),
            ],
            "invalid value \"yyyy-ww\" for table property \"projection.n.format\"",
        ),
        (
            vec![
                ("projection.n.type", "date"),
                ("projection.n.format", "yyyy"),
                ("projection.n.range", "2021,NOW-1FORTNIGHT"),
            ],
            "invalid value \"2021,NOW-1FORTNIGHT\" for table property \"projection.n.range\"",
        ),
        (
            vec![
                ("projection.n.type", "date"),
                ("projection.n.format", "yyyyMMddHH"),
                ("projection.n.range", "2021010100,NOW"),
            ],
            "table property \"projection.n.interval\" is missing",
        ),
        (
            vec![("projection.n.type", "injected"), ("storage.location.template", "s3://b/${m}/")],
            "invalid value \"s3://b/${m}/\" for table property \"storage.location.template\"",
        ),
        (
            vec![("projection.n.type", "injected"), ("storage.location.template", "s3://b/")],
            "invalid value \"s3://b/\" for table property \"storage.location.template\"",
        ),
    ] {
        assert_eq!(error(&n, &pairs), message);
    }
}
