//! Group commit: transactions of one process that are ready at the same time share one transaction of the database, and
//! with it one wait for the disk.
//!
//! 1. A transaction that is ready joins the queue. While no other commit is under way it takes the writers' lock at once,
//!    so that one session alone waits for nobody; otherwise the one that is under way takes it again when it has ended.
//! 2. With the lock, and the newest snapshot, which is read in the same round trip, all are taken that have come by then.
//!    They are committed in that order as if each were alone: each sees what those before it did, is compared with all
//!    that was committed since it began, and makes the next snapshot. One that is refused is rolled back to its savepoint,
//!    and the others do not notice.
//! 3. What a transaction writes is sent to a file's connection in one round trip; where it is alone, with the commit.
//! 4. None is answered before the shared transaction is durable.
//!
//! Groups are made by a task of their own, which ends when nobody waits any more, and which whoever closes the catalog
//! waits for: who waits for a commit may go away. A transaction that goes before it was taken is not committed; one that
//! goes later is as all of its group. Where the task itself goes, with its runtime, whoever waits is told whether the
//! database may have been asked to commit by then.
//!
//! When the database itself fails (a full disk, a lost connection, a number that another program took), the shared
//! transaction is void, and each of its group is committed once more, alone: whose fault it was, is told so, and who was
//! refused for what another of the group did, is not refused for what has not happened. Where nobody can say whether the
//! shared transaction was committed, only those are tried again that were no part of it.

use super::change::{CommitNote, Committed, ManifestChange};
use super::commit::{Commit, describe};
use super::follow::Done;
use super::head::{Head, Newest, Past};
use super::log::Effect;
use super::settled::KnownTables;
use crate::error::{CatalogError, Result};
use crate::store::{Catalog, ObjectChanges, Write, gave_way, sql};
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, oneshot};

/// Commits of one group: as many sessions as can be expected to be ready within one wait for the disk.
const MOST_COMMITS: usize = 64;

/// A transaction that is ready to commit.
#[derive(Debug)]
pub(super) struct Request {
    /// The snapshot that it began at.
    pub(super) base: i64,
    /// The tables that it read.
    pub(super) reads: BTreeSet<i64>,
    pub(super) changes: Vec<ManifestChange>,
    pub(super) note: CommitNote,
}

/// A transaction that waits for its commit.
#[derive(Debug)]
struct Waiting {
    request: Request,
    answer: oneshot::Sender<Result<Committed>>,
    /// Whether the database may have committed it: it was asked to, and has not answered.
    in_doubt: Arc<AtomicBool>,
}

impl Waiting {
    fn doubt(&self, in_doubt: bool) {
        self.in_doubt.store(in_doubt, Ordering::Release);
    }
}

/// The transactions of this process that wait for their commits.
#[derive(Debug, Default)]
pub(crate) struct CommitQueue {
    state: Mutex<State>,
    /// Told when no group is under way any more.
    idle: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// Whether there is a task that takes who waits.
    has_task: bool,
}

