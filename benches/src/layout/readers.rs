//! Sessions that read ranges of lineitem, alone and beside one that inserts into it and one that vacuums it, each again and
//! again, in one process as in a server. Every answer must be what it was at the beginning, and no inserted row may be lost.
//!
//! The writer runs once on threads of its own, by whose name its CPU time is told from the readers', and once on the readers'
//! threads, as a server has it: there one that keeps a thread too long is seen in the readers' longest time. VACUUM computes on
//! threads that let others go before, in both.

use super::points::{key, orders};
use super::{Bar, Found, Part, Place};
use crate::compare::{self, Row};
use crate::numbers::mixed;
use crate::progress::Progress;
use crate::report::{Line, Measure, Report, Side, median_ms, percentile_ms};
use crate::side::Ours;
use crate::target::{Kind, Used, cpu_of_threads};
use crate::tpch;
use anyhow::{Context, Result, ensure};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{JoinHandle, JoinSet};

/// Orders that a query reads, at most a quarter of all.
const ORDERS_OF_RANGE: u64 = 10_000;
/// How many ranges there are.
const RANGES: u64 = 64;
/// Orders whose rows an insert copies under new keys.
const ORDERS_OF_INSERT: u64 = 1_000;
/// So far apart are the new keys of two inserts: further than all keys of the largest scale, whose ranges are read.
const KEYS_OF_INSERT: u64 = 10_000_000_000;
/// The longest turn of a load, in seconds.
const TURN: u64 = 10;
/// The name of the threads of the writer and the VACUUM.
const OTHERS: &str = "others";
/// The name of the threads on which the VACUUM computes, whoever asks for it.
const PATIENT: &str = "patient";
/// The name of the threads of the catalog's database, as far as Linux keeps it.
const CATALOG: &str = "sqlx-sqlite-wor";

const INSERT: &str = "INSERT INTO lineitem SELECT l_orderkey + CAST({} AS bigint), l_partkey, l_suppkey, l_linenumber, \
     l_quantity, l_extendedprice, l_discount, l_tax, l_returnflag, l_linestatus, l_shipdate, l_commitdate, l_receiptdate, \
     l_shipinstruct, l_shipmode, l_comment FROM fresh";
/// Does its work however little there is.
const VACUUM: &str = "VACUUM lineitem TO 100 PERCENT";

/// Who runs beside the readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Load {
    /// The others, on threads of their own.
    Beside,
    /// The others, on the readers' threads.
    Shared,
    /// Nobody.
    Alone,
}

const LOADS: [(Load, &str); 3] = [(Load::Beside, "beside"), (Load::Shared, "same threads"), (Load::Alone, "alone")];

/// What was seen of a load, in all of its turns.
#[derive(Debug, Default)]
struct Seen {
    /// How long reads took, and the median of each turn.
    reads: Vec<Duration>,
    medians: Vec<f64>,
    /// Reads that ended within the time.
    ended: usize,
    length: Duration,
    cpu_seconds: f64,
    /// Of it, what the others' threads took, and the catalog's, which work for all.
    others_cpu_seconds: f64,
    catalog_cpu_seconds: f64,
    inserts: Done,
    vacuums: Done,
}

/// What a session did beside the readers.
#[derive(Debug, Default)]
struct Done {
    times: Vec<Duration>,
    errors: Vec<String>,
}

impl Done {
    fn note(&mut self, outcome: Result<Duration>) {
        match outcome {
            Ok(time) => self.times.push(time),
            Err(error) => self.errors.push(format!("{error:#}")),
        }
    }

    fn add(&mut self, other: Self) {
        self.times.extend(other.times);
        self.errors.extend(other.errors);
    }
}

impl Seen {
    fn per_second(&self) -> f64 {
        self.ended as f64 / self.length.as_secs_f64().max(1e-9)
    }

    fn longest_ms(&self) -> f64 {
        self.reads.iter().max().map_or(0.0, |time| time.as_secs_f64() * 1e3)
    }
}

/// Threads of their own.
struct OwnThreads(Option<Runtime>);

