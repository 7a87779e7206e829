//! Which of DynamoDB's ways to read answers a request: whole keys, a Query of the table or of an index, or a Scan.
//!
//! A way is possible when the conditions give its partition key; an index must hold every item that can satisfy the
//! conditions and every attribute that is looked at (a local index could have the others fetched from the table, an
//! item at a time, but not every server of DynamoDB's API does). Of the possible ways the one whose key condition
//! narrows most is taken. What the key condition leaves becomes a filter where DynamoDB takes one (not on the keys of
//! what is queried, nor on whole keys), else it is decided here.

use super::Item;
use super::bounds::{Pair, distinct, equal, pairs, slice};
use super::column::Column;
use super::condition::{Condition, Operator, list, listed};
use super::constant::Constant;
use super::expression::Room;
use super::scan::KEYS_OF_A_REQUEST;
use super::table::{Index, Keys, Table};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::fmt;

/// The most keys or ranges that lists of partition and sort keys are multiplied to.
const MOST_PRODUCTS: usize = 10_000;

/// The most sort keys that are looked up in each of several partitions. A key that is not there costs as much as one
/// that is, so more of them are rather found by reading their range.
const MOST_SORT_KEYS: usize = 100;

/// What DynamoDB counts for a key at least, and for as many bytes of a Scan.
const UNIT_BYTES: u64 = 4096;

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

impl Range {
    /// The sort key, where there is one.
    fn sort(&self) -> Option<&Constant> {
        match &self.slice {
            Some(Slice::Compare(Operator::Eq, value)) => Some(value),
            _ => None,
        }
    }
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
    /// Which items, at least one range; slices of all or of none, all of one shape.
    ranges: Vec<Range>,
    /// Places of the conditions that the key condition implies.
    implied: Vec<usize>,
}

