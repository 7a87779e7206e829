//! Hash joins whose build side need not fit in memory.
//!
//! DataFusion's hash join ends with an error where its build side does not fit. [`exec`] stands around it: the build side
//! is collected first, with the memory counted that its table will take ([`collect`]); where it fits, DataFusion's join
//! goes on with it as if nothing stood between. Where not, the join is *split*: the rows of both sides are written to
//! files by a hash of their keys ([`scatter`], [`files`]), and each pair of files is a join of its own ([`part`]), which
//! may be split again by another hash. What no hash divides, as rows of one key, is cut into *blocks*, each of which meets
//! all rows of the other side ([`split`]); so nothing is too large, however its keys are. What the join promises to those
//! above it — the order of its probe side, a limit, NOT IN's way with NULL — is kept around the parts ([`outer`]).
//!
//! It owns no join: rows meet in DataFusion's, in the shapes that [`template`] gives it. Filters that a join finds for the
//! scans of its probe side are those of the partitions that fit, its keys as a set where they are integers ([`found`]); for
//! one that is split nothing is left out.

mod collect;
mod exec;
mod files;
mod found;
mod memory;
mod outer;
mod part;
mod report;
mod rule;
mod scatter;
mod split;
mod template;
#[cfg(test)]
mod tests;

pub(super) use rule::SpillingJoins;
