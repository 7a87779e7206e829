//! A vacuum that is given up wherever it waits: nothing is lost, nothing is there twice, the next one may begin, and no
//! file stays that nobody names.

use super::number;
use super::old_files::files;
use millrace_engine::retention::RetentionPolicy;
use millrace_engine::{Session, Warehouse};
use millrace_tests::database::rows;
use millrace_tests::warehouse_config;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// More rounds than a vacuum could have places where it waits.
const MOST_ROUNDS: i64 = 200;

/// Waits for a future until it has been woken so many times; `None` where it was not done by then and is given up.
async fn within<F: Future>(wakes: u64, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = wakes;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        future.as_mut().poll(context).map(Some)
    })
    .await
}

/// What the table has.
#[derive(Default)]
struct Rows {
    count: i64,
    sum: i64,
}

impl Rows {
    /// Two loads whose keys lie among all others', a deleted row, and two rows in the catalog.
    async fn add(&mut self, session: &mut Session, round: i64) {
        let (first, second) = (2 * round, 2 * round + 1);
        for load in [first, second] {
            let text = format!("INSERT INTO t SELECT value * 1000 + {load} FROM generate_series(0, 149) AS g (value)");
            rows(session, &text).await.unwrap();
            self.count += 150;
            self.sum += 1000 * (149 * 150 / 2) + 150 * load;
        }
        rows(session, &format!("DELETE FROM t WHERE n = {first}")).await.unwrap();
        rows(session, &format!("INSERT INTO t VALUES ({}), ({})", -first - 1, -second - 1)).await.unwrap();
        self.count += 1;
        self.sum -= first + (first + 1) + (second + 1);
    }

    async fn check(&self, session: &mut Session, told: &str) {
        for text in ["SELECT count(*) FROM t", "SELECT count(DISTINCT n) FROM t"] {
            assert_eq!(number(session, text).await, self.count, "{told}: {text}");
        }
        assert_eq!(number(session, "SELECT sum(n) FROM t").await, self.sum, "{told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vacuum_that_is_given_up_loses_and_doubles_nothing() {
    for format in ["vortex", "parquet"] {
        let folder = tempfile::tempdir().unwrap();
        let warehouse = Warehouse::open(warehouse_config(folder.path())).await.unwrap();
        let mut session = Session::new(Arc::clone(&warehouse));
        let create = format!("CREATE TABLE t (n bigint) SORTKEY (n) TABLE PROPERTIES ('format' = '{format}')");
        rows(&mut session, &create).await.unwrap();
        let (mut expected, mut wakes, mut round) = (Rows::default(), 1, 0);
        loop {
            let told = format!("{format}, given up after {wakes} waits");
            expected.add(&mut session, round).await;
            let mut other = Session::new(Arc::clone(&warehouse));
            let done = within(wakes, Box::pin(rows(&mut other, "VACUUM FULL t TO 100 PERCENT BOOST"))).await;
            expected.check(&mut session, &told).await;
            if let Some(done) = done {
                done.unwrap_or_else(|error| panic!("{told}: {error}"));
                break;
            }
            // One that lets others go before works elsewhere: who gives it up waits in one place, for some time.
            let time = Duration::from_millis(round.unsigned_abs());
            let mut other = Session::new(Arc::clone(&warehouse));
            let patient = rows(&mut other, "VACUUM FULL t TO 100 PERCENT");
            if let Ok(done) = tokio::time::timeout(time, Box::pin(patient)).await {
                done.unwrap_or_else(|error| panic!("{told}, then patient: {error}"));
            }
            expected.check(&mut session, &format!("{told}, then patient for {time:?}")).await;
            // Every place at first, where reading and planning wait; then not each of those where rows are written.
            wakes += 1 + wakes / 16;
            round += 1;
            assert!(round < MOST_ROUNDS, "{told}: it does not end");
        }
        assert!(round > 3, "{format}: it was given up {round} times only");

        let now = RetentionPolicy { keep: Duration::ZERO, most: 1, grace: Duration::ZERO };
        let snapshot = warehouse.catalog().snapshot().await.unwrap();
        let table = snapshot.managed_table("default", "t").unwrap().id;
        let named = warehouse.catalog().data_files(table, snapshot.manifest_version()).await.unwrap().len();
        for _ in 0..500 {
            // What was given up ends a little later.
            tokio::time::sleep(Duration::from_millis(10)).await;
            warehouse.expire_by(&now).await.unwrap();
            if files(folder.path(), "t").len() == named {
                break;
            }
        }
        assert_eq!(files(folder.path(), "t").len(), named, "{format}: {:?}", files(folder.path(), "t"));
        expected.check(&mut session, format).await;
    }
}
