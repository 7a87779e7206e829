//! One statement's stay in the queues, from its begin to its last row: it waits, holds its slots, is watched, hops.
//!
//! Dropping it leaves, wherever it is. It decides what its time limit and its rules do, by Redshift's tables of what
//! may hop: whoever asks it looks at what the statement does, and does what it says.

use super::assign::{self, Requester};
use super::config::QueueSettings;
use super::manager::{Applicant, Entry, Wlm};
use super::memory::SlotPool;
use super::rules::{Action, Measures, Rule};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{RuleAction, Stay, WlmTrace, now_us};
use datafusion::execution::memory_pool::MemoryPool;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a statement with rules is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a statement is to time limits and rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Reads only.
    Query,
    /// CREATE TABLE AS.
    CreateTableAs,
    /// Changes rows, or writes files of a query's.
    Change,
    /// COPY and maintenance: no time limit ends it, no rule moves it.
    Continues,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Nothing of it can be begun again yet, which will be different soon.
    Planning,
    /// It may be begun again.
    Running,
    /// It cannot be begun again: rows were returned, or a transaction holds a part of it.
    Returning,
    /// It has ended.
    Done,
}

/// What is to be done with a statement.
#[derive(Debug)]
pub(crate) enum Decision {
    /// Nothing.
    Continue,
    /// To end it, and begin it again after [`Admission::hop`].
    Restart,
    /// To end it with this error.
    Stop(Error),
}

/// A statement in the queues.
#[derive(Debug)]
pub(crate) struct Admission {
    wlm: Arc<Wlm>,
    task: i64,
    query: i64,
    slots: usize,
    /// The service classes that it may run in, in order.
    choices: Vec<i32>,
    pool: Option<Arc<SlotPool>>,
    trace: Arc<WlmTrace>,
    stay: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    /// Which of the choices.
    at: usize,
    settings: Arc<QueueSettings>,
    /// Since when it runs, in this queue and in any.
    began: Option<Instant>,
    first_began: Option<Instant>,
    /// How long it has waited in queues.
    waited: Duration,
    /// Rules that have acted.
    acted: BTreeSet<String>,
}

/// A statement that has entered a queue and holds its slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entered;

