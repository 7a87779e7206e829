//! Informational constraints of managed tables. They are kept as the SQL texts that they are shown as.

use super::ManagedTable;
use crate::error::{CatalogError, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

/// A constraint of a managed table. Its text is `[CONSTRAINT name] PRIMARY KEY (a, b)` and the like; names that are not
/// plain stand in double quotes, which are doubled within them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// The name, where it was given one; [`ManagedTable::constraint_names`] has those of the others.
    pub name: Option<String>,
    /// What it is.
    pub kind: ConstraintKind,
    /// The names of the table's columns that it is about, in its order.
    pub columns: Vec<String>,
}

/// What a constraint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConstraintKind {
    /// `PRIMARY KEY`
    PrimaryKey,
    /// `UNIQUE`
    Unique,
    /// `FOREIGN KEY … REFERENCES …`
    ForeignKey(Reference),
}

/// What a foreign key references.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The schema; `None` is that of the key's own table.
    pub schema: Option<String>,
    /// The table.
    pub table: String,
    /// The columns' names; none stand for the primary key.
    pub columns: Vec<String>,
}

impl Reference {
    /// Whether it is one of a table, for a foreign key of a table in `schema`.
    pub fn is_to(&self, schema: &str, table: &ManagedTable) -> bool {
        self.table == table.name && self.schema.as_deref().unwrap_or(schema) == table.schema
    }

    /// The names of the columns that it means of the table that it is to.
    pub fn columns_of<'a>(&'a self, table: &'a ManagedTable) -> &'a [String] {
        match table.primary_key() {
            Some(key) if self.columns.is_empty() => &key.columns,
            _ => &self.columns,
        }
    }
}

impl Constraint {
    /// Whether it is a primary key.
    pub fn is_primary_key(&self) -> bool {
        self.kind == ConstraintKind::PrimaryKey
    }

    /// What it references, if it is a foreign key.
    pub fn reference(&self) -> Option<&Reference> {
        match &self.kind {
            ConstraintKind::ForeignKey(reference) => Some(reference),
            ConstraintKind::PrimaryKey | ConstraintKind::Unique => None,
        }
    }

    /// The same, to be changed.
    pub fn reference_mut(&mut self) -> Option<&mut Reference> {
        match &mut self.kind {
            ConstraintKind::ForeignKey(reference) => Some(reference),
            ConstraintKind::PrimaryKey | ConstraintKind::Unique => None,
        }
    }

    /// Its text, with names as `quote` writes them.
    pub fn sql(&self, quote: impl Fn(&str) -> String) -> String {
        let definition = self.definition(&quote);
        match &self.name {
            Some(name) => format!("CONSTRAINT {} {definition}", quote(name)),
            None => definition,
        }
    }

    /// Its text without its own name.
    pub fn definition(&self, quote: impl Fn(&str) -> String) -> String {
        let list = |names: &[String]| names.iter().map(|name| quote(name)).collect::<Vec<_>>().join(", ");
        let columns = list(&self.columns);
        match &self.kind {
            ConstraintKind::PrimaryKey => format!("PRIMARY KEY ({columns})"),
            ConstraintKind::Unique => format!("UNIQUE ({columns})"),
            ConstraintKind::ForeignKey(reference) => {
                let schema = reference.schema.as_ref().map(|schema| format!("{}.", quote(schema))).unwrap_or_default();
                let table = format!("{schema}{}", quote(&reference.table));
                match reference.columns.as_slice() {
                    [] => format!("FOREIGN KEY ({columns}) REFERENCES {table}"),
                    referenced => format!("FOREIGN KEY ({columns}) REFERENCES {table} ({})", list(referenced)),
                }
            }
        }
    }

    /// The name that PostgreSQL gives to one without, as long as it is free.
    fn default_name(&self, table: &str) -> String {
        let columns = self.columns.join("_");
        match &self.kind {
            ConstraintKind::PrimaryKey => format!("{table}_pkey"),
            ConstraintKind::Unique => format!("{table}_{columns}_key"),
            ConstraintKind::ForeignKey(_) => format!("{table}_{columns}_fkey"),
        }
    }
}

