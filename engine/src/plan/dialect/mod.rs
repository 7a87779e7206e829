//! A query in its dialect: the spellings that the planner does not know, and what operators, types and casts mean.
//!
//! `spelling` walks the syntax tree first and leaves calls, literals and relations that the planner knows; `names` gives
//! columns their names; `types` and `operators` are asked while DataFusion plans; `casts` looks at the finished plan,
//! where the types that are cast are known, `doubles` at decimals beside doubles in it, and `passes` is what such looks have
//! in common; `laterals` puts an alias's expression for an alias that is no column.
//! `semistructured` knows what SUPER values are, `members` their members' names, `sketches` what HLLSKETCH values are,
//! `intervals` those with qualifiers.
//! `grouping` spells ROLLUP and CUBE in GROUPING SETS, `row_values` comparisons of rows; `same_names` tells apart what the
//! planner calls by one name; `using` names the columns that JOIN … USING made one, and `joined` plans such joins;
//! `moments` reads words for moments (`'today'`) among literals, `own_zones` spells Trino's moments with a zone of their own;
//! `unnest` makes columns of the parts of rows and maps; `zones` looks at the casts between moments and what clocks show when
//! all types agree.

mod aggregates;
mod calls;
mod casts;
mod doubles;
mod grouping;
mod intervals;
mod joined;
mod laterals;
mod members;
mod moments;
mod names;
mod operators;
mod outer_joins;
mod own_zones;
mod passes;
mod relations;
mod row_values;
mod same_names;
mod semistructured;
mod sketches;
mod spelling;
mod types;
mod unnest;
mod using;
mod zones;

pub(crate) use casts::assigned;
pub(super) use casts::rewrite as rewrite_casts;
pub(super) use doubles::rewrite as rewrite_doubles;
pub(crate) use intervals::read_interval;
pub(super) use joined::without_marks;
pub(super) use laterals::Laterals;
pub(super) use members::Members;
pub(crate) use moments::{given_moment, read_words};
pub(super) use operators::Operators;
pub(super) use passes::compares;
pub(super) use relations::Relations;
pub(super) use same_names::tell_apart;
pub(crate) use semistructured::{as_super, super_value};
pub(super) use semistructured::{rewrite as rewrite_super, rewrite_alone as rewrite_super_alone};
pub(super) use sketches::rewrite as rewrite_sketches;
pub(crate) use sketches::{as_sketch, sketch_value};
pub(super) use spelling::spell;
pub(super) use types::Types;
pub(super) use using::qualify_outer;
pub(crate) use zones::SessionZone;