impl OwnThreads {
    fn start(threads: usize) -> Result<Self> {
        let mut runtime = Builder::new_multi_thread();
        // A thread that ended would take its time with it.
        runtime.enable_all().worker_threads(threads).thread_name(OTHERS).thread_keep_alive(Duration::from_hours(24));
        Ok(Self(Some(runtime.thread_stack_size(millrace_engine::STACK_BYTES).build()?)))
    }

    fn handle(&self) -> Handle {
        self.0.as_ref().map_or_else(Handle::current, |runtime| runtime.handle().clone())
    }
}

impl Drop for OwnThreads {
    fn drop(&mut self) {
        // Among tasks nobody may wait for it.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Queries with their answers.
type Questions = Arc<Vec<(String, Vec<Row>)>>;

/// Measures them.
pub(super) async fn measure(place: &Place<'_>) -> Result<Found> {
    let (readers, seconds) = (place.options.readers, place.options.seconds);
    let mut ours = Ours::open(&place.homes.join("readers"), place.threads).await?;
    ours.load(Kind::Managed, &[tpch::lineitem()], &place.data).await?;
    let fresh = key(ORDERS_OF_INSERT);
    ours.run(&format!("CREATE TABLE fresh AS SELECT * FROM lineitem WHERE l_orderkey <= {fresh}")).await?;
    let (rows, inserted_rows) = (count(&mut ours, "lineitem").await?, count(&mut ours, "fresh").await?);
    let questions = ask_all(&mut ours, orders(place.options.scale)).await?;
    let own = OwnThreads::start(place.threads)?;
    let turns = seconds.div_ceil(TURN);
    let length = Duration::from_secs_f64(seconds as f64 / turns as f64);
    let mut seen: [Seen; LOADS.len()] = Default::default();
    let mut wrong = Vec::new();
    let progress = Progress::new("readers", LOADS.len() * turns as usize);
    'turns: for _ in 0..turns {
        for (at, (load, name)) in LOADS.iter().enumerate() {
            progress.step(name);
            // No insert has the keys of another.
            let inserts: usize = seen.iter().map(|seen| seen.inserts.times.len() + seen.inserts.errors.len()).sum();
            let others = match load {
                Load::Beside => Some(own.handle()),
                Load::Shared => Some(Handle::current()),
                Load::Alone => None,
            };
            let turn = Turn { questions: &questions, readers, length, first_insert: inserts as u64 };
            if let Err(error) = Box::pin(turn.run(&ours, others, &mut seen[at])).await {
                wrong.push(format!("{name}: {error:#}"));
                break 'turns;
            }
        }
    }
    drop(progress);
    let inserts: usize = seen.iter().map(|seen| seen.inserts.times.len()).sum();
    let held = count(&mut ours, "lineitem").await?;
    let expected = rows + inserts as u64 * inserted_rows;
    if held != expected {
        wrong.push(format!("{held} rows instead of {expected} after {inserts} inserts of {inserted_rows}"));
    }
    Ok(found(place, &seen, wrong))
}

/// The report of what was seen.
fn found(place: &Place<'_>, seen: &[Seen; LOADS.len()], wrong: Vec<String>) -> Found {
    let mut line = Line::new("read", LOADS.len());
    let mut notes = Vec::new();
    for (at, ((_, name), seen)) in LOADS.iter().zip(seen).enumerate() {
        line.times_ms[at].clone_from(&seen.medians);
        line.measures[at] = Measure {
            cpu_seconds: Some(seen.cpu_seconds),
            per_second: Some(seen.per_second()),
            p95_ms: Some(percentile_ms(&seen.reads, 95)),
            p99_ms: Some(percentile_ms(&seen.reads, 99)),
            max_ms: Some(seen.longest_ms()),
            ..Measure::default()
        };
        for (what, done) in [("inserts", &seen.inserts), ("vacuums", &seen.vacuums)] {
            if done.times.is_empty() && done.errors.is_empty() {
                continue;
            }
            let longest = done.times.iter().max().map_or(0.0, |time| time.as_secs_f64() * 1e3);
            notes.push(format!(
                "{name}: {} {what}, median {:.1} ms, longest {longest:.1} ms, {} failed{}",
                done.times.len(),
                median_ms(&done.times),
                done.errors.len(),
                done.errors.first().map_or_else(String::new, |error| format!(", the first: {error}"))
            ));
        }
    }
    let [beside, shared, alone] = seen;
    let share = beside.others_cpu_seconds / beside.cpu_seconds.max(1e-9);
    let lost = |seen: &Seen| 1.0 - seen.per_second() / alone.per_second();
    notes.push(format!(
        "beside: of {:.1} CPU seconds the others' threads took {:.1}, the catalog's {:.1} (alone {:.1}); on the same threads \
         readers lost {:.3}",
        beside.cpu_seconds,
        beside.others_cpu_seconds,
        beside.catalog_cpu_seconds,
        alone.catalog_cpu_seconds,
        lost(shared)
    ));
    let mut bars = Vec::new();
    if alone.ended > 0 {
        bars.push(Bar::at_most("lost by readers, beside the others' part of the CPU", lost(beside), share));
    }
    let title = format!(
        "{} readers of lineitem at scale {}, {} threads, medians of turns, {} s of each load",
        place.options.readers, place.options.scale, place.threads, place.options.seconds
    );
    let sides = LOADS.iter().map(|(_, name)| Side::named(name)).collect();
    Found { part: Part::Readers, report: Report { title, sides, lines: vec![line] }, bars, notes, wrong }
}

/// How many rows a table has.
async fn count(ours: &mut Ours, table: &str) -> Result<u64> {
    let rows = compare::rows(&ours.run(&format!("SELECT count(*) FROM {table}")).await?)?;
    rows.first().and_then(|row| row.first()?.parse().ok()).with_context(|| format!("no count of {table}"))
}

/// The ranges that are read, with their answers.
async fn ask_all(ours: &mut Ours, orders: u64) -> Result<Questions> {
    let mut questions = Vec::new();
    for number in 0..RANGES {
        let (first, last) = range(number, orders);
        let text = format!(
            "SELECT count(*), sum(l_quantity), sum(l_extendedprice), max(l_comment) FROM lineitem \
             WHERE l_orderkey BETWEEN {first} AND {last}"
        );
        let answer = compare::rows(&ours.run(&text).await?)?;
        questions.push((text, answer));
    }
    Ok(Arc::new(questions))
}

/// The keys of the orders that a question reads.
fn range(number: u64, orders: u64) -> (i64, i64) {
    let length = ORDERS_OF_RANGE.min(orders / 4).max(1);
    let first = 1 + mixed(number) % (orders - length + 1);
    (key(first), key(first + length - 1))
}

/// One turn of a load.
struct Turn<'a> {
    questions: &'a Questions,
    readers: usize,
    length: Duration,
    /// How many inserts there were before.
    first_insert: u64,
}

