//! Functions that DataFusion lacks or has otherwise.
//!
//! Those of the dialects are declared a topic a file, with what they take, what they do and examples, and are found by
//! [`scalar`], [`aggregate`] and their like in the dialect's registry. Those of the system need to know the session and
//! are bound to a query when its names are resolved ([`bind`]): each gets the same [`Facts`], so a query sees one state
//! of the catalog; they work a row at a time, for they are called on the catalog's few rows.

mod access;
mod access_lists;
mod arithmetic;
mod arrays;
mod blanks;
mod buckets;
mod bytes;
mod calendar;
mod cast;
mod catalog;
mod coalesce;
mod collation;
mod colours;
mod conversion;
mod date_parts;
mod dates;
mod decimal_totals;
mod digest_aggregates;
mod digests;
mod distributions;
mod document;
mod farm;
mod formats;
mod full_text;
mod gathered;
mod hashes;
mod intervals;
mod iso;
mod java_format;
mod joda;
mod json;
mod json_casts;
mod json_path;
mod json_paths;
mod json_queries;
mod json_tables;
mod kernel;
mod lambdas;
mod library;
mod library_trino;
mod lists;
mod maps;
mod math;
mod nested_casts;
mod number_template;
mod pairs;
mod parts;
mod patterns;
mod pieces;
mod priorities;
mod random;
mod read_numbers;
mod readable;
mod reduce;
mod regex;
mod registry;
mod replaced;
mod routines;
mod rows;
mod semistructured;
mod series;
mod session;
mod set_config;
mod set_digests;
mod show;
mod signals;
mod sizes;
mod sketches;
mod slices;
mod sorted;
mod spooky;
mod stems;
mod subsets;
mod substring;
mod system;
mod template;
mod teradata;
mod text;
mod totals;
mod url;
mod user;
mod vectors;
mod whole_total;
mod written_numbers;
mod zoned_texts;
mod zones;

pub(crate) use self::regex::{REGEXP_LIKE, is_plain_pattern};
pub(crate) use arrays::ELEMENT_TEXTS;
pub(crate) use blanks::{CHAR, COUNT_BLANKS, WITH_BLANKS, WITHOUT_BLANKS, pad};
pub(crate) use bytes::is_binary;
pub(crate) use cast::{crosses_zones, differs as cast_differs, function as cast_function};
pub(crate) use catalog::{PAIRS, PATTERN, REGCLASS, REGCLASS_NAME, REGTYPE, REGTYPE_NAME, TEXTS};
pub(crate) use coalesce::{COALESCE, mixes_doubles, type_of_literals};
pub(crate) use collation::{COLLATE, FOLDED, ORDERED, ORDERED_TEXT, folded};
pub(crate) use conversion::{IS_TEXT, PLAIN_TEXT, TRY_VARCHAR, VARCHAR, is_written_out};
pub(crate) use dates::{DATE_AND_TIME, DATE_PART, TIMETZ};
pub(crate) use digests::is_digest;
pub use document::{FunctionDocument, function_documents, functions_page};
pub(crate) use formats::PARSED_INSTANT;
pub(crate) use intervals::{
    BETWEEN_TIMES, DAY_TO_SECOND, EARLIER_DATE, EARLIER_IN_OWN_ZONE, EARLIER_IN_ZONE, GENERAL, LATER_DATE,
    LATER_IN_OWN_ZONE, LATER_IN_ZONE, TOTAL, YEAR_TO_MONTH, as_interval, general as general_interval, is_qualified,
};
pub(crate) use iso::ISO_INSTANT;
pub(crate) use kernel::{JSON, is_text, shown_type};
pub(crate) use lists::map_of;
pub(crate) use nested_casts::is_nested_cast;
pub(crate) use random::{RANDOM, Seed};
pub(crate) use readable::STRPOS_OF_INSTANCE;
pub(crate) use registry::{
    SuperArgument, aggregate, call, gives_sketch, gives_super, higher_order, moments_read, scalar, super_argument,
};
pub(crate) use series::{NEXT_STEP, SERIES_STEP};
pub(crate) use sketches::{
    CARDINALITY, COMBINE_SKETCHES, MARK_SKETCH, MERGE, READ_SKETCH, SHOW_SKETCH, SUPER_SKETCH, SketchAggregate,
    TRY_SKETCH, sketch_aggregate,
};
pub(crate) use slices::SLICE;
pub(crate) use user::{Overload, chosen_overload, is_users, user_function};
pub(crate) use zoned_texts::CAST_INSTANT;
pub(crate) use zones::{MOST_DIGITS, TO_DIGITS};

use crate::builtin;
use crate::sql::Dialect;
use crate::system::Facts;
use datafusion::logical_expr::ScalarUDF;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use system::SystemFunction;

/// A query's own functions by name.
pub(crate) type Functions = HashMap<String, Arc<ScalarUDF>>;

const ALL: &[&[system::Definition]] = &[
    access::FUNCTIONS,
    access_lists::FUNCTIONS,
    catalog::FUNCTIONS,
    priorities::FUNCTIONS,
    session::FUNCTIONS,
    set_config::FUNCTIONS,
    show::FUNCTIONS,
    signals::FUNCTIONS,
    sizes::FUNCTIONS,
];

/// Whether a function is one of the system's.
pub(crate) fn is_known(name: &str) -> bool {
    ALL.iter().copied().flatten().any(|function| function.name == name)
}

/// Whether a name without schema means a function that is always there.
pub(crate) fn is_builtin(name: &str) -> bool {
    scalar(Dialect::Redshift, name).is_some()
        || aggregate(Dialect::Redshift, name).is_some()
        || is_known(name)
        || builtin::functions().contains(name)
}

/// Whether a function does something, so that it is called when the query runs and not before.
fn acts(name: &str) -> bool {
    let acting = signals::FUNCTIONS.iter().chain(priorities::FUNCTIONS).chain(set_config::FUNCTIONS);
    acting.into_iter().any(|function| function.name == name)
}

/// Whether a function tells how large things are.
pub(crate) fn tells_sizes(name: &str) -> bool {
    sizes::FUNCTIONS.iter().any(|function| function.name == name)
}

/// The functions of these names, over what is known now.
pub(crate) fn bind(names: &BTreeSet<String>, facts: Facts) -> Functions {
    let facts = Arc::new(facts);
    let wanted = ALL.iter().copied().flatten().filter(|function| names.contains(function.name));
    let bound = wanted.map(|definition| {
        let function = SystemFunction::new(definition, Arc::clone(&facts));
        (definition.name.to_owned(), Arc::new(ScalarUDF::new_from_impl(function)))
    });
    bound.collect()
}
