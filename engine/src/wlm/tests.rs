//! Assignment as Redshift's documentation has it, the checks of a configuration, and the queues.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::assign::{choices, fits};
use super::manager::{Applicant, Wlm};
use super::*;
use crate::error::ErrorKind;
use crate::journal::WlmTrace;
use datafusion::execution::memory_pool::{MemoryPool, UnboundedMemoryPool};
use std::sync::Arc;

/// The queues of the documentation's example of assignment, with those of its example of wildcards after them.
const QUEUES: &str = r#"[
    {"user_role": ["test_db_rw"], "user_group": ["UG_1"], "query_concurrency": 5},
    {"query_group": ["QG_B"], "query_concurrency": 5},
    {"user_group": ["UG_2"], "query_group": ["QG_C"], "query_concurrency": 5},
    {"user_group": ["dba_*", "dw??"], "user_group_wild_card": 1, "query_group": ["daily?", "report*"],
     "query_group_wild_card": 1},
    {"query_concurrency": 5}
]"#;

fn requester(superuser: bool, groups: &[&str], roles: &[&str], query_group: &str) -> Requester {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Requester { superuser, groups: set(groups), roles: set(roles), query_group: query_group.to_owned() }
}

#[test]
fn statements_go_to_the_first_queue_that_matches() {
    let configuration = Configuration::parse(QUEUES).unwrap();
    for (name, requester, expected) in [
        ("in no group, no query group", requester(true, &["ug_9"], &[], "default"), &[10][..]),
        ("a superuser in the superusers' query group", requester(true, &["ug_1"], &[], "superuser"), &[5]),
        ("who is none does not get there", requester(false, &[], &[], "superuser"), &[10]),
        ("by role", requester(false, &[], &["test_db_rw"], "default"), &[6]),
        ("by group", requester(false, &["ug_1"], &[], "default"), &[6]),
        ("by query group", requester(false, &[], &[], "QG_B"), &[7]),
        (
            "the group comes first, the query group is where it may hop",
            requester(false, &["ug_1"], &[], "qg_b"),
            &[6, 7],
        ),
        ("either of a queue's lists", requester(false, &["ug_2"], &[], "default"), &[8]),
        ("the other", requester(false, &[], &[], "qg_c"), &[8]),
        ("a query group that no queue has", requester(false, &[], &[], "qg_a"), &[10]),
        ("any characters", requester(false, &["dba_first"], &[], "default"), &[9]),
        ("exactly two", requester(false, &["dw12"], &[], "default"), &[9]),
        ("not one", requester(false, &["dw1"], &[], "default"), &[10]),
        ("one character of a label", requester(false, &[], &[], "daily1"), &[9]),
        ("not two", requester(false, &[], &[], "daily12"), &[10]),
        ("none where any are allowed", requester(false, &[], &[], "report"), &[9]),
    ] {
        assert_eq!(choices(&configuration, &requester), expected, "{name}");
    }
    let unconfigured = Configuration::parse(" ").unwrap();
    assert!(!unconfigured.is_configured());
    assert_eq!(choices(&unconfigured, &requester(true, &[], &[], "default")), [100]);
    assert_eq!(choices(&unconfigured, &requester(true, &[], &[], "superuser")), [5]);
}

#[test]
fn patterns() {
    for (pattern, name, expected) in [
        ("*", "", true),
        ("*", "abc", true),
        ("?", "", false),
        ("a*c", "abbc", true),
        ("a*c", "abb", false),
        ("a*b*c", "aXbYbZc", true),
        ("*a?", "aab", true),
        ("*a?", "aa", true),
        ("*a?", "a", false),
        ("ä?", "äö", true),
        ("a**", "a", true),
        ("", "a", false),
    ] {
        assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
    }
}

