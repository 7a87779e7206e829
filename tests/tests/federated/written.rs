//! What is written down of scans of foreign systems.

use crate::World;

#[tokio::test]
async fn scans_leave_steps_and_what_was_asked() {
    let mut world = World::new().await;
    assert_eq!(world.line("SELECT count(*), sum(id) FROM mem.orders WHERE id > 2").await, "6,33");
    let query = world.line("SELECT max(query) FROM stl_query WHERE querytxt LIKE '%mem.orders%'").await;
    let of = |text: &str| format!("{text} WHERE query = {query}");
    // Eight rows were looked at in four parts, two of which hold none that is wanted.
    let scan =
        "SELECT source, table_name, is_active, splits_done, splits, rows_examined, rows, requests > 0, capacity > 0
                FROM millrace_foreign_scan";
    let found = world.line(&of(scan)).await;
    let parts: Vec<&str> = found.split(',').collect();
    assert_eq!(parts[..3], ["OpenSearch", "mem.orders", "false"], "{found}");
    assert_eq!(parts[3..], ["4", "4", "8", "6", "true", "true"], "{found}");
    let asked = world.line(&of("SELECT sourcetype, num_rows, querytext <> '' FROM svl_federated_query")).await;
    assert_eq!(asked, "OPENSEARCH,6,true");
    let text = "SELECT source_type, returned_rows, table_name, file_format IS NULL, scanned_files IS NULL,
                external_query_text <> '' FROM sys_external_query_detail";
    let detail = world.line(&format!("{text} WHERE query_id = {query}")).await;
    assert_eq!(detail, "OPENSEARCH,6,mem.orders,true,true,true");
    // It is no scan of a lake.
    assert_eq!(world.line(&of("SELECT count(*) FROM svl_s3query_summary")).await, "0");
    let steps = "SELECT sum(rows), min(perm_table_name) FROM stl_scan";
    let scanned = world.line(&format!("{} AND perm_table_name = 'orders'", of(steps))).await;
    assert_eq!(scanned, "6,orders");
    let report = "SELECT sum(rows), max(blocks) IS NULL FROM svl_query_report";
    assert_eq!(world.line(&format!("{} AND label LIKE 'scan%orders'", of(report))).await, "6,true");
    let source = "SELECT source, output_rows FROM sys_query_detail";
    let source = world.line(&format!("{source} WHERE query_id = {query} AND table_name = 'dev.mem.orders'")).await;
    assert_eq!(source, "OpenSearch,6");
}

#[tokio::test]
async fn rules_see_their_rows() {
    let mut world = World::new().await;
    let rule = r#"[{"rules":[{"rule_name":"many","predicate":[{"metric_name":"scan_row_count","operator":">","value":5}],
        "action":"log"}]}]"#;
    world.line(&format!("ALTER SYSTEM SET wlm_json_configuration = '{rule}'")).await;
    assert_eq!(world.line("SELECT count(id) FROM mem.orders WHERE id > 6").await, "2");
    assert_eq!(world.line("SELECT count(*) FROM stl_wlm_rule_action").await, "0");
    assert_eq!(world.line("SELECT count(id) FROM mem.orders").await, "8");
    assert_eq!(world.line("SELECT rtrim(rule) FROM stl_wlm_rule_action").await, "many");
}
