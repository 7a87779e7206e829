//! Group commit: transactions of one process that are ready at the same time share one transaction of the database, and
//! with it one wait for the disk.
//!
//! 1. A transaction that is ready joins the queue. While no other commit is under way it takes the writers' lock at once,
//!    so that one session alone waits for nobody; otherwise the one that is under way takes it again when it has ended.
//! 2. With the lock all are taken that have come by then. They are committed in that order as if each were alone: each
//!    sees what those before it did, is compared with all that was committed since it began, and makes the next snapshot.
//!    One that is refused is rolled back to its savepoint, and the others do not notice.
//! 3. None is answered before the shared transaction is durable.
//!
//! Groups are made by a task of their own, which ends when nobody waits any more, and which whoever closes the catalog
//! waits for: who waits for a commit may go away. A transaction that goes before it was taken is not committed; one that
//! goes later is as all of its group.
//!
//! When the database itself fails (a full disk, a lost connection, a number that another program took), the shared
//! transaction is void, and each of its group is committed once more, alone: whose fault it was, is told so.

use super::change::{CommitNote, Committed, ManifestChange};
use super::commit::{Commit, describe};
use super::follow::Done;
use super::head::{Head, Past};
use super::settled::KnownTables;
use crate::error::{CatalogError, Result};
use crate::store::{Catalog, ObjectChanges, Write, gave_way, sql};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
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
    fn take(&self) -> (Vec<Request>, Vec<oneshot::Sender<Result<Committed>>>) {
        let mut state = self.state();
        state.waiting.retain(|waiting| !waiting.answer.is_closed());
        let count = state.waiting.len().min(MOST_COMMITS);
        state.waiting.drain(..count).map(|Waiting { request, answer }| (request, answer)).unzip()
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
            // The runtime has ended: nobody is to wait for ever.
            *queue.state() = State::default();
        }
        queue.idle.notify_waiters();
    }
}

impl Catalog {
    /// Commits a transaction with those that are ready at the same time.
    pub(super) async fn commit_in_group(&self, request: Request) -> Result<Committed> {
        let (answer, answered) = oneshot::channel();
        if self.queue().add(Waiting { request, answer }) {
            tokio::spawn(Task { catalog: self.share(), ended: false }.run());
        }
        answered.await.unwrap_or_else(|gone| {
            let message = format!("a commit to {} ended abnormally", self.place());
            Err(CatalogError::UnknownOutcome { message, source: Box::new(gone) })
        })
    }

    /// Commits those who wait once it has the writers' lock, and answers them.
    async fn commit_group(&self) {
        let begun = self.write().await;
        let (requests, answers) = self.queue().take();
        let together = match begun {
            Ok(write) if requests.is_empty() => {
                // A connection that cannot end its transaction is closed.
                let _ = write.abandon().await;
                return;
            }
            Ok(write) => self.commit_together(write, &requests).await,
            Err(error) if gave_way(&error) => None,
            Err(error) => Some(of_all(error, requests.len())),
        };
        if let Some(results) = together {
            for (result, answer) in results.into_iter().zip(answers) {
                // Nobody may be waiting any more.
                let _ = answer.send(result);
            }
            return;
        }
        for (request, answer) in requests.iter().zip(answers) {
            let _ = answer.send(self.commit_alone(request, &ObjectChanges::default()).await);
        }
    }

    /// What becomes of each transaction of a group; `None` when nothing of it was committed and each may be tried alone.
    async fn commit_together(&self, write: Write<'_>, requests: &[Request]) -> Option<Vec<Result<Committed>>> {
        let mut group = match Group::begin(self, write, requests).await {
            Ok(group) => group,
            Err(error) if gave_way(&error) => return None,
            Err(error) => return Some(of_all(error, requests.len())),
        };
        let mut made = Vec::with_capacity(requests.len());
        for request in requests {
            let done = group.commit(request, requests.len() > 1).await;
            if group.write.has_failed() {
                return None;
            }
            made.push(done);
        }
        let ended = group.end().await;
        if ended.as_ref().is_err_and(gave_way) {
            return None;
        }
        let mut results = Vec::with_capacity(made.len());
        // All is known before anybody goes on.
        for done in made {
            results.push(match (done, &ended) {
                (Ok(done), Ok(())) => Ok(self.follow(done).await),
                (Ok(_), Err(error)) => Err(error.repeated()),
                (Err(refused), _) => Err(refused),
            });
        }
        Some(results)
    }
}

/// An error that befell so many.
fn of_all(error: CatalogError, count: usize) -> Vec<Result<Committed>> {
    let mut results: Vec<_> = (1..count).map(|_| Err(error.repeated())).collect();
    if count > 0 {
        results.push(Err(error));
    }
    results
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
    async fn begin(catalog: &Catalog, mut write: Write<'a>, requests: &[Request]) -> Result<Self> {
        let head = Head::read(&mut write).await?;
        let first = requests.iter().map(|request| request.base).min().unwrap_or(head.snapshot);
        let past = Past::read(&mut write, first, head.snapshot).await?;
        Ok(Self { write, head, past, known: KnownTables::new(catalog.settled(), head.snapshot), made: false })
    }

    /// Commits a transaction behind those before it, all of it or nothing. Where it shares with others, what it did is
    /// undone when it is refused; where it does not, nothing of the whole is to be kept then.
    async fn commit(&mut self, request: &Request, shares: bool) -> Result<Done> {
        if shares {
            self.write.execute(sql("SAVEPOINT millrace_commit")).await?;
        }
        let done = self.make(request).await;
        if shares && !self.write.has_failed() {
            if done.is_err() {
                self.write.execute(sql("ROLLBACK TO SAVEPOINT millrace_commit")).await?;
            }
            self.write.execute(sql("RELEASE SAVEPOINT millrace_commit")).await?;
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

    /// Makes durable what was committed.
    async fn end(mut self) -> Result<()> {
        if !self.made {
            return self.write.abandon().await;
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
            assert_eq!(queue.add(Waiting { request, answer }), base == 0, "one task for all");
            // Of the first ten, every other one goes.
            answered.extend((base >= 10 || base % 2 == 0).then_some(waits));
        }
        let bases = |requests: Vec<Request>| requests.iter().map(|request| request.base).collect::<Vec<_>>();
        assert_eq!(bases(queue.take().0), [0, 2, 4, 6, 8].into_iter().chain(10..most + 5).collect::<Vec<_>>());
        assert!(!queue.is_done());
        assert_eq!(bases(queue.take().0), (most + 5..most + 10).collect::<Vec<_>>());
        assert!(queue.is_done() && queue.take().0.is_empty());
    }
}