impl Turn<'_> {
    /// Lets all of them do their work for a time.
    async fn run(&self, ours: &Ours, others: Option<Handle>, seen: &mut Seen) -> Result<()> {
        let over = Arc::new(AtomicBool::new(false));
        let (cpu, others_cpu) = (Used::of_this_process().cpu_seconds, cpu_of_others());
        let catalog_cpu = cpu_of_threads(CATALOG);
        let end = Instant::now() + self.length;
        let others = others.map(|threads| {
            let insert = insert(ours.another(), self.first_insert, Arc::clone(&over));
            let vacuum = vacuum(ours.another(), Arc::clone(&over));
            (threads.spawn(insert), threads.spawn(vacuum))
        });
        let mut reading = JoinSet::new();
        for number in 0..self.readers {
            reading.spawn(read(ours.another(), Arc::clone(self.questions), number as u64, end));
        }
        let mut reads = Vec::new();
        let mut problem = None;
        while let Some(own) = reading.join_next().await {
            match own.context("a reader").flatten() {
                Ok(own) => {
                    seen.ended += own.ended;
                    reads.extend(own.times);
                }
                Err(error) => problem = Some(error),
            }
        }
        seen.cpu_seconds += Used::of_this_process().cpu_seconds - cpu;
        seen.others_cpu_seconds += cpu_of_others() - others_cpu;
        seen.catalog_cpu_seconds += cpu_of_threads(CATALOG) - catalog_cpu;
        over.store(true, Ordering::Relaxed);
        if let Some((insert, vacuum)) = others {
            seen.inserts.add(ended(insert).await?);
            seen.vacuums.add(ended(vacuum).await?);
        }
        if let Some(error) = problem {
            return Err(error);
        }
        seen.length += self.length;
        seen.medians.push(median_ms(&reads));
        seen.reads.extend(reads);
        Ok(())
    }
}

