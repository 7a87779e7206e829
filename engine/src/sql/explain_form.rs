//! What `parse` makes of `EXPLAIN`: what is explained, and how it is shown.

use crate::sql::Statement;

/// `EXPLAIN`.
#[derive(Debug, Clone)]
pub struct Explain {
    /// Run it and show true figures.
    pub analyze: bool,
    /// Show more.
    pub verbose: bool,
    /// Show what is estimated of each step; `(COSTS OFF)` does not.
    pub costs: bool,
    /// `(FORMAT …)`; the dialect's own form when `None`.
    pub format: Option<ExplainFormat>,
    /// Athena's `(TYPE …)`: which plan, or none.
    pub shows: ExplainType,
    /// What to explain: a query, or what writes the rows of one.
    pub statement: Box<Statement>,
}

/// What of a statement is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplainType {
    /// The plan that runs.
    Distributed,
    /// The plan before operators are chosen.
    Logical,
    /// Only that there is one.
    Validate,
}

impl ExplainType {
    /// The option's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Distributed => "DISTRIBUTED",
            Self::Logical => "LOGICAL",
            Self::Validate => "VALIDATE",
        }
    }
}

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExplainFormat {
    /// The dialect's own form.
    Text,
    /// The steps as JSON, with PostgreSQL's keys.
    Json,
    /// The steps as a graph in Graphviz's language.
    Graphviz,
    /// The operators that run, as DataFusion shows them.
    DataFusion,
}

impl ExplainFormat {
    /// The option's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Json => "JSON",
            Self::Graphviz => "GRAPHVIZ",
            Self::DataFusion => "DATAFUSION",
        }
    }
}
