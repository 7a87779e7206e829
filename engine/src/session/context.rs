//! What one statement runs in: the warehouse, the session's settings at its start, and its own text.

use super::activity::Who;
use super::set::{Changer, Changes};
use super::settings::Settings;
use super::transaction::Transaction;
use super::work::Work;
use crate::error::{Error, ErrorKind, Result};
use crate::federated::Sources;
use crate::functions::Seed;
use crate::kept_plans::PlanKey;
use crate::lake::table::Lake;
use crate::load::CopyInput;
use crate::plan::SessionZone;
use crate::result::CurrentProgress;
use crate::sql::{Bound, Dialect, Names, ParsedStatement};
use crate::tables::{self, ManagedTableProvider};
use crate::warehouse::Warehouse;
use crate::zone::Zone;
use datafusion::datasource::TableProvider;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::ScalarUDF;
use millrace_catalog::model::ManagedTable;
use millrace_catalog::{Catalog, Snapshot};
use std::sync::{Arc, PoisonError, Weak};
use tokio::sync::Mutex;

/// The surroundings of one statement; later changes of the session do not reach it.
#[derive(Clone)]
pub(crate) struct Context {
    warehouse: Arc<Warehouse>,
    state: Arc<SessionState>,
    path: Vec<String>,
    dialect: Dialect,
    names: Names,
    text: Arc<str>,
    pub(super) who: Arc<Who>,
    settings: Settings,
    transaction: Arc<Mutex<Transaction>>,
    /// Whether the transaction was begun by the user and goes on after the statement.
    in_block: bool,
    progress: Arc<CurrentProgress>,
    input: super::loading::InputSlot,
    /// What its functions change of the session's settings.
    changes: Arc<Changes>,
    work: Weak<Work>,
    /// What the plan of the statement is found by, where it is a query whose plan may be kept.
    plan: Option<Arc<PlanKey>>,
    /// The values of its parameters.
    bound: Option<Arc<Bound>>,
}

impl Context {
    /// The context of a statement.
    pub(crate) fn new(
        warehouse: Arc<Warehouse>,
        mut state: SessionState,
        path: Vec<String>,
        statement: &ParsedStatement,
        progress: Arc<CurrentProgress>,
        (who, settings): (Who, Settings),
        (transaction, in_block): (Arc<Mutex<Transaction>>, bool),
    ) -> Self {
        let dialect = statement.dialect;
        sort_nulls(&mut state, dialect);
        keep_zone(&mut state, dialect);
        state.mark_start_execution();
        Self {
            warehouse,
            state: Arc::new(state),
            path,
            dialect,
            names: statement.names,
            text: statement.text.as_str().into(),
            who: Arc::new(who),
            settings,
            transaction,
            in_block,
            progress,
            input: super::loading::InputSlot::default(),
            changes: Arc::default(),
            work: Weak::new(),
            plan: None,
            bound: None,
        }
    }

    /// The same with what its plan is found by, and the values of its parameters.
    pub(super) fn with_plan(self, plan: Option<Arc<PlanKey>>, bound: Option<&Arc<Bound>>) -> Self {
        Self { plan, bound: bound.cloned(), ..self }
    }

    /// What the statement's plan is found by, where it is a query whose plan may be kept.
    pub(crate) fn plan_key(&self) -> Option<&Arc<PlanKey>> {
        self.plan.as_ref()
    }

    /// The values of the statement's parameters, beside the statement with its placeholders.
    pub(crate) fn bound(&self) -> Option<&Arc<Bound>> {
        self.bound.as_ref()
    }

    /// The same with its client's rows.
    pub(super) fn with_input(self, input: &super::loading::InputSlot) -> Self {
        Self { input: Arc::clone(input), ..self }
    }

    /// The same with where its functions leave what they change of the session's settings.
    pub(super) fn with_changes(self, changes: &Arc<Changes>) -> Self {
        Self { changes: Arc::clone(changes), ..self }
    }

    /// How functions of the statement change the session's settings.
    pub(crate) fn changer(&self) -> Changer {
        let transaction = Arc::downgrade(&self.transaction);
        Changer::new(self.settings.clone(), Arc::clone(&self.state), Arc::clone(&self.changes), transaction)
    }

    /// The same with whoever watches its work.
    pub(super) fn with_work(self, work: Weak<Work>) -> Self {
        Self { work, ..self }
    }

    /// Where the statement shows its work, if anybody watches.
    pub(crate) fn work(&self) -> Option<Arc<Work>> {
        self.work.upgrade()
    }

