//! Settings by statement and by function: SET, SET LOCAL, RESET, SHOW and `set_config`.
//!
//! `set_config` is called while a query's rows are computed, when nobody has the session: what it changes is kept aside, and
//! the session's next statement takes it over before it begins. A change for the transaction only is taken back where its
//! block ends; outside of a block it is gone with its statement.

use super::client_settings::CASE_OF_NAMES;
use super::results::{done, warning};
use super::search_path::SearchPath;
use super::settings::Settings;
use super::transaction::Transaction;
use super::{Block, Session};
use crate::error::{Error, ErrorKind, Result};
use crate::exec;
use crate::result::StatementResult;
use crate::sql::Names;
use crate::system::DATABASE;
use crate::wlm;
use datafusion::execution::session_state::SessionState;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The settings that texts are parsed by, which happens before a statement begins.
const OF_TEXTS: [&str; 2] = ["dialect", CASE_OF_NAMES];

/// The setting whose value is a list of names.
const SEARCH_PATH: &str = "search_path";

/// The transaction that a change ends with.
type OfTransaction = Weak<tokio::sync::Mutex<Transaction>>;

/// A setting that a function changed.
#[derive(Debug)]
struct Change {
    name: String,
    /// As it was given.
    given: String,
    /// As it is shown.
    shown: String,
    /// `None` for the session's rest.
    of: Option<OfTransaction>,
}

impl Change {
    /// Whether it holds in a block.
    fn holds_in(&self, block: Option<&Block>) -> bool {
        let Some(of) = &self.of else { return true };
        block.is_some_and(|block| Weak::ptr_eq(of, &Arc::downgrade(&block.transaction)))
    }
}

/// What functions changed of a session's settings and it has not taken over yet.
#[derive(Debug, Default)]
pub(crate) struct Changes(Mutex<Vec<Change>>);

