//! Access lists as values: `makeaclitem`, `aclcontains` (PostgreSQL 8.0, which Redshift has them of).
//!
//! An item is a text, `grantee=letters/grantor`, as the lists of `pg_class` and its kin have it; a letter that a star
//! follows may be given on.

use super::access::privileges;
use super::system::Definition;
use crate::error::Result;
use crate::system::{Facts, Kind, Value};
use std::collections::BTreeSet;

/// What an item says: who, which letters (with a star or without), of whom.
struct Item<'a> {
    grantee: &'a str,
    letters: BTreeSet<&'a str>,
    grantor: &'a str,
}

impl<'a> Item<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (who, grantor) = text.rsplit_once('/')?;
        let (grantee, rights) = who.rsplit_once('=')?;
        let mut letters = BTreeSet::new();
        for (at, letter) in rights.char_indices().filter(|(_, letter)| *letter != '*') {
            let end = at + letter.len_utf8();
            letters.insert(&rights[at..end]);
            if rights[end..].starts_with('*') {
                letters.insert(&rights[at..=end]);
            }
        }
        Some(Self { grantee, letters, grantor })
    }
}

/// `makeaclitem(user, group, grantor, privileges, grantable)`: numbers; everybody where user and group are 0.
fn make(facts: &Facts, args: &[Value]) -> Result<Value> {
    let [Value::Int(user), Value::Int(group), Value::Int(grantor), rights, Value::Bool(grantable)] = args else {
        return Ok(Value::Null);
    };
    let principals = facts.snapshot.principals();
    let user_name = |id: i64| {
        let found = principals.users.iter().find(|(_, user)| i64::from(user.id) == id);
        found.map_or_else(|| id.to_string(), |(name, _)| name.clone())
    };
    let grantee = match (*user, *group) {
        (0, 0) => String::new(),
        (0, id) => {
            let found = principals.groups.iter().find(|(_, group)| i64::from(group.id) == id);
            format!("group {}", found.map_or_else(|| id.to_string(), |(name, _)| name.clone()))
        }
        (id, _) => user_name(id),
    };
    let star = if *grantable { "*" } else { "" };
    let letters = privileges(Some(rights))?.into_iter().map(|right| format!("{}{star}", right.letter()));
    Ok(format!("{grantee}={}/{}", letters.collect::<String>(), user_name(*grantor)).into())
}

/// `aclcontains(list, item)`: whether one of a list's items gives all that another does, from the same to the same.
fn contains(_: &Facts, args: &[Value]) -> Result<Value> {
    let (Some(list), Some(Value::Text(item))) = (args.first(), args.get(1)) else { return Ok(Value::Null) };
    let Some(wanted) = Item::parse(item) else { return Ok(Value::Null) };
    let has = |text: &str| {
        Item::parse(text).is_some_and(|known| {
            known.grantee == wanted.grantee
                && known.grantor == wanted.grantor
                && known.letters.is_superset(&wanted.letters)
        })
    };
    Ok(match list {
        Value::Texts(items) => Value::Bool(items.iter().any(|item| has(item))),
        Value::Text(items) => {
            Value::Bool(items.trim_matches(['{', '}']).split(',').any(|item| has(item.trim().trim_matches('"'))))
        }
        _ => Value::Null,
    })
}

pub(super) const FUNCTIONS: &[Definition] = &[
    Definition { name: "makeaclitem", gives: |_| Kind::Text, call: make },
    Definition { name: "aclcontains", gives: |_| Kind::Bool, call: contains },
];
