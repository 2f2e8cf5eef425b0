//! Headers as Python sees them.

use hedgerow::Headers;
use std::collections::BTreeMap;

/// Names and values; those of a name that came twice are joined, as HTTP joins them.
pub(crate) fn joined(headers: &Headers) -> BTreeMap<String, String> {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers.iter() {
        let held = all.entry(name.to_owned()).or_default();
        if !held.is_empty() {
            held.push_str(", ");
        }
        held.push_str(value);
    }
    all
}
