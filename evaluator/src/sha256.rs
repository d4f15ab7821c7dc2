//! SHA-256 (FIPS 180-4) for values that are too large for a record, so that what was cut can still
//! be recognised. Portable on purpose: the `sha2` crate asks the processor what it can do before
//! its first block, which under virtualisation costs a process that starts more than its verdict.

/// The first 32 bits of the fractional parts of the cube roots of the first 64 primes (§4.2.2).
const ROUNDS: [u32; 64] = [
    0x428a_2f98,
    0x7137_4491,
    0xb5c0_fbcf,
    0xe9b5_dba5,
    0x3956_c25b,
    0x59f1_11f1,
    0x923f_82a4,
    0xab1c_5ed5,
    0xd807_aa98,
    0x1283_5b01,
    0x2431_85be,
    0x550c_7dc3,
    0x72be_5d74,
    0x80de_b1fe,
    0x9bdc_06a7,
    0xc19b_f174,
    0xe49b_69c1,
    0xefbe_4786,
    0x0fc1_9dc6,
    0x240c_a1cc,
    0x2de9_2c6f,
    0x4a74_84aa,
    0x5cb0_a9dc,
    0x76f9_88da,
    0x983e_5152,
    0xa831_c66d,
    0xb003_27c8,
    0xbf59_7fc7,
    0xc6e0_0bf3,
    0xd5a7_9147,
    0x06ca_6351,
    0x1429_2967,
    0x27b7_0a85,
    0x2e1b_2138,
    0x4d2c_6dfc,
    0x5338_0d13,
    0x650a_7354,
    0x766a_0abb,
    0x81c2_c92e,
    0x9272_2c85,
    0xa2bf_e8a1,
    0xa81a_664b,
    0xc24b_8b70,
    0xc76c_51a3,
    0xd192_e819,
    0xd699_0624,
    0xf40e_3585,
    0x106a_a070,
    0x19a4_c116,
    0x1e37_6c08,
    0x2748_774c,
    0x34b0_bcb5,
    0x391c_0cb3,
    0x4ed8_aa4a,
    0x5b9c_ca4f,
    0x682e_6ff3,
    0x748f_82ee,
    0x78a5_636f,
    0x84c8_7814,
    0x8cc7_0208,
    0x90be_fffa,
    0xa450_6ceb,
    0xbef9_a3f7,
    0xc671_78f2,
];

/// A digest of what it was given so far.
pub struct Sha256 {
    state: [u32; 8],
    /// Bytes that do not make a block yet: the first `filled`.
    block: [u8; 64],
    filled: usize,
    /// Bytes so far.
    length: u64,
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl Sha256 {
    /// Of nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            state: [
                0x6a09_e667,
                0xbb67_ae85,
                0x3c6e_f372,
                0xa54f_f53a,
                0x510e_527f,
                0x9b05_688c,
                0x1f83_d9ab,
                0x5be0_cd19,
            ],
            block: [0; 64],
            filled: 0,
            length: 0,
        }
    }

    /// Adds `bytes` to what is digested.
    pub fn update(&mut self, bytes: &[u8]) {
        self.length = self.length.wrapping_add(bytes.len() as u64);
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = self.block.get_mut(self.filled..).unwrap_or_default();
            let (now, later) = rest.split_at_checked(room.len()).unwrap_or((rest, &[]));
            room.iter_mut().zip(now).for_each(|(to, from)| *to = *from);
            self.filled = self.filled.saturating_add(now.len());
            rest = later;
            if self.filled >= self.block.len() {
                self.compress();
                self.filled = 0;
            }
        }
    }

    /// The digest of everything.
    #[must_use]
    pub fn finish(mut self) -> [u8; 32] {
        let bits = self.length.wrapping_mul(8).to_be_bytes();
        self.update(&[0x80]);
        let zeros = 120_usize.wrapping_sub(self.filled) % 64;
        self.update([0; 64].get(..zeros).unwrap_or_default());
        self.update(&bits);
        let mut digest = [0; 32];
        for (to, word) in digest.chunks_mut(4).zip(self.state) {
            to.iter_mut().zip(word.to_be_bytes()).for_each(|(to, from)| *to = from);
        }
        digest
    }

    /// Takes in the block (§6.2.2). The message schedule is a window of 16 words that moves.
    fn compress(&mut self) {
        let mut window = [0_u32; 16];
        for (word, bytes) in window.iter_mut().zip(self.block.chunks(4)) {
            *word = bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = self.state;
        for constant in ROUNDS {
            let [word, second, _, _, _, _, _, _, _, tenth, _, _, _, _, fifteenth, _] = window;
            let sum = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
            let first = h
                .wrapping_add(sum)
                .wrapping_add((e & f) ^ (!e & g))
                .wrapping_add(constant)
                .wrapping_add(word);
            let sum = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
            let other = sum.wrapping_add((a & b) ^ (a & c) ^ (b & c));
            (h, g, f, e) = (g, f, e, d.wrapping_add(first));
            (d, c, b, a) = (c, b, a, first.wrapping_add(other));

            let early = second.rotate_right(7) ^ second.rotate_right(18) ^ second >> 3;
            let late = fifteenth.rotate_right(17) ^ fifteenth.rotate_right(19) ^ fifteenth >> 10;
            window.rotate_left(1);
            if let Some(last) = window.last_mut() {
                *last = word.wrapping_add(early).wrapping_add(tenth).wrapping_add(late);
            }
        }
        for (word, more) in self.state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            *word = word.wrapping_add(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sha256;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn theirs(text: &[u8]) -> [u8; 32] {
        <sha2::Sha256 as sha2::Digest>::digest(text).into()
    }

    proptest! {
        /// Whatever the text and however it comes in pieces, it is what `sha2` says.
        #[test]
        fn agrees_with_sha2(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..6)
        ) {
            let mut digest = Sha256::new();
            pieces.iter().for_each(|piece| digest.update(piece));
            let whole: Vec<u8> = pieces.concat();
            prop_assert_eq!(digest.finish(), theirs(&whole));
        }
    }

    /// Every way in which the end can fall into a block.
    #[test]
    fn every_length() {
        let text = [7; 200];
        for length in 0..text.len() {
            let mut digest = Sha256::new();
            digest.update(&text[..length]);
            assert_eq!(digest.finish(), theirs(&text[..length]), "{length}");
        }
    }
}
