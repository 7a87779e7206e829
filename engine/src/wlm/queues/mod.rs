//! The queues as they are now: who runs, who waits, how many slots are taken.
//!
//! First come, first served within a queue: whoever needs several slots is not passed by who needs one. One lock guards
//! all of it and is never held while anything is waited for. Statements that wait when the configuration changes keep
//! their queue: it takes over the new limits, or goes on with its old ones until it is empty. The queues of automatic
//! WLM share what runs at once: who is next among all of them goes by priority, and by age within one ([`priorities`]).

mod priorities;

use super::automatic::Automatic;
use super::config::{Configuration, QueueSettings};
use super::file::{ConfigurationFile, Version};
use super::predict::{Features, Predictor};
use super::priority::Priority;
use super::state::{Applicant, QueueState, TaskState};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::now_us;
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How many statements may wait in a queue.
pub(super) const MOST_WAITING: usize = 2_000;
/// How often the file is looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A warehouse's queues.
#[derive(Debug)]
pub(crate) struct Wlm {
    inner: Mutex<Inner>,
    predictor: Predictor,
    file: ConfigurationFile,
    /// The configuration was given when the warehouse was opened, and the file is not asked.
    given: bool,
    looked: Mutex<(Instant, Version)>,
}

#[derive(Debug)]
struct Inner {
    /// What all slots are parts of.
    pool: Arc<dyn MemoryPool>,
    automatic: Automatic,
    configuration: Arc<Configuration>,
    queues: Vec<Queue>,
    tasks: BTreeMap<i64, Task>,
    next_task: i64,
    next_queue: u64,
    /// The priorities that sessions and users were given.
    sessions: BTreeMap<i32, Priority>,
    users: BTreeMap<String, Priority>,
}

#[derive(Debug)]
struct Queue {
    /// Tells it from another of the same class that a reload made.
    id: u64,
    settings: Arc<QueueSettings>,
    used: usize,
    executing: usize,
    waiting: VecDeque<i64>,
    serviced: u64,
    executed: u64,
    evicted: u64,
    /// The configuration has it no more.
    retired: bool,
}

#[derive(Debug)]
struct Task {
    applicant: Applicant,
    /// How long it is thought to run, if anything is known of that.
    predicted: Option<Duration>,
    queue: Option<u64>,
    /// Slots that it holds; 0 while it waits.
    held: usize,
    start_us: i64,
    queue_us: i64,
    exec_us: Option<i64>,
    returning: bool,
    /// What it was given itself.
    priority: Option<Priority>,
    grant: Option<oneshot::Sender<i64>>,
}

/// What comes of entering a queue.
pub(super) struct Entry {
    pub(super) settings: Arc<QueueSettings>,
    /// When it was entered, in microseconds since the epoch.
    pub(super) queue_us: i64,
    pub(super) slots: Slots,
}

/// When slots are there, in microseconds since the epoch: as of the moment, whoever hears of it later.
pub(super) enum Slots {
    Given(i64),
    /// Until this is answered.
    Awaited(oneshot::Receiver<i64>),
}

