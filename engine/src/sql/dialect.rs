//! The two dialects and what differs between them, in one place.
//!
//! Everything that computes asks [`Dialect::rules`]; nothing else compares dialects to know what a value is.

use std::fmt;
use std::str::FromStr;

/// A dialect of SQL, chosen by session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Amazon Redshift.
    #[default]
    Redshift,
    /// Amazon Athena (Trino's SQL, Hive's DDL).
    Athena,
}

/// What becomes of the case of names in double quotes (Redshift: `enable_case_sensitive_identifier`). Names without quotes
/// are always folded to lower case; Athena folds all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Names {
    /// It is folded to lower case, as without quotes.
    #[default]
    Folded,
    /// It is kept.
    Kept,
}

/// How a column without an alias is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unnamed {
    /// After its function or type, else `?column?` (PostgreSQL's rule).
    ByExpression,
    /// `_col0`, `_col1`, … by its place (Trino).
    ByPosition,
}

/// What becomes of the digits that a result has no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Digits {
    /// They are cut off.
    Cut,
    /// The last one kept is rounded, halves away from zero.
    Round,
}

/// How intervals are read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum IntervalStyle {
    /// `1 year 2 mons`, `1 day 02:03:04.5`; a part has its own sign.
    PostgreSql,
    /// `1-2`, `1 02:03:04.500`; a sign is all parts'.
    Trino,
}

/// What the dialects disagree in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// DataFusion's name for where NULLs sort: Redshift holds NULL for the largest value (last when ascending, first
    /// when descending), Athena sorts it last both ways.
    pub(crate) null_ordering: &'static str,
    /// Names of columns without alias.
    pub(crate) unnamed: Unnamed,
    /// Precision of a DECIMAL without one; its scale is 0.
    pub(crate) decimal_precision: u8,
    /// Whether a FLOAT has 8 bytes.
    pub(crate) float_is_double: bool,
    /// Whether a real and an integer or decimal give a double.
    pub(crate) real_widens: bool,
    /// Whether floating-point division by zero is an error; else it is infinite or not a number, as IEEE 754 has it.
    pub(crate) float_division_is_checked: bool,
    /// The quotient's digits.
    pub(crate) quotient: Digits,
    /// Whether days may be added to a date as a number, and dates subtracted to a number.
    pub(crate) dates_count_days: bool,
    /// How intervals are read and written.
    pub(crate) interval_style: IntervalStyle,
    /// Whether texts are dates and moments in all the forms that are recognised; else in the standard one.
    pub(crate) dates_are_recognised: bool,
    /// Whether words are moments where a literal is read as one (`'today'`).
    pub(crate) words_for_moments: bool,
    /// Whether a part of a date may be a bare word in a call (`DATEADD(month, …)`).
    pub(crate) bare_parts: bool,
    /// Whether a time with a zone is a type of its own, kept as the time in UTC.
    pub(crate) zoned_times: bool,
    /// Whether JSON is a type of its own, which no text is.
    pub(crate) json_is_a_type: bool,
    /// Whether yes, no, on and off are read as truth values.
    pub(crate) words_for_truth: bool,
    /// Whether a T-digest is a type.
    pub(crate) digests_are_types: bool,
    /// Whether numbers and moments are their texts where a function or LIKE takes a text.
    pub(crate) numbers_as_texts: bool,
    /// Whether functions read texts and make texts where they take something else; else they only widen numbers.
    pub(crate) arguments_convert: bool,
    /// Whether a text next to a number is read as one, or made of one.
    pub(crate) texts_mix: bool,
    /// Whether `+` puts two texts together, as `||` does.
    pub(crate) plus_joins_texts: bool,
    /// Whether an alias may be used right of its place in the same list.
    pub(crate) lateral_aliases: bool,
    /// Whether an array and NULL put together are NULL.
    pub(crate) null_hides_arrays: bool,
    /// Whether EXTRACT gives a BIGINT; else an INTEGER.
    pub(crate) parts_are_bigint: bool,
    /// Whether a product of decimals has as many digits as both have together; else one more.
    pub(crate) tight_products: bool,
    /// Whether a minus belongs to the whole number behind it, so that the smallest ones are of 32 and 64 bits; else it is
    /// an operator.
    pub(crate) signed_literals: bool,
    /// Whether sums and averages of REAL are REAL; else DOUBLE.
    pub(crate) real_totals: bool,
    /// Whether a number, a moment or a truth value that a VARCHAR or CHAR has no room for is an error; else it is cut, as texts
    /// are.
    pub(crate) casts_keep_values: bool,
    /// Whether whole numbers of VALUES are INTEGER where 32 bits are enough, as elsewhere; else BIGINT.
    pub(crate) small_rows: bool,
    /// Whether the average and the sum of integers are as wide as they need: BIGINT and NUMERIC(38,0); else DOUBLE and
    /// BIGINT.
    pub(crate) integer_average: bool,
    /// How a double is written: Redshift's shortest digits, or Trino's with an exponent.
    pub(crate) float_exponent: bool,
    /// Whether `a[i]` is an error where there is no such element; else it is NULL.
    pub(crate) strict_subscripts: bool,
    /// Digits of a second's fraction that a timestamp as text always has.
    pub(crate) fraction_digits: usize,
    /// Whether a backslash in a pattern of LIKE stands before a plain character where ESCAPE names no other; else it is one.
    pub(crate) backslash_escapes: bool,
    /// Whether blanks at the ends of texts do not count when these are compared; else so in comparisons of CHAR only.
    pub(crate) blanks_are_ignored: bool,
    /// Whether blanks around the text of a whole number, a decimal, a truth value or a time do not count where it is cast.
    pub(crate) casts_trim: bool,
    /// The longest CHAR: bytes in Redshift ("Character types"), characters in Trino.
    pub(crate) longest_char: u64,
    /// Whether functions see a CHAR with blanks up to its length; else without any at its end.
    pub(crate) char_is_padded: bool,
    /// Whether arrays, maps and rows are cast value by value, the fields of rows by their places; else as DataFusion casts them,
    /// by their names.
    pub(crate) rows_cast_by_place: bool,
    /// Whether names of fields of rows are folded to lower case.
    pub(crate) fields_fold: bool,
    /// Whether there are values of SUPER, which are navigated and compared by rules of their own.
    pub(crate) super_values: bool,
    /// Whether UNNEST makes a column of each part of rows and maps.
    pub(crate) unnests_parts: bool,
    /// Whether relations may be sampled (TABLESAMPLE).
    pub(crate) samples: bool,
    /// Whether a condition may mark the side of an outer join (`(+)`).
    pub(crate) outer_join_marks: bool,
    /// Whether a series among a query's items makes rows.
    pub(crate) series_among_items: bool,
    /// Whether users' functions can be called.
    pub(crate) users_functions: bool,
    /// Whether views keep what they read from being dropped, or go with it.
    pub(crate) keeps_dependents: bool,
    /// Whether EXPLAIN shows the steps of Redshift's plans; else DataFusion's plans.
    pub(crate) explains_steps: bool,
    /// Whether moments are shown and read in the zone that the session sets; else in one of their own, or in UTC (Athena knows
    /// no such setting).
    pub(crate) zone_is_set: bool,
}