impl Way<'_> {
    /// Larger is better: whole keys, one sort key, some, all; then fewer ranges; then the table before an index.
    fn rank(&self) -> (u8, Reverse<usize>, u8) {
        let narrow = match self.slice() {
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
        (narrow, Reverse(self.ranges.len()), place)
    }

    fn slice(&self) -> Option<&Slice> {
        self.ranges.first().and_then(|range| range.slice.as_ref())
    }

    /// Whether it gives whole keys of the table.
    fn is_lookup(&self) -> bool {
        let whole = self.keys.sort.is_none() || matches!(self.slice(), Some(Slice::Compare(Operator::Eq, _)));
        self.index.is_none() && whole
    }

    /// Whether it costs less than a Scan. A few keys always do; of more the size that DynamoDB last told decides.
    fn is_cheap(&self, table: &Table) -> bool {
        let units = self.ranges.len() as u64;
        self.ranges.len() <= KEYS_OF_A_REQUEST || table.bytes.is_none_or(|bytes| units * UNIT_BYTES < bytes)
    }

    fn access(&self) -> Access {
        if self.is_lookup() {
            let lookup = |range: &Range| Lookup { partition: range.partition.clone(), sort: range.sort().cloned() };
            return Access::Get { keys: self.keys.clone(), lookups: self.ranges.iter().map(lookup).collect() };
        }
        Access::Query {
            index: self.index.map(|index| index.name.clone()),
            keys: self.keys.clone(),
            ranges: self.ranges.clone(),
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
        ways.retain(|way| way.is_cheap(table));
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
    if let Some((implied, pairs)) = pairs(conditions, keys).filter(|(_, pairs)| pairs.len() <= MOST_PRODUCTS) {
        let fits = |(partition, sort): &Pair| partition.fits_partition_key() && sort.fits_sort_key();
        if index.is_some() && !pairs.iter().all(fits) {
            return Found::No;
        }
        let range = |(partition, sort): Pair| Range { partition, slice: Some(Slice::Compare(Operator::Eq, sort)) };
        let ranges: Vec<Range> = pairs.into_iter().filter(fits).map(range).collect();
        return if ranges.is_empty() { Found::Nothing } else { Found::Way(Way { index, keys, ranges, implied }) };
    }
    let Some((at, mut partitions)) = equal(conditions, &keys.partition) else { return Found::No };
    // No item of the table has a key that a key cannot be; an index lacks the items that have such an attribute.
    if index.is_some() && !partitions.iter().all(Constant::fits_partition_key) {
        return Found::No;
    }
    partitions.retain(Constant::fits_partition_key);
    if partitions.is_empty() {
        return Found::Nothing;
    }
    let mut implied: Vec<usize> = at.into_iter().collect();
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
                implied.extend(at);
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
    let slices: Vec<Option<Slice>> =
        if slices.is_empty() { vec![None] } else { slices.into_iter().map(Some).collect() };
    let range =
        |partition: &Constant, slice: Option<&Slice>| Range { partition: partition.clone(), slice: slice.cloned() };
    let ranges =
        partitions.iter().flat_map(|partition| slices.iter().map(move |slice| range(partition, slice.as_ref())));
    Found::Way(Way { index, keys, ranges: ranges.collect(), implied })
}

/// The key condition as SQL writes it.
impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing | Self::Scan => Ok(()),
            Self::Get { keys, lookups } => {
                let pairs: Vec<_> = lookups.iter().map(|lookup| (&lookup.partition, lookup.sort.as_ref())).collect();
                f.write_str(&equals(keys, &pairs))
            }
            Self::Query { keys, ranges, .. } => {
                let pairs: Vec<_> = ranges.iter().map(|range| (&range.partition, range.sort())).collect();
                f.write_str(&equals(keys, &pairs))?;
                let Some(sort) = &keys.sort else { return Ok(()) };
                match ranges.first().and_then(|range| range.slice.as_ref()) {
                    None | Some(Slice::Compare(Operator::Eq, _)) => Ok(()),
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

/// Keys that are given, each by itself where all of one are asked for with all of the other.
fn equals(keys: &Keys, pairs: &[(&Constant, Option<&Constant>)]) -> String {
    let column = |name: &str, values: &[Constant]| match values {
        [value] => format!("{name} = {value}"),
        values => format!("{name} IN ({})", list(values)),
    };
    let partitions: Vec<Constant> = distinct(pairs.iter().map(|(partition, _)| *partition)).cloned().collect();
    let sorts: Vec<Constant> = distinct(pairs.iter().filter_map(|(_, sort)| *sort)).cloned().collect();
    match &keys.sort {
        Some(sort) if !sorts.is_empty() && partitions.len() * sorts.len() == pairs.len() => {
            format!("{} AND {}", column(&keys.partition, &partitions), column(sort, &sorts))
        }
        Some(sort) if !sorts.is_empty() => {
            let row = |(partition, sort): &(&Constant, Option<&Constant>)| {
                std::iter::once(*partition).chain(*sort).cloned().collect::<Vec<_>>()
            };
            let rows: Vec<_> = pairs.iter().map(row).collect();
            format!("({}, {sort}) IN ({})", keys.partition, listed(&rows))
        }
        _ => column(&keys.partition, &partitions),
    }
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
            bytes: None,
            read_units: 5.0,
        }
    }

    /// The access, the filter and what is decided here, in a line.
    fn plan(columns: &[&str], predicates: &[Predicate], consistent_read: bool) -> String {
        plan_of(&orders(), columns, predicates, consistent_read)
    }

    fn plan_of(table: &Table, columns: &[&str], predicates: &[Predicate], consistent_read: bool) -> String {
        let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
        let kind = |name: &str| table.kind(name);
        let conditions = predicates.iter().flat_map(|predicate| Condition::new(predicate, &kind).unwrap().conjuncts());
        let plan = Plan::new(table, &columns, conditions.collect(), consistent_read);
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

    fn rows(columns: [&str; 2], rows: &[(&str, i64)]) -> Predicate {
        Predicate::InRows {
            columns: columns.map(str::to_owned).to_vec(),
            rows: rows.iter().map(|(text, n)| vec![Value::Text((*text).to_owned()), Value::Integer(*n)]).collect(),
        }
    }

    #[test]
    fn rows_of_both_keys_are_whole_keys() {
        let keys = || rows(["pk", "sk"], &[("a", 1), ("b", 2), ("c", 3)]);
        for (predicates, expected) in [
            (vec![keys()], "get 3: (pk, sk) IN (('a', 1), ('b', 2), ('c', 3)) |  | "),
            // What is asked of the keys beside is decided by them.
            (
                vec![
                    begins("pk", ""),
                    number("sk", Comparison::GtEq, 2),
                    keys(),
                    number("sk", Comparison::LtEq, 3),
                    number("size", Comparison::Gt, 5),
                ],
                "get 2: (pk, sk) IN (('b', 2), ('c', 3)) |  | size > 5",
            ),
            (vec![text("pk", "b"), keys()], "get 1: pk = 'b' AND sk = 2 |  | "),
            (vec![text("pk", "z"), keys()], "nothing |  | "),
            (vec![rows(["pk", "sk"], &[("", 1)])], "nothing |  | "),
            (vec![rows(["pk", "sk"], &[("a", 1), ("a", 2)])], "get 2: pk = 'a' AND sk IN (1, 2) |  | "),
            // One key of the two: partitions, and the rows are decided here.
            (
                vec![rows(["pk", "size"], &[("a", 1), ("b", 2), ("b", 3)])],
                "query table 2: pk IN ('a', 'b') |  | (pk, size) IN (('a', 1), ('b', 2), ('b', 3))",
            ),
            (vec![rows(["state", "size"], &[("a", 1)])], "scan | (state, size) IN (('a', 1)) | "),
        ] {
            assert_eq!(plan(&["pk", "sk", "note"], &predicates, false), expected);
        }
        let three = Predicate::InRows {
            columns: ["sk", "state", "pk"].map(str::to_owned).to_vec(),
            rows: vec![vec![Value::Integer(1), Value::Text("open".to_owned()), Value::Text("a".to_owned())]],
        };
        let expected = "get 1: pk = 'a' AND sk = 1 |  | (sk, state, pk) IN ((1, 'open', 'a'))";
        assert_eq!(plan(&["note"], &[three], false), expected);
    }

    /// DynamoDB counts a key as at least 4 KB of a Scan.
    #[test]
    fn many_keys_are_looked_up_where_a_scan_costs_more() {
        let keys = |count: i64| {
            let pairs: Vec<(String, i64)> = (0..count).map(|n| (format!("p{n}"), n)).collect();
            rows(["pk", "sk"], &pairs.iter().map(|(text, n)| (text.as_str(), *n)).collect::<Vec<_>>())
        };
        for (count, bytes, access) in [
            (10_000, None, "get 10000"),
            (10_000, Some(41_000_000), "get 10000"),
            (10_000, Some(40_900_000), "scan"),
            (101, Some(400_000), "scan"),
            // These are one request.
            (100, Some(1), "get 100"),
        ] {
            let table = Table { bytes, ..orders() };
            let plan = plan_of(&table, &["note"], &[keys(count)], false);
            assert!(plan.starts_with(access), "{count} {bytes:?}: {plan}");
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
