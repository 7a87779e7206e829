//! Lines of programs' logs through whole scans.
#![allow(clippy::unwrap_used)]

use super::PatternOptions;
use super::grok::Grok;
use crate::error::{ErrorKind, Result};
use crate::lake::hive_classes::{CONTRIB_REGEX_SERDE, GROK_SERDE, REGEX_SERDE};
use crate::lake::records::testing::{Scan, schema};
use arrow::datatypes::DataType;
use millrace_catalog::model::{HiveType, Parameters, StorageDescriptor};

const STRING: DataType = DataType::Utf8View;

fn options(library: &str, serde: &[(&str, &str)]) -> Result<PatternOptions> {
    let mut storage = StorageDescriptor::default();
    storage.serde.library = library.to_owned();
    storage.serde.parameters = serde.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    PatternOptions::from_serde(&storage, &Parameters::new())
}

/// The example of Apache's documentation of its log formats, and a line as a client may send it.
const COMBINED: &str = r#"127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326 "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"
2001:db8::1 - - [10/Oct/2000:13:55:37 -0700] "\x16\x03" 400 - "-" "-"
not a log line
"#;

#[tokio::test]
async fn combined_apache_log() {
    let grok = options(GROK_SERDE, &[("input.format", "%{COMBINEDAPACHELOG}")]).unwrap();
    let table = schema(&[
        ("clientip", STRING),
        ("auth", STRING),
        ("timestamp", STRING),
        ("verb", STRING),
        ("request", STRING),
        ("httpversion", DataType::Float32),
        ("rawrequest", STRING),
        ("response", DataType::Int32),
        ("bytes", DataType::Int64),
        ("agent", STRING),
    ]);
    let mut scan = Scan::new(grok, table, "access.log", COMBINED.as_bytes());
    assert_eq!(
        scan.rows().await.unwrap(),
        [
            "127.0.0.1 | frank | 10/Oct/2000:13:55:36 -0700 | GET | /apache_pb.gif | 1.0 | NULL | 200 | 2326 | \
             \"Mozilla/4.08 [en] (Win98; I ;Nav)\"",
            "2001:db8::1 | - | 10/Oct/2000:13:55:37 -0700 | NULL | NULL | NULL | \\x16\\x03 | 400 | NULL | \"-\"",
            "NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL",
        ]
    );
    scan.projection = Some(vec![7]);
    assert_eq!(scan.rows().await.unwrap(), ["200", "400", "NULL"]);
    scan.projection = Some(vec![]);
    assert_eq!(scan.output_rows().await, 3);
    scan.projection = None;
    let whole = scan.rows().await.unwrap();
    let size = scan.bytes.len() as i64;
    scan.ranges = vec![(0, 100), (100, 101), (101, size)];
    assert_eq!(scan.rows().await.unwrap(), whole);
}

/// The first example of Athena's page on the Grok SerDe: a pattern without a field is the column of its name.
#[tokio::test]
async fn postfix_log_of_athena() {
    let grok = options(
        GROK_SERDE,
        &[
            ("input.grokCustomPatterns", "POSTFIX_QUEUEID [0-9A-F]{7,12}"),
            ("input.format", "%{SYSLOGBASE} %{POSTFIX_QUEUEID:queue_id}: %{GREEDYDATA:syslog_message}"),
        ],
    )
    .unwrap();
    let table = schema(&[("syslogbase", STRING), ("queue_id", STRING), ("syslog_message", STRING)]);
    let file = b"Feb  9 07:15:00 m4eastmail postfix/smtpd[19305]: B88C4120838: connect from unknown[192.168.55.4]\n";
    assert_eq!(
        Scan::new(grok, table, "maillog", file).rows().await.unwrap(),
        ["Feb  9 07:15:00 m4eastmail postfix/smtpd[19305]: | B88C4120838 | connect from unknown[192.168.55.4]"]
    );
}

