//! Policies and matches: a case each. What is right: AWS Glue's developer guide, "Setting crawler configuration
//! options" and "Scheduling incremental crawls for adding new partitions", and issue 3.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::crawl::{Folder, Tree};
use crate::lake::location::Location;
use millrace_catalog::model::{Column, CrawlerTarget, HiveType, Parameters, StorageDescriptor};

const LAKE: &str = "s3://b/lake";

fn crawler() -> Crawler {
    Crawler {
        name: "c".to_owned(),
        version: 1,
        database: "d".to_owned(),
        targets: vec![CrawlerTarget { path: LAKE.to_owned(), ..CrawlerTarget::default() }],
        classifiers: vec![],
        table_prefix: String::new(),
        table_level: None,
        grouping: millrace_catalog::model::TableGrouping::default(),
        update_behavior: UpdateBehavior::default(),
        delete_behavior: DeleteBehavior::default(),
        recrawl_behavior: RecrawlBehavior::default(),
        create_time_ms: 0,
        update_time_ms: 0,
    }
}

fn column(text: &str) -> Column {
    let (name, data_type) = text.split_once(' ').unwrap();
    Column::new(name, data_type.parse().unwrap())
}

fn columns(text: &str) -> Vec<Column> {
    text.split(", ").filter(|text| !text.is_empty()).map(column).collect()
}

