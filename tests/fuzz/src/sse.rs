//! Server-sent events, beside a reading line by line as the WHATWG's standard has it (9.2.6), but
//! for how a body ends.

/// The data is a body.
///
/// # Panics
///
/// When other events are read.
pub fn events(body: &[u8]) {
    let ours = hedgerow::internals::fuzz::events(body);
    assert_eq!(ours, by_the_standard(body));
}

fn by_the_standard(body: &[u8]) -> Vec<(Vec<u8>, usize)> {
    let mut found = Vec::new();
    let mut data: Option<Vec<u8>> = None;
    let mut at = if body.starts_with("\u{feff}".as_bytes()) {
        3
    } else {
        0
    };
    while at < body.len() {
        let mut end = at;
        while end < body.len() && body[end] != b'\r' && body[end] != b'\n' {
            end += 1;
        }
        let line = &body[at..end];
        let is_whole = end < body.len();
        let is_pair = body[end..].starts_with(b"\r\n");
        at = end + usize::from(is_whole) + usize::from(is_pair);
        if line.is_empty() {
            found.extend(data.take().map(|data| (data, at)));
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':');
        let (field, value) = line.split_at(colon.unwrap_or(line.len()));
        if field != b"data" {
            continue;
        }
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        if !is_whole && value != b"[DONE]" {
            // What the body ends within, the standard throws away as well.
            return found;
        }
        match &mut data {
            None => data = Some(value.to_vec()),
            Some(data) => {
                data.push(b'\n');
                data.extend_from_slice(value);
            }
        }
    }
    // The standard throws this away; a server that ends without a blank line has said it all.
    found.extend(data.map(|data| (data, body.len())));
    found
}
