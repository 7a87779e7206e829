//! Numbers as Java writes them: digits that are rounded half up, groups of thousands, exponents, units.

/// A number's sign, its digits and how many of them stand before the point, which may be none and less.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Figures {
    pub(super) negative: bool,
    digits: Vec<u8>,
    point: i32,
}

impl Figures {
    /// The shortest digits that tell a double from others; `None` for what is no number.
    pub(super) fn of_float(float: f64) -> Option<Self> {
        let written = format!("{:e}", float.abs());
        let (mantissa, exponent) = written.split_once('e')?;
        let digits = mantissa.bytes().filter(u8::is_ascii_digit).collect();
        Some(Self { negative: float.is_sign_negative(), digits, point: exponent.parse::<i32>().ok()? + 1 })
    }

    /// A decimal's digits.
    pub(super) fn of_decimal(value: i128, scale: i8) -> Self {
        let digits = value.unsigned_abs().to_string().into_bytes();
        let point = digits.len() as i32 - i32::from(scale);
        Self { negative: value < 0, digits, point }
    }

    /// Rounds to so many digits of those there are, halves up; none are fewer than none.
    fn rounded(mut self, kept: i32) -> Self {
        let Ok(kept) = usize::try_from(kept) else { return Self { digits: Vec::new(), ..self } };
        if kept >= self.digits.len() {
            return self;
        }
        let up = self.digits[kept] >= b'5';
        self.digits.truncate(kept);
        if up {
            match self.digits.iter().rposition(|digit| *digit < b'9') {
                Some(at) => {
                    self.digits[at] += 1;
                    self.digits[at + 1..].fill(b'0');
                }
                None => {
                    self.digits.fill(b'0');
                    self.digits.insert(0, b'1');
                    self.point += 1;
                }
            }
        }
        self
    }

    /// Without exponent and sign: so many digits after the point, and commas between thousands or not.
    pub(super) fn fixed(self, places: usize, grouped: bool) -> String {
        let kept = self.point + places as i32;
        let rounded = self.rounded(kept);
        let point = usize::try_from(rounded.point).unwrap_or_default();
        let mut whole: Vec<u8> = rounded.digits.iter().copied().take(point).collect();
        whole.resize(point, b'0');
        let mut text = if whole.is_empty() { "0".to_owned() } else { String::from_utf8_lossy(&whole).into_owned() };
        if grouped {
            text = thousands(&text);
        }
        if places > 0 {
            let zeros = usize::try_from(-rounded.point).unwrap_or_default().min(places);
            let mut fraction = vec![b'0'; zeros];
            fraction.extend(rounded.digits.iter().skip(point));
            fraction.resize(places, b'0');
            text.push('.');
            text.push_str(&String::from_utf8_lossy(&fraction));
        }
        text
    }

    /// With so many digits that count, without sign: with an exponent only where one that is less than -4 or not less than
    /// their number would stand there.
    pub(super) fn general(self, digits: usize, grouped: bool) -> String {
        if self.digits.iter().all(|digit| *digit == b'0') {
            return Self { digits: vec![b'0'], point: 1, ..self }.fixed(digits - 1, grouped);
        }
        let rounded = self.rounded(digits as i32);
        match usize::try_from(digits as i32 - rounded.point) {
            Ok(places) if rounded.point > -4 => rounded.fixed(places, grouped),
            _ => rounded.scientific(digits - 1),
        }
    }

    /// With an exponent, without sign: `1.234560e+01`.
    pub(super) fn scientific(self, places: usize) -> String {
        let is_zero = self.digits.iter().all(|digit| *digit == b'0');
        let rounded = self.rounded(places as i32 + 1);
        let mut digits = rounded.digits;
        digits.resize(places + 1, b'0');
        let exponent = if is_zero { 0 } else { rounded.point - 1 };
        let digits = String::from_utf8_lossy(&digits).into_owned();
        let point = if places > 0 { "." } else { "" };
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{}{point}{}e{sign}{:02}", &digits[..1], &digits[1..], exponent.abs())
    }
}