impl Wlm {
    /// The queues of the warehouse in a directory, as given or as it keeps them.
    ///
    /// # Errors
    /// What is wrong with the configuration.
    pub(crate) fn open(directory: &Path, given: Option<&str>, pool: &Arc<dyn MemoryPool>) -> Result<Self> {
        let file = ConfigurationFile::new(directory);
        let version = file.version();
        let configuration = match given {
            Some(text) => Configuration::parse(text)?,
            None => Configuration::parse(&file.read()?)
                .map_err(|error| error.with_hint(format!("it is kept in {}", file.path().display())))?,
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut inner = Inner {
            pool: Arc::clone(pool),
            automatic: Automatic::new(cores, limit(pool)),
            configuration: Arc::default(),
            queues: Vec::new(),
            tasks: BTreeMap::new(),
            next_task: 1,
            next_queue: 0,
            sessions: BTreeMap::new(),
            users: BTreeMap::new(),
        };
        inner.apply(configuration);
        let looked = Mutex::new((Instant::now(), version));
        let predictor = Predictor::default();
        Ok(Self { inner: Mutex::new(inner), predictor, file, given: given.is_some(), looked })
    }

    /// Whether there is a limit that slots are parts of.
    pub(super) fn has_memory(&self) -> bool {
        self.lock().memory().is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The configuration that counts now.
    pub(crate) fn configuration(&self) -> Arc<Configuration> {
        self.look_at_file();
        Arc::clone(&self.lock().configuration)
    }

    /// Keeps another configuration and goes by it; `false` where one was given at the start, which goes before.
    ///
    /// # Errors
    /// What is wrong with it, and what the file system says.
    pub(crate) fn set(&self, text: &str) -> Result<bool> {
        let configuration = Configuration::parse(text)?;
        self.file.write(&configuration.text)?;
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).1 = self.file.version();
        if !self.given {
            self.lock().apply(configuration);
        }
        Ok(!self.given)
    }

    /// Reads the file again when it has changed. One that is wrong changes nothing.
    pub(super) fn look_at_file(&self) {
        if self.given {
            return;
        }
        let Ok(mut looked) = self.looked.try_lock() else { return };
        if looked.0.elapsed() < LOOK_EVERY {
            return;
        }
        looked.0 = Instant::now();
        let version = self.file.version();
        if looked.1 == version {
            return;
        }
        looked.1 = version;
        match self.file.read().and_then(|text| Configuration::parse(&text)) {
            Ok(configuration) => self.lock().apply(configuration),
            Err(error) => tracing::warn!(%error, detail = error.detail, "the queues stay as they were"),
        }
    }

    /// A statement that will enter a queue; its number.
    pub(super) fn register(&self, applicant: Applicant) -> i64 {
        let predicted = applicant.features.and_then(|features| self.predictor.predict(features));
        let mut inner = self.lock();
        let task = inner.next_task;
        inner.next_task += 1;
        let now = now_us();
        let state = Task {
            applicant,
            predicted,
            queue: None,
            held: 0,
            start_us: now,
            queue_us: now,
            exec_us: None,
            returning: false,
            priority: None,
            grant: None,
        };
        inner.tasks.insert(task, state);
        task
    }

    /// Enters the queue of a class, or the default one where there is none any more.
    ///
    /// # Errors
    /// `InvalidParameter` for more slots than it has; `QueueFull`.
    pub(super) fn enter(&self, task: i64, class: i32) -> Result<Entry> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let default = inner.configuration.queues.last().and_then(|queue| inner.find(queue.class));
        let Some(at) = inner.find(class).or(default) else {
            return Err(Error::internal("WLM has no default queue"));
        };
        let runs = match inner.tasks.get(&task) {
            Some(state) if inner.is_held_back(at, state) => false,
            state => inner.runs_at_once(at, state.map_or(1, |state| state.applicant.slots)),
        };
        let (queue, Some(state)) = (&mut inner.queues[at], inner.tasks.get_mut(&task)) else {
            return Err(Error::internal("a task of WLM was lost"));
        };
        let (slots, settings) = (state.applicant.slots, Arc::clone(&queue.settings));
        if let Some(most) = settings.slots.filter(|most| slots > *most) {
            let message = format!("the statement needs {slots} slots, and queue \"{}\" has {most}", settings.name);
            return Err(Error::new(ErrorKind::InvalidParameter, message).with_hint("SET wlm_query_slot_count TO 1"));
        }
        if queue.waiting.len() >= MOST_WAITING {
            let message = format!("{MOST_WAITING} statements wait in queue \"{}\" already", settings.name);
            return Err(Error::new(ErrorKind::QueueFull, message));
        }
        let queue_us = now_us();
        state.queue = Some(queue.id);
        state.queue_us = queue_us;
        queue.serviced += 1;
        if runs {
            let slots = Slots::Given(queue.take(state, slots));
            return Ok(Entry { settings, queue_us, slots });
        }
        let (grant, receiver) = oneshot::channel();
        state.grant = Some(grant);
        queue.waiting.push_back(task);
        if queue.is_automatic() {
            // Those that wait may be held back, and whoever comes now is not.
            inner.grant_automatic();
        }
        Ok(Entry { settings, queue_us, slots: Slots::Awaited(receiver) })
    }

    /// Moves a running statement to another queue, if that has the slots now and memory for what it holds; when.
    pub(super) fn reassign(&self, task: i64, class: i32, memory: usize) -> Option<(Arc<QueueSettings>, i64)> {
        let mut inner = self.lock();
        let at = inner.find(class)?;
        let settings = Arc::clone(&inner.queues[at].settings);
        let slots = inner.tasks.get(&task)?.applicant.slots;
        let room = inner.share(&settings, slots, None).is_none_or(|share| memory <= share);
        if settings.slots.is_some_and(|most| slots > most) || !inner.runs_at_once(at, slots) || !room {
            return None;
        }
        inner.leave(task, true);
        // Leaving may have removed a queue before it.
        let at = inner.find(class)?;
        let inner = &mut *inner;
        let (queue, state) = (&mut inner.queues[at], inner.tasks.get_mut(&task)?);
        let moved_us = queue.take(state, slots);
        state.queue = Some(queue.id);
        state.queue_us = moved_us;
        queue.serviced += 1;
        Some((settings, moved_us))
    }

