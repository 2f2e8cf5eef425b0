//! Which Worker gets the next attempt: the one with the least in flight, the first among equals.

/// Picks the index of the least loaded Worker.
///
/// # Panics
///
/// Never: a pool has at least one Worker, and an empty slice yields 0.
pub(crate) fn least_loaded(in_flight: &[usize]) -> usize {
    let lightest = in_flight.iter().enumerate().min_by_key(|(_, load)| **load);
    lightest.map_or(0, |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::least_loaded;

    #[test]
    fn the_least_loaded_is_picked_and_the_first_among_equals() {
        assert_eq!(least_loaded(&[3, 1, 1, 2]), 1);
        assert_eq!(least_loaded(&[0]), 0);
    }
}
