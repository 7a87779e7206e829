//! `change_query_priority`, `change_session_priority`, `change_user_priority`: who is next in automatic WLM, changed by a
//! superuser while statements wait and run.
//!
//! A statement's own priority goes before its session's, that before its user's, that before its queue's.

use super::system::Definition;
use crate::error::{Error, ErrorKind, Result};
use crate::system::{Facts, Kind, Value};
use crate::wlm::Priority;

/// What takes a session's or a user's priority away.
const RESET: &str = "reset";

/// Refuses everybody but superusers.
fn check_superuser(facts: &Facts) -> Result<()> {
    if facts.snapshot.principals().is_superuser(&facts.who.user) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::InsufficientPrivilege, "must be superuser to change priorities"))
}

/// A priority by its name.
fn priority(name: &str) -> Result<Priority> {
    Priority::given(name).ok_or_else(|| {
        let names = Priority::ALL.map(Priority::name).join(", ");
        let error = Error::new(ErrorKind::InvalidParameter, format!("there is no priority \"{name}\""));
        error.with_hint(format!("it is one of {names}, critical"))
    })
}

/// `Highest`
fn capitalized(priority: Priority) -> String {
    let name = priority.name();
    name.chars().take(1).flat_map(char::to_uppercase).chain(name.chars().skip(1)).collect()
}

fn change_query(facts: &Facts, args: &[Value]) -> Result<Value> {
    let [Value::Int(query), Value::Text(name)] = args else { return Ok(Value::Null) };
    check_superuser(facts)?;
    let priority = priority(name)?;
    let before = facts.wlm.change_query_priority(*query, priority)?;
    let (before, now) = (capitalized(before), capitalized(priority));
    Ok(format!("Succeeded to change query priority. Priority changed from {before} to {now}.").into())
}

fn change_session(facts: &Facts, args: &[Value]) -> Result<Value> {
    let [Value::Int(pid), Value::Text(name)] = args else { return Ok(Value::Null) };
    check_superuser(facts)?;
    let priority = priority(name)?;
    let session = facts.sessions.list().into_iter().find(|session| i64::from(session.pid) == *pid);
    let Some(session) = session else {
        return Err(Error::new(ErrorKind::UndefinedObject, format!("{pid} is not the number of a session")));
    };
    facts.wlm.change_session_priority(session.pid, Some(priority));
    let name = priority.name();
    Ok(format!("Succeeded to change session priority. Changed session (pid:{pid}) priority to {name}.").into())
}

fn change_user(facts: &Facts, args: &[Value]) -> Result<Value> {
    let [Value::Text(user), Value::Text(name)] = args else { return Ok(Value::Null) };
    check_superuser(facts)?;
    if !facts.snapshot.principals().users.contains_key(user) {
        return Err(Error::new(ErrorKind::UndefinedObject, format!("user \"{user}\" does not exist")));
    }
    let priority = if name.eq_ignore_ascii_case(RESET) { None } else { Some(priority(name)?) };
    facts.wlm.change_user_priority(user, priority);
    Ok(match priority {
        Some(priority) => {
            let name = priority.name();
            format!("Succeeded to change user priority. Changed user ({user}) priority to {name}.")
        }
        None => format!("Succeeded to reset priority for user ({user})."),
    }
    .into())
}

pub(super) const FUNCTIONS: &[Definition] = &[
    Definition { name: "change_query_priority", gives: |_| Kind::Text, call: change_query },
    Definition { name: "change_session_priority", gives: |_| Kind::Text, call: change_session },
    Definition { name: "change_user_priority", gives: |_| Kind::Text, call: change_user },
];
