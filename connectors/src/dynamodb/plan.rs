//! Which of DynamoDB's ways to read answers a request: whole keys, a Query of the table or of an index, or a Scan.
//!
//! A way is possible when the conditions give its partition key; an index must hold every item that can satisfy the
//! conditions and every attribute that is looked at (a local index could have the others fetched from the table, an
//! item at a time, but not every server of DynamoDB's API does). Of the possible ways the one whose key condition
//! narrows most is taken. What the key condition leaves becomes a filter where DynamoDB takes one (not on the keys of
//! what is queried, nor on whole keys), else it is decided here.

use super::Item;
use super::bounds::{equal, slice};
use super::column::Column;
use super::condition::{Condition, Operator, list};
use super::constant::Constant;
use super::expression::Room;
use super::table::{Index, Keys, Table};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::collections::HashSet;
use std::fmt;

/// The most keys or ranges that lists of partition and sort keys are multiplied to.
const MOST_PRODUCTS: usize = 10_000;

/// The most sort keys that are looked up in each of several partitions. A key that is not there costs as much as one
/// that is, so more of them are rather found by reading their range.
const MOST_SORT_KEYS: usize = 100;

/// A whole key of an item.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Lookup {
    /// The partition key.
    pub(super) partition: Constant,
    /// The sort key, where the table has one.
    pub(super) sort: Option<Constant>,
}

impl Lookup {
    /// The key as a request has it.
    pub(super) fn key(&self, keys: &Keys) -> Item {
        let sort = keys.sort.clone().zip(self.sort.as_ref().map(Constant::attribute));
        [(keys.partition.clone(), self.partition.attribute())].into_iter().chain(sort).collect()
    }
}

/// A part of a partition, by the sort key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Slice {
    /// Compared with a constant, not `<>`.
    Compare(Operator, Constant),
    /// From the one to the other, both included.
    Between(Constant, Constant),
    /// Texts that begin so.
    Prefix(String),
}

/// A partition, or a part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Range {
    /// The partition key.
    pub(super) partition: Constant,
    /// The part; `None` for all of it.
    pub(super) slice: Option<Slice>,
}

/// How items are found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Access {
    /// No item can satisfy the conditions.
    Nothing,
    /// By whole keys, each once.
    Get {
        /// The table's keys.
        keys: Keys,
        /// Their values.
        lookups: Vec<Lookup>,
    },
    /// By partition, on the table or an index.
    Query {
        /// The index; `None` for the table.
        index: Option<String>,
        /// Its keys.
        keys: Keys,
        /// Which items; no item is in two.
        ranges: Vec<Range>,
    },
    /// By looking at all.
    Scan,
}

/// How a request is answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plan {
    /// How items are found.
    pub(super) access: Access,
    /// What DynamoDB drops of them.
    pub(super) filter: Vec<Condition>,
    /// What is decided here.
    pub(super) local: Vec<Condition>,
}

/// A way to find items, before it is chosen.
struct Way<'a> {
    index: Option<&'a Index>,
    keys: &'a Keys,
    partitions: Vec<Constant>,
    slices: Vec<Slice>,
    /// Places of the conditions that the key condition implies.
    implied: Vec<usize>,
}

