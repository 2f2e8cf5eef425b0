//! The addresses of a host: in which order they are tried, and who of them answers first.
//!
//! Each connection begins with another address than the one before, so that the servers behind a name
//! share the work. One that failed, or was so slow that another overtook it, is tried after all others
//! for a while.

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// The head start of one address over the next: "Connection Attempt Delay" of RFC 8305.
const STAGGER: Duration = Duration::from_millis(250);
/// So long is one that failed tried after all others.
const BEHIND: Duration = Duration::from_secs(30);

/// Which addresses failed, and until when that counts.
#[derive(Debug, Default)]
pub(super) struct Addresses(RefCell<HashMap<SocketAddr, Instant>>);

impl Addresses {
    /// Connects to whichever of `addresses` answers first; each gets a short head start over the
    /// next, and none when the one before it failed. `turn` is another for each connection.
    pub(super) async fn connect(
        &self,
        addresses: &[IpAddr],
        port: u16,
        turn: usize,
    ) -> io::Result<TcpStream> {
        let ordered = self.ordered(addresses, port, turn);
        let mut waiting = ordered.iter();
        let mut racing = FuturesUnordered::new();
        let mut failure = None;
        loop {
            if let Some(address) = waiting.next() {
                racing.push(async move { (*address, TcpStream::connect(*address).await) });
            } else if racing.is_empty() {
                let none = || io::Error::new(ErrorKind::NotFound, "the host has no address");
                return Err(failure.unwrap_or_else(none));
            }
            let ended = if waiting.as_slice().is_empty() {
                racing.next().await
            } else {
                let ended = tokio::time::timeout(STAGGER, racing.next()).await;
                ended.unwrap_or(None)
            };
            match ended {
                Some((first, Ok(stream))) => {
                    let overtaken = ordered.iter().take_while(|address| **address != first);
                    overtaken.for_each(|address| self.failed(*address));
                    return Ok(stream);
                }
                Some((_, Err(cause))) if is_own_limit(&cause) => {
                    failure.get_or_insert(cause);
                }
                Some((address, Err(cause))) => {
                    self.failed(address);
                    failure = Some(cause);
                }
                None => {}
            }
        }
    }

    /// The families by turns, that of the resolver's first choice first (RFC 8305, section 4), and
    /// each with another of its addresses in front; behind them those that failed.
    fn ordered(&self, addresses: &[IpAddr], port: u16, turn: usize) -> Vec<SocketAddr> {
        let first_is_v6 = addresses.first().is_some_and(IpAddr::is_ipv6);
        let (mut first, mut second): (Vec<_>, Vec<_>) = addresses
            .iter()
            .map(|address| SocketAddr::new(*address, port))
            .partition(|address| address.is_ipv6() == first_is_v6);
        for family in [&mut first, &mut second] {
            let start = turn.checked_rem(family.len()).unwrap_or_default();
            family.rotate_left(start);
            family.reverse();
        }
        let mut ordered = Vec::with_capacity(addresses.len());
        while !first.is_empty() || !second.is_empty() {
            ordered.extend(first.pop());
            ordered.extend(second.pop());
        }
        let behind = self.0.borrow();
        let now = Instant::now();
        ordered.sort_by_key(|address| behind.get(address).is_some_and(|until| *until > now));
        ordered
    }

    fn failed(&self, address: SocketAddr) {
        let now = Instant::now();
        let mut behind = self.0.borrow_mut();
        behind.retain(|_, until| *until > now);
        behind.insert(address, now + BEHIND);
    }
}

/// Whether `cause` is a limit of this process or its machine: descriptors (EMFILE, ENFILE), local ports
/// (EADDRNOTAVAIL, EAGAIN), memory of sockets (ENOMEM, ENOBUFS).
pub(super) fn is_own_limit(cause: &io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: i32 = if cfg!(target_os = "linux") { 105 } else { 55 };
    let kinds = [
        ErrorKind::AddrNotAvailable,
        ErrorKind::WouldBlock,
        ErrorKind::OutOfMemory,
    ];
    let numbers = [Some(ENFILE), Some(EMFILE), Some(ENOBUFS)];
    kinds.contains(&cause.kind()) || numbers.contains(&cause.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    fn v4(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn v6(last: u16) -> IpAddr {
        [0, 0, 0, 0, 0, 0, 0, last].into()
    }

    fn ordered(known: &Addresses, addresses: &[IpAddr], turn: usize) -> Vec<IpAddr> {
        let ordered = known.ordered(addresses, 80, turn);
        ordered.iter().map(SocketAddr::ip).collect()
    }

    #[test]
    fn families_take_turns_and_the_first_stays_first() {
        let known = Addresses::default();
        let mixed = [v6(1), v6(2), v4(1), v4(2), v4(3)];
        let expected = [v6(1), v4(1), v6(2), v4(2), v4(3)];
        assert_eq!(ordered(&known, &mixed, 0), expected);
        assert_eq!(ordered(&known, &[v4(1), v6(1)], 0), [v4(1), v6(1)]);
        assert!(ordered(&known, &[], 7).is_empty());
    }

    #[test]
    fn each_connection_begins_with_another_address() {
        let known = Addresses::default();
        let mixed = [v6(1), v6(2), v4(1), v4(2), v4(3)];
        for turn in 0..12u8 {
            let ordered = ordered(&known, &mixed, turn.into());
            let expected = [v6(1 + u16::from(turn % 2)), v4(1 + turn % 3)];
            assert_eq!(ordered[..2], expected);
            let mut all = ordered;
            all.sort_unstable();
            assert_eq!(all, [v4(1), v4(2), v4(3), v6(1), v6(2)]);
        }
    }

    #[actix_rt::test]
    async fn one_that_failed_is_behind_the_others_for_a_while() {
        tokio::time::pause();
        let known = Addresses::default();
        known.failed((v4(2), 80).into());
        // Another port is another server.
        known.failed((v4(3), 81).into());
        for turn in 0..3 {
            assert_eq!(ordered(&known, &[v4(1), v4(2), v4(3)], turn)[2], v4(2));
        }
        advance(BEHIND).await;
        assert_eq!(ordered(&known, &[v4(1), v4(2), v4(3)], 1)[0], v4(2));
    }

    #[actix_rt::test]
    async fn an_address_that_refuses_costs_nothing_but_its_turn() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // Nothing listens on 127.0.0.2 at that port.
        let addresses = [IpAddr::from([127, 0, 0, 2]), IpAddr::from([127, 0, 0, 1])];
        let known = Addresses::default();
        let stream = known.connect(&addresses, port, 0).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().ip(), addresses[1]);
        assert_eq!(known.ordered(&addresses, port, 0)[0].ip(), addresses[1]);
        assert!(known.connect(&addresses[..1], port, 0).await.is_err());
    }

    #[test]
    fn what_this_process_lacks_is_told_from_what_a_host_does() {
        for number in [11, 12, 23, 24, 99, 105] {
            assert!(is_own_limit(&io::Error::from_raw_os_error(number)));
        }
        for number in [110, 111, 113] {
            assert!(!is_own_limit(&io::Error::from_raw_os_error(number)));
        }
    }
}