fn parameters(pairs: &[(&str, &str)]) -> Parameters {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn found(name: &str, text: &str) -> FoundTable {
    FoundTable {
        name: name.to_owned(),
        storage: StorageDescriptor {
            columns: columns(text),
            location: Some(format!("{LAKE}/{name}")),
            ..StorageDescriptor::default()
        },
        partition_keys: vec![],
        partitions: vec![],
        parameters: parameters(&[("classification", "csv"), ("recordCount", "2")]),
        statistics: None,
        reasons: vec![],
        notes: vec![],
    }
}

fn partition(value: &str) -> FoundPartition {
    let partition = Partition {
        values: vec![Some(value.to_owned())],
        location: format!("{LAKE}/t/m={value}"),
        storage: None,
        parameters: Parameters::new(),
        create_time_ms: 7,
    };
    FoundPartition { partition, statistics: None }
}

fn partitioned(values: &[&str]) -> FoundTable {
    FoundTable {
        partition_keys: columns("m int"),
        partitions: values.iter().map(|value| partition(value)).collect(),
        ..found("t", "a int")
    }
}

/// The table as this crawler made it of what it found.
fn made(id: i64, found: &FoundTable) -> Known {
    let mut table = Table {
        id,
        database: "d".to_owned(),
        name: found.name.clone(),
        version: 3,
        kind: TableKind::ExternalTable,
        description: Some("by hand".to_owned()),
        owner: None,
        storage: found.storage.clone(),
        partition_keys: found.partition_keys.clone(),
        parameters: found.parameters.clone(),
        create_time_ms: 1,
        update_time_ms: 1,
    };
    sign(&mut table.parameters, "c");
    let partitions = found.partitions.iter().map(|part| part.partition.clone()).collect();
    Known { table: Arc::new(table), partitions }
}

fn with(known: Known, change: impl FnOnce(&mut Table)) -> Known {
    let mut table = Table::clone(&known.table);
    change(&mut table);
    Known { table: Arc::new(table), partitions: known.partitions }
}

/// The lake with data in these folders.
fn seen(folders: &[&str]) -> Places {
    let mut root = Folder::default();
    for path in folders {
        let mut at = &mut root;
        for name in path.split('/') {
            let index = at.folders.iter().position(|folder| folder.name == name).unwrap_or_else(|| {
                at.folders.push(Folder { name: name.to_owned(), ..Folder::default() });
                at.folders.len() - 1
            });
            at = &mut at.folders[index];
        }
        at.file_count = 1;
    }
    let mut places = Places::default();
    places.add(&Tree { location: Location::literal(LAKE).unwrap(), root, skipped: vec![], unreadable: vec![] });
    places
}

fn run(crawler: &Crawler, found: Vec<FoundTable>, known: &[Known], places: &Places) -> Comparison {
    let taken = known.iter().map(|known| known.table.name.clone()).collect();
    compare(found, vec![], Situation { crawler, now_ms: 42, database_exists: true, known, taken, places })
}

fn only(comparison: &Comparison) -> (Action, &str, &str) {
    assert_eq!(comparison.outcomes.len(), 1, "{:?}", comparison.outcomes);
    let outcome = &comparison.outcomes[0];
    (outcome.action, &outcome.table, &outcome.note)
}

fn updated(comparison: &Comparison) -> &Table {
    comparison
        .changes
        .iter()
        .find_map(|change| if let TableChange::Update { table, .. } = change { Some(table) } else { None })
        .unwrap()
}

fn shown(columns: &[Column]) -> String {
    columns.iter().map(|column| format!("{} {}", column.name, column.data_type)).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_new_table_is_signed_and_its_database_made() {
    let crawler = crawler();
    let places = seen(&["t"]);
    let situation = Situation {
        crawler: &crawler,
        now_ms: 42,
        database_exists: false,
        known: &[],
        taken: HashSet::new(),
        places: &places,
    };
    let comparison = compare(vec![partitioned(&["1", "2"])], vec![], situation);
    assert!(matches!(&comparison.changes[0], TableChange::CreateDatabase(database) if database.name == "d"));
    let TableChange::Create { table, partitions, .. } = &comparison.changes[1] else { panic!() };
    assert_eq!((table.database.as_str(), table.name.as_str(), partitions.len()), ("d", "t", 2));
    for (key, value) in [(UPDATED_BY, "c"), ("CrawlerSchemaSerializerVersion", "1.0"), ("classification", "csv")] {
        assert_eq!(table.parameters.get(key).map(String::as_str), Some(value));
    }
    assert_eq!((comparison.metrics.tables_created, comparison.metrics.partitions_created), (1, 2));
    assert_eq!(comparison.outcomes[0].partitions_added, 2);
    assert!(comparison.messages.iter().any(|message| message.text.contains("database \"d\"")));
}

#[test]
fn the_same_again_changes_nothing() {
    let table = partitioned(&["1"]);
    let comparison = run(&crawler(), vec![table.clone()], &[made(5, &table)], &seen(&["t/m=1"]));
    assert_eq!(only(&comparison), (Action::Unchanged, "t", ""));
    assert!(comparison.changes.is_empty());
}

#[test]
fn columns_change_under_each_policy() {
    let old = made(5, &found("t", "a int, b string, gone date"));
    let old = with(old, |table| table.storage.columns[0].comment = Some("kept".to_owned()));
    let new = found("t", "a bigint, b string, c double");
    for (behavior, action, columns, note) in [
        (
            UpdateBehavior::UpdateInDatabase,
            Action::Updated,
            Some("a bigint, b string, c double"),
            "changed \"a\" from int to bigint, added \"c\" double, removed \"gone\"",
        ),
        (
            UpdateBehavior::AddNewColumnsOnly,
            Action::Updated,
            Some("a int, b string, gone date, c double"),
            "new columns only were added of: changed \"a\" from int to bigint, added \"c\" double, removed \"gone\"",
        ),
        (
            UpdateBehavior::Log,
            Action::Logged,
            None,
            "left alone: changed \"a\" from int to bigint, added \"c\" double, removed \"gone\"",
        ),
    ] {
        let crawler = Crawler { update_behavior: behavior, ..crawler() };
        let comparison = run(&crawler, vec![new.clone()], std::slice::from_ref(&old), &seen(&["t"]));
        assert_eq!(only(&comparison), (action, "t", note));
        match columns {
            Some(columns) => {
                let table = updated(&comparison);
                assert_eq!(shown(&table.storage.columns), columns);
                assert_eq!(table.storage.columns[0].comment.as_deref(), Some("kept"));
                assert_eq!((table.id, table.version, table.description.as_deref()), (5, 3, Some("by hand")));
            }
            None => assert!(comparison.changes.is_empty()),
        }
        assert_eq!(comparison.metrics.tables_updated, u64::from(columns.is_some()));
    }
}

#[test]
fn another_format_takes_its_parameters_along() {
    let old = with(made(5, &found("t", "a int")), |table| {
        table.storage.serde.library = "text".to_owned();
        table.parameters.extend(parameters(&[("skip.header.line.count", "1"), ("mine", "x")]));
    });
    let mut new = found("t", "a int");
    new.parameters = parameters(&[("classification", "parquet")]);
    let comparison = run(&crawler(), vec![new], &[old], &seen(&["t"]));
    assert_eq!(only(&comparison).2, "changed the format from csv to parquet");
    let table = updated(&comparison);
    assert_eq!(table.parameters.get("skip.header.line.count"), None);
    assert_eq!(table.parameters.get("mine").map(String::as_str), Some("x"));
    assert_eq!(table.parameters.get("classification").map(String::as_str), Some("parquet"));
}

#[test]
fn a_hand_made_table_is_told_and_left() {
    let old = with(made(5, &found("t", "a int")), |table| table.parameters.clear());
    let comparison = run(&crawler(), vec![found("t", "a bigint")], &[old], &seen(&["t"]));
    assert_eq!(only(&comparison), (Action::Logged, "t", "it was not made by a crawler and is left alone"));
    assert!(comparison.changes.is_empty());
    assert!(comparison.messages[0].warning);
}

#[test]
fn a_taken_name_gets_a_suffix_and_keeps_it() {
    let elsewhere = with(made(5, &found("t", "a int")), |table| {
        table.storage.location = Some("s3://b/other/t".to_owned());
        table.parameters.clear();
    });
    let comparison = run(&crawler(), vec![found("t", "a int")], std::slice::from_ref(&elsewhere), &seen(&["t"]));
    assert_eq!(only(&comparison), (Action::Created, "t_2", "the name \"t\" is taken"));
    let again = with(made(6, &found("t", "a int")), |table| table.name = "t_2".to_owned());
    let comparison = run(&crawler(), vec![found("t", "a int")], &[elsewhere, again], &seen(&["t"]));
    assert_eq!(only(&comparison), (Action::Unchanged, "t_2", ""));
}

#[test]
fn vanished_tables_follow_the_policy() {
    let old = made(5, &found("t", "a int"));
    for (behavior, action) in [
        (DeleteBehavior::DeprecateInDatabase, Action::Deprecated),
        (DeleteBehavior::DeleteFromDatabase, Action::Deleted),
        (DeleteBehavior::Log, Action::Logged),
    ] {
        let crawler = Crawler { delete_behavior: behavior, ..crawler() };
        let comparison = run(&crawler, vec![], std::slice::from_ref(&old), &seen(&["other"]));
        assert_eq!(only(&comparison), (action, "t", "its files are gone"));
        match (behavior, comparison.changes.first()) {
            (DeleteBehavior::DeprecateInDatabase, Some(TableChange::Update { table, .. })) => {
                assert_eq!(table.parameters.get(DEPRECATED_BY).map(String::as_str), Some("42"));
            }
            (DeleteBehavior::DeleteFromDatabase, Some(TableChange::Drop { table })) => assert_eq!(table.id, 5),
            (DeleteBehavior::Log, None) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(comparison.metrics.tables_deleted, u64::from(behavior != DeleteBehavior::Log));
    }
}

#[test]
fn only_what_could_be_listed_is_gone() {
    let old = made(5, &found("t", "a int"));
    let mut unreadable = seen(&["other"]);
    unreadable.add(&Tree {
        location: Location::literal(LAKE).unwrap(),
        root: Folder::default(),
        skipped: vec![],
        unreadable: vec![format!("{LAKE}/t")],
    });
    let comparison = run(&crawler(), vec![], std::slice::from_ref(&old), &unreadable);
    assert_eq!(only(&comparison).0, Action::Logged);
    // Files that no classifier knows any more are not gone either.
    let comparison = run(&crawler(), vec![], std::slice::from_ref(&old), &seen(&["t"]));
    assert_eq!(only(&comparison).0, Action::Logged);
    // Outside the targets that were listed nothing is said.
    let comparison = run(&crawler(), vec![], &[old], &Places::default());
    assert!(comparison.outcomes.is_empty() && comparison.changes.is_empty());
}

#[test]
fn another_crawlers_table_does_not_vanish() {
    let old = with(made(5, &found("t", "a int")), |table| sign(&mut table.parameters, "another"));
    let comparison = run(&crawler(), vec![], &[old], &seen(&["other"]));
    assert!(comparison.outcomes.is_empty() && comparison.changes.is_empty());
}

#[test]
fn files_that_are_back_end_the_deprecation() {
    let old = with(made(5, &found("t", "a int")), |table| {
        table.parameters.insert(DEPRECATED_BY.to_owned(), "1".to_owned());
    });
    for behavior in [UpdateBehavior::UpdateInDatabase, UpdateBehavior::Log] {
        let crawler = Crawler { update_behavior: behavior, ..crawler() };
        let comparison = run(&crawler, vec![found("t", "a int")], std::slice::from_ref(&old), &seen(&["t"]));
        assert_eq!(only(&comparison), (Action::Updated, "t", "its files are back"));
        assert!(!updated(&comparison).parameters.contains_key(DEPRECATED_BY));
    }
    // Gone still: nothing happens twice.
    let comparison = run(&crawler(), vec![], &[old], &seen(&["other"]));
    assert_eq!(only(&comparison).0, Action::Unchanged);
    assert!(comparison.changes.is_empty());
}

#[test]
fn partitions_are_the_same_when_their_values_are() {
    let comparison =
        run(&crawler(), vec![partitioned(&["1", "3"])], &[made(5, &partitioned(&["1"]))], &seen(&["t/m=1", "t/m=3"]));
    assert_eq!(only(&comparison), (Action::Updated, "t", ""));
    let TableChange::AddPartitions { partitions, .. } = &comparison.changes[0] else { panic!() };
    assert_eq!(partitions[0].partition.values, [Some("3".to_owned())]);
    // 01 and 1 are one partition of an int key; the folder's name is another, so its place changes.
    let comparison = run(&crawler(), vec![partitioned(&["01"])], &[made(5, &partitioned(&["1"]))], &seen(&["t/m=01"]));
    let [TableChange::ReplacePartitions { partitions, .. }] = &comparison.changes[..] else { panic!() };
    assert_eq!(partitions[0].partition.values, [Some("1".to_owned())]);
    assert_eq!(partitions[0].partition.location, format!("{LAKE}/t/m=01"));
}

#[test]
fn new_partitions_come_under_every_policy() {
    for behavior in [UpdateBehavior::UpdateInDatabase, UpdateBehavior::AddNewColumnsOnly, UpdateBehavior::Log] {
        let crawler = Crawler { update_behavior: behavior, ..crawler() };
        let places = seen(&["t/m=1", "t/m=2"]);
        let comparison = run(&crawler, vec![partitioned(&["1", "2"])], &[made(5, &partitioned(&["1"]))], &places);
        assert_eq!(comparison.metrics.partitions_created, 1, "{behavior:?}");
        assert_eq!(comparison.outcomes[0].partitions_added, 1);
    }
}

#[test]
fn vanished_partitions_follow_the_policy() {
    let known = made(5, &partitioned(&["1", "2"]));
    for (behavior, note) in [
        (DeleteBehavior::DeprecateInDatabase, "1 partition deprecated"),
        (DeleteBehavior::DeleteFromDatabase, "1 partition deleted"),
        (DeleteBehavior::Log, "1 partition left alone: the files are gone"),
    ] {
        let crawler = Crawler { delete_behavior: behavior, ..crawler() };
        let comparison = run(&crawler, vec![partitioned(&["1"])], std::slice::from_ref(&known), &seen(&["t/m=1"]));
        assert_eq!(only(&comparison).2, note);
        match (behavior, comparison.changes.first()) {
            (DeleteBehavior::DeprecateInDatabase, Some(TableChange::ReplacePartitions { partitions, .. })) => {
                let marked = partitions[0].partition.parameters.get(DEPRECATED_BY);
                assert_eq!(marked.map(String::as_str), Some("42"));
            }
            (DeleteBehavior::DeleteFromDatabase, Some(TableChange::DropPartitions { values, .. })) => {
                assert_eq!(values, &[vec![Some("2".to_owned())]]);
            }
            (DeleteBehavior::Log, None) => {}
            other => panic!("{other:?}"),
        }
    }
    // A partition whose files could not be told is kept.
    let comparison = run(&crawler(), vec![partitioned(&["1"])], &[known], &seen(&["t/m=1", "t/m=2"]));
    assert_eq!(only(&comparison), (Action::Unchanged, "t", ""));
}

#[test]
fn other_keys_make_the_partitions_anew() {
    let mut new = partitioned(&["1", "x"]);
    new.partition_keys = columns("m string");
    let known = made(5, &partitioned(&["1"]));
    let places = seen(&["t/m=1", "t/m=x"]);
    let comparison = run(&crawler(), vec![new.clone()], std::slice::from_ref(&known), &places);
    let [TableChange::Replace { table, partitions, .. }] = &comparison.changes[..] else { panic!() };
    assert_eq!((table.partition_keys[0].data_type.clone(), partitions.len()), (HiveType::String, 2));
    for behavior in [UpdateBehavior::Log, UpdateBehavior::AddNewColumnsOnly] {
        let crawler = Crawler { update_behavior: behavior, ..crawler() };
        let comparison = run(&crawler, vec![new.clone()], std::slice::from_ref(&known), &places);
        assert_eq!(only(&comparison).0, Action::Logged);
        assert!(comparison.changes.is_empty());
    }
}

#[test]
fn new_folders_only_changes_nothing_that_is_known() {
    let crawler = Crawler { recrawl_behavior: RecrawlBehavior::CrawlNewFoldersOnly, ..crawler() };
    let known = [made(5, &partitioned(&["1"])), made(6, &found("gone", "a int"))];
    let places = seen(&["t/m=1", "t/m=2"]);
    let situation = Situation {
        crawler: &crawler,
        now_ms: 42,
        database_exists: true,
        known: &known,
        taken: HashSet::new(),
        places: &places,
    };
    let comparison = compare(vec![], vec![(5, vec![partition("2")])], situation);
    let [TableChange::AddPartitions { table, partitions }] = &comparison.changes[..] else { panic!() };
    assert_eq!((table.id, partitions.len()), (5, 1));
    let actions: Vec<(Action, &str)> =
        comparison.outcomes.iter().map(|outcome| (outcome.action, outcome.table.as_str())).collect();
    assert_eq!(actions, [(Action::Logged, "gone"), (Action::Updated, "t")]);
}

#[test]
fn other_counts_are_an_update_but_not_under_log() {
    let old = made(5, &found("t", "a int"));
    let mut new = found("t", "a int");
    new.parameters.insert("recordCount".to_owned(), "9".to_owned());
    let comparison = run(&crawler(), vec![new.clone()], std::slice::from_ref(&old), &seen(&["t"]));
    assert_eq!(only(&comparison), (Action::Updated, "t", ""));
    assert_eq!(updated(&comparison).parameters.get("recordCount").map(String::as_str), Some("9"));
    let crawler = Crawler { update_behavior: UpdateBehavior::Log, ..crawler() };
    let comparison = run(&crawler, vec![new], &[old], &seen(&["t"]));
    assert_eq!(only(&comparison), (Action::Unchanged, "t", ""));
    assert!(comparison.changes.is_empty());
}

/// A table of a system and the sources of its columns.
fn of_system(text: &str, mapping: Option<&str>) -> FoundTable {
    let mut table = found("orders", text);
    table.storage.location = Some("dynamodb://Orders".to_owned());
    table.parameters = parameters(&[("classification", "dynamodb")]);
    table.parameters.extend(mapping.map(|mapping| ("columnMapping".to_owned(), mapping.to_owned())));
    table
}

fn mapping(table: &Table) -> Option<&str> {
    let mut named = table.parameters.iter().filter(|(name, _)| name.eq_ignore_ascii_case("columnMapping"));
    let one = named.next().map(|(_, mapping)| mapping.as_str());
    assert!(named.next().is_none(), "{:?}", table.parameters);
    one
}

#[test]
fn columns_of_a_system_keep_the_names_that_users_gave_them() {
    let found = of_system("id bigint, name string", Some("name=Name"));
    let named = of_system("id bigint, title string", Some(" title = name "));
    let comparison = run(&crawler(), vec![found.clone()], &[made(5, &named)], &seen(&[]));
    assert_eq!(only(&comparison), (Action::Unchanged, "orders", ""));
    // With what is new, under every policy that takes it.
    let more = of_system("age int, id bigint, name string", Some("age=Age,name=Name"));
    for (update, columns, sources) in [
        (UpdateBehavior::UpdateInDatabase, "age int, id bigint, title string", "age=Age,title=Name"),
        (UpdateBehavior::AddNewColumnsOnly, "id bigint, title string, age int", "age=Age,title=Name"),
    ] {
        let crawler = Crawler { update_behavior: update, ..crawler() };
        let known = with(made(5, &named), |table| {
            let text = table.parameters.remove("columnMapping").unwrap();
            table.parameters.insert("COLUMNMAPPING".to_owned(), text);
        });
        let comparison = run(&crawler, vec![more.clone()], &[known], &seen(&[]));
        assert_eq!(only(&comparison), (Action::Updated, "orders", "added \"age\" int"));
        let table = updated(&comparison);
        assert_eq!((shown(&table.storage.columns).as_str(), mapping(table)), (columns, Some(sources)));
        if update == UpdateBehavior::UpdateInDatabase {
            let again = Known { table: Arc::new(table.clone()), partitions: vec![] };
            assert_eq!(only(&run(&crawler, vec![more.clone()], &[again], &seen(&[]))).0, Action::Unchanged);
        }
    }
}

#[test]
fn a_column_that_a_user_mapped_is_not_taken_for_a_source_of_its_name() {
    let found = of_system("id bigint, city string, address super", None);
    let known = of_system("id bigint, city int", Some("city=address.zip"));
    let comparison = run(&crawler(), vec![found.clone()], &[made(5, &known)], &seen(&[]));
    assert_eq!(only(&comparison).2, "added \"city_2\" string, added \"address\" super");
    let table = updated(&comparison);
    assert_eq!(shown(&table.storage.columns), "id bigint, city int, city_2 string, address super");
    assert_eq!(mapping(table), Some("city=address.zip,city_2=city"));
    let again = Known { table: Arc::new(table.clone()), partitions: vec![] };
    assert_eq!(only(&run(&crawler(), vec![found], &[again], &seen(&[]))), (Action::Unchanged, "orders", ""));
}

#[test]
fn a_source_that_is_gone_is_told_where_another_takes_its_column() {
    let found = of_system("user_name string", Some("user_name=user.name"));
    let known = of_system("user_name string", None);
    let comparison = run(&crawler(), vec![found.clone()], &[made(5, &known)], &seen(&[]));
    let note = "changed the source of \"user_name\" from user_name to user.name";
    assert_eq!(only(&comparison), (Action::Updated, "orders", note));
    assert_eq!(mapping(updated(&comparison)), Some("user_name=user.name"));
    let additions = Crawler { update_behavior: UpdateBehavior::AddNewColumnsOnly, ..crawler() };
    let comparison = run(&additions, vec![found], &[made(5, &known)], &seen(&[]));
    assert_eq!(only(&comparison).0, Action::Logged);
}
