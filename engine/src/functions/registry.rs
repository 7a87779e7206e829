//! The functions of each dialect by name.

use super::kernel::{Gives, Kind, Scalar, declared, read_as};
use super::{
    arithmetic, arrays, blanks, buckets, bytes, coalesce, collation, colours, conversion, dates, digest_aggregates,
    digests, distributions, formats, full_text, gathered, hashes, intervals, iso, java_format, json, json_queries,
    json_tables, lambdas, lists, maps, math, pieces, readable, reduce, regex, replaced, semistructured, series,
    set_digests, sketches, slices, sorted, stems, subsets, substring, teradata, text, totals, url, vectors,
    zoned_texts, zones,
};
use crate::error::Error;
use crate::sql::Dialect;
use datafusion::arrow::datatypes::DataType;
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{AggregateUDF, Expr, HigherOrderUDF, ScalarUDF};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// Our scalar functions by topic; those without topic are not for users.
pub(super) const SCALARS: &[(&str, &[Scalar])] = &[
    ("", arithmetic::FUNCTIONS),
    ("", blanks::FUNCTIONS),
    ("", buckets::FUNCTIONS),
    ("", collation::FUNCTIONS),
    ("", conversion::FUNCTIONS),
    ("", gathered::FUNCTIONS),
    ("", intervals::FUNCTIONS),
    ("", json_queries::FUNCTIONS),
    ("", json_tables::FUNCTIONS),
    ("", lists::FUNCTIONS),
    ("", slices::FUNCTIONS),
    ("", semistructured::NAVIGATION),
    ("", semistructured::OPERATORS),
    ("", series::FUNCTIONS),
    ("", zoned_texts::FUNCTIONS),
    ("Arrays and maps", arrays::FUNCTIONS),
    ("Arrays and maps", maps::FUNCTIONS),
    ("Arrays and maps", subsets::FUNCTIONS),
    ("Arrays and maps", vectors::FUNCTIONS),
    ("Colours", colours::FUNCTIONS),
    ("Dates", dates::FUNCTIONS),
    ("Dates", iso::FUNCTIONS),
    ("Dates", zones::FUNCTIONS),
    ("Digests of numbers", digests::FUNCTIONS),
    ("Formats", formats::FUNCTIONS),
    ("Formats", java_format::FUNCTIONS),
    ("Formats", teradata::FUNCTIONS),
    ("Full text", full_text::FUNCTIONS),
    ("HyperLogLog sketches", sketches::FUNCTIONS),
    ("JSON", json::FUNCTIONS),
    ("Numbers", math::FUNCTIONS),
    ("Numbers", distributions::FUNCTIONS),
    ("Regular expressions", regex::FUNCTIONS),
    ("SUPER", semistructured::ARRAYS),
    ("SUPER", semistructured::KINDS),
    ("SUPER", semistructured::OBJECTS),
    ("SUPER", semistructured::SETS),
    ("Set digests", set_digests::FUNCTIONS),
    ("Texts", collation::COLLATIONS),
    ("Texts", text::FUNCTIONS),
    ("Texts", hashes::FUNCTIONS),
    ("Texts", substring::FUNCTIONS),
    ("Texts", bytes::FUNCTIONS),
    ("Texts", readable::FUNCTIONS),
    ("Texts", stems::FUNCTIONS),
    ("Texts", pieces::FUNCTIONS),
    ("URLs", url::FUNCTIONS),
];

type ByName = HashMap<&'static str, Arc<ScalarUDF>>;

static REDSHIFT: LazyLock<ByName> = LazyLock::new(|| scalars_of(Dialect::Redshift));
static ATHENA: LazyLock<ByName> = LazyLock::new(|| scalars_of(Dialect::Athena));

fn scalars_of(dialect: Dialect) -> ByName {
    let all =
        SCALARS.iter().flat_map(|(_, functions)| *functions).filter(|function| function.dialects.contains(&dialect));
    let mut by_name: ByName = all.map(|function| (function.name, function.udf(dialect))).collect();
    by_name.insert(coalesce::COALESCE, coalesce::function(dialect.rules().texts_mix));
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

/// The dates and moments that a function reads texts as which are its arguments; `None` in the places of others, nothing for a
/// function that is not ours.
pub(crate) fn moments_read(function: &ScalarUDF, count: usize) -> Vec<Option<DataType>> {
    let kinds = declared(function).map(|declared| declared.kinds().take(count));
    kinds.into_iter().flatten().map(|kind| read_as(kind, &DataType::Utf8View)).collect()
}

/// Whether a function gives SUPER values; `None` for one that is not ours, or that gives what it is given.
pub(crate) fn gives_super(function: &ScalarUDF) -> Option<bool> {
    match declared(function)?.gives {
        Gives::Super => Some(true),
        Gives::Element => None,
        _ => Some(false),
    }
}

/// Whether a function gives sketches; `None` for one that is not ours.
pub(crate) fn gives_sketch(function: &ScalarUDF) -> Option<bool> {
    Some(matches!(declared(function)?.gives, Gives::Sketch))
}

/// What a function takes where a value is SUPER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SuperArgument {
    /// The SUPER value, and others as such.
    Value,
    /// Anything, as it is: a SUPER's JSON text too.
    AsWritten,
    /// The text or number that it is.
    Plain,
}

/// What a function of ours takes as an argument; `None` for functions that are not ours.
pub(crate) fn super_argument(function: &ScalarUDF, at: usize) -> Option<SuperArgument> {
    let function = declared(function)?;
    Some(match function.kinds().nth(at) {
        Some(Kind::Super) => SuperArgument::Value,
        Some(Kind::Json | Kind::JsonBytes) => SuperArgument::AsWritten,
        // What we write ourselves gets what we write.
        _ if function.name.starts_with("$super") => SuperArgument::AsWritten,
        _ => SuperArgument::Plain,
    })
}

type Aggregates = HashMap<String, Arc<AggregateUDF>>;

static REDSHIFT_AGGREGATES: LazyLock<Aggregates> = LazyLock::new(|| aggregates_of(Dialect::Redshift));
static ATHENA_AGGREGATES: LazyLock<Aggregates> = LazyLock::new(|| aggregates_of(Dialect::Athena));

fn aggregates_of(dialect: Dialect) -> Aggregates {
    totals::functions(dialect)
        .into_iter()
        .chain(sketches::aggregates(dialect))
        .chain(digest_aggregates::aggregates(dialect))
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

/// A dialect's function over lambdas, where it is ours.
pub(crate) fn higher_order(dialect: Dialect, name: &str) -> Option<Arc<HigherOrderUDF>> {
    match dialect {
        Dialect::Athena => reduce::find(name)
            .or_else(|| lambdas::find(name))
            .or_else(|| sorted::find(name))
            .or_else(|| replaced::find(name)),
        Dialect::Redshift => None,
    }
}
