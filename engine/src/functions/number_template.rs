//! Templates of numbers as PostgreSQL and Redshift have them (`FM999,990.00`), for writing and for reading.

use crate::error::{Error, ErrorKind, Result};

/// A template, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct NumberTemplate {
    /// What stands before, between and behind the digits.
    pieces: Vec<Piece>,
    /// Places left and right of the point.
    whole: usize,
    fraction: usize,
    /// The first place from the left that shows a zero.
    zero_from: Option<usize>,
    /// Places right of the point up to the last that shows a zero.
    fraction_zeros: usize,
    fill: bool,
    sign: Sign,
    /// Digits by which the number is moved left (`V`).
    shift: usize,
    scientific: bool,
    /// Roman numerals, and whether large ones (`RN`, `rn`).
    roman: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Digit,
    Point,
    Group,
    Literal(String),
    Sign,
    Minus,
    Plus,
    Either,
    Ordinal(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Sign {
    /// A minus before the first digit, a blank for other numbers.
    #[default]
    Plain,
    /// Where the template puts it.
    Placed,
    /// `<…>` around negative numbers.
    Brackets,
}

impl NumberTemplate {
    /// Takes a template apart.
    ///
    /// # Errors
    /// `InvalidParameter` for one without digits.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut made = Self { fill: true, ..Self::default() };
        let mut rest = text;
        let (mut after_point, mut after_shift) = (false, false);
        while let Some(c) = rest.chars().next() {
            let starts = |word: &str| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
            let mut taken = c.len_utf8();
            match c.to_ascii_uppercase() {
                _ if starts("FM") => {
                    made.fill = false;
                    taken = 2;
                }
                _ if starts("EEEE") => {
                    made.scientific = true;
                    taken = 4;
                }
                _ if starts("PR") => {
                    made.sign = Sign::Brackets;
                    taken = 2;
                }
                _ if starts("MI") => {
                    made.sign = Sign::Placed;
                    made.pieces.push(Piece::Minus);
                    taken = 2;
                }
                _ if starts("PL") => {
                    made.sign = Sign::Placed;
                    made.pieces.push(Piece::Plus);
                    taken = 2;
                }
                _ if starts("SG") => {
                    made.sign = Sign::Placed;
                    made.pieces.push(Piece::Either);
                    taken = 2;
                }
                _ if starts("TH") => {
                    made.pieces.push(Piece::Ordinal(rest.starts_with('T')));
                    taken = 2;
                }
                _ if starts("RN") => {
                    made.roman = Some(rest.starts_with('R'));
                    taken = 2;
                }
                '9' | '0' => {
                    if after_point {
                        made.fraction += 1;
                        if c == '0' {
                            made.fraction_zeros = made.fraction;
                        }
                    } else {
                        if c == '0' && made.zero_from.is_none() {
                            made.zero_from = Some(made.whole);
                        }
                        made.whole += 1;
                    }
                    made.shift += usize::from(after_shift);
                    made.pieces.push(Piece::Digit);
                }
                '.' | 'D' => {
                    after_point = true;
                    made.pieces.push(Piece::Point);
                }
                ',' | 'G' => made.pieces.push(Piece::Group),
                'V' => after_shift = true,
                'S' => {
                    made.sign = Sign::Placed;
                    made.pieces.push(Piece::Sign);
                }
                'L' | '$' => made.pieces.push(Piece::Literal("$".to_owned())),
                '"' => {
                    let end = rest[1..].find('"').map_or(rest.len(), |at| at + 1);
                    made.pieces.push(Piece::Literal(rest[1..end].to_owned()));
                    taken = (end + 1).min(rest.len());
                }
                _ => made.pieces.push(Piece::Literal(c.to_string())),
            }
            rest = &rest[taken..];
        }
        if made.whole + made.fraction == 0 && made.roman.is_none() {
            return Err(Error::new(ErrorKind::InvalidParameter, format!("the template \"{text}\" has no digits")));
        }
        Ok(made)
    }

    /// How many digits behind the point the number is to be rounded to.
    pub(super) fn digits(&self) -> usize {
        self.fraction
    }

    /// By how many digits the number is to be moved left first.
    pub(super) fn shift(&self) -> usize {
        self.shift
    }

    /// Writes a number, which is given as its digits without sign, rounded to [`Self::digits`].
    pub(super) fn write(&self, negative: bool, digits: &str) -> String {
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let whole = whole.trim_start_matches('0');
        if let Some(is_large) = self.roman {
            return self.numerals(if negative { None } else { whole.parse().ok() }, is_large);
        }
        let overflows = whole.len() > self.whole;
        let negative = negative && (overflows || digits.bytes().any(|digit| (b'1'..=b'9').contains(&digit)));
        let padded = format!("{whole:>width$}", width = self.whole);
        let mut made = String::new();
        let mut place = 0;
        let mut shown = false;
        let mut signed = self.sign != Sign::Plain && self.sign != Sign::Brackets;
        let fraction_kept = if self.fill || overflows {
            self.fraction
        } else {
            // Without filling, zeros at the end go, but those that a 0 asks for stay.
            fraction.trim_end_matches('0').len().max(self.fraction_zeros)
        };
        let mut behind = 0;
        for piece in &self.pieces {
            match piece {
                Piece::Digit if place < self.whole => {
                    let digit = padded.as_bytes().get(place).copied().unwrap_or(b' ');
                    let zero = self.zero_from.is_some_and(|from| place >= from);
                    let visible = digit != b' ' || zero || (place + 1 == self.whole && self.fraction == 0);
                    if visible && !shown {
                        shown = true;
                        if !signed {
                            made.push_str(self.leading(negative));
                            signed = true;
                        }
                    }
                    made.push(match digit {
                        _ if overflows => '#',
                        b' ' if visible => '0',
                        b' ' => '\u{0}',
                        digit => char::from(digit),
                    });
                    place += 1;
                }
                Piece::Digit => {
                    if behind < fraction_kept {
                        made.push(if overflows {
                            '#'
                        } else {
                            fraction.as_bytes().get(behind).map_or('0', |digit| char::from(*digit))
                        });
                    }
                    behind += 1;
                }
                Piece::Point => {
                    if !signed {
                        made.push_str(self.leading(negative));
                        signed = true;
                    }
                    shown = true;
                    // PostgreSQL leaves the point where all behind it goes.
                    made.push('.');
                }
                Piece::Group => made.push(if shown { ',' } else { '\u{0}' }),
                Piece::Literal(text) => made.push_str(text),
                Piece::Sign | Piece::Either => made.push(if negative { '-' } else { '+' }),
                Piece::Minus => made.push_str(if negative {
                    "-"
                } else if self.fill {
                    " "
                } else {
                    ""
                }),
                Piece::Plus => made.push_str(if negative { if self.fill { " " } else { "" } } else { "+" }),
                Piece::Ordinal(upper) => {
                    let number: u64 = whole.parse().unwrap_or(0);
                    let suffix = ordinal(number);
                    if !negative {
                        made.push_str(&if *upper { suffix.to_uppercase() } else { suffix.to_owned() });
                    }
                }
            }
        }
        if self.sign == Sign::Brackets {
            made.push_str(if negative {
                ">"
            } else if self.fill {
                " "
            } else {
                ""
            });
        }
        self.filled(&made)
    }

    /// A number from 1 to 3999 in Roman numerals, in 15 places unless they are not filled; others are `#` in all of them.
    fn numerals(&self, number: Option<u64>, is_large: bool) -> String {
        let Some(number) = number.filter(|number| (1..4000).contains(number)) else { return "#".repeat(15) };
        let made = if is_large { roman(number) } else { roman(number).to_lowercase() };
        if self.fill { format!("{made:>15}") } else { made }
    }

    /// What stands before the first digit.
    fn leading(&self, negative: bool) -> &'static str {
        match (self.sign, negative) {
            (Sign::Brackets, true) => "<",
            (_, true) => "-",
            (_, false) if self.fill => " ",
            _ => "",
        }
    }

    /// Places without a digit become blanks at the front, or go. A sign that is put before all stands at the number, but
    /// that of `SG` and a currency's where they are written.
    fn filled(&self, made: &str) -> String {
        let empty = made.matches('\u{0}').count();
        let plain: String = made.chars().filter(|c| *c != '\u{0}').collect();
        if !self.fill {
            return plain;
        }
        let blanks = " ".repeat(empty);
        let ahead = match self.pieces.first() {
            Some(Piece::Either) => 1,
            _ => {
                let lengths = self.pieces.iter().map_while(|piece| match piece {
                    Piece::Literal(text) => Some(text.len()),
                    _ => None,
                });
                lengths.sum()
            }
        };
        let (ahead, number) = plain.split_at_checked(ahead).unwrap_or(("", plain.as_str()));
        format!("{ahead}{blanks}{number}")
    }

    /// Reads a number: its digits, with a sign and a point.
    ///
    /// # Errors
    /// `InvalidText` for a text that has none, `Unsupported` for Roman numerals.
    pub(super) fn read(&self, text: &str) -> Result<String> {
        if self.roman.is_some() {
            return Err(Error::unsupported("TO_NUMBER of Roman numerals (RN)"));
        }
        let mut digits = String::new();
        let negative = text.contains('-') || (self.sign == Sign::Brackets && text.contains('<'));
        for c in text.chars() {
            match c {
                '0'..='9' | '.' => digits.push(c),
                _ => {}
            }
        }
        if !digits.bytes().any(|b| b.is_ascii_digit()) {
            return Err(Error::new(
                ErrorKind::InvalidText,
                format!("invalid input syntax for type numeric: \"{text}\""),
            ));
        }
        Ok(format!("{}{digits}", if negative { "-" } else { "" }))
    }
}

