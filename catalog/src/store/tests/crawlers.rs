//! Crawlers and classifiers: definitions.

use super::*;
use crate::model::{Classifier, ClassifierKind, CrawlerTarget, CsvHeader, TableGrouping, UpdateBehavior};

fn classifier(name: &str) -> Classifier {
    Classifier { name: name.to_owned(), kind: ClassifierKind::Json { path: "$[*]".to_owned() }, create_time_ms: 0 }
}

#[tokio::test]
async fn crawlers_come_back_as_they_were_stored() {
    let place = Place::new().await;
    let catalog = &place.catalog;
    catalog.create_classifier(&classifier("k"), false).await.unwrap();
    let wanted = Crawler {
        targets: vec![CrawlerTarget {
            path: "s3://bucket/lake/".to_owned(),
            exclusions: vec!["**.tmp".to_owned()],
            sample_size: Some(3),
            connection: Some("shop".to_owned()),
            scan_all: Some(false),
            scan_rate_percent: Some(50),
        }],
        classifiers: vec!["k".to_owned()],
        table_prefix: "p_".to_owned(),
        table_level: Some(2),
        grouping: TableGrouping::CombineCompatibleSchemas,
        update_behavior: UpdateBehavior::AddNewColumnsOnly,
        create_time_ms: 5,
        update_time_ms: 6,
        ..crawler("c")
    };
    let made = catalog.create_crawler(&wanted, false).await.unwrap().unwrap();
    assert_eq!(made, Crawler { version: 1, ..wanted.clone() });
    assert_eq!(catalog.crawler("c").await.unwrap(), Some(made.clone()));
    assert_eq!(catalog.create_crawler(&wanted, true).await.unwrap(), None);
    assert_eq!(message(catalog.create_crawler(&wanted, false).await), "crawler \"c\" already exists");
    let first = catalog.create_crawler(&crawler("a"), false).await.unwrap().unwrap();
    assert!(first.create_time_ms > 1_600_000_000_000 && first.update_time_ms == first.create_time_ms);
    assert_eq!(place.another().await.crawlers().await.unwrap(), [first, made]);
    assert_eq!(catalog.crawler("x").await.unwrap(), None);

    let aimless = Crawler { targets: Vec::new(), ..crawler("d") };
    assert_eq!(message(catalog.create_crawler(&aimless, false).await), "crawler \"d\" has no targets");
    let nameless = Crawler { database: String::new(), ..crawler("d") };
    assert!(message(catalog.create_crawler(&nameless, false).await).contains("must not be empty"));
    let unknown = Crawler { classifiers: vec!["k".to_owned(), "l".to_owned()], ..crawler("d") };
    let error = catalog.create_crawler(&unknown, false).await.unwrap_err();
    assert!(matches!(&error, CatalogError::NotFound { kind: "classifier", name } if name == "l"), "{error}");
    assert_eq!(catalog.crawler("d").await.unwrap(), None);
}

#[tokio::test]
async fn crawlers_change_from_the_version_that_was_read() {
    let place = Place::new().await;
    let catalog = &place.catalog;
    let first = catalog.create_crawler(&crawler("c"), false).await.unwrap().unwrap();
    let wanted = Crawler { table_prefix: "p_".to_owned(), create_time_ms: 0, ..first.clone() };
    let second = catalog.update_crawler(&wanted).await.unwrap();
    assert_eq!((second.version, second.table_prefix.as_str()), (2, "p_"));
    assert_eq!(second.create_time_ms, first.create_time_ms);
    assert_eq!(catalog.crawler("c").await.unwrap(), Some(second.clone()));
    let error = place.another().await.update_crawler(&wanted).await.unwrap_err();
    assert!(matches!(error, CatalogError::Conflict(_)));
    assert_eq!(error.to_string(), "crawler \"c\" was changed by another session");
    let unknown = Crawler { classifiers: vec!["k".to_owned()], ..second.clone() };
    assert_eq!(message(catalog.update_crawler(&unknown).await), "classifier \"k\" does not exist");
    assert_eq!(message(catalog.update_crawler(&crawler("x")).await), "crawler \"x\" does not exist");
    assert_eq!(catalog.drop_crawler("c").await.unwrap(), second);
    assert_eq!(message(catalog.drop_crawler("c").await), "crawler \"c\" does not exist");
    assert_eq!(catalog.crawlers().await.unwrap(), []);
}

