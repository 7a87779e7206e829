//! Taking a line apart: delimited, CSV, fixed width.

use super::errors::Problem;
use std::borrow::Cow;

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    /// It stood in quotes: never NULL by its text.
    pub(super) quoted: bool,
    /// Where it begins in the record.
    pub(super) at: usize,
}

impl<'a> Field<'a> {
    pub(super) fn plain(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes: Cow::Borrowed(bytes), quoted: false, at }
    }
}

/// Tells each place of a byte. Most fields are so short that a vector search for the end of each takes longer than looking
/// at eight bytes at a time.
#[inline]
pub(super) fn each_place(line: &[u8], byte: u8, mut found: impl FnMut(usize)) {
    const LOW_BITS: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let wanted = u64::from_le_bytes([byte; 8]);
    let (words, rest) = line.as_chunks::<8>();
    for (at, word) in words.iter().enumerate() {
        // The highest bit of each byte that is the wanted one, and of no other.
        let other = u64::from_le_bytes(*word) ^ wanted;
        let mut places = !((other & LOW_BITS).wrapping_add(LOW_BITS) | other | LOW_BITS);
        while places != 0 {
            found(at * 8 + places.trailing_zeros() as usize / 8);
            places &= places - 1;
        }
    }
    let end = words.len() * 8;
    rest.iter().enumerate().filter(|(_, found)| **found == byte).for_each(|(at, _)| found(end + at));
}

/// Rules of delimited lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delimited {
    pub(super) delimiter: Vec<u8>,
    pub(super) escape: bool,
    pub(super) remove_quotes: bool,
    pub(super) null_as: Vec<u8>,
}

impl Delimited {
    /// The fields of a line.
    pub(super) fn split<'a>(&self, line: &'a [u8], fields: &mut Vec<Option<Field<'a>>>) -> Result<(), Problem> {
        if !self.escape && !self.remove_quotes {
            let mut from = 0;
            if let [byte] = self.delimiter[..] {
                each_place(line, byte, |at| {
                    fields.push(Some(Field::plain(&line[from..at], from)));
                    from = at + 1;
                });
            } else {
                for at in memchr::memmem::find_iter(line, &self.delimiter) {
                    fields.push(Some(Field::plain(&line[from..at], from)));
                    from = at + self.delimiter.len();
                }
            }
            fields.push(Some(Field::plain(&line[from..], from)));
            return Ok(());
        }
        let mut from = 0;
        loop {
            let (field, next) = self.field(line, from)?;
            fields.push(Some(field));
            match next {
                Some(next) => from = next,
                None => return Ok(()),
            }
        }
    }

    /// The field that begins at `from`, and where the next does.
    fn field<'a>(&self, line: &'a [u8], from: usize) -> Result<(Field<'a>, Option<usize>), Problem> {
        let ends = |at: usize| at == line.len() || line[at..].starts_with(&self.delimiter);
        let after = |at: usize| (at < line.len()).then_some(at + self.delimiter.len());
        // With ESCAPE, `\N` is NULL and no escaped N.
        if self.escape && line[from..].starts_with(&self.null_as) && !self.null_as.is_empty() {
            let end = from + self.null_as.len();
            if ends(end) {
                return Ok((Field::plain(&line[from..end], from), after(end)));
            }
        }
        let quote = line.get(from).copied().filter(|byte| self.remove_quotes && matches!(byte, b'"' | b'\''));
        let mut at = from + usize::from(quote.is_some());
        let start = at;
        let mut changed: Option<Vec<u8>> = None;
        loop {
            if let Some(quote) = quote {
                if at == line.len() {
                    return Err(Problem::new(1216, "Missing closing quote"));
                }
                if line[at] == quote && ends(at + 1) {
                    let bytes = changed.map_or(Cow::Borrowed(&line[start..at]), Cow::Owned);
                    return Ok((Field { bytes, quoted: true, at: from }, after(at + 1)));
                }
            } else if ends(at) {
                let quoted = changed.is_some();
                let bytes = changed.map_or(Cow::Borrowed(&line[start..at]), Cow::Owned);
                return Ok((Field { bytes, quoted, at: from }, after(at)));
            }
            let escaped = self.escape && line[at] == b'\\' && at + 1 < line.len();
            if escaped {
                let text = changed.get_or_insert_with(|| line[start..at].to_vec());
                text.push(line[at + 1]);
                at += 2;
            } else {
                if let Some(text) = &mut changed {
                    text.push(line[at]);
                }
                at += 1;
            }
        }
    }
}

