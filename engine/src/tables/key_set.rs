//! The keys that a join found in its build side, a bit for each value between the least and the greatest of them: what a scan
//! asks for each row of the other side. A look-up in the join's table of hashes, which this stands for, reads memory at
//! random for each.

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Date32Type, Int8Type, Int16Type, Int32Type, Int64Type, Schema};
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The values of a word of bits are those with the same bits above these.
const WORD_BITS: u32 = u64::BITS.ilog2();

/// Bytes that are taken for however few keys.
const FEW_BYTES: usize = 1 << 20;

/// Bytes that are taken for a key, as many as in a table of hashes.
const KEY_BYTES: usize = 16;

/// Calls a function of the type of keys, else gives the last.
macro_rules! for_keys {
    ($data_type:expr, $function:ident($($argument:expr),*), $other:expr) => {
        match $data_type {
            DataType::Int8 => $function::<Int8Type>($($argument),*),
            DataType::Int16 => $function::<Int16Type>($($argument),*),
            DataType::Int32 => $function::<Int32Type>($($argument),*),
            DataType::Int64 => $function::<Int64Type>($($argument),*),
            DataType::Date32 => $function::<Date32Type>($($argument),*),
            _ => $other,
        }
    };
}

/// A set of integers or days.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct KeySet {
    /// The least and the greatest, if there is any.
    bounds: Option<(i64, i64)>,
    /// How many there are, the same counted as often as it was given.
    count: usize,
    /// The bits of the values from that of the least key's word on.
    words: Vec<u64>,
}

impl KeySet {
    /// Whether there are sets of such keys.
    pub(crate) fn is_of(data_type: &DataType) -> bool {
        matches!(data_type, DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Date32)
    }

    /// The keys that are not NULL; `None` where they lie too far apart for their number.
    pub(crate) fn of(keys: &[ArrayRef]) -> Option<Self> {
        let bounds = keys.iter().filter_map(bounds).reduce(wider);
        let count = keys.iter().map(|keys| keys.len() - keys.null_count()).sum();
        let mut set = Self::empty(bounds, count)?;
        for keys in keys {
            for_keys!(keys.data_type(), add(keys, &mut set), {});
        }
        Some(set)
    }

    /// All keys of several sets.
    pub(crate) fn union(sets: &[Self]) -> Option<Self> {
        let bounds = sets.iter().filter_map(|set| set.bounds).reduce(wider);
        let mut all = Self::empty(bounds, sets.iter().map(|set| set.count).sum())?;
        let first = all.first_word();
        for set in sets.iter().filter(|set| !set.words.is_empty()) {
            let words = all.words[(set.first_word() - first) as usize..].iter_mut();
            words.zip(&set.words).for_each(|(word, other)| *word |= other);
        }
        Some(all)
    }

    /// The least and the greatest key, as values of a type.
    pub(crate) fn bounds(&self, data_type: &DataType) -> Option<(ScalarValue, ScalarValue)> {
        let (least, greatest) = self.bounds?;
        Some((value(least, data_type)?, value(greatest, data_type)?))
    }

    /// Bytes that it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of_val(self.words.as_slice())
    }

    /// Room for so many keys within bounds.
    fn empty(bounds: Option<(i64, i64)>, count: usize) -> Option<Self> {
        let words = match bounds {
            Some((least, greatest)) => word_of(greatest).abs_diff(word_of(least)).saturating_add(1),
            None => 0,
        };
        let most = FEW_BYTES.max(count.saturating_mul(KEY_BYTES)) / size_of::<u64>();
        let words = usize::try_from(words).ok().filter(|words| *words <= most)?;
        Some(Self { bounds, count, words: vec![0; words] })
    }

    fn first_word(&self) -> i64 {
        self.bounds.map_or(0, |(least, _)| word_of(least))
    }

    /// Which of the keys are in it; NULL is not.
    fn has(&self, keys: &ArrayRef) -> Option<BooleanArray> {
        for_keys!(keys.data_type(), found_in(self, keys), None)
    }
}

fn word_of(key: i64) -> i64 {
    key >> WORD_BITS
}

