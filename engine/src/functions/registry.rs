//! The functions of each dialect by name.

use super::kernel::{Gives, Scalar, declared};
use super::{
    arithmetic, arrays, blanks, coalesce, conversion, dates, formats, full_text, intervals, json, lists, math, regex,
    semistructured, text, totals, url,
};
use crate::error::Error;
use crate::sql::Dialect;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{AggregateUDF, Expr, ScalarUDF};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// Our scalar functions by topic; those without topic are not for users.
pub(super) const SCALARS: &[(&str, &[Scalar])] = &[
    ("", arithmetic::FUNCTIONS),
    ("", blanks::FUNCTIONS),
    ("", conversion::FUNCTIONS),
    ("", intervals::FUNCTIONS),
    ("", lists::FUNCTIONS),
    ("", semistructured::NAVIGATION),
    ("", semistructured::OPERATORS),
    ("Arrays and maps", arrays::FUNCTIONS),
    ("Dates", dates::FUNCTIONS),
    ("Formats", formats::FUNCTIONS),
    ("Full text", full_text::FUNCTIONS),
    ("JSON", json::FUNCTIONS),
    ("Numbers", math::FUNCTIONS),
    ("Regular expressions", regex::FUNCTIONS),
    ("SUPER", semistructured::ARRAYS),
    ("SUPER", semistructured::KINDS),
    ("SUPER", semistructured::OBJECTS),
    ("SUPER", semistructured::SETS),
    ("Texts", text::FUNCTIONS),
    ("URLs", url::FUNCTIONS),
];

type ByName = HashMap<&'static str, Arc<ScalarUDF>>;

static REDSHIFT: LazyLock<ByName> = LazyLock::new(|| scalars_of(Dialect::Redshift));
static ATHENA: LazyLock<ByName> = LazyLock::new(|| scalars_of(Dialect::Athena));

fn scalars_of(dialect: Dialect) -> ByName {
    let all =
        SCALARS.iter().flat_map(|(_, functions)| *functions).filter(|function| function.dialects.contains(&dialect));
    let mut by_name: ByName = all.map(|function| (function.name, function.udf())).collect();
    if dialect.rules().texts_mix {
        by_name.insert(coalesce::COALESCE, coalesce::function());
    }
    by_name
}

/// A dialect's scalar function, where it is ours.
pub(crate) fn scalar(dialect: Dialect, name: &str) -> Option<Arc<ScalarUDF>> {
    match dialect {
        Dialect::Redshift => REDSHIFT.get(name).cloned(),
        Dialect::Athena => ATHENA.get(name).cloned(),
    }
}

/// A call of a dialect's scalar function that is ours.
pub(crate) fn call(dialect: Dialect, name: &str, args: Vec<Expr>) -> DataFusionResult<Expr> {
    let missing = || Error::internal(format!("the function {name} is missing"));
    let function = scalar(dialect, name).ok_or_else(missing)?;
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(function, args)))
}

/// Whether a function gives SUPER values.
pub(crate) fn gives_super(function: &ScalarUDF) -> bool {
    declared(function).is_some_and(|function| matches!(function.gives, Gives::Super))
}

/// Whether a function knows SUPER values; to others they are texts.
pub(crate) fn takes_super(function: &ScalarUDF) -> bool {
    let topics = ["JSON", "SUPER"];
    declared(function).is_some_and(|function| {
        function.name.starts_with("$super")
            || SCALARS.iter().any(|(topic, functions)| {
                topics.contains(topic) && functions.iter().any(|known| known.is(Dialect::Redshift, function.name))
            })
    })
}

type Aggregates = HashMap<String, Arc<AggregateUDF>>;

static REDSHIFT_AGGREGATES: LazyLock<Aggregates> = LazyLock::new(|| aggregates_of(Dialect::Redshift));
static ATHENA_AGGREGATES: LazyLock<Aggregates> = LazyLock::new(|| aggregates_of(Dialect::Athena));

fn aggregates_of(dialect: Dialect) -> Aggregates {
    totals::functions(dialect)
        .into_iter()
        .map(|function| (function.name().to_lowercase(), Arc::new(function)))
        .collect()
}

/// A dialect's aggregate, where it is ours.
pub(crate) fn aggregate(dialect: Dialect, name: &str) -> Option<Arc<AggregateUDF>> {
    match dialect {
        Dialect::Redshift => REDSHIFT_AGGREGATES.get(name).cloned(),
        Dialect::Athena => ATHENA_AGGREGATES.get(name).cloned(),
    }
}