impl Way<'_> {
    /// Larger is better: whole keys, one sort key, some, all; then fewer ranges; then the table before an index.
    fn rank(&self) -> (u8, Reverse<usize>, u8) {
        let narrow = match self.slices.first() {
            Some(Slice::Compare(Operator::Eq, _)) => 3,
            Some(Slice::Between(..) | Slice::Prefix(_)) => 2,
            Some(Slice::Compare(..)) => 1,
            None => 0,
        };
        let narrow = if self.is_lookup() { 4 } else { narrow };
        let place = match self.index {
            None => 3,
            Some(index) if !index.global => 2,
            Some(_) => 1,
        };
        (narrow, Reverse(self.ranges()), place)
    }

    /// Whether it gives whole keys of the table.
    fn is_lookup(&self) -> bool {
        let whole = self.keys.sort.is_none() || matches!(self.slices.first(), Some(Slice::Compare(Operator::Eq, _)));
        self.index.is_none() && whole
    }

    fn ranges(&self) -> usize {
        self.partitions.len() * self.slices.len().max(1)
    }

    fn access(&self) -> Access {
        let slices: Vec<Option<&Slice>> = match self.slices.as_slice() {
            [] => vec![None],
            slices => slices.iter().map(Some).collect(),
        };
        let pairs = self.partitions.iter().flat_map(|partition| slices.iter().map(move |slice| (partition, *slice)));
        if self.is_lookup() {
            let lookup = |(partition, slice): (&Constant, Option<&Slice>)| Lookup {
                partition: partition.clone(),
                sort: match slice {
                    Some(Slice::Compare(Operator::Eq, value)) => Some(value.clone()),
                    _ => None,
                },
            };
            return Access::Get { keys: self.keys.clone(), lookups: pairs.map(lookup).collect() };
        }
        let range = |(partition, slice): (&Constant, Option<&Slice>)| Range {
            partition: partition.clone(),
            slice: slice.cloned(),
        };
        Access::Query {
            index: self.index.map(|index| index.name.clone()),
            keys: self.keys.clone(),
            ranges: pairs.map(range).collect(),
        }
    }
}

impl Plan {
    /// The best way for these columns and conditions, which are joined by AND.
    pub(super) fn new(table: &Table, columns: &[String], conditions: Vec<Condition>, consistent_read: bool) -> Self {
        // A path is asked for with the attribute that holds it.
        let columns = table.columns_named(columns);
        let needed: Vec<&str> = columns
            .iter()
            .flat_map(Column::attributes)
            .chain(conditions.iter().flat_map(|condition| condition.columns()))
            .collect();
        let mut ways: Vec<Way<'_>> = Vec::new();
        match way(None, &table.keys, &conditions) {
            Found::Way(way) => ways.push(way),
            Found::Nothing => return Self { access: Access::Nothing, filter: vec![], local: vec![] },
            Found::No => {}
        }
        for index in &table.indexes {
            let sorted = |name: &str| table.keys.contain(name) || conditions.iter().any(|part| part.requires(name));
            let complete = index.keys.sort.as_deref().is_none_or(sorted);
            let readable = !(index.global && consistent_read) && needed.iter().all(|name| index.holds(name));
            if complete
                && readable
                && let Found::Way(way) = way(Some(index), &index.keys, &conditions)
            {
                ways.push(way);
            }
        }
        // Of equal ways the first.
        let best = ways.iter().rev().max_by_key(|way| way.rank());
        let access = best.map_or(Access::Scan, Way::access);
        let implied = best.map_or(&[][..], |way| way.implied.as_slice());
        let mut room = Room::default();
        let (mut filter, mut local) = (Vec::new(), Vec::new());
        for (_, condition) in conditions.iter().enumerate().filter(|(at, _)| !implied.contains(at)) {
            let takes = |name: &str| best.is_none_or(|way| !way.is_lookup() && !way.keys.contain(name));
            let pushed = condition.columns().into_iter().all(takes) && room.take(condition);
            if pushed { &mut filter } else { &mut local }.push(condition.clone());
        }
        Self { access, filter, local }
    }
}

/// What conditions make of a table's or index's keys.
enum Found<'a> {
    /// They give the partition key.
    Way(Way<'a>),
    /// They ask for what the table cannot have.
    Nothing,
    /// They do not give it.
    No,
}

