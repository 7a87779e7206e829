//! One statement's stay in the queues, from its begin to its last row: it waits, holds its slots, is watched, hops.
//!
//! Dropping it leaves, wherever it is. It decides what its time limit and its rules do, by Redshift's tables of what
//! may hop: whoever asks it looks at what the statement does, and does what it says.

use super::assign::{self, Requester};
use super::config::{QueueSettings, SHORT_CLASS, SUPERUSER_CLASS};
use super::memory::SlotPool;
use super::predict::Features;
use super::priority::Priority;
use super::queues::{Entry, Slots, Wlm};
use super::rules::{Action, Measures, Rule};
use super::state::Applicant;
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{RuleAction, Stay, WlmTrace, now_us};
use datafusion::execution::memory_pool::MemoryPool;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How often a statement with rules is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How often one that waits looks whether the configuration has changed.
const LOOK_AT_FILE_EVERY: Duration = Duration::from_secs(1);

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
    /// The service classes that it may run in, in order. That of short queries comes first, if it may go there.
    choices: Vec<i32>,
    features: Option<Features>,
    pool: Option<Arc<SlotPool>>,
    trace: Arc<WlmTrace>,
    /// Short ones are accelerated, and it is not thought to be one.
    is_long: AtomicBool,
    stay: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    /// Which of the choices.
    at: usize,
    settings: Arc<QueueSettings>,
    /// The queue whose rules count: among short queries those of its own queue.
    ruling: Arc<QueueSettings>,
    /// How long it may run here.
    limit: Option<Duration>,
    /// Since when it runs, in this queue and in any.
    began: Option<Instant>,
    first_began: Option<Instant>,
    /// How long it has waited in queues.
    waited: Duration,
    /// Rules that have acted.
    acted: BTreeSet<String>,
}

