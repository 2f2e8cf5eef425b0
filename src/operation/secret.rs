//! Which of a caller's headers hold a secret: no error shows its value, should a server send it back.
//!
//! A header is one by its name, or by a value that looks like a key: a long one. All others are
//! ordinary words (`x-mode: fast`), and stay in the texts of errors, where they are found by chance.

/// A header whose name contains one of these holds a secret.
const IN_NAMES: [&str; 13] = [
    "auth",
    "bearer",
    "cookie",
    "credential",
    "jwt",
    "key",
    "pass",
    "private",
    "pwd",
    "secret",
    "session",
    "signature",
    "token",
];

/// A value that begins with one of these names how it proves who is asking.
const SCHEMES: [&str; 4] = ["basic ", "bearer ", "digest ", "token "];

/// A value of this length may be a key: shorter ones are guessed.
const LIKE_A_KEY: usize = 16;

/// These have long values that anyone may know.
const KNOWN: [&str; 7] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "content-type",
    "host",
    "te",
    "user-agent",
];

/// Whether the header holds a secret. `name` is in lower case.
pub(super) fn is_secret(name: &str, value: &str) -> bool {
    let by_name = IN_NAMES.iter().any(|part| name.contains(part));
    let by_scheme = SCHEMES.iter().any(|scheme| {
        let start = value.as_bytes().get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes()))
    });
    let by_length = value.len() >= LIKE_A_KEY && !KNOWN.contains(&name);
    by_name || by_scheme || by_length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_long_values_make_a_secret() {
        for (name, value) in [
            ("authorization", "x"),
            ("proxy-authorization", "x"),
            ("cookie", "a=b"),
            ("x-api-key", "1"),
            ("api-key", "1"),
            ("ocp-apim-subscription-key", "1"),
            ("x-goog-iam-authority-selector", "1"),
            ("x-amz-security-token", "1"),
            ("x-client-secret", "1"),
            ("x-password", "1"),
            ("x-tenant", "6f9619ff8b86d011"),
            ("x-upstream", "bearer abc"),
            ("x-upstream", "Basic eDp5"),
            ("accept", "Bearer abc"),
        ] {
            assert!(is_secret(name, value), "{name}: {value}");
        }
        for (name, value) in [
            ("x-mode", "fast"),
            ("x-region", "us-east-1"),
            ("x-priority", "7"),
            ("x-empty", ""),
            ("x-letters", "\u{e4}\u{f6}\u{fc}"),
            ("content-type", "application/vnd.custom+json"),
            ("user-agent", "a program of mine/1.0"),
        ] {
            assert!(!is_secret(name, value), "{name}: {value}");
        }
    }
}
