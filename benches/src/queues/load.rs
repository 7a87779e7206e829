//! The load: clients that ask short and long queries one after the other, and what they saw.

use super::{LONG, QUEUES, SHORT};
use crate::proc;
use crate::server::{self, Server};
use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_postgres::Client;

/// Of so many statements of a client one is long.
const LONG_EVERY: usize = 5;
/// How often memory and slots are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What clients saw.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The times of short queries that began within the time, their waiting included.
    pub(super) short: Vec<Duration>,
    /// The same of long ones.
    pub(super) long: Vec<Duration>,
    /// Statements that ended within the time.
    pub(super) ended: usize,
    /// For how long.
    pub(super) length: Duration,
    /// Errors, of which some are kept.
    pub(super) errors: Vec<String>,
    /// The most memory that the server had.
    pub(super) memory_bytes: u64,
    /// The most statements that had slots in each queue when somebody looked.
    pub(super) at_once: [i64; QUEUES.len()],
}

impl Seen {
    /// Together with what was seen another time.
    pub(super) fn add(&mut self, other: Self) {
        self.short.extend(other.short);
        self.long.extend(other.long);
        self.ended += other.ended;
        self.length += other.length;
        self.errors.extend(other.errors);
        self.memory_bytes = self.memory_bytes.max(other.memory_bytes);
        self.at_once.iter_mut().zip(other.at_once).for_each(|(own, other)| *own = (*own).max(other));
    }

    /// Statements that ended in a second.
    pub(super) fn throughput(&self) -> f64 {
        self.ended as f64 / self.length.as_secs_f64().max(1e-9)
    }
}

/// Clients that are connected, each with its queue.
pub(super) struct Clients(Vec<(usize, Client)>);

impl Clients {
    /// Connects so many, dealt to the queues as these have slots.
    pub(super) async fn connect(server: &Server, count: usize) -> Result<Self> {
        let slots: usize = QUEUES.iter().map(|queue| queue.slots).sum();
        let turns: Vec<usize> =
            QUEUES.iter().enumerate().flat_map(|(at, queue)| std::iter::repeat_n(at, queue.slots)).collect();
        let mut clients = Vec::new();
        for number in 0..count {
            let queue = turns[number % slots];
            let client = server::connect(&server.connection).await?;
            client.simple_query(&format!("SET query_group TO '{}'", QUEUES[queue].group)).await?;
            clients.push((queue, client));
        }
        Ok(Self(clients))
    }

    /// How many ask a queue.
    pub(super) fn of(&self, queue: usize) -> usize {
        self.0.iter().filter(|(own, _)| *own == queue).count()
    }

    /// Lets them ask for so long, and waits for the last answer. With `gated` they hold each other to the queues'
    /// limits themselves.
    pub(super) async fn ask(&mut self, server: &Server, length: Duration, gated: bool) -> Result<Seen> {
        let gates: Vec<Arc<Semaphore>> = QUEUES.iter().map(|queue| Arc::new(Semaphore::new(queue.slots))).collect();
        let over = Arc::new(AtomicBool::new(false));
        let looker = server::connect(&server.connection).await?;
        let looks = tokio::spawn(look(looker, server.process(), Arc::clone(&over)));
        let begin = Instant::now();
        let mut asking = JoinSet::new();
        for (number, (queue, client)) in std::mem::take(&mut self.0).into_iter().enumerate() {
            let gate = gated.then(|| Arc::clone(&gates[queue]));
            asking.spawn(async move {
                let seen = ask(&client, number, begin + length, gate.as_deref()).await;
                (number, queue, client, seen)
            });
        }
        let mut seen = Seen { length, ..Seen::default() };
        let mut back = Vec::new();
        while let Some(done) = asking.join_next().await {
            let (number, queue, client, own) = done?;
            seen.add(own);
            back.push((number, queue, client));
        }
        back.sort_by_key(|(number, ..)| *number);
        self.0 = back.into_iter().map(|(_, queue, client)| (queue, client)).collect();
        over.store(true, Ordering::Relaxed);
        (seen.memory_bytes, seen.at_once) = looks.await?;
        Ok(seen)
    }
}

/// Asks until the time is over.
async fn ask(client: &Client, number: usize, end: Instant, gate: Option<&Semaphore>) -> Seen {
    let mut seen = Seen::default();
    let mut turn = number;
    while Instant::now() < end {
        let is_long = turn.is_multiple_of(LONG_EVERY);
        let text = if is_long { LONG.to_owned() } else { SHORT.replace("{}", &(turn * 37 % 1_000).to_string()) };
        let begin = Instant::now();
        let turns = match gate {
            Some(gate) => gate.acquire().await.ok(),
            None => None,
        };
        let answer = client.simple_query(&text).await;
        drop(turns);
        if let Err(error) = answer {
            seen.errors.push(server::told(&error).to_string());
        } else {
            let times = if is_long { &mut seen.long } else { &mut seen.short };
            times.push(begin.elapsed());
            seen.ended += usize::from(Instant::now() <= end);
        }
        turn += 1;
    }
    seen
}

/// Looks at the server's memory and at its queues until the load is over.
async fn look(client: Client, process: u32, over: Arc<AtomicBool>) -> (u64, [i64; QUEUES.len()]) {
    let text = "SELECT service_class, num_executing_queries FROM stv_wlm_service_class_state";
    let (mut memory, mut most) = (0, [0; QUEUES.len()]);
    while !over.load(Ordering::Relaxed) {
        memory = memory.max(proc::own_bytes(process));
        for message in client.simple_query(text).await.unwrap_or_default() {
            let tokio_postgres::SimpleQueryMessage::Row(row) = message else { continue };
            let number = |at: usize| row.get(at).and_then(|value| value.parse::<i64>().ok());
            let (Some(class), Some(executing)) = (number(0), number(1)) else { continue };
            if let Some(at) = QUEUES.iter().position(|queue| i64::from(queue.class) == class) {
                most[at] = most[at].max(executing);
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    (memory, most)
}
