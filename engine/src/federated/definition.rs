//! A schema over a foreign system as the catalog keeps it: parameters of a database.
//!
//! `connector` is the kind, `connector.NAME` an option, `connector.secret.NAME` one that nobody may see. Secrets are in
//! the catalog's file as they are, like PostgreSQL's in `pg_user_mapping`: who can read the file has them.

use crate::error::{Error, ErrorKind, Result};
use millrace_catalog::model::{Database, Parameters};
use millrace_connectors::{OptionSpec, Options};

const KIND: &str = "connector";
const OPTION: &str = "connector.";
const SECRET: &str = "connector.secret.";

/// What a secret is shown as.
const MASK: &str = "***";

/// A schema's connector and what it is made with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Definition {
    /// The kind, in lower case.
    pub(crate) kind: String,
    /// Its options, secrets too.
    pub(crate) options: Options,
}

impl Definition {
    /// The definition of a database that is a schema over a foreign system.
    pub(crate) fn of(database: &Database) -> Option<Self> {
        let kind = database.parameters.get(KIND)?.clone();
        let option = |(name, value): (&String, &String)| {
            let name = name.strip_prefix(SECRET).or_else(|| name.strip_prefix(OPTION))?;
            Some((name.to_owned(), value.clone()))
        };
        Some(Self { kind, options: database.parameters.iter().filter_map(option).collect() })
    }

    /// The parameters of its database; `specs` tell which options are secret.
    pub(crate) fn to_parameters(&self, specs: &[OptionSpec]) -> Parameters {
        let is_secret = |name: &str| specs.iter().any(|spec| spec.name == name && spec.secret);
        let option = |(name, value): (&String, &String)| {
            let prefix = if is_secret(name) { SECRET } else { OPTION };
            (format!("{prefix}{name}"), value.clone())
        };
        let options = self.options.iter().map(option);
        std::iter::once((KIND.to_owned(), self.kind.clone())).chain(options).collect()
    }

    /// The kind of system that a database is a schema over.
    pub(crate) fn kind_of(database: &Database) -> Option<&str> {
        database.parameters.get(KIND).map(String::as_str)
    }

    /// A database's parameters without the values of secrets.
    pub(crate) fn shown(parameters: &Parameters) -> Parameters {
        let shown = |(name, value): (&String, &String)| {
            let value = if name.starts_with(SECRET) { MASK.to_owned() } else { value.clone() };
            (name.clone(), value)
        };
        parameters.iter().map(shown).collect()
    }

    /// A schema's options as `svv_external_schemas` shows them, without secrets.
    pub(crate) fn shown_options(parameters: &Parameters) -> Parameters {
        let option = |(name, value): (&String, &String)| {
            let name = name.strip_prefix(OPTION).filter(|_| !name.starts_with(SECRET))?;
            Some((name.to_owned(), value.clone()))
        };
        parameters.iter().filter_map(option).collect()
    }

    /// Refuses parameters of another statement that would make a schema of this kind.
    ///
    /// # Errors
    /// `InvalidParameter`.
    pub(crate) fn check_none(parameters: &Parameters) -> Result<()> {
        match parameters.keys().find(|name| *name == KIND || name.starts_with(OPTION)) {
            Some(name) => {
                let message = format!("the property \"{name}\" is reserved");
                Err(Error::new(ErrorKind::InvalidParameter, message).with_hint("use CREATE EXTERNAL SCHEMA … FROM"))
            }
            None => Ok(()),
        }
    }
}

/// What people call a kind.
pub(crate) fn label(kind: &str) -> &str {
    match kind {
        "dynamodb" => "DynamoDB",
        "elasticsearch" => "Elasticsearch",
        "kinesis" => "Kinesis",
        "opensearch" => "OpenSearch",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn secrets_are_kept_and_not_shown() {
        let given = [("endpoint", "http://host"), ("password", "s3cret"), ("user", "u")];
        let options = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let definition = Definition { kind: "opensearch".to_owned(), options };
        let spec = |name, secret| OptionSpec { name, required: false, secret };
        let specs = [spec("endpoint", false), spec("password", true), spec("user", false)];
        let parameters = definition.to_parameters(&specs);
        let database = Database { parameters: parameters.clone(), ..Database::new("s") };
        assert_eq!(Definition::of(&database).unwrap(), definition);
        assert_eq!(Definition::kind_of(&database), Some("opensearch"));
        assert_eq!(Definition::of(&Database::new("d")), None);
        let shown = serde_json::to_string(&Definition::shown(&parameters)).unwrap();
        assert!(!shown.contains("s3cret") && shown.contains(MASK), "{shown}");
        let options: Vec<_> = Definition::shown_options(&parameters).into_keys().collect();
        assert_eq!(options, ["endpoint", "user"]);
        assert!(Definition::check_none(&parameters).is_err());
    }
}