/// The fields of a record of CSV. Blanks between a delimiter and a quote are nothing (Redshift: "white space between the
/// delimiters and the quotation mark characters is ignored").
pub(super) fn split_csv<'a>(
    record: &'a [u8],
    delimiter: &[u8],
    quote: u8,
    fields: &mut Vec<Option<Field<'a>>>,
) -> Result<(), Problem> {
    let mut from = 0;
    let behind_blanks = |at: usize| at + record[at..].iter().take_while(|byte| is_blank(**byte, delimiter)).count();
    loop {
        let first = behind_blanks(from);
        if record.get(first) == Some(&quote) {
            let start = first + 1;
            let mut at = start;
            let mut changed: Option<Vec<u8>> = None;
            loop {
                let Some(found) = memchr::memchr(quote, &record[at..]) else {
                    let reason = "Invalid quote formatting for CSV. Unterminated quote found at end of CSV";
                    return Err(Problem::new(1216, reason));
                };
                let found = at + found;
                if let Some(text) = &mut changed {
                    text.extend_from_slice(&record[at..found]);
                }
                at = found + 1;
                if record.get(at) != Some(&quote) {
                    let bytes = changed.map_or(Cow::Borrowed(&record[start..found]), Cow::Owned);
                    fields.push(Some(Field { bytes, quoted: true, at: first }));
                    break;
                }
                changed.get_or_insert_with(|| record[start..found].to_vec()).push(quote);
                at += 1;
            }
            let at = behind_blanks(at);
            if at == record.len() {
                return Ok(());
            }
            if !record[at..].starts_with(delimiter) {
                return Err(Problem::new(1216, "Invalid quote formatting for CSV"));
            }
            from = at + delimiter.len();
            continue;
        }
        match memchr::memmem::find(&record[from..], delimiter) {
            Some(found) => {
                fields.push(Some(Field::plain(&record[from..from + found], from)));
                from += found + delimiter.len();
            }
            None => {
                fields.push(Some(Field::plain(&record[from..], from)));
                return Ok(());
            }
        }
    }
}

/// Whether a byte of CSV is white space where no field is: a space or a tab that does not begin the delimiter.
pub(super) fn is_blank(byte: u8, delimiter: &[u8]) -> bool {
    matches!(byte, b' ' | b'\t') && delimiter.first() != Some(&byte)
}

/// The fields of a line of fixed widths, in characters; `fill` allows the last ones to be missing.
pub(super) fn split_fixed<'a>(
    line: &'a [u8],
    widths: &[usize],
    fill: bool,
    fields: &mut Vec<Option<Field<'a>>>,
) -> Result<(), Problem> {
    let mut from = 0;
    for width in widths {
        let mut end = from;
        for _ in 0..*width {
            if end == line.len() {
                break;
            }
            end += 1;
            while line.get(end).is_some_and(|byte| byte & 0xc0 == 0x80) {
                end += 1;
            }
        }
        if from == line.len() && fill {
            return Ok(());
        }
        if from == line.len() {
            return Err(Problem::new(1203, "Input line has fewer columns than the fixed widths"));
        }
        fields.push(Some(Field::plain(&line[from..end], from)));
        from = end;
    }
    if line[from..].iter().any(|byte| *byte != b' ') {
        return Err(Problem::new(1202, "Extra column(s) found"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::each_place;

    #[test]
    fn places_of_a_byte() {
        let long = "a|bc||defghijklmnop|~{}\u{fc}\u{17c}|0123456|".repeat(3);
        for line in ["", "|", "a", "||||||||", "|||||||||", "abcdefgh|", "abcdefg|i", &long] {
            for byte in [b'|', b'\0', 0xfc, 0x7f, b'~'] {
                let mut places = Vec::new();
                each_place(line.as_bytes(), byte, |at| places.push(at));
                assert_eq!(places, memchr::memchr_iter(byte, line.as_bytes()).collect::<Vec<_>>(), "{line}");
            }
        }
    }
}
