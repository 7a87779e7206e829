//! Searches read indexes, however many partitions there are.

use super::*;
use crate::store::lookup::{SELECT_KEY_POINTS, SELECT_KEY_SPAN, SELECT_NAMES, SELECT_SPAN};
use crate::store::partition_rows::DELETE_VALUES;
use crate::store::sql_text;
use crate::store::statistics::SELECT_STATISTICS;

async fn plan(catalog: &Catalog, query: &str) -> String {
    let mut lease = catalog.read().await.unwrap();
    let text = format!("EXPLAIN QUERY PLAN {query}");
    let rows: Vec<(i64, i64, i64, String)> = lease.all(sql_text(text)).await.unwrap();
    lease.release();
    rows.into_iter().map(|row| row.3).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn searches_of_a_hundred_thousand_partitions_read_indexes() {
    let place = Place::in_file().await;
    let catalog = &place.catalog;
    let many: Vec<_> =
        (0..100_000).map(|n| partition(&[&format!("2024-01-{:02}", n % 31 + 1), &n.to_string()])).collect();
    let t = table("t", &[("d", "date"), ("n", "int")]);
    let t = catalog.create_table_with_partitions(&t, &many, false).await.unwrap().unwrap();
    assert_eq!(catalog.partition_count(&t).await.unwrap(), 100_000);

    let by_name = "USING INDEX millrace_partition_name (table_id=? AND name";
    let by_value = "USING PRIMARY KEY (table_id=? AND key_index=? AND sort_key";
    for (query, index) in [
        (SELECT_SPAN.to_owned(), by_name),
        (format!("{SELECT_NAMES}$1 AND name IN ($2, $3)"), by_name),
        (SELECT_KEY_SPAN.to_owned(), by_value),
        (format!("{SELECT_KEY_POINTS}$1 AND v.key_index = $2 AND v.sort_key IN ($3, $4)"), by_value),
        (
            format!("{DELETE_VALUES}$1 AND key_index = $2 AND (sort_key, partition_id) IN (VALUES ($3, $4), ($5, $6))"),
            "PRIMARY KEY (table_id=? AND key_index=? AND sort_key=? AND partition_id=?)",
        ),
        (format!("{SELECT_STATISTICS}$1 AND p.name IN ($2, $3)"), "millrace_partition_name (table_id=? AND name=?)"),
        ("SELECT id FROM millrace_partition WHERE table_id = $1 AND name = $2".to_owned(), "(table_id=? AND name=?)"),
    ] {
        let plan = plan(catalog, &query).await;
        assert!(plan.contains(index), "{query}\n{plan}");
        let plan = plan.replace("SCAN 2-ROW VALUES CLAUSE", "the list itself");
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{query}\n{plan}");
    }

    let one = PartitionFilter { key: 1, condition: PartitionCondition::In(vec!["077777".to_owned()]) };
    let day = PartitionFilter { key: 0, condition: PartitionCondition::In(vec!["2024-01-30".to_owned()]) };
    let wanted = ["d=2024-01-30/n=77777"];
    assert_eq!(77_777 % 31 + 1, 30);
    for filters in [
        vec![one.clone()],
        vec![day.clone(), one.clone()],
        vec![one, PartitionFilter { key: 0, condition: PartitionCondition::IsNotNull }],
    ] {
        assert_eq!(catalog.partition_names(&t, &filters, None).await.unwrap(), wanted);
    }
    assert_eq!(catalog.partitions(&t, &[day]).await.unwrap().len(), 3225);
}
