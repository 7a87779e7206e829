//! Short query acceleration.

#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::predict::Features;
use super::state::Applicant;
use super::tests::{admission, applied, is_ready, opened};
use super::*;
use crate::journal::WlmTrace;
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn short_queries_have_their_own_space() {
    let text = r#"[{"query_concurrency":1},{"short_query_queue":true,"max_execution_time":1000}]"#;
    let (_directory, wlm) = opened(text, None);
    let features = Features { shape: 1, tables: 1, rows: Some(10) };
    let short = || Applicant { slots: 1, features: Some(features), ..Applicant::default() };
    let classes = || wlm.tasks().iter().map(|task| task.class).collect::<Vec<_>>();
    // It does not have to wait, and stays in its queue.
    let one = applied(&wlm, short(), "default", &Arc::default());
    one.enter().await.unwrap();
    assert_eq!(classes(), [6]);
    let trace = Arc::new(WlmTrace::default());
    let two = applied(&wlm, short(), "default", &trace);
    two.enter().await.unwrap();
    assert_eq!(classes(), [6, 14]);
    // Nothing is known of this one.
    let three = admission(&wlm, 1);
    assert!(!one.is_patient() && !two.is_patient() && three.is_patient());
    let mut three_waits = Box::pin(three.enter());
    assert!(!is_ready(&mut three_waits).await);
    assert!(matches!(two.look(&Measures::default(), Kind::Query, Phase::Running), Decision::Continue));
    tokio::time::sleep(Duration::from_millis(1010)).await;
    // Longer than thought: it waits in its queue behind who was there before.
    assert!(matches!(two.look(&Measures::default(), Kind::Query, Phase::Running), Decision::Restart));
    let mut hops = Box::pin(two.hop());
    assert!(!is_ready(&mut hops).await && two.is_patient());
    drop(one);
    assert!(is_ready(&mut three_waits).await && !is_ready(&mut hops).await);
    drop(three_waits);
    drop(three);
    assert!(is_ready(&mut hops).await);
    drop(hops);
    drop(two);
    let (stays, _) = trace.take(0);
    let stays: Vec<_> = stays.iter().map(|stay| (stay.class, stay.evicted)).collect();
    assert_eq!(stays, [(14, true), (6, false)]);
}

#[tokio::test]
async fn short_queries_wait_where_fewer_do() {
    let (_directory, wlm) = opened(r#"[{"query_concurrency":1},{"short_query_queue":true}]"#, None);
    let features = Some(Features { shape: 1, tables: 1, rows: Some(10) });
    let all: Vec<Admission> = (0..7)
        .map(|_| applied(&wlm, Applicant { slots: 1, features, ..Applicant::default() }, "default", &Arc::default()))
        .collect();
    let mut waiting: Vec<_> = all.iter().map(|one| Box::pin(one.enter())).collect();
    for one in &mut waiting {
        is_ready(one).await;
    }
    // One in its queue, four in the others' space, and of two that wait one in each.
    assert_eq!(wlm.tasks().iter().map(|task| task.class).collect::<Vec<_>>(), [6, 14, 14, 14, 14, 14, 6]);
}

#[tokio::test]
async fn short_queries_do_not_wait_for_long_ones() {
    let text = r#"[{"query_concurrency":1},{"short_query_queue":true,"max_execution_time":1000}]"#;
    let (_directory, wlm) = opened(text, None);
    let of = |features: Features| {
        let features = Some(features);
        applied(&wlm, Applicant { slots: 1, features, ..Applicant::default() }, "default", &Arc::default())
    };
    let short = Features { shape: 1, tables: 1, rows: Some(10) };
    let long = Features { shape: 2, tables: 1, rows: Some(100_000_000) };
    wlm.learn(long, Duration::from_secs(5));
    let all: Vec<Admission> = std::iter::once(of(long)).chain((0..20).map(|_| of(short))).collect();
    let mut waiting: Vec<_> = all.iter().map(|one| Box::pin(one.enter())).collect();
    for one in &mut waiting {
        is_ready(one).await;
    }
    // Sixteen wait behind four of a millisecond each rather than one behind that of five seconds.
    let classes: Vec<_> = wlm.tasks().iter().map(|task| task.class).collect();
    assert_eq!((classes[0], &classes[1..]), (6, &[14; 20][..]));
}
