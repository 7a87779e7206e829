//! FarmHash's Fingerprint64 (G. Pike, FarmHash): a hash of bytes that is the same everywhere and always.

const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;

/// Bytes of a long text's block.
const BLOCK: usize = 64;

/// The fingerprint of bytes.
pub(super) fn fingerprint(bytes: &[u8]) -> u64 {
    match bytes.len() {
        0..=16 => of_few(bytes),
        17..=32 => of_two_halves(bytes),
        33..=BLOCK => of_four_quarters(bytes),
        _ => of_long(bytes),
    }
}

/// The number that eight bytes are, the first the lowest.
fn word(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word))
}

/// The number that four bytes are.
fn half(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |half| u32::from_le_bytes(*half).into())
}

fn sum(words: &[u64]) -> u64 {
    words.iter().fold(0, |sum, word| sum.wrapping_add(*word))
}

fn shifted(word: u64) -> u64 {
    word ^ (word >> 47)
}

/// Two words as one.
fn joined(low: u64, high: u64, factor: u64) -> u64 {
    let first = shifted((low ^ high).wrapping_mul(factor));
    shifted((high ^ first).wrapping_mul(factor)).wrapping_mul(factor)
}

/// A factor by the length.
fn factor(length: usize) -> u64 {
    K2.wrapping_add(2 * length as u64)
}

fn of_few(bytes: &[u8]) -> u64 {
    let (length, factor) = (bytes.len(), factor(bytes.len()));
    if length >= 8 {
        let (first, last) = (word(bytes, 0).wrapping_add(K2), word(bytes, length - 8));
        let low = last.rotate_right(37).wrapping_mul(factor).wrapping_add(first);
        let high = first.rotate_right(25).wrapping_add(last).wrapping_mul(factor);
        return joined(low, high, factor);
    }
    if length >= 4 {
        return joined((length as u64).wrapping_add(half(bytes, 0) << 3), half(bytes, length - 4), factor);
    }
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return K2 };
    let low = u64::from(*first) + (u64::from(bytes[length / 2]) << 8);
    let high = length as u64 + (u64::from(*last) << 2);
    shifted(low.wrapping_mul(K2) ^ high.wrapping_mul(K0)).wrapping_mul(K2)
}

/// What the first sixteen bytes and the last sixteen make, in two words.
fn of_ends(bytes: &[u8], first: u64, factor: u64) -> (u64, u64) {
    let length = bytes.len();
    let second = word(bytes, 8);
    let (last, before) = (word(bytes, length - 8).wrapping_mul(factor), word(bytes, length - 16).wrapping_mul(K2));
    let low = sum(&[first.wrapping_add(second).rotate_right(43), last.rotate_right(30), before]);
    (low, sum(&[first, second.wrapping_add(K2).rotate_right(18), last]))
}

fn of_two_halves(bytes: &[u8]) -> u64 {
    let factor = factor(bytes.len());
    let (low, high) = of_ends(bytes, word(bytes, 0).wrapping_mul(K1), factor);
    joined(low, high, factor)
}

fn of_four_quarters(bytes: &[u8]) -> u64 {
    let (length, factor) = (bytes.len(), factor(bytes.len()));
    let first = word(bytes, 0).wrapping_mul(K2);
    let (low, high) = of_ends(bytes, first, factor);
    let high = joined(low, high, factor);
    let (third, fourth) = (word(bytes, 16).wrapping_mul(factor), word(bytes, 24));
    let low = low.wrapping_add(word(bytes, length - 32)).wrapping_mul(factor);
    let high = high.wrapping_add(word(bytes, length - 24)).wrapping_mul(factor);
    let first_half = sum(&[third.wrapping_add(fourth).rotate_right(43), low.rotate_right(30), high]);
    joined(first_half, sum(&[third, fourth.wrapping_add(first).rotate_right(18), low]), factor)
}

/// The state of a long text.
struct State {
    x: u64,
    y: u64,
    z: u64,
    v: (u64, u64),
    w: (u64, u64),
}

