//! Few groups by their codes.

/// How many places the table has; at most half of them are taken.
const PLACES: usize = 2048;

/// The most groups.
pub(super) const MOST_GROUPS: usize = PLACES / 2;

const EMPTY: u16 = u16::MAX;

/// A hash table with linear probing, small enough for the first cache.
#[derive(Debug)]
pub(super) struct GroupTable {
    /// By place, the group.
    places: Vec<u16>,
    /// The codes of each group, one after the other.
    keys: Vec<u128>,
    width: usize,
}

impl GroupTable {
    /// A table without groups, whose keys have so many columns.
    pub(super) fn new(width: usize) -> Self {
        Self { places: vec![EMPTY; PLACES], keys: Vec::new(), width }
    }

    /// How many groups there are.
    pub(super) fn len(&self) -> usize {
        self.keys.len() / self.width.max(1)
    }

    /// Finds the group of each row from `begin` on, whose codes stand by column; rows that begin a group are noted in
    /// `new`. Ends before a row whose group no longer fits, and tells that row.
    pub(super) fn assign(
        &mut self,
        columns: &[Vec<u128>],
        begin: usize,
        groups: &mut Vec<usize>,
        new: &mut Vec<usize>,
    ) -> usize {
        let rows = columns.first().map_or(0, Vec::len);
        match columns {
            [a] => self.assign_rows(begin..rows, |row| [a[row]], groups, new),
            [a, b] => self.assign_rows(begin..rows, |row| [a[row], b[row]], groups, new),
            [a, b, c] => self.assign_rows(begin..rows, |row| [a[row], b[row], c[row]], groups, new),
            _ => {
                let [a, b, c, d] = [0, 1, 2, 3].map(|at| columns.get(at).map_or(&[][..], Vec::as_slice));
                self.assign_rows(begin..rows, |row| [a[row], b[row], c[row], d[row]], groups, new)
            }
        }
    }

    fn assign_rows<const N: usize>(
        &mut self,
        rows: std::ops::Range<usize>,
        key: impl Fn(usize) -> [u128; N],
        groups: &mut Vec<usize>,
        new: &mut Vec<usize>,
    ) -> usize {
        let end = rows.end;
        for row in rows {
            let key = key(row);
            let mut place = hash(&key) & (PLACES - 1);
            let group = loop {
                let group = usize::from(self.places[place]);
                if group == usize::from(EMPTY) {
                    if self.len() >= MOST_GROUPS {
                        return row;
                    }
                    let group = self.len();
                    self.places[place] = group as u16;
                    self.keys.extend_from_slice(&key);
                    new.push(row);
                    break group;
                }
                if self.keys[group * N..(group + 1) * N] == key {
                    break group;
                }
                place = (place + 1) & (PLACES - 1);
            };
            groups.push(group);
        }
        end
    }
}

/// The most columns of a key.
pub(super) const MOST_COLUMNS: usize = 4;

fn hash(key: &[u128]) -> usize {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let folded = key.iter().fold(0_u64, |hash, code| {
        (hash.rotate_left(23) ^ (*code as u64) ^ ((code >> 64) as u64).rotate_left(32)).wrapping_mul(FACTOR)
    });
    (folded >> 40) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_equal_keys_have_one_group_and_a_full_table_ends() {
        let rows = 10_000_u128;
        let columns = vec![(0..rows).map(|row| row % 7).collect(), (0..rows).map(|row| row % 11).collect::<Vec<_>>()];
        let (mut table, mut groups, mut new) = (GroupTable::new(2), Vec::new(), Vec::new());
        assert_eq!(table.assign(&columns, 0, &mut groups, &mut new), 10_000);
        assert_eq!((table.len(), new.len(), groups.len()), (77, 77, 10_000));
        assert!((0..10_000).all(|row| groups[row] == groups[row % 77]));

        let columns = vec![(0..rows).collect::<Vec<_>>()];
        let (mut table, mut groups, mut new) = (GroupTable::new(1), Vec::new(), Vec::new());
        assert_eq!(table.assign(&columns, 0, &mut groups, &mut new), MOST_GROUPS);
        assert_eq!(groups.len(), MOST_GROUPS);
    }
}
