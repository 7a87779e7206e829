//! Our physical optimizer rules and operators, beside DataFusion's and in their places where those go wrong for us.

mod layout;
mod rules;
mod statistics;

pub(crate) use rules::rules;
