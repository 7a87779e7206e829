//! The layout's pure functions, the hash, and that arranging keeps every row.

#![allow(clippy::unwrap_used, clippy::rc_clone_in_vec_init)]

mod arrange;
mod hash;
mod sort;
mod state;
