//! `pg_cancel_backend` and `pg_terminate_backend`: what one session does to another.

use super::system::Definition;
use crate::error::{Error, ErrorKind, Result};
use crate::session::Signal;
use crate::system::{Facts, Kind, Value};

/// Signals to the session that the first argument numbers: one's own user's, or any as a superuser. Both of
/// Redshift's functions give 1 where there is such a session, else 0.
fn signal(facts: &Facts, args: &[Value], signal: &Signal) -> Result<Value> {
    let Some(Value::Int(pid)) = args.first() else { return Ok(Value::Null) };
    let Ok(pid) = i32::try_from(*pid) else { return Ok(Value::Int(0)) };
    let Some(session) = facts.sessions.list().into_iter().find(|session| session.pid == pid) else {
        return Ok(Value::Int(0));
    };
    let user = &facts.who.user;
    if session.user != *user && !facts.snapshot.principals().is_superuser(user) {
        let message = "must be superuser to signal other users' sessions";
        return Err(Error::new(ErrorKind::InsufficientPrivilege, message));
    }
    Ok(Value::Int(facts.sessions.signal(pid, signal).into()))
}

pub(super) const FUNCTIONS: &[Definition] = &[
    Definition {
        name: "pg_cancel_backend",
        gives: |_| Kind::Int4,
        call: |facts, args| signal(facts, args, &Signal::Cancel(None)),
    },
    Definition {
        name: "pg_terminate_backend",
        gives: |_| Kind::Int4,
        call: |facts, args| signal(facts, args, &Signal::Terminate),
    },
];
