//! `millrace serve`: PostgreSQL's wire protocol as Redshift speaks it.
//!
//! 1. [`listener`] takes connections, within a limit, and drains them when the server stops.
//! 2. [`startup`] makes a client known: TLS, parameters, [`auth`], a session of its own.
//! 3. [`connection`] is the loop over [`message`]s that [`wire`] cuts out; [`simple`] and [`extended`] run statements,
//!    [`rows`] sends what they give, [`copy`] moves rows in bulk, [`value`] knows the forms of values.
//!
//! Every connection is one task with one session; nothing is shared but the warehouse and the [`registry`], through
//! which another connection cancels. Results are computed as the client reads them.

mod auth;
mod connection;
mod copy;
mod credentials;
mod extended;
mod failure;
mod listener;
mod message;
mod options;
mod registry;
mod report;
mod rows;
mod scram;
mod simple;
mod startup;
mod tls;
mod value;
mod wire;

pub(crate) use listener::run;
pub(crate) use options::ServeArgs;
