//! Few groups by their codes.

use super::codes::Codes;

/// How many places the table has; at most half of them are taken.
const PLACES: usize = 2048;

/// The most groups.
pub(super) const MOST_GROUPS: usize = PLACES / 2;

const EMPTY: u16 = u16::MAX;

/// The golden ratio's fraction: what it is multiplied by is spread over the high bits.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// A hash table with linear probing, small enough for the first cache.
#[derive(Debug)]
pub(super) struct GroupTable {
    /// By place, the group.
    places: Vec<u16>,
    /// The codes of each group, one after the other.
    keys: Vec<u128>,
    width: usize,
    packed: Packed,
}

impl GroupTable {
    /// A table without groups, whose keys have so many columns.
    pub(super) fn new(width: usize) -> Self {
        Self { places: vec![EMPTY; PLACES], keys: Vec::new(), width, packed: Packed::new(width) }
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len() / self.width.max(1)
    }

    /// Appends the groups of some rows, whose codes stand by column; where one begins a group, how many there were before
    /// it is appended to `new`. Ends before a row whose group no longer fits.
    pub(super) fn assign(&mut self, columns: &[Codes], groups: &mut Vec<u16>, new: &mut Vec<usize>) {
        if self.packed.pack(columns) {
            return self.assign_packed(columns, groups, new);
        }
        let rows = columns.first().map_or(0, Codes::len);
        match columns {
            [a] => self.assign_rows(rows, |row| [a.code(row)], groups, new),
            [a, b] => self.assign_rows(rows, |row| [a.code(row), b.code(row)], groups, new),
            [a, b, c] => self.assign_rows(rows, |row| [a.code(row), b.code(row), c.code(row)], groups, new),
            _ => {
                let key = |row: usize| [0, 1, 2, 3].map(|at| columns.get(at).map_or(0, |codes| codes.code(row)));
                self.assign_rows(rows, key, groups, new);
            }
        }
    }

    fn assign_packed(&mut self, columns: &[Codes], groups: &mut Vec<u16>, new: &mut Vec<usize>) {
        for row in 0..self.packed.keys.len() {
            let key = self.packed.keys[row];
            let place = (key.wrapping_mul(FACTOR) >> Packed::SHIFT) as usize;
            let (known, group) = self.packed.known[place];
            if known == key && group != EMPTY {
                groups.push(group);
                continue;
            }
            let mut codes = [0; MOST_COLUMNS];
            for (code, column) in codes.iter_mut().zip(columns) {
                *code = column.code(row);
            }
            let Some(group) = self.find(&codes[..columns.len().min(MOST_COLUMNS)], groups.len(), new) else { return };
            self.packed.known[place] = (key, group);
            groups.push(group);
        }
    }

    fn assign_rows<const N: usize>(
        &mut self,
        rows: usize,
        key: impl Fn(usize) -> [u128; N],
        groups: &mut Vec<u16>,
        new: &mut Vec<usize>,
    ) {
        for row in 0..rows {
            let Some(group) = self.find(&key(row), groups.len(), new) else { return };
            groups.push(group);
        }
    }

    /// The group of a key; `None` if it has none and there is no room for it.
    #[inline]
    fn find(&mut self, key: &[u128], row: usize, new: &mut Vec<usize>) -> Option<u16> {
        let mut place = hash(key) & (PLACES - 1);
        loop {
            let group = self.places[place];
            if group == EMPTY {
                break;
            }
            let begin = usize::from(group) * key.len();
            if self.keys[begin..begin + key.len()] == *key {
                return Some(group);
            }
            place = (place + 1) & (PLACES - 1);
        }
        if self.len() >= MOST_GROUPS {
            return None;
        }
        let group = self.len() as u16;
        self.places[place] = group;
        self.keys.extend_from_slice(key);
        new.push(row);
        Some(group)
    }
}

/// The most columns of a key.
pub(super) const MOST_COLUMNS: usize = 4;

fn hash(key: &[u128]) -> usize {
    let folded = key.iter().fold(0_u64, |hash, code| {
        (hash.rotate_left(23) ^ (*code as u64) ^ ((code >> 64) as u64).rotate_left(32)).wrapping_mul(FACTOR)
    });
    (folded >> 40) as usize
}

/// Keys whose columns have 64 bits together: their groups are found by one comparison. What is not found here, the table
/// itself knows.
#[derive(Debug)]
struct Packed {
    /// The most bits so far that codes of each column have.
    widths: Vec<u32>,
    /// The keys of some rows.
    keys: Vec<u64>,
    /// By hash, a key and its group.
    known: Vec<(u64, u16)>,
}

