//! Names of members of SUPER values: folded as all names, or as they are written when the session says so
//! (`enable_case_sensitive_super_attribute`). Those in double quotes are as they are written wherever names in these keep
//! their case.

use crate::error::Error;
use crate::sql;
use datafusion::sql::sqlparser::ast::{AccessExpr, Expr, Query, visit_expressions};
use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::OnceLock;

/// What names of members mean in a query.
#[derive(Debug)]
pub(in crate::plan) struct Members {
    keeps_case: bool,
    /// Names behind a column's, which the planner folds before it asks: as they are written, by their folded form.
    written: HashMap<String, BTreeSet<String>>,
    /// A folded name that the query writes in several ways.
    ambiguous: OnceLock<String>,
}

impl Members {
    /// Those of a query.
    pub(in crate::plan) fn of(query: &Query, keeps_case: bool) -> Self {
        let mut written: HashMap<String, BTreeSet<String>> = HashMap::new();
        if keeps_case {
            let _: ControlFlow<Infallible> = visit_expressions(query, |expr| {
                if let Expr::CompoundFieldAccess { access_chain, .. } = expr {
                    for access in access_chain {
                        if let AccessExpr::Dot(Expr::Identifier(name)) = access
                            && name.quote_style.is_none()
                        {
                            written.entry(name.value.to_lowercase()).or_default().insert(name.value.clone());
                        }
                    }
                }
                ControlFlow::Continue(())
            });
        }
        Self { keeps_case, written, ambiguous: OnceLock::new() }
    }

    /// The member that a name as it is written means.
    pub(super) fn meant(&self, name: &str) -> String {
        match sql::member(name) {
            (name, false) if !self.keeps_case => name.to_lowercase(),
            (name, _) => name.to_owned(),
        }
    }

    /// The member that a folded name behind a column's means. The planner goes on without an error; [`Self::check`] tells it.
    pub(super) fn after_column(&self, folded: &str) -> String {
        match self.written.get(folded) {
            Some(written) if written.len() > 1 => self.ambiguous.get_or_init(|| folded.to_owned()).clone(),
            Some(written) => written.first().cloned().unwrap_or_default(),
            None => folded.to_owned(),
        }
    }

    /// Refuses what was ambiguous in a query that is planned.
    ///
    /// # Errors
    /// `Unsupported`
    pub(in crate::plan) fn check(&self) -> Result<(), Error> {
        let Some(name) = self.ambiguous.get() else { return Ok(()) };
        let message = format!("members behind a column's bare name that differ in case only (\"{name}\")");
        Err(Error::unsupported(message).with_hint("begin each path with the table's alias: t.column.member"))
    }
}