impl Admission {
    /// A statement that may enter a queue; its memory will be a part of this pool where the queues divide it.
    pub(crate) fn new(
        wlm: &Arc<Wlm>,
        mut applicant: Applicant,
        requester: &Requester,
        trace: &Arc<WlmTrace>,
        parent: &Arc<dyn MemoryPool>,
    ) -> Self {
        let configuration = wlm.configuration();
        let mut choices = assign::choices(&configuration, requester);
        let divided = configuration.is_configured() && wlm.has_memory();
        let first = configuration.queues.iter().find(|queue| Some(&queue.class) == choices.first());
        let settings = Arc::new(first.unwrap_or(&configuration.queues[0]).clone());
        if settings.priority.is_some() {
            // Slots are manual WLM's.
            applicant.slots = 1;
        }
        let is_short = configuration.short.is_some()
            && applicant.slots == 1
            && settings.class != SUPERUSER_CLASS
            && applicant.features.is_some_and(|features| wlm.is_short(features));
        if is_short {
            choices.insert(0, SHORT_CLASS);
        }
        let is_long = configuration.short.is_some() && !is_short && settings.class != SUPERUSER_CLASS;
        let now = Now {
            at: 0,
            ruling: Arc::clone(&settings),
            settings,
            limit: None,
            began: None,
            first_began: None,
            waited: Duration::ZERO,
            acted: BTreeSet::new(),
        };
        let (query, slots, features) = (applicant.query, applicant.slots, applicant.features);
        Self {
            wlm: Arc::clone(wlm),
            task: wlm.register(applicant),
            query,
            slots,
            choices,
            features,
            pool: divided.then(|| Arc::new(SlotPool::new(Arc::clone(parent)))),
            trace: Arc::clone(trace),
            is_long: AtomicBool::new(is_long),
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

    /// Whether others have the processor before it: it is not thought to be short where short ones are accelerated, or the
    /// priority that it has now, in a queue of automatic WLM, is a low one.
    pub(crate) fn is_patient(&self) -> bool {
        if self.is_long.load(Ordering::Relaxed) {
            return true;
        }
        let settings = Arc::clone(&self.now().settings);
        self.priority(&settings).is_some_and(Priority::is_patient)
    }

    /// Waits for slots in its first queue, or among short queries where it would have to wait in its own and slots are not
    /// to be had there sooner.
    ///
    /// # Errors
    /// `InvalidParameter` for more slots than the queue has; `QueueFull`; `Cancelled` by a rule.
    pub(crate) async fn enter(&self) -> Result<()> {
        let skips = match self.choices.as_slice() {
            [SHORT_CLASS, own, ..] => !self.wlm.would_wait(*own, self.slots) || self.wlm.is_sooner(*own, SHORT_CLASS),
            _ => false,
        };
        self.wait(usize::from(skips)).await
    }

    /// Gives its slots back and waits for others in its next queue, after [`Decision::Restart`].
    ///
    /// # Errors
    /// As [`Admission::enter`].
    pub(crate) async fn hop(&self) -> Result<()> {
        self.leave(true);
        // It was thought to be short, and is not.
        if self.choices.first() == Some(&SHORT_CLASS) {
            self.is_long.store(true, Ordering::Relaxed);
        }
        let at = self.now().at + 1;
        self.wait(at).await
    }

    /// It has run to its end, from which the next are predicted.
    pub(crate) fn note_completed(&self) {
        if let (Some(features), Some(began)) = (self.features, self.now().began) {
            self.wlm.learn(features, began.elapsed());
        }
    }

    fn leave(&self, evicted: bool) {
        let left_us = self.wlm.leave(self.task, evicted);
        self.trace.leave(left_us, evicted);
    }

    /// Waits for slots in one of the queues.
    async fn wait(&self, at: usize) -> Result<()> {
        let class = self.choices.get(at).or(self.choices.last()).copied().unwrap_or_default();
        let Entry { settings, queue_us, slots } = self.wlm.enter(self.task, class)?;
        self.settle(at, &settings);
        self.note_stay(&settings, queue_us);
        let since = Instant::now();
        let before = self.now().waited;
        let exec_us = match slots {
            Slots::Given(exec_us) => exec_us,
            Slots::Awaited(granted) => self.granted(granted, &settings, (since, before)).await?,
        };
        self.trace.start(exec_us);
        self.limit_memory();
        let mut now = self.now();
        now.waited = before + since.elapsed();
        now.began = Some(Instant::now());
        now.first_began = now.first_began.or(now.began);
        Ok(())
    }

    /// Waits until it is given slots, which its rules may end; when it was. It waits since a moment, and has waited so long
    /// before.
    async fn granted(
        &self,
        mut granted: oneshot::Receiver<i64>,
        settings: &Arc<QueueSettings>,
        (since, before): (Instant, Duration),
    ) -> Result<i64> {
        let (ruling, automatic) = (Arc::clone(&self.now().ruling), settings.priority.is_some());
        let watched = ruling.rules.iter().any(Rule::is_of_waiting);
        let pause = if watched || automatic { LOOK_EVERY } else { LOOK_AT_FILE_EVERY };
        loop {
            if let Ok(answer) = tokio::time::timeout(pause, &mut granted).await {
                return answer.map_err(|_| Error::internal("a task of WLM was lost"));
            }
            self.wlm.look_at_file();
            let queue_seconds = (before + since.elapsed()).as_secs_f64();
            let priority = self.priority(settings);
            let measures = Measures { queue_seconds, priority, ..Measures::default() };
            match self.strongest(&measures, Rule::is_of_waiting, |_| true) {
                Some((rule, Action::Abort)) => {
                    self.note_action(settings, &rule, "abort");
                    return Err(self.aborted(&rule));
                }
                Some((rule, Action::ChangePriority(priority))) => self.change_priority(&rule, priority),
                // No rule about waiting hops.
                Some((_, Action::Hop | Action::Log)) | None => {}
            }
            if automatic {
                self.wlm.grant_automatic();
            }
        }
    }

    /// It is in a queue now, and does not run in it yet.
    fn settle(&self, at: usize, settings: &Arc<QueueSettings>) {
        let is_short = settings.class == SHORT_CLASS;
        let own = if is_short { self.choices.get(at + 1).and_then(|class| self.wlm.settings(*class)) } else { None };
        let limit = if is_short { Some(self.wlm.short_limit()) } else { settings.time_limit };
        let mut now = self.now();
        (now.at, now.limit, now.began) = (at, limit, None);
        now.ruling = own.unwrap_or_else(|| Arc::clone(settings));
        now.settings = Arc::clone(settings);
    }

    fn note_stay(&self, settings: &QueueSettings, queue_us: i64) {
        let priority = self.priority(settings);
        self.trace.enter(Stay {
            task: self.task,
            class: settings.class,
            class_name: settings.name.clone(),
            slots: self.slots,
            priority: priority.map(|priority| priority.name().to_owned()),
            queue_start_us: queue_us,
            ..Stay::default()
        });
    }

    /// Its priority in a queue of automatic WLM.
    fn priority(&self, settings: &QueueSettings) -> Option<Priority> {
        settings.priority.map(|own| self.wlm.priority(self.task).unwrap_or(own))
    }

    fn limit_memory(&self) {
        if let Some(pool) = &self.pool {
            let settings = Arc::clone(&self.now().settings);
            let priority = self.wlm.priority(self.task);
            pool.set_limit(self.wlm.share(&settings, self.slots, priority).unwrap_or(usize::MAX));
        }
    }

    /// Changes who is before it, and how much memory it may have.
    fn change_priority(&self, rule: &Rule, priority: Priority) {
        let settings = Arc::clone(&self.now().settings);
        self.note_action(&settings, rule, rule.action.name());
        self.wlm.set_priority(self.task, priority);
        if settings.priority.is_some() {
            self.trace.set_priority(priority.name());
            self.limit_memory();
        }
    }

    /// When it is to be looked at next; `None` where nothing limits it.
    pub(crate) fn pause(&self) -> Option<Duration> {
        let now = self.now();
        let limit = now.limit;
        let left = limit.map(|limit| limit.saturating_sub(now.began.map_or(Duration::ZERO, |began| began.elapsed())));
        match (left.filter(|left| !left.is_zero()), now.ruling.rules.is_empty()) {
            (Some(left), true) => Some(left),
            (Some(left), false) => Some(left.min(LOOK_EVERY)),
            (None, false) => Some(LOOK_EVERY),
            // The limit has passed, and may still move it later.
            (None, true) => limit.map(|_| LOOK_EVERY),
        }
    }

    /// Whether one of its rules asks for the time of its segments.
    pub(crate) fn watches_segments(&self) -> bool {
        self.now().ruling.rules.iter().any(Rule::is_of_segments)
    }

    /// Its rows go to the client from now on.
    pub(crate) fn note_returning(&self) {
        self.wlm.note_returning(self.task);
    }

    /// Decides what its time limit and its rules do with it now.
    pub(crate) fn look(&self, measures: &Measures, kind: Kind, phase: Phase) -> Decision {
        let ruling = Arc::clone(&self.now().ruling);
        let priority = self.priority(&ruling);
        let (settings, limit, began, measures) = {
            let now = self.now();
            let seconds = |began: Option<Instant>| began.map_or(0., |began| began.elapsed().as_secs_f64());
            let (execution_seconds, queue_seconds) = (seconds(now.first_began), now.waited.as_secs_f64());
            let measures = Measures { execution_seconds, queue_seconds, priority, ..*measures };
            (Arc::clone(&now.settings), now.limit, now.began, measures)
        };
        let takes = |action: Action| match action {
            Action::Log => true,
            // What is done cannot be undone; COPY and maintenance are not stopped.
            Action::Abort => phase != Phase::Done && kind != Kind::Continues,
            // Short queries go to their own queue before they hop from it.
            Action::Hop => {
                kind != Kind::Continues
                    && matches!(phase, Phase::Running | Phase::Returning)
                    && settings.class != SHORT_CLASS
            }
            Action::ChangePriority(_) => phase != Phase::Done,
        };
        match self.strongest(&measures, |_| true, takes) {
            Some((rule, Action::Abort)) => {
                self.note_action(&settings, &rule, "abort");
                return Decision::Stop(self.aborted(&rule));
            }
            Some((rule, Action::Hop)) => return self.hop_by_rule(&settings, &rule, kind, phase),
            Some((rule, Action::ChangePriority(priority))) => self.change_priority(&rule, priority),
            Some((_, Action::Log)) | None => {}
        }
        let over = limit.zip(began).filter(|(limit, began)| began.elapsed() >= *limit);
        let Some((limit, _)) = over else { return Decision::Continue };
        match (kind, phase) {
            (Kind::Continues, _) | (Kind::Query, Phase::Planning | Phase::Returning) | (_, Phase::Done) => {
                Decision::Continue
            }
            (Kind::Query | Kind::CreateTableAs, Phase::Running) if self.has_next() => {
                if self.reassign() {
                    Decision::Continue
                } else {
                    Decision::Restart
                }
            }
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
        let Some((settings, moved_us)) = self.wlm.reassign(self.task, *class, held) else { return false };
        self.settle(at, &settings);
        self.trace.leave(moved_us, true);
        self.note_stay(&settings, moved_us);
        self.trace.start(moved_us);
        self.limit_memory();
        self.now().began = Some(Instant::now());
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
        let (settings, mut holding) = {
            let mut now = self.now();
            let ruling = Arc::clone(&now.ruling);
            let acts = |rule: &&Rule| of(rule) && takes(rule.action) && rule.holds(measures);
            let holding: Vec<Rule> =
                ruling.rules.iter().filter(acts).filter(|rule| !now.acted.contains(&rule.name)).cloned().collect();
            now.acted.extend(holding.iter().map(|rule| rule.name.clone()));
            (Arc::clone(&now.settings), holding)
        };
        // Of equally severe ones the first by name.
        holding.sort_by(|one, other| {
            other.action.severity().cmp(&one.action.severity()).then_with(|| one.name.cmp(&other.name))
        });
        let strongest = holding.first()?;
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
            value: if action == rule.action.name() { rule.action.value().to_owned() } else { String::new() },
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
        let settings = Arc::clone(&self.now().settings);
        if let Some(priority) = self.priority(&settings) {
            // Whoever changed it did not tell.
            self.trace.set_priority(priority.name());
        }
        let left_us = self.wlm.end(self.task);
        self.trace.leave(left_us, false);
    }
}