    /// Leaves its queue, waiting or running; when, which is before others have its slots.
    pub(super) fn leave(&self, task: i64, evicted: bool) -> i64 {
        let mut inner = self.lock();
        let now = now_us();
        inner.leave(task, evicted);
        now
    }

    /// The end of a statement; when it left its queue.
    pub(super) fn end(&self, task: i64) -> i64 {
        let mut inner = self.lock();
        let now = now_us();
        inner.leave(task, false);
        inner.tasks.remove(&task);
        now
    }

    /// Its rows go to the client.
    pub(super) fn note_returning(&self, task: i64) {
        if let Some(state) = self.lock().tasks.get_mut(&task) {
            state.returning = true;
        }
    }

    /// The bytes of so many slots of a queue, or of a priority; `None` when there is no limit.
    pub(super) fn share(&self, settings: &QueueSettings, slots: usize, priority: Option<Priority>) -> Option<usize> {
        self.lock().share(settings, slots, priority)
    }

    /// Lets statements of automatic WLM begin, if there is room for them by now.
    pub(super) fn grant_automatic(&self) {
        self.lock().grant_automatic();
    }

    /// Whether a statement would have to wait in the queue of a class.
    pub(super) fn would_wait(&self, class: i32, slots: usize) -> bool {
        let inner = self.lock();
        inner.find(class).is_some_and(|at| !inner.runs_at_once(at, slots))
    }

    /// Whether slots are to be had sooner in the queue of one class than in that of another, of both that have slots: by how
    /// long all that run and wait there are thought to run.
    pub(super) fn is_sooner(&self, class: i32, other: i32) -> bool {
        // Of what nothing is known it is not known to be short.
        let unknown = self.short_limit();
        let inner = self.lock();
        let wait = |class: i32| {
            let queue = inner.queues.get(inner.find(class)?)?;
            let ahead = inner.tasks.values().filter(|task| task.queue == Some(queue.id));
            let ahead: Duration = ahead.map(|task| task.predicted.unwrap_or(unknown)).sum();
            Some(ahead.as_secs_f64() / queue.settings.slots? as f64)
        };
        wait(class).zip(wait(other)).is_some_and(|(one, other)| one < other)
    }

    /// The settings of the queue of a class.
    pub(super) fn settings(&self, class: i32) -> Option<Arc<QueueSettings>> {
        let inner = self.lock();
        inner.find(class).map(|at| Arc::clone(&inner.queues[at].settings))
    }

    /// Whether short queries have their own space.
    pub(crate) fn accelerates(&self) -> bool {
        self.lock().configuration.short.is_some()
    }

    /// The longest time of a short query.
    pub(super) fn short_limit(&self) -> Duration {
        let set = self.lock().configuration.short.as_ref().and_then(|short| short.time_limit);
        set.unwrap_or_else(|| self.predictor.longest())
    }

    /// Whether a statement will run for a short time only.
    pub(super) fn is_short(&self, features: Features) -> bool {
        self.predictor.predict(features).is_some_and(|time| time < self.short_limit())
    }

    /// A statement has run so long.
    pub(super) fn learn(&self, features: Features, took: Duration) {
        self.predictor.learn(features, took);
    }

    /// All queues, by service class.
    pub(crate) fn queues(&self) -> Vec<QueueState> {
        let inner = self.lock();
        let state = |queue: &Queue| QueueState {
            settings: Arc::clone(&queue.settings),
            slot_bytes: inner.share(&queue.settings, 1, None),
            queued: queue.waiting.len(),
            executing: queue.executing,
            serviced: queue.serviced,
            executed: queue.executed,
            evicted: queue.evicted,
        };
        inner.queues.iter().map(state).collect()
    }

    /// The statements in all queues, by their numbers.
    pub(crate) fn tasks(&self) -> Vec<TaskState> {
        let inner = self.lock();
        let state = |(task, state): (&i64, &Task)| {
            let queue = inner.queues.iter().find(|queue| Some(queue.id) == state.queue)?;
            Some(TaskState {
                task: *task,
                applicant: state.applicant.clone(),
                class: queue.settings.class,
                start_us: state.start_us,
                queue_us: state.queue_us,
                exec_us: state.exec_us,
                returning: state.returning,
                priority: queue.settings.priority.map(|own| inner.given(state).unwrap_or(own)),
                position: queue.waiting.iter().position(|waiting| waiting == task),
            })
        };
        inner.tasks.iter().filter_map(state).collect()
    }
}

impl Queue {
    fn fits(&self, slots: usize) -> bool {
        self.settings.slots.is_none_or(|most| self.used + slots <= most)
    }

    /// Gives a statement slots; when.
    fn take(&mut self, task: &mut Task, slots: usize) -> i64 {
        let now = now_us();
        self.used += slots;
        self.executing += 1;
        self.executed += 1;
        task.held = slots;
        task.exec_us = Some(now);
        now
    }

