//! Query monitoring rules: what is read, what holds, what acts.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::state::Applicant;
use super::tests::{admission, applied, opened};
use super::*;
use crate::error::ErrorKind;
use crate::journal::WlmTrace;
use std::sync::Arc;

#[test]
fn the_documented_rules_are_read() {
    let text = r#"[{"query_group":["g"],"query_concurrency":5,"rules":[{"rule_name":"rule_1","predicate":[
            {"metric_name":"query_execution_time","operator":">","value":1000},
            {"metric_name":"query_blocks_read","operator":">","value":1000}],"action":"hop"}]},
        {"rules":[{"rule_name":"rule_query_execution","predicate":[
            {"metric_name":"query_execution_time","operator":">","value":50}],"action":"abort"}]}]"#;
    let configuration = Configuration::parse(text).unwrap();
    let [hop, abort] = [1, 2].map(|at| configuration.queues[at].rules[0].clone());
    let measures = Measures { execution_seconds: 1000.5, read_bytes: 1001 << 20, ..Measures::default() };
    assert!(hop.holds(&measures) && abort.holds(&measures));
    assert!(!hop.holds(&Measures { read_bytes: 1000 << 20, ..measures }));
    assert!(!abort.holds(&Measures { execution_seconds: 50., ..measures }));
    assert_eq!((hop.action.name(), abort.action.name()), ("hop", "abort"));
}

#[tokio::test]
async fn the_most_severe_rule_acts_once() {
    let rule = |name: &str, action: &str| {
        format!(
            r#"{{"rule_name":"{name}","predicate":[{{"metric_name":"scan_row_count","operator":">","value":10}}],{action}}}"#
        )
    };
    let (log, low, high) = (
        rule("a", r#""action":"log""#),
        rule("c", r#""action":"change_query_priority","value":"low""#),
        rule("b", r#""action":"change_query_priority","value":"high""#),
    );
    let (_directory, wlm) = opened(&format!(r#"{{"auto_wlm":true,"rules":[{log},{low},{high}]}}"#), None);
    let trace = Arc::new(WlmTrace::default());
    let one = applied(&wlm, Applicant { slots: 1, ..Applicant::default() }, "default", &trace);
    one.enter().await.unwrap();
    for scan_rows in [10, 11, 12] {
        let measures = Measures { scan_rows, ..Measures::default() };
        assert!(matches!(one.look(&measures, Kind::Continues, Phase::Running), Decision::Continue));
    }
    assert_eq!(wlm.tasks()[0].priority, Some(Priority::High));
    drop(one);
    let (stays, actions) = trace.take(0);
    assert_eq!(stays[0].priority.as_deref(), Some("high"));
    let mut actions: Vec<_> =
        actions.iter().map(|act| (act.rule.as_str(), act.action.as_str(), act.value.as_str())).collect();
    actions.sort_unstable();
    assert_eq!(actions, [("a", "none", ""), ("b", "change_query_priority", "high"), ("c", "none", "")]);
    let (_directory, wlm) = opened(&format!(r#"{{"rules":[{}]}}"#, rule("x", r#""action":"abort""#)), None);
    let one = admission(&wlm, 1);
    one.enter().await.unwrap();
    let measures = Measures { scan_rows: 11, ..Measures::default() };
    // COPY and maintenance are not stopped.
    assert!(matches!(one.look(&measures, Kind::Continues, Phase::Running), Decision::Continue));
    let Decision::Stop(error) = one.look(&measures, Kind::Query, Phase::Returning) else { unreachable!("it stops") };
    assert_eq!((error.kind, error.message.contains("rule \"x\"")), (ErrorKind::Cancelled, true));
}

#[tokio::test]
async fn priorities_are_compared_in_their_order() {
    let rule = |name: &str, operator: &str, value: &str| {
        format!(
            r#"{{"rule_name":"{name}","predicate":[{{"metric_name":"query_priority","operator":"{operator}","value":"{value}"}}],"action":"log"}}"#
        )
    };
    let rules = [rule("above", ">", "NORMAL"), rule("below", "<", "high"), rule("same", "=", "lowest")].join(",");
    for (priority, expected) in [
        ("highest", &["above"][..]),
        ("high", &["above"]),
        ("normal", &["below"]),
        ("low", &["below"]),
        ("lowest", &["below", "same"]),
    ] {
        let (_directory, wlm) =
            opened(&format!(r#"{{"auto_wlm":true,"priority":"{priority}","rules":[{rules}]}}"#), None);
        let trace = Arc::new(WlmTrace::default());
        let one = applied(&wlm, Applicant { slots: 1, ..Applicant::default() }, "default", &trace);
        one.enter().await.unwrap();
        one.look(&Measures::default(), Kind::Query, Phase::Running);
        drop(one);
        let acted: Vec<String> = trace.take(0).1.into_iter().map(|act| act.rule).collect();
        assert_eq!(acted, expected, "{priority}");
    }
}
