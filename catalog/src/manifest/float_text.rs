//! Texts of floating-point numbers as DuckDB's cast to VARCHAR gives them, which is how DuckLake has them in statistics,
//! initial values and inlined rows, whichever database the catalog is in: `1.0`, `1e+16`, `1e-05`, `inf`, `nan`.

use std::fmt;

/// The text of an `f64` or `f32`: the fewest digits that give the number again.
pub fn float_text<T: fmt::Debug>(number: T) -> String {
    // Rust, too, has an exponent from 1e16 on and below 0.0001.
    let text = format!("{number:?}");
    let Some((digits, exponent)) = text.split_once('e') else { return text.to_ascii_lowercase() };
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What DuckDB 1.5.5 gives for these.
    #[test]
    fn numbers_have_duckdb_s_texts() {
        for (number, text) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1e20, "1e+20"),
            (1e300, "1e+300"),
            (0.0001, "0.0001"),
            (1e-5, "1e-05"),
            (-1.5e-7, "-1.5e-07"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(float_text(number), text);
        }
        for (number, text) in [(1.0_f32, "1.0"), (0.1, "0.1"), (1e10, "10000000000.0"), (123_456_789.0, "123456790.0")]
        {
            assert_eq!(float_text(number), text);
        }
    }
}
