//! A bounded cache, on the local disk, of what is read from managed tables' files in an object store.
//!
//! Files of managed tables are written once and their names are never used again, so what is kept of one is right as long
//! as it is kept; nothing else goes through it. Blocks are kept in files of their own, below the warehouse's directory,
//! and outlive the process. What cannot be kept (a full disk) is read from the store, and no statement fails for it.

mod blocks;
mod store;

pub(crate) use blocks::Blocks;
pub(crate) use store::CachedStore;
