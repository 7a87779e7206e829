//! Whose queries compute where others have the processor before them.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::predict::Features;
use super::state::Applicant;
use super::tests::{applied, is_ready, opened};
use super::*;
use std::sync::Arc;

/// So little memory that one runs at a time.
const LITTLE: Option<usize> = Some(1 << 20);

/// A statement of a number, of ann's, in a query group.
fn asked(wlm: &Arc<Wlm>, query: i64, query_group: &str) -> Admission {
    let applicant = Applicant { query, slots: 1, user: "ann".to_owned(), ..Applicant::default() };
    applied(wlm, applicant, query_group, &Arc::default())
}

#[tokio::test]
async fn low_priorities_let_others_have_the_processor() {
    let text = r#"[{"query_group":["highest"],"priority":"highest","auto_wlm":true},
        {"query_group":["high"],"priority":"high"},{"query_group":["low"],"priority":"low"},
        {"query_group":["lowest"],"priority":"lowest"},{"priority":"normal"}]"#;
    let (_directory, wlm) = opened(text, LITTLE);
    for (group, is_patient) in
        [("highest", false), ("high", false), ("default", false), ("low", true), ("lowest", true)]
    {
        let one = asked(&wlm, 1, group);
        one.enter().await.unwrap();
        assert_eq!(one.is_patient(), is_patient, "{group}");
    }
    // A priority that it is given while it waits is its own when it begins.
    let running = asked(&wlm, 1, "default");
    running.enter().await.unwrap();
    let waiting = asked(&wlm, 2, "highest");
    let mut waits = Box::pin(waiting.enter());
    assert!(!is_ready(&mut waits).await);
    assert_eq!(wlm.change_query_priority(2, Priority::Low).unwrap(), Priority::Highest);
    drop(running);
    assert!(is_ready(&mut waits).await);
    assert!(waiting.is_patient());
    drop(waits);
    drop(waiting);
    // Its user's, that goes before its queue's.
    wlm.change_user_priority("ann", Some(Priority::Lowest));
    let lowest = asked(&wlm, 3, "highest");
    lowest.enter().await.unwrap();
    assert!(lowest.is_patient());
}

#[tokio::test]
async fn manual_queues_know_no_priorities() {
    let (_directory, wlm) = opened(r#"[{"query_concurrency":1}]"#, LITTLE);
    wlm.change_user_priority("ann", Some(Priority::Lowest));
    let one = asked(&wlm, 1, "default");
    one.enter().await.unwrap();
    assert!(!one.is_patient());
}

#[tokio::test]
async fn nobody_has_the_processor_before_who_runs_among_short_queries() {
    let text = r#"[{"priority":"low","auto_wlm":true},{"short_query_queue":true}]"#;
    let (_directory, wlm) = opened(text, LITTLE);
    let features = Some(Features { shape: 1, tables: 1, rows: Some(10) });
    let short = || applied(&wlm, Applicant { slots: 1, features, ..Applicant::default() }, "default", &Arc::default());
    let (one, two) = (short(), short());
    one.enter().await.unwrap();
    two.enter().await.unwrap();
    assert_eq!(wlm.tasks().iter().map(|task| task.class).collect::<Vec<_>>(), [100, SHORT_CLASS]);
    assert!(one.is_patient() && !two.is_patient());
}