impl Packed {
    /// Leaves the bits of a place.
    const SHIFT: u32 = u64::BITS - PLACES.ilog2();

    fn new(columns: usize) -> Self {
        Self { widths: vec![0; columns], keys: Vec::new(), known: vec![(0, EMPTY); PLACES] }
    }

    /// Puts the codes of some rows together; tells whether they have room.
    fn pack(&mut self, columns: &[Codes]) -> bool {
        for (width, codes) in self.widths.iter_mut().zip(columns) {
            let Some(codes) = codes.narrow() else { return false };
            let needed = u64::BITS - codes.iter().fold(0, |bits, code| bits | code).leading_zeros();
            if needed > *width {
                *width = needed;
                // Known keys have their columns in other places.
                self.known.fill((0, EMPTY));
            }
        }
        if self.widths.iter().sum::<u32>() > u64::BITS {
            return false;
        }
        self.keys.clear();
        self.keys.resize(columns.first().map_or(0, Codes::len), 0);
        let mut shift = 0;
        for (width, codes) in self.widths.iter().zip(columns) {
            if let (Some(codes), 1..) = (codes.narrow(), *width) {
                self.keys.iter_mut().zip(codes).for_each(|(key, code)| *key |= code << shift);
                shift += width;
            }
        }
        true
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::codes::Coder;
    use super::*;
    use arrow::array::{ArrayRef, Decimal128Array, Int16Array, StringViewArray};
    use std::sync::Arc;

    /// The groups of rows, so many at a time, and the rows that began them.
    fn assigned(columns: &[ArrayRef], chunk: usize) -> (Vec<u16>, Vec<usize>) {
        let mut table = GroupTable::new(columns.len());
        let mut coders: Vec<_> = columns.iter().map(|_| Coder::default()).collect();
        let mut codes: Vec<_> = columns.iter().map(|_| Codes::default()).collect();
        let (mut groups, mut new) = (Vec::new(), Vec::new());
        for begin in (0..columns[0].len()).step_by(chunk) {
            let rows = begin..columns[0].len().min(begin + chunk);
            for ((coder, column), codes) in coders.iter_mut().zip(columns).zip(&mut codes) {
                coder.codes(column, rows.clone(), codes).unwrap();
            }
            table.assign(&codes, &mut groups, &mut new);
            if groups.len() < rows.end {
                break;
            }
        }
        assert_eq!(table.len(), new.len());
        (groups, new)
    }

    #[test]
    fn rows_of_equal_keys_have_one_group_and_a_full_table_ends() {
        let rows = 10_000_usize;
        let texts: Vec<_> = (0..7).map(|text| "x".repeat(text)).collect();
        let longer: Vec<_> = (0..7).map(|text| "text ".repeat(text)).collect();
        let text = |texts: &[String]| -> ArrayRef {
            Arc::new(StringViewArray::from_iter_values((0..rows).map(|row| texts[row % 7].clone())))
        };
        // Of numbers that grow, so that keys change their widths.
        let number = |row: usize| [0, 1, 2, 3, 255, 256, 1_000, -1, 20_000, 4, 5][(row % 11).min(row / 100)];
        let number: ArrayRef = Arc::new(Int16Array::from_iter_values((0..rows).map(number)));
        let decimal = (0..rows).map(|row| (row % 11).min(row / 100) as i128).map(|value| value << (11 * value));
        let decimal: ArrayRef = Arc::new(Decimal128Array::from_iter_values(decimal));
        for (first, second) in
            [(text(&texts), &number), (text(&longer), &number), (text(&texts), &decimal), (text(&longer), &decimal)]
        {
            let (groups, new) = assigned(&[first, Arc::clone(second)], 100);
            assert_eq!((groups.len(), new.len()), (rows, 77));
            let key = |row: usize| (row % 7, (row % 11).min(row / 100));
            let mut keys: Vec<_> = new.iter().map(|row| key(*row)).collect();
            assert!((0..rows).all(|row| keys[usize::from(groups[row])] == key(row)));
            keys.sort_unstable();
            keys.dedup();
            assert_eq!(keys.len(), 77);
        }

        let many: ArrayRef = Arc::new(Int16Array::from_iter_values(0..rows as i16));
        let (groups, new) = assigned(&[many], rows);
        assert_eq!((groups.len(), new.len()), (MOST_GROUPS, MOST_GROUPS));
    }
}
