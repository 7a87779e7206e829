//! `REFRESH MATERIALIZED VIEW`: the view, and with CASCADE those that it reads before it, in one transaction. Each of them
//! is told of by itself, in the words of Redshift's `svl_mv_refresh_status`, however the statement ends.

use super::incremental::{Added, added, is_incremental};
use super::seen::{Seen, contents_of, views_below};
use super::stream::{self, Taken};
use super::{keep, managed, new_version, of_query, plan_of};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::{RefreshRecord, now_us};
use crate::resolve::{self, rights};
use crate::result::{Notice, Severity};
use crate::session::Context;
use crate::system::{self, Staleness};
use futures::future::BoxFuture;
use millrace_catalog::model::{ADMIN, ManagedTable, MaterializedView};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How deep materialized views may stand on each other.
const MAX_DEPTH: usize = 32;

/// Refreshes a view, with `cascade` those that it reads first; nobody asked for an `automatic` refresh.
pub(super) async fn refresh(
    context: &Context,
    view: Arc<ManagedTable>,
    cascade: bool,
    automatic: bool,
) -> Result<Vec<Notice>> {
    let mut refreshes = Refreshes { context, cascade, automatic, reached: BTreeSet::new(), done: vec![], failed: None };
    let mut notices = Vec::new();
    if let Err(error) = refreshes.refresh(view, &mut notices, 0).await {
        refreshes.tell_undone();
        return Err(error);
    }
    for done in refreshes.done {
        let failed = done.clone();
        context.transaction().lock().await.record_or(done, move |error| RefreshRecord {
            end_us: now_us(),
            status: refused(error),
            ..failed
        });
    }
    Ok(notices)
}

/// The status of a refresh that was not committed.
fn refused(error: &Error) -> String {
    match error.kind {
        ErrorKind::Serialization => "Refresh failed. Serializable isolation violation".to_owned(),
        _ => format!("Refresh failed. {}", error.message),
    }
}

/// The refreshes of one statement.
struct Refreshes<'a> {
    context: &'a Context,
    /// With the views that each reads.
    cascade: bool,
    /// Nobody asked for them.
    automatic: bool,
    /// The views that are refreshed or being so: one that several others read is refreshed once.
    reached: BTreeSet<i64>,
    /// What was done and is told when it is committed.
    done: Vec<RefreshRecord>,
    /// The view that could not be refreshed.
    failed: Option<String>,
}

impl Refreshes<'_> {
    fn refresh<'b>(
        &'b mut self,
        view: Arc<ManagedTable>,
        notices: &'b mut Vec<Notice>,
        depth: usize,
    ) -> BoxFuture<'b, Result<()>> {
        Box::pin(async move {
            let start_us = now_us();
            let refreshed = match self.attempt(&view, notices, depth).await {
                Ok(refreshed) => refreshed,
                Err(error) => {
                    let status = match &self.failed {
                        None => {
                            self.failed = Some(format!("{}.{}", view.schema, view.name));
                            format!("Refresh failed. {}", error.message)
                        }
                        Some(below) => undone(below),
                    };
                    self.context.warehouse().journal().record(&self.record(&view, start_us, status));
                    return Err(error);
                }
            };
            // One that nobody asked for and that did nothing is not worth a record.
            if !self.automatic || !matches!(refreshed, Refreshed::UpToDate { .. }) {
                let record = self.record(&view, start_us, refreshed.status().to_owned());
                self.done.push(record);
            }
            notices.push(Notice { severity: Severity::Info, message: refreshed.message(&view.name) });
            Ok(())
        })
    }

    async fn attempt(
        &mut self,
        view: &Arc<ManagedTable>,
        notices: &mut Vec<Notice>,
        depth: usize,
    ) -> Result<Refreshed> {
        if depth > MAX_DEPTH {
            let message = format!("materialized views stand on each other more than {MAX_DEPTH} deep");
            return Err(Error::new(ErrorKind::LimitExceeded, message));
        }
        rights::check_owner(self.context, &view.name, view.attributes.owner.as_ref()).await?;
        self.reached.insert(view.id);
        if self.cascade {
            let plan = plan_of(self.context, view).await?;
            for below in views_below(&plan)? {
                if !self.reached.contains(&below.id) {
                    self.refresh(below, &mut *notices, depth + 1).await?;
                }
            }
        }
        bring_up(self.context, view, notices).await
    }

    fn record(&self, view: &ManagedTable, start_us: i64, status: String) -> RefreshRecord {
        let who = self.context.who();
        let owner = || view.attributes.owner.clone().unwrap_or_else(|| ADMIN.to_owned());
        RefreshRecord {
            // Its owner sees what became of what nobody asked for.
            user: if self.automatic { owner() } else { who.user.clone() },
            xid: who.xid,
            pid: who.pid,
            schema: view.schema.clone(),
            view: view.name.clone(),
            view_id: system::managed_oid(view.id),
            start_us,
            end_us: now_us(),
            status,
            automatic: self.automatic,
        }
    }

    /// Tells of the refreshes that go with the one that failed: the statement has changed nothing.
    fn tell_undone(&mut self) {
        let below = self.failed.take().unwrap_or_default();
        for record in self.done.drain(..) {
            let record = RefreshRecord { status: undone(&below), ..record };
            self.context.warehouse().journal().record(&record);
        }
    }
}

