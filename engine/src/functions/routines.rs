//! Users' functions as a text names them, `s.f(int, varchar)`: for `has_function_privilege` and `SHOW GRANTS ON FUNCTION`.

use crate::error::{Error, ErrorKind, Result};
use crate::system::{Facts, PG_CATALOG};
use crate::tables::SqlType;
use millrace_catalog::model::SqlFunction;

/// A function's schema and itself.
pub(super) type Found<'a> = (&'a str, &'a SqlFunction);

/// The function of a text; `None` for one that is always there.
///
/// # Errors
/// `UndefinedFunction`; `InvalidText` for a text that names none.
pub(super) fn of_text<'a>(facts: &'a Facts, written: &str) -> Result<Option<Found<'a>>> {
    let malformed = |what: &str| Error::new(ErrorKind::InvalidText, format!("expected a {what} parenthesis"));
    let (name, types) = written.split_once('(').ok_or_else(|| malformed("left"))?;
    let types = types.trim_end().strip_suffix(')').ok_or_else(|| malformed("right"))?;
    let mut parts = facts.name_parts(name);
    if let Some(last) = parts.last_mut() {
        *last = last.to_lowercase();
    }
    match parts.as_slice() {
        [name] if super::is_builtin(name) => Ok(None),
        [schema, name] if schema == PG_CATALOG && super::is_builtin(name) => Ok(None),
        parts => find(facts, parts, types).map(Some),
    }
}

/// The function of a name in parts and of types in one text.
///
/// # Errors
/// `UndefinedFunction`
pub(super) fn find<'a>(facts: &'a Facts, parts: &[String], types: &str) -> Result<Found<'a>> {
    let arguments = argument_names(types)?;
    let of = |schema: &str, name: &str| -> Option<Found<'a>> {
        let database = facts.snapshot.resolve_schema(schema)?;
        let mut functions = database.functions.iter();
        let found =
            functions.find(|function| function.name == name.to_lowercase() && function.arguments == arguments)?;
        Some((database.name.as_str(), found))
    };
    let found = match parts {
        [name] => facts.path.iter().find_map(|schema| of(schema, name)),
        [schema, name] | [_, schema, name] => of(schema, name),
        _ => None,
    };
    found.ok_or_else(|| {
        let message = format!("function {}({}) does not exist", parts.join("."), arguments.join(", "));
        Error::new(ErrorKind::UndefinedFunction, message)
    })
}

/// The types of a list, `int, numeric(10, 2)`, as functions are told apart by them.
fn argument_names(list: &str) -> Result<Vec<String>> {
    let mut open = 0;
    let types = list.split(|letter: char| {
        open += i32::from(letter == '(') - i32::from(letter == ')');
        letter == ',' && open == 0
    });
    let types = types.map(|written| written.trim().to_lowercase()).filter(|written| !written.is_empty());
    types.map(|written| Ok(written.parse::<SqlType>()?.argument_name())).collect()
}

#[cfg(test)]
mod tests {
    use super::argument_names;
    use crate::error::Result;

    #[test]
    fn types_are_told_apart_as_functions_are() -> Result<()> {
        for (written, expected) in [
            ("", vec![]),
            ("int, VARCHAR(20)", vec!["integer", "character varying"]),
            (" numeric(10, 2) ,float8", vec!["numeric(10,2)", "double precision"]),
        ] {
            assert_eq!(argument_names(written)?, expected, "{written}");
        }
        assert!(argument_names("nothing").is_err());
        Ok(())
    }
}