fn way<'a>(index: Option<&'a Index>, keys: &'a Keys, conditions: &[Condition]) -> Found<'a> {
    let Some((at, mut partitions)) = equal(conditions, &keys.partition) else { return Found::No };
    // No item of the table has a key that a key cannot be; an index lacks the items that have such an attribute.
    if index.is_some() && !partitions.iter().all(Constant::fits_partition_key) {
        return Found::No;
    }
    partitions.retain(Constant::fits_partition_key);
    if partitions.is_empty() {
        return Found::Nothing;
    }
    let mut implied = vec![at];
    let mut slices = Vec::new();
    if let Some(sort) = &keys.sort {
        let few = |values: &[Constant]| match partitions.len() {
            1 => values.len() <= MOST_PRODUCTS,
            count => values.len() <= MOST_SORT_KEYS && values.len() * count <= MOST_PRODUCTS,
        };
        match equal(conditions, sort) {
            Some((at, values)) if few(&values) => {
                if index.is_some() && !values.iter().all(Constant::fits_sort_key) {
                    return Found::No;
                }
                let values = values.into_iter().filter(Constant::fits_sort_key);
                slices.extend(values.map(|value| Slice::Compare(Operator::Eq, value)));
                if slices.is_empty() {
                    return Found::Nothing;
                }
                implied.push(at);
            }
            _ => match slice(conditions, sort) {
                Some((Some(slice), places)) => {
                    slices.push(slice);
                    implied.extend(places);
                }
                Some((None, _)) => return Found::Nothing,
                None => {}
            },
        }
    }
    Found::Way(Way { index, keys, partitions, slices, implied })
}

/// The key condition as SQL writes it.
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let column = |name: &str, values: Vec<Constant>| match values.as_slice() {
            [value] => format!("{name} = {value}"),
            values => format!("{name} IN ({})", list(values)),
        };
        match self {
            Self::Nothing | Self::Scan => Ok(()),
            Self::Get { keys, lookups } => {
                let partitions = distinct(lookups.iter().map(|lookup| &lookup.partition));
                f.write_str(&column(&keys.partition, partitions))?;
                if let Some(sort) = &keys.sort {
                    let sorts = distinct(lookups.iter().filter_map(|lookup| lookup.sort.as_ref()));
                    write!(f, " AND {}", column(sort, sorts))?;
                }
                Ok(())
            }
            Self::Query { keys, ranges, .. } => {
                f.write_str(&column(&keys.partition, distinct(ranges.iter().map(|range| &range.partition))))?;
                let Some(sort) = &keys.sort else { return Ok(()) };
                match ranges.first().and_then(|range| range.slice.as_ref()) {
                    None => Ok(()),
                    Some(Slice::Compare(Operator::Eq, _)) => {
                        let values = ranges.iter().filter_map(|range| match &range.slice {
                            Some(Slice::Compare(_, value)) => Some(value),
                            _ => None,
                        });
                        write!(f, " AND {}", column(sort, distinct(values)))
                    }
                    Some(Slice::Compare(operator, value)) => write!(f, " AND {sort} {} {value}", operator.symbol()),
                    Some(Slice::Between(low, high)) => write!(f, " AND {sort} BETWEEN {low} AND {high}"),
                    Some(Slice::Prefix(prefix)) => {
                        let prefix = Condition::Prefix { column: sort.clone(), prefix: prefix.clone(), negated: false };
                        write!(f, " AND {prefix}")
                    }
                }
            }
        }
    }
}