    /// The client's rows, for whoever asks first.
    pub(crate) fn take_input(&self) -> Option<CopyInput> {
        self.input.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The transaction that the statement runs in.
    pub(crate) fn transaction(&self) -> &Mutex<Transaction> {
        &self.transaction
    }

    /// What exists for the statement.
    pub(crate) async fn snapshot(&self) -> Result<Arc<Snapshot>> {
        self.transaction.lock().await.snapshot(&self.warehouse).await
    }

    /// Refuses a statement that changes the catalog at once where that cannot be taken back.
    ///
    /// # Errors
    /// `ActiveTransaction` in a transaction block.
    pub(crate) fn check_no_block(&self, statement: &str) -> Result<()> {
        if self.in_block {
            let message = format!("{statement} cannot run inside a transaction block");
            return Err(Error::new(ErrorKind::ActiveTransaction, message));
        }
        Ok(())
    }

    /// Refuses a statement that means nothing outside of a transaction block.
    ///
    /// # Errors
    /// `NoActiveTransaction`.
    pub(crate) fn check_block(&self, statement: &str) -> Result<()> {
        if self.in_block {
            return Ok(());
        }
        let message = format!("{statement} can only be used in transaction blocks");
        Err(Error::new(ErrorKind::NoActiveTransaction, message))
    }

    /// A managed table's rows as the transaction sees them.
    pub(crate) async fn scan_managed(&self, table: &Arc<ManagedTable>) -> Result<Arc<dyn TableProvider>> {
        let (provider, is_settled) = self.managed(table).await?;
        // What a transaction or session has of its own, nobody else sees.
        Ok(if is_settled && table.id > 0 { self.warehouse.seen().same_or(provider) } else { Arc::new(provider) })
    }

    /// The same with the columns that tell each row's place.
    pub(crate) async fn scan_for_change(&self, table: &Arc<ManagedTable>) -> Result<Arc<dyn TableProvider>> {
        Ok(Arc::new(self.managed(table).await?.0.with_hidden_columns()))
    }

    /// A managed table's rows as they were at one of the manifest's snapshots.
    ///
    /// # Errors
    /// `UndefinedObject` when the snapshot expires meanwhile.
    pub(crate) async fn scan_managed_at(
        &self,
        table: &Arc<ManagedTable>,
        snapshot_id: i64,
    ) -> Result<Arc<dyn TableProvider>> {
        if let Some(work) = self.work() {
            work.note_unrepeatable();
        }
        let catalog = self.catalog();
        self.transaction.lock().await.lease(&self.warehouse, snapshot_id);
        let files = catalog.data_files(table.id, snapshot_id).await?;
        let inlined = catalog.inlined_rows(table.id, snapshot_id).await?;
        if !catalog.has_snapshot(snapshot_id).await? {
            return Err(Error::new(ErrorKind::UndefinedObject, format!("snapshot {snapshot_id} has expired")));
        }
        let later = |last: Option<i64>| last.is_some_and(|last| last > snapshot_id);
        if files.iter().any(|file| later(file.partial_max) || later(file.deletes.as_ref().and_then(|d| d.partial_max)))
        {
            let what = format!("time travel of \"{}\" to within files that another program merged", table.name);
            return Err(Error::unsupported(what));
        }
        let inlined = inlined.iter().map(|rows| tables::decode_inlined(table, rows)).collect::<Result<_>>()?;
        let (data, table) = (self.warehouse.data().clone(), Arc::clone(table));
        Ok(Arc::new(ManagedTableProvider::new(data, table, files, inlined)?))
    }

    /// A managed table's rows, and whether everyone who reads the transaction's snapshot sees the same.
    async fn managed(&self, table: &Arc<ManagedTable>) -> Result<(ManagedTableProvider, bool)> {
        let mut transaction = self.transaction.lock().await;
        let settled = transaction.settled(&self.warehouse, table).await?;
        let (files, inlined) = if let Some(version) = settled {
            let inlined = self.warehouse.inlined().rows(self.catalog(), table, version).await?;
            (self.catalog().data_files(table.id, version).await?, inlined)
        } else {
            let contents = transaction.contents(&self.warehouse, table).await?;
            let rows = contents.inlined.iter().map(|rows| tables::decode_inlined(table, rows));
            (contents.files, rows.collect::<Result<_>>()?)
        };
        drop(transaction);
        let storage = self.warehouse.storage_of(table).await?;
        let provider = ManagedTableProvider::new(storage, Arc::clone(table), files, inlined)?;
        // A table of this transaction or session has no number that anything could be known by.
        let provider =
            if table.id > 0 { provider.with_estimates(self.catalog().estimates(table.id).await?) } else { provider };
        Ok((provider, settled.is_some()))
    }

    /// The same in another dialect, for the text of a view.
    pub(crate) fn with_dialect(&self, dialect: Dialect) -> Self {
        let mut changed = self.clone();
        changed.dialect = dialect;
        if changed.state.config_options().sql_parser.default_null_ordering != dialect.default_null_ordering() {
            sort_nulls(Arc::make_mut(&mut changed.state), dialect);
        }
        changed
    }

    /// The same for one stream of rows in the query's order: behind a sort they are not dealt out to be computed in parallel.
    pub(crate) fn in_order(&self) -> Self {
        let mut changed = self.clone();
        Arc::make_mut(&mut changed.state).config_mut().options_mut().optimizer.enable_round_robin_repartition = false;
        changed
    }

    /// DataFusion's view of the session.
    pub(crate) fn state(&self) -> &SessionState {
        &self.state
    }

    /// The same for plans that run in one slice.
    pub(crate) fn state_of_one_slice(&self) -> SessionState {
        let mut state = self.state.as_ref().clone();
        state.config_mut().options_mut().execution.target_partitions = 1;
        state
    }

    /// The warehouse.
    pub(crate) fn warehouse(&self) -> &Arc<Warehouse> {
        &self.warehouse
    }

    /// The warehouse's catalog.
    pub(crate) fn catalog(&self) -> &Arc<Catalog> {
        self.warehouse.catalog()
    }

    /// What external tables share.
    pub(crate) fn lake(&self) -> &Arc<Lake> {
        self.warehouse.lake()
    }

    /// The foreign systems that schemas are over.
    pub(crate) fn sources(&self) -> &Sources {
        self.warehouse.sources()
    }

    /// The schema that is meant where none is named: what is made goes there. It need not exist.
    pub(crate) fn database(&self) -> &str {
        self.path.first().map_or("", String::as_str)
    }

    /// The schemas that unqualified names are looked up in, in order.
    pub(crate) fn path(&self) -> &[String] {
        &self.path
    }

    /// The session's settings: name, value, what for.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String, &'static str)> {
        let config = self.state.config();
        let value = |name: &str| self.settings.get(config, name).unwrap_or_default();
        Settings::described().into_iter().map(|(name, about)| (name, value(name), about)).collect()
    }

