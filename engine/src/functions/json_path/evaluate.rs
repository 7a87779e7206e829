//! What a path leads to in a document.

use super::{Comparison, Items, Method, Path, Predicate, deeper};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;

/// A document with what is passed to a path.
pub(super) struct Evaluation<'a> {
    lax: bool,
    document: &'a Value,
    passed: &'a [(String, Value)],
    /// How many objects `keyvalue()` took apart.
    objects: Cell<u64>,
}

/// What `@` and `last` stand for.
#[derive(Clone, Default)]
struct Here<'a> {
    current: Option<Cow<'a, Value>>,
    last: Option<usize>,
}

type Outcome<T> = Result<T, String>;

/// A number: whole ones stay such.
#[derive(Clone, Copy)]
enum Number {
    Whole(i64),
    Float(f64),
}

impl Number {
    fn of(value: &Value) -> Option<Self> {
        let Value::Number(number) = value else { return None };
        number.as_i64().map(Self::Whole).or_else(|| number.as_f64().map(Self::Float))
    }

    fn float(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Float(float) => float,
        }
    }

    fn value(self) -> Value {
        match self {
            Self::Whole(whole) => Value::from(whole),
            Self::Float(float) => Value::from(float),
        }
    }
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(lax: bool, document: &'a Value, passed: &'a [(String, Value)]) -> Self {
        Self { lax, document, passed, objects: Cell::new(0) }
    }

    /// The items that a path gives.
    pub(super) fn items(&self, path: &'a Path) -> Items<'a> {
        self.evaluate(path, &Here::default())
    }

    fn evaluate(&self, path: &'a Path, here: &Here<'a>) -> Items<'a> {
        deeper(|| self.step(path, here))
    }

    fn step(&self, path: &'a Path, here: &Here<'a>) -> Items<'a> {
        Ok(match path {
            Path::Literal(value) => vec![Cow::Borrowed(value)],
            Path::Context => vec![Cow::Borrowed(self.document)],
            Path::Variable(name) => {
                let found = self.passed.iter().find(|(passed, _)| passed == name);
                vec![Cow::Borrowed(&found.ok_or_else(|| format!("no value is passed for ${name}"))?.1)]
            }
            Path::Current => vec![here.current.clone().ok_or("@ stands outside a filter")?],
            Path::Last => vec![Cow::Owned(Value::from(here.last.ok_or("last stands outside a subscript")?))],
            Path::Negated(inner) => self.numbers(inner, here, |number| match number {
                Number::Whole(whole) => whole.checked_neg().map(Number::Whole),
                Number::Float(float) => Some(Number::Float(-float)),
            })?,
            Path::Arithmetic(left, sign, right) => {
                let (left, right) = (self.number(left, here)?, self.number(right, here)?);
                vec![Cow::Owned(computed(left, *sign, right)?.value())]
            }
            Path::Member(base, key) => self.members(self.unwrapped(base, here)?, Some(key))?,
            Path::Members(base) => self.members(self.unwrapped(base, here)?, None)?,
            Path::Descendants(base, key) => {
                let mut found = Vec::new();
                for item in self.evaluate(base, here)? {
                    descend(&item, key, &mut |value| found.push(Cow::Owned(value.clone())));
                }
                found
            }
            Path::Elements(base, subscripts) => {
                let mut found = Vec::new();
                for item in self.evaluate(base, here)? {
                    self.elements(item, subscripts.as_deref(), here, &mut found)?;
                }
                found
            }
            Path::Method(base, method) => self.method(base, *method, here)?,
            Path::Filter(base, test) => {
                let mut kept = Vec::new();
                for item in self.unwrapped(base, here)? {
                    let inner = Here { current: Some(item.clone()), last: here.last };
                    if self.test(test, &inner) == Some(true) {
                        kept.push(item);
                    }
                }
                kept
            }
        })
    }

    /// A path's items; in lax mode elements stand for their arrays.
    fn unwrapped(&self, path: &'a Path, here: &Here<'a>) -> Items<'a> {
        let items = self.evaluate(path, here)?;
        if !self.lax || !items.iter().any(|item| item.is_array()) {
            return Ok(items);
        }
        Ok(items.into_iter().flat_map(elements).collect())
    }

    /// The value of a key, or of all, in each object.
    fn members(&self, items: Vec<Cow<'a, Value>>, key: Option<&str>) -> Items<'a> {
        let mut found = Vec::new();
        for item in items {
            if !item.is_object() {
                if self.lax {
                    continue;
                }
                return Err(format!("{} is no object", named(&item)));
            }
            match (item, key) {
                (Cow::Borrowed(Value::Object(object)), None) => found.extend(object.values().map(Cow::Borrowed)),
                (Cow::Owned(Value::Object(object)), None) => {
                    found.extend(object.into_iter().map(|(_, value)| Cow::Owned(value)));
                }
                (item, Some(key)) => {
                    let member = match item {
                        Cow::Borrowed(object) => object.get(key).map(Cow::Borrowed),
                        Cow::Owned(object) => object.get(key).cloned().map(Cow::Owned),
                    };
                    if member.is_none() && !self.lax {
                        return Err(format!("an object has no member {key}"));
                    }
                    found.extend(member);
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// The elements at an array's subscripts, behind those that were found.
    fn elements(
        &self,
        item: Cow<'a, Value>,
        subscripts: Option<&'a [(Path, Option<Path>)]>,
        here: &Here<'a>,
        found: &mut Vec<Cow<'a, Value>>,
    ) -> Outcome<()> {
        if !self.lax && !item.is_array() {
            return Err(format!("{} is no array", named(&item)));
        }
        let all = elements(item);
        let Some(subscripts) = subscripts else {
            found.extend(all);
            return Ok(());
        };
        let inner = Here { current: here.current.clone(), last: Some(all.len().saturating_sub(1)) };
        for (from, to) in subscripts {
            let from = self.place(from, &inner)?;
            let to = to.as_ref().map_or(Ok(from), |to| self.place(to, &inner))?;
            let inside = from >= 0 && from <= to && usize::try_from(to).is_ok_and(|to| to < all.len());
            if !inside && !self.lax {
                return Err(format!("an array of {} elements has no {from} to {to}", all.len()));
            }
            let end = usize::try_from(to.saturating_add(1)).unwrap_or_default().min(all.len());
            let begin = usize::try_from(from.max(0)).unwrap_or_default();
            found.extend(all.get(begin..end).unwrap_or_default().iter().cloned());
        }
        Ok(())
    }

    fn place(&self, path: &'a Path, here: &Here<'a>) -> Outcome<i64> {
        Ok(match self.number(path, here)? {
            Number::Whole(whole) => whole,
            Number::Float(float) => float as i64,
        })
    }

    /// The one number that a path gives.
    fn number(&self, path: &'a Path, here: &Here<'a>) -> Outcome<Number> {
        let items = self.unwrapped(path, here)?;
        let [item] = items.as_slice() else { return Err(format!("{} items stand for a number", items.len())) };
        Number::of(item).ok_or_else(|| format!("{} is no number", named(item)))
    }

    fn numbers(&self, path: &'a Path, here: &Here<'a>, of: impl Fn(Number) -> Option<Number>) -> Items<'a> {
        let items = self.unwrapped(path, here)?.into_iter().map(|item| {
            let number = Number::of(&item).ok_or_else(|| format!("{} is no number", named(&item)))?;
            of(number).map(|number| Cow::Owned(number.value())).ok_or_else(|| "a number is too large".to_owned())
        });
        items.collect()
    }

    fn method(&self, base: &'a Path, method: Method, here: &Here<'a>) -> Items<'a> {
        let rounded = |of: fn(f64) -> f64| {
            move |number: Number| match number {
                Number::Whole(_) => Some(number),
                Number::Float(float) => Some(Number::Float(of(float))),
            }
        };
        match method {
            Method::Abs => self.numbers(base, here, |number| match number {
                Number::Whole(whole) => whole.checked_abs().map(Number::Whole),
                Number::Float(float) => Some(Number::Float(float.abs())),
            }),
            Method::Ceiling => self.numbers(base, here, rounded(f64::ceil)),
            Method::Floor => self.numbers(base, here, rounded(f64::floor)),
            Method::Double => {
                let doubles = self.unwrapped(base, here)?.into_iter().map(|item| {
                    let float = match &*item {
                        Value::String(text) => text.trim().parse().ok(),
                        other => Number::of(other).map(Number::float),
                    };
                    let float = float.ok_or_else(|| format!("{} is no number", named(&item)))?;
                    Ok(Cow::Owned(Value::from(float)))
                });
                doubles.collect()
            }
            Method::Type => {
                let names = self.evaluate(base, here)?.into_iter();
                Ok(names.map(|item| Cow::Owned(Value::from(type_of(&item)))).collect())
            }
            Method::Size => {
                let sizes = self.evaluate(base, here)?.into_iter().map(|item| match &*item {
                    Value::Array(array) => Ok(Cow::Owned(Value::from(array.len()))),
                    _ if self.lax => Ok(Cow::Owned(Value::from(1))),
                    other => Err(format!("{} is no array", named(other))),
                });
                sizes.collect()
            }
            Method::KeyValue => {
                let mut found = Vec::new();
                for item in self.unwrapped(base, here)? {
                    let Value::Object(object) = &*item else {
                        return Err(format!("{} is no object", named(&item)));
                    };
                    let id = self.objects.replace(self.objects.get() + 1);
                    for (name, value) in object {
                        let members =
                            [("name", Value::from(name.as_str())), ("value", value.clone()), ("id", id.into())];
                        let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
                        found.push(Cow::Owned(Value::Object(members.collect::<Map<_, _>>())));
                    }
                }
                Ok(found)
            }
        }
    }

    /// Whether something is so; `None` where it is unknown.
    fn test(&self, test: &'a Predicate, here: &Here<'a>) -> Option<bool> {
        match test {
            Predicate::And(left, right) => match (self.test(left, here), self.test(right, here)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Predicate::Or(left, right) => match (self.test(left, here), self.test(right, here)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
            Predicate::Not(inner) => self.test(inner, here).map(|so| !so),
            Predicate::IsUnknown(inner) => Some(self.test(inner, here).is_none()),
            Predicate::Exists(path) => self.evaluate(path, here).ok().map(|items| !items.is_empty()),
            Predicate::Compare(left, comparison, right) => {
                let (left, right) = (self.unwrapped(left, here).ok()?, self.unwrapped(right, here).ok()?);
                let pairs = left.iter().flat_map(|left| right.iter().map(move |right| (left, right)));
                self.some(pairs.map(|(left, right)| compared(left, *comparison, right)))
            }
            Predicate::StartsWith(path, beginning) => {
                let items = self.unwrapped(path, here).ok()?;
                let beginning = self.unwrapped(beginning, here).ok()?;
                let [beginning] = beginning.as_slice() else { return None };
                let beginning = beginning.as_str()?;
                self.some(items.iter().map(|item| item.as_str().map(|text| text.starts_with(beginning))))
            }
        }
    }

    /// Whether one is true. In lax mode what comes first counts, in strict mode one that is unknown leaves all unknown.
    fn some(&self, mut outcomes: impl Iterator<Item = Option<bool>>) -> Option<bool> {
        if self.lax {
            return outcomes.find(|outcome| *outcome != Some(false)).unwrap_or(Some(false));
        }
        let outcomes: Option<Vec<bool>> = outcomes.collect();
        outcomes.map(|outcomes| outcomes.into_iter().any(|so| so))
    }
}

/// An array's elements; another value is its own.
fn elements(item: Cow<'_, Value>) -> Vec<Cow<'_, Value>> {
    match item {
        Cow::Borrowed(Value::Array(array)) => array.iter().map(Cow::Borrowed).collect(),
        Cow::Owned(Value::Array(array)) => array.into_iter().map(Cow::Owned).collect(),
        other => vec![other],
    }
}

/// Visits the members of a name in a value and all that is in it, from the outside.
fn descend(value: &Value, key: &str, found: &mut impl FnMut(&Value)) {
    match value {
        Value::Object(object) => {
            object.get(key).into_iter().for_each(&mut *found);
            object.values().for_each(|inner| descend(inner, key, found));
        }
        Value::Array(array) => array.iter().for_each(|inner| descend(inner, key, found)),
        _ => {}
    }
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn named(value: &Value) -> String {
    format!("a value of type {}", type_of(value))
}

fn computed(left: Number, sign: char, right: Number) -> Outcome<Number> {
    let too_large = || "a number is too large".to_owned();
    if let (Number::Whole(left), Number::Whole(right)) = (left, right) {
        if right == 0 && matches!(sign, '/' | '%') {
            return Err("division by zero".to_owned());
        }
        let whole = match sign {
            '+' => left.checked_add(right),
            '-' => left.checked_sub(right),
            '*' => left.checked_mul(right),
            '/' => left.checked_div(right),
            _ => left.checked_rem(right),
        };
        return whole.map(Number::Whole).ok_or_else(too_large);
    }
    let (left, right) = (left.float(), right.float());
    let float = match sign {
        '+' => left + right,
        '-' => left - right,
        '*' => left * right,
        _ if right == 0.0 => return Err("division by zero".to_owned()),
        '/' => left / right,
        _ => left % right,
    };
    if float.is_finite() { Ok(Number::Float(float)) } else { Err(too_large()) }
}

/// Compares two items; `None` for those that do not compare. A null equals nulls only.
fn compared(left: &Value, comparison: Comparison, right: &Value) -> Option<bool> {
    let ordering = match (left, right) {
        (Value::Null, Value::Null) => return Some(comparison == Comparison::Equal),
        (Value::Null, _) | (_, Value::Null) => return Some(false),
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        _ => match (Number::of(left)?, Number::of(right)?) {
            (Number::Whole(left), Number::Whole(right)) => left.cmp(&right),
            (left, right) => left.float().partial_cmp(&right.float())?,
        },
    };
    Some(match comparison {
        Comparison::Equal => ordering == Ordering::Equal,
        Comparison::NotEqual => ordering != Ordering::Equal,
        Comparison::Less => ordering == Ordering::Less,
        Comparison::LessOrEqual => ordering != Ordering::Greater,
        Comparison::Greater => ordering == Ordering::Greater,
        Comparison::GreaterOrEqual => ordering != Ordering::Less,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::functions::json_path::JsonPath;
    use serde_json::{Value, json};

    fn found(path: &str, document: &Value) -> Option<Vec<Value>> {
        let path = JsonPath::parse(path, &["limit".to_owned()]).unwrap();
        let passed = [("limit".to_owned(), json!(150))];
        let items = path.evaluate(document, &passed).ok()?;
        Some(items.into_iter().map(std::borrow::Cow::into_owned).collect())
    }

    // Trino's documentation, "JSON path syntax and semantics"; `<path>` is `$[*]`.
    #[test]
    fn paths_of_the_documentation() {
        let customers = json!([
            {"customer": 100, "region": "AFRICA"},
            {"region": "ASIA"},
            {"customer": 300, "region": "AFRICA", "comment": null}
        ]);
        let arrays = json!([[0, 1, 2], ["a", "b", "c", "d"], [null, null]]);
        let notes = json!({
            "id": 1,
            "notes": [{"type": 1, "comment": "foo"}, {"type": 2, "comment": null}],
            "comment": ["bar", "baz"]
        });
        let mixed = json!([[1, "a", null], {"key1": 1.0, "key2": true}, -2000.0]);
        for (path, document, expected) in [
            ("lax $[*].customer", &customers, Some(json!([100, 300]))),
            ("strict $[*].customer", &customers, None),
            ("strict $[*].region", &customers, Some(json!(["AFRICA", "ASIA", "AFRICA"]))),
            ("strict $[*].*", &customers, Some(json!([100, "AFRICA", "ASIA", 300, "AFRICA", null]))),
            ("lax $..comment", &notes, Some(json!([["bar", "baz"], "foo", null]))),
            ("strict $[*][last]", &arrays, Some(json!([2, "d", null]))),
            ("lax $[*][2 to 3]", &arrays, Some(json!([2, "c", "d"]))),
            ("strict $[*][2 to 3]", &arrays, None),
            ("lax $[*][1, 0, 0]", &arrays, Some(json!([1, 0, 0, "b", "a", "a", null, null, null]))),
            ("strict $[*][*]", &arrays, Some(json!([0, 1, 2, "a", "b", "c", "d", null, null]))),
            ("strict $[*].size()", &arrays, Some(json!([3, 4, 2]))),
            ("lax $[*].size()", &mixed, Some(json!([3, 1, 1]))),
            ("lax $[*][*]", &mixed, Some(json!([1, "a", null, {"key1": 1.0, "key2": true}, -2000.0]))),
            ("lax $[*].floor()", &mixed, None),
            (
                "lax $?(@.region != \"ASIA\")",
                &customers,
                Some(json!([
                    {"customer": 100, "region": "AFRICA"},
                    {"customer": 300, "region": "AFRICA", "comment": null}
                ])),
            ),
            ("lax $?(!exists(@.customer))", &customers, Some(json!([{"region": "ASIA"}]))),
            ("lax $?(@.customer > $limit).customer", &customers, Some(json!([300]))),
            ("lax $?(@.region starts with \"AS\").region", &customers, Some(json!(["ASIA"]))),
            ("lax $?((@.customer == \"x\") is unknown).customer", &customers, Some(json!([100, 300]))),
            ("lax $?(@.comment == null).customer", &customers, Some(json!([300]))),
            ("lax $?(@.customer == 100 || @.region == \"ASIA\").region", &customers, Some(json!(["AFRICA", "ASIA"]))),
            ("lax $[0].customer * 2 + 1", &customers, Some(json!([201]))),
            ("lax -($[0].customer - 7) / 2", &customers, Some(json!([-46]))),
            ("lax $[0].customer / 0", &customers, None),
            ("lax $[1].keyvalue().name", &customers, Some(json!(["region"]))),
            ("strict $[*].type()", &mixed, Some(json!(["array", "object", "number"]))),
        ] {
            let expected = expected.map(|items| items.as_array().cloned().unwrap_or_default());
            assert_eq!(found(path, document), expected, "{path}");
        }
        let numbers = json!([-1.5, -1, 1.3]);
        for (path, expected) in [
            ("strict $[*].ceiling()", json!([-1.0, -1, 2.0])),
            ("strict $[*].floor()", json!([-2.0, -1, 1.0])),
            ("strict $[*].abs()", json!([1.5, 1, 1.3])),
        ] {
            assert_eq!(found(path, &numbers).map(Value::from), Some(expected), "{path}");
        }
        assert_eq!(
            found("lax $[*].double()", &json!([-1, 23e4, "5.6"])),
            Some(vec![json!(-1.0), json!(23e4), json!(5.6)])
        );
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for (path, sqlstate) in [
            ("$.a", "22023"),
            ("lax", "22023"),
            ("lax $.", "22023"),
            ("lax $ $", "22023"),
            ("lax $?(@.a)", "22023"),
            ("lax $.a == 1", "22023"),
            ("lax $[1", "22023"),
            ("lax \"a", "22023"),
            ("lax $.frob()", "22023"),
            ("lax $.datetime()", "0A000"),
            ("lax $limit", "22023"),
        ] {
            assert_eq!(JsonPath::parse(path, &["LIMIT".to_owned()]).unwrap_err().sqlstate(), sqlstate, "{path}");
        }
        let deep = format!("lax {}1{}", "(".repeat(100), ")".repeat(100));
        assert_eq!(JsonPath::parse(&deep, &[]).unwrap_err().sqlstate(), "22023");
    }
}
