//! A statement's way through the queues of WLM: whether it needs slots, and the one place where it waits for them and
//! is watched while it runs.
//!
//! Slots go with the rows of a result. A session that still holds some, for a cursor or a portal that is open, runs its
//! other statements in them, so that it never waits for itself. A transaction block holds none between statements.

use super::Session;
use super::demand::{demand, features};
use super::kept::Keeping;
use super::rows::holding;
use super::work::{Again, Work};
use crate::error::{Error, Result};
use crate::exec;
use crate::exec::explain::record::Ending;
use crate::journal::WlmTrace;
use crate::kept_plans::PlanKey;
use crate::physical;
use crate::result::StatementResult;
use crate::sql::ParsedStatement;
use crate::wlm::{Admission, Applicant, Decision, Kind, Phase, Requester};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::error::Result as DataFusionResult;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::memory_pool::{MemoryLimit, MemoryPool};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionState;
use datafusion::physical_plan::EmptyRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use millrace_catalog::model::Grantee;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

/// What a session knows of its place in the queues.
#[derive(Default)]
pub(super) struct Place {
    /// What is written of the statement that runs.
    pub(super) trace: Arc<WlmTrace>,
    /// The slots that it holds, as long as its rows are read.
    admission: Weak<Admission>,
    work: Weak<Work>,
    /// Its statements pass the queues by.
    bypasses: bool,
    /// The query whose result is given again.
    pub(super) source_query: Option<i64>,
    /// What the plan of the statement that runs is found by.
    pub(super) plan: Option<Arc<PlanKey>>,
}

impl Place {
    /// The session's state, with the memory of its slots.
    pub(super) fn state(&self, state: &SessionState) -> SessionState {
        let Some(pool) = self.admission.upgrade().and_then(|admission| admission.pool().cloned()) else {
            return state.clone();
        };
        let mut builder = SessionStateBuilder::new_from_existing(state.clone());
        if let MemoryLimit::Finite(bytes) = pool.memory_limit() {
            builder = builder.with_config(physical::fit_to_memory(state.config().clone(), bytes));
        }
        let runtime = RuntimeEnv { memory_pool: pool as Arc<dyn MemoryPool>, ..state.runtime_env().as_ref().clone() };
        builder.with_runtime_env(Arc::new(runtime)).build()
    }

    /// Where a statement shows its work, if anybody watches.
    pub(super) fn work(&self) -> Weak<Work> {
        Weak::clone(&self.work)
    }
}

impl Session {
    /// The same session, whose statements pass the queues of WLM by: the background's.
    pub(crate) fn bypassing_queues(mut self) -> Self {
        self.place.bypasses = true;
        self
    }

    /// Runs a statement when it has its slots.
    pub(super) async fn admit(&mut self, parsed: &ParsedStatement) -> Result<StatementResult> {
        let with_parameters = self.with_parameters(parsed);
        let parsed = with_parameters.as_ref().unwrap_or(parsed);
        self.place.plan = self.plan_key(parsed).map(Arc::new);
        if let Some(result) = self.place.plan.as_deref().and_then(|key| self.kept_row(key)) {
            return Ok(result);
        }
        let kind = if self.place.bypasses { None } else { demand(&parsed.statement) };
        let Some(kind) = kind else { return self.run(parsed).await };
        let mut key = if kind == Kind::Query { self.result_key(parsed) } else { None };
        if let Some(key) = &key
            && let Some(result) = Box::pin(self.kept_result(key)).await?
        {
            return Ok(result);
        }
        if let Some(held) = self.place.admission.upgrade() {
            return Ok(holding(self.run(parsed).await?, held));
        }
        if let Some(block) = &self.block {
            // Until it runs: whoever is dropped while it waits leaves a transaction that has failed.
            block.failed.store(true, Ordering::Relaxed);
        }
        let admission = Arc::new(self.apply_for_slots(parsed, kind).await?);
        admission.enter().await?;
        let work = Work::begin(&self.warehouse, &self.who, Ending::of(&parsed.statement), key.is_some());
        let phase = match kind {
            Kind::Query => Phase::Planning,
            Kind::CreateTableAs if self.block.is_none() => Phase::Running,
            _ => Phase::Returning,
        };
        loop {
            (self.place.admission, self.place.work) = (Arc::downgrade(&admission), Arc::downgrade(&work));
            work.set_patient(admission.is_patient());
            let run = self.run(parsed);
            if let Some(result) = supervise(&admission, &work, (kind, phase), run).await? {
                let keeping = Keeping::begin(&self.warehouse, key.take(), &result);
                return Ok(watched(result, admission, (work, keeping), kind));
            }
            work.clear();
            admission.hop().await?;
        }
    }

