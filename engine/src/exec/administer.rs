//! What an administrator does to the warehouse as it runs: `ALTER SYSTEM`, `CANCEL`.

use super::done;
use crate::error::{Error, ErrorKind, Result};
use crate::result::{CommandTag, Notice, Severity, StatementResult};
use crate::session::{Context, Signal};
use crate::wlm;
use std::sync::Arc;

/// `ALTER SYSTEM SET|RESET name`: `None` is the default.
pub(super) async fn alter_system(context: &Context, name: &str, value: Option<&str>) -> Result<StatementResult> {
    if name != wlm::SETTING {
        let settings = context.settings();
        if settings.iter().any(|(known, ..)| *known == name) {
            let what = format!("ALTER SYSTEM of \"{name}\"");
            return Err(Error::unsupported(what).with_hint(format!("SET {name} changes it for the session")));
        }
        let error = Error::new(ErrorKind::UndefinedObject, format!("setting \"{name}\" does not exist"));
        return Err(error.with_hint(format!("ALTER SYSTEM changes {}", wlm::SETTING)));
    }
    if context.catalog().is_read_only() {
        return Err(Error::new(ErrorKind::ReadOnly, "the warehouse is read-only"));
    }
    let text = value.unwrap_or_default().to_owned();
    let queues = Arc::clone(context.warehouse().wlm());
    let counts = tokio::task::spawn_blocking(move || queues.set(&text)).await;
    let counts = counts.map_err(|error| Error::internal(format!("could not keep the configuration: {error}")))??;
    let message = format!("{name} was given when the warehouse was opened, which goes before what is kept");
    let notices = if counts { Vec::new() } else { vec![Notice { severity: Severity::Warning, message }] };
    Ok(done(CommandTag::Verb("ALTER SYSTEM"), notices))
}

/// `CANCEL pid ['message']`: what `pg_cancel_backend` does, the message in place of the usual error.
pub(super) async fn cancel(context: &Context, pid: i64, message: Option<&str>) -> Result<StatementResult> {
    let snapshot = context.snapshot().await?;
    let sessions = context.warehouse().sessions();
    let found = sessions.list().into_iter().find(|session| i64::from(session.pid) == pid);
    let user = &context.who().user;
    let Some(session) = found else {
        let message = format!("{pid} is not the number of a session");
        return Ok(done(CommandTag::Verb("CANCEL"), vec![Notice { severity: Severity::Warning, message }]));
    };
    if session.user != *user && !snapshot.principals().is_superuser(user) {
        let message = "must be superuser to signal other users' sessions";
        return Err(Error::new(ErrorKind::InsufficientPrivilege, message));
    }
    let mut notices = Vec::new();
    if !sessions.signal(session.pid, &Signal::Cancel(message.map(str::to_owned))) {
        let message = format!("the session {pid} cannot be reached");
        notices.push(Notice { severity: Severity::Warning, message });
    }
    Ok(done(CommandTag::Verb("CANCEL"), notices))
}
