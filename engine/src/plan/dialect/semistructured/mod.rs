//! SUPER values in a plan: steps from columns, and what operators, casts and functions do with them.
//!
//! What is SUPER is known by the mark of its field, and asked while a query is planned only: a function that takes SUPER
//! gets one, since what is a text here becomes one (`$super`). `values` is asked by the planner for operators and steps;
//! what the planner does not ask for (casts, IN, BETWEEN, LIKE, CASE, calls of functions) `expressions` rewrites in the
//! finished plan, and `nodes` what plans compare and sort themselves.

mod expressions;
mod nodes;
mod values;

pub(in crate::plan) use expressions::rewrite_alone;
pub(in crate::plan) use nodes::rewrite;
pub(super) use values::{access, members, operator};
pub(crate) use values::{as_super, super_value};
