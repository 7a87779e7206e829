//! Full-text conditions. The search system that has the table decides them: they never run here.

use super::kernel::{BOTH, Gives, Kind, Scalar, scalar};
use crate::error::{Error, Result};
use datafusion::arrow::array::ArrayRef;

use Kind::{Any, Text};

pub(super) const FUNCTIONS: &[Scalar] = &[
    scalar("match", BOTH, &[Any, Text], Gives::Bool, |_| elsewhere("match()")).with_nulls().doc(
        "match(column, text)",
        "Whether a field of a search index has any of the words, as the index analyses them; only in WHERE over its table.",
        &[],
    ),
    scalar("match_phrase", BOTH, &[Any, Text], Gives::Bool, |_| elsewhere("match_phrase()")).with_nulls().doc(
        "match_phrase(column, text)",
        "Whether a field of a search index has the words in this order; only in WHERE over its table.",
        &[],
    ),
    scalar("query_string", BOTH, &[Text, Any], Gives::Bool, |_| elsewhere("query_string()"))
        .optional(1)
        .with_nulls()
        .doc(
            "query_string(query)",
            "Whether a document satisfies a query in the search system's own language; only in WHERE over its table.",
            &[],
        ),
];

/// What is said where no search system decides: the function stands elsewhere, or the table is none of a search system.
fn elsewhere(function: &str) -> Result<ArrayRef> {
    Err(Error::unsupported(format!("{function} other than as a condition that a search system decides"))
        .with_hint("use it in WHERE over a table of OpenSearch or Elasticsearch, joined with other conditions by AND"))
}