impl State {
    /// Takes a block; in the last one sums count nine times.
    fn take(&mut self, block: &[u8], factor: u64, times: u64) {
        let x = sum(&[self.x, self.y, self.v.0, word(block, 8)]).rotate_right(37).wrapping_mul(factor);
        let x = x ^ self.w.1.wrapping_mul(times);
        let y = sum(&[self.y, self.v.1, word(block, 48)]).rotate_right(42).wrapping_mul(factor);
        let y = sum(&[y, self.v.0.wrapping_mul(times), word(block, 40)]);
        let z = self.z.wrapping_add(self.w.0).rotate_right(33).wrapping_mul(factor);
        self.v = of_half(&block[..32], self.v.1.wrapping_mul(factor), x.wrapping_add(self.w.0));
        self.w = of_half(&block[32..], z.wrapping_add(self.w.1), y.wrapping_add(word(block, 16)));
        (self.x, self.y, self.z) = (z, y, x);
    }
}

/// Half a block with two words before it, as two words.
fn of_half(bytes: &[u8], first: u64, second: u64) -> (u64, u64) {
    let before = first.wrapping_add(word(bytes, 0));
    let second = sum(&[second, before, word(bytes, 24)]).rotate_right(21);
    let after = sum(&[before, word(bytes, 8), word(bytes, 16)]);
    (after.wrapping_add(word(bytes, 24)), sum(&[second, after.rotate_right(44), before]))
}

fn of_long(bytes: &[u8]) -> u64 {
    const SEED: u64 = 81;
    let y = SEED.wrapping_mul(K1).wrapping_add(113);
    let mut state = State {
        x: SEED.wrapping_mul(K2).wrapping_add(word(bytes, 0)),
        y,
        z: shifted(y.wrapping_mul(K2).wrapping_add(113)).wrapping_mul(K2),
        v: (0, 0),
        w: (0, 0),
    };
    // The last block ends with the text, and is another one than the last whole one.
    let rest = (bytes.len() - 1) % BLOCK;
    for block in bytes[..bytes.len() - 1 - rest].chunks_exact(BLOCK) {
        state.take(block, K1, 1);
    }
    let factor = K1.wrapping_add((state.z & 0xff) << 1);
    state.w.0 = state.w.0.wrapping_add(rest as u64);
    state.v.0 = state.v.0.wrapping_add(state.w.0);
    state.w.0 = state.w.0.wrapping_add(state.v.0);
    state.take(&bytes[bytes.len() - BLOCK..], factor, 9);
    let low = sum(&[joined(state.v.0, state.w.0, factor), shifted(state.y).wrapping_mul(K0), state.z]);
    joined(low, joined(state.v.1, state.w.1, factor).wrapping_add(state.x), factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Values of FarmHash's own function, as its ports publish them; the first is of Redshift's page.
    #[test]
    fn fingerprints_are_farmhashs() {
        let long = "The fugacity of a constituent in a mixture of gases at a given temperature is proportional to its mole \
                    fraction.  Lewis-Randall Rule";
        for (text, expected) in [
            ("Amazon Redshift", 8_085_098_817_162_212_970),
            ("", 0x9ae1_6a3b_2f90_404f),
            ("a", 0xb345_4265_b6df_75e3),
            ("ab", 0xaa8d_6e52_42ad_a51e),
            ("abc", 0x24a5_b3a0_74e7_f369),
            ("abcd", 0x1a55_02de_4a1f_8101),
            ("abcdefgh", 0xfee9_d229_90c8_2909),
            ("0123456789'01234", 0x4283_d4ef_4362_7f64),
            ("0123456789=012345", 0x46a7_416e_d486_1e3b),
            ("C is as portable as Stonehedge!!", 0xb944_f8a1_6261_e414),
            ("Discard medicine more than two years old.", 0xe8f8_9ab6_df9b_dd25),
            ("The days of the digital watch are numbered.  -Tom Stoppard", 0x2a57_8b80_bb82_147c),
            ("For every action there is an equal and opposite government program.", 0x5518_2f88_59ec_a4ce),
            (long, 0x098e_ff69_58c5_e91a),
        ] {
            assert_eq!(fingerprint(text.as_bytes()), expected, "{text}");
        }
    }
}
