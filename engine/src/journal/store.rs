//! The task that writes the journal, and the numbers that statements get.

use super::Record;
use crate::error::{Error, Result};
use futures::FutureExt;
use futures::future::BoxFuture;
use millrace_catalog::{JournalEntry, JournalLimits, JournalStore};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Records on their way to the file.
const CHANNEL: usize = 8192;
/// Records that are still to be made of what a statement left.
const UNMADE: usize = 256;
/// Records of one transaction.
const BATCH: usize = 512;
/// How long the first record of a transaction waits for others, unless somebody wants to read.
const GATHER: Duration = Duration::from_millis(50);
/// Appended records between two looks at the limits.
const TRIM_EVERY: usize = 4096;
/// Numbers of statements taken from the file at once.
const BLOCK: i64 = 1000;

/// Records of all kinds, whatever their age and size.
const MOST_RECORDS: i64 = 200_000;
/// Microseconds of a day.
const DAY_US: i64 = 24 * 3_600_000_000;

/// How much a journal keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalConfig {
    /// `journal_days`: the oldest records that stay; Redshift keeps its logs for a week.
    pub days: u32,
    /// `journal_mb`: megabytes of records; with 0 nothing is recorded.
    pub megabytes: u32,
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self { days: 7, megabytes: 256 }
    }
}

impl JournalConfig {
    fn limits(self) -> JournalLimits {
        let bytes = i64::from(self.megabytes) << 20;
        JournalLimits { entries: MOST_RECORDS, bytes, age_us: i64::from(self.days) * DAY_US }
    }
}

/// The journal of a warehouse.
#[derive(Debug)]
pub struct Journal {
    store: Arc<JournalStore>,
    sender: Mutex<Option<mpsc::Sender<Message>>>,
    unmade: Mutex<Option<mpsc::Sender<Unmade>>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    lost: Arc<AtomicU64>,
    numbers: Arc<Mutex<Numbers>>,
    records: AtomicBool,
    hurry: Hurry,
}

/// What keeps records from being gathered any longer.
#[derive(Debug, Clone, Default)]
struct Hurry {
    /// Somebody wants to read.
    wanted: Arc<Notify>,
    /// The journal is closed.
    closing: CancellationToken,
}

enum Message {
    Entry(JournalEntry),
    /// Answered once everything before it is in the file.
    Flush(oneshot::Sender<()>),
}

/// What becomes a record.
enum Unmade {
    Record(BoxFuture<'static, Option<JournalEntry>>),
    /// Handed on once everything before it is on its way to the file.
    Flush(oneshot::Sender<()>),
}

/// A record as an entry of the file.
fn entry<R: Record>(record: &R) -> Option<JournalEntry> {
    let document = serde_json::to_string(record).ok()?;
    Some(JournalEntry { kind: R::KIND.to_owned(), at_us: record.at_us(), document })
}

/// Numbers that only this process gives.
#[derive(Debug)]
struct Numbers {
    next: i64,
    end: i64,
    following: Option<i64>,
}

impl Numbers {
    fn take(&mut self) -> i64 {
        if self.next == self.end
            && let Some(first) = self.following.take()
        {
            (self.next, self.end) = (first, first + BLOCK);
        }
        self.next += 1;
        self.next - 1
    }

    fn is_low(&self) -> bool {
        self.following.is_none() && self.end - self.next < BLOCK / 2
    }
}

impl Journal {
    /// Opens the journal's file and starts its task.
    pub(crate) async fn open(path: &Path, config: JournalConfig) -> Result<Self> {
        let mut store = JournalStore::open(path).await?;
        let first = match store.reserve("query", BLOCK).await {
            Ok(first) => first,
            Err(error) => {
                // Nobody is kept from a warehouse by its journal.
                tracing::warn!(%error, "the journal is kept in memory only");
                store = JournalStore::in_memory(path).await?;
                store.reserve("query", BLOCK).await?
            }
        };
        let store = Arc::new(store);
        let numbers = Arc::new(Mutex::new(Numbers { next: first, end: first + BLOCK, following: None }));
        let lost = Arc::new(AtomicU64::new(0));
        let hurry = Hurry::default();
        let (sender, receiver) = mpsc::channel(CHANNEL);
        let writer = Writer {
            store: Arc::clone(&store),
            lost: Arc::clone(&lost),
            numbers: Arc::clone(&numbers),
            limits: config.limits(),
            hurry: hurry.clone(),
        };
        let (unmade, unmade_receiver) = mpsc::channel(UNMADE);
        let maker = make(unmade_receiver, sender.clone(), Arc::clone(&lost), Arc::clone(&hurry.wanted));
        let tasks = vec![tokio::spawn(maker), tokio::spawn(writer.run(receiver))];
        let (sender, unmade) = (Mutex::new(Some(sender)), Mutex::new(Some(unmade)));
        let records = AtomicBool::new(config.megabytes > 0);
        Ok(Self { store, sender, unmade, tasks: Mutex::new(tasks), lost, numbers, records, hurry })
    }

