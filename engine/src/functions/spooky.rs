//! SpookyHash, version 2, its seed 0: the 64-bit hash, of which the 32-bit one is the lower half (the algorithm is in the
//! public domain: B. Jenkins, SpookyV2).

/// What words of the state are that no seed is.
const FILLING: u64 = 0xdead_beef_dead_beef;
/// Words of a long text's state, and of its blocks.
const WORDS: usize = 12;
/// Bytes of a long text's block.
const BLOCK: usize = WORDS * 8;
/// Bytes from which on a text is a long one.
const LONG: usize = BLOCK * 2;

/// The 64-bit hash of bytes.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    if bytes.len() < LONG { of_short(bytes) } else { of_long(bytes) }
}

/// The number that at most eight bytes are, the first the lowest.
fn word(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte))
}

fn add(to: &mut u64, word: u64) {
    *to = to.wrapping_add(word);
}

fn of_short(bytes: &[u8]) -> u64 {
    let mut state = [0, 0, FILLING, FILLING];
    let (blocks, mut rest) = bytes.as_chunks::<32>();
    for block in blocks {
        add(&mut state[2], word(&block[..8]));
        add(&mut state[3], word(&block[8..16]));
        mix_short(&mut state);
        add(&mut state[0], word(&block[16..24]));
        add(&mut state[1], word(&block[24..]));
    }
    if let Some((half, after)) = rest.split_first_chunk::<16>() {
        add(&mut state[2], word(&half[..8]));
        add(&mut state[3], word(&half[8..]));
        mix_short(&mut state);
        rest = after;
    }
    add(&mut state[3], (bytes.len() as u64) << 56);
    let (low, high) = rest.split_at(rest.len().min(8));
    let last = if rest.is_empty() { [FILLING; 2] } else { [word(low), word(high)] };
    add(&mut state[2], last[0]);
    add(&mut state[3], last[1]);
    end_short(&mut state);
    state[0]
}

fn mix_short(state: &mut [u64; 4]) {
    for (step, bits) in [50, 52, 30, 41, 54, 48, 38, 37, 62, 34, 5, 36].into_iter().enumerate() {
        let at = |place: usize| (step + place) % 4;
        state[at(2)] = state[at(2)].rotate_left(bits).wrapping_add(state[at(3)]);
        state[at(0)] ^= state[at(2)];
    }
}

fn end_short(state: &mut [u64; 4]) {
    for (step, bits) in [15, 52, 26, 51, 28, 9, 47, 54, 32, 25, 63].into_iter().enumerate() {
        let at = |place: usize| (step + place) % 4;
        state[at(3)] ^= state[at(2)];
        state[at(2)] = state[at(2)].rotate_left(bits);
        state[at(3)] = state[at(3)].wrapping_add(state[at(2)]);
    }
}

fn of_long(bytes: &[u8]) -> u64 {
    let mut state = [0; WORDS];
    for third in state.iter_mut().skip(2).step_by(3) {
        *third = FILLING;
    }
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    for block in blocks {
        mix_long(&mut state, block);
    }
    // The last block is filled with zeros, and its last byte is how many there are of the text.
    let mut last = [0; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    last[BLOCK - 1] = rest.len() as u8;
    for (to, part) in state.iter_mut().zip(last.as_chunks::<8>().0) {
        add(to, word(part));
    }
    for _ in 0..3 {
        end_long(&mut state);
    }
    state[0]
}

fn mix_long(state: &mut [u64; WORDS], block: &[u8; BLOCK]) {
    let parts = block.as_chunks::<8>().0.iter();
    let turns = [11, 32, 43, 31, 17, 28, 39, 57, 55, 54, 22, 46];
    for (step, (part, bits)) in parts.zip(turns).enumerate() {
        let at = |place: usize| (step + place) % WORDS;
        add(&mut state[step], word(part));
        state[at(2)] ^= state[at(10)];
        state[at(11)] ^= state[step];
        state[step] = state[step].rotate_left(bits);
        state[at(11)] = state[at(11)].wrapping_add(state[at(1)]);
    }
}

fn end_long(state: &mut [u64; WORDS]) {
    for (step, bits) in [44, 15, 34, 21, 38, 33, 10, 13, 38, 53, 42, 54].into_iter().enumerate() {
        let at = |place: usize| (step + place) % WORDS;
        state[at(11)] = state[at(11)].wrapping_add(state[at(1)]);
        state[at(2)] ^= state[at(11)];
        state[at(1)] = state[at(1)].rotate_left(bits);
    }
}

#[cfg(test)]
mod tests {
    use super::hash;

    // What the author's own program gives (as the package spookyhash on PyPI has it), the first two also in Trino's tests.
    #[test]
    fn hashes_are_those_of_the_author() {
        let bytes = |count: usize| (0..count).map(|at| (at * 7 + 3) as u8).collect::<Vec<_>>();
        assert_eq!(hash(b""), 0x2327_06fc_6bf5_0919);
        assert_eq!(hash(b"hello"), 0x3768_826a_d382_e6ca);
        for (count, expected) in [
            (5, 0xb885_a13d_fe95_9716),
            (8, 0x93fa_88e8_96a3_c5fd),
            (15, 0x80ff_2557_a5f3_fce9),
            (16, 0x996b_234d_7cd0_c4ed),
            (31, 0xb8cc_43d8_89b9_2e0c),
            (32, 0xe10b_9985_690e_40f4),
            (100, 0x9c6d_47f3_2234_95a7),
            (191, 0x5a8b_5567_21e7_0004),
            (192, 0x4bd5_231f_c1b3_b9cf),
            (193, 0x898f_9ebe_5674_b3c2),
            (288, 0x70a2_ef66_9478_aefb),
            (1000, 0x8507_2d32_18a5_1b05),
        ] {
            assert_eq!(hash(&bytes(count)), expected, "of {count} bytes");
        }
    }
}