impl CommitQueue {
    /// Waits until nobody waits, and nothing is under way.
    pub(crate) async fn rest(&self) {
        loop {
            let idle = self.idle.notified();
            if !self.state().has_task {
                return;
            }
            idle.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether whoever adds it has to begin the task that takes it.
    fn add(&self, waiting: Waiting) -> bool {
        let mut state = self.state();
        state.waiting.push_back(waiting);
        !std::mem::replace(&mut state.has_task, true)
    }

    /// The next group, without those whom nobody waits for any more.
    fn take(&self) -> Vec<Waiting> {
        let mut state = self.state();
        state.waiting.retain(|waiting| !waiting.answer.is_closed());
        let count = state.waiting.len().min(MOST_COMMITS);
        state.waiting.drain(..count).collect()
    }

    /// Whether the task has nobody left to take; it ends then.
    fn is_done(&self) -> bool {
        let mut state = self.state();
        state.waiting.retain(|waiting| !waiting.answer.is_closed());
        state.has_task = !state.waiting.is_empty();
        !state.has_task
    }
}

/// The task that takes who waits.
struct Task {
    catalog: Catalog,
    /// Whether it ends because nobody waits any more.
    ended: bool,
}

impl Task {
    async fn run(mut self) {
        while !self.ended {
            Box::pin(self.catalog.commit_group()).await;
            self.ended = self.catalog.queue().is_done();
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let queue = self.catalog.queue();
        if !self.ended {
            // The runtime has ended: nobody is to wait for ever, and none of these was begun.
            *queue.state() = State::default();
        }
        queue.idle.notify_waiters();
    }
}

impl Catalog {
    /// Commits a transaction with those that are ready at the same time.
    pub(super) async fn commit_in_group(&self, request: Request) -> Result<Committed> {
        let (answer, answered) = oneshot::channel();
        let in_doubt = Arc::<AtomicBool>::default();
        if self.queue().add(Waiting { request, answer, in_doubt: Arc::clone(&in_doubt) }) {
            tokio::spawn(Task { catalog: self.share(), ended: false }.run());
        }
        answered.await.unwrap_or_else(|gone| {
            let place = self.place();
            if in_doubt.load(Ordering::Acquire) {
                let message = format!("a commit to {place} ended abnormally");
                return Err(CatalogError::UnknownOutcome { message, source: Box::new(gone) });
            }
            let message = format!("the program ended before a commit to {place}: nothing was changed");
            Err(CatalogError::Unavailable { message, source: Some(Box::new(gone)) })
        })
    }

    /// Commits those who wait once it has the writers' lock, and answers them.
    async fn commit_group(&self) {
        let begun = Newest::begin(self).await;
        let group = self.queue().take();
        let ends = match begun {
            Ok((write, _)) if group.is_empty() => {
                // A connection that cannot end its transaction is closed.
                let _ = write.abandon().await;
                return;
            }
            Ok((write, newest)) => self.commit_together(write, newest, &group).await,
            Err(error) if gave_way(&error) => void(&group),
            Err(error) => of_all(&error, &group),
        };
        let mut alone = Vec::new();
        for (end, waiting) in ends.into_iter().zip(group) {
            if let Some(result) = end {
                // Nobody may be waiting any more.
                let _ = waiting.answer.send(result);
            } else {
                waiting.doubt(false);
                alone.push(waiting);
            }
        }
        for waiting in alone {
            waiting.doubt(true);
            let result = self.commit_alone(&waiting.request, &ObjectChanges::default()).await;
            let _ = waiting.answer.send(result);
        }
    }

    /// What becomes of each transaction of a group.
    async fn commit_together(&self, write: Write<'_>, newest: Option<Newest>, waiting: &[Waiting]) -> Vec<End> {
        let mark = newest.as_ref().and_then(|newest| self.mark_of(newest.versions()));
        let mut group = match Group::begin(self, write, newest, waiting).await {
            Ok(group) => group,
            Err(error) if gave_way(&error) => return void(waiting),
            Err(error) => return of_all(&error, waiting),
        };
        let mut made = Vec::with_capacity(waiting.len());
        for one in waiting {
            let done = group.commit(&one.request, waiting.len() > 1).await;
            if group.write.has_failed() {
                return void(waiting);
            }
            made.push(done);
        }
        for one in waiting {
            one.doubt(true);
        }
        // What else moves than the number of the newest snapshot, the next statement is to ask for.
        let of_rows = |done: &Done| done.effects.iter().all(Effect::is_of_inlined_rows);
        let moved = (group.made && made.iter().flatten().all(of_rows)).then_some(group.head.snapshot);
        let ended = group.end().await;
        let is_open = matches!(ended, Err(CatalogError::UnknownOutcome { .. }));
        if ended.is_err() && !is_open && waiting.len() > 1 {
            return void(waiting);
        }
        let mut ends = Vec::with_capacity(made.len());
        // All is known before anybody goes on.
        for done in made {
            ends.push(match (done, &ended) {
                (Ok(done), Ok(())) => Some(Ok(self.follow(done).await)),
                (Ok(_), Err(error)) if gave_way(error) => None,
                (Ok(_), Err(error)) => Some(Err(error.repeated())),
                (Err(refused), Ok(())) => Some(Err(refused)),
                (Err(_), Err(_)) => None,
            });
        }
        if let (Some(snapshot), Ok(())) = (moved, &ended) {
            self.note_own(mark, snapshot);
        }
        ends
    }
}

/// What became of a transaction of a group; `None` where it was not committed, and is to be tried alone.
type End = Option<Result<Committed>>;

/// Nothing was committed.
fn void(group: &[Waiting]) -> Vec<End> {
    group.iter().map(|_| None).collect()
}

/// An error that befell all.
fn of_all(error: &CatalogError, group: &[Waiting]) -> Vec<End> {
    group.iter().map(|_| Some(Err(error.repeated()))).collect()
}

/// A transaction of the database that several transactions share.
struct Group<'a> {
    write: Write<'a>,
    head: Head,
    past: Past,
    known: KnownTables,
    /// Whether it has made a snapshot.
    made: bool,
}

impl<'a> Group<'a> {
    async fn begin(
        catalog: &Catalog,
        mut write: Write<'a>,
        newest: Option<Newest>,
        waiting: &[Waiting],
    ) -> Result<Self> {
        let head = Head::of(&mut write, newest).await?;
        let first = waiting.iter().map(|one| one.request.base).min().unwrap_or(head.snapshot);
        let past = Past::read(&mut write, first, head.snapshot).await?;
        Ok(Self { write, head, past, known: KnownTables::new(catalog.settled(), head.snapshot), made: false })
    }

    /// Commits a transaction behind those before it, all of it or nothing. Where it shares with others, what it did is
    /// undone when it is refused; where it does not, nothing of the whole is to be kept then.
    async fn commit(&mut self, request: &Request, shares: bool) -> Result<Done> {
        if shares {
            self.write.execute_later(sql("SAVEPOINT millrace_commit")).await?;
        }
        let done = self.make(request).await;
        if shares && !self.write.has_failed() {
            if done.is_err() {
                self.write.execute_later(sql("ROLLBACK TO SAVEPOINT millrace_commit")).await?;
            }
            self.write.execute_later(sql("RELEASE SAVEPOINT millrace_commit")).await?;
            // What is wrong with one is known before the next, and those of one kind have one text.
            self.write.flush().await?;
        }
        let done = done?;
        if !done.effects.is_empty() {
            self.head = done.head;
            self.past.add(done.snapshot, &done.effects);
            self.known.change(&done.tables);
            self.made = true;
        }
        Ok(done)
    }

    async fn make(&mut self, request: &Request) -> Result<Done> {
        let others = self.past.since(request.base, self.head.snapshot)?;
        let mut commit = Commit::after(&mut self.write, self.head, request.base, others).await?;
        commit.known = Some(self.known.clone());
        commit.make(&mut self.write, request).await
    }

    /// Makes durable what was committed; of nothing it has nothing to say.
    async fn end(mut self) -> Result<()> {
        if !self.made {
            // A connection that cannot end its transaction is closed.
            let _ = self.write.abandon().await;
            return Ok(());
        }
        describe(&mut self.write, self.head.snapshot).await?;
        self.write.commit_uncounted().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_a_limit_and_nobody_who_has_gone() {
        let queue = CommitQueue::default();
        let mut answered = Vec::new();
        let most = MOST_COMMITS as i64;
        for base in 0..most + 10 {
            let (answer, waits) = oneshot::channel();
            let note = CommitNote::default();
            let request = Request { base, reads: BTreeSet::new(), changes: Vec::new(), note };
            let waiting = Waiting { request, answer, in_doubt: Arc::default() };
            assert_eq!(queue.add(waiting), base == 0, "one task for all");
            // Of the first ten, every other one goes.
            answered.extend((base >= 10 || base % 2 == 0).then_some(waits));
        }
        let bases = |group: Vec<Waiting>| group.iter().map(|waiting| waiting.request.base).collect::<Vec<_>>();
        assert_eq!(bases(queue.take()), [0, 2, 4, 6, 8].into_iter().chain(10..most + 5).collect::<Vec<_>>());
        assert!(!queue.is_done());
        assert_eq!(bases(queue.take()), (most + 5..most + 10).collect::<Vec<_>>());
        assert!(queue.is_done() && queue.take().is_empty());
    }
}