fn bit_of(key: i64) -> u64 {
    1 << (key & ((1 << WORD_BITS) - 1))
}

fn value(key: i64, data_type: &DataType) -> Option<ScalarValue> {
    for_keys!(data_type, value_of(key, data_type), None)
}

fn value_of<K: ArrowPrimitiveType<Native: TryFrom<i64>>>(key: i64, data_type: &DataType) -> Option<ScalarValue> {
    ScalarValue::new_primitive::<K>(Some(key.try_into().ok()?), data_type).ok()
}

fn bounds(keys: &ArrayRef) -> Option<(i64, i64)> {
    for_keys!(keys.data_type(), bounds_of(keys), None)
}

fn bounds_of<K: ArrowPrimitiveType<Native: Into<i64>>>(keys: &ArrayRef) -> Option<(i64, i64)>
where
    K::Native: PartialOrd,
{
    let keys = keys.as_primitive::<K>();
    Some((min(keys)?.into(), max(keys)?.into()))
}

fn add<K: ArrowPrimitiveType<Native: Into<i64>>>(keys: &ArrayRef, set: &mut KeySet) {
    let first = set.first_word();
    for key in keys.as_primitive::<K>().iter().flatten().map(Into::into) {
        set.words[(word_of(key) - first) as usize] |= bit_of(key);
    }
}

fn found_in<K: ArrowPrimitiveType<Native: Into<i64>>>(set: &KeySet, keys: &ArrayRef) -> Option<BooleanArray> {
    let (keys, first) = (keys.as_primitive::<K>(), set.first_word());
    let values = keys.values();
    let found = BooleanBuffer::collect_bool(values.len(), |row| {
        let key: i64 = values[row].into();
        // What is less than the first word's values is beyond the last word this way.
        let word = set.words.get((word_of(key) - first) as usize);
        word.is_some_and(|word| word & bit_of(key) != 0)
    });
    let found = match keys.nulls() {
        Some(nulls) => &found & nulls.inner(),
        None => found,
    };
    Some(BooleanArray::new(found, None))
}

fn wider(one: (i64, i64), other: (i64, i64)) -> (i64, i64) {
    (one.0.min(other.0), one.1.max(other.1))
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet").field("bounds", &self.bounds).field("count", &self.count).finish_non_exhaustive()
    }
}

/// Whether a value is in a set of keys.
#[derive(Debug, Clone)]
pub(crate) struct InKeySet {
    value: Arc<dyn PhysicalExpr>,
    keys: Arc<KeySet>,
}

impl InKeySet {
    pub(crate) fn new(value: Arc<dyn PhysicalExpr>, keys: Arc<KeySet>) -> Self {
        Self { value, keys }
    }
}

impl PartialEq for InKeySet {
    fn eq(&self, other: &Self) -> bool {
        self.value.eq(&other.value) && Arc::ptr_eq(&self.keys, &other.keys)
    }
}

impl Eq for InKeySet {}

impl Hash for InKeySet {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.value.hash(state);
        Arc::as_ptr(&self.keys).hash(state);
    }
}

impl fmt::Display for InKeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is one of {} keys", self.value, self.keys.count)
    }
}