impl Changes {
    fn with<T>(&self, of: impl FnOnce(&mut Vec<Change>) -> T) -> T {
        of(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How a statement's functions change its session's settings.
#[derive(Debug)]
pub(crate) struct Changer {
    settings: Settings,
    state: Arc<SessionState>,
    changes: Arc<Changes>,
    transaction: OfTransaction,
}

impl Changer {
    /// One for a statement that began with these settings.
    pub(super) fn new(
        settings: Settings,
        state: Arc<SessionState>,
        changes: Arc<Changes>,
        transaction: OfTransaction,
    ) -> Self {
        Self { settings, state, changes, transaction }
    }

    /// Gives a setting a value from the next statement on, for the transaction only or the session; tells it as SHOW does.
    ///
    /// # Errors
    /// As SET; `CannotChange` for the dialect and for what becomes of the case of names.
    pub(crate) fn change(&self, name: &str, value: &str, of_transaction: bool) -> Result<String> {
        let name = name.to_lowercase();
        if OF_TEXTS.contains(&name.as_str()) {
            let message = format!("parameter \"{name}\" cannot be changed by set_config()");
            return Err(Error::new(ErrorKind::CannotChange, message).with_hint(format!("SET {name} = …")));
        }
        let (mut settings, mut config) = (self.settings.clone(), self.state.config().clone());
        settings.set(&mut config, &name, Some(value))?;
        let shown = settings.get(&config, &name)?;
        let of = of_transaction.then(|| Weak::clone(&self.transaction));
        let change = Change { name, given: value.to_owned(), shown: shown.clone(), of };
        self.changes.with(|changes| changes.push(change));
        Ok(shown)
    }
}

impl Session {
    /// Sets a setting, as `SET name = value` does.
    ///
    /// # Errors
    /// `UndefinedObject` for a setting that does not exist, `InvalidParameter` for a value it does not take.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        self.settings.set(self.state.config_mut(), name, Some(value))
    }

    /// Begins in the database that a client connects to: the one that there is, or a schema by its name, as `USE` does.
    ///
    /// # Errors
    /// `UndefinedDatabase`.
    pub async fn choose_database(&mut self, name: &str) -> Result<()> {
        let folded = name.to_lowercase();
        if folded == DATABASE {
            return Ok(());
        }
        // A schema of this very name goes before one of the folded name.
        let exists = self.warehouse.catalog().snapshot().await?.resolve_schema(name).is_some();
        let schema = if exists { name } else { &folded };
        self.execute_use(schema).await.map(drop).map_err(|error| match error.kind {
            ErrorKind::UndefinedSchema => {
                Error::new(ErrorKind::UndefinedDatabase, format!("database \"{name}\" does not exist"))
            }
            _ => error,
        })
    }

    /// A setting's value, as `SHOW name` gives it.
    ///
    /// # Errors
    /// `UndefinedObject` for a setting that does not exist.
    pub fn setting(&self, name: &str) -> Result<String> {
        let changed = self.changes.with(|changes| {
            let last = changes.iter().rfind(|change| change.name == name && change.holds_in(self.block.as_ref()));
            last.map(|change| change.shown.clone())
        });
        changed.map_or_else(|| self.settings.get(self.state.config(), name), Ok)
    }

    /// A number that grows when a setting is changed.
    pub fn settings_version(&self) -> u64 {
        self.settings.version + self.changes.with(|changes| changes.len() as u64)
    }

    /// Takes over what functions of the statements before have changed.
    ///
    /// # Errors
    /// None where the functions' own looks at the values were right.
    pub(super) fn take_over_changes(&mut self) -> Result<()> {
        for change in self.changes.with(std::mem::take) {
            if !change.holds_in(self.block.as_ref()) {
                // The version told of it.
                self.settings.version += 1;
                continue;
            }
            let before = self.settings.get(self.state.config(), &change.name)?;
            self.settings.set(self.state.config_mut(), &change.name, Some(&change.given))?;
            if let Some(block) = self.block.as_mut().filter(|_| change.of.is_some()) {
                block.settings_before.push((change.name, before));
            }
        }
        Ok(())
    }

    /// Gives settings their values from before a block again, the last that was changed first.
    ///
    /// # Errors
    /// None, for they were its values.
    pub(super) fn restore_settings(&mut self, before: Vec<(String, String)>) -> Result<()> {
        for (name, value) in before.into_iter().rev() {
            if name == SEARCH_PATH {
                // It was shown as it is, whatever is said of names meanwhile.
                self.settings.path = SearchPath::parse(&value, Names::Kept);
                self.settings.version += 1;
                continue;
            }
            let value = Some(value.as_str()).filter(|value| !value.is_empty());
            self.settings.set(self.state.config_mut(), &name, value)?;
        }
        Ok(())
    }

    pub(super) fn execute_set(&mut self, name: &str, value: Option<&str>, local: bool) -> Result<StatementResult> {
        let before = if local { Some(self.settings.get(self.state.config(), name)?) } else { None };
        self.settings.set(self.state.config_mut(), name, value)?;
        let mut result = done(if value.is_some() { "SET" } else { "RESET" });
        if let Some(before) = before {
            let before = (name.to_owned(), before);
            if let Some(block) = &mut self.block {
                block.settings_before.push(before);
            } else {
                self.restore_settings(vec![before])?;
                result.notices.push(warning("SET LOCAL can only be used in transaction blocks"));
            }
        }
        Ok(result)
    }

    pub(super) fn show_setting(&self, name: Option<&str>) -> Result<StatementResult> {
        let config = self.state.config();
        if name == Some(wlm::SETTING) {
            return exec::rows::text("SHOW", &[wlm::SETTING], [[self.warehouse.wlm().configuration().text.clone()]]);
        }
        if let Some(name) = name {
            exec::rows::text("SHOW", &[name], [[self.settings.get(config, name)?]])
        } else {
            let rows = Settings::described().into_iter().map(|(name, description)| {
                let value = self.settings.get(config, name)?;
                Ok([name.to_owned(), value, description.to_owned()])
            });
            exec::rows::text("SHOW", &["name", "setting", "description"], rows.collect::<Result<Vec<_>>>()?)
        }
    }
}
