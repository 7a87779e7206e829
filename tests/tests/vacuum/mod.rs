//! Vacuums in histories: between the units of one and beside its statements.

mod beside;
mod given_up;
mod killed;
mod old_files;
mod told;
mod unasked;

use crate::model::{Random, Shape};
use millrace_engine::{ErrorKind, Session, Warehouse};
use millrace_tests::database::rows;
use std::future::Future;
use std::sync::Arc;

/// A session that vacuums, and changes the keys of tables so that there is something to arrange.
pub(crate) struct Sweeper {
    session: Session,
    random: Random,
}

impl Sweeper {
    pub(crate) async fn new(seed: u64, warehouse: &Arc<Warehouse>) -> Self {
        let mut session = Session::new(Arc::clone(warehouse));
        rows(&mut session, &format!("USE h{seed}")).await.unwrap();
        Self { session, random: Random(seed ^ 0x5eed) }
    }

    /// Sometimes vacuums one of these tables, or gives it other keys.
    pub(crate) async fn between(&mut self, tables: &[Shape]) {
        if tables.is_empty() || self.random.below(3) > 0 {
            return;
        }
        let text = if self.random.below(3) == 0 { self.keys(tables) } else { self.vacuum(tables) };
        let done = rows(&mut self.session, &text).await;
        assert!(done.is_ok(), "{text}: {}", done.unwrap_err());
    }

    /// Runs a statement, and where it is one of its own sometimes a vacuum at the same time.
    pub(crate) async fn beside<T>(&mut self, alone: bool, tables: &[Shape], statement: impl Future<Output = T>) -> T {
        if !alone || tables.is_empty() || self.random.below(4) > 0 {
            return statement.await;
        }
        let text = self.vacuum(tables);
        let (done, vacuumed) = tokio::join!(statement, rows(&mut self.session, &text));
        if let Err(error) = vacuumed {
            // The statement dropped or renamed it.
            assert_eq!(error.kind, ErrorKind::UndefinedTable, "{text}: {error}");
        }
        done
    }

    fn vacuum(&mut self, tables: &[Shape]) -> String {
        let table = &tables[self.random.below(tables.len() as u64) as usize].name;
        let mode = ["", "FULL", "SORT ONLY", "DELETE ONLY", "REINDEX", "RECLUSTER"][self.random.below(6) as usize];
        let options = ["", " TO 100 PERCENT", " TO 50 PERCENT", " BOOST"][self.random.below(4) as usize];
        let options = if mode == "REINDEX" { "" } else { options };
        format!("VACUUM {mode} {table}{options}")
    }

    /// `k` is the one column that no history drops or renames.
    fn keys(&mut self, tables: &[Shape]) -> String {
        let table = &tables[self.random.below(tables.len() as u64) as usize].name;
        let keys = ["SORTKEY (k)", "SORTKEY NONE", "DISTSTYLE KEY DISTKEY k", "DISTSTYLE EVEN", "DISTSTYLE ALL"];
        format!("ALTER TABLE {table} ALTER {}", keys[self.random.below(5) as usize])
    }
}

/// A statement without rows, or the one number that a query gives.
async fn number(session: &mut Session, text: &str) -> i64 {
    let found = rows(session, text).await.unwrap_or_else(|error| panic!("{text}: {error}"));
    found.first().and_then(|row| row.first()).and_then(|value| value.parse().ok()).unwrap_or_default()
}