/// Figures with commas between thousands.
pub(super) fn thousands(digits: &str) -> String {
    let mut made = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            made.push(',');
        }
        made.push(digit);
    }
    made
}

/// A double as Java's `Double.toString`.
pub(super) fn java_double(float: f64) -> String {
    let size = float.abs();
    if !float.is_finite() {
        return if float.is_nan() {
            "NaN".to_owned()
        } else if float > 0.0 {
            "Infinity".to_owned()
        } else {
            "-Infinity".to_owned()
        };
    }
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{float:?}");
    }
    with_java_exponent(format!("{float:e}"))
}

/// A real as Java's `Float.toString`.
pub(super) fn java_real(float: f32) -> String {
    let size = float.abs();
    if !float.is_finite() || size == 0.0 {
        return java_double(f64::from(float));
    }
    if (1e-3..1e7).contains(&size) {
        return format!("{float:?}");
    }
    with_java_exponent(format!("{float:e}"))
}

/// A number with an exponent as Java writes it, of one as Rust does: `1.0E7` of `1e7`.
fn with_java_exponent(written: String) -> String {
    match written.split_once('e') {
        Some((mantissa, exponent)) if mantissa.contains('.') => format!("{mantissa}E{exponent}"),
        Some((mantissa, exponent)) => format!("{mantissa}.0E{exponent}"),
        None => written,
    }
}

/// A finite double's size as Java's `Double.toHexString`, without its `0x`: the digits after the point, all that it takes
/// or so many, halves rounded to even, and the exponent of 2.
pub(super) fn hexadecimal(float: f64, digits: Option<usize>) -> String {
    const FRACTION_BITS: u32 = 52;
    const FRACTION: u64 = (1 << FRACTION_BITS) - 1;
    const ALL_DIGITS: usize = 13;
    let bits = float.to_bits();
    let (biased, mut fraction) = (((bits >> FRACTION_BITS) & 0x7ff) as i32, bits & FRACTION);
    let mut whole = u8::from(biased > 0);
    let mut exponent = if float == 0.0 { 0 } else { biased.max(1) - 1023 };
    if let Some(kept) = digits.filter(|kept| *kept < ALL_DIGITS && float != 0.0) {
        if whole == 0 {
            // What is smaller than all normal numbers is rounded as if it were one.
            let missing = fraction.leading_zeros() - (u64::BITS - FRACTION_BITS) + 1;
            (fraction, exponent, whole) = ((fraction << missing) & FRACTION, exponent - missing as i32, 1);
        }
        let cut = FRACTION_BITS - 4 * kept as u32;
        let (all, rest, half) = (fraction >> cut, fraction & ((1 << cut) - 1), 1 << (cut - 1));
        let up = rest > half || (rest == half && all % 2 == 1);
        fraction = (all + u64::from(up)) << cut;
        exponent += i32::from(fraction > FRACTION);
        fraction &= FRACTION;
    }
    let all = format!("{fraction:013x}");
    let (shown, least) = (all.trim_end_matches('0'), digits.unwrap_or(1));
    format!("{whole}.{shown:0<least$}p{exponent}")
}