impl Admission {
    /// A statement that may enter a queue; its memory will be a part of this pool where the queues divide it.
    pub(crate) fn new(
        wlm: &Arc<Wlm>,
        applicant: Applicant,
        requester: &Requester,
        trace: &Arc<WlmTrace>,
        parent: &Arc<dyn MemoryPool>,
    ) -> Self {
        let configuration = wlm.configuration();
        let choices = assign::choices(&configuration, requester);
        let divided = configuration.is_configured() && wlm.memory().is_some();
        let settings = configuration.queues.iter().find(|queue| Some(&queue.class) == choices.first()).cloned();
        let now = Now {
            at: 0,
            settings: Arc::new(settings.unwrap_or_else(|| configuration.queues[0].clone())),
            began: None,
            first_began: None,
            waited: Duration::ZERO,
            acted: BTreeSet::new(),
        };
        let (query, slots) = (applicant.query, applicant.slots);
        Self {
            wlm: Arc::clone(wlm),
            task: wlm.register(applicant),
            query,
            slots,
            choices,
            pool: divided.then(|| Arc::new(SlotPool::new(Arc::clone(parent)))),
            trace: Arc::clone(trace),
            stay: Mutex::new(now),
        }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.stay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The memory of its slots; `None` where the queues do not divide it.
    pub(crate) fn pool(&self) -> Option<&Arc<SlotPool>> {
        self.pool.as_ref()
    }

    /// Waits for slots in its first queue. A rule about waiting may send it to the next.
    ///
    /// # Errors
    /// `InvalidParameter` for more slots than the queue has; `QueueFull`; `Cancelled` by a rule.
    pub(crate) async fn enter(&self) -> Result<Entered> {
        let mut at = 0;
        loop {
            match self.wait(at).await? {
                Some(entered) => return Ok(entered),
                None => at += 1,
            }
        }
    }

    /// Gives its slots back and waits for others in its next queue, after [`Decision::Restart`].
    ///
    /// # Errors
    /// As [`Admission::enter`].
    pub(crate) async fn hop(&self) -> Result<Entered> {
        self.leave(true);
        let mut at = self.now().at + 1;
        loop {
            match self.wait(at).await? {
                Some(entered) => return Ok(entered),
                None => at += 1,
            }
        }
    }

    fn leave(&self, evicted: bool) {
        self.wlm.leave(self.task, evicted);
        self.trace.leave(evicted);
    }

    /// Waits for slots in one of the queues; `None` when it is to try the next.
    async fn wait(&self, at: usize) -> Result<Option<Entered>> {
        let class = self.choices.get(at).or(self.choices.last()).copied().unwrap_or_default();
        let (entry, settings) = self.wlm.enter(self.task, class)?;
        self.note_stay(&settings);
        let since = Instant::now();
        let before = {
            let mut now = self.now();
            (now.at, now.settings, now.began) = (at, Arc::clone(&settings), None);
            now.waited
        };
        if let Entry::Waits(mut granted) = entry {
            let watched = settings.rules.iter().any(Rule::is_of_waiting);
            loop {
                if !watched {
                    // The sender stays with the task as long as this does.
                    let _ = (&mut granted).await;
                    break;
                }
                if tokio::time::timeout(LOOK_EVERY, &mut granted).await.is_ok() {
                    break;
                }
                let queue_seconds = (before + since.elapsed()).as_secs_f64();
                let measures = Measures { queue_seconds, ..Measures::default() };
                match self.strongest(&measures, Rule::is_of_waiting, |_| true) {
                    Some((rule, Action::Abort)) => {
                        self.note_action(&settings, &rule, "abort");
                        return Err(self.aborted(&rule));
                    }
                    Some((rule, Action::Hop)) if at + 1 < self.choices.len() => {
                        self.note_action(&settings, &rule, "hop(restart)");
                        self.now().waited = before + since.elapsed();
                        self.leave(true);
                        return Ok(None);
                    }
                    Some((rule, Action::Hop)) => {
                        self.note_action(&settings, &rule, "abort");
                        return Err(self.aborted(&rule));
                    }
                    Some((_, Action::Log)) | None => {}
                }
            }
        }
        self.trace.start();
        self.limit_memory(&settings);
        let mut now = self.now();
        now.waited = before + since.elapsed();
        now.began = Some(Instant::now());
        now.first_began = now.first_began.or(now.began);
        Ok(Some(Entered))
    }

    fn note_stay(&self, settings: &QueueSettings) {
        self.trace.enter(Stay {
            task: self.task,
            class: settings.class,
            class_name: settings.name.clone(),
            slots: self.slots,
            queue_start_us: now_us(),
            ..Stay::default()
        });
    }

    fn limit_memory(&self, settings: &QueueSettings) {
        if let Some(pool) = &self.pool {
            pool.set_limit(self.wlm.share(settings, self.slots).unwrap_or(usize::MAX));
        }
    }

    /// When it is to be looked at next; `None` where nothing limits it.
    pub(crate) fn pause(&self) -> Option<Duration> {
        let now = self.now();
        let limit = now.settings.time_limit;
        let left = limit.map(|limit| limit.saturating_sub(now.began.map_or(Duration::ZERO, |began| began.elapsed())));
        match (left.filter(|left| !left.is_zero()), now.settings.rules.is_empty()) {
            (Some(left), true) => Some(left),
            (Some(left), false) => Some(left.min(LOOK_EVERY)),
            (None, false) => Some(LOOK_EVERY),
            // The limit has passed, and may still move it later.
            (None, true) => limit.map(|_| LOOK_EVERY),
        }
    }

    /// Its rows go to the client from now on.
    pub(crate) fn note_returning(&self) {
        self.wlm.note_returning(self.task);
    }

    /// Decides what its time limit and its rules do with it now.
    pub(crate) fn look(&self, measures: &Measures, kind: Kind, phase: Phase) -> Decision {
        let (settings, began, measures) = {
            let now = self.now();
            let seconds = |began: Option<Instant>| began.map_or(0., |began| began.elapsed().as_secs_f64());
            let (execution_seconds, queue_seconds) = (seconds(now.first_began), now.waited.as_secs_f64());
            let measures = Measures { execution_seconds, queue_seconds, ..*measures };
            (Arc::clone(&now.settings), now.began, measures)
        };
        let takes = |action: Action| match phase {
            Phase::Planning => action != Action::Hop,
            // What is done cannot be undone.
            Phase::Done => action == Action::Log,
            Phase::Running | Phase::Returning => true,
        };
        match self.strongest(&measures, |_| true, takes) {
            Some((rule, Action::Abort)) => {
                self.note_action(&settings, &rule, "abort");
                return Decision::Stop(self.aborted(&rule));
            }
            Some((rule, Action::Hop)) => return self.hop_by_rule(&settings, &rule, kind, phase),
            Some((_, Action::Log)) | None => {}
        }
        let over = settings.time_limit.zip(began).filter(|(limit, began)| began.elapsed() >= *limit);
        let Some((limit, _)) = over else { return Decision::Continue };
        match (kind, phase) {
            (Kind::Continues, _) | (Kind::Query, Phase::Planning | Phase::Returning) | (_, Phase::Done) => {
                Decision::Continue
            }
            (Kind::Query | Kind::CreateTableAs, Phase::Running) if self.has_next() => match self.reassign() {
                true => Decision::Continue,
                false => Decision::Restart,
            },
            _ => {
                let message = format!("canceling statement due to the time limit of WLM queue \"{}\"", settings.name);
                let detail = format!("max_execution_time is {} ms", limit.as_millis());
                Decision::Stop(Error::new(ErrorKind::Cancelled, message).with_detail(detail))
            }
        }
    }

    /// Whether there is another queue that it matches.
    fn has_next(&self) -> bool {
        self.now().at + 1 < self.choices.len()
    }

    fn hop_by_rule(&self, settings: &QueueSettings, rule: &Rule, kind: Kind, phase: Phase) -> Decision {
        if kind == Kind::Continues {
            self.note_action(settings, rule, "none");
            return Decision::Continue;
        }
        let restarts = matches!(kind, Kind::Query | Kind::CreateTableAs) && phase == Phase::Running;
        if self.has_next() && self.reassign() {
            self.note_action(settings, rule, "hop(reassign)");
            return Decision::Continue;
        }
        if !restarts {
            self.note_action(settings, rule, "none");
            return Decision::Continue;
        }
        if self.has_next() {
            self.note_action(settings, rule, "hop(restart)");
            return Decision::Restart;
        }
        self.note_action(settings, rule, "abort");
        Decision::Stop(self.aborted(rule))
    }

    /// Goes on in the next queue, if there is room in it now.
    fn reassign(&self) -> bool {
        let at = self.now().at + 1;
        let Some(class) = self.choices.get(at) else { return false };
        let held = self.pool.as_ref().map_or(0, |pool| pool.used());
        let Some(settings) = self.wlm.reassign(self.task, *class, held) else { return false };
        self.trace.leave(true);
        self.note_stay(&settings);
        self.trace.start();
        self.limit_memory(&settings);
        let mut now = self.now();
        (now.at, now.settings, now.began) = (at, settings, Some(Instant::now()));
        true
    }

    /// The rule with the most severe action of those that hold now; each acts once. Those that only note are noted, and
    /// those that a more severe one takes the place of.
    fn strongest(
        &self,
        measures: &Measures,
        of: impl Fn(&Rule) -> bool,
        takes: impl Fn(Action) -> bool,
    ) -> Option<(Rule, Action)> {
        let (settings, holding) = {
            let mut now = self.now();
            let settings = Arc::clone(&now.settings);
            let acts = |rule: &&Rule| of(rule) && takes(rule.action) && rule.holds(measures);
            let holding: Vec<Rule> =
                settings.rules.iter().filter(acts).filter(|rule| !now.acted.contains(&rule.name)).cloned().collect();
            now.acted.extend(holding.iter().map(|rule| rule.name.clone()));
            (settings, holding)
        };
        let mut strongest: Option<&Rule> = None;
        for rule in &holding {
            if strongest.is_none_or(|found| rule.action > found.action) {
                strongest = Some(rule);
            }
        }
        let strongest = strongest?;
        for rule in &holding {
            if strongest.action == Action::Log {
                self.note_action(&settings, rule, "log");
            } else if rule.name != strongest.name {
                self.note_action(&settings, rule, "none");
            }
        }
        Some((strongest.clone(), strongest.action))
    }

    fn note_action(&self, settings: &QueueSettings, rule: &Rule, action: &str) {
        self.trace.act(RuleAction {
            class: settings.class,
            class_name: settings.name.clone(),
            rule: rule.name.clone(),
            action: action.to_owned(),
            at_us: now_us(),
        });
    }

    fn aborted(&self, rule: &Rule) -> Error {
        let message = format!("query {} was canceled by the query monitoring rule \"{}\"", self.query, rule.name);
        Error::new(ErrorKind::Cancelled, message)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.trace.leave(false);
        self.wlm.end(self.task);
    }
}