impl ManagedTable {
    /// The primary key.
    pub fn primary_key(&self) -> Option<&Constraint> {
        self.attributes.constraints.iter().find(|constraint| constraint.is_primary_key())
    }

    /// The names of its constraints, in their order. One without a name has PostgreSQL's: `t_pkey`, `t_a_b_key`,
    /// `t_a_b_fkey`, with a number behind it where another has that.
    pub fn constraint_names(&self) -> Vec<String> {
        let constraints = &self.attributes.constraints;
        let mut taken: HashSet<String> = constraints.iter().filter_map(|known| known.name.clone()).collect();
        let name = |constraint: &Constraint| {
            if let Some(name) = &constraint.name {
                return name.clone();
            }
            let default = constraint.default_name(&self.name);
            let mut name = default.clone();
            let mut number = 0;
            while !taken.insert(name.clone()) {
                number += 1;
                name = format!("{default}{number}");
            }
            name
        };
        constraints.iter().map(name).collect()
    }

    /// Adds a constraint. One without a name keeps a number that its name gets, whatever becomes of the others.
    pub fn add_constraint(&mut self, constraint: Constraint) {
        self.attributes.constraints.push(constraint);
        let name = self.constraint_names().pop();
        if let Some(added) = self.attributes.constraints.last_mut()
            && name.as_ref() != Some(&added.default_name(&self.name))
        {
            added.name = name;
        }
    }

    /// Has the constraints keep the names that they had before the table or columns of it were renamed, as in PostgreSQL:
    /// one that would have another name now is given its own.
    pub fn keep_constraint_names(&mut self, before: Vec<String>) {
        for (constraint, name) in self.attributes.constraints.iter_mut().zip(before) {
            if constraint.name.is_none() && constraint.default_name(&self.name) != name {
                constraint.name = Some(name);
            }
        }
    }
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sql(quoted))
    }
}

impl Serialize for Constraint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Constraint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A name, in quotes unless it is plain. No word is reserved in kept texts.
fn quoted(name: &str) -> String {
    let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit());
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

impl FromStr for Constraint {
    type Err = CatalogError;

    /// Reads a kept text. Earlier versions had quotes only around names with upper-case letters, and doubled none in
    /// them: so a name without quotes goes to where the text goes on, and a quote ends a name only there.
    fn from_str(text: &str) -> Result<Self> {
        read(text).ok_or_else(|| CatalogError::InvalidArgument(format!("\"{text}\" is no constraint")))
    }
}

const PRIMARY_KEY: &str = "PRIMARY KEY (";
const UNIQUE: &str = "UNIQUE (";
const FOREIGN_KEY: &str = "FOREIGN KEY (";

fn read(text: &str) -> Option<Constraint> {
    let (name, text) = match after(text, "CONSTRAINT ") {
        Some(rest) => {
            let of_kind =
                |rest: &str| [PRIMARY_KEY, UNIQUE, FOREIGN_KEY].iter().any(|kind| after(rest, kind).is_some());
            let (name, rest) = take_name(rest, |rest| after(rest, " ").is_some_and(of_kind))?;
            (Some(name), after(rest, " ")?)
        }
        None => (None, text),
    };
    let (kind, columns, rest) = if let Some(rest) = after(text, PRIMARY_KEY) {
        let (columns, rest) = take_list(rest)?;
        (ConstraintKind::PrimaryKey, columns, rest)
    } else if let Some(rest) = after(text, UNIQUE) {
        let (columns, rest) = take_list(rest)?;
        (ConstraintKind::Unique, columns, rest)
    } else {
        let (columns, rest) = take_list(after(text, FOREIGN_KEY)?)?;
        let (reference, rest) = take_reference(after(rest, " REFERENCES ")?)?;
        (ConstraintKind::ForeignKey(reference), columns, rest)
    };
    rest.is_empty().then_some(Constraint { name, kind, columns })
}