    fn is_automatic(&self) -> bool {
        self.settings.priority.is_some()
    }

    fn is_over(&self) -> bool {
        self.retired && self.executing == 0 && self.waiting.is_empty()
    }
}

impl Inner {
    fn memory(&self) -> Option<usize> {
        limit(&self.pool)
    }

    fn share(&self, settings: &QueueSettings, slots: usize, priority: Option<Priority>) -> Option<usize> {
        let memory = self.memory()?;
        if let Some(own) = settings.priority {
            return Some(self.automatic.share(memory, priority.unwrap_or(own)));
        }
        let (percent, of) = (settings.memory_percent?, settings.slots?);
        Some((memory as f64 * percent / 100. * slots as f64 / of as f64) as usize)
    }

    /// Whether automatic WLM lets another statement begin.
    fn has_room(&self) -> bool {
        let running = self.queues.iter().filter(|queue| queue.is_automatic()).map(|queue| queue.executing).sum();
        self.automatic.has_room(running, self.pool.reserved(), self.memory())
    }

    /// Whether a statement that comes to a queue now runs at once.
    fn runs_at_once(&self, at: usize, slots: usize) -> bool {
        let queue = &self.queues[at];
        if queue.is_automatic() {
            let nobody = self.queues.iter().all(|queue| !queue.is_automatic() || queue.waiting.is_empty());
            return nobody && self.has_room();
        }
        queue.waiting.is_empty() && queue.fits(slots)
    }

    /// The queue of a class that the configuration has.
    fn find(&self, class: i32) -> Option<usize> {
        self.queues.iter().position(|queue| queue.settings.class == class && !queue.retired)
    }

    fn leave(&mut self, task: i64, evicted: bool) {
        let Some(state) = self.tasks.get_mut(&task) else { return };
        let (Some(id), held) = (state.queue.take(), std::mem::take(&mut state.held)) else { return };
        state.exec_us = None;
        state.grant = None;
        let Some(at) = self.queues.iter().position(|queue| queue.id == id) else { return };
        let queue = &mut self.queues[at];
        queue.evicted += u64::from(evicted);
        if held > 0 {
            queue.used -= held;
            queue.executing -= 1;
        } else {
            queue.waiting.retain(|waiting| *waiting != task);
        }
        if self.queues[at].is_automatic() {
            self.grant_automatic();
        } else {
            self.grant(at);
        }
        self.queues.retain(|queue| !queue.is_over());
    }

    /// Gives free slots to those who wait, in their order.
    fn grant(&mut self, at: usize) {
        let queue = &mut self.queues[at];
        while let Some(task) = queue.waiting.front() {
            let Some(state) = self.tasks.get_mut(task) else {
                queue.waiting.pop_front();
                continue;
            };
            // A queue that has become smaller gives no more than it has.
            let slots = queue.settings.slots.map_or(state.applicant.slots, |most| state.applicant.slots.min(most));
            if !queue.fits(slots) {
                return;
            }
            queue.waiting.pop_front();
            let exec_us = queue.take(state, slots);
            if let Some(grant) = state.grant.take() {
                // Whoever does not listen any more is about to leave.
                let _ = grant.send(exec_us);
            }
        }
    }

    fn apply(&mut self, configuration: Configuration) {
        for queue in &mut self.queues {
            queue.retired = true;
        }
        for settings in configuration.queues.iter().chain(&configuration.short) {
            let settings = Arc::new(settings.clone());
            // The newest of a class: older ones wait for their end.
            match self.queues.iter_mut().rev().find(|queue| queue.settings.class == settings.class) {
                Some(queue) => {
                    queue.settings = settings;
                    queue.retired = false;
                }
                None => {
                    let id = self.next_queue;
                    self.next_queue += 1;
                    self.queues.push(Queue {
                        id,
                        settings,
                        used: 0,
                        executing: 0,
                        waiting: VecDeque::new(),
                        serviced: 0,
                        executed: 0,
                        evicted: 0,
                        retired: false,
                    });
                }
            }
        }
        self.configuration = Arc::new(configuration);
        self.queues.retain(|queue| !queue.is_over());
        self.queues.sort_by_key(|queue| queue.settings.class);
        for at in 0..self.queues.len() {
            if !self.queues[at].is_automatic() {
                self.grant(at);
            }
        }
        self.grant_automatic();
    }
}

/// The bytes of a pool, if there is a limit.
fn limit(pool: &Arc<dyn MemoryPool>) -> Option<usize> {
    match pool.memory_limit() {
        MemoryLimit::Finite(bytes) => Some(bytes),
        _ => None,
    }
}