/// The status of a view that another one's failure keeps as it was.
fn undone(failed: &str) -> String {
    format!("Cascade refresh failed because materialized view {failed} was not refreshed.")
}

/// What a refresh did.
enum Refreshed {
    /// All rows are new.
    Recomputed,
    /// What new rows of its table gave was added.
    Added,
    /// There was nothing to do.
    UpToDate {
        /// Whether the materialized views that it reads are up to date too.
        below: bool,
    },
}

impl Refreshed {
    /// In the words of `svl_mv_refresh_status`.
    fn status(&self) -> &'static str {
        match self {
            Self::Recomputed => "Refresh successfully recomputed MV from scratch",
            Self::Added => "Refresh successfully updated MV incrementally",
            Self::UpToDate { .. } => "MV was already updated",
        }
    }

    /// In the words that the client is told.
    fn message(&self, name: &str) -> String {
        match self {
            Self::Recomputed => format!("Materialized view {name} was recomputed successfully."),
            Self::Added => format!("Materialized view {name} was incrementally updated successfully."),
            Self::UpToDate { below: true } => format!("Materialized view {name} is already up to date."),
            Self::UpToDate { below: false } => format!(
                "Materialized view {name} is already up to date. However, it depends on another materialized view \
                 that is not up to date."
            ),
        }
    }
}

/// Gives a view the rows that its query gives now.
async fn bring_up(context: &Context, view: &Arc<ManagedTable>, notices: &mut Vec<Notice>) -> Result<Refreshed> {
    let Some(materialized) = view.attributes.materialized.clone() else {
        return Err(Error::internal("a materialized view lost its query"));
    };
    let plan = plan_of(context, view).await?;
    let definitions = resolve::definitions(context, &materialized).await?;
    if let Some(known) = &materialized.stream {
        let Taken { stream, lost } = stream::add(context, view, known, &plan).await?;
        notices.extend(lost.map(|message| Notice { severity: Severity::Warning, message }));
        let came = stream.checkpoints != known.checkpoints;
        if came {
            let stream = Some(stream);
            keep(context, view, MaterializedView { version: new_version(), stream, definitions, ..materialized })
                .await?;
            return Ok(Refreshed::Added);
        }
        if stream != *known {
            keep(context, view, MaterializedView { stream: Some(stream), ..materialized }).await?;
        }
        return Ok(Refreshed::UpToDate { below: true });
    }
    let Seen { tables, snapshot, is_steady, is_external } = contents_of(context, &plan).await?;
    let incremental = is_steady && is_incremental(&plan);
    // Other definitions mean other rows, of what the tables held before as well.
    let comparable = tables.as_ref().filter(|_| definitions == materialized.definitions);
    if comparable.is_some() && tables == materialized.seen {
        let mut below = true;
        for view in views_below(&plan)? {
            below &= system::staleness(context, &view).await? == Staleness::Fresh;
        }
        return Ok(Refreshed::UpToDate { below });
    }
    let added = match comparable {
        Some(now) => added(context, view, &materialized, (&plan, now)).await?,
        None => None,
    };
    let (refreshed, written) = match added {
        None => (Refreshed::Recomputed, managed::replace_rows(context, view, plan).await),
        Some(Added::Rows(rows)) => (Refreshed::Added, managed::append_rows(context, view, rows).await),
        Some(Added::Groups(rows)) => (Refreshed::Added, managed::replace_rows(context, view, rows).await),
    };
    // Which columns are read is known then only, and whoever refreshes may have rights that the view's owner has not.
    written.map_err(|error| match error.kind {
        ErrorKind::InsufficientPrivilege => of_query(error, view),
        _ => error,
    })?;
    let (version, external) = (new_version(), is_external);
    let now = MaterializedView { incremental, version, seen: tables, snapshot, external, definitions, ..materialized };
    keep(context, view, now).await?;
    Ok(refreshed)
}
