//! Figures as people read them.

/// A number with three significant digits where it is small, whole where it is large; `n/a` where
/// there is none.
pub(super) fn figure(value: Option<f64>) -> String {
    match value {
        None => "n/a".to_owned(),
        Some(value) => plain(value),
    }
}

/// The same of a number that is there.
pub(super) fn plain(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        "0".to_owned()
    } else if size < 0.0995 {
        format!("{value:.3}")
    } else if size < 9.995 {
        format!("{value:.2}")
    } else if size < 99.95 {
        format!("{value:.1}")
    } else {
        grouped(&format!("{value:.0}"))
    }
}

/// A whole number, in groups of three digits.
pub(super) fn whole(count: u64) -> String {
    grouped(&count.to_string())
}

/// A share as a percentage.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", plain(share * 100.0))
}

/// A count and its noun.
pub(super) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", whole(count))
}

fn grouped(digits: &str) -> String {
    let (sign, digits) = match digits.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", digits),
    };
    let first = match digits.len() % 3 {
        0 => 3.min(digits.len()),
        rest => rest,
    };
    let (head, mut tail) = digits.split_at(first);
    let mut text = format!("{sign}{head}");
    while !tail.is_empty() {
        let (group, rest) = tail.split_at(3);
        text.push(',');
        text.push_str(group);
        tail = rest;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits_or_are_whole() {
        for (value, text) in [
            (0.0, "0"),
            (0.001_23, "0.001"),
            (0.0321, "0.032"),
            (0.5, "0.50"),
            (9.999, "10.0"),
            (12.34, "12.3"),
            (99.97, "100"),
            (123.4, "123"),
            (1234.5, "1,234"),
            (-1_234_567.0, "-1,234,567"),
        ] {
            assert_eq!(plain(value), text);
        }
        assert_eq!(figure(None), "n/a");
        assert_eq!(percent(0.0123), "1.23 %");
        assert_eq!(counted(1, "request"), "1 request");
        assert_eq!(counted(1000, "request"), "1,000 requests");
    }
}
