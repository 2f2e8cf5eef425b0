//! How many connections the process may have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets this process open as many files, and with them connections, as the system allows it. For
/// programs: a library leaves the limit alone.
pub fn raise_open_files() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    if let Err(cause) = setrlimit(Resource::Nofile, raised) {
        log::debug!("the limit of open files stays: {cause}");
    }
}

/// Connections that this process may have, less what it needs beside.
pub(super) fn connections() -> u64 {
    const BESIDE: u64 = 64;
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    files.saturating_sub(BESIDE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_never_lowered() {
        let before = connections();
        raise_open_files();
        assert!(connections() >= before && before > 0);
    }
}
