//! Sorts, groupings and merges with memory of their own.
//!
//! DataFusion's operators go to the disk when they are refused memory, and fail when they are refused some that they need
//! for that: a sort's first batch, the keys of the rows that it is about to write, two runs to merge. Where memory is first
//! come, first served, what one partition gave back for such a moment another has taken. So each partition has a *room*
//! ([`room`]): it grows as the statement's memory allows, keeps what it has until rows come out, and has a little for sure
//! whatever others hold. What an operator asks for, it asks of its room ([`exec`]), which answers at once: nobody waits for
//! memory. Rows come into a sort in batches that fit ([`fit`]).
//!
//! A merge of sorted streams holds some batches of each and cannot do with less: its room counts, and refuses nothing. What
//! cannot go to the disk, as the first rows of an order, has what there is, and a little for sure too. Exchanges have no
//! rooms: they write what they are refused ([`super::exchanges_write_apart`]).

mod exec;
mod fit;
mod room;
mod rule;
#[cfg(test)]
mod tests;

pub(super) use exec::in_rooms;
pub(super) use room::{Need, enter};
pub(super) use rule::Rooms;
