//! The server as clients see it: the program itself on a free port, tokio-postgres and bare sockets against it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests fail by panicking")]

mod bad_input;
mod client;
mod copy;
mod described;
mod fuzz;
mod inserts;
mod kept_plans;
mod load;
mod login;
mod lookups;
mod pipeline;
mod scripts;
mod server;
mod shutdown;
mod slow;
mod tags;
mod time_zones;
mod tls;
mod types;