impl PhysicalExpr for InKeySet {
    fn data_type(&self, _: &Schema) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn nullable(&self, _: &Schema) -> Result<bool> {
        Ok(false)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        let values = self.value.evaluate(batch)?.into_array(batch.num_rows())?;
        match self.keys.has(&values) {
            Some(found) => Ok(ColumnarValue::Array(Arc::new(found))),
            None => internal_err!("{} is no key of a set", values.data_type()),
        }
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.value]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn PhysicalExpr>>) -> Result<Arc<dyn PhysicalExpr>> {
        match <[_; 1]>::try_from(children) {
            Ok([value]) => Ok(Arc::new(Self { value, keys: Arc::clone(&self.keys) })),
            Err(_) => internal_err!("one value is looked for in a set of keys"),
        }
    }

    fn fmt_sql(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use arrow::array::{Date32Array, Int16Array, Int64Array, StringArray};
    use arrow::datatypes::Field;
    use datafusion::physical_expr::expressions::Column;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use std::collections::HashSet;

    fn longs(keys: &[Option<i64>]) -> ArrayRef {
        Arc::new(Int64Array::from(keys.to_vec()))
    }

    #[test]
    fn keys_are_those_of_a_hash_set() {
        let random = &mut StdRng::seed_from_u64(11);
        for (low, high) in [(-100, 100), (0, 63), (-64, -1), (i64::MAX - 200, i64::MAX), (i64::MIN, i64::MIN + 130)] {
            let mut some = |null: f64| -> Vec<Option<i64>> {
                (0..80).map(|_| (!random.random_bool(null)).then(|| random.random_range(low..=high))).collect()
            };
            let (one, other, asked) = (some(0.1), some(0.), some(0.2));
            let wanted: HashSet<i64> = one.iter().chain(&other).flatten().copied().collect();
            let far = [Some(i64::MIN), Some(-1), Some(0), Some(i64::MAX), None, Some(low), Some(high)];
            let asked: Vec<_> = asked.into_iter().chain(far).collect();
            let together = KeySet::of(&[longs(&one), longs(&other)]).unwrap();
            let union = KeySet::union(&[KeySet::of(&[longs(&one)]).unwrap(), KeySet::of(&[longs(&other)]).unwrap()]);
            assert_eq!(union.as_ref(), Some(&together));
            let ends = [wanted.iter().min(), wanted.iter().max()].map(|key| ScalarValue::Int64(key.copied()));
            assert_eq!(together.bounds(&DataType::Int64), Some(ends.into()));
            let found = together.has(&longs(&asked)).unwrap();
            for (row, key) in asked.iter().enumerate() {
                assert_eq!(
                    found.value(row),
                    key.is_some_and(|key| wanted.contains(&key)),
                    "{key:?} from {low} to {high}"
                );
            }
        }
    }

    #[test]
    fn what_is_too_far_apart_has_no_set() {
        assert_eq!(KeySet::of(&[longs(&[Some(i64::MIN), Some(i64::MAX)])]), None);
        let bits = FEW_BYTES as i64 * 8;
        assert!(KeySet::of(&[longs(&[Some(0), Some(bits - 1)])]).is_some());
        assert_eq!(KeySet::of(&[longs(&[Some(0), Some(bits)])]), None);
        let far = (KeySet::of(&[longs(&[Some(0)])]).unwrap(), KeySet::of(&[longs(&[Some(bits)])]).unwrap());
        assert_eq!(KeySet::union(&[far.0, far.1]), None);
    }

    #[test]
    fn nothing_is_in_a_set_of_nothing() {
        for keys in [vec![], vec![longs(&[None, None])]] {
            let set = KeySet::of(&keys).unwrap();
            assert_eq!((set.bounds(&DataType::Int64), set.bytes()), (None, 0));
            assert_eq!(set.has(&longs(&[Some(0), None])).unwrap().true_count(), 0);
            assert_eq!(KeySet::union(&[set.clone(), set.clone()]), Some(set));
        }
    }

    #[test]
    fn types_of_keys() {
        let small: ArrayRef = Arc::new(Int16Array::from(vec![i16::MIN, 5, i16::MAX]));
        let days: ArrayRef = Arc::new(Date32Array::from(vec![-719_162, 0, 20_000]));
        for keys in [small, days] {
            let set = Arc::new(KeySet::of(&[Arc::clone(&keys)]).unwrap());
            let ends = [0, 2].map(|row| ScalarValue::try_from_array(&keys, row).unwrap());
            assert_eq!(set.bounds(keys.data_type()), Some(ends.into()));
            let schema = Arc::new(Schema::new(vec![Field::new("k", keys.data_type().clone(), true)]));
            let batch = RecordBatch::try_new(schema, vec![keys]).unwrap();
            let found = InKeySet::new(Arc::new(Column::new("k", 0)), set).evaluate(&batch).unwrap();
            assert_eq!(found.into_array(3).unwrap().as_boolean().true_count(), 3);
        }
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        assert!(!KeySet::is_of(texts.data_type()) && KeySet::is_of(&DataType::Date32));
        assert!(KeySet::default().has(&texts).is_none());
    }
}