/// What follows a word that stands first, whatever its case.
fn after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (first, rest) = text.split_at_checked(word.len())?;
    first.eq_ignore_ascii_case(word).then_some(rest)
}

/// `schema.table (a, b)`; a database before the schema is left out, for there is one.
fn take_reference(mut text: &str) -> Option<(Reference, &str)> {
    let mut parts = Vec::new();
    loop {
        let (part, rest) = take_name(text, |rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with(" ("))?;
        parts.push(part);
        text = rest;
        match after(text, ".") {
            Some(rest) => text = rest,
            None => break,
        }
    }
    let (columns, rest) = match after(text, " (") {
        Some(rest) => take_list(rest)?,
        None => (Vec::new(), text),
    };
    let table = parts.pop()?;
    Some((Reference { schema: parts.pop(), table, columns }, rest))
}

/// `a, b)`, of which the opening parenthesis has been taken.
fn take_list(mut text: &str) -> Option<(Vec<String>, &str)> {
    let closed =
        |rest: &str| after(rest, ")").is_some_and(|rest| rest.is_empty() || after(rest, " REFERENCES ").is_some());
    let mut names = Vec::new();
    loop {
        let (name, rest) = take_name(text, |rest| rest.starts_with(", ") || closed(rest))?;
        names.push(name);
        match after(rest, ", ") {
            Some(rest) => text = rest,
            None => return Some((names, after(rest, ")")?)),
        }
    }
}

/// A name, and what comes after it.
fn take_name(text: &str, ends: impl Fn(&str) -> bool) -> Option<(String, &str)> {
    take_quoted(text, &ends).or_else(|| {
        let mut places = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        let (name, rest) = text.split_at(places.find(|at| ends(&text[*at..]))?);
        (!name.is_empty()).then(|| (name.to_owned(), rest))
    })
}

