//! The search path: the schemas that names without one are looked up in, in order.
//!
//! As in Redshift `$user` is the schema of the user's name, and a name that no schema has is passed over. What is made
//! without a schema is made in the first that exists.

use super::transaction::Transaction;
use crate::error::Result;
use crate::sql::Names;
use crate::warehouse::Warehouse;
use millrace_catalog::Snapshot;
use std::fmt;
use tokio::sync::Mutex;

/// The schema of the user's name.
const USER: &str = "$user";

/// The names of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SearchPath(Vec<String>);

impl SearchPath {
    /// One schema.
    pub(crate) fn of(schema: &str) -> Self {
        Self(vec![schema.to_owned()])
    }

    /// Reads names between commas; one in quotes may have commas of its own, and a case that is kept or not.
    pub(crate) fn parse(text: &str, of_quoted: Names) -> Self {
        let mut names = vec![String::new()];
        let mut quote = None;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let Some(name) = names.last_mut() else { break };
            match (quote, c) {
                (Some(open), c) if c == open => {
                    // A quote within quotes is written twice.
                    if chars.next_if_eq(&open).is_some() {
                        name.push(c);
                    } else {
                        quote = None;
                    }
                }
                (None, '"' | '\'') if name.trim().is_empty() => {
                    name.clear();
                    quote = Some(c);
                }
                (None, ',') => names.push(String::new()),
                (None, c) if c.is_whitespace() && name.is_empty() => {}
                (Some(_), c) if of_quoted == Names::Kept => name.push(c),
                (_, c) => name.extend(c.to_lowercase()),
            }
        }
        Self(names.into_iter().map(|name| name.trim_end().to_owned()).collect())
    }

    /// The first name that is a schema's for sure: what the shell shows.
    pub(crate) fn first(&self) -> &str {
        let named = self.0.iter().find(|name| *name != USER);
        named.or(self.0.first()).map_or("", String::as_str)
    }

    /// The schemas that a statement's names are looked up in.
    pub(super) async fn schemas(
        &self,
        transaction: &Mutex<Transaction>,
        warehouse: &Warehouse,
        user: &str,
    ) -> Result<Vec<String>> {
        if let [name] = self.0.as_slice()
            && name != USER
        {
            // A schema that is alone need not exist.
            return Ok(self.0.clone());
        }
        let snapshot = transaction.lock().await.snapshot(warehouse).await?;
        Ok(self.existing(&snapshot, user))
    }

    /// The names as they are.
    pub(crate) fn into_names(self) -> Vec<String> {
        self.0
    }

    /// The names of the schemas that exist, for a user. Where none does, the first name, which errors will tell of.
    fn existing(&self, snapshot: &Snapshot, user: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for name in &self.0 {
            let name = if name == USER { user } else { name };
            if snapshot.resolve_schema(name).is_some() && !found.iter().any(|known| known == name) {
                found.push(name.to_owned());
            }
        }
        if found.is_empty() {
            found.push(self.first().to_owned());
        }
        found
    }
}

/// As SHOW gives it, and as [`SearchPath::parse`] reads it where the case of names in quotes is kept.
impl fmt::Display for SearchPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&written(&self.0))
    }
}

/// Names as a path is written: with commas, in quotes where they need them.
pub(crate) fn written(names: &[String]) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let quoted = |name: &String| {
        if name.chars().all(plain) && !name.is_empty() {
            name.clone()
        } else {
            format!("\"{}\"", name.replace('"', "\"\""))
        }
    };
    names.iter().map(quoted).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::SearchPath;
    use crate::sql::Names;

    #[test]
    fn names_are_shown_as_they_are_read() {
        for (text, names, shown) in [
            ("sales", &["sales"][..], "sales"),
            ("'$user', public, Enterprise", &["$user", "public", "enterprise"], "\"$user\", public, enterprise"),
            ("\"$user\",public", &["$user", "public"], "\"$user\", public"),
            ("$user, public", &["$user", "public"], "\"$user\", public"),
            ("\"Sales\", Public", &["sales", "public"], "sales, public"),
            ("\"a, b\" , \"c\"\"d\"", &["a, b", "c\"d"], "\"a, b\", \"c\"\"d\""),
            ("", &[""], "\"\""),
            (" a  ", &["a"], "a"),
        ] {
            let path = SearchPath::parse(text, Names::Folded);
            assert_eq!(path.0, names, "{text}");
            assert_eq!(path.to_string(), shown, "{text}");
            assert_eq!(SearchPath::parse(shown, Names::Kept), path);
        }
        let path = SearchPath::parse("\"Sales\", Public, 'Team'", Names::Kept);
        assert_eq!(path.0, ["Sales", "public", "Team"]);
        assert_eq!(SearchPath::parse(&path.to_string(), Names::Kept), path);
        assert_eq!(SearchPath::parse("'$user', public", Names::Folded).first(), "public");
    }
}
