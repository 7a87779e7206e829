//! SUPER values: JSON texts. Steps into them, their elements, what they are beside other values.
//!
//! Every text that a kernel gets for a SUPER is one: what is none, the planner has made one (`plan::dialect`).
//! What is computed of a SUPER follows the value that a row has (Redshift: "Dynamic typing"): a step that leads nowhere,
//! an operator on what it is not for and a cast that fails give NULL.

mod arrays;
mod document;
mod kinds;
mod navigate;
mod number;
mod objects;
mod operators;
mod sets;

pub(super) use arrays::FUNCTIONS as ARRAYS;
pub(super) use document::as_documents;
pub(super) use kinds::FUNCTIONS as KINDS;
pub(super) use navigate::FUNCTIONS as NAVIGATION;
pub(super) use objects::FUNCTIONS as OBJECTS;
pub(super) use operators::FUNCTIONS as OPERATORS;
pub(super) use sets::FUNCTIONS as SETS;