fn take_quoted<'a>(text: &'a str, ends: &impl Fn(&str) -> bool) -> Option<(String, &'a str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut name = String::new();
    loop {
        let (before, behind) = rest.split_once('"')?;
        name.push_str(before);
        if ends(behind) {
            return Some((name, behind));
        }
        name.push('"');
        rest = behind.strip_prefix('"').unwrap_or(behind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TableAttributes;

    fn constraint(name: Option<&str>, kind: ConstraintKind, columns: &[&str]) -> Constraint {
        Constraint { name: name.map(str::to_owned), kind, columns: owned(columns) }
    }

    fn foreign(schema: Option<&str>, table: &str, columns: &[&str]) -> ConstraintKind {
        let (schema, table) = (schema.map(str::to_owned), table.to_owned());
        ConstraintKind::ForeignKey(Reference { schema, table, columns: owned(columns) })
    }

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn table(constraints: &[&str]) -> Result<ManagedTable> {
        let constraints = constraints.iter().map(|text| text.parse::<Constraint>()).collect::<Result<Vec<_>>>()?;
        let attributes = TableAttributes { constraints, ..TableAttributes::default() };
        Ok(ManagedTable { name: "t".to_owned(), attributes, ..ManagedTable::default() })
    }

    #[test]
    fn texts_are_read_and_written() -> Result<()> {
        use ConstraintKind::{PrimaryKey, Unique};
        for (text, wanted) in [
            ("PRIMARY KEY (a)", constraint(None, PrimaryKey, &["a"])),
            ("UNIQUE (a, b_2)", constraint(None, Unique, &["a", "b_2"])),
            ("CONSTRAINT k PRIMARY KEY (a)", constraint(Some("k"), PrimaryKey, &["a"])),
            ("FOREIGN KEY (a) REFERENCES t", constraint(None, foreign(None, "t", &[]), &["a"])),
            ("FOREIGN KEY (a, b) REFERENCES s.t (c, d)", {
                constraint(None, foreign(Some("s"), "t", &["c", "d"]), &["a", "b"])
            }),
            ("CONSTRAINT \"my key\" UNIQUE (\"A\", \"b c\")", constraint(Some("my key"), Unique, &["A", "b c"])),
            ("CONSTRAINT \" UNIQUE (\"\"a\" UNIQUE (\"a, b\", \"c)\", \"(d\", \"\"\"e\"\"\", \"2\")", {
                constraint(Some(" UNIQUE (\"a"), Unique, &["a, b", "c)", "(d", "\"e\"", "2"])
            }),
            ("FOREIGN KEY (\"a) REFERENCES \"\"b\") REFERENCES \"s.1\".\"t (u\" (\"ŉ\")", {
                constraint(None, foreign(Some("s.1"), "t (u", &["ŉ"]), &["a) REFERENCES \"b"])
            }),
        ] {
            assert_eq!(text.parse::<Constraint>()?, wanted);
            assert_eq!(wanted.to_string(), text);
        }
        Ok(())
    }

    #[test]
    fn texts_of_earlier_versions_are_read() -> Result<()> {
        for (text, now) in [
            ("UNIQUE (my col, a\"b, c(d))", "UNIQUE (\"my col\", \"a\"\"b\", \"c(d)\")"),
            ("CONSTRAINT my key UNIQUE (\"A\"b\")", "CONSTRAINT \"my key\" UNIQUE (\"A\"\"b\")"),
            ("CONSTRAINT \"my unique Key\" PRIMARY KEY (ü)", "CONSTRAINT \"my unique Key\" PRIMARY KEY (\"ü\")"),
            ("FOREIGN KEY (\"x) REFERENCES dev.s.my table (a b)", {
                "FOREIGN KEY (\"\"\"x\") REFERENCES s.\"my table\" (\"a b\")"
            }),
            ("FOREIGN KEY (a) REFERENCES #t", "FOREIGN KEY (a) REFERENCES \"#t\""),
        ] {
            assert_eq!(text.parse::<Constraint>()?.to_string(), now);
        }
        Ok(())
    }

    #[test]
    fn what_is_no_constraint_is_refused() {
        for text in ["", "CHECK (a)", "UNIQUE", "UNIQUE (a", "UNIQUE ()", "FOREIGN KEY (a)", "UNIQUE (a) x"] {
            assert!(text.parse::<Constraint>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_kept_table_has_them_as_texts() -> std::result::Result<(), serde_json::Error> {
        let document = "{\"constraints\":[\"UNIQUE (a)\",\"CONSTRAINT my key UNIQUE (B c)\"]}";
        let attributes: TableAttributes = serde_json::from_str(document)?;
        assert_eq!(attributes.constraints.len(), 2);
        let kept = serde_json::to_value(&attributes)?;
        let texts = serde_json::json!(["UNIQUE (a)", "CONSTRAINT \"my key\" UNIQUE (\"B c\")"]);
        assert_eq!(kept["constraints"], texts);
        Ok(())
    }

    // As PostgreSQL 15 names them.
    #[test]
    fn names_of_constraints() -> Result<()> {
        let mut table = table(&[
            "PRIMARY KEY (a)",
            "UNIQUE (a, b)",
            "UNIQUE (a, b)",
            "CONSTRAINT t_a_fkey UNIQUE (c)",
            "FOREIGN KEY (a) REFERENCES u",
        ])?;
        assert_eq!(table.constraint_names(), ["t_pkey", "t_a_b_key", "t_a_b_key1", "t_a_fkey", "t_a_fkey1"]);
        table.add_constraint("UNIQUE (a, b)".parse()?);
        table.add_constraint("UNIQUE (d)".parse()?);
        let texts: Vec<String> = table.attributes.constraints.iter().skip(5).map(ToString::to_string).collect();
        assert_eq!(texts, ["CONSTRAINT t_a_b_key2 UNIQUE (a, b)", "UNIQUE (d)"]);
        let before = table.constraint_names();
        "u".clone_into(&mut table.name);
        table.keep_constraint_names(before.clone());
        assert_eq!(table.constraint_names(), before);
        Ok(())
    }
}
