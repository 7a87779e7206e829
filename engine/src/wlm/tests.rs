//! Assignment as Redshift's documentation has it, the checks of a configuration, and the queues.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::assign::{choices, fits};
use super::automatic::Automatic;
use super::predict::Predictor;
use super::priority::Priority;
use super::queues::Wlm;
use super::state::Applicant;
use super::*;
use crate::error::ErrorKind;
use crate::journal::{Stay, WlmTrace};
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool, UnboundedMemoryPool};
use std::sync::Arc;
use std::time::Duration;

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
    let segments = rules[0].replace("scan_row_count", "segment_execution_time");
    let predicate = r#"{"metric_name":"scan_row_count","operator":">","value":1}"#;
    let predicates = |count: usize| rule(&rules[0].replace(predicate, &vec![predicate; count].join(",")));
    let named = |length: usize| rule(&rules[0].replace("r0", &"r".repeat(length)));
    for text in [rule(&rules[..25].join(",")), predicates(3), named(32)] {
        assert!(Configuration::parse(&text).is_ok(), "{text}");
    }
    for (text, sqlstate, detail) in [
        ("[{]".to_owned(), "22023", "key must be a string at line 1 column 3"),
        ("7".to_owned(), "22023", "a list of queues is needed, not a number"),
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
        (
            r#"[{"query_group":["a"],"memory_percent_to_use":50},{}]"#.to_owned(),
            "22023",
            "queue 2: \"memory_percent_to_use\" is missing",
        ),
        (r#"[{"query_group":["a"],"name":"x"},{"name":"X"}]"#.to_owned(), "22023", "two queues of the name"),
        (r#"[{"name":"it's"}]"#.to_owned(), "22023", "queue 1: \"name\" takes up to 64"),
        (format!("[{}{{}}]", " ".repeat(8_000)), "22023", "it has 8004 characters, and may have 8000"),
        (r#"[{"query_concurency":5}]"#.to_owned(), "22023", "queue 1: there is no key \"query_concurency\""),
        (
            r#"[{"user_group":"a","query_group":[1]},{}]"#.to_owned(),
            "22023",
            "queue 1: \"query_group\" takes a list of names",
        ),
        (r#"[{"priority":"highest"}]"#.to_owned(), "22023", "queue 1: \"priority\" is for automatic WLM"),
        (
            r#"[{"priority":"urgent","auto_wlm":true}]"#.to_owned(),
            "22023",
            "takes highest, high, normal, low or lowest",
        ),
        (r#"[{"query_concurrency":5},{"auto_wlm":true}]"#.to_owned(), "22023", "\"query_concurrency\" is for manual"),
        (r#"[{"queue_type":"manual"},{"auto_wlm":true}]"#.to_owned(), "22023", "queue 1: it is manual"),
        (r#"[{"queue_type":"fast"}]"#.to_owned(), "22023", "\"queue_type\" takes auto or manual"),
        (
            r#"[{},{"short_query_queue":true,"max_execution_time":500}]"#.to_owned(),
            "22023",
            "queue 2: \"max_execution_time\" takes 1000 to 20000",
        ),
        (r#"[{"name":"a","max_execution_time":5,"queue_type":"auto"}]"#.to_owned(), "22023", "is for manual WLM"),
        (r#"[{"concurrency_scaling":"auto"}]"#.to_owned(), "0A000", "queue 1"),
        (rule(&rules.join(",")), "22023", "26 rules"),
        (rule(&[rules[0].clone(), rules[0].clone()].join(",")), "22023", "two rules of the name \"r0\""),
        (rule(&rules[0].replace("scan_row_count", "scan_rows")), "22023", "there is no metric \"scan_rows\""),
        (rule(&segments.replace("\"value\":1", "\"value\":86389")), "22023", "a whole number from 0 to 86388"),
        (
            rule(&rules[0].replace("scan_row_count", "query_execution_time").replace("\"value\":1", "\"value\":86400")),
            "22023",
            "\"value\" takes a whole number from 0 to 86399",
        ),
        (
            rule(&rules[0].replace("scan_row_count", "query_queue_time").replace("log", "hop")),
            "22023",
            "hop does not go with query_queue_time",
        ),
        (rule(&rules[0].replace('>', ">=")), "22023", "\"operator\" takes >, < or ="),
        (
            rule(&rules[0].replace("log", "explode")),
            "22023",
            "\"action\" takes log, hop, abort or change_query_priority",
        ),
        (
            rule(&rules[0].replace("log", "change_query_priority")),
            "22023",
            "change_query_priority is for automatic WLM",
        ),
        (
            rule(&rules[0].replace("log", "hop")).replace("[{\"rules\"", "[{\"auto_wlm\":true,\"rules\""),
            "22023",
            "hop is for manual WLM",
        ),
        (
            rule(&rules[0].replace("log", "change_query_priority"))
                .replace("[{\"rules\"", "[{\"auto_wlm\":true,\"rules\""),
            "22023",
            "\"value\" takes highest",
        ),
        (rule(&rules[0].replace("r0", "r 0")), "22023", "\"rule_name\" takes a name"),
        (named(33), "22023", "queue 1, rule 1: \"rule_name\" takes a name of 1 to 32"),
        (predicates(0), "22023", "queue 1, rule 1: \"predicate\" takes a list of 1 to 3 predicates"),
        (predicates(4), "22023", "queue 1, rule 1: \"predicate\" takes a list of 1 to 3 predicates"),
        (
            rule(&rules[0].replace("operator", "compare")),
            "22023",
            "queue 1, rule 1, predicate 1: there is no key \"compare\"",
        ),
        (rule(&rules[0].replace(",\"value\":1", "")), "22023", "predicate 1: \"value\" is missing"),
        (rule(&rules[0].replace(":1}", ":-1}")), "22023", "predicate 1: \"value\" takes a whole number from 0 to"),
        (
            rule(&rules[0].replace("\"log\"", "\"log\",\"value\":\"high\"")),
            "22023",
            "queue 1, rule 1: \"value\" has no meaning with the action log",
        ),
        (r#"[{"rules":{}}]"#.to_owned(), "22023", "queue 1: \"rules\" takes a list of rules"),
        (
            r#"[{"memory_percent_to_use":101}]"#.to_owned(),
            "22023",
            "queue 1: \"memory_percent_to_use\" takes a whole number from 0 to 100",
        ),
        (
            r#"[{"max_execution_time":"soon"}]"#.to_owned(),
            "22023",
            "queue 1: \"max_execution_time\" takes a whole number from 0 to",
        ),
        (
            r#"[{"query_group":["a"],"query_group_wild_card":"maybe"},{}]"#.to_owned(),
            "22023",
            "queue 1: \"query_group_wild_card\" takes 1 or 0",
        ),
        (r#"[{"user_group":[" "]},{}]"#.to_owned(), "22023", "queue 1: \"user_group\" has an empty name"),
        (
            rule(&rules[0].replace("scan_row_count", "query_priority").replace("\"value\":1", "\"value\":\"low\"")),
            "22023",
            "query_priority is for automatic WLM",
        ),
        (
            rule(&rules[0].replace("scan_row_count", "query_priority").replace("\"value\":1", "\"value\":\"urgent\""))
                .replace("[{\"rules\"", "[{\"auto_wlm\":true,\"rules\""),
            "22023",
            "\"value\" takes highest",
        ),
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
        {"query_concurrency":5,"memory_percent_to_use":60},{"short_query_queue":false},{"auto_wlm":false}]"#;
    let configuration = Configuration::parse(text).unwrap();
    let [superusers, loads, default] = configuration.queues.as_slice() else { unreachable!("three queues") };
    assert_eq!((superusers.class, superusers.slots), (5, Some(1)));
    assert_eq!((loads.class, loads.slots, loads.memory_percent, loads.name.as_str()), (6, Some(3), Some(40.), "Loads"));
    assert_eq!(loads.time_limit.unwrap().as_millis(), 5000);
    assert_eq!((default.class, default.slots, default.memory_percent), (7, Some(5), Some(60.)));
    assert_eq!((default.name.as_str(), configuration.short), ("Default queue", None));
    // The documentation's two examples of one queue, each an object alone.
    let automatic = Configuration::parse(r#"{"auto_wlm": true}"#).unwrap();
    let [_, only] = automatic.queues.as_slice() else { unreachable!("two queues") };
    assert_eq!((only.class, only.slots, only.priority), (100, None, Some(Priority::Normal)));
    let manual = Configuration::parse(r#"{"query_concurrency":5}"#).unwrap();
    let [_, only] = manual.queues.as_slice() else { unreachable!("two queues") };
    assert_eq!((only.class, only.slots, only.priority), (6, Some(5), None));
}

#[test]
fn automatic_queues_and_short_queries_are_read() {
    let text = r#"[{"user_group":["etl"],"priority":"HIGHEST","queue_type":"auto","auto_wlm":true,"name":"ETL queue"},
        {"priority":"low","queue_type":"auto","auto_wlm":true},{"short_query_queue":true,"max_execution_time":8000}]"#;
    let configuration = Configuration::parse(text).unwrap();
    let [_, etl, default] = configuration.queues.as_slice() else { unreachable!("three queues") };
    assert_eq!((etl.class, etl.priority, etl.name.as_str()), (100, Some(Priority::Highest), "ETL queue"));
    assert_eq!((default.class, default.priority, default.memory_percent), (101, Some(Priority::Low), None));
    let short = configuration.short.unwrap();
    assert_eq!((short.class, short.time_limit.unwrap().as_millis()), (14, 8000));
    let text = r#"[{"query_group":["a"]},{},{"short_query_queue":true,"max_execution_time":0}]"#;
    let configuration = Configuration::parse(text).unwrap();
    // Short queries have their part of the memory, the queues share the rest.
    let percents: Vec<f64> = configuration.queues[1..].iter().filter_map(|queue| queue.memory_percent).collect();
    let short = configuration.short.unwrap();
    assert_eq!((percents.as_slice(), short.memory_percent, short.time_limit), (&[46., 46.][..], Some(8.), None));
}

#[test]
fn automatic_wlm_goes_by_memory_and_priority() {
    let automatic = Automatic::new(2, Some(1 << 30));
    let room = |running, used| automatic.has_room(running, used, Some(1 << 30));
    // As many as cores whatever they use; more while there is memory; an end to it.
    assert!(room(1, 1 << 30) && !room(2, 1 << 29) && room(2, 0) && room(7, 0) && !room(8, 0));
    assert!(!Automatic::new(64, Some(1 << 20)).has_room(1, 0, Some(1 << 20)), "little memory");
    assert!(Automatic::new(64, None).has_room(49, 0, None) && !Automatic::new(64, None).has_room(50, 0, None));
    let shares = Priority::ALL.map(|priority| automatic.share(600, priority));
    assert_eq!((shares[0], shares[4]), (200, 300));
    let mut automatic = Automatic::new(2, None);
    let mut begun = [0; 5];
    for _ in 0..3_100 {
        begun[automatic.choose([true; 5]).unwrap() as usize] += 1;
    }
    for (begun, expected) in begun.into_iter().zip([100_i32, 200, 400, 800, 1600]) {
        assert!((begun - expected).abs() <= 2, "{begun} {expected}");
    }
    // Whoever comes late has saved nothing up.
    let mut automatic = Automatic::new(2, None);
    for _ in 0..100 {
        automatic.choose([true, false, false, false, false]).unwrap();
    }
    assert_eq!(automatic.choose([true, false, false, false, true]), Some(Priority::Highest));
    assert!((0..33).any(|_| automatic.choose([true, false, false, false, true]) == Some(Priority::Lowest)));
    assert_eq!(automatic.choose([false; 5]), None);
}

#[test]
fn run_times_are_learned() {
    let predictor = Predictor::default();
    let features = |text: &str, rows| Features { shape: shape(text), tables: 1, rows };
    assert_eq!(predictor.predict(features("select 1 from t", None)), None);
    // Unknown, but of a table whose rows are known.
    assert!(predictor.predict(features("select a from t", Some(1000))).unwrap() < Duration::from_secs(1));
    let slow = features("SELECT a FROM t WHERE b = 'x' AND c = 12", Some(1000));
    predictor.learn(slow, Duration::from_secs(100));
    let alike = features("select  a from t where b = 'other''s' and c = 7.5", None);
    assert_eq!(predictor.predict(alike), Some(Duration::from_secs(100)));
    // Other statements of as many rows are thought slower now.
    assert!(predictor.predict(features("select b from t", Some(1000))).unwrap() > Duration::from_secs(20));
    for _ in 0..30 {
        predictor.learn(alike, Duration::from_secs(1));
    }
    assert!(predictor.predict(slow).unwrap() < Duration::from_secs(2));
    assert_ne!(shape("select a1 from t"), shape("select a2 from t"));
    assert_ne!(shape("select a b"), shape("select ab"));
    let (one, other) = ("select a from t where b = 'it''s' and c = 12", "SELECT a FROM t WHERE b = 'it''s' AND c = 13");
    assert_eq!(shape(one), shape(other));
    assert_ne!(text_hash(one), text_hash(other));
    assert_eq!(text_hash(one), text_hash(&other.replace("13", " 12")));
    assert_eq!(text_hash("select a from t"), shape("select a from t"));
    assert_eq!(Predictor::default().longest(), Duration::from_secs(5));
    assert_eq!(predictor.longest(), Duration::from_secs(3));
    for n in 0..5_000 {
        predictor.learn(features(&format!("select c{n}"), None), Duration::from_mins(1));
    }
    assert_eq!((predictor.longest(), predictor.predict(alike)), (Duration::from_secs(20), None));
}

fn pool(memory: Option<usize>) -> Arc<dyn MemoryPool> {
    match memory {
        Some(bytes) => Arc::new(GreedyMemoryPool::new(bytes)),
        None => Arc::new(UnboundedMemoryPool::default()),
    }
}

pub(super) fn opened(text: &str, memory: Option<usize>) -> (tempfile::TempDir, Arc<Wlm>) {
    let directory = tempfile::tempdir().unwrap();
    let wlm = Wlm::open(directory.path(), Some(text), &pool(memory)).unwrap();
    (directory, Arc::new(wlm))
}

pub(super) fn admission(wlm: &Arc<Wlm>, slots: usize) -> Admission {
    grouped(wlm, slots, "default")
}

/// The same in a query group.
fn grouped(wlm: &Arc<Wlm>, slots: usize, query_group: &str) -> Admission {
    let applicant = Applicant { slots, ..Applicant::default() };
    applied(wlm, applicant, query_group, &Arc::default())
}

pub(super) fn applied(wlm: &Arc<Wlm>, applicant: Applicant, query_group: &str, trace: &Arc<WlmTrace>) -> Admission {
    Admission::new(wlm, applicant, &requester(false, &[], &[], query_group), trace, &pool(None))
}

/// Executing and queued statements of the last queue, and its slots in use.
fn figures(wlm: &Wlm) -> (usize, usize, usize) {
    let queue = wlm.queues().pop().unwrap();
    let tasks = wlm.tasks();
    let running = tasks.iter().filter(|task| task.class == queue.settings.class && task.exec_us.is_some());
    (queue.executing, queue.queued, running.map(|task| task.applicant.slots).sum())
}

/// Polls once: whether it is there now.
pub(super) async fn is_ready<T>(future: &mut (impl Future<Output = T> + Unpin)) -> bool {
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
    let waiting: Vec<Admission> = (0..queues::MOST_WAITING).map(|_| admission(&wlm, 1)).collect();
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
    let wlm = Arc::new(Wlm::open(directory.path(), None, &pool(None)).unwrap());
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
    let next = Wlm::open(directory.path(), None, &pool(None)).unwrap();
    assert_eq!(next.queues().last().unwrap().settings.slots, Some(4));
    std::fs::write(directory.path().join("wlm.json"), "[").unwrap();
    let error = Wlm::open(directory.path(), None, &pool(None)).unwrap_err();
    assert!(error.hint.unwrap().contains("wlm.json"));
    let given = Wlm::open(directory.path(), Some(""), &pool(None)).unwrap();
    assert!(!given.set(r#"[{"query_concurrency":2}]"#).unwrap());
    assert_eq!(given.queues().last().unwrap().settings.slots, None);
}

#[tokio::test]
async fn memory_is_divided_among_slots() {
    let text = r#"[{"query_group":["g"],"memory_percent_to_use":40},{"query_concurrency":4,
        "memory_percent_to_use":60}]"#;
    let (_directory, wlm) = opened(text, Some(1000));
    let two = admission(&wlm, 2);
    two.enter().await.unwrap();
    let pool: Arc<dyn MemoryPool> = two.pool().unwrap().clone();
    let held = datafusion::execution::memory_pool::MemoryConsumer::new("sort").register(&pool);
    held.try_grow(300).unwrap();
    let error = held.try_grow(1).unwrap_err();
    assert!(error.to_string().contains("300 bytes of memory"), "{error}");
    held.free();
    held.try_grow(300).unwrap();
    // Nothing is divided without a configuration.
    let (_directory, wlm) = opened("", Some(1000));
    assert!(admission(&wlm, 1).pool().is_none());
}

#[tokio::test]
async fn priorities_go_first_and_none_starves() {
    let text =
        r#"[{"query_group":["first"],"priority":"highest","auto_wlm":true},{"priority":"lowest","auto_wlm":true}]"#;
    // So little memory that one runs at a time.
    let (_directory, wlm) = opened(text, Some(1 << 20));
    let running = admission(&wlm, 7);
    running.enter().await.unwrap();
    let (low, high) = (admission(&wlm, 1), grouped(&wlm, 1, "first"));
    let mut low_waits = Box::pin(low.enter());
    let mut high_waits = Box::pin(high.enter());
    assert!(!is_ready(&mut low_waits).await && !is_ready(&mut high_waits).await);
    let states: Vec<_> = wlm.tasks().iter().map(|task| (task.applicant.slots, task.priority, task.position)).collect();
    let expected = [
        (1, Some(Priority::Lowest), None),
        (1, Some(Priority::Lowest), Some(0)),
        (1, Some(Priority::Highest), Some(0)),
    ];
    assert_eq!(states, expected);
    drop(running);
    assert!(is_ready(&mut high_waits).await && !is_ready(&mut low_waits).await);
    drop(high_waits);
    drop(high);
    assert!(is_ready(&mut low_waits).await);
}

#[tokio::test]
async fn slots_are_there_when_they_are_given() {
    let (_directory, wlm) = opened(r#"[{"query_concurrency":1}]"#, None);
    let traces: [Arc<WlmTrace>; 3] = Default::default();
    let [first, second, third] =
        traces.each_ref().map(|trace| applied(&wlm, Applicant { slots: 1, ..Applicant::default() }, "default", trace));
    first.enter().await.unwrap();
    let (mut second_waits, mut third_waits) = (Box::pin(second.enter()), Box::pin(third.enter()));
    assert!(!is_ready(&mut second_waits).await && !is_ready(&mut third_waits).await);
    drop(first);
    // Whoever has them does not look for a while.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(is_ready(&mut second_waits).await && !is_ready(&mut third_waits).await);
    drop(second_waits);
    drop(second);
    assert!(is_ready(&mut third_waits).await);
    drop(third_waits);
    drop(third);
    let [first, second, third] = traces.map(|trace| trace.take(i64::MAX).0.remove(0));
    let between = |one: &Stay, next: &Stay| next.exec_start_us.unwrap() - one.end_us.unwrap();
    assert!((0..100_000).contains(&between(&first, &second)), "{first:?} {second:?}");
    assert!((0..100_000).contains(&between(&second, &third)), "{second:?} {third:?}");
    assert!(second.queue_start_us <= third.queue_start_us);
}

#[tokio::test]
async fn one_critical_statement_runs_at_a_time_and_it_is_next() {
    let (_directory, wlm) = opened(r#"{"auto_wlm":true}"#, None);
    wlm.change_user_priority("ann", Some(Priority::Critical));
    let of = |user: &str| {
        let applicant = Applicant { slots: 1, user: user.to_owned(), ..Applicant::default() };
        applied(&wlm, applicant, "default", &Arc::default())
    };
    let (first, second) = (of("ann"), of("ann"));
    first.enter().await.unwrap();
    let mut held_back = Box::pin(second.enter());
    assert!(!is_ready(&mut held_back).await);
    // Others begin while there is room: four for a core.
    let room = std::thread::available_parallelism().map_or(1, usize::from).saturating_mul(4).min(50);
    let mut others = Vec::new();
    for _ in 1..room {
        let other = of("bob");
        other.enter().await.unwrap();
        others.push(other);
    }
    let next = of("bob");
    let mut waits = Box::pin(next.enter());
    assert!(!is_ready(&mut waits).await);
    drop(first);
    assert!(is_ready(&mut held_back).await);
    assert!(!is_ready(&mut waits).await, "it passed a critical one by");
}