#[tokio::test]
async fn regular_expressions() {
    let table = schema(&[("a", STRING), ("n", DataType::Int32), ("rest", STRING), ("none", STRING)]);
    for library in [REGEX_SERDE, CONTRIB_REGEX_SERDE] {
        let regex = options(library, &[("input.regex", r"^(?!#)(\w+) (\S+)(?: (.*))?$")]).unwrap();
        let file = b"ann 1 x y\r\nbob many\n# c 2\ntoo\n\xff 5\n";
        assert_eq!(
            Scan::new(regex, table.clone(), "a.log", file).rows().await.unwrap(),
            [
                "ann | 1 | x y | NULL",
                "bob | NULL | NULL | NULL",
                "NULL | NULL | NULL | NULL",
                "NULL | NULL | NULL | NULL",
                "NULL | NULL | NULL | NULL",
            ]
        );
    }
    let regex = options(
        REGEX_SERDE,
        &[("input.regex", "a(.)b(.*)"), ("input.regex.case.insensitive", "true"), ("invalid.values", "error")],
    )
    .unwrap();
    let scan = Scan::new(regex, table, "a.log", b"AxB1\nxaxb1\nayb-\n");
    let error = scan.error().await;
    assert_eq!(error.kind, ErrorKind::InvalidText);
    assert_eq!(error.detail.unwrap(), "file \"s3://bucket/a.log\", line 3");
}

#[test]
fn properties_and_patterns_that_are_refused() {
    for (library, serde, kind) in [
        (GROK_SERDE, vec![], ErrorKind::InvalidParameter),
        (GROK_SERDE, vec![("input.format", "%{NOSUCH:x}")], ErrorKind::InvalidParameter),
        (GROK_SERDE, vec![("input.format", "%{INT:x:money}")], ErrorKind::InvalidParameter),
        (GROK_SERDE, vec![("input.format", "%{INT:x")], ErrorKind::InvalidParameter),
        (
            GROK_SERDE,
            vec![("input.format", "%{A:x}"), ("input.grokCustomPatterns", "A %{A}")],
            ErrorKind::InvalidParameter,
        ),
        (GROK_SERDE, vec![("input.format", "(?>a)%{INT:x}")], ErrorKind::Unsupported),
        (GROK_SERDE, vec![("input.format", "%{INT:x}"), ("input.other", "1")], ErrorKind::Unsupported),
        (REGEX_SERDE, vec![("input.format", "a")], ErrorKind::Unsupported),
        (REGEX_SERDE, vec![("input.regex", "(a)(?=b)")], ErrorKind::Unsupported),
    ] {
        assert_eq!(options(library, &serde).unwrap_err().kind, kind, "{serde:?}");
    }
}

#[test]
fn fields_and_their_types() {
    let grok = Grok::new(
        "%{WORD:Kind} (?:%{INT:n:int}|%{NUMBER:n:int})(?<tail>.*) %{SYSLOGPROG} %{NUMBER:share:double}",
        None,
    )
    .unwrap();
    let fields: Vec<_> = grok.fields().map(|field| (field.name.as_str(), field.data_type.clone())).collect();
    assert_eq!(
        fields,
        [
            ("Kind", HiveType::String),
            ("n", HiveType::Int),
            ("tail", HiveType::String),
            ("program", HiveType::String),
            ("pid", HiveType::String),
            ("share", HiveType::Double),
        ]
    );
    assert_eq!(grok.columns(&["kind", "share"]).unwrap(), [0, 6]);
    assert_eq!(grok.columns(&["a", "b", "c", "d", "e", "f"]).unwrap(), [0, 1, 2, 4, 5, 6]);
    assert_eq!(grok.columns(&["kind", "other"]).unwrap_err().kind, ErrorKind::InvalidParameter);
    let mut matcher = grok.matcher().unwrap();
    let line = "x 5! cron[12] 0.5";
    assert!(matcher.find(line).is_some());
    let value = |field| matcher.field(line, field);
    assert_eq!(
        [value(1), value(2), value(4), value(5), value(6)],
        [Some("5"), Some("!"), Some("cron"), Some("12"), Some("0.5")]
    );
}