    /// Who asks for how many slots.
    async fn apply_for_slots(&self, parsed: &ParsedStatement, kind: Kind) -> Result<Admission> {
        let wlm = self.warehouse.wlm();
        let setting = |name: &str| self.settings.client.get(name).unwrap_or_default();
        let user = &self.who.user;
        let mut applicant = Applicant {
            query: self.who.query,
            xid: self.who.xid,
            pid: self.who.pid,
            user: user.clone(),
            slots: setting("wlm_query_slot_count").parse().unwrap_or(1),
            features: None,
        };
        let mut requester = Requester { query_group: setting("query_group").to_owned(), ..Requester::default() };
        // Without queues to choose from nobody needs to know who asks.
        if wlm.configuration().is_configured() || requester.wants_superusers() {
            let snapshot = self.warehouse.catalog().snapshot().await?;
            let principals = snapshot.principals();
            requester.superuser = principals.is_superuser(user);
            for identity in principals.identities(user) {
                match identity {
                    Grantee::Group(name) => requester.groups.insert(name),
                    Grantee::Role(name) => requester.roles.insert(name),
                    Grantee::User(_) | Grantee::Public => false,
                };
            }
            // What may begin again may be taken for short.
            let begins_again = kind == Kind::Query || (kind == Kind::CreateTableAs && self.block.is_none());
            if begins_again && wlm.accelerates() {
                let catalog = self.warehouse.catalog();
                applicant.features = features(catalog, &snapshot, parsed, self.settings.path.first()).await?;
            }
        }
        let parent = &self.state.runtime_env().memory_pool;
        Ok(Admission::new(wlm, applicant, &requester, &self.place.trace, parent))
    }
}

/// Runs a statement up to its first rows, and ends it when its queue's limit or a rule says so; `None` when it is to
/// begin again.
async fn supervise(
    admission: &Admission,
    work: &Work,
    (kind, phase): (Kind, Phase),
    run: impl Future<Output = Result<StatementResult>>,
) -> Result<Option<StatementResult>> {
    let mut run = Box::pin(run);
    loop {
        let Some(pause) = admission.pause() else {
            let result = run.await?;
            if result.rows.is_none() {
                admission.note_completed();
            }
            return Ok(Some(result));
        };
        let Ok(result) = tokio::time::timeout(pause, &mut run).await else {
            match look(admission, work, kind, phase) {
                Decision::Continue => continue,
                Decision::Restart => return Ok(None),
                Decision::Stop(error) => return Err(error),
            }
        };
        let result = result?;
        if result.rows.is_none() {
            admission.note_completed();
            look(admission, work, kind, Phase::Done);
        }
        return Ok(Some(result));
    }
}

/// What its queue's limit and the rules say of what a statement has done so far.
fn look(admission: &Admission, work: &Work, kind: Kind, phase: Phase) -> Decision {
    admission.look(&exec::measure(work, admission.watches_segments()), kind, phase)
}

/// Rows that are watched, and that hold slots until they end.
struct Watched {
    rows: SendableRecordBatchStream,
    admission: Arc<Admission>,
    work: Arc<Work>,
    kind: Kind,
    again: Option<Again>,
    returning: bool,
    /// The result, as long as it may be kept.
    keeping: Option<Keeping>,
}

fn watched(
    mut result: StatementResult,
    admission: Arc<Admission>,
    (work, keeping): (Arc<Work>, Option<Keeping>),
    kind: Kind,
) -> StatementResult {
    let Some(rows) = result.rows.take() else { return result };
    let schema = rows.schema();
    let again = work.take_again();
    let state = Watched { rows, admission, work, kind, again, returning: false, keeping };
    let rows = futures::stream::unfold(Some(state), |state| async move { state?.next().await });
    result.rows = Some(Box::pin(RecordBatchStreamAdapter::new(schema, rows)));
    result
}

impl Watched {
    /// The next rows; without a state when they were the last.
    async fn next(mut self) -> Option<(DataFusionResult<RecordBatch>, Option<Self>)> {
        loop {
            let pause = self.admission.pause();
            let item = match pause {
                None => Some(self.rows.next().await),
                Some(pause) => tokio::time::timeout(pause, self.rows.next()).await.ok(),
            };
            if let Some(Some(Ok(batch))) = &item {
                self.work.note_returned(batch.num_rows());
                self.keeping = self.keeping.take().and_then(|keeping| keeping.add(batch));
            }
            if pause.is_some() {
                match self.look() {
                    Decision::Continue => {}
                    Decision::Stop(error) => return Some((Err(error.into()), None)),
                    Decision::Restart => match self.restart().await {
                        Ok(()) => continue,
                        Err(error) => return Some((Err(error.into()), None)),
                    },
                }
            }
            match item {
                None => {}
                Some(Some(Ok(batch))) => {
                    if !self.returning && batch.num_rows() > 0 {
                        self.returning = true;
                        self.admission.note_returning();
                    }
                    return Some((Ok(batch), Some(self)));
                }
                Some(Some(Err(error))) => return Some((Err(error), None)),
                Some(None) => {
                    self.admission.note_completed();
                    if let Some(keeping) = self.keeping.take() {
                        keeping.finish(self.work.warehouse(), &self.work);
                    }
                    return None;
                }
            }
        }
    }

    fn look(&self) -> Decision {
        let restarts = !self.returning && self.again.is_some();
        let phase = if restarts { Phase::Running } else { Phase::Returning };
        look(&self.admission, &self.work, self.kind, phase)
    }

    /// Ends the query and begins it again in its next queue.
    async fn restart(&mut self) -> Result<()> {
        let Some(again) = self.again.take() else {
            return Err(Error::internal("a query cannot begin again"));
        };
        self.rows = Box::pin(EmptyRecordBatchStream::new(self.rows.schema()));
        self.work.clear();
        self.admission.hop().await?;
        self.work.set_patient(self.admission.is_patient());
        if let Some(rows) = again().await?.rows {
            self.rows = rows;
        }
        self.again = self.work.take_again().or(Some(again));
        Ok(())
    }
}
