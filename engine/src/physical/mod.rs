//! Our physical optimizer rules and operators, beside DataFusion's and in their places where those go wrong for us.

mod decimal;
mod foreign_aggregates;
mod found_filters;
mod layout;
mod rules;
mod small_groups;
mod statistics;

pub(crate) use decimal::arithmetic_of;
pub(crate) use layout::is_copied;
pub(crate) use rules::rules;
pub(crate) use small_groups::aggregate_of;
