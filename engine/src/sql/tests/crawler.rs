//! What the parser makes of the statements of crawlers and classifiers.

use super::*;
use crate::sql::{CrawlerClauses, CrawlerStatement, Named, Show, TargetClause};
use millrace_catalog::model::{
    ClassifierKind, CsvHeader, DeleteBehavior, RecrawlBehavior, TableGrouping, UpdateBehavior,
};

fn crawler(text: &str, dialect: Dialect) -> CrawlerStatement {
    match one(text, dialect) {
        Statement::Crawler(statement) => *statement,
        other => panic!("{text}: {other:?}"),
    }
}

fn clauses(text: &str) -> CrawlerClauses {
    match crawler(&format!("ALTER CRAWLER c {text}"), Redshift) {
        CrawlerStatement::Alter { clauses, .. } => clauses,
        other => panic!("{text}: {other:?}"),
    }
}

fn classifier(text: &str, dialect: Dialect) -> ClassifierKind {
    match crawler(&format!("CREATE CLASSIFIER c {text}"), dialect) {
        CrawlerStatement::CreateClassifier { kind, .. } => kind,
        other => panic!("{text}: {other:?}"),
    }
}

fn named(name: &str, position: usize) -> Named {
    Named { name: name.to_owned(), position }
}

#[test]
fn a_crawler_has_every_clause_in_any_order() {
    let text = "CREATE CRAWLER IF NOT EXISTS \"Nightly\" RECRAWL NEW FOLDERS ONLY ON DELETE LOG ON UPDATE LOG \
                GROUPING COMBINE COMPATIBLE SCHEMAS TABLE LEVEL 3 TABLE PREFIX 'p_' CLASSIFIERS (A, b) \
                TARGETS ('s3://b/x' SAMPLE 249 EXCLUDE ('**.tmp', 'old/**'), \
                'dynamodb://y' SCAN RATE 0.5 CONNECTION Shop SCAN ALL FALSE) DATABASE D";
    let at = |part: &str| text.find(part).unwrap() + 1;
    for dialect in [Redshift, Athena] {
        let expected = CrawlerStatement::Create {
            name: named("nightly", at("\"Nightly\"")),
            if_not_exists: true,
            or_replace: false,
            clauses: CrawlerClauses {
                database: Some("d".to_owned()),
                targets: Some(vec![
                    TargetClause {
                        path: named("s3://b/x", at("'s3:")),
                        exclusions: vec![named("**.tmp", at("'**.tmp")), named("old/**", at("'old"))],
                        sample_size: Some(249),
                        connection: None,
                        scan_all: None,
                        scan_rate_percent: None,
                    },
                    TargetClause {
                        path: named("dynamodb://y", at("'dynamodb:")),
                        exclusions: vec![],
                        sample_size: None,
                        connection: Some(named("shop", at("Shop"))),
                        scan_all: Some(false),
                        scan_rate_percent: Some(50),
                    },
                ]),
                classifiers: Some(vec![named("a", at("A, b")), named("b", at("b) "))]),
                table_prefix: Some(named("p_", at("'p_'"))),
                table_level: Some(3),
                grouping: Some(TableGrouping::CombineCompatibleSchemas),
                update_behavior: Some(UpdateBehavior::Log),
                delete_behavior: Some(DeleteBehavior::Log),
                recrawl_behavior: Some(RecrawlBehavior::CrawlNewFoldersOnly),
            },
        };
        assert_eq!(crawler(text, dialect), expected);
    }
}

#[test]
fn policies_have_the_issues_words() {
    for (text, expected) in [
        ("ON UPDATE UPDATE IN DATABASE", UpdateBehavior::UpdateInDatabase),
        ("ON UPDATE ADD NEW COLUMNS ONLY", UpdateBehavior::AddNewColumnsOnly),
        ("ON UPDATE LOG", UpdateBehavior::Log),
    ] {
        assert_eq!(clauses(text).update_behavior, Some(expected), "{text}");
    }
    for (text, expected) in [
        ("ON DELETE DEPRECATE", DeleteBehavior::DeprecateInDatabase),
        ("ON DELETE DELETE", DeleteBehavior::DeleteFromDatabase),
        ("ON DELETE DELETE FROM DATABASE", DeleteBehavior::DeleteFromDatabase),
        ("ON DELETE LOG", DeleteBehavior::Log),
    ] {
        assert_eq!(clauses(text).delete_behavior, Some(expected), "{text}");
    }
    assert_eq!(clauses("RECRAWL EVERYTHING").recrawl_behavior, Some(RecrawlBehavior::CrawlEverything));
    assert_eq!(clauses("GROUPING SIMILAR SCHEMAS").grouping, Some(TableGrouping::SimilarSchemas));
}

