//! The one source of determinism: a text hash that is the same on every
//! platform, and numbers drawn from a seed and a position.

/// The odd 64-bit golden ratio, the increment of splitmix64.
pub(super) const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// The finaliser of splitmix64: every input bit reaches every output bit.
pub(super) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Hashes a text eight bytes at a time, because batches hold megabytes.
pub(super) fn hash_text(text: &str) -> u64 {
    let fold = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(GOLDEN);
    let mut words = text.as_bytes().chunks_exact(8);
    let mut hash = text.len() as u64;
    for word in &mut words {
        hash = fold(hash, word.try_into().map_or(0, u64::from_le_bytes));
    }
    let mut last = [0; 8];
    let rest = words.remainder();
    last[..rest.len()].copy_from_slice(rest);
    mix(fold(hash, u64::from_le_bytes(last)))
}

/// The `n`th number of the sequence that belongs to `seed`.
pub(super) fn nth(seed: u64, n: u64) -> u64 {
    mix(mix(seed).wrapping_add(n.wrapping_add(1).wrapping_mul(GOLDEN)))
}

/// The `n`th number of the sequence that belongs to `seed`, in (0, 1).
#[expect(clippy::cast_precision_loss, reason = "52 bits fit a double exactly")]
pub(super) fn nth_uniform(seed: u64, n: u64) -> f64 {
    ((nth(seed, n) >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
}
