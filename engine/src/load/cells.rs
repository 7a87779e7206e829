//! The fields of a run of records as places in one text. A place is small, so that those of a whole run stay in the
//! processor's nearest cache, and the text is looked at once whether it is UTF-8.

use super::fields::Field;
use std::borrow::Cow;

/// How a field stood in its record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// As it is.
    Plain,
    /// In quotes, or so that its own text does not make it NULL.
    Quoted,
    /// The same, with escapes: what they mean stands in [`Cells::unescaped`].
    Unescaped,
    /// There is none: NULL.
    Missing,
}

/// A field of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    from: u32,
    to: u32,
    kind: Kind,
}

impl Cell {
    /// Whether there is no field.
    pub(super) fn is_missing(self) -> bool {
        self.kind == Kind::Missing
    }

    /// Whether its own text does not make it NULL.
    pub(super) fn is_quoted(self) -> bool {
        matches!(self.kind, Kind::Quoted | Kind::Unescaped)
    }

    /// Its length in bytes.
    pub(super) fn len(self) -> usize {
        (self.to - self.from) as usize
    }
}

/// The fields of a run's records, record after record.
#[derive(Debug, Default)]
pub(super) struct Cells {
    cells: Vec<Cell>,
    unescaped: Vec<u8>,
}

impl Cells {
    /// Forgets those of the run before.
    pub(super) fn clear(&mut self) {
        self.cells.clear();
        self.unescaped.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.cells.len()
    }

    /// Adds what stands at a place as it is.
    #[inline]
    pub(super) fn push_plain(&mut self, from: usize, to: usize) {
        self.cells.push(Cell { from: from as u32, to: to as u32, kind: Kind::Plain });
    }

    /// Takes the last one away if it is empty.
    pub(super) fn pop_empty(&mut self) {
        self.cells.pop_if(|cell| cell.len() == 0);
    }

    /// Adds a field that was taken from these bytes; `None` for none.
    pub(super) fn push(&mut self, field: Option<&Field<'_>>, bytes: &[u8]) {
        let Some(field) = field else {
            self.cells.push(Cell { from: 0, to: 0, kind: Kind::Missing });
            return;
        };
        let at = match &field.bytes {
            Cow::Borrowed(text) => place_in(text, bytes),
            Cow::Owned(_) => None,
        };
        let (from, kind) = match at {
            Some(at) => (at, if field.quoted { Kind::Quoted } else { Kind::Plain }),
            None => {
                let at = self.unescaped.len();
                self.unescaped.extend_from_slice(&field.bytes);
                (at, Kind::Unescaped)
            }
        };
        self.cells.push(Cell { from: from as u32, to: (from + field.bytes.len()) as u32, kind });
    }

    /// The run whose bytes these are places in; `None` when one of its texts is no UTF-8, or has more than 4 GB, as the same
    /// long text may in many columns.
    pub(super) fn of<'a>(&'a self, bytes: &'a [u8], width: usize) -> Option<Run<'a>> {
        u32::try_from(bytes.len().max(self.unescaped.len())).ok()?;
        let text = std::str::from_utf8(bytes).ok()?;
        let unescaped = std::str::from_utf8(&self.unescaped).ok()?;
        let is_ascii = text.is_ascii() && unescaped.is_ascii();
        Some(Run { text, unescaped, cells: &self.cells, width, is_ascii })
    }
}

/// Where a part of some bytes stands in them; `None` for what is no part.
fn place_in(part: &[u8], bytes: &[u8]) -> Option<usize> {
    let at = part.as_ptr().addr().checked_sub(bytes.as_ptr().addr())?;
    (at + part.len() <= bytes.len()).then_some(at)
}

/// A run of records: as many fields in each as there are columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run<'a> {
    text: &'a str,
    unescaped: &'a str,
    cells: &'a [Cell],
    width: usize,
    /// All of its texts have one byte for each character.
    pub(super) is_ascii: bool,
}

impl<'a> Run<'a> {
    /// How many records it has.
    pub(super) fn len(&self) -> usize {
        self.cells.len() / self.width.max(1)
    }

    /// The fields of a column.
    pub(super) fn column(&self, at: usize) -> impl Iterator<Item = Cell> + use<'a> {
        self.cells.iter().skip(at).step_by(self.width.max(1)).copied()
    }

    /// The text that a field stands in, and where.
    #[inline]
    pub(super) fn place(&self, cell: Cell) -> (&'a str, usize, usize) {
        let text = if cell.kind == Kind::Unescaped { self.unescaped } else { self.text };
        (text, cell.from as usize, cell.to as usize)
    }

    /// The bytes of a field.
    #[inline]
    pub(super) fn bytes(&self, cell: Cell) -> &'a [u8] {
        let (text, from, to) = self.place(cell);
        &text.as_bytes()[from..to]
    }

    /// The text of a field: whole characters, for what parts fields is one byte of UTF-8 or none.
    #[inline]
    pub(super) fn text(&self, cell: Cell) -> Option<&'a str> {
        let (text, from, to) = self.place(cell);
        text.get(from..to)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn fields_are_found_where_they_stand() {
        let bytes = "a|é|\"q\"|".as_bytes();
        let field = |bytes: Cow<'static, [u8]>, quoted| Field { bytes, quoted, at: 0 };
        let mut cells = Cells::default();
        cells.push_plain(0, 1);
        cells.push(Some(&Field::plain(&bytes[2..4], 2)), bytes);
        cells.push(Some(&Field { bytes: Cow::Borrowed(&bytes[6..7]), quoted: true, at: 5 }), bytes);
        cells.push(None, bytes);
        cells.push(Some(&field(Cow::Owned(b"x\ny".to_vec()), true)), bytes);
        // What stands elsewhere is kept too.
        cells.push(Some(&field(Cow::Borrowed(b""), false)), bytes);
        let run = cells.of(bytes, 3).unwrap();
        let texts = |at| run.column(at).map(|cell| run.text(cell).unwrap()).collect::<Vec<_>>();
        assert_eq!((run.len(), run.is_ascii), (2, false));
        assert_eq!([texts(0), texts(1), texts(2)], [["a", ""], ["é", "x\ny"], ["q", ""]]);
        let quoted: Vec<bool> = (0..3).flat_map(|at| run.column(at)).map(Cell::is_quoted).collect();
        assert_eq!(quoted, [false, false, false, true, true, true]);
        cells.push_plain(8, 8);
        cells.pop_empty();
        assert_eq!(cells.len(), 6);
        assert!(cells.of(b"\xff", 3).is_none());
    }
}