    /// The number of the next statement.
    pub(crate) fn next_query(&self) -> i64 {
        self.numbers.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether what happens is recorded.
    pub(crate) fn is_recording(&self) -> bool {
        self.records.load(Ordering::Relaxed)
    }

    /// Whether what happens from now on is recorded; what is not is not lost either.
    pub fn set_recording(&self, records: bool) {
        self.records.store(records, Ordering::Relaxed);
    }

    /// Writes a record soon; never waits.
    pub fn record<R: Record>(&self, record: &R) {
        if !self.is_recording() {
            return;
        }
        let entry = entry(record);
        let sent = entry.zip(self.sender()).is_some_and(|(entry, to)| to.try_send(Message::Entry(entry)).is_ok());
        if !sent {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Makes a record soon, in the journal's own time, and writes it; never waits. Whatever it is made of is kept until
    /// then, which is why only a few may be under way.
    pub(crate) fn record_later<R: Record>(&self, make: impl Future<Output = R> + Send + 'static) {
        if !self.is_recording() {
            return;
        }
        let unmade = Unmade::Record(async move { entry(&make.await) }.boxed());
        let sender = self.unmade.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if sender.is_none_or(|sender| sender.try_send(unmade).is_err()) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All records of a kind, those just recorded too, in the order of their recording. What this version cannot read
    /// is left out.
    pub async fn read<R: Record>(&self) -> Result<Vec<R>> {
        self.flush().await;
        let documents = self.store.read(R::KIND).await.map_err(Error::from)?;
        Ok(documents.iter().filter_map(|document| serde_json::from_str(document).ok()).collect())
    }

    /// Waits until what was recorded so far is in the file.
    pub async fn flush(&self) {
        let unmade = self.unmade.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(sender) = unmade {
            let (done, flushed) = oneshot::channel();
            if sender.send(Unmade::Flush(done)).await.is_ok() {
                // An error says that the task is gone, and with it whatever was to come.
                let _ = flushed.await;
            }
        }
    }

    /// How many records were lost since the warehouse was opened.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    /// Writes what is on its way, and ends the task.
    pub(crate) async fn close(&self) {
        self.hurry.closing.cancel();
        self.unmade.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            if let Err(error) = task.await {
                tracing::warn!(%error, "the journal's task failed");
            }
        }
    }

    fn sender(&self) -> Option<mpsc::Sender<Message>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Makes records, and sends them on; ends with the journal.
async fn make(
    mut receiver: mpsc::Receiver<Unmade>,
    sender: mpsc::Sender<Message>,
    lost: Arc<AtomicU64>,
    wanted: Arc<Notify>,
) {
    while let Some(unmade) = receiver.recv().await {
        match unmade {
            Unmade::Record(make) => {
                if make.await.is_none_or(|entry| sender.try_send(Message::Entry(entry)).is_err()) {
                    lost.fetch_add(1, Ordering::Relaxed);
                }
            }
            Unmade::Flush(done) => {
                // Whoever asked is told by dropping it.
                let _ = sender.send(Message::Flush(done)).await;
                wanted.notify_one();
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Waits for more messages for the same transaction, unless somebody waits for it. They gather where they are: whoever
/// sends one wakes nobody.
async fn gather(receiver: &mut mpsc::Receiver<Message>, messages: &mut Vec<Message>, hurry: &Hurry) {
    if messages.len() >= BATCH || messages.iter().any(|message| matches!(message, Message::Flush(_))) {
        return;
    }
    tokio::select! {
        () = tokio::time::sleep(GATHER) => {}
        () = hurry.wanted.notified() => {}
        () = hurry.closing.cancelled() => {}
    }
    while messages.len() < BATCH {
        let Ok(message) = receiver.try_recv() else { return };
        messages.push(message);
    }
}

struct Writer {
    store: Arc<JournalStore>,
    lost: Arc<AtomicU64>,
    numbers: Arc<Mutex<Numbers>>,
    limits: JournalLimits,
    hurry: Hurry,
}

impl Writer {
    /// Ends when every sender is gone: with the journal.
    async fn run(self, mut receiver: mpsc::Receiver<Message>) {
        let mut messages = Vec::with_capacity(BATCH);
        let mut untrimmed = TRIM_EVERY;
        while receiver.recv_many(&mut messages, BATCH).await > 0 {
            gather(&mut receiver, &mut messages, &self.hurry).await;
            let (mut entries, mut waiting) = (Vec::new(), Vec::new());
            for message in messages.drain(..) {
                match message {
                    Message::Entry(entry) => entries.push(entry),
                    Message::Flush(done) => waiting.push(done),
                }
            }
            if !entries.is_empty() {
                untrimmed += entries.len();
                self.append(&entries).await;
            }
            for done in waiting {
                // Whoever asked may have been cancelled.
                let _ = done.send(());
            }
            self.reserve().await;
            if untrimmed >= TRIM_EVERY {
                untrimmed = 0;
                if let Err(error) = self.store.trim(self.limits, now_us()).await {
                    tracing::warn!(%error, "could not trim the journal");
                }
            }
        }
    }

    async fn append(&self, entries: &[JournalEntry]) {
        if let Err(error) = self.store.append(entries).await {
            tracing::warn!(%error, lost = entries.len(), "could not write the journal");
            self.lost.fetch_add(entries.len() as u64, Ordering::Relaxed);
        }
    }

    async fn reserve(&self) {
        if !self.numbers.lock().unwrap_or_else(PoisonError::into_inner).is_low() {
            return;
        }
        match self.store.reserve("query", BLOCK).await {
            Ok(first) => self.numbers.lock().unwrap_or_else(PoisonError::into_inner).following = Some(first),
            Err(error) => tracing::warn!(%error, "could not take numbers for statements"),
        }
    }
}

/// Microseconds since the epoch, UTC.
pub fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros() as i64)
}
