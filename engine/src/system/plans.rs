//! The plans of statements that have run, and what is wrong with them: `stl_explain`, `sys_query_explain`,
//! `stl_plan_info`, `stl_alert_event_log`.

use super::steps::records;
use super::table::Kind::{Double, Int4, Int8, Text, Time};
use super::{PG_CATALOG, Rows, SystemTable, Value, row};
use crate::error::Result;
use crate::session::Context;

async fn explain(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for record in records(context).await? {
        let user = snapshot.principals().user_id(&record.user);
        let nodes = record.nodes.iter().zip(1_u32..);
        rows.extend(nodes.map(|(node, id)| {
            row![user, record.query, id, node.parent, &node.text, &node.info, record.query, 1, Value::Null]
        }));
    }
    Ok(rows)
}

async fn sys_explain(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for record in records(context).await? {
        let user = snapshot.principals().user_id(&record.user);
        let nodes = record.nodes.iter().zip(1_u32..);
        rows.extend(nodes.map(|(node, id)| row![user, record.query, 1, id, node.parent, &node.text, &node.info]));
    }
    Ok(rows)
}

/// Redshift's number of a node, by its text; NULL for one of which its documentation shows none.
fn node_number(text: &str) -> Option<i64> {
    let known = [("Seq Scan", 104), ("Sort", 114), ("Unique", 117), ("Merge ", 122), ("Network", 123)];
    let (_, node) = text.split_once("XN ")?;
    let is_join = node.starts_with("Merge ") && node.contains(" Join");
    known.into_iter().find(|(name, _)| node.starts_with(*name) && !is_join).map(|(_, number)| number)
}

async fn plan_info(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for record in records(context).await? {
        let user = snapshot.principals().user_id(&record.user);
        for step in &record.steps {
            let Some(node) = (step.node as usize).checked_sub(1).and_then(|at| record.nodes.get(at)) else { continue };
            // 1 is the leader, 0 a compute node.
            let locus = i64::from(matches!(step.name.as_str(), "return" | "merge"));
            rows.push(row![
                user,
                record.query,
                step.node,
                step.segment,
                step.step,
                locus,
                node_number(&node.text),
                node.cost.0,
                node.cost.1,
                node.rows,
                node.bytes
            ]);
        }
    }
    Ok(rows)
}

async fn alerts(context: &Context) -> Result<Rows> {
    let snapshot = context.snapshot().await?;
    let mut rows = Rows::new();
    for record in records(context).await? {
        let user = snapshot.principals().user_id(&record.user);
        rows.extend(record.alerts.iter().map(|alert| {
            row![
                user,
                record.query,
                0,
                alert.segment,
                alert.step,
                record.pid,
                record.xid,
                &alert.event,
                &alert.solution,
                record.end_us
            ]
        }));
    }
    Ok(rows)
}

pub(super) const TABLES: &[SystemTable] = &[
    SystemTable {
        schema: PG_CATALOG,
        name: "stl_explain",
        columns: &[
            ("userid", Int4),
            ("query", Int4),
            ("nodeid", Int4),
            ("parentid", Int4),
            ("plannode", Text),
            ("info", Text),
            ("user_query_id", Int8),
            ("child_query_sequence", Int4),
            ("query_uuid", Text),
        ],
        rows: |context| Box::pin(explain(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "sys_query_explain",
        columns: &[
            ("user_id", Int4),
            ("query_id", Int8),
            ("child_query_sequence", Int4),
            ("plan_node_id", Int4),
            ("plan_parent_id", Int4),
            ("plan_node", Text),
            ("node_info", Text),
        ],
        rows: |context| Box::pin(sys_explain(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "stl_plan_info",
        columns: &[
            ("userid", Int4),
            ("query", Int4),
            ("nodeid", Int4),
            ("segment", Int4),
            ("step", Int4),
            ("locus", Int4),
            ("plannode", Int4),
            ("startupcost", Double),
            ("totalcost", Double),
            ("rows", Int8),
            ("bytes", Int8),
        ],
        rows: |context| Box::pin(plan_info(context)),
    },
    SystemTable {
        schema: PG_CATALOG,
        name: "stl_alert_event_log",
        columns: &[
            ("userid", Int4),
            ("query", Int4),
            ("slice", Int4),
            ("segment", Int4),
            ("step", Int4),
            ("pid", Int4),
            ("xid", Int8),
            ("event", Text),
            ("solution", Text),
            ("event_time", Time),
        ],
        rows: |context| Box::pin(alerts(context)),
    },
];