/// A number of three digits with a unit: `123K`, `1.24M`.
pub(super) fn with_unit(number: f64) -> String {
    const UNITS: [&str; 6] = ["", "K", "M", "B", "T", "Q"];
    let (mut number, mut unit) = (number, 0);
    while number.abs() >= 1000.0 && unit + 1 < UNITS.len() {
        number /= 1000.0;
        unit += 1;
    }
    let written = match number.abs() {
        size if size < 10.0 => format!("{number:.2}"),
        size if size < 100.0 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    };
    let written = if written.contains('.') { written.trim_end_matches('0').trim_end_matches('.') } else { &written };
    let written = if written == "-0" { "0" } else { written };
    format!("{written}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    // Java's documentation of Formatter and of Double.toString.
    #[test]
    fn numbers_as_java_writes_them() {
        for (float, places, fixed, scientific) in [
            (1_234_567.89, 2, "1,234,567.89", "1.23e+06"),
            (0.125, 2, "0.13", "1.25e-01"),
            (0.0, 3, "0.000", "0.000e+00"),
            (999.999, 1, "1,000.0", "1.0e+03"),
            (0.000_04, 3, "0.000", "4.000e-05"),
            (0.5, 0, "1", "5e-01"),
            (0.4, 0, "0", "4e-01"),
            (1e21, 0, "1,000,000,000,000,000,000,000", "1e+21"),
            (0.096, 1, "0.1", "9.6e-02"),
        ] {
            let digits = Figures::of_float(float).unwrap();
            assert_eq!(digits.clone().fixed(places, true), fixed, "{float}");
            assert_eq!(digits.scientific(places), scientific, "{float}");
        }
        assert_eq!(Figures::of_decimal(-12_345, 2).fixed(1, false), "123.5");
        for (float, expected) in [
            (1.0, "1.0"),
            (1e7, "1.0E7"),
            (9_999_999.5, "9999999.5"),
            (1e-3, "0.001"),
            (1.5e-4, "1.5E-4"),
            (-0.0, "-0.0"),
        ] {
            assert_eq!(java_double(float), expected);
        }
    }

    // Java's documentation of Double.toHexString; with so many digits what its Formatter gives.
    #[test]
    fn doubles_in_hexadecimal() {
        for (float, expected) in [
            (1.0, "1.0p0"),
            (2.0, "1.0p1"),
            (3.0, "1.8p1"),
            (0.25, "1.0p-2"),
            (0.0, "0.0p0"),
            (f64::MAX, "1.fffffffffffffp1023"),
            (f64::MIN_POSITIVE, "1.0p-1022"),
            (f64::MIN_POSITIVE.next_down(), "0.fffffffffffffp-1022"),
            (f64::from_bits(1), "0.0000000000001p-1022"),
        ] {
            assert_eq!(hexadecimal(float, None), expected, "{float}");
        }
        for (float, digits, expected) in [
            (3.0, 3, "1.800p1"),
            (0.1, 3, "1.99ap-4"),
            (1.031_25, 1, "1.0p0"),
            (1.093_75, 1, "1.2p0"),
            (31.99, 1, "1.0p5"),
            (f64::from_bits(1), 1, "1.0p-1074"),
            (f64::from_bits(3), 2, "1.80p-1073"),
            (0.5, 15, "1.000000000000000p-1"),
            (0.0, 2, "0.00p0"),
        ] {
            assert_eq!(hexadecimal(float, Some(digits)), expected, "{float} {digits}");
        }
    }

    // Java's documentation of Formatter ("%g").
    #[test]
    fn numbers_with_so_many_digits() {
        for (float, digits, expected) in [
            (0.0, 6, "0.00000"),
            (123.456, 6, "123.456"),
            (123.456, 3, "123"),
            (123_456.7, 6, "123457"),
            (999_999.5, 6, "1.00000e+06"),
            (0.000_1, 6, "0.000100000"),
            (0.000_012_34, 6, "1.23400e-05"),
            (1_234_567.89, 6, "1.23457e+06"),
            (12.0, 1, "1e+01"),
        ] {
            assert_eq!(Figures::of_float(float).unwrap().general(digits, false), expected, "{float}");
        }
        assert_eq!(Figures::of_decimal(0, 2).general(6, false), "0.00000");
        assert_eq!(Figures::of_decimal(1_234_567, 0).general(7, true), "1,234,567");
        for (float, expected) in [(0.1, "0.1"), (1e10, "1.0E10"), (f32::MAX, "3.4028235E38"), (-0.0, "-0.0")] {
            assert_eq!(java_real(float), expected);
        }
    }

    // Trino's documentation of format_number.
    #[test]
    fn numbers_with_units() {
        for (number, expected) in
            [(123_456.0, "123K"), (1_000_000.0, "1M"), (1239.0, "1.24K"), (-12.34, "-12.3"), (0.0, "0"), (999.0, "999")]
        {
            assert_eq!(with_unit(number), expected);
        }
    }
}
