//! What a running statement shows of itself to whoever watches it: its plans, and how it is begun again. When it ends,
//! the journal is left its plans, and makes the record of their steps of them in its own time.
//!
//! A context has it weakly: the plans go with the statement, and a way to begin again does not keep itself alive.

use super::Who;
use crate::error::Result;
use crate::exec::explain::record::{self, Ending, Ran};
use crate::journal::{StepsRecord, now_us};
use crate::result::StatementResult;
use crate::result_cache::ReadOf;
use crate::system;
use crate::warehouse::Warehouse;
use datafusion::physical_plan::ExecutionPlan;
use futures::future::BoxFuture;
use millrace_catalog::model::ManagedTable;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Begins a query again.
pub(crate) type Again = Box<dyn Fn() -> BoxFuture<'static, Result<StatementResult>> + Send + Sync>;

/// The work of a statement.
pub(crate) struct Work {
    warehouse: Arc<Warehouse>,
    who: Who,
    ending: Ending,
    start_us: i64,
    plans: Mutex<Vec<Arc<dyn ExecutionPlan>>>,
    again: Mutex<Option<Again>>,
    target: Mutex<Option<(String, i64)>>,
    returned_rows: AtomicU64,
    /// Whether its result is kept if it may be given again.
    keeps_result: bool,
    read_of: Mutex<Option<ReadOf>>,
    /// It read what may be otherwise at any time.
    unrepeatable: AtomicBool,
    /// Others have the processor before it.
    is_patient: AtomicBool,
}

impl Work {
    /// The work of a statement that begins now.
    pub(super) fn begin(warehouse: &Arc<Warehouse>, who: &Who, ending: Ending, keeps_result: bool) -> Arc<Self> {
        let work = Arc::new(Self {
            warehouse: Arc::clone(warehouse),
            who: who.clone(),
            ending,
            start_us: now_us(),
            plans: Mutex::default(),
            again: Mutex::default(),
            target: Mutex::default(),
            returned_rows: AtomicU64::new(0),
            keeps_result,
            read_of: Mutex::default(),
            unrepeatable: AtomicBool::new(false),
            is_patient: AtomicBool::new(false),
        });
        warehouse.sessions().note_work(who.query, &work);
        work
    }

    /// Where it works.
    pub(super) fn warehouse(&self) -> &Warehouse {
        &self.warehouse
    }

    /// The statement's number.
    pub(crate) fn query(&self) -> i64 {
        self.who.query
    }

    /// Whether others have the processor before what it begins from now on.
    pub(super) fn set_patient(&self, is_patient: bool) {
        self.is_patient.store(is_patient, Ordering::Relaxed);
    }

    /// Whether others have the processor before it.
    pub(crate) fn is_patient(&self) -> bool {
        self.is_patient.load(Ordering::Relaxed)
    }

    /// Whether its result is kept if it may be given again.
    pub(crate) fn keeps_result(&self) -> bool {
        self.keeps_result
    }

    /// What its result was read of; `None` where it may not be given again.
    pub(crate) fn note_read_of(&self, read_of: Option<ReadOf>) {
        *self.read_of.lock().unwrap_or_else(PoisonError::into_inner) = read_of;
    }

    /// It reads what may be otherwise at any time.
    pub(crate) fn note_unrepeatable(&self) {
        self.unrepeatable.store(true, Ordering::Relaxed);
    }

    /// Whether it has read nothing that may be otherwise at any time.
    pub(crate) fn is_repeatable(&self) -> bool {
        !self.unrepeatable.load(Ordering::Relaxed)
    }

    /// What its result was read of, if it may be given again.
    pub(super) fn take_read_of(&self) -> Option<ReadOf> {
        let read_of = self.read_of.lock().unwrap_or_else(PoisonError::into_inner).take();
        read_of.filter(|_| self.is_repeatable())
    }

    /// The statement changes a table.
    pub(crate) fn note_target(&self, table: &ManagedTable) {
        let target = (format!("{}.{}", table.schema, table.name), system::managed_oid(table.id));
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = Some(target);
    }

    /// What its plans have done so far.
    pub(crate) fn steps(&self) -> StepsRecord {
        of(&self.who, record::record(&self.ran(self.plans())))
    }

    fn ran(&self, plans: Vec<Arc<dyn ExecutionPlan>>) -> Ran {
        Ran {
            plans,
            slices: self.warehouse.base_state().config().target_partitions(),
            ending: self.ending,
            target: self.target.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            returned_rows: self.returned_rows(),
            times_us: (self.start_us, now_us()),
        }
    }

    /// A plan runs.
    pub(crate) fn note_plan(&self, plan: &Arc<dyn ExecutionPlan>) {
        if self.warehouse.journal().is_recording() {
            record::watch(plan);
        }
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(plan));
    }

    /// The plans that run or have run.
    pub(crate) fn plans(&self) -> Vec<Arc<dyn ExecutionPlan>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The statement is a query that begins again so.
    pub(crate) fn note_again(&self, again: Again) {
        *self.again.lock().unwrap_or_else(PoisonError::into_inner) = Some(again);
    }

    /// How it begins again, for whoever asks first.
    pub(super) fn take_again(&self) -> Option<Again> {
        self.again.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Rows go to the client.
    pub(super) fn note_returned(&self, rows: usize) {
        self.returned_rows.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// How many have.
    pub(crate) fn returned_rows(&self) -> u64 {
        self.returned_rows.load(Ordering::Relaxed)
    }

    /// Forgets what has ended.
    pub(super) fn clear(&self) {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.take_again();
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.warehouse.sessions().forget_work(self.who.query);
        let plans = std::mem::take(&mut *self.plans.lock().unwrap_or_else(PoisonError::into_inner));
        if !plans.is_empty() {
            let (ran, who) = (self.ran(plans), std::mem::take(&mut self.who));
            let runtime = Arc::clone(self.warehouse.base_state().runtime_env());
            self.warehouse.journal().record_later(async move { of(&who, record::record_all(&ran, &runtime).await) });
        }
    }
}

/// A record with who ran it.
fn of(who: &Who, record: StepsRecord) -> StepsRecord {
    let Who { query, xid, pid, user, .. } = who;
    StepsRecord { query: *query, xid: *xid, pid: *pid, user: user.clone(), ..record }
}