/// CPU seconds of the writer's and the VACUUM's threads.
fn cpu_of_others() -> f64 {
    cpu_of_threads(OTHERS) + cpu_of_threads(PATIENT)
}

async fn ended(task: JoinHandle<Done>) -> Result<Done> {
    task.await.context("a session beside the readers")
}

/// What a reader saw.
struct Read {
    times: Vec<Duration>,
    ended: usize,
}

/// Reads until the time is over.
async fn read(mut session: Ours, questions: Questions, number: u64, end: Instant) -> Result<Read> {
    let mut own = Read { times: Vec::new(), ended: 0 };
    let mut turn = 0;
    while Instant::now() < end {
        let (text, expected) = &questions[mixed((number << 40) | turn) as usize % questions.len()];
        let begin = Instant::now();
        let answer = session.run(text).await?;
        own.times.push(begin.elapsed());
        own.ended += usize::from(Instant::now() <= end);
        let answer = compare::rows(&answer)?;
        ensure!(answer == *expected, "a reader saw {answer:?} instead of {expected:?}: {text}");
        turn += 1;
    }
    Ok(own)
}

/// Inserts until the time is over.
async fn insert(mut session: Ours, first: u64, over: Arc<AtomicBool>) -> Done {
    let mut done = Done::default();
    for number in first + 1.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        done.note(session.time(&INSERT.replace("{}", &(number * KEYS_OF_INSERT).to_string())).await);
    }
    done
}

/// Vacuums until the time is over.
async fn vacuum(mut session: Ours, over: Arc<AtomicBool>) -> Done {
    let mut done = Done::default();
    while !over.load(Ordering::Relaxed) {
        done.note(session.time(VACUUM).await);
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_of_orders_that_are_there() {
        for orders in [1, 15_000, 15_000_000] {
            for number in 0..RANGES {
                let (first, last) = range(number, orders);
                assert!(first >= 1 && first <= last && last <= key(orders), "{first} to {last} of {orders}");
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn readers_see_the_same_beside_others() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let data = tpch::folder(0.002, folder.path()).await?;
        let mut ours = Ours::open(&folder.path().join("warehouse"), 2).await?;
        ours.load(Kind::Managed, &[tpch::lineitem()], &data).await?;
        ours.run("CREATE TABLE fresh AS SELECT * FROM lineitem WHERE l_orderkey <= 32").await?;
        let (before, fresh) = (count(&mut ours, "lineitem").await?, count(&mut ours, "fresh").await?);
        let questions = ask_all(&mut ours, orders(0.002)).await?;
        let own = OwnThreads::start(2)?;
        let mut seen = Seen::default();
        for others in [Some(own.handle()), Some(Handle::current()), None] {
            let (length, first_insert) = (Duration::from_millis(300), seen.inserts.times.len() as u64);
            let turn = Turn { questions: &questions, readers: 2, length, first_insert };
            Box::pin(turn.run(&ours, others, &mut seen)).await?;
        }
        let Seen { inserts, vacuums, .. } = &seen;
        assert!(inserts.errors.is_empty() && vacuums.errors.is_empty(), "{seen:?}");
        assert!(!inserts.times.is_empty() && !vacuums.times.is_empty() && !seen.reads.is_empty(), "{seen:?}");
        assert_eq!((seen.medians.len(), seen.length), (3, Duration::from_millis(900)));
        assert_eq!(count(&mut ours, "lineitem").await?, before + fresh * inserts.times.len() as u64);
        Ok(())
    }
}
