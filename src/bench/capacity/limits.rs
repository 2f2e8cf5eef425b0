//! How many connections the process may have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that a process needs beside its connections.
const BESIDE: u64 = 64;

/// Lets this process have so many connections, as far as the system allows it. Never lowers the
/// limit.
pub(in crate::bench) fn make_room(connections: u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = connections.saturating_add(BESIDE);
    let raised = maximum.map_or(wanted, |maximum| wanted.min(maximum));
    if current.is_none_or(|current| current >= raised) {
        return;
    }
    let limit = Rlimit {
        current: Some(raised),
        maximum,
    };
    if let Err(cause) = setrlimit(Resource::Nofile, limit) {
        log::debug!("the limit of open files stays: {cause}");
    }
}

/// Connections that this process may have.
pub(in crate::bench) fn connections() -> u64 {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    files.saturating_sub(BESIDE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_as_needed_and_never_lowered() {
        let before = connections();
        make_room(1);
        assert!(connections() == before && before > 0);
        make_room(before + 10);
        let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        assert_eq!(connections(), (before + 10).min(most - BESIDE));
    }
}
