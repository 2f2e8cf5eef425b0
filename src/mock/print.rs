//! JSON that is written straight into the body of an answer.

/// Writes a JSON string.
pub(super) fn push_string(body: &mut Vec<u8>, text: &str) {
    // Writing a string into memory has no way to fail.
    let _ = serde_json::to_writer(body, text);
}

/// Writes an integer in decimal.
pub(super) fn push_integer(body: &mut Vec<u8>, mut n: usize) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(n % 10).unwrap_or_default();
        n /= 10;
        if n == 0 {
            break;
        }
    }
    body.extend_from_slice(&digits[at..]);
}