const REDSHIFT: Rules = Rules {
    null_ordering: "nulls_max",
    unnamed: Unnamed::ByExpression,
    decimal_precision: 18,
    float_is_double: true,
    real_widens: true,
    float_division_is_checked: true,
    quotient: Digits::Cut,
    dates_count_days: true,
    interval_style: IntervalStyle::PostgreSql,
    dates_are_recognised: true,
    words_for_moments: true,
    bare_parts: true,
    zoned_times: true,
    json_is_a_type: false,
    words_for_truth: true,
    digests_are_types: false,
    numbers_as_texts: true,
    arguments_convert: true,
    texts_mix: true,
    plus_joins_texts: true,
    lateral_aliases: true,
    null_hides_arrays: false,
    parts_are_bigint: false,
    tight_products: false,
    signed_literals: false,
    real_totals: false,
    casts_keep_values: false,
    small_rows: false,
    integer_average: true,
    float_exponent: false,
    strict_subscripts: false,
    fraction_digits: 0,
    backslash_escapes: true,
    blanks_are_ignored: true,
    casts_trim: true,
    longest_char: 4096,
    char_is_padded: false,
    rows_cast_by_place: false,
    fields_fold: true,
    super_values: true,
    unnests_parts: false,
    samples: false,
    outer_join_marks: true,
    series_among_items: true,
    users_functions: true,
    keeps_dependents: true,
    explains_steps: true,
    zone_is_set: true,
};

const ATHENA: Rules = Rules {
    null_ordering: "nulls_last",
    unnamed: Unnamed::ByPosition,
    decimal_precision: 38,
    float_is_double: false,
    real_widens: false,
    float_division_is_checked: false,
    quotient: Digits::Round,
    dates_count_days: false,
    interval_style: IntervalStyle::Trino,
    dates_are_recognised: false,
    words_for_moments: false,
    bare_parts: false,
    zoned_times: false,
    json_is_a_type: true,
    words_for_truth: false,
    digests_are_types: true,
    numbers_as_texts: false,
    arguments_convert: false,
    texts_mix: false,
    plus_joins_texts: false,
    lateral_aliases: false,
    null_hides_arrays: true,
    parts_are_bigint: true,
    tight_products: true,
    signed_literals: true,
    real_totals: true,
    casts_keep_values: true,
    small_rows: true,
    integer_average: false,
    float_exponent: true,
    strict_subscripts: true,
    fraction_digits: 3,
    backslash_escapes: false,
    blanks_are_ignored: false,
    casts_trim: false,
    longest_char: 65_536,
    char_is_padded: true,
    rows_cast_by_place: true,
    fields_fold: false,
    super_values: false,
    unnests_parts: true,
    samples: true,
    outer_join_marks: false,
    series_among_items: false,
    users_functions: false,
    keeps_dependents: false,
    explains_steps: false,
    zone_is_set: false,
};

impl Dialect {
    /// The name that `SET dialect` takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redshift => "redshift",
            Self::Athena => "athena",
        }
    }

    /// What it does otherwise than the other.
    pub(crate) fn rules(self) -> &'static Rules {
        match self {
            Self::Redshift => &REDSHIFT,
            Self::Athena => &ATHENA,
        }
    }

    /// DataFusion's name for where NULLs sort.
    pub fn default_null_ordering(self) -> &'static str {
        self.rules().null_ordering
    }

    /// Whether moments are shown in the zone that the session sets; else in one of their own, or in UTC.
    pub fn zone_is_set(self) -> bool {
        self.rules().zone_is_set
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dialect {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "redshift" => Ok(Self::Redshift),
            "athena" => Ok(Self::Athena),
            _ => Err(format!("dialect \"{name}\" is not known: redshift and athena are")),
        }
    }
}
