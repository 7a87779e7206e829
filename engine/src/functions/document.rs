//! The functions' own documentation, which `docs/sql/functions.md` is generated from.

use super::registry::SCALARS;
use super::{library, library_trino};
use crate::sql::Dialect;
use std::fmt::Write;

/// What is known of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FunctionDocument {
    /// Where it is.
    pub dialects: &'static [Dialect],
    /// What it is about.
    pub topic: &'static str,
    /// How it is called.
    pub syntax: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Expressions and their results.
    pub examples: &'static [(&'static str, &'static str)],
}

/// Every function that has documentation: by topic, in the order of their declarations.
pub fn function_documents() -> Vec<FunctionDocument> {
    let ours = SCALARS.iter().flat_map(|(topic, functions)| {
        functions.iter().filter(|function| !function.syntax.is_empty()).map(move |function| FunctionDocument {
            dialects: function.dialects,
            topic,
            syntax: function.syntax,
            about: function.about,
            examples: function.examples,
        })
    });
    let others =
        library::ENTRIES.iter().chain(library_trino::ENTRIES).map(|(dialects, topic, syntax, about, examples)| {
            FunctionDocument { dialects, topic, syntax, about, examples }
        });
    let mut all: Vec<FunctionDocument> = others.chain(ours).collect();
    all.sort_by_key(|document| document.topic);
    all
}

/// The page of all functions.
pub fn functions_page() -> String {
    let mut page =
        "# Functions\n\nGenerated from the functions' declarations; a test runs every example. `R` is Redshift's \
                    dialect, `A` Athena's.\nAggregates and window functions are at the end.\n"
            .to_owned();
    let mut topic = "";
    for document in function_documents() {
        if document.topic != topic {
            topic = document.topic;
            let _ = write!(page, "\n## {topic}\n\n| function | in | what it does | example | result |\n|-|-|-|-|-|\n");
        }
        let dialects: Vec<&str> =
            document.dialects.iter().map(|dialect| if *dialect == Dialect::Redshift { "R" } else { "A" }).collect();
        let cell = |text: &str| text.replace('|', "\\|");
        let code = |text: &str| if text.is_empty() { "(empty)".to_owned() } else { format!("`{}`", cell(text)) };
        let mut examples = document.examples.iter();
        let (example, result) = examples.next().map_or((String::new(), String::new()), |(e, r)| (code(e), code(r)));
        let (syntax, about) = (code(document.syntax), cell(document.about));
        let _ = writeln!(page, "| {syntax} | {} | {about} | {example} | {result} |", dialects.join(" "));
        for (example, result) in examples {
            let _ = writeln!(page, "| | | | {} | {} |", code(example), code(result));
        }
    }
    page.push_str(AGGREGATES);
    page
}

/// Functions over groups and windows; `tests/sql/functions/aggregates.slt`, `statistics.slt`, `tests/sql/select/windows.slt` and `trino*.slt` run them.
const AGGREGATES: &str = "
## Aggregates and window functions

| function | in | what it does |
|-|-|-|
| `count`, `min`, `max`, `stddev[_samp\\|_pop]`, `variance`, `var_samp`, `var_pop`, `bool_and`, `bool_or`, `bit_and`, `bit_or`, `any_value` | R A | as everywhere |
| `sum(number)` | R A | BIGINT of integers (R: NUMERIC(38,0) of BIGINT), DECIMAL(38,s) of DECIMAL(p,s); an error beyond |
| `avg(number)` | R A | R: BIGINT of integers, NUMERIC(38,s), both cut. A: DOUBLE of integers, DECIMAL(p,s) rounded |
| `listagg([DISTINCT] value [, separator]) [WITHIN GROUP (ORDER BY …)] [OVER (…)]` | R A | the values as one text |
| `listagg(value [, separator] [ON OVERFLOW { ERROR \\| TRUNCATE [filler] { WITH \\| WITHOUT } COUNT }]) WITHIN GROUP (ORDER BY …)` | A | a text of more than 1048576 bytes is an error, or a filler stands for what is left out, and how many values that are |
| `median(value) [OVER (…)]` | R | the value in the middle, interpolated |
| `percentile_cont(p) WITHIN GROUP (ORDER BY value) [OVER (…)]` | R A | the value at a share, interpolated |
| `percentile_disc(p) WITHIN GROUP (ORDER BY value) [OVER (…)]` | R A | the first value that reaches a share |
| `APPROXIMATE COUNT(DISTINCT value)`, `approx_distinct(value)` | R, A | an estimate of the distinct values |
| `hll(value)` | R | about how many different values there are, counted by a sketch; 0 of none |
| `hll_create_sketch(value)`, `hll_combine(hllsketch)` | R | a sketch of values; of sketches the one that saw all |
| `approx_set(value)`, `merge(sketch)` | A | the same; NULL of none. `cardinality(sketch)` counts |
| `ratio_to_report(value) OVER (…)` | R | a value's part in its partition's sum |
| `max_by(x, y)`, `min_by(x, y)`, `count_if(c)`, `arbitrary(x)`, `every(c)`, `geometric_mean(x)` | A | as Trino |
| `array_agg(x)`, `set_agg(x)`, `map_agg(k, v)`, `multimap_agg(k, v)`, `map_union(map)`, `histogram(x)` | A | the values, the distinct ones, maps |
| `max(x, n)`, `min(x, n)`, `max_by(x, y, n)`, `min_by(x, y, n)` | A | an array of the n largest or smallest, or of the values beside those |
| `approx_percentile(x[, weight], share)`, `approx_percentile(x[, weight], array)` | A | the value at a share, or at several; exact with weights and of several |
| `approx_most_frequent(buckets, x, capacity)` | A | the most frequent values with their counts, which are exact here |
| `numeric_histogram(buckets, x[, weight])` | A | so many buckets at most: a map of their means and weights |
| `make_set_digest(x)`, `merge_set_digest(digest)` | A | the hashes of a set's values with their counts; of several sets together |
| `tdigest_agg(x[, weight])`, `qdigest_agg(x[, weight[, accuracy]])`, `merge(digest)` | A | a digest of numbers, about 100 means or (exact here, whatever the accuracy) all numbers with their weights; of several digests together |
| `skewness(x)`, `kurtosis(x)` | A | as Trino |
| `reduce_agg(x, initial, (state, x) -> …, (state, state) -> …)` | A | the values that are not NULL taken together one by one |
| `row_number`, `rank`, `dense_rank`, `percent_rank`, `cume_dist`, `ntile`, `lag`, `lead`, `first_value`, `last_value`, `nth_value` | R A | as everywhere |
";