fn roman(mut number: u64) -> String {
    const NUMERALS: [(u64, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    let mut made = String::new();
    for (value, numeral) in NUMERALS {
        while number >= value {
            made.push_str(numeral);
            number -= value;
        }
    }
    made
}

fn ordinal(number: u64) -> &'static str {
    match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // PostgreSQL 15, table 9.31 and its answers.
    #[test]
    fn numbers_are_written() {
        for (number, template, expected) in [
            ("125.80", "999.99", " 125.80"),
            ("-125.80", "999.99", "-125.80"),
            ("-125.80", "999D99S", "125.80-"),
            ("125.80", "S999D99", "+125.80"),
            ("0.10", "0.99", " 0.10"),
            ("0.1", "FM9.99", ".1"),
            ("12", "9990999.9", "    0012.0"),
            ("12", "FM9990999.9", "0012."),
            ("485", "999", " 485"),
            ("-485", "999", "-485"),
            ("485", "9 9 9", " 4 8 5"),
            ("1485", "9,999", " 1,485"),
            ("148.5", "999.999", " 148.500"),
            ("148.5", "FM999.999", "148.5"),
            ("148.5", "FM999.990", "148.500"),
            ("-485", "999S", "485-"),
            ("-485", "999MI", "485-"),
            ("485", "999MI", "485 "),
            ("485", "FM999MI", "485"),
            ("-485", "999PR", "<485>"),
            ("485", "L999", "$ 485"),
            ("482", "999th", " 482nd"),
            ("1234567.89", "999,990.00", " ###,###.##"),
            ("1234567.89", "FM9990.099", "####.###"),
            ("2", "SG999", "+  2"),
            ("-5", "SG999", "-  5"),
            ("1234.5", "FM999,990.00", "1,234.50"),
            ("12", "99999", "    12"),
            ("0", "9", " 0"),
            ("0", "000", " 000"),
            ("485", "RN", "        CDLXXXV"),
            ("485", "FMRN", "CDLXXXV"),
            ("619", "rn", "          dcxix"),
            ("4000", "RN", "###############"),
            ("-1", "RN", "###############"),
            // Redshift's page of TO_CHAR.
            ("618.80", "l99999D99", "$   618.80"),
            ("9.75", "l99999D99", "$     9.75"),
            ("12.50", "EUR 9999.99", "EUR    12.50"),
        ] {
            let template_parsed = NumberTemplate::parse(template).unwrap();
            let (negative, digits) = number.strip_prefix('-').map_or((false, number), |digits| (true, digits));
            let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
            let digits = format!("{whole}.{fraction:0<width$}", width = template_parsed.digits());
            assert_eq!(template_parsed.write(negative, &digits), expected, "{number} as {template}");
        }
    }

    #[test]
    fn numbers_are_read() {
        for (text, template, expected) in [
            ("12,454.8-", "99G999D9S", "-12454.8"),
            ("-12,454.8", "99G999D9", "-12454.8"),
            ("$ 1,000", "L9,999", "1000"),
            ("<5>", "9PR", "-5"),
        ] {
            assert_eq!(NumberTemplate::parse(template).unwrap().read(text).unwrap(), expected);
        }
        assert!(NumberTemplate::parse("999").unwrap().read("x").is_err());
        assert!(NumberTemplate::parse("abc").is_err());
    }
}