#[tokio::test]
async fn a_running_crawler_is_neither_changed_nor_dropped() {
    let place = Place::new().await;
    let catalog = &place.catalog;
    let made = catalog.create_crawler(&crawler("c"), false).await.unwrap().unwrap();
    catalog.create_crawler(&crawler("d"), false).await.unwrap();
    let run = catalog.start_crawl("c").await.unwrap();
    let other = place.another().await;
    for asked in [false, true] {
        if asked {
            other.stop_crawl("c").await.unwrap();
        }
        for error in [other.update_crawler(&made).await.unwrap_err(), other.drop_crawler("c").await.unwrap_err()] {
            assert!(matches!(&error, CatalogError::InvalidArgument(m) if m == "crawler \"c\" is running"), "{error}");
        }
    }
    other.drop_crawler("d").await.unwrap();
    catalog.finish_crawl(&ended(&run, CrawlStatus::Cancelled), &[]).await.unwrap();
    let made = other.update_crawler(&made).await.unwrap();
    catalog.start_crawl("c").await.unwrap();
    age(catalog, 61).await;
    other.update_crawler(&made).await.unwrap();
    other.drop_crawler("c").await.unwrap();
    assert_eq!(catalog.crawls(None, 10).await.unwrap(), [], "the runs go with their crawler");
}

#[tokio::test]
async fn classifiers_come_back_as_they_were_stored() {
    let place = Place::new().await;
    let catalog = &place.catalog;
    let grok = ClassifierKind::Grok {
        classification: "log".to_owned(),
        pattern: "%{WORD:w} %{MINE:m}".to_owned(),
        custom_patterns: Some("MINE \\d+".to_owned()),
    };
    let csv = ClassifierKind::Csv {
        delimiter: Some('\u{1}'),
        quote: None,
        header: CsvHeader::Absent,
        columns: vec!["a".to_owned()],
        types: vec!["decimal(9,2)".to_owned()],
        keep_blanks: true,
        allow_single_column: true,
    };
    let mut made = Vec::new();
    for (name, kind) in [("c", csv), ("g", grok), ("j", classifier("j").kind)] {
        let wanted = Classifier { name: name.to_owned(), kind, create_time_ms: 7 };
        assert_eq!(catalog.create_classifier(&wanted, false).await.unwrap(), Some(wanted.clone()));
        assert_eq!(catalog.classifier(name).await.unwrap(), Some(wanted.clone()));
        made.push(wanted);
    }
    assert_eq!(place.another().await.classifiers().await.unwrap(), made);
    assert_eq!(catalog.create_classifier(&classifier("j"), true).await.unwrap(), None);
    assert_eq!(message(catalog.create_classifier(&classifier("j"), false).await), "classifier \"j\" already exists");
    assert!(catalog.create_classifier(&classifier("n"), false).await.unwrap().unwrap().create_time_ms > 7);

    let changed = Classifier { kind: ClassifierKind::Json { path: "$.records[*]".to_owned() }, ..classifier("j") };
    let stored = catalog.update_classifier(&changed).await.unwrap();
    assert_eq!(stored, Classifier { create_time_ms: 7, ..changed });
    assert_eq!(catalog.classifier("j").await.unwrap(), Some(stored.clone()));
    assert_eq!(message(catalog.update_classifier(&classifier("x")).await), "classifier \"x\" does not exist");

    let user = Crawler { classifiers: vec!["g".to_owned(), "j".to_owned()], ..crawler("c") };
    catalog.create_crawler(&user, false).await.unwrap();
    let error = catalog.drop_classifier("j").await.unwrap_err();
    assert!(matches!(error, CatalogError::InvalidArgument(_)));
    assert_eq!(error.to_string(), "classifier \"j\" is used by crawler \"c\"");
    catalog.drop_crawler("c").await.unwrap();
    assert_eq!(catalog.drop_classifier("j").await.unwrap(), stored);
    assert_eq!(message(catalog.drop_classifier("j").await), "classifier \"j\" does not exist");
}