    /// The same for the text of a view, whose maker's session kept the case of names of members of SUPER values or not.
    pub(crate) fn with_case_of_members(&self, keeps: bool) -> Self {
        let mut changed = self.clone();
        changed.settings.client.keep_case_of_members(keeps);
        changed
    }

    /// The same for the text of a view, whose maker's session kept the case of names in quotes or not.
    pub(crate) fn with_names(&self, names: Names) -> Self {
        Self { names, ..self.clone() }
    }

    /// RANDOM, where the session set a seed.
    pub(crate) fn random(&self) -> Option<Arc<ScalarUDF>> {
        self.settings.seed.as_ref().map(Seed::function)
    }

    /// Whether names of members of SUPER values keep their case.
    pub(crate) fn keeps_case_of_members(&self) -> bool {
        self.settings.get(self.state.config(), "enable_case_sensitive_super_attribute").is_ok_and(|value| value == "on")
    }

    /// Whether `json_parse` keeps the last of an object's members of one name.
    pub(crate) fn keeps_last_member(&self) -> bool {
        self.settings.get(self.state.config(), "json_parse_dedup_attributes").is_ok_and(|value| value == "on")
    }

    /// Whether `json_parse` cuts strings that are too long for a SUPER value.
    pub(crate) fn cuts_strings(&self) -> bool {
        self.settings.get(self.state.config(), "json_parse_truncate_strings").is_ok_and(|value| value == "on")
    }

    /// Where a statement that runs to its end shows how far it is.
    pub(crate) fn progress(&self) -> &CurrentProgress {
        &self.progress
    }

    /// What became of the case of the statement's names in quotes.
    pub(crate) fn names(&self) -> Names {
        self.names
    }

    /// The statement's dialect.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// A parser's line and column in the statement's text, both from 1, as a character from 1; 0 where it is unknown.
    pub(crate) fn position_of(&self, span: Option<(u64, u64)>) -> usize {
        let Some((line, column)) = span else { return 0 };
        let skipped = usize::try_from(line.saturating_sub(1)).unwrap_or(0);
        let before: usize = self.text.split('\n').take(skipped).map(|text| text.chars().count() + 1).sum();
        before + usize::try_from(column).unwrap_or(0)
    }
}

/// Has moments shown in the session's zone, or where a dialect knows no such setting, in their own or UTC (Athena: "Time zones").
fn keep_zone(state: &mut SessionState, dialect: Dialect) {
    if !dialect.rules().zone_is_set && !Zone::of_session(state.config_options()).is_utc() {
        state.config_mut().options_mut().execution.time_zone = Some("UTC".to_owned());
    }
    state.add_analyzer_rule(Arc::new(SessionZone));
}

/// Has NULLs sorted where a dialect sorts them.
fn sort_nulls(state: &mut SessionState, dialect: Dialect) {
    let ordering = dialect.default_null_ordering();
    if state.config_options().sql_parser.default_null_ordering != ordering {
        let options = state.config_mut().options_mut();
        ordering.clone_into(&mut options.sql_parser.default_null_ordering);
    }
}