#[test]
fn configurations_are_checked() {
    let group = |n: usize| format!(r#"{{"query_group":["g{n}"],"query_concurrency":1}}"#);
    let many = |n: usize| format!("[{},{{}}]", (0..n).map(group).collect::<Vec<_>>().join(","));
    assert_eq!(Configuration::parse(&many(7)).unwrap().queues.len(), 9);
    let rule = |text: &str| format!(r#"[{{"rules":[{text}]}}]"#);
    let rules: Vec<String> = (0..26)
        .map(|n| {
            format!(
                r#"{{"rule_name":"r{n}","predicate":[{{"metric_name":"scan_row_count","operator":">","value":1}}],"action":"log"}}"#
            )
        })
        .collect();
    assert!(Configuration::parse(&rule(&rules[..25].join(","))).is_ok());
    for (text, sqlstate, detail) in [
        ("[{]".to_owned(), "22023", "key must be a string at line 1 column 3"),
        ("{}".to_owned(), "22023", "a list of queues is needed, not an object"),
        ("[]".to_owned(), "22023", "there is no queue"),
        ("[7]".to_owned(), "22023", "queue 1: an object is needed, not a number"),
        (many(8), "22023", "9 queues, and there may be 8"),
        (r#"[{"query_group":["a"]}]"#.to_owned(), "22023", "queue 1: the last queue is the default one"),
        (r#"[{"query_concurrency":2},{}]"#.to_owned(), "22023", "queue 1: nobody matches it"),
        (r#"[{"query_group":["a"],"query_concurrency":46},{}]"#.to_owned(), "22023", "query_concurrency is 51"),
        (
            r#"[{"query_concurrency":51}]"#.to_owned(),
            "22023",
            "queue 1: \"query_concurrency\" takes a whole number from 1 to 50",
        ),
        (r#"[{"query_concurrency":0}]"#.to_owned(), "22023", "queue 1: \"query_concurrency\" takes"),
        (
            r#"[{"query_group":["a"],"memory_percent_to_use":60},{"memory_percent_to_use":50}]"#.to_owned(),
            "22023",
            "memory_percent_to_use is 110",
        ),
        (r#"[{"query_group":["a"],"memory_percent_to_use":100},{}]"#.to_owned(), "22023", "leaves nothing"),
        (r#"[{"query_concurency":5}]"#.to_owned(), "22023", "queue 1: there is no key \"query_concurency\""),
        (
            r#"[{"user_group":"a","query_group":[1]},{}]"#.to_owned(),
            "22023",
            "queue 1: \"query_group\" takes a list of names",
        ),
        (r#"[{"auto_wlm":true}]"#.to_owned(), "0A000", "queue 1"),
        (r#"[{},{"short_query_queue":true}]"#.to_owned(), "0A000", "queue 2"),
        (r#"[{"priority":"highest"}]"#.to_owned(), "0A000", "queue 1"),
        (r#"[{"concurrency_scaling":"auto"}]"#.to_owned(), "0A000", "queue 1"),
        (rule(&rules.join(",")), "22023", "26 rules"),
        (rule(&[rules[0].clone(), rules[0].clone()].join(",")), "22023", "two rules of the name \"r0\""),
        (rule(&rules[0].replace("scan_row_count", "scan_rows")), "22023", "there is no metric \"scan_rows\""),
        (rule(&rules[0].replace("scan_row_count", "cpu_skew")), "0A000", "queue 1, rule 1, predicate 1"),
        (rule(&rules[0].replace('>', ">=")), "22023", "\"operator\" takes >, < or ="),
        (rule(&rules[0].replace("log", "explode")), "22023", "\"action\" takes log, hop or abort"),
        (rule(&rules[0].replace("log", "change_query_priority")), "0A000", "queue 1, rule 1"),
        (rule(&rules[0].replace("r0", "r 0")), "22023", "\"rule_name\" takes a name"),
    ] {
        let error = Configuration::parse(&text).unwrap_err();
        assert_eq!(error.sqlstate(), sqlstate, "{text}: {error}");
        assert!(error.detail.as_ref().is_some_and(|found| found.contains(detail)), "{text}: {error:?}");
    }
}

#[test]
fn what_redshift_writes_is_read() {
    let text = r#"[{"query_concurrency":"3","max_execution_time":5000,"memory_percent_to_use":"40","query_group":["g"],
        "query_group_wild_card":0,"user_group":[],"user_group_wild_card":0,"user_role":[],"user_role_wild_card":0,
        "name":"Loads","queue_type":"manual","priority":"normal","concurrency_scaling":"off"},
        {"query_concurrency":5},{"short_query_queue":false},{"auto_wlm":false}]"#;
    let configuration = Configuration::parse(text).unwrap();
    let [superusers, loads, default] = configuration.queues.as_slice() else { unreachable!("three queues") };
    assert_eq!((superusers.class, superusers.slots), (5, Some(1)));
    assert_eq!((loads.class, loads.slots, loads.memory_percent, loads.name.as_str()), (6, Some(3), Some(40.), "Loads"));
    assert_eq!(loads.time_limit.unwrap().as_millis(), 5000);
    assert_eq!((default.class, default.slots, default.memory_percent), (7, Some(5), Some(60.)));
}

fn opened(text: &str, memory: Option<usize>) -> (tempfile::TempDir, Arc<Wlm>) {
    let directory = tempfile::tempdir().unwrap();
    let wlm = Wlm::open(directory.path(), Some(text), memory).unwrap();
    (directory, Arc::new(wlm))
}

fn admission(wlm: &Arc<Wlm>, slots: usize) -> Admission {
    let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
    Admission::new(
        wlm,
        Applicant { slots, ..Applicant::default() },
        &requester(false, &[], &[], "default"),
        &Arc::new(WlmTrace::default()),
        &pool,
    )
}

/// Executing and queued statements of the last queue, and its slots in use.
fn figures(wlm: &Wlm) -> (usize, usize, usize) {
    let queue = wlm.queues().pop().unwrap();
    (queue.executing, queue.queued, queue.slots_used)
}

/// Polls once: whether it is there now.
async fn is_ready<T>(future: &mut (impl Future<Output = T> + Unpin)) -> bool {
    std::future::poll_fn(|context| std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_ready()))
        .await
}

#[tokio::test]
async fn first_come_first_served() {
    let (_directory, wlm) = opened(r#"[{"query_concurrency":3}]"#, None);
    let one = admission(&wlm, 1);
    one.enter().await.unwrap();
    let (big, small, gone) = (admission(&wlm, 3), admission(&wlm, 1), admission(&wlm, 1));
    let mut big_waits = Box::pin(big.enter());
    let mut gone_waits = Box::pin(gone.enter());
    let mut small_waits = Box::pin(small.enter());
    assert!(!is_ready(&mut big_waits).await && !is_ready(&mut gone_waits).await);
    // There would be room for it, but others came before.
    assert!(!is_ready(&mut small_waits).await);
    assert_eq!(figures(&wlm), (1, 3, 1));
    drop(gone_waits);
    drop(gone);
    drop(one);
    assert!(is_ready(&mut big_waits).await);
    assert!(!is_ready(&mut small_waits).await);
    assert_eq!(figures(&wlm), (1, 1, 3));
    drop(big_waits);
    drop(big);
    assert!(is_ready(&mut small_waits).await);
    drop(small_waits);
    drop(small);
    assert_eq!(figures(&wlm), (0, 0, 0));
    let error = admission(&wlm, 4).enter().await.unwrap_err();
    assert_eq!((error.kind, error.message.contains("needs 4 slots")), (ErrorKind::InvalidParameter, true));
}

#[tokio::test]
async fn slots_that_were_granted_and_not_taken_come_back() {
    let (_directory, wlm) = opened(r#"[{"query_concurrency":1}]"#, None);
    let one = admission(&wlm, 1);
    one.enter().await.unwrap();
    let (two, three) = (admission(&wlm, 1), admission(&wlm, 1));
    let (mut two_waits, mut three_waits) = (Box::pin(two.enter()), Box::pin(three.enter()));
    assert!(!is_ready(&mut two_waits).await && !is_ready(&mut three_waits).await);
    drop(one);
    // It was granted, and leaves before it looks.
    drop(two_waits);
    drop(two);
    assert!(is_ready(&mut three_waits).await);
}

#[tokio::test]
async fn a_queue_is_bounded() {
    let (_directory, wlm) = opened(r#"[{"query_concurrency":1}]"#, None);
    let one = admission(&wlm, 1);
    one.enter().await.unwrap();
    let waiting: Vec<Admission> = (0..manager::MOST_WAITING).map(|_| admission(&wlm, 1)).collect();
    let mut futures: Vec<_> = waiting.iter().map(|admission| Box::pin(admission.enter())).collect();
    for future in &mut futures {
        assert!(!is_ready(future).await);
    }
    let error = admission(&wlm, 1).enter().await.unwrap_err();
    assert_eq!((error.kind, error.sqlstate()), (ErrorKind::QueueFull, "53400"));
}

#[tokio::test]
async fn who_waits_keeps_the_queue_when_the_configuration_changes() {
    let directory = tempfile::tempdir().unwrap();
    let wlm = Arc::new(Wlm::open(directory.path(), None, None).unwrap());
    assert!(wlm.set(r#"[{"query_concurrency":1}]"#).unwrap());
    let one = admission(&wlm, 1);
    one.enter().await.unwrap();
    let two = admission(&wlm, 1);
    let mut two_waits = Box::pin(two.enter());
    assert!(!is_ready(&mut two_waits).await);
    assert_eq!(wlm.set("[{}").unwrap_err().sqlstate(), "22023");
    // More slots at once.
    wlm.set(r#"[{"query_concurrency":2}]"#).unwrap();
    assert!(is_ready(&mut two_waits).await);
    drop(two_waits);
    // Its queue is gone, and it goes on.
    wlm.set("").unwrap();
    let classes = |wlm: &Wlm| wlm.queues().iter().map(|queue| queue.settings.class).collect::<Vec<_>>();
    assert_eq!(classes(&wlm), [5, 6, 100]);
    drop((one, two));
    assert_eq!(classes(&wlm), [5, 100]);
    // What was set is there for the next process.
    wlm.set(r#"[{"query_concurrency":4}]"#).unwrap();
    let next = Wlm::open(directory.path(), None, None).unwrap();
    assert_eq!(next.queues().last().unwrap().settings.slots, Some(4));
    std::fs::write(directory.path().join("wlm.json"), "[").unwrap();
    let error = Wlm::open(directory.path(), None, None).unwrap_err();
    assert!(error.hint.unwrap().contains("wlm.json"));
    let given = Wlm::open(directory.path(), Some(""), None).unwrap();
    assert!(!given.set(r#"[{"query_concurrency":2}]"#).unwrap());
    assert_eq!(given.queues().last().unwrap().settings.slots, None);
}

#[tokio::test]
async fn memory_is_divided_among_slots() {
    let text = r#"[{"query_group":["g"],"memory_percent_to_use":40},{"query_concurrency":4}]"#;
    let (_directory, wlm) = opened(text, Some(1000));
    let two = admission(&wlm, 2);
    two.enter().await.unwrap();
    let pool: Arc<dyn MemoryPool> = two.pool().unwrap().clone();
    let mut held = datafusion::execution::memory_pool::MemoryConsumer::new("sort").register(&pool);
    held.try_grow(300).unwrap();
    let error = held.try_grow(1).unwrap_err();
    assert!(error.to_string().contains("300 bytes of memory"), "{error}");
    held.free();
    held.try_grow(300).unwrap();
    // Nothing is divided without a configuration.
    let (_directory, wlm) = opened("", Some(1000));
    assert!(admission(&wlm, 1).pool().is_none());
}
