//! Numbers that are drawn alike on every machine.

/// A hash of a number: `SplitMix64`'s.
pub fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A hash of a number for one purpose.
pub fn hashed(number: u64, purpose: u64) -> u64 {
    mixed(number ^ mixed(purpose))
}

/// A number below `count`; the greater the power, the more often the first ones.
pub fn skewed(hash: u64, count: u64, power: i32) -> u64 {
    let part = (hash >> 11) as f64 / (1_u64 << 53) as f64;
    ((count as f64 * part.powi(power)) as u64).min(count.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_splitmix64s() {
        // The first number of its seed 0.
        assert_eq!(mixed(0), 0xe220_a839_7b1d_cdaf);
        assert_ne!(hashed(1, 2), hashed(2, 1));
    }

    #[test]
    fn the_first_ones_come_more_often() {
        let drawn: Vec<u64> = (0..10_000).map(|number| skewed(mixed(number), 100, 2)).collect();
        let first = drawn.iter().filter(|number| **number < 25).count();
        // A quarter of the numbers, the half of all draws.
        assert!(first.abs_diff(5_000) < 200, "{first}");
        assert!(drawn.iter().all(|number| *number < 100));
        assert_eq!(skewed(u64::MAX, 7, 1), 6);
    }
}
