//! Who may open a session, and for how long it may be idle, for the doors: the wire and the shell.
//!
//! A door asks [`Warehouse::login`] for a user, proves the password against its verifiers as its protocol has it, and
//! opens the session with [`Session::login`]. Nothing here knows a protocol.

use crate::error::{Error, ErrorKind, Result};
use crate::password;
use crate::session::{Session, TransactionStatus};
use crate::warehouse::Warehouse;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};
use millrace_catalog::model::{ADMIN, User, Verifiers};
use std::sync::Arc;
use std::time::Duration;

/// A user who may log in.
#[derive(Debug, Clone)]
pub struct Login {
    /// The name, folded.
    pub name: String,
    /// What it is to the system.
    pub user: User,
}

impl Login {
    /// What a password is proved against.
    pub fn verifiers(&self) -> &Verifiers {
        &self.user.verifiers
    }

    /// Whether a password in clear is the user's.
    pub fn matches(&self, password: &str) -> bool {
        password::matches(&self.name, &self.user.verifiers, password)
    }

    /// Whether `VALID UNTIL` has passed: then no password is right.
    pub fn is_expired(&self) -> bool {
        let until = self.user.valid_until.as_deref().and_then(parse_time);
        until.is_some_and(|until| until <= Utc::now())
    }
}

impl Warehouse {
    /// The user of this name; `None` for one that does not exist, which a door must not tell from a wrong password.
    pub async fn login(&self, name: &str) -> Result<Option<Login>> {
        let snapshot = self.catalog().snapshot().await?;
        let found = snapshot.principals().users.get(name).cloned();
        Ok(found.map(|user| Login { name: name.to_owned(), user }))
    }

    /// Gives `admin` its first password, where it has none: this one, or one made up, which is returned to be shown
    /// once. `None` when `admin` has a password already.
    ///
    /// # Errors
    /// `InvalidParameter` for a password that is too simple.
    pub async fn bootstrap_admin(&self, given: Option<&str>) -> Result<Option<String>> {
        let snapshot = self.catalog().snapshot().await?;
        let has = snapshot.principals().users.get(ADMIN).is_some_and(|admin| admin.verifiers != Verifiers::default());
        if has {
            return Ok(None);
        }
        let password = given.map_or_else(password::generate, str::to_owned);
        let made = password::verifiers(ADMIN, &password)?;
        let stored = self.catalog().change_principals(|principals| {
            let admin = principals.users.entry(ADMIN.to_owned()).or_default();
            // Another process may have been first.
            if admin.verifiers == Verifiers::default() {
                admin.verifiers.clone_from(&made);
                return Ok(true);
            }
            Ok::<bool, Error>(false)
        });
        Ok(stored.await??.then_some(password))
    }
}

impl Session {
    /// A session of a user who has proved to be one, with the settings that the user's sessions begin with. One that
    /// no longer exists is left out.
    pub fn login(warehouse: Arc<Warehouse>, login: &Login) -> Self {
        let mut session = Self::for_user(warehouse, &login.name);
        session.tell_superuser(login.user.superuser);
        let timeout_sec = login.user.session_timeout_sec.unwrap_or(0);
        session.warehouse().sessions().change(session.pid(), |open| open.timeout_sec = timeout_sec);
        for (name, value) in &login.user.settings {
            if let Err(error) = session.set(name, value) {
                tracing::warn!(user = login.name, setting = name, %error, "a setting of the user is left out");
            }
        }
        session
    }

    /// For how long the session may be idle as it is now, and the error when it has been: as its settings say, or as the
    /// `SESSION TIMEOUT` of its user does, in a transaction too; whichever is shorter.
    pub fn idle_limit(&self) -> Option<(Duration, Error)> {
        let (setting, kind, what) = if self.transaction_status() == TransactionStatus::Idle {
            ("idle_session_timeout", ErrorKind::IdleTimeout, "idle-session")
        } else {
            ("idle_in_transaction_session_timeout", ErrorKind::IdleTransaction, "idle-in-transaction")
        };
        let set_ms = self.setting(setting).ok().and_then(|limit| limit.parse::<u64>().ok());
        let users_sec = self.warehouse().sessions().timeout_sec(self.pid());
        let limits = [
            (Duration::from_millis(set_ms.unwrap_or(0)), kind, what),
            (Duration::from_secs(users_sec.into()), ErrorKind::IdleTimeout, "idle-session"),
        ];
        let (limit, kind, what) =
            limits.into_iter().filter(|(limit, ..)| !limit.is_zero()).min_by_key(|(limit, ..)| *limit)?;
        Some((limit, Error::new(kind, format!("terminating connection due to {what} timeout"))))
    }
}

/// A moment as `VALID UNTIL` writes it: a date, a date with a time, or either with a zone; UTC without one.
pub(crate) fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    let zoned = ["%Y-%m-%d %H:%M:%S%#z", "%Y-%m-%dT%H:%M:%S%#z"];
    let plain = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S"];
    zoned
        .iter()
        .find_map(|format| DateTime::parse_from_str(text, format).ok().map(|moment| moment.to_utc()))
        .or_else(|| {
            plain.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok().map(|t| t.and_utc()))
        })
        .or_else(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?.and_hms_opt(0, 0, 0).map(|t| t.and_utc()))
}

/// The error of every failed login, whatever failed.
pub fn login_failed(user: &str) -> Error {
    Error::new(ErrorKind::InvalidPassword, format!("password authentication failed for user \"{user}\""))
}