#[test]
fn the_short_statements() {
    for dialect in [Redshift, Athena] {
        for (text, expected) in [
            ("START CRAWLER C", CrawlerStatement::Start(named("c", 15))),
            ("STOP CRAWLER c", CrawlerStatement::Stop(named("c", 14))),
            ("EXPLAIN CRAWLER c", CrawlerStatement::Explain(named("c", 17))),
            ("DROP CRAWLER c", CrawlerStatement::Drop { name: named("c", 14), if_exists: false }),
            ("DROP CRAWLER IF EXISTS c", CrawlerStatement::Drop { name: named("c", 24), if_exists: true }),
            ("DROP CLASSIFIER c", CrawlerStatement::DropClassifier { name: named("c", 17), if_exists: false }),
        ] {
            assert_eq!(crawler(text, dialect), expected, "{text}");
        }
        for (text, expected) in [
            ("SHOW CRAWLERS", Show::Crawlers { like: None }),
            ("SHOW CRAWLERS LIKE 'a*'", Show::Crawlers { like: Some("a*".to_owned()) }),
            ("SHOW CRAWLER RUNS", Show::CrawlerRuns { crawler: None, limit: None }),
            ("SHOW CRAWLER RUNS C LIMIT 5", Show::CrawlerRuns { crawler: Some("c".to_owned()), limit: Some(5) }),
            ("SHOW CRAWLER RUNS LIMIT 1", Show::CrawlerRuns { crawler: None, limit: Some(1) }),
            ("SHOW CLASSIFIERS", Show::Classifiers { like: None }),
        ] {
            let Statement::Show(show) = one(text, dialect) else { panic!("{text}") };
            assert_eq!(show, expected, "{text}");
        }
    }
}

#[test]
fn classifiers_have_three_kinds() {
    assert_eq!(
        classifier("GROK PATTERN '%{IP:ip}' CLASSIFICATION 'web' CUSTOM PATTERNS $$ID \\d+$$", Redshift),
        ClassifierKind::Grok {
            classification: "web".to_owned(),
            pattern: "%{IP:ip}".to_owned(),
            custom_patterns: Some("ID \\d+".to_owned()),
        }
    );
    assert_eq!(
        classifier("JSON PATH '$.records[*]'", Athena),
        ClassifierKind::Json { path: "$.records[*]".to_owned() }
    );
    let csv = |delimiter, quote, columns: &[&str], types: &[&str]| ClassifierKind::Csv {
        delimiter,
        quote,
        header: CsvHeader::Absent,
        columns: columns.iter().map(|&name| name.to_owned()).collect(),
        types: types.iter().map(|&name| name.to_owned()).collect(),
        keep_blanks: true,
        allow_single_column: true,
    };
    let rest = "HEADER ABSENT KEEP BLANKS ALLOW SINGLE COLUMN";
    assert_eq!(
        classifier(&format!("CSV DELIMITER '|' QUOTE '\"' {rest} COLUMNS (A, b)"), Redshift),
        csv(Some('|'), Some('"'), &["a", "b"], &[])
    );
    for dialect in [Redshift, Athena] {
        assert_eq!(
            classifier(&format!("CSV {rest} COLUMNS (a int, b decimal(10,2)) DELIMITER '\\t'"), dialect),
            csv(Some('\t'), None, &["a", "b"], &["int", "decimal(10,2)"])
        );
    }
    assert_eq!(
        crawler("CREATE OR REPLACE CLASSIFIER j JSON PATH '$'", Redshift),
        CrawlerStatement::CreateClassifier {
            name: named("j", 30),
            if_not_exists: false,
            or_replace: true,
            kind: ClassifierKind::Json { path: "$".to_owned() },
        }
    );
}

#[test]
fn what_is_not_there_yet_is_refused_by_name() {
    refuses(
        Redshift,
        &[
            ("ALTER CRAWLER c SCHEDULE 'cron(0 1 * * ? *)'", "SCHEDULE of a crawler", 17),
            ("CREATE CLASSIFIER x XML", "an XML classifier", 21),
        ],
    );
}

// Glue, CrawlerTargets: SampleSize is 1 to 249.
#[test]
fn bad_values_have_their_place() {
    for (text, kind, near, position) in [
        ("CREATE CRAWLER c DATABASE d TARGETS ('x' SAMPLE 0)", ErrorKind::InvalidParameter, "\"0\"", 49),
        ("CREATE CRAWLER c DATABASE d TARGETS ('x' SAMPLE 250)", ErrorKind::InvalidParameter, "249", 49),
        ("ALTER CRAWLER c TABLE LEVEL 0", ErrorKind::InvalidParameter, "\"0\"", 29),
        ("ALTER CRAWLER c TABLE LEVEL -1", ErrorKind::InvalidParameter, "\"-1\"", 29),
        ("ALTER CRAWLER c", ErrorKind::Syntax, "end of input", 16),
        ("CREATE CRAWLER c TARGETS ('x')", ErrorKind::Syntax, "end of input", 31),
        ("CREATE CRAWLER c DATABASE d", ErrorKind::Syntax, "end of input", 28),
        ("CREATE CRAWLER c DATABASE d TARGETS ()", ErrorKind::Syntax, "\")\"", 38),
        ("ALTER CRAWLER c ON UPDATE LOG ON UPDATE LOG", ErrorKind::Syntax, "redundant", 31),
        ("ALTER CRAWLER c ON UPDATE DELETE", ErrorKind::Syntax, "\"DELETE\"", 27),
        ("CREATE CLASSIFIER c CSV DELIMITER 'ab'", ErrorKind::InvalidParameter, "one character", 35),
        ("CREATE CLASSIFIER c CSV COLUMNS (a, a)", ErrorKind::DuplicateColumn, "\"a\"", 37),
        ("CREATE CLASSIFIER c GROK PATTERN 'x'", ErrorKind::Syntax, "end of input", 37),
        ("SHOW CRAWLER RUNS LIMIT 0", ErrorKind::InvalidParameter, "\"0\"", 25),
        ("STOP c", ErrorKind::Syntax, "\"c\"", 6),
    ] {
        let error = error(text, Redshift);
        assert_eq!((error.kind, error.position), (kind, Some(position)), "{text}: {error}");
        assert!(error.message.contains(near), "{text}: {error}");
    }
}
