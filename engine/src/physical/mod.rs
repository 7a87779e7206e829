//! Our physical optimizer rules and operators, beside DataFusion's and in their places where those go wrong for us.

mod decimal;
mod found_filters;
mod layout;
mod rules;
mod small_groups;
mod statistics;

pub(crate) use rules::rules;