fn distinct<'a>(values: impl Iterator<Item = &'a Constant>) -> Vec<Constant> {
    let mut seen = HashSet::new();
    values.filter(|value| seen.insert(*value)).cloned().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::declared::Invalid;
    use crate::dynamodb::column::{Compared, Declared, Kind};
    use crate::dynamodb::condition::joined;
    use crate::predicate::{Comparison, Predicate, Value};
    use crate::typed::Type;

    fn keys(partition: &str, sort: Option<&str>) -> Keys {
        Keys { partition: partition.to_owned(), sort: sort.map(str::to_owned) }
    }

    fn orders() -> Table {
        let column = |(name, kind): (&str, Kind)| Column { name: name.to_owned(), kind, required: false };
        let held = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let index = |name: &str, global, keys, projected| Index { name: name.to_owned(), global, keys, projected };
        Table {
            name: "orders".to_owned(),
            keys: keys("pk", Some("sk")),
            columns: [
                ("pk", Kind::Text),
                ("sk", Kind::Integer),
                ("day", Kind::Text),
                ("note", Kind::Super),
                ("size", Kind::Integer),
                ("state", Kind::Text),
            ]
            .map(column)
            .to_vec(),
            indexes: vec![
                index("by_day", false, keys("pk", Some("day")), held(&["pk", "sk", "day"])),
                index("by_state", true, keys("state", Some("day")), None),
                index("sizes", true, keys("size", None), held(&["pk", "sk", "size"])),
            ],
            items: None,
            read_units: 5.0,
        }
    }

    /// The access, the filter and what is decided here, in a line.
    fn plan(columns: &[&str], predicates: &[Predicate], consistent_read: bool) -> String {
        let table = orders();
        let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        let kind = |name: &str| table.kind(name);
        let conditions = predicates.iter().flat_map(|predicate| Condition::new(predicate, &kind).unwrap().conjuncts());
        let plan = Plan::new(&table, &columns, conditions.collect(), consistent_read);
        let access = match &plan.access {
            Access::Nothing => "nothing".to_owned(),
            Access::Scan => "scan".to_owned(),
            Access::Get { lookups, .. } => format!("get {}: {}", lookups.len(), plan.access),
            Access::Query { index, ranges, .. } => {
                format!("query {} {}: {}", index.as_deref().unwrap_or("table"), ranges.len(), plan.access)
            }
        };
        format!("{access} | {} | {}", joined(&plan.filter, " AND "), joined(&plan.local, " AND "))
    }

    fn compare(column: &str, comparison: Comparison, value: Value) -> Predicate {
        Predicate::Compare { column: column.to_owned(), comparison, value }
    }

    fn text(column: &str, value: &str) -> Predicate {
        compare(column, Comparison::Eq, Value::Text(value.to_owned()))
    }

    fn number(column: &str, comparison: Comparison, value: i64) -> Predicate {
        compare(column, comparison, Value::Integer(value))
    }

    fn one_of(column: &str, values: &[i64]) -> Predicate {
        Predicate::In { column: column.to_owned(), values: values.iter().map(|value| Value::Integer(*value)).collect() }
    }

    fn begins(column: &str, prefix: &str) -> Predicate {
        Predicate::Prefix { column: column.to_owned(), prefix: prefix.to_owned() }
    }

    #[test]
    fn the_tables_keys_narrow_first() {
        use Comparison::{Gt, GtEq, Lt, LtEq, NotEq};
        let pk = || text("pk", "a");
        let sk = |comparison, value| number("sk", comparison, value);
        for (predicates, expected) in [
            (vec![], "scan |  | "),
            (vec![sk(GtEq, 1)], "scan | sk >= 1 | "),
            (vec![pk()], "query table 1: pk = 'a' |  | "),
            (vec![pk(), sk(GtEq, 1), sk(LtEq, 9)], "query table 1: pk = 'a' AND sk BETWEEN 1 AND 9 |  | "),
            (vec![pk(), sk(Gt, 1), sk(LtEq, 9)], "query table 1: pk = 'a' AND sk BETWEEN 1 AND 9 |  | sk > 1"),
            (vec![pk(), sk(Gt, 1), sk(GtEq, 1)], "query table 1: pk = 'a' AND sk > 1 |  | sk >= 1"),
            (vec![pk(), sk(Lt, 9), sk(Lt, 7)], "query table 1: pk = 'a' AND sk < 7 |  | sk < 9"),
            (vec![pk(), sk(GtEq, 9), sk(LtEq, 1)], "nothing |  | "),
            (vec![pk(), sk(NotEq, 3)], "query table 1: pk = 'a' |  | sk <> 3"),
            (vec![pk(), number("sk", Comparison::Eq, 1)], "get 1: pk = 'a' AND sk = 1 |  | "),
            (vec![pk(), one_of("sk", &[1, 2, 1])], "get 2: pk = 'a' AND sk IN (1, 2) |  | "),
            (
                vec![pk(), one_of("sk", &[1, 2]), number("size", Gt, 5)],
                "get 2: pk = 'a' AND sk IN (1, 2) |  | size > 5",
            ),
            (
                vec![Predicate::Or(vec![pk(), text("pk", "b")]), number("size", Gt, 5)],
                "query table 2: pk IN ('a', 'b') | size > 5 | ",
            ),
            (
                vec![
                    Predicate::Or(vec![pk(), text("pk", "b")]),
                    one_of("sk", &(1..=101).collect::<Vec<_>>()),
                    sk(Lt, 9),
                ],
                "query table 2: pk IN ('a', 'b') AND sk BETWEEN 1 AND 9 |  | sk IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, \
                 13, 14, 15, 16, 17, 18, 19, 20, … 101 values) AND sk < 9",
            ),
            (vec![text("pk", "")], "nothing |  | "),
            (vec![pk(), Predicate::Not(Box::new(pk()))], "query table 1: pk = 'a' |  | pk <> 'a'"),
        ] {
            assert_eq!(plan(&["pk", "sk", "note"], &predicates, false), expected);
        }
    }

    #[test]
    fn an_index_must_hold_what_is_asked() {
        use Comparison::Gt;
        let state = || text("state", "open");
        let required = || Predicate::IsNotNull("day".to_owned());
        // An index lacks the items without its sort key.
        assert_eq!(plan(&["note"], &[state()], false), "scan | state = 'open' | ");
        assert_eq!(
            plan(&["note"], &[state(), required()], false),
            "query by_state 1: state = 'open' |  | day IS NOT NULL"
        );
        assert_eq!(
            plan(&["note"], &[state(), begins("day", "2026-"), number("size", Gt, 1)], false),
            "query by_state 1: state = 'open' AND day LIKE '2026-%' | size > 1 | "
        );
        // A global index is never consistent.
        assert_eq!(plan(&["note"], &[state(), required()], true), "scan | state = 'open' AND day IS NOT NULL | ");
        // A global index gives only what it holds.
        let size = || number("size", Comparison::Eq, 7);
        assert_eq!(plan(&["sk"], &[size()], false), "query sizes 1: size = 7 |  | ");
        assert_eq!(plan(&["note"], &[size()], false), "scan | size = 7 | ");
        assert_eq!(plan(&["sk"], &[size(), state()], false), "scan | size = 7 AND state = 'open' | ");
        // So does a local one.
        let day = || begins("day", "2026-");
        assert_eq!(
            plan(&["sk"], &[text("pk", "a"), day(), number("sk", Gt, 1)], true),
            "query by_day 1: pk = 'a' AND day LIKE '2026-%' | sk > 1 | "
        );
        assert_eq!(plan(&["note"], &[text("pk", "a"), day()], true), "query table 1: pk = 'a' | day LIKE '2026-%' | ");
        // What an index cannot hold as a key, the table can hold as an attribute.
        assert_eq!(
            plan(&["note"], &[text("state", ""), required()], false),
            "scan | state = '' AND day IS NOT NULL | "
        );
    }

    /// An index that holds the name of a path lacks the attribute that the path leads into.
    #[test]
    fn a_path_is_in_an_index_that_holds_its_attribute() {
        for (held, index) in [(&["a.b"][..], None), (&["a", "a.b"], Some("by_day"))] {
            let mut table = orders();
            let (to, compared) = (Type::Text, Compared::None);
            let kind = Kind::Declared(Declared { to, compared, invalid: Invalid::Error, nested: true });
            table.columns.push(Column { name: "a.b".to_owned(), kind, required: false });
            table.indexes.truncate(1);
            table.indexes[0].projected.iter_mut().for_each(|known| known.extend(held.iter().map(ToString::to_string)));
            let kind = |name: &str| table.kind(name);
            let conditions = [text("pk", "a"), begins("day", "2026-")];
            let conditions = conditions.iter().map(|predicate| Condition::new(predicate, &kind).unwrap());
            let plan = Plan::new(&table, &["a.b".to_owned()], conditions.collect(), false);
            let Access::Query { index: found, .. } = plan.access else { panic!("{plan:?}") };
            assert_eq!(found.as_deref(), index, "{held:?}");
        }
    }
}
