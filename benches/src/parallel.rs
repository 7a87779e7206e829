//! Work on all cores.

use crate::progress::Progress;
use crate::side;
use anyhow::Result;
use std::fmt::Display;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Does each job once, in about their order; a core that fails takes no other.
pub fn each<T: Sync + Display>(what: &str, jobs: &[T], work: impl Fn(&T) -> Result<()> + Sync) -> Result<()> {
    let next = AtomicUsize::new(0);
    let progress = Progress::new(what, jobs.len());
    let worker = || {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            progress.step(&job.to_string());
            work(job)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..side::cores()).map(|_| scope.spawn(worker)).collect();
        let outcomes =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        outcomes.collect::<Result<Vec<()>>>().map(drop)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn every_job_is_done_once() -> Result<()> {
        let (jobs, done) = ((0..100).collect::<Vec<u32>>(), Mutex::new(Vec::new()));
        each("jobs", &jobs, |job| {
            done.lock().map_err(|_| anyhow::anyhow!("poisoned"))?.push(*job);
            Ok(())
        })?;
        let mut done = done.into_inner()?;
        done.sort_unstable();
        assert_eq!(done, jobs);
        assert!(each("jobs", &jobs, |job| if *job == 50 { anyhow::bail!("no") } else { Ok(()) }).is_err());
        Ok(())
    }
}
