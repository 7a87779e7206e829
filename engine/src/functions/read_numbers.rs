//! Numbers and truth values that a text as a whole is; what is said of a text that is none is a cast's.

/// A number; none where it is larger than a double can be.
pub(super) fn float(text: &str) -> Option<f64> {
    let value: f64 = text.parse().ok()?;
    (!value.is_infinite() || !text.bytes().any(|byte| byte.is_ascii_digit())).then_some(value)
}

/// What is taken for a truth value by both services, and with more words by one (Redshift: "Boolean type").
pub(super) fn truth(text: &str, words: bool) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "t" | "true" | "1" => Some(true),
        "f" | "false" | "0" => Some(false),
        "y" | "yes" | "on" if words => Some(true),
        "n" | "no" | "off" if words => Some(false),
        _ => None,
    }
}

/// A decimal number, with an exponent or not; digits beyond the scale are rounded.
pub(super) fn decimal(text: &str, precision: u8, scale: i8) -> Option<i128> {
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, unsigned) = match number.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, number.strip_prefix('+').unwrap_or(number)),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if whole.is_empty() && fraction.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    // How many of the digits stand left of the place where the result ends.
    let kept = whole.len() as i32 + exponent + i32::from(scale);
    let mut value: i128 = 0;
    let mut digits = whole.bytes().chain(fraction.bytes()).map(|b| i128::from(b - b'0'));
    for at in 0..kept.max(0) {
        value = match digits.next() {
            Some(digit) => value.checked_mul(10)?.checked_add(digit)?,
            None if value == 0 => return Some(0),
            None if at >= kept => break,
            None => value.checked_mul(10)?,
        };
    }
    if kept >= 0 && digits.next().is_some_and(|digit| digit >= 5) {
        value += 1;
    }
    if value >= 10_i128.checked_pow(u32::from(precision))? {
        return None;
    }
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_read_exactly() {
        for (text, precision, scale, expected) in [
            ("1.5", 5, 2, Some(150)),
            ("-1.005", 5, 2, Some(-101)),
            ("1.004", 5, 2, Some(100)),
            (".5", 5, 0, Some(1)),
            ("0.04", 5, 1, Some(0)),
            ("1e3", 5, 0, Some(1000)),
            ("12e-1", 5, 1, Some(12)),
            ("1e-9", 5, 2, Some(0)),
            ("99999.9", 5, 0, None),
            ("", 5, 0, None),
            ("1x", 5, 0, None),
            ("99999999999999999999999999999999999999", 38, 0, Some(10_i128.pow(38) - 1)),
        ] {
            assert_eq!(decimal(text, precision, scale), expected, "{text}");
        }
    }
}
